import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { setTimeout as pause } from 'node:timers/promises';
import type { INodeExecutionData } from 'n8n-workflow';
import {
  openEngine,
  type Engine,
  type NodeRun,
  type RunResult,
  type SavedCredential,
  type WorkflowFile,
} from '../engine/engine.js';
import { deliver } from '../sandbox/contextIo.js';
import { bytesOf } from '../../shared/mailServer/imap/store.js';
import type { Mail } from '../sandbox/mail.js';
import { sentBy } from '../sandbox/sodium.js';
import type { Vendor } from '../sandbox/vendor.js';

const here = join(dirname(fileURLToPath(import.meta.url)), '..');

/**
 * What a step should give. `requests` counts what reached the pretend vendors; `holds` says what is wrong with the
 * items, or nothing.
 */
export interface Expected {
  items: number;
  /**
   * Left out where mail is sent and read: how many commands that takes depends on what the shared connection was doing.
   */
  requests?: number;
  /** Happens in the pretend world just before the step. */
  before?(world: World): unknown;
  holds?(items: Row[], world: World): Wrong | Promise<Wrong>;
}
type Wrong = string | false | undefined;
type Row = Record<string, any>;
/** What a story can look at beyond the items of a step. */
export interface World {
  vendor(id: string): Started;
  /** The mail servers; only for stories that use them. */
  mail: Mail;
  /** What a node gave, once it ran. */
  given(node: string): Row[];
  /** The content of the file that a node gave in its first item. */
  file(node: string): Promise<string>;
}
const all = (items: Row[], test: (item: Row) => boolean, what: string) => !items.every(test) && what;
const same = (found: unknown[], wanted: unknown[]) =>
  JSON.stringify([...found].sort()) !== JSON.stringify([...wanted].sort()) &&
  `found ${JSON.stringify(found)}, not ${JSON.stringify(wanted)}`;
const CSV = 'Period,Net,VAT\nQ3 2026,48200.00,9640.00\n';
const REPORT = 'Week 47\nOrders,132\nReturns,4\n';
const ANN = 'ann@mail.test';
const BOB = 'bob@mail.test';

/** The steps of each story, in order: every node of the package and what it should give. */
export const stories: Record<string, Record<string, Expected>> = {
  '1-mailboxes.json': {
    'List at Rackspace': {
      items: 120,
      requests: 2,
      holds: items => all(items, item => String(item.email).endsWith('@example.com'), 'a mailbox of another domain'),
    },
    'List at Scaleway': {
      items: 130,
      requests: 2,
      holds: items =>
        all(items, item => String(item.email).endsWith('@mail.example.com'), 'a mailbox of another domain'),
    },
    'Create What Is Missing': {
      items: 2,
      requests: 2,
      holds: items =>
        same(
          items.map(item => `${String(item.email)} ${String(item.status)}`),
          ['alex.smith@mail.example.com pending', 'john.smith@mail.example.com pending'],
        ),
    },
    'Give Each an Alias': {
      items: 2,
      requests: 2,
      holds: items =>
        same(
          items.map(item => item.email),
          ['mail.alex.smith@mail.example.com', 'mail.john.smith@mail.example.com'],
        ),
    },
    'Block at Rackspace': { items: 3, requests: 3 },
    // The sandbox begins with two blocked senders and one blocked address.
    'Blocked Senders': {
      items: 4,
      requests: 1,
      holds: items =>
        !['offers@spam.example.net', 'bulk.example.org'].every(sender => items.some(item => item.value === sender)) &&
        'a sender is not on the list',
    },
    'Blocked Addresses': {
      items: 2,
      requests: 1,
      holds: items => !items.some(item => item.value === '203.0.113.7') && 'the address is not on the list',
    },
    'Pick One at Scaleway': {
      items: 1,
      requests: 1,
      holds: items =>
        same(
          items.map(item => item.status),
          ['active'],
        ),
    },
    'Delete One': { items: 1, requests: 1 },
    'Restore It': {
      items: 1,
      requests: 1,
      holds: items =>
        same(
          items.map(item => `${String(item.email)} ${String(item.status)}`),
          ['user001@mail.example.com pending'],
        ),
    },
  },
  '2-five-providers.json': {
    'Find Conversation': {
      items: 1,
      requests: 1,
      holds: ([found]) => found!.unread !== 1 && 'a conversation without the unread message',
    },
    'Read Conversation': {
      items: 1,
      requests: 1,
      holds: ([found]) =>
        same(
          found!.messages.map((one: Row) => one.subject),
          ['VAT return 56', 'Re: VAT return 56'],
        ),
    },
    'Reply with the Figures': {
      items: 1,
      requests: 1,
      holds: (_, { vendor }) =>
        same(
          sentBy(vendor('sodium') as Vendor).flatMap(mail =>
            mail.attachments.map(file => `${mail.from} ${mail.to[0]!.email} ${file.fileName} ${file.bytes.toString()}`),
          ),
          [`info@acme.test jo0@client2.test vat-q3.csv ${CSV}`],
        ),
    },
    'Mark as Read': { items: 1, requests: 1 },
    'List Tasks': { items: 60, requests: 2 },
    'Link Task': { items: 1, requests: 1, holds: ([done]) => done!.id !== 'T56' && 'another task' },
    'Read It Again': {
      items: 1,
      requests: 1,
      holds: ([found]) =>
        same(
          found!.tasks.map((task: Row) => task.id),
          ['T56'],
        ) ||
        (!found!.messages.every((one: Row) => one.read) && 'an unread message'),
    },
    // Refused with the old access token, granted a new one, asked again.
    'Find Outreach Mailbox': {
      items: 1,
      requests: 3,
      holds: ([found]) => found!.email !== 'ann@acme.test' && 'another mailbox',
    },
    'Test Sync': { items: 1, requests: 1 },
    'Change Limits': {
      items: 1,
      requests: 1,
      holds: ([found]) =>
        same(
          ['maxMailingsPerDay', 'maxMailingsPerWeek', 'sendThreshold', 'sendPeriod'].map(
            name => found!.native.attributes[name],
          ),
          [180, 700, 2, 60],
        ),
    },
    'Mailbox at Rackspace': {
      items: 1,
      requests: 1,
      holds: ([found]) => found!.email !== 'alex.smith@example.com' && 'another mailbox',
    },
    'Mailbox at Scaleway': {
      items: 1,
      requests: 1,
      holds: ([found]) => found!.email !== 'user001@mail.example.com' && 'another mailbox',
    },
    'Create with Its Source': {
      items: 2,
      requests: 2,
      holds: items => all(items, item => item.status === 'active', 'an account that does not work'),
    },
    'List New Messages': {
      items: 3,
      requests: 2,
      async before({ vendor, given }) {
        const [first, second] = given('Create with Its Source');
        for (const [account, subject] of [
          [first, 'Welcome'],
          [first, 'Your invoice'],
          [second, 'Minutes'],
        ] as const)
          await deliver(vendor('contextIo') as Vendor, { account: account!.id, subject });
      },
      holds: items =>
        same(
          items.map(item => item.subject),
          ['Welcome', 'Your invoice', 'Minutes'],
        ),
    },
  },
  '3-mail-arrives.json': {
    'Send the Report': { items: 1, holds: ([sent]) => sent!.outcome !== 'done' && `the outcome is ${sent!.outcome}` },
    'Sync Trigger': {
      items: 1,
      holds: ([mail]) =>
        same(
          [mail!.from.email, mail!.subject, mail!.text.trim(), ...mail!.attachments.map((one: Row) => one.name)],
          [BOB, 'Report of week 47', 'Hello Ann,\n\nthe report is attached.\n\nBob', 'week-47.csv'],
        ),
    },
    'Download the Report': {
      items: 1,
      holds: async (_, { file }) => (await file('Download the Report')) !== REPORT && 'another file than the one sent',
    },
    'Flag It': {
      items: 1,
      holds: (_, { mail }) =>
        same(
          mail.folder(ANN).messages.map(one => ['\\Flagged', 'Reported'].every(flag => one.flags.includes(flag))),
          [true],
        ),
    },
    'Answer It': {
      items: 1,
      holds: (_, { mail }) =>
        same(
          mail.folder(BOB).messages.map(one => /^Subject: (.*)\r$/m.exec(String(bytesOf(one)))?.[1]),
          ['Re: Report of week 47'],
        ),
    },
  },
  // The mail server runs the rules: what it files and answers is looked for where it went.
  '4-rules.json': {
    'Block Bob': { items: 1 },
    'Bob Advertises': { items: 1, holds: ([sent]) => sent!.outcome !== 'done' && `the outcome is ${sent!.outcome}` },
    'Look into Junk': {
      items: 1,
      holds: items =>
        same(
          items.map(mail => `${mail.from.email} ${mail.subject}`),
          [`${BOB} Best offer`],
        ),
    },
    'Unblock Bob': {
      items: 1,
      holds: (_, { mail }) => mail.sieve.of(ANN).texts.get('mailroom')?.includes(BOB) && 'he is still blocked',
    },
    'Ann Is Away': { items: 1 },
    'File Invoices': { items: 1 },
    'Bob Sends an Invoice': {
      items: 1,
      holds: ([sent]) => sent!.outcome !== 'done' && `the outcome is ${sent!.outcome}`,
    },
    'Look into Archive': {
      items: 1,
      holds: items =>
        same(
          items.map(mail => `${mail.subject} ${mail.read ? 'read' : 'unread'}`),
          ['Invoice 48 read'],
        ),
    },
    'Bob Got an Answer': {
      items: 1,
      holds: items =>
        same(
          items.map(mail => `${mail.from.email} ${mail.subject}`),
          [`${ANN} Away`],
        ),
    },
    'Ann Is Back': {
      items: 1,
      holds: (_, { mail }) => mail.sieve.of(ANN).texts.get('mailroom')?.includes('vacation') && 'she still answers',
    },
  },
};

export interface Step {
  step: number;
  node: string;
  operation: string;
  provider: string;
  items: number;
  requests: number;
  ms: number;
  ok: boolean;
}
/**
 * A pretend vendor, as far as the runner cares. `accounts` by the id of their credential, where one vendor has several.
 */
export interface Started {
  account: Record<string, unknown>;
  accounts?: Record<string, Record<string, unknown>>;
  seen: readonly { at: number }[];
  close(): Promise<void>;
  mail?: Mail;
}
export interface DemoOptions {
  packageDir: string;
  /** Starts the pretend vendor of a provider. */
  start?(provider: string): Promise<Started>;
  /** Workflow files in order; those in `test/demo` unless given. */
  files?: readonly string[];
  expect?: Record<string, Record<string, Expected>>;
  out?(step: Step): void;
  /** What was expected and what came, for each step that failed. */
  trouble?(step: Step, lines: string[]): void;
  story?(name: string): void;
}

const startSandbox = async (provider: string): Promise<Started> => {
  if (provider === 'imap') return startMailServers();
  const module = (await import(pathToFileURL(join(here, 'sandbox', `${provider}.ts`)).href)) as Record<
    string,
    () => Promise<Vendor>
  >;
  return module[`start${provider[0]!.toUpperCase()}${provider.slice(1)}`]!();
};

/**
 * IMAP and SMTP with two users; what reached them is commands of the one and messages of the other. `options` are those
 * of the store.
 */
export async function startMailServers(options: { uidValidity?: number } = {}): Promise<Started> {
  const { startMail } = await import('../sandbox/mail.js');
  const users = [
    { user: ANN, password: 'ann-secret' },
    { user: BOB, password: 'bob-secret' },
  ];
  const mail = await startMail({ users, ...options });
  const [ann, bob] = users.map(({ user, password }) => ({
    user,
    password,
    allowedCertificate: mail.ca,
    imapHost: mail.imap.host,
    imapPort: mail.imap.tlsPort,
    imapSecurity: 'tls',
    smtpHost: mail.smtp.host,
    smtpPort: mail.smtp.tlsPort,
    smtpSecurity: 'tls',
    sievePort: mail.sieve.port,
  }));
  return {
    account: ann!,
    accounts: { 'mailroom-imap-ann': ann!, 'mailroom-imap-bob': bob! },
    mail,
    close: () => mail.close(),
    get seen() {
      return [...mail.imap.seen.commands, ...mail.smtp.seen.messages];
    },
  };
}

/** What n8n keeps after a sign-in. The access token is one that has ended, so that n8n has to renew it. */
const signedIn = (account: Record<string, unknown>) => ({
  ...account,
  oauthTokenData: { access_token: 'ended', refresh_token: account.refreshToken, token_type: 'bearer' },
});

/** Runs the stories in n8n's engine against the pretend vendors; true when every step gave what it should. */
export async function runDemo({
  packageDir,
  start = startSandbox,
  files = workflowFiles(),
  expect = stories,
  out,
  trouble,
  story,
}: DemoOptions): Promise<{ ok: boolean; steps: Step[] }> {
  const vendors = new Map<string, Started>();
  const steps: Step[] = [];
  try {
    const workflows = files.map(file => ({ file, workflow: JSON.parse(readFileSync(file, 'utf8')) as WorkflowFile }));
    const credentials: Record<string, SavedCredential> = {};
    for (const node of workflows.flatMap(({ workflow }) => workflow.nodes)) {
      for (const [type, { id, name }] of Object.entries(node.credentials ?? {})) {
        const provider = type.replace(/(?:OAuth2)?Api$/, '');
        if (!vendors.has(provider)) vendors.set(provider, await start(provider));
        const { account, accounts } = vendors.get(provider)!;
        const data = accounts?.[id!] ?? account;
        credentials[id!] = { type, name, data: type.endsWith('OAuth2Api') ? signedIn(data) : data };
      }
    }
    const engine = await openEngine({ packageDir, credentials });
    for (const { file, workflow } of workflows) {
      const name = file.split(/[\\/]/).at(-1)!;
      story?.(`${name}  ${workflow.name ?? ''}`.trim());
      const told = (step: Step, lines: string[]) => {
        steps.push({ ...step, step: steps.length + 1 });
        out?.(steps.at(-1)!);
        if (lines.length) trouble?.(steps.at(-1)!, lines);
      };
      const trigger = workflow.nodes.find(
        node => engine.nodeTypes.includes(node.type) && engine.nodeType(node.type).trigger,
      );
      const play: Play = {
        engine,
        workflow: { ...workflow, id: workflow.id ?? name },
        expected: expect[name] ?? {},
        vendors,
        done: told,
      };
      await (trigger ? runTriggered(play, trigger.name) : runStory(play));
    }
  } finally {
    for (const vendor of vendors.values()) await vendor.close();
  }
  return { ok: steps.length > 0 && steps.every(step => step.ok), steps };
}

interface Play {
  engine: Engine;
  workflow: WorkflowFile;
  expected: Record<string, Expected>;
  vendors: Map<string, Started>;
  done(step: Step, lines: string[]): void;
}

/** A workflow that is executed by hand. */
async function runStory({ engine, workflow, expected, vendors, done }: Play) {
  const requests = () => [...vendors.values()].reduce((sum, vendor) => sum + vendor.seen.length, 0);
  const spent = new Map<string, number>();
  const outputs = new Map<string, INodeExecutionData[]>();
  const world = worldOf(engine, vendors, name => outputs.get(name) ?? []);
  let at = 0;
  const result = await engine.run(workflow, {
    onNode: {
      async before(name) {
        await expected[name]?.before?.(world);
        at = requests();
      },
      after(name, data) {
        spent.set(name, (spent.get(name) ?? 0) + requests() - at);
        outputs.set(name, data.data?.main?.[0] ?? []);
      },
    },
  });
  await report(result, { engine, workflow, expected, done }, world, name => spent.get(name) ?? 0);
  // Those that should have run.
  for (const name of Object.keys(expected).filter(one => !result.nodes[one]))
    await missing(name, { workflow, expected, done }, world);
}

/**
 * A workflow that waits for mail: it is activated, then executed by hand, which sends the message. The trigger must
 * start exactly one execution, and none when it looks again after a restart.
 */
async function runTriggered({ engine, workflow, expected, vendors, done }: Play, trigger: string) {
  const outputs = new Map<string, INodeExecutionData[]>();
  const world = worldOf(engine, vendors, name => outputs.get(name) ?? []);
  const { mail } = world;
  const { imap } = mail;
  const node = workflow.nodes.find(one => one.name === trigger)!;
  const { event = '-', provider = '-' } = node.parameters as { event?: string; provider?: string };
  const within = (from: number, to: number) =>
    [...vendors.values()].flatMap(vendor => vendor.seen).filter(({ at }) => at >= from && at <= to).length;
  const spans = (result: RunResult) => (name: string) =>
    result.run.data.resultData.runData[name]!.reduce(
      (sum, { startTime, executionTime }) => sum + within(startTime, startTime + executionTime),
      0,
    );
  const keep = (result: RunResult) => {
    for (const [name, runs] of Object.entries(result.nodes))
      outputs.set(
        name,
        runs.flatMap(run => run.outputs[0] ?? []),
      );
  };
  const play = { engine, workflow, expected, done };

  let active = await engine.activate(workflow);
  await until(() => imap.seen.commands.some(({ name }) => name === 'IDLE'));
  const byHand = await engine.run(workflow, {
    start: workflow.nodes.find(one => one.type === 'n8n-nodes-base.manualTrigger')!.name,
  });
  keep(byHand);
  await report(byHand, play, world, spans(byHand));
  const delivered = mail.smtp.seen.messages[0]?.at ?? 0;
  if (delivered) await until(() => active.executions.length > 0);
  await active.settled();
  const {
    executions: [execution],
    errors,
    failed,
  } = active;
  const count0 = active.executions.length;
  const wrong = [...errors, ...failed].map(error => `came      an error: ${error.message}`);
  if (count0 !== 1) wrong.push(`came      ${count(count0, 'execution')}`);
  if (execution) {
    keep(execution);
    const started = execution.run.data.resultData.runData[trigger]![0]!.startTime;
    const items = world.given(trigger);
    const lines = await problems(expected[trigger], items, undefined, execution.nodes[trigger]!, undefined, world);
    done(
      {
        step: 0,
        node: trigger,
        operation: event,
        provider,
        items: items.length,
        requests: within(delivered, started),
        ms: Math.max(0, started - delivered),
        ok: !lines.length && !wrong.length,
      },
      [...lines, ...wrong],
    );
    delete execution.nodes[trigger];
    await report(execution, play, world, spans(execution));
  }
  for (const name of Object.keys(expected).filter(one => !outputs.has(one)))
    await missing(name, play, world, name === trigger ? wrong : []);

  // As after a restart: it goes on where it was, looks for news and finds none.
  await active.deactivate();
  const again = Date.now();
  const before = imap.seen.commands.length;
  active = await engine.activate(workflow);
  const since = () => imap.seen.commands.slice(before).map(({ name }) => name);
  // It looks once more when the server is ready to tell of news; by then all that the first look found has been
  // executed.
  const looked = () => since().filter(name => name === 'UID SEARCH').length > 1;
  if (delivered) await until(looked);
  const ms = Date.now() - again;
  await active.settled();
  await active.deactivate();
  const more = active.executions.length;
  const fine = more === 0 && looked();
  done(
    {
      step: 0,
      node: `${trigger} (restarted)`,
      operation: event,
      provider,
      items: more,
      requests: within(again, again + ms),
      ms,
      ok: fine,
    },
    fine
      ? []
      : [
          'expected  a look that starts no execution',
          `came      ${looked() ? count(more, 'execution') : 'no look at the folder'}`,
        ],
  );
}

/** Resolves when it is true, or after ten seconds: what is missing then shows in the steps. */
async function until(test: () => boolean) {
  for (const end = Date.now() + 10_000; !test() && Date.now() < end;) await pause(2);
}

const worldOf = (
  engine: Engine,
  vendors: Map<string, Started>,
  outputs: (name: string) => INodeExecutionData[],
): World => ({
  vendor: id => vendors.get(id)!,
  get mail() {
    return vendors.get('imap')!.mail!;
  },
  given: name => outputs(name).map(item => item.json),
  file: async name => String(await engine.bytes(outputs(name)[0]!.binary!.data!)),
});

/** The steps of one execution, in the order they ran. */
async function report(
  result: RunResult,
  { engine, workflow, expected, done }: Pick<Play, 'engine' | 'workflow' | 'expected' | 'done'>,
  world: World,
  spent: (name: string) => number,
) {
  const nodes = new Map(workflow.nodes.map(node => [node.name, node]));
  const ran = Object.keys(result.nodes).sort((a, b) => startOf(result, a) - startOf(result, b));
  for (const name of ran) {
    const runs = result.nodes[name]!;
    const failed = runs.find(run => run.error);
    const own = engine.nodeTypes.includes(nodes.get(name)?.type ?? '');
    if (!own && !failed && !expected[name]) continue;
    const items = runs.flatMap(run => run.outputs[0] ?? []).map(item => item.json);
    const lines = await problems(expected[name], items, spent(name), runs, failed, world);
    done(
      {
        ...titles(nodes.get(name)),
        items: items.length,
        requests: spent(name),
        ms: runs.reduce((sum, run) => sum + run.ms, 0),
        ok: lines.length === 0,
      },
      lines,
    );
  }
  if (result.status !== 'success' && !ran.some(name => result.nodes[name]!.some(run => run.error))) {
    done({ ...titles(undefined), node: '(workflow)', items: 0, requests: 0, ms: Math.round(result.ms), ok: false }, [
      `expected  the workflow to succeed`,
      `came      ${result.error?.message ?? result.status}`,
    ]);
  }
}
const startOf = (result: RunResult, name: string) => result.run.data.resultData.runData[name]![0]!.executionIndex;

async function missing(
  name: string,
  { workflow, expected, done }: Pick<Play, 'workflow' | 'expected' | 'done'>,
  world: World,
  more: string[] = [],
) {
  done(
    { ...titles(workflow.nodes.find(node => node.name === name)), node: name, items: 0, requests: 0, ms: 0, ok: false },
    [...(await problems(expected[name], [], 0, [], undefined, world)), ...more],
  );
}
function titles(
  node: WorkflowFile['nodes'][number] | undefined,
): Pick<Step, 'step' | 'node' | 'operation' | 'provider'> {
  const { resource, operation, event, provider } = (node?.parameters ?? {}) as {
    resource?: string;
    operation?: string;
    event?: string;
    provider?: string;
  };
  return {
    step: 0,
    node: node?.name ?? '',
    operation: resource && operation ? `${resource}.${operation}` : (event ?? '-'),
    provider: provider ?? '-',
  };
}

/** What is wrong with a step, in lines; none when all is well. */
async function problems(
  expected: Expected | undefined,
  items: Row[],
  requests: number | undefined,
  runs: NodeRun[],
  failed: NodeRun | undefined,
  world: World,
): Promise<string[]> {
  const from = (taken: number | undefined) =>
    taken === undefined || expected?.requests === undefined ? '' : ` from ${count(taken, 'request')}`;
  const wanted = expected
    ? `expected  ${count(expected.items, 'item')}${from(expected.requests)}`
    : 'expected  nothing known: add the step to the stories in test/demo.ts';
  if (failed) {
    const { message, description, messages } = failed.error as Error & { description?: string; messages?: string[] };
    return [
      wanted,
      `came      an error: ${message}`,
      ...(description && description !== message ? [`          ${description}`] : []),
      ...(messages ?? []).filter(one => !message.includes(one)).map(one => `vendor    ${one}`),
    ];
  }
  if (!expected || !runs.length)
    return [wanted, `came      ${runs.length ? `${count(items.length, 'item')}` : 'nothing: the node did not run'}`];
  const lines =
    items.length !== expected.items || (expected.requests !== undefined && requests !== expected.requests)
      ? [`came      ${count(items.length, 'item')}${from(requests)}`]
      : [];
  let wrong: Wrong;
  try {
    wrong = await expected.holds?.(items, world);
  } catch (error) {
    wrong = `something that cannot be looked at: ${(error as Error).message}`;
  }
  if (wrong) lines.push(`came      ${wrong}`);
  if (lines.length) lines.push(...items.slice(0, 3).map(item => `item      ${JSON.stringify(item).slice(0, 300)}`));
  return lines.length ? [wanted, ...lines] : [];
}
const count = (n: number, what: string) => `${n} ${what}${n === 1 ? '' : 's'}`;
/** The stories, in order. */
export const workflowFiles = () =>
  readdirSync(join(here, 'demo'))
    .filter(name => name.endsWith('.json'))
    .sort()
    .map(name => join(here, 'demo', name));

const columns = [
  ['step', 4],
  ['node', 26],
  ['operation', 21],
  ['provider', 9],
  ['items', 5],
  ['requests', 8],
  ['ms', 5],
  ['result', 6],
] as const;
const fit = (text: string, width: number) => (text.length > width ? `${text.slice(0, width - 1)}…` : text);
/** One line of the table; numbers to the right. */
export const tableRow = (cells: readonly (string | number)[]) =>
  cells
    .map((cell, i) =>
      typeof cell === 'number'
        ? String(cell).padStart(columns[i]![1])
        : fit(cell, columns[i]![1]).padEnd(columns[i]![1]),
    )
    .join('  ')
    .trimEnd();

const header = () =>
  columns
    .map(([title, width]) =>
      ['items', 'requests', 'ms'].includes(title) ? title.padStart(width) : title.padEnd(width),
    )
    .join('  ')
    .trimEnd();

/** Lines of at most 100 columns; what does not fit goes on below, under its own beginning. */
export function wrapped(line: string, indent = '      '): string[] {
  const lines: string[] = [];
  for (let rest = indent + line; ;) {
    if (rest.length <= 100) return [...lines, rest];
    const space = rest.lastIndexOf(' ', 100);
    const cut = space > indent.length + 10 ? space : 100;
    lines.push(rest.slice(0, cut));
    rest = `${indent}          ${rest.slice(cut).trimStart()}`;
  }
}

async function main() {
  const json = process.argv.includes('--json');
  const colour = (process.stdout.isTTY || process.env.FORCE_COLOR) && !process.env.NO_COLOR;
  const paint = (code: number, text: string) => (colour ? `\x1b[${code}m${text}\x1b[0m` : text);
  const print = (text: string) => process.stdout.write(`${text}\n`);
  // A reader that has seen enough, as `head` does, is no failure worth a stack.
  process.stdout.on('error', () => process.exit(1));
  const began = performance.now();
  const { ok, steps } = await runDemo({
    packageDir: join(here, '..'),
    story: name => {
      if (!json) print(`\n${paint(1, name)}\n\n${paint(2, header())}`);
    },
    out: step =>
      print(
        json
          ? JSON.stringify(step)
          : tableRow([step.step, step.node, step.operation, step.provider, step.items, step.requests, step.ms, '']) +
              `  ${step.ok ? paint(32, 'ok') : paint(31, 'FAILED')}`,
      ),
    trouble: (_step, lines) => {
      for (const line of lines.flatMap(one => wrapped(one)))
        (json ? process.stderr : process.stdout).write(`${paint(31, line)}\n`);
    },
  });
  if (!json) {
    const good = steps.filter(step => step.ok).length;
    const sum = (key: 'items' | 'requests') => steps.reduce((total, step) => total + step[key], 0);
    const verdict = ok
      ? `All ${steps.length} steps gave what they should`
      : `${steps.length - good} of ${steps.length} steps failed`;
    print(
      `\n${paint(ok ? 32 : 31, verdict)}: ${sum('items')} items, ${sum('requests')} requests, ${((performance.now() - began) / 1000).toFixed(1)} s.`,
    );
  }
  process.exitCode = ok ? 0 : 1;
}

if (process.argv[1] && fileURLToPath(import.meta.url) === process.argv[1]) {
  main().catch((error: unknown) => {
    process.stderr.write(`The demo could not run: ${(error as Error).stack ?? String(error)}\n`);
    process.exitCode = 1;
  });
}
