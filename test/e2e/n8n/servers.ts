import { execFileSync } from 'node:child_process';
import { chownSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { postgresBin } from './install.js';
import { eventually, freePort, start, type Running } from './processes.js';

/** A server of queue mode, on loopback, with a folder of its own that outlives its process. */
export interface Server {
  port: number;
  readonly process: Running;
  restart(): Promise<void>;
  kill(): Promise<void>;
  close(): Promise<void>;
}

/** Redis that keeps what it was told over a crash. */
export async function startRedis(): Promise<Server> {
  const folder = mkdtempSync(join(tmpdir(), 'mailroom-redis-'));
  const port = await freePort();
  let running: Running;
  const up = async () => {
    running = start('redis', 'redis-server', [
      '--bind',
      '127.0.0.1',
      '--port',
      String(port),
      '--dir',
      folder,
      '--appendonly',
      'yes',
      '--appendfsync',
      'always',
      '--save',
      '',
      '--daemonize',
      'no',
      '--protected-mode',
      'yes',
    ]);
    await running.until(/Ready to accept connections/, 20_000);
  };
  await up();
  return {
    port,
    get process() {
      return running;
    },
    restart: up,
    kill: () => running.kill(),
    async close() {
      await running.stop(5_000);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** PostgreSQL with one database. It refuses to run as root, so then the user that Debian made for it runs it. */
export async function startPostgres(): Promise<Server & { user: string; database: string }> {
  const bin = postgresBin()!;
  const folder = mkdtempSync(join(tmpdir(), 'mailroom-postgres-'));
  const data = join(folder, 'data');
  const port = await freePort();
  const root = process.getuid?.() === 0;
  const id = (kind: '-u' | '-g') => Number(execFileSync('id', [kind, 'postgres'], { encoding: 'utf8' }));
  const as = root ? { uid: id('-u'), gid: id('-g') } : {};
  mkdirSync(data, { mode: 0o700 });
  if (root) for (const path of [folder, data]) chownSync(path, as.uid!, as.gid!);
  const env = { ...process.env, LANG: 'C.UTF-8', LC_ALL: 'C.UTF-8' };
  execFileSync(join(bin, 'initdb'), ['-D', data, '-U', 'n8n', '--auth=trust', '-E', 'UTF8', '--no-sync'], {
    ...as,
    env,
    cwd: folder,
    stdio: 'ignore',
  });
  let running: Running;
  const up = async () => {
    running = start(
      'postgres',
      join(bin, 'postgres'),
      ['-D', data, '-p', String(port), '-h', '127.0.0.1', '-k', folder],
      { ...as, env, cwd: folder },
    );
    await running.until(/ready to accept connections/, 30_000);
  };
  await up();
  await eventually(
    'a database',
    () => {
      execFileSync(join(bin, 'createdb'), ['-h', '127.0.0.1', '-p', String(port), '-U', 'n8n', 'n8n'], {
        ...as,
        env,
        cwd: folder,
        stdio: 'ignore',
      });
      return true;
    },
    15_000,
  );
  return {
    port,
    user: 'n8n',
    database: 'n8n',
    get process() {
      return running;
    },
    restart: up,
    kill: () => running.kill(),
    async close() {
      await running.stop(8_000);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
