import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cases } from './contract/cases.js';
import { startMailServers, type Started } from './demo.js';
import { installPackage, OWNER, prepareHost, type Host } from './e2e/n8n/host.js';
import { installN8n } from './e2e/n8n/install.js';
import { endAll } from './e2e/n8n/processes.js';
import { saveCredential, saveWorkflow, signedIn, type WorkflowJson } from './e2e/n8n/workflows.js';
import { packN8n } from './package.js';

/**
 * `npm start`: n8n with this package, the pretend vendors, credentials for them, and the demo and template workflows. Everything listens on
 * loopback only and ends with Ctrl-C. What was built in the editor is kept in `.cache/start`; `npm start -- --fresh` begins anew.
 */
const root = join(__dirname, '..'), folder = join(root, '.cache/start');
const say = (text = '') => process.stdout.write(`${text}\n`);

const NAMES: Record<string, string> = { outreach: 'Outreach', sodium: 'Sodium', rackspace: 'Rackspace', scaleway: 'Scaleway', contextIo: 'Context.IO', imap: 'IMAP' };

async function main() {
  const stopping: (() => Promise<unknown>)[] = [];
  let stopped = false;
  const stop = async (code: number) => {
    if (stopped) return;
    stopped = true;
    say('\nStopping n8n and the sandbox ...');
    for (const one of stopping.reverse()) await one().catch(() => undefined);
    endAll();
    process.exit(code);
  };
  process.on('SIGINT', () => void stop(0));
  process.on('SIGTERM', () => void stop(0));
  try {
    const home = await installN8n();
    if (process.argv.includes('--fresh')) { const { rmSync } = await import('node:fs'); rmSync(folder, { recursive: true, force: true }); }
    mkdirSync(folder, { recursive: true });
    say('Starting the pretend vendors ...');
    const vendors: Record<string, Started> = {};
    for (const one of cases) vendors[one.id] = await one.start();
    vendors.imap ??= await startMailServers();
    stopping.push(() => Promise.all(Object.values(vendors).map(vendor => vendor.close())));
    say('Starting n8n (half a minute the first time) ...');
    const host = await prepareHost({ home, userFolder: folder, port: await wanted(5678) });
    installPackage(packN8n(), folder);
    stopping.push(() => host.stop());
    await host.start();
    await host.login();
    const credentials = await load(host, vendors);
    say(`\n  n8n       ${host.url}\n  log in    ${OWNER.email}  ${OWNER.password}\n`);
    for (const [id, { account }] of Object.entries(vendors)) say(`  ${(NAMES[id] ?? id).padEnd(9)} ${String(account.baseUrl ?? `imap ${String(account.imapHost)}:${String(account.imapPort)}  smtp ${String(account.smtpHost)}:${String(account.smtpPort)}`)}`);
    say(`\n  ${credentials} credentials and the demo and template workflows are loaded. Open one and press Execute workflow.\n  Ctrl-C stops everything.\n`);
    void host.main.ended.then(() => { if (!stopped) { say(host.main.lines.slice(-20).join('\n')); return stop(1); } });
  } catch (error) {
    say(error instanceof Error ? error.message : String(error));
    await stop(1);
  }
}

/** The usual port of n8n where it is free. */
async function wanted(port: number): Promise<number | undefined> {
  const { createServer } = await import('node:net');
  return new Promise(resolve => {
    const probe = createServer().once('error', () => resolve(undefined)).once('listening', () => probe.close(() => resolve(port)));
    probe.listen(port, '127.0.0.1');
  });
}

/** Credentials for the vendors of this start (their ports change), and the workflows the first time. Resolves with how many credentials there are. */
async function load(host: Host, vendors: Record<string, Started>): Promise<number> {
  const record = join(folder, 'loaded.json');
  const known = existsSync(record) ? JSON.parse(readFileSync(record, 'utf8')) as { credentials: Record<string, { id: string; name: string }>; workflows: boolean } : { credentials: {}, workflows: false };
  for (const [id, vendor] of Object.entries(vendors)) {
    const data = id === 'outreach' ? signedIn(vendor.account) : vendor.account, name = `${NAMES[id] ?? id} account`;
    const old = known.credentials[id];
    if (old) await host.rest('PATCH', `/credentials/${old.id}`, { name, type: (await host.rest('GET', `/credentials/${old.id}`)).type, data });
    else known.credentials[id] = await saveCredential(host, id, name, data);
  }
  for (const [key, account] of Object.entries(vendors.imap?.accounts ?? {})) {
    const name = `IMAP of ${key.split('-').at(-1)!}`, old = known.credentials[key];
    if (old) await host.rest('PATCH', `/credentials/${old.id}`, { name, type: 'imapApi', data: account });
    else known.credentials[key] = { id: (await host.rest('POST', '/credentials', { name, type: 'imapApi', data: account })).id, name };
  }
  if (!known.workflows) {
    for (const place of ['demo', 'templates']) {
      for (const file of readdirSync(join(__dirname, place)).filter(name => name.endsWith('.json')).sort()) {
        await saveWorkflow(host, JSON.parse(readFileSync(join(__dirname, place, file), 'utf8')) as WorkflowJson, known.credentials);
      }
    }
    known.workflows = true;
  }
  writeFileSync(record, JSON.stringify(known, null, 2));
  return Object.keys(known.credentials).length;
}

void main();
