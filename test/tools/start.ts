import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { providerById } from '../../shared/index.js';
import { cases } from '../contract/cases.js';
import { startMailServers, type Started } from './demo.js';
import { installPackage, OWNER, prepareHost, type Host } from '../e2e/n8n/host.js';
import { installN8n } from '../e2e/n8n/install.js';
import { endAll } from '../e2e/n8n/processes.js';
import {
  activate,
  credentialType,
  deactivate,
  saveCredential,
  saveWorkflow,
  signedIn,
  type WorkflowJson,
} from '../e2e/n8n/workflows.js';
import { packN8n } from './package.js';
import { shortName } from './reference.js';

/**
 * `npm start`: n8n with this package, the pretend vendors, credentials for them, and the demo and template workflows.
 * Everything listens on loopback only and ends with Ctrl-C. What was built in the editor is kept in `.cache/start`;
 * `npm start -- --fresh` begins anew, and `-- --folder=…` keeps it elsewhere.
 */
const root = join(__dirname, '../..');
const folder =
  process.argv.find(arg => arg.startsWith('--folder='))?.slice('--folder='.length) || join(root, '.cache/start');
const say = (text = '') => process.stdout.write(`${text}\n`);

const nameOf = (id: string) => shortName(providerById(id));

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
  for (const signal of ['SIGTERM', 'SIGHUP'] as const) process.on(signal, () => void stop(0));
  try {
    const home = await installN8n();
    if (process.argv.includes('--fresh')) rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
    say('Starting the pretend providers and mail servers ...');
    const vendors: Record<string, Started> = {};
    for (const one of cases) vendors[one.id] = await one.start();
    // The mailboxes begin anew and must say so (RFC 9051 section 2.3.1.1), or a published trigger would take their
    // messages for seen ones.
    vendors.imap ??= await startMailServers({ uidValidity: Math.floor(Date.now() / 1000) });
    // Something to look at before the first message is sent.
    const ann = Object.values(vendors.imap.accounts!)[0]!.user as string;
    const hour = 3_600_000;
    for (const [i, subject] of ['Minutes of Tuesday', 'Invoice 2026-118', 'Lunch?'].entries()) {
      const at = Date.now() - (3 - i) * 20 * hour;
      vendors.imap.mail!.deliver(
        ann,
        {
          from: 'Carol <carol@clients.example>',
          subject,
          text: `Hello Ann,\n\n${subject}\n\nCarol`,
          date: new Date(at),
        },
        { internalDate: at },
      );
    }
    stopping.push(() => Promise.all(Object.values(vendors).map(vendor => vendor.close())));
    say(
      existsSync(join(folder, 'loaded.json')) ? 'Starting n8n ...' : 'Starting n8n (half a minute the first time) ...',
    );
    const host = await prepareHost({ home, userFolder: folder, port: await wanted(5678) });
    installPackage(packN8n().file, folder);
    await renewTokens(host, vendors);
    stopping.push(() => host.stop());
    await host.start();
    await host.login();
    const workflows = await load(host, vendors);
    say(`\n  Open      ${host.url}\n  log in    ${OWNER.email}\n  password  ${OWNER.password}\n`);
    say(
      workflows
        ? `  ${workflows} workflows to open and run are there, and credentials for the pretend providers.`
        : '  What you built before is there; the pretend providers begin anew.',
    );
    say('  The README says what to try first. Ctrl-C stops everything.\n');
    say('  The pretend providers, for programs of your own:');
    for (const [id, { account }] of Object.entries(vendors)) {
      if (id !== 'imap') say(`    ${nameOf(id).padEnd(12)}${String(account.baseUrl)}`);
      else
        for (const side of ['imap', 'smtp'])
          say(
            `    ${side.toUpperCase().padEnd(12)}${side}s://${String(account[`${side}Host`])}:${String(account[`${side}Port`])}`,
          );
    }
    say();
    void host.main.ended.then(() => {
      if (!stopped) {
        say(host.main.lines.slice(-20).join('\n'));
        return stop(1);
      }
    });
  } catch (error) {
    // What fails because it was stopped is no failure.
    if (stopped) return;
    say(error instanceof Error ? error.message : String(error));
    await stop(1);
  }
}

/** The usual port of n8n where it is free. */
async function wanted(port: number): Promise<number | undefined> {
  const { createServer } = await import('node:net');
  return new Promise(resolve => {
    const probe = createServer()
      .once('error', () => resolve(undefined))
      .once('listening', () => probe.close(() => resolve(port)));
    probe.listen(port, '127.0.0.1');
  });
}

/**
 * The tokens of the last start were another Outreach's. Through its API n8n keeps the tokens that a credential has when
 * the credential is changed; an import replaces them, and runs before n8n does.
 */
async function renewTokens(host: Host, vendors: Record<string, Started>): Promise<void> {
  const record = join(folder, 'loaded.json');
  const file = join(folder, 'tokens.json');
  if (!existsSync(record) || !vendors.outreach) return;
  const { credentials } = JSON.parse(readFileSync(record, 'utf8')) as Loaded;
  const old = credentials.outreach;
  if (!old) return;
  writeFileSync(
    file,
    JSON.stringify([
      { id: old.id, name: old.name, type: credentialType('outreach'), data: signedIn(vendors.outreach.account) },
    ]),
  );
  try {
    await host.command('import:credentials', `--input=${file}`);
  } finally {
    rmSync(file, { force: true });
  }
}

interface Loaded {
  credentials: Record<string, { id: string; name: string }>;
  workflows: boolean;
}

/**
 * Credentials for the vendors of this start (their ports change), and the workflows the first time. Resolves with how
 * many of these were saved.
 */
async function load(host: Host, vendors: Record<string, Started>): Promise<number> {
  const record = join(folder, 'loaded.json');
  const known: Loaded = existsSync(record)
    ? (JSON.parse(readFileSync(record, 'utf8')) as Loaded)
    : { credentials: {}, workflows: false };
  const accounts = Object.entries(vendors).flatMap(([id, { account, accounts: several }]) =>
    several
      ? Object.entries(several).map(([key, data]) => ({ key, id, name: `${id.toUpperCase()} of ${person(key)}`, data }))
      : [{ key: id, id, name: `${nameOf(id)} account`, data: id === 'outreach' ? signedIn(account) : account }],
  );
  for (const { key, id, name, data } of accounts) {
    const old = known.credentials[key];
    if (old) await host.rest('PATCH', `/credentials/${old.id}`, { name: old.name, type: credentialType(id), data });
    else known.credentials[key] = await saveCredential(host, id, name, data);
  }
  let saved = 0;
  if (!known.workflows) {
    const byProvider = {
      ...known.credentials,
      ...Object.fromEntries(accounts.map(({ id, key }) => [id, known.credentials[key]!]).reverse()),
    };
    // The list shows what was saved last first.
    for (const place of ['templates', 'demo']) {
      const tag = await host.rest('POST', '/tags', { name: place === 'demo' ? 'demo' : 'template' });
      for (const file of readdirSync(join(__dirname, '..', place))
        .filter(name => name.endsWith('.json'))
        .sort()
        .reverse()) {
        const { id } = await saveWorkflow(
          host,
          JSON.parse(readFileSync(join(__dirname, '..', place, file), 'utf8')) as WorkflowJson,
          byProvider,
        );
        await host.rest('PATCH', `/workflows/${id}`, { tags: [tag.id] });
        saved++;
      }
    }
    known.workflows = true;
  } else await restart(host);
  writeFileSync(record, JSON.stringify(known, null, 2));
  return saved;
}
const person = (key: string) => {
  const name = key.split('-').at(-1)!;
  return `${name[0]!.toUpperCase()}${name.slice(1)}`;
};

/** Published workflows began with the credentials of the last start, whose addresses are gone. */
async function restart(host: Host) {
  for (const { id, active } of await host.rest<{ id: string; active: boolean }[]>('GET', '/workflows')) {
    if (!active) continue;
    await deactivate(host, id);
    await activate(host, id).catch((error: Error) => say(`A published workflow does not start: ${error.message}`));
  }
}

void main();
