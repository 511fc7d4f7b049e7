import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { providers } from '../shared/index.js';
import { bytesOf } from '../shared/mailServer/imap/store.js';
import { shortName, stale } from './tools/reference.js';
import { startMail } from './sandbox/mail.js';
import { startScaleway } from './sandbox/scaleway.js';

const readme = readFileSync(join(import.meta.dirname, '..', 'README.md'), 'utf8');

describe('the commands', () => {
  it('are the scripts of the manifest, and `npm run help` says what each is for', () => {
    const root = join(import.meta.dirname, '..'), { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { scripts: Record<string, string> };
    const { stdout } = spawnSync(process.execPath, [join(root, 'test/run.mjs'), 'help'], { encoding: 'utf8' });
    const listed = [...stdout.matchAll(/^npm run (\S+) +\S.*$/gm)].map(([, name]) => name!);
    assert.deepEqual(Object.keys(scripts).sort(), [...listed].sort());
    for (const [name, command] of Object.entries(scripts)) assert.equal(command, `node test/run.mjs ${name}`);
  });
});

describe('the README', () => {
  it('says what each node does at each provider', () => {
    const row = /^\| \[(.+?)\]\(shared\/providers\/(\w+)\/REFERENCE\.md\) \|/gm;
    assert.deepEqual([...readme.matchAll(row)].map(([, name, id]) => [id, name]), providers.map(({ id, name }) => [id, name]));
    assert.ok(!stale().includes('README.md'), 'npm run golden writes the table');
  });
  it('and what else people read before they choose names every provider', () => {
    for (const path of ['README.md', 'extension/README.md', 'package.json']) {
      // The beginning, which says what this is; not the tables further down.
      const begins = path === 'package.json' ? (JSON.parse(readFileSync(join(import.meta.dirname, '..', path), 'utf8')) as { description: string }).description
        : readFileSync(join(import.meta.dirname, '..', path), 'utf8').split('\n\n')[1]!;
      for (const provider of providers) assert.ok(begins.includes(shortName(provider)), `${path} begins without ${shortName(provider)}`);
    }
  });
  it('has the sections that the nodes link to', () => {
    for (const heading of ['## Credentials', '## Sync Trigger']) assert.ok(readme.includes(`\n${heading}\n`), heading);
  });
  it('links to nothing that is not there', () => {
    for (const [, target] of readme.matchAll(/\]\((?!https?:|#)([^)#]+)/g)) assert.doesNotThrow(() => readFileSync(join(import.meta.dirname, '..', target!)), target);
  });
  it('has an example that works, with the accounts of the sandbox in the place of yours', async () => {
    const users = [{ user: 'ann@example.com', password: 'a' }, { user: 'bob@example.com', password: 'b' }];
    const scaleway = await startScaleway(), mail = await startMail({ users });
    try {
      const ann = { ...users[0], allowedCertificate: mail.ca, imapHost: mail.imap.host, imapPort: mail.imap.tlsPort, smtpHost: mail.smtp.host, smtpPort: mail.smtp.tlsPort };
      const accounts = [JSON.stringify(scaleway.account), JSON.stringify(ann)];
      const example = /```js\n([\s\S]*?)```/.exec(readme)![1]!.replace(/\{ [^{}]*process\.env\.[^{}]* \}/g, () => accounts.shift()!);
      assert.equal(accounts.length, 0, 'both accounts have their place');
      const said: unknown[][] = [], log = (...words: unknown[]) => said.push(words);
      // What a script would require is the package's main entry, which is built.
      const load = createRequire(join(import.meta.dirname, '..', 'package.json'));
      await (new Function('require', 'process', 'console', example.replace(/\nmain\(\)/, '\nreturn main()')) as (...given: unknown[]) => Promise<void>)(
        () => load('./dist/shared/index.js'), process, { log, error: log });
      assert.deepEqual(said[0], ['user001@mail.example.com', 'active']);
      assert.equal(said.at(-1)![1], 'done');
      assert.match(String(bytesOf(mail.folder('bob@example.com').messages[0]!)), /hello\.txt/);
    } finally {
      await Promise.all([scaleway.close(), mail.close()]);
    }
  });
});
