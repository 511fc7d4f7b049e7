import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

const children = new Set<ChildProcess>();
const folders = new Set<string>();
const pidFiles = new Set<string>();
// A signal that ends the process ends it in order, so that the servers go with it.
for (const signal of ['SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(1));
process.on('exit', () => {
  for (const child of children) child.kill('SIGTERM');
  for (const file of pidFiles)
    if (existsSync(file))
      try {
        process.kill(Number(readFileSync(file, 'utf8')));
      } catch {
        /* it has ended */
      }
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

/** A folder for everything servers keep; it is removed by `removeFolder`, or when this process ends. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'mailroom-servers-'));
  folders.add(folder);
  chmodSync(folder, 0o755);
  return folder;
}
export function removeFolder(folder: string): void {
  rmSync(folder, { recursive: true, force: true });
  folders.delete(folder);
}
/** A server whose process is not our child: it is ended by the number in this file should this process end first. */
export const endsWithUs = (pidFile: string): void => {
  pidFiles.add(pidFile);
};

/** Starts a program that stays in the foreground; what it says last is shown should it fail. */
export function start(program: string, args: string[], options: object = {}): ChildProcess {
  const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'], ...options });
  let said = '';
  child.stderr?.on('data', data => {
    said = (said + String(data)).slice(-2000);
  });
  children.add(child);
  child.on('exit', code => {
    children.delete(child);
    if (code && code !== 143) console.error(`${program} ended with ${code}: ${said}`);
  });
  return child;
}

/**
 * Waits until something listens on a port, or nothing does any more; the end of `log` is shown should that not happen.
 */
export async function listening(port: number, wanted = true, log?: string): Promise<void> {
  const there = () =>
    new Promise<boolean>(resolve => {
      const socket = connect(port, '127.0.0.1', () => {
        socket.destroy();
        resolve(true);
      });
      socket.on('error', () => resolve(false));
    });
  for (let i = 0; (await there()) !== wanted; i++) {
    if (i > 600) {
      const said = log && existsSync(log) ? `\n${readFileSync(log, 'utf8').slice(-2000)}` : '';
      throw new Error(`Nothing ${wanted ? 'listens' : 'stops listening'} on port ${port}.${said}`);
    }
    await new Promise(resolve => setTimeout(resolve, 50));
  }
}

/** The number of a user or group. */
export const idOf = (flag: '-u' | '-g', name: string): number =>
  Number(spawnSync('id', [flag, name], { encoding: 'utf8' }).stdout);

/**
 * Owns the mail of servers that run in their own view: Debian always has this user with these numbers, and no process
 * of it.
 */
export const MAIL = { name: 'mail', uid: 8, gid: 8 };

/** Gives a folder and everything in it to a user. */
export function give(path: string, owner: { uid: number; gid: number }): void {
  chownSync(path, owner.uid, owner.gid);
  for (const entry of readdirSync(path, { withFileTypes: true })) {
    if (entry.isDirectory()) give(join(path, entry.name), owner);
    else chownSync(join(path, entry.name), owner.uid, owner.gid);
  }
}

/** Makes an /etc that holds what a server needs of the real one, and more users: lines as in passwd(5). */
export function etcOf(folder: string, users: readonly string[] = []): string {
  const etc = join(folder, 'etc');
  for (const file of [
    'passwd',
    'group',
    'nsswitch.conf',
    'hosts',
    'services',
    'protocols',
    'ld.so.cache',
    'localtime',
    'ssl/openssl.cnf',
  ]) {
    if (!existsSync(join('/etc', file))) continue;
    mkdirSync(dirname(join(etc, file)), { recursive: true });
    copyFileSync(join('/etc', file), join(etc, file));
  }
  writeFileSync(join(etc, 'passwd'), users.map(line => `${line}\n`).join(''), { flag: 'a' });
  const groups = users.map(line => {
    const [name, , , gid] = line.split(':');
    return `${name}:x:${gid}:\n`;
  });
  writeFileSync(join(etc, 'group'), groups.join(''), { flag: 'a' });
  return etc;
}

/** What programs see and are told. */
export interface View {
  /** Folders put over others: from, onto. Both must be there. */
  binds: [from: string, onto: string][];
  env: Record<string, string>;
  /** Takes what they say. */
  log: string;
}
const quote = (word: string) => `'${word.replace(/'/g, `'\\''`)}'`;

/**
 * Programs that run together in a view of their own. `end` asks the first to stop; whatever of them is left then is
 * ended with it.
 */
export interface Enclosed {
  end(): Promise<void>;
}

/**
 * Runs shell commands side by side in a view of the file system and a process tree of their own (Linux namespaces,
 * which need root). The tree's first process waits for the end of its input, so that nothing of it outlives this
 * process, in whatever way that ends.
 */
export function enclose(commands: readonly string[], { binds, env, log }: View): Enclosed {
  const script = [
    'mount --make-rprivate / || exit 1',
    ...binds.map(([from, onto]) => `mount --bind ${quote(from)} ${quote(onto)} || exit 1`),
    ...commands.map((command, i) => `${command} </dev/null >>${quote(log)} 2>&1 &${i ? '' : '\nfirst=$!'}`),
    'read -r _',
    'kill "$first" 2>/dev/null',
    'wait "$first"',
    'exit 0',
  ].join('\n');
  const child = start('unshare', ['--mount', '--pid', '--fork', '--kill-child', '--mount-proc', 'sh', '-c', script], {
    stdio: ['pipe', 'ignore', 'pipe'],
    env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C', ...env },
  });
  child.stdin!.on('error', () => {});
  const ended = once(child, 'exit');
  return {
    async end() {
      child.stdin!.end();
      const late = setTimeout(() => child.kill('SIGKILL'), 5_000);
      await ended;
      clearTimeout(late);
    },
  };
}
