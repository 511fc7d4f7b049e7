import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';

const root = join(__dirname, '../../..');
/** What an installed n8n takes on disk. */
const SIZE = 2600;
const say = (text: string) => process.stderr.write(`${text}\n`);

/** True where the oldest n8n that docs/install.md promises is tested, and not the newest. */
export const OLDEST = process.env.MAILROOM_N8N === 'oldest';
const PINNED = join(__dirname, OLDEST ? 'oldest' : '.');

/**
 * Where the pinned n8n lies: keyed by its lockfile, outside `test/`, so that nothing walks through its 200 000 files by
 * accident.
 */
export function n8nHome(): string {
  const lock = createHash('sha256')
    .update(readFileSync(join(PINNED, 'package-lock.json')))
    .digest('hex')
    .slice(0, 12);
  return join(root, `.cache/n8n-${lock}`);
}

interface Run {
  cwd: string;
  env?: NodeJS.ProcessEnv;
  limitMs: number;
  /** Called now and then with the seconds that have passed. */
  during?: (seconds: number) => void;
  /** Called with each line; true where it need not be kept for an error. */
  heard?: (line: string) => boolean;
}

/** Runs a program to its end. Rejects, with what it said, when it fails. */
async function run(program: string, args: string[], { cwd, env, during, heard, limitMs }: Run): Promise<void> {
  const began = Date.now();
  const said: string[] = [];
  const child = spawn(program, args, { cwd, env: env ?? process.env, stdio: ['ignore', 'pipe', 'pipe'] });
  for (const input of [child.stdout, child.stderr]) {
    createInterface({ input }).on('line', line => {
      if (!heard?.(line)) said.push(line);
    });
  }
  const stop = () => child.kill();
  process.once('SIGINT', stop);
  const told = during && setInterval(() => during(Math.round((Date.now() - began) / 1000)), 15_000);
  const late = setTimeout(stop, limitMs);
  try {
    const code = await new Promise<number | null>((resolve, reject) => {
      child.on('error', reject);
      child.on('close', resolve);
    });
    if (code !== 0)
      throw new Error(
        `${program} ${args.join(' ')} ended with ${code ?? 'a signal'}:\n${said.join('\n').slice(-4000)}`,
      );
  } finally {
    clearInterval(told);
    clearTimeout(late);
    process.off('SIGINT', stop);
  }
}

/**
 * Installs the pinned n8n once for each content of its lockfile: without install scripts, then the one native module
 * that it cannot do without, built against the headers of the Node that will run it.
 */
export async function installN8n(home = n8nHome()): Promise<string> {
  const stamp = join(home, '.installed');
  const modules = join(home, 'node_modules');
  if (existsSync(stamp)) return home;
  // What cannot end well is said before anything is downloaded.
  await needPrograms('compiler', 'python');
  const headers = headersOfNode();
  if (process.platform !== 'linux')
    say(
      `This was tried on Linux only. On ${process.platform} it needs Node 24 of your own, with its headers, and may stop at the database driver.`,
    );
  const node = process.execPath;
  const env = { ...process.env, PATH: `${dirname(node)}:${process.env.PATH}`, NODE_OPTIONS: '' };
  const version = (JSON.parse(readFileSync(join(PINNED, 'package.json'), 'utf8')) as { dependencies: { n8n: string } })
    .dependencies.n8n;
  say(
    `Installing n8n ${version} once, into ${home.slice(root.length + 1)}: about 400 MB to download, 3 GB on disk, three to six minutes.`,
  );
  mkdirSync(home, { recursive: true });
  for (const file of ['package.json', 'package-lock.json']) cpSync(join(PINNED, file), join(home, file));
  // npm makes the folders of all packages early, then fetches for minutes, then fills them for minutes: one of these
  // figures always moves.
  const onDisk = () => {
    const { status, stdout } = spawnSync('du', ['-sm', modules], { encoding: 'utf8', timeout: 10_000 });
    return status === 0 ? `${Number.parseInt(stdout, 10)} of about ${SIZE} MB on disk` : '0 MB on disk';
  };
  let fetched = 0;
  const wanted = packagesOf(join(PINNED, 'package-lock.json'));
  await run('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=http'], {
    cwd: home,
    env,
    limitMs: 20 * 60_000,
    heard: line => {
      if (/^npm http (?:fetch|cache) .*\.tgz/.test(line)) fetched++;
      return line.startsWith('npm http ');
    },
    // What lies in npm's own cache is not fetched, and npm says nothing of it.
    during: seconds =>
      say(
        `  ${seconds} s: ${fetched ? `${fetched} of about ${wanted} packages fetched, ` : ''}${onDisk()}` +
          `${seconds > 240 ? ' (the 200 000 small files take long)' : ''}`,
      ),
  });
  say('Building its database driver with the compiler: one to three minutes ...');
  await run('npm', ['rebuild', 'sqlite3', '--build-from-source', '--foreground-scripts'], {
    cwd: home,
    env: { ...env, npm_config_nodedir: headers, npm_config_ignore_scripts: 'false', JOBS: '2' },
    limitMs: 10 * 60_000,
    during: seconds => say(`  ${seconds} s`),
  });
  // The driver must load in the Node that will run n8n; otherwise the stamp would hide a broken install.
  await run(node, ['-e', 'require("sqlite3")'], { cwd: home, env, limitMs: 60_000 });
  rmSync(join(modules, 'sqlite3/build/Release/obj.target'), { recursive: true, force: true });
  writeFileSync(stamp, version);
  return home;
}

/** How many different packages a lockfile names; those of other systems, which npm leaves out, among them. */
function packagesOf(lockfile: string): number {
  const { packages } = JSON.parse(readFileSync(lockfile, 'utf8')) as { packages: Record<string, { version?: string }> };
  return new Set(
    Object.entries(packages)
      .filter(([path]) => path)
      .map(([path, { version }]) => `${path.slice(path.lastIndexOf('node_modules/'))} ${version ?? ''}`),
  ).size;
}

/**
 * Where the headers of the Node that runs this lie: beside it, as nodejs.org, Homebrew and the locked package have
 * them. Throws where there are none.
 */
function headersOfNode(): string {
  const own = dirname(dirname(process.execPath));
  if (existsSync(join(own, 'include/node/node_api.h'))) return own;
  throw new Error(
    `n8n's database driver is compiled here, and the headers of Node are not beside ${process.execPath}. Nothing was downloaded. ` +
      'Run this with a Node 24 from nodejs.org or your package manager that brings include/node.',
  );
}

/** What each program of the system is for and which Debian package brings it. */
const PROGRAMS = {
  compiler: { package: 'build-essential', found: () => onPath('g++') && onPath('make') },
  python: { package: 'python3', found: () => onPath('python3') },
  chromium: { package: 'chromium', found: () => chromium() !== undefined },
  redis: { package: 'redis-server', found: () => onPath('redis-server') },
  postgresql: { package: 'postgresql', found: () => postgresBin() !== undefined },
} as const;
export type Program = keyof typeof PROGRAMS;

const onPath = (name: string) => (process.env.PATH ?? '').split(':').some(folder => existsSync(join(folder, name)));
/** The browser of the system. */
export const chromium = (): string | undefined =>
  ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(path => existsSync(path));
/** Debian keeps the server programs of PostgreSQL away from the path. */
export function postgresBin(): string | undefined {
  const base = '/usr/lib/postgresql';
  if (!existsSync(base)) return undefined;
  return readdirSync(base)
    .sort((a, b) => Number(b) - Number(a))
    .map(version => join(base, version, 'bin'))
    .find(bin => existsSync(join(bin, 'initdb')));
}

/**
 * Brings what the machine lacks, where it may; says which command to run where it may not. Services that Debian would
 * start stay stopped.
 */
export async function needPrograms(...names: Program[]): Promise<void> {
  const missing = names.filter(name => !PROGRAMS[name].found()).map(name => PROGRAMS[name].package);
  if (!missing.length) return;
  const command = `apt-get update && apt-get install -y --no-install-recommends ${missing.join(' ')}`;
  if (!onPath('apt-get'))
    throw new Error(`This needs ${missing.join(', ')}; install them by the means of your system and run again.`);
  if (process.getuid?.() !== 0)
    throw new Error(`This needs ${missing.join(', ')}. Run this and start again:\n  sudo sh -c '${command}'`);
  say(`Installing ${missing.join(', ')} with apt-get (once, one or two minutes) ...`);
  const policy = '/usr/sbin/policy-rc.d';
  const own = !existsSync(policy);
  // 101 forbids package scripts to start services: the tests start their own, on loopback.
  if (own) writeFileSync(policy, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  try {
    const during = (seconds: number) => say(`  ${seconds} s`);
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
    await run('apt-get', ['update'], { cwd: root, env, during, limitMs: 5 * 60_000 });
    await run('apt-get', ['install', '-y', '--no-install-recommends', ...missing], {
      cwd: root,
      env,
      during,
      limitMs: 15 * 60_000,
    });
  } finally {
    if (own) rmSync(policy, { force: true });
  }
  const still = names.filter(name => !PROGRAMS[name].found());
  if (still.length) throw new Error(`${still.join(', ')} could not be installed; run: ${command}`);
}

/** True where a command of the system answers. */
export const answers = (program: string, ...args: string[]) =>
  spawnSync(program, args, { stdio: 'ignore' }).status === 0;
