// The one door to every command; `npm run help` lists them. Runs on Node 20 with nothing installed: brings the locked
// dependencies and the locked Node 24, builds when the sources have changed, then does its job. Plain JavaScript
// without dependencies, because it runs before there are any.
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
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
  const done = spawnSync('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: join(root, folder),
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  if (done.status !== 0) fail(`npm ci failed in ${folder || 'the project'}.`);
  writeFileSync(stamp, want);
}
const fail = text => {
  console.error(text);
  process.exit(1);
};

/** Node 24: the running one if it is new enough, else the locked one. */
function node24() {
  const own = join(
    root,
    `node_modules/node-${process.platform === 'win32' ? 'win' : process.platform}-${process.arch}/bin/node${process.platform === 'win32' ? '.exe' : ''}`,
  );
  if (existsSync(own)) return own;
  if (Number(process.versions.node.split('.')[0]) >= 24) return process.execPath;
  fail(`There is no packaged Node 24 for ${process.platform} ${process.arch}; run this with Node 24 or newer.`);
}

/**
 * Runs a program to its end; resolves with its exit code. Ctrl-C reaches the child by itself, as they share the
 * terminal.
 */
const run = (program, args, options = {}) =>
  new Promise(resolve => {
    const child = spawn(program, args, { cwd: root, stdio: 'inherit', ...options });
    const pass = signal => child.kill(signal);
    process.on('SIGTERM', pass);
    process.on('SIGHUP', pass);
    process.on('SIGINT', () => {});
    child.on('exit', (code, signal) => {
      process.off('SIGTERM', pass);
      process.off('SIGHUP', pass);
      resolve(code ?? (signal ? 1 : 0));
    });
  });

/** A fingerprint of everything the build reads. */
function sources() {
  const hash = createHash('sha256');
  const files = [
    'package.json',
    'package-lock.json',
    'package.nls.json',
    'esbuild.mjs',
    'test/tools/libraries.mjs',
    ...[
      'shared',
      'nodes',
      'credentials',
      'extension',
      'icons',
      'l10n',
      'test/sandbox',
      'test/providers',
      'test/contract',
    ]
      .filter(folder => existsSync(join(root, folder)))
      .flatMap(filesBelow),
  ];
  for (const file of files) hash.update(file).update(readFileSync(join(root, file)));
  return hash.digest('hex');
}

/** Every file below a folder, sorted, by its path from the root. */
function filesBelow(folder) {
  // The extension's folder is not there in every tree.
  if (!existsSync(join(root, folder))) return [];
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile() && !entry.parentPath.includes('node_modules'))
    .map(entry => relative(root, join(entry.parentPath, entry.name)))
    .sort();
}

// Said before anything is downloaded.
if (
  !['linux-arm64', 'linux-x64', 'win32-x64'].includes(`${process.platform}-${process.arch}`) &&
  Number(process.versions.node.split('.')[0]) < 24
) {
  fail(
    `There is no packaged Node 24 for ${process.platform} ${process.arch}, and this is Node ${process.versions.node}. Install Node 24 or newer and run this again.`,
  );
}
install('', 'the locked dependencies');
const node = node24();
// The packaged Node comes first on PATH, so that tools started below find it too.
const env = {
  ...process.env,
  PATH: `${join(node, '..')}${process.platform === 'win32' ? ';' : ':'}${process.env.PATH}`,
  NODE_OPTIONS: '',
};
const on24 = (...args) => run(node, args, { env });
const tool = (path, ...args) => on24(join('node_modules', path), ...args);
const script = (file, ...args) => on24('--import', 'tsx', '--disable-warning=ExperimentalWarning', file, ...args);

const mocha = (...args) => script('node_modules/mocha/bin/mocha.js', ...args);
/** What a command needs beside the locked dependencies, each with a lockfile of its own. */
const PARTS = {
  engine: "n8n's engine",
  bench: 'what is measured beside it',
  mutation: 'what changes the checks',
  'e2e/vscode': 'what packs and drives the extension',
};
const needs = (...parts) => {
  for (const part of parts) install(`test/${part}`, PARTS[part]);
};
/**
 * The same package in the oldest n8n that README names: what runs there by itself; its editor is another one, and
 * nobody clicks in it here.
 */
const oldestN8n = () => {
  env.MAILROOM_N8N = 'oldest';
  const files = rest.filter(word => word !== 'oldest');
  return mocha(
    '--exit',
    ...(files.length
      ? files
      : ['install', 'stories', 'templates', 'trigger'].map(name => join('test/e2e/n8n', `${name}.test.ts`))),
  );
};
/** Runs what the test files below a folder promise, or those that were named. */
const suite = folder =>
  mocha('--exit', ...(rest.length ? rest : filesBelow(folder).filter(file => file.endsWith('.test.ts'))));
/** What takes longest begins first: begun last, it would run alone at the end. */
const LONGEST = [
  'nodes/syncTriggerKill',
  'nodes/throttled',
  'providers/imapFeed',
  'providers/imapHostile',
  'providers/imapHostileAnswers',
  'providers/imapQuirks',
  'providers/imapSend',
].map(name => join('test', `${name}.test.ts`));
const unitTests = () => [
  ...LONGEST,
  ...filesBelow('test').filter(
    file => file.endsWith('.test.ts') && !/[\\/]e2e[\\/]/.test(file) && !LONGEST.includes(file),
  ),
];
/** Test files mostly wait, so each core takes two at once. */
const JOBS = Math.min(8, 2 * availableParallelism());

/** What is written by hand. */
const FORMATTED = [
  '*.mjs',
  '{shared,nodes,credentials,extension,test,examples}/**/*.{ts,mjs}',
  '!test/engine/fixture/**',
  '!**/.cache/**',
];
const prettier = how => tool('prettier/bin/prettier.cjs', '--log-level', 'warn', how, ...FORMATTED);

/**
 * Every command: what it is for in one line, the parts it needs, whether it wants `dist/`, and what it runs. Resolves
 * with an exit code.
 */
const COMMANDS = {
  help: { says: 'lists these commands', run: help },
  demo: {
    says: 'the main job, against simulated vendors on loopback',
    parts: ['engine'],
    built: true,
    run: () => script('test/tools/demo.ts', ...rest),
  },
  start: {
    says: 'n8n with the nodes, credentials and workflows loaded, against the simulated vendors',
    built: true,
    run: () => script('test/tools/start.ts', ...rest),
  },
  'demo:vscode': {
    says: 'a workbench in the browser with the sandbox accounts already there',
    parts: ['e2e/vscode'],
    built: true,
    run: () => script('test/e2e/vscode/demo.ts', ...rest),
  },
  sandbox: { says: 'every simulated vendor, one JSON line each', run: () => script('test/sandbox/start.ts', ...rest) },
  build: { says: 'writes dist/', run: build },
  test: {
    says: 'lint, types and every test that needs no other program; file names choose',
    parts: ['engine'],
    built: true,
    run: test,
  },
  lint: { says: 'ESLint and the check of the format alone', run: lint },
  format: { says: 'breaks lines as Prettier does', run: () => prettier('--write') },
  types: {
    says: 'the type check alone',
    run: async () =>
      (await tool('typescript/bin/tsc', '-p', '.')) ||
      tool('typescript/bin/tsc', '-p', 'extension/tsconfig.pages.json'),
  },
  promises: {
    says: 'the titles of all tests by area; words choose',
    built: true,
    run: () => script('test/tools/promises.ts', ...rest),
  },
  'test:e2e': {
    says: 'operations and mail under faults against real mail servers of several families',
    parts: ['engine'],
    built: true,
    run: () => suite('test/e2e/mail'),
  },
  'test:e2e:n8n': {
    says: 'the packed package in the real n8n, newest or -- oldest',
    built: true,
    run: () => (rest.includes('oldest') ? oldestN8n() : suite('test/e2e/n8n')),
  },
  'test:e2e:vscode': {
    says: 'the packed extension in the genuine workbench',
    parts: ['e2e/vscode'],
    built: true,
    run: () => script('test/e2e/vscode/run.ts', ...rest),
  },
  golden: {
    says: 'writes test/golden/, the reference pages and the texts to translate anew',
    built: true,
    run: async () =>
      (await script('test/tools/golden.ts', '--write')) ||
      (await script('test/tools/reference.ts', '--write')) ||
      script('test/tools/l10n.ts', '--write'),
  },
  package: {
    says: 'the n8n package (.tgz) and the extension (.vsix)',
    parts: ['e2e/vscode'],
    built: true,
    run: async () => (await script('test/tools/package.ts', ...rest)) || script('test/tools/vsix.ts', ...rest),
  },
  bench: {
    says: 'figures side by side with what users run today; words choose',
    parts: ['bench', 'e2e/vscode'],
    built: true,
    run: () => script('test/bench/bench.ts', ...rest),
  },
  'bench:n8n': { says: 'what the package costs an n8n', built: true, run: () => script('test/bench/n8n.ts', ...rest) },
  chaos: {
    says: 'faults of a seed over all operations and mail: -- --seed N --minutes M',
    built: true,
    run: () => script('test/chaos/run.ts', ...rest),
  },
  guards: {
    says: 'takes each listed guard out and runs the tests that must notice; words choose',
    run: () => script('test/guards/run.ts', ...rest),
  },
  mutation: {
    says: 'Stryker over the checks; words choose',
    parts: ['mutation'],
    run: () => script('test/mutation/run.ts', ...rest),
  },
  corpus: {
    says: 'reads every .eml and mbox below a folder and compares with other parsers: -- FOLDER',
    built: true,
    run: () => script('test/tools/corpus.ts', ...rest),
  },
};

process.exitCode = await perform(command);

/** Runs one command with all that it needs. */
async function perform(name) {
  const wanted = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (!wanted) return fail(`There is no command "${name}". \`npm run help\` lists them.`);
  needs(...(wanted.parts ?? []));
  return (wanted.built && (await buildIfStale())) || wanted.run();
}

function help() {
  const wide = Math.max(...Object.keys(COMMANDS).map(name => name.length));
  for (const [name, { says }] of Object.entries(COMMANDS)) console.log(`npm run ${name.padEnd(wide)}  ${says}`);
  return 0;
}

/** Both at once: each is busy for half a minute. */
async function lint() {
  const codes = await Promise.all([
    tool('eslint/bin/eslint.js', '.', '--max-warnings', '0', ...rest),
    prettier('--check'),
  ]);
  return Math.max(...codes);
}

async function build() {
  const code = await on24('esbuild.mjs');
  if (code === 0) {
    mkdirSync(join(root, 'dist'), { recursive: true });
    writeFileSync(join(root, 'dist/.sources'), sources());
  }
  return code;
}

function buildIfStale() {
  const stamp = join(root, 'dist/.sources');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === sources()) return 0;
  say('Building ...');
  return build();
}

/** All of it begins with what is quick to fail. */
async function test() {
  if (rest.length === 0) {
    const [lint, types] = await Promise.all([perform('lint'), perform('types')]);
    if (lint || types)
      return fail(
        `${[lint && 'Lint', types && 'Types'].filter(Boolean).join(' and ')} failed; the tests were not run.`,
      );
  }
  return mocha(
    '--timeout',
    '60000',
    '--require',
    join(root, 'test/tools/seed.ts'),
    ...(rest.length ? [] : ['--parallel', '--jobs', String(JOBS)]),
    ...(rest.length ? rest : unitTests()),
  );
}
