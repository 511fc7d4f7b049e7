import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { billOfMaterials, notices, type Component } from './tools/materials.js';
import { packN8n, type Artefact } from './tools/package.js';

const root = join(import.meta.dirname, '..');
const fullName = ({ group, name }: Component) => (group ? `${group}/${name}` : name);

describe('the package', function () {
  this.timeout(600_000);
  let folder: string;
  let consumer: string;
  let first: Artefact;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'mailroom-package-'));
    consumer = join(folder, 'consumer');
    first = packN8n(folder);
    mkdirSync(join(consumer, 'node_modules/n8n-nodes-mailroom'), { recursive: true });
    execFileSync('tar', [
      '-xzf',
      first.file,
      '-C',
      join(consumer, 'node_modules/n8n-nodes-mailroom'),
      '--strip-components=1',
    ]);
  });
  after(() => rmSync(folder, { recursive: true, force: true }));
  const inPackage = (path: string) => readFileSync(join(consumer, 'node_modules/n8n-nodes-mailroom', path), 'utf8');

  it('is the same to the byte when it is packed again', () => {
    const again = join(folder, 'again');
    mkdirSync(again);
    const hash = (path: string) => createHash('sha256').update(readFileSync(path)).digest('hex');
    const second = packN8n(again);
    assert.deepEqual([second.file, second.materials].map(hash), [first.file, first.materials].map(hash));
  });

  it('brings the licence of everything it bundles, and nothing that is no package', () => {
    const said = inPackage('THIRD-PARTY-NOTICES');
    for (const name of ['imapflow', 'nodemailer', 'undici', 'fast-xml-parser', 'libmime'])
      assert.match(said, new RegExp(`^${name} \\d`, 'm'));
    const { materials } = billOfMaterials('vscode');
    for (const one of materials.components) {
      assert.ok(one.version && one.licenses?.length, `${fullName(one)} has a version and a licence`);
      const manifest = JSON.parse(readFileSync(join(root, 'node_modules', fullName(one), 'package.json'), 'utf8')) as {
        version: string;
      };
      assert.match(one.version, /^\d/, `${fullName(one)} ${manifest.version}`);
    }
    assert.match(notices(materials), /^@vscode\/webview-ui-toolkit \d/m, 'what only the extension bundles');
  });

  it('refuses to be packed with a package whose licence text is missing', () => {
    assert.throws(
      () => notices({ components: [{ name: 'nobody', version: '1.0.0', licenses: [{ license: { id: 'MIT' } }] }] }),
      /nobody 1\.0\.0 \(MIT\) comes without the text/,
    );
  });

  it('says in its manifest only what belongs to it', () => {
    const manifest = JSON.parse(inPackage('package.json')) as Record<string, unknown>;
    for (const key of ['scripts', 'devDependencies', 'dependencies', 'contributes', 'main'])
      assert.equal(manifest[key], undefined, key);
  });

  /**
   * Compiles a program as its writer would: strict, with the declarations of libraries checked. Resolves with the
   * compiler's complaints.
   */
  const compiled = (names: readonly string[], program: string, module: string, moduleResolution: string): string => {
    writeFileSync(join(consumer, 'package.json'), JSON.stringify({ private: true }));
    for (const name of names) writeFileSync(join(consumer, name), program);
    writeFileSync(
      join(consumer, 'tsconfig.json'),
      JSON.stringify({
        compilerOptions: {
          noEmit: true,
          strict: true,
          skipLibCheck: false,
          target: 'es2023',
          lib: ['es2023', 'dom', 'esnext.disposable'],
          types: [],
          module,
          moduleResolution,
        },
        files: names,
      }),
    );
    try {
      execFileSync(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', consumer], {
        cwd: consumer,
        encoding: 'utf8',
      });
      return '';
    } catch (error) {
      return String((error as { stdout?: string }).stdout);
    }
  };
  const GOOD = `
    import { connect, NotArrived, providerById, startMailServer, waitFor, type Arrived, type Client, type Mailbox } from 'n8n-nodes-mailroom';
    const scaleway = connect(providerById('scaleway'), { secretKey: '11111111-1111-1111-1111-111111111111' });
    export async function main(): Promise<Mailbox> {
      for await (const one of scaleway.call('mailbox.list', { search: 'ann' })) { const id: string = one.id; void id; }
      const { items } = await scaleway.since('mailboxChanged', {});
      items.map(({ item }) => item.email);
      return scaleway.call('mailbox.create', { domain_id: 'x', local_part: 'ann', password: 'secret-secret', subscription_period: 'monthly' });
    }
    export async function mailed(): Promise<Arrived> {
      const server = await startMailServer({ smtp: 0, imap: 0, misbehave: { greylist: true } });
      try { const found = await waitFor(server, { to: 'ann@example.com', subject: /hello/i }); found.links.map(({ url }) => url); return found; } catch (error) {
        if (error instanceof NotArrived) error.came.map(({ subject }) => subject);
        throw error;
      } finally { await server.close(); }
    }
    export const anyone = (id: string): Client => connect(providerById(id), {});
    export const any: Client = scaleway;
    export const named = (name: string) => scaleway.call(name, {});
    export const refused = () => [
      // @ts-expect-error there is no such operation
      scaleway.call('mailbox.git', { mailbox: 'm' }),
      // @ts-expect-error there is no such switch
      startMailServer({ misbehave: { grelist: true } }),
      // @ts-expect-error a field is misspelt
      scaleway.call('mailbox.get', { mailbox: 'm', malbox: 'm' }),
      // @ts-expect-error a required field is missing
      scaleway.call('mailbox.get', {}),
      // @ts-expect-error there is no such choice
      scaleway.call('mailbox.update', { mailbox: 'm', subscription_period: 'weekly' }),
    ];
  `;
  for (const [module, resolution, files] of [
    ['nodenext', 'nodenext', ['esm.mts', 'common.cts']],
    ['esnext', 'bundler', ['bundled.ts']],
  ] as const) {
    it(`has declarations that stand alone, know every operation and refuse what is misspelt (${files.join(', ')}; ${resolution})`, () => {
      assert.equal(compiled(files, GOOD, module, resolution), '');
    });
  }
  it('can be imported and required', () => {
    const asks = 'const { providers, connect } = MODULE; console.log(providers.length, typeof connect)';
    writeFileSync(
      join(consumer, 'run.mjs'),
      `import * as mailroom from 'n8n-nodes-mailroom';\n${asks.replace('MODULE', 'mailroom')}`,
    );
    writeFileSync(join(consumer, 'run.cjs'), asks.replace('MODULE', "require('n8n-nodes-mailroom')"));
    for (const file of ['run.mjs', 'run.cjs'])
      assert.match(execFileSync(process.execPath, [file], { cwd: consumer, encoding: 'utf8' }), /^\d+ function/);
  });
  it('starts a mail server by its name, and waits for what it is sent', () => {
    writeFileSync(
      join(consumer, 'mail.mjs'),
      `
      import { connect, providerById, startMailServer, waitFor } from 'n8n-nodes-mailroom';
      const server = await startMailServer({ smtp: 0, imap: 0 });
      await connect(providerById(server.provider), server.account).call('message.send', { from: 'a@example.com', to: ['b@example.com'], subject: 'Hi', text: 'https://example.com/x' });
      console.log((await waitFor(server, { to: 'b@example.com' })).links[0].url);
      await server.close();`,
    );
    assert.equal(
      execFileSync(process.execPath, ['mail.mjs'], { cwd: consumer, encoding: 'utf8' }),
      'https://example.com/x\n',
    );
  });
});
