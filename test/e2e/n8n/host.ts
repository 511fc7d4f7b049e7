import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { OLDEST } from './install.js';
import { eventually, freePort, start, type Running } from './processes.js';

/** The name under which n8n knows the nodes: `<package>.<node>`. */
export const PACKAGE = 'n8n-nodes-mailroom';
export const OWNER = { email: 'owner@example.com', firstName: 'Olivia', lastName: 'Owner', password: 'Mailroom-2026' };

/**
 * Puts the packed package where n8n's own download puts it, in the same manner: unpacked, its manifest without the
 * dependencies that are of no use at run time. `version` makes it another release of the same code.
 */
export function installPackage(tgz: string, userFolder: string, version?: string) {
  const nodes = join(userFolder, '.n8n/nodes');
  const target = join(nodes, 'node_modules', PACKAGE);
  rmSync(target, { recursive: true, force: true });
  mkdirSync(target, { recursive: true });
  execFileSync('tar', ['-xzf', tgz, '--strip-components=1', '-C', target]);
  const file = join(target, 'package.json');
  const manifest = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>;
  for (const key of ['devDependencies', 'peerDependencies', 'optionalDependencies']) delete manifest[key];
  if (version) manifest.version = version;
  writeFileSync(file, JSON.stringify(manifest, null, 2));
  if (version) {
    // What a release of that version would have baked in.
    const types = join(target, 'dist/types/nodes.json');
    writeFileSync(
      types,
      readFileSync(types, 'utf8').replace(
        /"communityNodePackageVersion":"[^"]*"/g,
        `"communityNodePackageVersion":${JSON.stringify(version)}`,
      ),
    );
  }
  writeFileSync(
    join(nodes, 'package.json'),
    JSON.stringify({ name: 'installed-nodes', private: true, dependencies: { [PACKAGE]: manifest.version } }, null, 2),
  );
}

export interface HostOptions {
  /** The installed n8n. */
  home: string;
  userFolder?: string;
  port?: number;
  env?: Record<string, string>;
}
export interface Answer {
  status: number;
  body: any;
  headers: Headers;
}

/** One n8n: its user folder outlives its processes. */
export interface Host {
  readonly url: string;
  readonly userFolder: string;
  readonly port: number;
  readonly main: Running;
  readonly env: Readonly<Record<string, string>>;
  /** Starts the main process and waits until it is ready for requests. Resolves with the seconds it took. */
  start(): Promise<number>;
  /** A worker of queue mode. */
  worker(): Promise<Running>;
  stop(): Promise<void>;
  /** A crash of the main process. */
  kill(): Promise<void>;
  /** A request; never throws for a status. */
  ask(method: string, path: string, body?: unknown): Promise<Answer>;
  /** A request that must succeed: what is inside `data`. */
  rest<T = any>(method: string, path: string, body?: unknown): Promise<T>;
  /** The files of the package that the main process has evaluated so far. */
  evaluated(): string[];
  /** Sets the owner up the first time, logs in afterwards. */
  login(): Promise<void>;
  /** Runs a command of n8n, such as `import:workflow`, to its end. */
  command(...args: string[]): Promise<string>;
  /** Ends everything and removes the folder. */
  close(): Promise<void>;
}

/** Prepares an n8n of its own on loopback; nothing runs before `start`. */
export async function prepareHost({
  home,
  userFolder = mkdtempSync(join(tmpdir(), 'mailroom-n8n-')),
  port,
  env: more = {},
}: HostOptions): Promise<Host> {
  const at = port ?? (await freePort());
  const bin = join(home, 'node_modules/n8n/bin/n8n');
  const url = `http://127.0.0.1:${at}`;
  const env: Record<string, string> = {
    PATH: process.env.PATH ?? '',
    HOME: userFolder,
    LANG: 'C.UTF-8',
    NODE_OPTIONS: `--require ${join(__dirname, 'probe.cjs')}`,
    MAILROOM_PROBE: join(userFolder, 'evaluated.txt'),
    N8N_USER_FOLDER: userFolder,
    N8N_ENCRYPTION_KEY: 'only-for-the-tests',
    N8N_HOST: '127.0.0.1',
    N8N_LISTEN_ADDRESS: '127.0.0.1',
    N8N_PORT: String(at),
    N8N_EDITOR_BASE_URL: url,
    WEBHOOK_URL: url,
    N8N_RUNNERS_BROKER_PORT: String(await freePort()),
    N8N_RUNNERS_BROKER_LISTEN_ADDRESS: '127.0.0.1',
    DB_TYPE: 'sqlite',
    EXECUTIONS_MODE: 'regular',
    GENERIC_TIMEZONE: 'UTC',
    TZ: 'UTC',
    N8N_SECURE_COOKIE: 'false',
    N8N_LOG_LEVEL: 'info',
    N8N_DIAGNOSTICS_ENABLED: 'false',
    N8N_VERSION_NOTIFICATIONS_ENABLED: 'false',
    N8N_TEMPLATES_ENABLED: 'false',
    N8N_PERSONALIZATION_ENABLED: 'false',
    N8N_DYNAMIC_BANNERS_ENABLED: 'false',
    N8N_LICENSE_AUTO_RENEW_ENABLED: 'false',
    N8N_HIRING_BANNER_ENABLED: 'false',
    N8N_ONBOARDING_FLOW_DISABLED: 'true',
    // The oldest does not start with the name of a module that it does not know.
    N8N_DISABLED_MODULES: OLDEST
      ? 'instance-ai,chat-hub,insights'
      : 'mcp-registry,instance-ai,chat-hub,agents,insights',
    N8N_UNVERIFIED_PACKAGES_ENABLED: 'true',
    ...more,
  };
  let main: Running | undefined;
  let cookie = '';
  const workers: Running[] = [];
  const own = !userFolder.includes('.cache');

  const ask: Host['ask'] = async (method, path, body) => {
    const answer = await fetch(url + path, {
      method,
      signal: AbortSignal.timeout(60_000),
      headers: {
        ...(cookie ? { cookie } : {}),
        'push-ref': 'test',
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const set = answer.headers.getSetCookie().find(one => one.startsWith('n8n-auth='));
    if (set) cookie = set.split(';')[0]!;
    const text = await answer.text();
    let parsed: unknown = text;
    try {
      parsed = JSON.parse(text);
    } catch {
      /* pages and pictures */
    }
    return { status: answer.status, body: parsed, headers: answer.headers };
  };
  const host: Host = {
    url,
    userFolder,
    port: at,
    env,
    get main() {
      return main!;
    },
    async start() {
      const began = performance.now();
      main = start('n8n', process.execPath, [bin, 'start'], { env, cwd: userFolder });
      await main.until(/Editor is now accessible via:/, 180_000);
      await eventually(
        'n8n to be ready',
        async () => (await fetch(`${url}/healthz/readiness`, { signal: AbortSignal.timeout(5_000) })).status === 200,
        60_000,
      );
      return (performance.now() - began) / 1000;
    },
    async worker() {
      const health = await freePort();
      const worker = start('worker', process.execPath, [bin, 'worker', '--concurrency=5'], {
        cwd: userFolder,
        env: {
          ...env,
          N8N_RUNNERS_BROKER_PORT: String(await freePort()),
          QUEUE_HEALTH_CHECK_ACTIVE: 'true',
          QUEUE_HEALTH_CHECK_PORT: String(health),
          N8N_WORKER_SERVER_ADDRESS: '127.0.0.1',
        },
      });
      workers.push(worker);
      await worker.until(/n8n worker is now ready/i, 90_000);
      return worker;
    },
    async stop() {
      await main?.stop();
    },
    async kill() {
      await main?.kill();
    },
    evaluated: () => {
      try {
        return readFileSync(env.MAILROOM_PROBE!, 'utf8').split('\n').filter(Boolean);
      } catch {
        return [];
      }
    },
    ask,
    async rest(method, path, body) {
      const answer = await ask(method, `/rest${path}`, body);
      if (answer.status >= 300)
        throw new Error(`${method} /rest${path}: ${answer.status} ${JSON.stringify(answer.body).slice(0, 1000)}`);
      return answer.body?.data ?? answer.body;
    },
    async login() {
      cookie = '';
      const settings = await host.rest('GET', '/settings');
      if (settings.userManagement?.showSetupOnFirstLoad) await host.rest('POST', '/owner/setup', OWNER);
      else await host.rest('POST', '/login', { emailOrLdapLoginId: OWNER.email, password: OWNER.password });
      if (!cookie) throw new Error('n8n set no cookie at log-in.');
    },
    async command(...args) {
      const command = start(`n8n ${args[0]!}`, process.execPath, [bin, ...args], {
        env: { ...env, N8N_RUNNERS_BROKER_PORT: String(await freePort()) },
        cwd: userFolder,
      });
      await Promise.race([
        command.ended,
        new Promise((_, reject) =>
          setTimeout(() => reject(new Error(`n8n ${args.join(' ')} took too long`)), 120_000).unref(),
        ),
      ]);
      await command.kill();
      const out = command.lines.join('\n');
      if (!/ended with 0\)/.test(out)) throw new Error(out);
      return out;
    },
    async close() {
      await Promise.all([main?.stop(), ...workers.map(worker => worker.stop())]);
      if (own) rmSync(userFolder, { recursive: true, force: true, maxRetries: 3 });
    },
  };
  return host;
}

/** Copies a prepared user folder, so that a second n8n need not go through its first start again. */
export const copyFolder = (from: string) => {
  const to = mkdtempSync(join(tmpdir(), 'mailroom-n8n-'));
  cpSync(from, to, { recursive: true });
  return to;
};
