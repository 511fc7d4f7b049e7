import assert from 'node:assert/strict';
import type * as Documents from '../../extension/objects/documents.js';
import type * as Places from '../../extension/objects/places.js';
import type * as Editor from '../../extension/objects/editor.js';
import type * as Operate from '../../extension/operations/run.js';
import * as core from '../../shared/index.js';
import { withVscode } from './host.js';

class Emitter {
  readonly heard = new Set<(told: any) => void>();
  event = (hear: (told: any) => void) => {
    this.heard.add(hear);
    return {
      dispose: () => {
        this.heard.delete(hear);
      },
    };
  };
  fire(told?: unknown) {
    for (const hear of [...this.heard]) hear(told);
  }
  dispose() {
    this.heard.clear();
  }
}
class Uri {
  readonly scheme: string;
  readonly path: string;
  readonly query: string;
  constructor({ scheme, path, query }: { scheme: string; path: string; query: string }) {
    this.scheme = scheme;
    this.path = path;
    this.query = query;
  }
  static from(parts: { scheme: string; path: string; query: string }) {
    return new Uri(parts);
  }
  static joinPath(base: Uri) {
    return base;
  }
  toString() {
    return `${this.scheme}:${this.path}?${this.query}`;
  }
}
interface Document {
  uri: Uri;
  text: string;
  version: number;
  isDirty: boolean;
  /** Whether the workbench has something to save in it, whatever the host of extensions takes it for. */
  changed: boolean;
  lineCount: number;
  getText(): string;
  positionAt(offset: number): number;
  save(reason?: number): Promise<boolean>;
}
type Values = Record<string, unknown>;

const text = (label: string, more: object = {}) => ({ type: 'text', label, ...more });
const mailbox = text('Mailbox', { required: true, ref: 'mailbox' });
const operation = (input: object, effect = 'read') => ({
  summary: 'Does it',
  effect,
  docs: 'https://example.com',
  input,
  run: () => undefined,
});
const provider = {
  id: 'made',
  name: 'Made',
  docs: '',
  auth: { fields: {} },
  pace: { concurrent: 1, perMinute: 60 },
  feeds: {},
  operations: {
    'mailbox.list': operation({}),
    'mailbox.get': operation({ mailbox }),
    'mailbox.delete': operation({ mailbox }, 'destroy'),
    'mailbox.restore': operation({ mailbox }, 'write'),
    'mailbox.testSend': operation({ mailbox }, 'write'),
    'mailbox.testSync': operation({ mailbox }, 'write'),
    'mailbox.validate': operation({ mailbox }, 'write'),
    'mailbox.reconnect': operation({ mailbox }, 'write'),
    'sync.start': operation({ mailbox }, 'write'),
    'message.sendFrom': operation({ mailbox }, 'write'),
    'alias.create': operation({ mailbox }, 'write'),
    'mailbox.update': operation(
      {
        mailbox,
        a: { type: 'number', label: 'A' },
        b: { type: 'number', label: 'B' },
        level: text('Level', { required: true }),
      },
      'write',
    ),
  },
} as unknown as core.Provider;

/**
 * A workbench of documents: it reads, keeps what is dirty from being read again, saves, and hears of changes, as VS
 * Code does.
 */
async function workbench(server: Values, ready = true) {
  const opened = new Emitter();
  const changed = new Emitter();
  const closed = new Emitter();
  const savedDocument = new Emitter();
  const saving = new Emitter();
  const textDocuments: Document[] = [];
  const marks = new Map<string, { message: string; at?: number[] }[]>();
  const sent: Values[] = [];
  const questions: Documents.Conflict[][] = [];
  const closedTabs: string[] = [];
  const context: Values = {};
  /** How the next questions about saving over others are answered; no by itself. */
  const answers: (() => boolean | Promise<boolean>)[] = [];
  let reads = 0;
  let down: core.MailError | undefined;
  let refused: core.MailError | undefined;
  let asked = 0;
  const vscode = {
    Uri,
    EventEmitter: Emitter,
    FileType: { File: 1 },
    FileChangeType: { Changed: 1 },
    DiagnosticSeverity: { Error: 0 },
    Disposable: class {
      dispose() {}
    },
    FileSystemError: class extends Error {
      static FileNotFound = () => new Error('not found');
      static NoPermissions = (said: string) => new Error(said);
    },
    TextDocumentSaveReason: { Manual: 1, AfterDelay: 2 },
    Range: class {
      readonly at: unknown[];
      constructor(...at: unknown[]) {
        this.at = at;
      }
    },
    Diagnostic: class {
      readonly message: string;
      readonly at: number[];
      constructor({ at }: { at: number[] }, message: string) {
        this.message = message;
        this.at = at;
      }
    },
    CancellationError: class extends Error {},
    env: { language: 'en' },
    WorkspaceEdit: class {
      made: [Uri, string] | undefined;
      replace(uri: Uri, { at: [from, to] }: { at: number[] }, put: string) {
        this.made = [uri, from === 0 && to === 1 ? put + find(uri).text.slice(1) : put];
      }
    },
    languages: {
      createDiagnosticCollection: () => ({
        set: (uri: Uri, all: { message: string; at?: number[] }[]) => marks.set(uri.toString(), all),
        delete: (uri: Uri) => marks.delete(uri.toString()),
        dispose() {},
      }),
    },
    workspace: {
      textDocuments,
      onDidOpenTextDocument: opened.event,
      onDidChangeTextDocument: changed.event,
      onDidCloseTextDocument: closed.event,
      onDidSaveTextDocument: savedDocument.event,
      onWillSaveTextDocument: saving.event,
      // An edit is made of a version; where that is no longer the newest one it is refused.
      applyEdit: async ({ made }: { made: [Uri, string] }) => {
        const document = find(made[0]);
        const version = document.text;
        await new Promise(resolve => setImmediate(resolve));
        if (document.text !== version) return false;
        type(document, made[1]);
        return true;
      },
    },
    commands: {
      executeCommand: async (name: string, key: string, value: unknown) => {
        if (name === 'setContext') context[key] = value;
      },
    },
    window: {
      visibleTextEditors: [],
      tabGroups: {
        all: [
          {
            get tabs() {
              return textDocuments.map(({ uri }) => ({ input: { uri } }));
            },
          },
        ],
        close: async (tabs: { input: { uri: Uri } }[]) => {
          for (const { input } of tabs) {
            closedTabs.push(input.uri.toString());
            close(find(input.uri));
          }
        },
      },
    },
  };
  const { Documents: Made } = await withVscode<typeof Documents>('objects/documents.ts', vscode);
  const { createPlaces, openedAs } = await withVscode<typeof Places>('objects/places.ts', vscode);
  const kept = new Map<string, unknown>();
  const told: Error[] = [];
  const places = createPlaces({
    get: (key: string, usual?: unknown) => kept.get(key) ?? usual,
    update: async (key: string, value: unknown) => {
      kept.set(key, value);
    },
  } as never);
  const accounts = {
    list: () => [{ id: 'mine', name: 'Mine', provider, values: {} }],
    find: () => ({ name: 'Mine' }),
    ready: async () => ready,
    open: async () => {
      if (!ready) {
        asked++;
        ready = true;
      }
      return {
        provider,
        call: async (name: string, input: Values) => {
          if (down) throw down;
          if (refused && name !== 'mailbox.get') throw refused;
          if (name === 'mailbox.get') {
            reads++;
            return { native: { ...server } };
          }
          const { mailbox: _, ...rest } = input;
          sent.push(rest);
          Object.assign(server, rest);
          return { native: { ...server } };
        },
      };
    },
  };
  const documents = new Made({
    accounts: accounts as never,
    places,
    saved() {},
    refused: (_, __, error) => {
      told.push(error as Error);
    },
    overwrite: async (_, fields) => {
      questions.push([...fields]);
      return (await answers.shift()?.()) ?? false;
    },
  });
  const files = documents.provider;
  const find = (uri: Uri) => textDocuments.find(one => one.uri.toString() === uri.toString())!;
  const tell = (document: Document, contentChanges: unknown[]) => changed.fire({ document, contentChanges });
  function type(document: Document, to: string, dirty = true) {
    document.text = to;
    document.version++;
    document.changed = dirty;
    if (document.isDirty !== dirty) {
      document.isDirty = dirty;
      tell(document, []);
    }
    tell(document, [to]);
  }
  const readAgain = async (document: Document) => {
    const now = Buffer.from(await files.readFile(document.uri as never)).toString();
    if (!document.changed && now !== document.text) type(document, now, false);
  };
  let reading = Promise.resolve();
  files.onDidChangeFile(events => {
    for (const { uri } of events) {
      const document = find(uri as never);
      if (document && !document.changed) reading = reading.then(() => readAgain(document));
    }
  });
  async function open(uri: Uri, restored?: string): Promise<Document> {
    await files.stat(uri as never);
    const document: Document = {
      uri,
      text: restored ?? Buffer.from(await files.readFile(uri as never)).toString(),
      isDirty: false,
      changed: false,
      version: 1,
      positionAt: offset => offset,
      get lineCount() {
        return this.text.split('\n').length;
      },
      getText() {
        return this.text;
      },
      // What was changed while it was being saved stays unsaved.
      async save(reason = 1) {
        saving.fire({ document: this, reason });
        const { version } = this;
        await files.writeFile(uri as never, Buffer.from(this.text), { create: false, overwrite: true });
        if (this.version === version) this.changed = false;
        // The host of extensions is told of a save as if nothing could be left to save.
        this.isDirty = false;
        tell(this, []);
        savedDocument.fire(this);
        return true;
      },
    };
    textDocuments.push(document);
    opened.fire(document);
    if (restored !== undefined) {
      document.isDirty = document.changed = true;
      tell(document, []);
    }
    return document;
  }
  const close = (document: Document) => {
    textDocuments.splice(textDocuments.indexOf(document), 1);
    closed.fire(document);
  };
  const uri = (label = 'one', account = 'Mine') =>
    places.uriOf({ account: 'mine', resource: 'mailbox', refs: { mailbox: '1' } }, account, label) as unknown as Uri;
  return {
    vscode,
    documents,
    accounts,
    server,
    sent,
    marks,
    questions,
    answers,
    closedTabs,
    context,
    open,
    close,
    type,
    uri,
    openedAs,
    get reads() {
      return reads;
    },
    get asked() {
      return asked;
    },
    /** Saves by hand, in vain: the text is as it was and unsaved, and whoever has no form in sight is told why. */
    async refusedSave(document: Document, why?: RegExp) {
      const { text } = document;
      told.length = 0;
      await document.save();
      assert.deepEqual([document.changed, document.text], [true, text]);
      assert.equal(documents.unsaved(document as never), true);
      if (why) assert.match(told.at(-1)?.message ?? '', why);
      else assert.deepEqual(told, []);
    },
    kept,
    told,
    down(error?: core.MailError) {
      down = error;
    },
    /** Only writes fail. */
    refuse(error?: core.MailError) {
      refused = error;
    },
    async settled() {
      await new Promise(resolve => setImmediate(resolve));
      await reading;
    },
    put(document: Document, values: Values) {
      type(document, `${JSON.stringify({ ...(JSON.parse(document.text) as Values), ...values }, null, 2)}\n`);
    },
    async revert(document: Document) {
      document.isDirty = document.changed = false;
      type(document, Buffer.from(await files.readFile(document.uri as never)).toString(), false);
      tell(document, []);
    },
    values: (document: Document) => JSON.parse(document.text) as Values,
  };
}

async function form(wb: Awaited<ReturnType<typeof workbench>>, document: Document) {
  const { createEditor } = await withVscode<typeof Editor>('objects/editor.ts', wb.vscode);
  const gone = new Emitter();
  const viewed = new Emitter();
  const posted: { type: string; [key: string]: any }[] = [];
  let hear: (given: unknown) => Promise<void> = async () => {};
  let asked = 0;
  const panel = {
    active: true,
    visible: true,
    onDidChangeViewState: viewed.event,
    onDidDispose: gone.event,
    webview: {
      cspSource: 'x',
      asWebviewUri: String,
      postMessage: async (message: never) => posted.push(message),
      onDidReceiveMessage: (listen: typeof hear) => {
        hear = listen;
        return { dispose() {} };
      },
    },
  };
  await createEditor({
    extension: wb.uri() as never,
    accounts: wb.accounts as never,
    documents: wb.documents,
    act: async () => {},
    pick: async () => undefined,
  }).resolveCustomTextEditor(document as never, panel as never, undefined as never);
  await hear({ type: 'ready' });
  return {
    posted,
    viewed,
    panel,
    ask: async (ask: object) => {
      const id = ++asked;
      await hear({ type: 'ask', id, ask });
      return posted.find(one => one.type === 'reply' && one.id === id)!;
    },
  };
}

describe('documents and what others change meanwhile', () => {
  it('saving over them is asked for once, with both values, and sends the fields asked for and nothing else', async () => {
    const wb = await workbench({ a: 1, b: 1, level: 'low' });
    const document = await wb.open(wb.uri());
    wb.put(document, { a: 3 });
    Object.assign(wb.server, { a: 2, b: 2, level: 'high' });
    wb.answers.push(() => {
      assert.equal(wb.marks.get(document.uri.toString())!.length, 1);
      return true;
    });
    await document.save();
    await wb.settled();
    assert.deepEqual(wb.questions, [[{ label: 'A', theirs: '2', ours: '3' }]]);
    assert.deepEqual(wb.sent, [{ a: 3, level: 'high' }]);
    assert.deepEqual(wb.values(document), { a: 3, b: 2, level: 'high' });
    assert.deepEqual(wb.marks.get(document.uri.toString()), []);
  });
  it('who was not agreed with is asked again: no second try saves over them by itself', async () => {
    const wb = await workbench({ a: 1, b: 1, level: 'low' });
    const document = await wb.open(wb.uri());
    wb.put(document, { a: 3 });
    wb.server.a = 2;
    for (const _ of [1, 2, 3]) await wb.refusedSave(document);
    assert.deepEqual([wb.sent, wb.questions.length, wb.values(document).a], [[], 3, 3]);
  });
  it('what changes again while the question is open is asked for again, with the newer value', async () => {
    const wb = await workbench({ a: 1, b: 1, level: 'low' });
    const document = await wb.open(wb.uri());
    wb.put(document, { a: 3 });
    wb.server.a = 2;
    wb.answers.push(() => {
      wb.server.a = 5;
      return true;
    });
    await wb.refusedSave(document);
    assert.deepEqual([wb.sent, wb.questions.map(([one]) => one!.theirs)], [[], ['2', '5']]);
  });
  it('a save that the vendor refused does not ask again for what was agreed to', async () => {
    const wb = await workbench({ a: 1, b: 1, level: 'low' });
    const document = await wb.open(wb.uri());
    wb.put(document, { a: 3 });
    wb.server.a = 2;
    wb.answers.push(() => {
      wb.refuse(new core.MailError('unavailable', 'The server is not reached.'));
      return true;
    });
    await wb.refusedSave(document, /not reached/);
    wb.refuse();
    await document.save();
    assert.deepEqual([wb.sent, wb.questions.length], [[{ a: 3, level: 'low' }], 1]);
  });
  it('what a vendor says in a refusal is no link in the notification that VS Code makes of it', async () => {
    const wb = await workbench({ a: 1, b: 1, level: 'low' });
    const document = await wb.open(wb.uri());
    wb.put(document, { a: 3 });
    wb.refuse(new core.MailError('rejected', 'No. [Retry](command:workbench.action.terminal.new)'));
    await assert.rejects(
      document.save(2),
      (error: Error) => !error.message.includes('](') && error.message.includes('Retry'),
    );
  });
  it('a refused save gives VS Code no other file to compare with: the next save is no conflict of files', async () => {
    const wb = await workbench({ a: 1, b: 1, level: 'low' });
    const document = await wb.open(wb.uri());
    wb.put(document, { a: 'no number' });
    const before = await wb.documents.provider.stat(document.uri as never);
    await wb.refusedSave(document, /^A must/);
    assert.deepEqual(await wb.documents.provider.stat(document.uri as never), before);
    wb.put(document, { a: 2 });
    await document.save();
    assert.deepEqual(
      [wb.sent, document.changed, wb.documents.unsaved(document as never)],
      [[{ a: 2, level: 'low' }], false, false],
    );
  });
  it('where nobody saved by hand, VS Code is told, in one sentence without a name of an error', async () => {
    const wb = await workbench({ a: 1, b: 1, level: 'low' });
    const document = await wb.open(wb.uri());
    wb.put(document, { a: 'no number' });
    const saved = await document.save(2).then(() => 'saved', String);
    assert.match(saved, /^A must be a number[^:]*\.$/);
    assert.deepEqual(wb.told, []);
  });
  it('JSON that is none is refused with its line', async () => {
    const wb = await workbench({ a: 1, b: 1, level: 'low' });
    const document = await wb.open(wb.uri());
    wb.type(document, '{\n  "a": 2\n  "b": 1\n}');
    await wb.refusedSave(document, /^This is not valid JSON\. Line 3: Expected comma\.$/);
    assert.deepEqual(
      wb.marks.get(document.uri.toString())!.map(({ at }) => at![0]),
      [2],
    );
  });
  it('reading again keeps what is not saved, and what was read then is not sent back', async () => {
    const wb = await workbench({ a: 1, b: 1, level: 'low' });
    const document = await wb.open(wb.uri());
    wb.put(document, { a: 3 });
    wb.server.b = 200;
    const { mtime } = await wb.documents.provider.stat(document.uri as never);
    await wb.documents.reload(document.uri as never);
    await wb.settled();
    assert.equal(
      (await wb.documents.provider.stat(document.uri as never)).mtime,
      mtime,
      'a later time would make VS Code refuse to save',
    );
    assert.deepEqual(wb.values(document), { a: 3, b: 1, level: 'low' });
    await document.save();
    await wb.settled();
    assert.deepEqual(wb.sent, [{ a: 3, level: 'low' }]);
    assert.equal(wb.values(document).b, 200, "saved, it shows the server's");
  });
  it('of unsaved text from an earlier session nobody knows what it was made from: everything it would send is shown first', async () => {
    const wb = await workbench({ a: 1, b: 2, level: 'low' });
    const document = await wb.open(wb.uri(), '{ "a": 3, "b": 1, "level": "low" }');
    await wb.refusedSave(document);
    assert.deepEqual(
      wb.questions.map(all => all.map(({ label }) => label)),
      [['A', 'B']],
    );
    assert.deepEqual(wb.sent, []);
    wb.answers.push(() => true);
    await document.save();
    assert.deepEqual(wb.sent, [{ a: 3, b: 1, level: 'low' }]);
  });
  it('a second tab on the object sees what the first saved, and sends none of it back', async () => {
    const wb = await workbench({ a: 1, b: 1, level: 'low' });
    const one = await wb.open(wb.uri());
    const other = await wb.open(wb.uri('one', 'Renamed'));
    const third = await wb.open(wb.uri('renamed'));
    wb.put(third, { b: 5 });
    wb.put(one, { a: 3 });
    await one.save();
    await wb.settled();
    assert.equal(wb.values(other).a, 3);
    await third.save();
    assert.deepEqual(wb.sent, [
      { a: 3, level: 'low' },
      { b: 5, level: 'low' },
    ]);
    assert.equal(wb.openedAs(wb.uri('another name') as never).toString(), one.uri.toString(), 'there is a tab already');
  });
  it('marks go when the document is read again or reverted', async () => {
    const wb = await workbench({ a: 1, b: 1, level: 'low' });
    const document = await wb.open(wb.uri());
    const marks = () => wb.marks.get(document.uri.toString())!.length;
    for (const undo of [() => wb.revert(document), () => wb.documents.reload(document.uri as never)]) {
      wb.put(document, { a: 'no number' });
      await wb.refusedSave(document, /^A /);
      assert.equal(marks(), 1);
      await undo();
      assert.equal(marks(), 0);
    }
  });
  it('a text is checked while it is written, and a mark goes when the value is right', async () => {
    const wb = await workbench({ a: 1, b: 1, level: 'low' });
    const document = await wb.open(wb.uri());
    const marks = () => (wb.marks.get(document.uri.toString()) ?? []).map(({ message }) => message);
    const marked = () =>
      new Promise<void>(resolve => {
        const heard = wb.documents.problems(() => {
          heard.dispose();
          resolve();
        });
      });
    for (const [values, wanted] of [
      [{ a: 'no number' }, /^A /],
      [{ stray: 1 }, /“stray”/],
    ] as const) {
      let heard = marked();
      wb.put(document, values);
      await heard;
      assert.match(marks().join(), wanted);
      heard = marked();
      wb.type(document, JSON.stringify({ a: 5, b: 1, level: 'low' }));
      await heard;
      assert.deepEqual(marks(), []);
    }
    const heard = marked();
    wb.type(document, '{ "a": 5, ');
    await heard;
    assert.deepEqual(
      wb.marks.get(document.uri.toString())!.map(({ message, at }) => [message, at]),
      [['Property expected', [0, 8, 0, 9]]],
    );
    assert.deepEqual(wb.sent, []);
  });
  it('what a save was refused for stays until its value is another one', async () => {
    const wb = await workbench({ a: 1, b: 1, level: 'low' });
    const document = await wb.open(wb.uri());
    const marks = () => wb.marks.get(document.uri.toString())!.length;
    wb.put(document, { a: 2 });
    wb.refuse(new core.MailError('rejected', 'A is taken.', { issues: [{ field: 'a', message: 'A is taken.' }] }));
    await wb.refusedSave(document, /taken/);
    for (const [values, wanted] of [
      [{ b: 'no number' }, 2],
      [{ a: 3, b: 1 }, 0],
    ] as const) {
      const heard = new Promise<void>(resolve => {
        const once = wb.documents.problems(() => {
          once.dispose();
          resolve();
        });
      });
      wb.put(document, values);
      await heard;
      assert.equal(marks(), wanted);
    }
  });
  it('what was closed is read anew, whichever view closed last', async () => {
    const wb = await workbench({ a: 1, b: 1, level: 'low' });
    wb.close(await wb.open(wb.uri()));
    wb.server.a = 9;
    assert.equal(wb.values(await wb.open(wb.uri())).a, 9);
  });
  it('opening reads once', async () => {
    const wb = await workbench({ a: 1, b: 1, level: 'low' });
    await wb.open(wb.uri());
    await wb.documents.load(wb.uri() as never);
    assert.equal(wb.reads, 1);
  });
});

describe('the address of a document', () => {
  it('is short and says nothing of account or object but what people call them; a window that comes back knows what it stands for', async () => {
    const wb = await workbench({ a: 1, b: 1, level: 'low' });
    const refs = { mailbox: 'https://api.example/mailboxes/4711'.repeat(10), tenant: 'secret-tenant' };
    const place = { account: '0f5b7c1e-account', resource: 'mailbox', refs, choices: {} };
    const uri = wb.documents.uriOf(place, 'Mine', 'ann@example.com');
    assert.match(uri.toString(), /^mailroom:\/Mine\/Mailbox\/ann@example\.com\.mailroom\?[\w-]{12}$/);
    const { createPlaces } = await withVscode<typeof Places>('objects/places.ts', wb.vscode);
    const again = createPlaces({ get: (key: string) => wb.kept.get(key) } as never);
    assert.deepEqual(again.placeOf(uri), { account: place.account, resource: 'mailbox', refs });
  });
  it('is the same for the same object, another for another one, and so many are known', async () => {
    const wb = await workbench({});
    const of = (id: number) =>
      wb.documents.uriOf({ account: 'mine', resource: 'mailbox', refs: { mailbox: String(id) } }, 'Mine', 'one');
    const first = of(0);
    assert.equal(first.toString(), of(0).toString());
    for (let id = 1; id < 600; id++) of(id);
    assert.equal(new Set(Array.from({ length: 600 }, (_, id) => of(id).query)).size, 600);
    assert.equal(Object.keys(wb.kept.get('documents') as object).length, 500);
    assert.deepEqual(wb.documents.placeOf(of(599)), { account: 'mine', resource: 'mailbox', refs: { mailbox: '599' } });
  });
  it('that this window does not know opens a tab that says so', async () => {
    const wb = await workbench({ a: 1 });
    const uri = wb.uri();
    wb.kept.clear();
    assert.match(JSON.parse((await wb.open(uri)).text) as string, /Open it again from the tree/);
    assert.equal(wb.reads, 0);
  });
});

describe('documents that cannot be read', () => {
  it('say why, ask for no secret by themselves, and are filled when somebody asks', async () => {
    const wb = await workbench({ a: 1, b: 1, level: 'low' }, false);
    const document = await wb.open(wb.uri());
    assert.match(JSON.parse(document.text) as string, /Sign in to Mine/);
    await assert.rejects(wb.documents.load(document.uri as never), /Sign in to Mine/);
    assert.deepEqual([wb.asked, wb.reads], [0, 0]);
    await wb.documents.load(document.uri as never, 'ask');
    await wb.settled();
    assert.deepEqual([wb.asked, wb.values(document)], [1, { a: 1, b: 1, level: 'low' }]);
    wb.put(document, { a: 2 });
    await document.save();
    assert.deepEqual(wb.sent, [{ a: 2, level: 'low' }]);
  });
  it('are not tried again by themselves, and their reason is never sent', async () => {
    const wb = await workbench({ a: 1, b: 1, level: 'low' });
    wb.down(new core.MailError('unavailable', 'The server is not reached.'));
    const document = await wb.open(wb.uri());
    assert.equal(JSON.parse(document.text), 'The server is not reached.');
    wb.down();
    await assert.rejects(wb.documents.load(document.uri as never), /not reached/);
    assert.equal(wb.reads, 0);
    document.isDirty = document.changed = true;
    await wb.refusedSave(document, /must be one JSON object/);
    assert.deepEqual(wb.sent, []);
  });
  it('open where their account is gone, and say how it comes back', async () => {
    const wb = await workbench({ a: 1, b: 1, level: 'low' });
    const ran: string[] = [];
    const list = wb.accounts.list;
    wb.accounts.list = () => [];
    const document = await wb.open(wb.uri());
    const { posted, ask } = await form(wb, document);
    assert.deepEqual(posted.at(-1), {
      type: 'held',
      title: 'one',
      message: 'The account of this object no longer exists.',
      button: 'Add Account',
    });
    wb.vscode.commands.executeCommand = async (name: string) => {
      ran.push(name);
      wb.accounts.list = list;
    };
    await ask({ do: 'again' });
    assert.deepEqual([ran[0], posted.some(({ type }) => type === 'form')], ['mailroom.addAccount', true]);
  });
  it('are no documents where the object is gone', async () => {
    const wb = await workbench({});
    wb.down(new core.MailError('not_found', 'There is no such mailbox.'));
    await assert.rejects(wb.open(wb.uri()), /no such mailbox/);
  });
});

describe('documents after what was done to their object', () => {
  const target = (mailbox: string) =>
    ({
      account: { id: 'mine' },
      resource: 'mailbox',
      binding: { refs: { mailbox, domain: 'd' }, choices: {} },
      label: '',
    }) as never;
  it('show what became of it; of others nothing is read', async () => {
    const wb = await workbench({ a: 1, b: 1, level: 'low' });
    const document = await wb.open(wb.uri());
    wb.server.a = 7;
    await wb.documents.acted(target('2'), false);
    assert.equal(wb.reads, 1);
    await wb.documents.acted(target('1'), false);
    await wb.settled();
    assert.equal(wb.values(document).a, 7);
  });
  it('close when nothing is left of it', async () => {
    const wb = await workbench({ a: 1, b: 1, level: 'low' });
    const document = await wb.open(wb.uri());
    await wb.documents.acted(target('1'), true);
    assert.deepEqual(wb.closedTabs, [document.uri.toString()]);
    await wb.open(wb.uri());
    wb.down(new core.MailError('not_found', 'gone'));
    await wb.documents.acted(target('1'), false);
    assert.equal(wb.closedTabs.length, 2);
  });
});

describe('the form over a document', () => {
  it('two edits at once both arrive', async () => {
    const wb = await workbench({ a: 1, b: 1, level: 'low' });
    const document = await wb.open(wb.uri());
    const { ask } = await form(wb, document);
    const replies = await Promise.all([
      ask({ do: 'edit', field: 'a', value: 2 }),
      ask({ do: 'edit', field: 'b', value: 3 }),
    ]);
    assert.deepEqual(
      replies.map(({ ok }) => ok),
      [true, true],
    );
    assert.deepEqual(wb.values(document), { a: 2, b: 3, level: 'low' });
  });
  it('an edit that meets another change of the document is made again', async () => {
    const wb = await workbench({ a: 1, b: 1, level: 'low' });
    const document = await wb.open(wb.uri());
    const { ask } = await form(wb, document);
    const apply = wb.vscode.workspace.applyEdit;
    wb.vscode.workspace.applyEdit = edit => {
      const done = apply(edit);
      wb.vscode.workspace.applyEdit = apply;
      wb.put(document, { b: 5 });
      return done;
    };
    assert.equal((await ask({ do: 'edit', field: 'a', value: 2 })).ok, true);
    assert.deepEqual(wb.values(document), { a: 2, b: 5, level: 'low' });
  });
  it('in sight, it shows at the field why a save was refused, and nothing else says it', async () => {
    const wb = await workbench({ a: 1, b: 1, level: 'low' });
    const document = await wb.open(wb.uri());
    const { posted, panel } = await form(wb, document);
    wb.put(document, { a: 'no number' });
    const told = posted.length;
    await wb.refusedSave(document);
    assert.equal(
      posted.slice(told).some(({ type }) => type === 'form'),
      false,
      'it is not drawn anew, which would take the focus',
    );
    assert.deepEqual(
      posted.findLast(({ refused }) => refused)!.issues.map(({ field }: { field: string }) => field),
      ['a'],
    );
    wb.put(document, { a: 2 });
    wb.refuse(new core.MailError('unavailable', 'The server is not reached.'));
    await wb.refusedSave(document, /not reached/);
    panel.visible = false;
    wb.refuse();
    wb.put(document, { a: 'no number' });
    await wb.refusedSave(document, /^A must/);
  });
  it('offers what the menu of the row offers, all else behind one button, and what destroys last', async () => {
    const wb = await workbench({ a: 1, b: 1, level: 'low' });
    const { posted, viewed } = await form(wb, await wb.open(wb.uri()));
    const ids = [
      'mailbox.restore',
      'mailbox.testSend',
      'mailbox.testSync',
      'mailbox.validate',
      'mailbox.reconnect',
      'sync.start',
      'message.sendFrom',
      'json',
      'more',
      'mailbox.delete',
    ];
    assert.deepEqual(
      posted.at(-1)!.form.actions.map(({ id }: { id: string }) => id),
      ids,
    );
    assert.equal(wb.context['mailroom.formCan'], ids.join(';'), 'the menu in the title knows');
    wb.context['mailroom.formCan'] = "another form's";
    viewed.fire();
    assert.equal(wb.context['mailroom.formCan'], ids.join(';'));
  });
  it('where the first reading failed it says why, with a button that tries again', async () => {
    const wb = await workbench({ a: 1, b: 1, level: 'low' });
    wb.down(new core.MailError('unavailable', 'The server is not reached.'));
    const document = await wb.open(wb.uri());
    const { posted, ask } = await form(wb, document);
    assert.deepEqual(posted.at(-1), {
      type: 'held',
      title: 'one',
      message: 'The server is not reached.',
      button: 'Retry',
    });
    await ask({ do: 'again' });
    assert.equal(posted.at(-2)!.type, 'held', 'still down');
    wb.down();
    await ask({ do: 'again' });
    await wb.settled();
    assert.deepEqual(posted.filter(({ type }) => type === 'form').length, 1);
    assert.deepEqual(posted.findLast(({ type }) => type === 'values')!.values, { a: 1, b: 1, level: 'low' });
  });
  it('without its secret it waits for a click', async () => {
    const wb = await workbench({ a: 1, b: 1, level: 'low' }, false);
    const document = await wb.open(wb.uri());
    const { posted, ask } = await form(wb, document);
    assert.deepEqual([posted.at(-1)!.button, wb.asked], ['Sign In', 0]);
    await ask({ do: 'again' });
    assert.equal(wb.asked, 1);
    assert.ok(posted.some(({ type }) => type === 'form'));
  });
});

describe('a test of a mailbox', () => {
  async function run(answer: Values) {
    const warned: string[] = [];
    const ticked: string[] = [];
    const vscode = {
      CancellationError: class extends Error {},
      window: {
        withProgress: (_: unknown, work: () => unknown) => work(),
        showWarningMessage: async (said: string) => {
          warned.push(said);
        },
        setStatusBarMessage: (said: string) => ticked.push(said),
      },
    };
    const { createOperator } = await withVscode<typeof Operate>('operations/run.ts', vscode);
    const operator = createOperator({
      extension: {} as never,
      accounts: { open: async () => ({ call: async () => answer }) } as never,
      problems: {
        tell: async (_: unknown, error: unknown) => {
          throw error;
        },
      } as never,
      showJson: async () => {},
      done() {},
    });
    await operator.run(
      {
        account: { id: 'mine', name: 'Mine', provider, values: {} },
        resource: 'mailbox',
        binding: { refs: { mailbox: '1' }, choices: {} },
        label: 'ben@example.com',
      },
      'mailbox.testSend',
    );
    return { warned, ticked };
  }
  it("that the vendor answers with a failure is a warning with the vendor's words, and no tick", async () => {
    const { warned, ticked } = await run({
      id: '1',
      status: 'error',
      native: {
        attributes: {
          sendErroredAt: '2026-11-26T05:00:00Z',
          sendSuccessAt: '2026-11-01T05:00:00Z',
          syncErroredAt: null,
        },
      },
    });
    assert.deepEqual(ticked, []);
    assert.deepEqual(warned, [
      'Does it: Made reports that mailbox “ben@example.com” needs attention. Last send failed on Nov 26.',
    ]);
  });
  it('that succeeds is a tick', async () => {
    const { warned, ticked } = await run({ id: '1', status: 'active', native: {} });
    assert.deepEqual([warned.length, ticked.length], [0, 1]);
  });
});
