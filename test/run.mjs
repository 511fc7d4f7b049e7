// The one door to every command. Runs on Node 20 with nothing installed: brings the locked dependencies and the locked Node 24, builds when
// the sources have changed, then does its job. Plain JavaScript without dependencies, because it runs before there are any.
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const [command = '', ...rest] = process.argv.slice(2);
const quiet = rest.includes('--json');
const say = text => quiet || console.error(text);

/** Installs a folder's lockfile exactly, once for each content of the lockfile. */
function install(folder, label) {
  const lock = join(root, folder, 'package-lock.json');
  const stamp = join(root, folder, 'node_modules/.mailroom-lock');
  const want = createHash('sha256').update(readFileSync(lock)).digest('hex');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === want) return;
  say(`Installing ${label} (once) ...`);
  const done = spawnSync('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'], { cwd: join(root, folder), stdio: ['ignore', 'ignore', 'inherit'] });
  if (done.status !== 0) fail(`npm ci failed in ${folder || 'the project'}.`);
  writeFileSync(stamp, want);
}
const fail = text => { console.error(text); process.exit(1); };

/** Node 24: the running one if it is new enough, else the locked one. */
function node24() {
  const own = join(root, `node_modules/node-${process.platform === 'win32' ? 'win' : process.platform}-${process.arch}/bin/node${process.platform === 'win32' ? '.exe' : ''}`);
  if (existsSync(own)) return own;
  if (Number(process.versions.node.split('.')[0]) >= 24) return process.execPath;
  fail(`There is no packaged Node 24 for ${process.platform} ${process.arch}; run this with Node 24 or newer.`);
}

/** Runs a program to its end; resolves with its exit code. Ctrl-C reaches the child by itself, as they share the terminal. */
const run = (program, args, options = {}) => new Promise(resolve => {
  const child = spawn(program, args, { cwd: root, stdio: 'inherit', ...options });
  const pass = signal => child.kill(signal);
  process.on('SIGTERM', pass);
  process.on('SIGHUP', pass);
  process.on('SIGINT', () => {});
  child.on('exit', (code, signal) => { process.off('SIGTERM', pass); process.off('SIGHUP', pass); resolve(code ?? (signal ? 1 : 0)); });
});

/** A fingerprint of everything the build reads. */
function sources() {
  const hash = createHash('sha256');
  const files = ['package.json', 'package-lock.json', 'package.nls.json', 'esbuild.mjs', ...['shared', 'nodes', 'credentials', 'extension', 'icons', 'l10n', 'test/sandbox', 'test/providers', 'test/contract'].filter(folder => existsSync(join(root, folder))).flatMap(filesBelow)];
  for (const file of files) hash.update(file).update(readFileSync(join(root, file)));
  return hash.digest('hex');
}

/** Every file below a folder, sorted, by its path from the root. */
function filesBelow(folder) {
  // The extension's folder is not there in every tree.
  if (!existsSync(join(root, folder))) return [];
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true }).filter(entry => entry.isFile() && !entry.parentPath.includes('node_modules'))
    .map(entry => relative(root, join(entry.parentPath, entry.name))).sort();
}

// Said before anything is downloaded.
if (!['linux-arm64', 'linux-x64', 'win32-x64'].includes(`${process.platform}-${process.arch}`) && Number(process.versions.node.split('.')[0]) < 24) {
  fail(`There is no packaged Node 24 for ${process.platform} ${process.arch}, and this is Node ${process.versions.node}. Install Node 24 or newer and run this again.`);
}
install('', 'the locked dependencies');
const node = node24();
// The packaged Node comes first on PATH, so that tools started below find it too.
const env = { ...process.env, PATH: `${join(node, '..')}${process.platform === 'win32' ? ';' : ':'}${process.env.PATH}`, NODE_OPTIONS: '' };
const on24 = (...args) => run(node, args, { env });
const tool = (path, ...args) => on24(join('node_modules', path), ...args);
const script = (file, ...args) => on24('--import', 'tsx', '--disable-warning=ExperimentalWarning', file, ...args);

process.exitCode = await commands(command);

async function buildIfStale() {
  const stamp = join(root, 'dist/.sources'), now = sources();
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === now) return 0;
  say('Building ...');
  const code = await on24('esbuild.mjs');
  if (code === 0) { mkdirSync(join(root, 'dist'), { recursive: true }); writeFileSync(stamp, now); }
  return code;
}

async function commands(name) {
  switch (name) {
    case 'build': return on24('esbuild.mjs').then(code => { if (code === 0) writeFileSync(join(root, 'dist/.sources'), sources()); return code; });
    case 'lint': return tool('eslint/bin/eslint.js', '.', '--max-warnings', '0', ...rest);
    case 'types': return await tool('typescript/bin/tsc', '-p', '.') || tool('typescript/bin/tsc', '-p', 'extension/tsconfig.pages.json');
    case 'sandbox': return script('test/sandbox/start.ts', ...rest);
    case 'golden': return (await buildIfStale()) || await script('test/golden.ts', '--write') || await script('test/reference.ts', '--write') || script('test/l10n.ts', '--write');
    case 'demo': install('test/engine', "n8n's engine"); return (await buildIfStale()) || script('test/demo.ts', ...rest);
    case 'bench': install('test/bench', 'what is measured beside it'); install('test/e2e/vscode', 'what packs and drives the extension'); return (await buildIfStale()) || script('test/bench/bench.ts', ...rest);
    case 'test:e2e':
      install('test/engine', "n8n's engine");
      return (await buildIfStale()) || script('node_modules/mocha/bin/mocha.js', '--exit', ...(rest.length ? rest : filesBelow('test/e2e/mail').filter(file => file.endsWith('.test.ts'))));
    case 'bench:n8n': return (await buildIfStale()) || script('test/bench/n8n.ts', ...rest);
    case 'test:e2e:n8n': return (await buildIfStale()) || script('node_modules/mocha/bin/mocha.js', '--exit', ...(rest.length ? rest : filesBelow('test/e2e/n8n').filter(file => file.endsWith('.test.ts'))));
    case 'chaos': return (await buildIfStale()) || script('test/chaos/run.ts', ...rest);
    case 'guards': return script('test/guards/run.ts', ...rest);
    case 'mutation': install('test/mutation', 'what changes the checks'); return script('test/mutation/run.ts', ...rest);
    case 'corpus': return (await buildIfStale()) || script('test/corpus.ts', ...rest);
    case 'start': return (await buildIfStale()) || script('test/start.ts', ...rest);
    case 'package': install('test/e2e/vscode', 'what packs the extension'); return (await buildIfStale()) || (await script('test/package.ts', ...rest)) || script('test/vsix.ts', ...rest);
    case 'test:e2e:vscode': install('test/e2e/vscode', 'what packs and drives the extension'); return (await buildIfStale()) || script('test/e2e/vscode/run.ts', ...rest);
    case 'demo:vscode': install('test/e2e/vscode', 'what packs and drives the extension'); return (await buildIfStale()) || script('test/e2e/vscode/demo.ts', ...rest);
    case 'test': {
      install('test/engine', "n8n's engine");
      if (await buildIfStale()) return 1;
      if (rest.length === 0) {
        const [lint, types] = await Promise.all([commands('lint'), commands('types')]);
        if (lint || types) return fail(`${[lint && 'Lint', types && 'Types'].filter(Boolean).join(' and ')} failed; the tests were not run.`);
      }
      const files = rest.length ? rest : filesBelow('test').filter(file => file.endsWith('.test.ts') && !/[\\/]e2e[\\/]/.test(file));
      return script('node_modules/mocha/bin/mocha.js', '--timeout', '60000', '--require', join(root, 'test/seed.ts'), ...(rest.length ? [] : ['--parallel', '--jobs', '2']), ...files);
    }
    default: return fail(`Unknown command "${name}". See the scripts in package.json.`);
  }
}
