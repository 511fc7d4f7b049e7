import { readFileSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import type { Client } from '../../shared/index.js';
import { connect, inspectMail, providerById, readMail } from '../../shared/index.js';

/*
 * Reads one hostile message in a process of its own, in one way or in several one after another: `node hostileCell.cjs
 * SETTINGS` prints a JSON line with what each cost. It runs what is built.
 */

export interface CellSettings {
  ways: readonly string[];
  file: string;
  message: string;
  account: Record<string, unknown>;
  /** Who has an honest message, which is read first: what is loaded for the first message is not the second one's. */
  other: Record<string, unknown>;
}
/** Milliseconds of processor time, altogether and in one piece, and MB at the most; and what is said of the message. */
export interface CellCost {
  way: string;
  all: number;
  piece: number;
  memory: number;
  said?: string;
}

type Any = any;
interface Given {
  client: Client;
  message: string;
  file: string;
}
const FILTER = { folders: ['INBOX'] };
const ANSWER = { quote: true, text: 'Hi', html: '<p>Hi' };

/** Reads a file to its end and keeps nothing. */
async function drain(file: Any): Promise<void> {
  for await (const _ of file.open());
}
async function list({ client }: Given): Promise<unknown> {
  let last: unknown;
  for await (const one of client.call('message.list', {}) as AsyncIterable<unknown>) last = one;
  return last;
}
async function feed({ client }: Given): Promise<unknown> {
  let item: Any;
  for (let cursor = await client.from('messageReceived', FILTER, '2020-01-01T00:00:00Z'), more = true; more;) {
    const batch: Any = await client.since('messageReceived', { ...FILTER, fetch: 'full' }, cursor);
    item = batch.items[0]?.item ?? item;
    for (const { content } of item?.attachments ?? []) if (content) await drain(content);
    ({ cursor, more } = batch);
  }
  return item;
}
const run =
  (operation: string, input: object) =>
  ({ client, message }: Given): Promise<unknown> =>
    (client as Any).call(operation, { message, ...input });

/** The reader of the extension on a message of an account, or on a file. */
async function inReader({ client, message, file }: Given, from: 'account' | 'file', look: readonly string[]) {
  const posted: Any[] = [];
  let hear: (message: unknown) => Promise<void> = async () => {};
  const webview = {
    cspSource: 'x',
    asWebviewUri: String,
    postMessage: (one: unknown) => posted.push(one),
    onDidReceiveMessage(listen: typeof hear) {
      hear = listen;
      return { dispose() {} };
    },
  };
  const closed: (() => void)[] = [];
  const panel = {
    webview,
    onDidDispose(listen: () => void) {
      closed.push(listen);
      return { dispose() {} };
    },
  };
  Object.assign(pretended.window, { createWebviewPanel: () => panel });
  Object.assign(pretended.workspace, { fs: { readFile: () => readFile(file) } });
  const options: Any = {
    extension: 'ext',
    accounts: { open: async () => client },
    operator: {},
    showText: async (_: string, __: string, text: () => Promise<string>) => text(),
    showJson: async (_: string, value: unknown) => JSON.stringify(value, null, 2),
  };
  if (from === 'file') {
    const { createEmlEditor } = await import('../../extension/mail/emlEditor.js');
    const editor = createEmlEditor(options);
    await editor.resolveCustomEditor({ uri: { toString: () => file } } as Any, panel as Any, {} as Any);
  } else {
    const { createReader } = await import('../../extension/mail/reader.js');
    const account = { id: 'a', name: 'Mine', provider: client.provider };
    const binding = { refs: { message }, choices: {} };
    await createReader(options).read({ account, resource: 'message', label: 'x', binding } as Any);
  }
  await hear({ type: 'ready' });
  const view = posted.findLast(one => one.type === 'reader').reader;
  const [mail] = view.messages;
  for (const what of look) await hear({ type: 'ask', id: 1, ask: { do: 'mail', message: mail.id, what } });
  for (const tell of closed) tell();
  return { error: view.problem ?? mail.problem ?? posted.find(one => one.type === 'reply' && !one.ok)?.message, mail };
}
const pretended: Any = {
  env: { language: 'en' },
  Uri: { joinPath: () => 'uri' },
  l10n: { t: (text: string) => text },
  ThemeIcon: class {},
  ViewColumn: { Active: 1 },
  EventEmitter: class {
    event = () => ({ dispose() {} });
    fire() {}
  },
  FileSystemError: class extends Error {},
  CancellationError: class extends Error {},
  workspace: { getConfiguration: () => ({ get: (_: string, otherwise: unknown) => otherwise }) },
  window: {},
};
Object.assign(globalThis, { pretended });

/** What the page of the reader does with HTML before the browser's own parser sees it; that part runs in Chromium. */
async function page(given: Given): Promise<unknown> {
  const { mail } = await inReader(given, 'file', []);
  const { limitMarkup } = await import('../../extension/mail/page/markupLimits.js');
  const { limitCharacters } = await import('../../extension/mail/page/characterLimits.js');
  limitCharacters()(mail?.text ?? '');
  return limitMarkup(mail?.html ?? '');
}

/** Every way, as the bench names them. */
const WAYS: Readonly<Record<string, (given: Given) => Promise<unknown>>> = {
  list,
  get: run('message.get', {}),
  feed,
  reply: run('message.reply', ANSWER),
  replyAll: run('message.reply', { ...ANSWER, replyAll: true }),
  forward: run('message.forward', { to: ['c@d.example'] }),
  forwardAsFile: run('message.forward', { to: ['c@d.example'], as: 'attachment' }),
  draftReply: run('draft.create', { kind: 'replyAll', ...ANSWER }),
  draftForward: run('draft.create', { kind: 'forward', to: ['c@d.example'] }),
  reader: given => inReader(given, 'account', ['source', 'headers', 'json']),
  inspect: given => inReader(given, 'account', ['inspect']),
  eml: given => inReader(given, 'file', ['source', 'headers', 'json']),
  emlInspect: given => inReader(given, 'file', ['inspect']),
  page,
  script: async ({ file }) => {
    const bytes = await readFile(file);
    return [await readMail(bytes), await inspectMail(bytes)];
  },
};

/** What /proc says of this process, in MB. */
const proc = (name: string): number =>
  Number(new RegExp(`^${name}:\\s*(\\d+) kB`, 'm').exec(readFileSync('/proc/self/status', 'utf8'))![1]) / 1024;

const collect = (globalThis as Any).gc as () => void;
/** Runs a task and counts. Memory is the peak of what the system gave this process, over what it had at first. */
async function counted(way: string, before: number, task: () => Promise<unknown>): Promise<CellCost> {
  // Linux forgets the peak so far (proc(5), clear_refs).
  writeFileSync('/proc/self/clear_refs', '5');
  const cpu = process.cpuUsage();
  let last = process.threadCpuUsage();
  let piece = 0;
  const look = () => {
    const { user, system } = process.threadCpuUsage(last);
    piece = Math.max(piece, (user + system) / 1000);
    last = process.threadCpuUsage();
  };
  const every = setInterval(look, 2);
  let said: string | undefined;
  try {
    const got: Any = await task();
    said = got?.error ?? got?.problem;
  } catch (error) {
    said = (error as Error).message;
  }
  look();
  clearInterval(every);
  const { user, system } = process.cpuUsage(cpu);
  return {
    way,
    all: Math.round((user + system) / 1000),
    piece: Math.round(piece),
    memory: Math.round(proc('VmHWM') - before),
    ...(said ? { said: said.slice(0, 200) } : {}),
  };
}

async function main() {
  const { ways, file, message, account, other } = JSON.parse(process.argv[2]!) as CellSettings;
  const given = (who: Record<string, unknown>, id: string, path: string): Given => ({
    client: connect(providerById('imap')!, who),
    message: id,
    file: path,
  });
  const honest = given(other, '', `${file}.honest`);
  honest.message = ((await list(honest)) as { id: string }).id;
  for (const way of ways) await WAYS[way]!(honest).catch(() => {});
  const hostile = given(account, message, file);
  // Signs in.
  await hostile.client.call('folder.list', {});
  collect();
  collect();
  const before = proc('VmRSS');
  for (const way of ways) {
    const cost = await counted(way, before, () => WAYS[way]!(hostile));
    console.log(JSON.stringify(cost));
    collect();
  }
  process.exit();
}
void main();
