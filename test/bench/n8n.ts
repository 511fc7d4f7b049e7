import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { packN8n } from '../tools/package.js';

/**
 * `npm run bench:n8n`: what the package costs an n8n. Sizes; what n8n evaluates when it starts (credential classes
 * only, see esbuild.mjs); what the first use of a node loads, and how long and how much memory that takes, each in a
 * process of its own. Exits with 1 where a limit is broken.
 */
const root = join(__dirname, '../..');
const LIMITS = { packed: 1_500_000, description: 400_000 };
let broken = false;
const say = (what: string, value: string, good = true) => {
  if (!good) broken = true;
  process.stdout.write(`${what.padEnd(58)}${value.padStart(14)}${good ? '' : '   TOO MUCH'}\n`);
};
const kB = (bytes: number) => `${Math.round(bytes / 1000)} kB`;

const packed = packN8n().file;
const folder = mkdtempSync(join(tmpdir(), 'mailroom-bench-'));
try {
  say('Package, packed', kB(statSync(packed).size), statSync(packed).size < LIMITS.packed);
  execFileSync('tar', ['-xzf', packed, '-C', folder]);
  const dist = join(folder, 'package/dist');
  say(
    'Package, unpacked',
    kB(Number(execFileSync('du', ['-sb', join(folder, 'package')], { encoding: 'utf8' }).split('\t')[0])),
  );
  for (const type of JSON.parse(readFileSync(join(dist, 'types/nodes.json'), 'utf8')) as {
    name: string;
    displayName: string;
  }[]) {
    const size = JSON.stringify(type).length;
    say(`Description of ${type.displayName}`, kB(size), size < LIMITS.description);
  }
  const manifest = JSON.parse(readFileSync(join(folder, 'package/package.json'), 'utf8')) as {
    n8n: { nodes: string[]; credentials: string[] };
  };
  const workflow = createRequire(join(root, 'package.json')).resolve('n8n-workflow');
  /**
   * Milliseconds and megabytes for a piece of JavaScript in a fresh process that has loaded n8n-workflow, as n8n has,
   * and what it loaded of ours.
   */
  function costs(script: string): { ms: number; mb: number; files: string[] } {
    const code = `
      const Module = require('node:module'), resolve = Module._resolveFilename;
      Module._resolveFilename = function (request, ...rest) { return request === 'n8n-workflow' ? ${JSON.stringify(workflow)} : resolve.call(this, request, ...rest); };
      require('n8n-workflow'); global.gc();
      const before = process.memoryUsage().rss, from = performance.now();
      (async () => {
        ${script}
        const ms = performance.now() - from; global.gc();
        console.log(JSON.stringify({ ms, mb: (process.memoryUsage().rss - before) / 1e6, files: Object.keys(require.cache).filter(file => file.startsWith(${JSON.stringify(dist)})).map(file => file.slice(${dist.length + 1})) }));
      })();`;
    return JSON.parse(
      execFileSync(process.execPath, ['--expose-gc', '-e', code], {
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'ignore'],
        env: { ...process.env, NODE_OPTIONS: '' },
      })
        .trim()
        .split('\n')
        .at(-1)!,
    ) as { ms: number; mb: number; files: string[] };
  }
  const load = (files: string[]) =>
    files
      .map(file => {
        const name = file.split('/').at(-1)!.split('.')[0]!;
        return `new (require(${JSON.stringify(join(folder, 'package', file))}).${name})();`;
      })
      .join('\n');
  const show = (what: string, { ms, mb, files }: ReturnType<typeof costs>, good = true) =>
    say(`${what} (${files.length} files)`, `${ms.toFixed(0)} ms ${mb.toFixed(0)} MB`, good);
  const atStart = costs(load(manifest.n8n.credentials));
  show(
    'Start of n8n: all credential classes',
    atStart,
    atStart.files.every(file => /^credentials\/\w+\.credentials\.js$/.test(file)),
  );
  show(
    'Without the lazy loader: all nodes and credentials',
    costs(load([...manifest.n8n.credentials, ...manifest.n8n.nodes])),
  );
  show('First use of a node', costs(load([manifest.n8n.nodes[0]!])));
  const core = JSON.stringify(join(dist, 'shared/index.js'));
  // Port 9 refuses; what is measured is the way there.
  const first = (provider: string, account: object) =>
    `const { connect, providerById } = require(${core}); await connect(providerById('${provider}'), ${JSON.stringify(account)}, { signal: AbortSignal.timeout(150) }).call('account.check', {}).catch(() => {});`;
  const http = costs(
    first('scaleway', { baseUrl: 'http://127.0.0.1:9', secretKey: '00000000-0000-4000-8000-000000000000' }),
  );
  show(
    'First request over HTTP',
    http,
    !http.files.some(file => /imapflow|nodemailer|smtp|postal|mail-composer/.test(file)),
  );
  show(
    'First IMAP connection',
    costs(first('imap', { user: 'u', password: 'p', imapHost: '127.0.0.1', imapPort: 9, imapSecurity: 'none' })),
  );
} finally {
  rmSync(folder, { recursive: true, force: true });
}
process.exitCode = broken ? 1 : 0;
