import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { providers } from '../shared/index.js';
import { bytesOf } from '../shared/mailServer/imap/store.js';
import { builtCredentials } from './tools/golden.js';
import { NODES_PAGE, shortName, stale } from './tools/reference.js';
import { startMail } from './sandbox/mail.js';
import { startScaleway } from './sandbox/scaleway.js';

const page = (path: string) => readFileSync(join(import.meta.dirname, '..', path), 'utf8');
/** What is written for people who use this. */
const PAGES = [
  'README.md',
  'CHANGELOG.md',
  'SECURITY.md',
  ...readdirSync(join(import.meta.dirname, '../docs'), { recursive: true, encoding: 'utf8' })
    .filter(name => name.endsWith('.md'))
    .map(name => `docs/${name.replaceAll('\\', '/')}`),
];
/** The anchors of a page as GitHub makes them of its headings. */
const headings = (path: string) =>
  [...page(path).matchAll(/^#+ (.+)$/gm)].map(([, words]) =>
    words!
      .toLowerCase()
      .replace(/[^\w\- ]/g, '')
      .replaceAll(' ', '-'),
  );

describe('the commands', () => {
  it('are the scripts of the manifest, and `npm run help` says what each is for', () => {
    const root = join(import.meta.dirname, '..');
    const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
      scripts: Record<string, string>;
    };
    const { stdout } = spawnSync(process.execPath, [join(root, 'test/run.mjs'), 'help'], { encoding: 'utf8' });
    const listed = [...stdout.matchAll(/^npm run (\S+) +\S.*$/gm)].map(([, name]) => name!);
    assert.deepEqual(Object.keys(scripts).sort(), [...listed].sort());
    for (const [name, command] of Object.entries(scripts)) assert.equal(command, `node test/run.mjs ${name}`);
  });
});

describe('the pages for readers', () => {
  it('say what each node does at each provider', () => {
    const row = /^\| \[(.+?)\]\(\.\.\/\.\.\/shared\/providers\/(\w+)\/REFERENCE\.md\) \|/gm;
    assert.deepEqual(
      [...page(NODES_PAGE).matchAll(row)].map(([, name, id]) => [id, name]),
      providers.map(({ id, name }) => [id, name]),
    );
    assert.ok(!stale().includes(NODES_PAGE), 'npm run golden writes the table');
  });
  it('and what else people read before they choose names every provider', () => {
    for (const path of ['README.md', 'extension/README.md', 'package.json']) {
      // The beginning, which says what this is; not the tables further down.
      const begins =
        path === 'package.json'
          ? (JSON.parse(page(path)) as { description: string }).description
          : page(path).split('\n\n')[1]!;
      for (const provider of providers)
        assert.ok(begins.includes(shortName(provider)), `${path} begins without ${shortName(provider)}`);
    }
  });
  it('are two screens in the case of the README, with a picture for each product', () => {
    assert.ok(page('README.md').split('\n').length <= 110);
    assert.equal(page('README.md').match(/^!\[/gm)?.length, 2);
  });
  it('name the version that is packed', () => {
    const { version } = JSON.parse(page('package.json')) as { version: string };
    for (const path of PAGES)
      for (const [, named] of page(path).matchAll(/n8n-nodes-mailroom-(\d+\.\d+\.\d+)\.tgz/g))
        assert.equal(named, version, path);
    assert.match(page('CHANGELOG.md'), new RegExp(`^## ${version}$`, 'm'));
  });
  it('link to nothing that is not there, and to no heading that is not there', () => {
    for (const path of PAGES) {
      for (const [, target, anchor] of page(path).matchAll(/\]\((?!https?:)([^)#]*)(?:#([^)]+))?\)/g)) {
        const other = target ? join(path, '..', target) : path;
        assert.doesNotThrow(() => page(other), `${path} links to ${target!}`);
        if (anchor) assert.ok(headings(other).includes(anchor), `${path} links to ${other}#${anchor}`);
      }
    }
  });
  it('are reached from the README, all of them', () => {
    const reached = new Set<string>();
    const visit = (path: string) => {
      if (reached.has(path) || !path.endsWith('.md')) return;
      reached.add(path);
      for (const [, target] of page(path).matchAll(/\]\((?!https?:)([^)#]+)/g)) visit(join(path, '..', target!));
    };
    visit('README.md');
    assert.deepEqual(
      PAGES.filter(path => !reached.has(path)),
      [],
    );
  });
  it('have the heading that each credential links to', () => {
    const base = 'https://github.com/mailroom-dev/n8n-nodes-mailroom/blob/main/';
    for (const { name, documentationUrl } of builtCredentials()) {
      const [path, anchor] = documentationUrl!.slice(base.length).split('#');
      assert.ok(
        documentationUrl!.startsWith(base) && headings(path!).includes(anchor!),
        `${name}: ${documentationUrl!}`,
      );
    }
  });
  it('have an example that works, with the accounts of the sandbox in the place of yours', async () => {
    const users = [
      { user: 'ann@example.com', password: 'a' },
      { user: 'bob@example.com', password: 'b' },
    ];
    const scaleway = await startScaleway();
    const mail = await startMail({ users });
    try {
      const ann = {
        ...users[0],
        allowedCertificate: mail.ca,
        imapHost: mail.imap.host,
        imapPort: mail.imap.tlsPort,
        smtpHost: mail.smtp.host,
        smtpPort: mail.smtp.tlsPort,
      };
      const accounts = [JSON.stringify(scaleway.account), JSON.stringify(ann)];
      const example = /```js\n([\s\S]*?)```/
        .exec(page('docs/scripts.md'))![1]!
        .replace(/\{ [^{}]*process\.env\.[^{}]* \}/g, () => accounts.shift()!);
      assert.equal(accounts.length, 0, 'both accounts have their place');
      const said: unknown[][] = [];
      const log = (...words: unknown[]) => said.push(words);
      // What a script would require is the package's main entry, which is built.
      const load = createRequire(join(import.meta.dirname, '..', 'package.json'));
      await (
        new Function('require', 'process', 'console', example.replace(/\nmain\(\)/, '\nreturn main()')) as (
          ...given: unknown[]
        ) => Promise<void>
      )(() => load('./dist/shared/index.js'), process, { log, error: log });
      assert.deepEqual(said[0], ['user001@mail.example.com', 'active']);
      assert.equal(said.at(-1)![1], 'done');
      assert.match(String(bytesOf(mail.folder('bob@example.com').messages[0]!)), /hello\.txt/);
    } finally {
      await Promise.all([scaleway.close(), mail.close()]);
    }
  });
});
