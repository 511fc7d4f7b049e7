import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { tmpdir } from 'node:os';
import { createHash } from 'node:crypto';

const root = join(__dirname, '../../..');
/** The workbenches that are tested: the newest and the oldest supported. */
export type Version = 'newest' | 'oldest';

/** What is used of the browser's driver; its own types are installed with it, apart from the root. */
export type Loose = any;

/** The folder with the workbench of a version, installed once for each content of its lockfile. */
export function workbenchFolder(version: Version, say: (text: string) => void = () => {}): string {
  const own = join(__dirname, 'host');
  const key = createHash('sha256')
    .update(readFileSync(join(own, 'package-lock.json')))
    .digest('hex')
    .slice(0, 12);
  const folder = join(root, '.cache', `workbench-${key}`);
  const done = join(folder, `.done-${version}`);
  const inner = join(folder, 'node_modules', version, 'lib/vscode');
  if (existsSync(done)) return inner;
  const npm = (cwd: string, ...args: string[]) => {
    const { status } = spawnSync('npm', [...args, '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'], {
      cwd,
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    if (status !== 0) throw new Error(`npm ${args[0]} failed in ${cwd}`);
  };
  mkdirSync(folder, { recursive: true });
  if (!existsSync(join(folder, 'node_modules', version))) {
    say('Installing the workbenches (once, 370 MB) ...');
    for (const file of ['package.json', 'package-lock.json']) cpSync(join(own, file), join(folder, file));
    npm(folder, 'ci');
  }
  // Its own lockfile is not in step with its manifest, so npm ci refuses it.
  npm(inner, 'install', '--omit=dev', '--no-package-lock');
  writeFileSync(done, '');
  return inner;
}

/** A browser: Debian's Chromium, installed where that is missing and allowed. */
export function chromiumPath(): string {
  const found = () => ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(existsSync);
  if (!found() && process.getuid?.() === 0 && existsSync('/usr/bin/apt-get')) {
    console.error('Installing Chromium (once) ...');
    spawnSync('apt-get', ['update', '-qq'], { stdio: ['ignore', 'ignore', 'inherit'] });
    spawnSync('apt-get', ['install', '-y', '-qq', '--no-install-recommends', 'chromium', 'fonts-dejavu-core'], {
      stdio: ['ignore', 'ignore', 'inherit'],
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    });
  }
  const path = process.env.CHROMIUM ?? found();
  if (!path) throw new Error('No Chromium found; install it or set CHROMIUM to its path.');
  return path;
}

export const SETTINGS = {
  'workbench.startupEditor': 'none',
  'chat.disableAIFeatures': true,
  'workbench.secondarySideBar.defaultVisibility': 'hidden',
  'telemetry.telemetryLevel': 'off',
  'extensions.autoUpdate': false,
  'extensions.autoCheckUpdates': false,
  'extensions.ignoreRecommendations': true,
  'workbench.tips.enabled': false,
  'workbench.enableExperiments': false,
  'git.enabled': false,
  'window.commandCenter': false,
  'security.workspace.trust.enabled': false,
  'workbench.layoutControl.enabled': false,
  'remote.autoForwardPorts': false,
};
const freePort = () =>
  new Promise<number>((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });

export interface ServerOptions {
  version: Version;
  vsix: string;
  env?: Record<string, string>;
  settings?: Record<string, unknown>;
  port?: number;
  smoke?: boolean;
}
export interface Server {
  url: string;
  folder: string;
  data: string;
  close(): Promise<void>;
}

/** The genuine VS Code server with the packed extension installed. */
export async function startServer({
  version,
  vsix,
  env = {},
  settings = {},
  port,
  smoke = false,
}: ServerOptions): Promise<Server> {
  const inner = workbenchFolder(version, text => console.error(text));
  const data = mkdtempSync(join(tmpdir(), 'mailroom-vscode-'));
  const folder = join(data, 'workspace');
  for (const part of ['data/User', 'extensions', 'workspace']) mkdirSync(join(data, part), { recursive: true });
  writeFileSync(join(data, 'data/User/settings.json'), JSON.stringify({ ...SETTINGS, ...settings }));
  const main = join(inner, 'out/server-main.js');
  const common = [
    '--accept-server-license-terms',
    '--server-data-dir',
    data,
    '--extensions-dir',
    join(data, 'extensions'),
  ];
  const clean = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(npm_|NODE_OPTIONS|VSCODE_)/.test(name)),
  ) as Record<string, string>;
  const installed = spawnSync(process.execPath, [main, ...common, '--install-extension', vsix], {
    env: clean,
    encoding: 'utf8',
  });
  if (installed.status !== 0 || !/successfully installed/.test(installed.stdout))
    throw new Error(`The extension could not be installed:\n${installed.stdout}${installed.stderr}`);
  const at = port ?? (await freePort());
  const child: ChildProcess = spawn(
    process.execPath,
    [
      main,
      '--host',
      '127.0.0.1',
      '--port',
      String(at),
      '--without-connection-token',
      '--disable-workspace-trust',
      '--telemetry-level',
      'off',
      ...common,
      ...(smoke ? ['--enable-smoke-test-driver'] : []),
    ],
    { env: { ...clean, ...env }, stdio: ['ignore', 'pipe', 'pipe'] },
  );
  await new Promise<void>((resolve, reject) => {
    let said = '';
    const listen = (chunk: Buffer) => {
      said += chunk;
      if (/Extension host agent listening|Server bound to/.test(said)) resolve();
    };
    child.stdout!.on('data', listen);
    child.stderr!.on('data', listen);
    child.once('exit', code => reject(new Error(`The workbench server ended with ${code}:\n${said}`)));
  });
  return {
    url: `http://127.0.0.1:${at}`,
    folder,
    data,
    async close() {
      const gone = new Promise<void>(resolve => child.once('exit', () => resolve()));
      child.kill('SIGTERM');
      await Promise.race([gone, new Promise(resolve => setTimeout(resolve, 3000))]);
      if (child.exitCode === null) child.kill('SIGKILL');
      rmSync(data, { recursive: true, force: true, maxRetries: 3 });
    },
  };
}

/**
 * A browser whose page hangs does not end when it is asked to; so long it is waited for, in milliseconds. Its driver
 * ends it with this process.
 */
const ENDING = 15_000;
/** Waits for an end no longer than that; says which one did not come. */
export async function ends(what: string, end: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout;
  const late = new Promise<void>(resolve => {
    timer = setTimeout(() => {
      console.log(`    ${what} did not end within ${ENDING / 1000} s`);
      resolve();
    }, ENDING);
  });
  await Promise.race([end, late]).finally(() => clearTimeout(timer));
}

export interface Browser {
  page: Loose;
  close(): Promise<void>;
}
/** A browser with a fresh profile on a server's workbench. `before` prepares the page and may add to its address. */
export async function openBrowser(
  server: Server,
  size = { width: 1400, height: 900 },
  language?: string,
  before?: (page: Loose) => Promise<string>,
): Promise<Browser> {
  const { chromium } = createRequire(join(__dirname, 'package.json'))('playwright-core') as Loose;
  const profile = mkdtempSync(join(tmpdir(), 'mailroom-browser-'));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: chromiumPath(),
    headless: true,
    viewport: size,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
  const page = context.pages()[0];
  page.setDefaultTimeout(Number(process.env.STEP_TIMEOUT ?? 20_000));
  // The half of the key that a front door would answer; without it the secret store refuses.
  await page.route('**/mint-key', (route: Loose) => route.fulfill({ status: 200, body: Buffer.alloc(32, 7) }));
  if (language) await page.addInitScript(`globalThis._VSCODE_NLS_LANGUAGE = ${JSON.stringify(language)}`);
  const more = (await before?.(page)) ?? '';
  await page.goto(`${server.url}/?folder=${server.folder}${more}`);
  await page.waitForSelector('.activitybar', { timeout: 60_000 });
  return {
    page,
    async close() {
      await ends('The browser', context.close());
      // One that did not end still writes there.
      try {
        rmSync(profile, { recursive: true, force: true, maxRetries: 3 });
      } catch {
        /* a folder for temporary files */
      }
    },
  };
}
