import * as vscode from 'vscode';
import { isMailError, MailError } from '../../shared/index.js';
import type { Accounts } from '../accounts/store.js';
import { inputFrom, operationOf, sourceOf } from '../fields/tables.js';
import type { Place } from '../fields/values.js';
import { keepChanged } from '../host/keepChanged.js';
import { explain, isCancel } from '../host/problems.js';
import { t, withoutMarkup } from '../host/text.js';
import { window } from '../host/window.js';
import type { Values } from '../webview/messages.js';
import { marksOf } from './marks.js';

/** Texts of a language that a provider keeps, such as scripts, as files: reading asks the provider, saving has it check and store them. */
export const SCRIPTS = 'mailroom-script', ON_SERVER = 'mailroom-script-server';
export const isScript = (uri: vscode.Uri | undefined): uri is vscode.Uri => uri?.scheme === SCRIPTS;
/** What a person calls the script of an address. */
export const nameOf = (uri: vscode.Uri): string => uri.path.split('/').at(-1)!;

interface Loaded { text: string; mtime: number; at: number }
interface Options {
  accounts: Accounts;
  placeOf(uri: vscode.Uri): Place | undefined;
  /** Told of a script that was stored. */
  saved(place: Place): void;
  /** Told why a save by hand was refused: VS Code would name the address of the file. */
  refused(uri: vscode.Uri, account: string | undefined, error: unknown): void;
}
export type Scripts = ReturnType<typeof createScripts>;

/** A pause in typing after which a text that was refused is checked again, in milliseconds. */
const PAUSE = 1_000;
/** What was read is not asked for again for so long, in milliseconds: to open a file, VS Code reads it thrice. */
const FRESH = 10_000;

/** An error for VS Code, which puts the name of one before its words and reads links in them. */
const forVsCode = (error: unknown): Error => Object.assign(new Error(withoutMarkup((error as Error).message)), { name: '' });
const opened = (uri: vscode.Uri) => vscode.workspace.textDocuments.find(document => document.uri.toString() === uri.toString());

export function createScripts({ accounts, placeOf, saved, refused }: Options) {
  const loaded = new Map<string, Loaded>(), changes = new vscode.EventEmitter<vscode.FileChangeEvent[]>();
  const diagnostics = vscode.languages.createDiagnosticCollection('mailroom-scripts');
  /** Why the save under way was begun, and the version in which a document stays unsaved after a save that was refused. */
  const reasons = new Map<string, vscode.TextDocumentSaveReason>(), kept = new Map<string, number>(), pauses = new Map<string, NodeJS.Timeout>();
  const listening = [
    vscode.workspace.onDidCloseTextDocument(({ uri }) => {
      if (!isScript(uri)) return;
      for (const one of [loaded, reasons, kept]) one.delete(uri.toString());
      diagnostics.delete(uri);
    }),
    vscode.workspace.onWillSaveTextDocument(({ document: { uri }, reason }) => { if (isScript(uri)) reasons.set(uri.toString(), reason); }),
    vscode.workspace.onDidChangeTextDocument(({ document, contentChanges }) => { if (isScript(document.uri) && contentChanges.length) checkSoon(document); }),
  ];
  /** Whether there is something to save in a document: the host of extensions takes one for saved whose save was refused. */
  const unsaved = (document: vscode.TextDocument): boolean => document.isDirty || kept.get(document.uri.toString()) === document.version;
  /** What was marked is looked at again while it is corrected. */
  function checkSoon(document: vscode.TextDocument): void {
    const key = document.uri.toString();
    clearTimeout(pauses.get(key));
    if (!diagnostics.has(document.uri)) return;
    pauses.set(key, setTimeout(() => {
      pauses.delete(key);
      check(document.uri, document.getText()).catch((error: unknown) => explain(document.uri.path, error));
    }, PAUSE).unref());
  }

  /** What an address stands for, and how its text is called in the table. */
  function about(uri: vscode.Uri) {
    const place = placeOf(uri), account = accounts.list().find(({ id }) => id === place?.account);
    if (!place || !account) throw new MailError('unavailable', t('This window does not know what this tab showed. Open it again from the tree.'));
    const source = sourceOf(account.provider, place.resource);
    if (!source) throw new MailError('unsupported', t('{0} cannot change this.', account.provider.name));
    const of = (verb: string) => `${place.resource}.${verb}`, binding = { refs: place.refs, choices: place.choices ?? {} };
    return { place, account, source, of, input: (verb: string) => inputFrom(account.provider, of(verb), binding) };
  }
  async function read(uri: vscode.Uri): Promise<string> {
    const { place, source, of, input } = about(uri), client = await accounts.open(place.account);
    const item = await client.call(of('get'), input('get')) as Values;
    return typeof item[source.field] === 'string' ? item[source.field] as string : '';
  }
  async function load(uri: vscode.Uri): Promise<Loaded> {
    const key = uri.toString(), there = loaded.get(key);
    if (there && (opened(uri) || Date.now() - there.at < FRESH)) return there;
    try {
      const one = { text: await read(uri), mtime: there?.mtime ?? 1, at: Date.now() };
      loaded.set(key, one);
      return one;
    } catch (error) { explain(uri.path, error); throw forVsCode(error); }
  }
  const tick = (one: Loaded) => { one.mtime = Math.max(one.mtime + 1, Date.now()); };

  /** Has the provider look at a text. Throws `invalid_input` where it would not take it; every line it names is marked. */
  async function check(uri: vscode.Uri, text: string): Promise<void> {
    const { place, account, source, of } = about(uri);
    if (!operationOf(account.provider, of('check'))) return;
    const told = await (await accounts.open(place.account)).call(of('check'), { [source.field]: text }) as { valid: boolean; message?: string };
    mark(uri, told.message, told.valid, text);
    if (!told.valid) throw new MailError('invalid_input', told.message ?? t('This value is not accepted.'));
  }
  const mark = (uri: vscode.Uri, words: string | undefined, valid: boolean, text: string): void => {
    if (words === undefined) diagnostics.delete(uri); else diagnostics.set(uri, marksOf(words, valid, text));
  };

  /** Stores a text over the one it was made from. Where somebody else changed that meanwhile, the user is asked. */
  async function put(uri: vscode.Uri, text: string, before: string): Promise<void> {
    const { place, account, source, of, input } = about(uri), client = await accounts.open(place.account);
    const guard = operationOf(account.provider, of('put'))!.input.before ? { before } : {};
    try {
      // What names a text to read names it to store as well, where that could be a new name.
      await client.call(of('put'), { ...input('get'), ...input('put'), [source.field]: text, ...guard });
    } catch (error) {
      if (isMailError(error) && error.code === 'invalid_input') mark(uri, error.details.issues?.[0]?.message ?? error.message, false, text);
      if (!isMailError(error) || error.code !== 'conflict') throw error;
      const now = await read(uri), compare = t('Compare'), overwrite = t('Overwrite');
      const picked = await window.showWarningMessage(t('Overwrite what someone else changed in {0}?', nameOf(uri)), { modal: true }, compare, overwrite);
      if (picked === compare) void vscode.commands.executeCommand('mailroom.compareScript', uri);
      // Who called it off knows why.
      if (picked !== overwrite) throw new vscode.CancellationError();
      await put(uri, text, now);
    }
  }
  async function write(uri: vscode.Uri, text: string): Promise<void> {
    const key = uri.toString(), byHand = reasons.get(key) === vscode.TextDocumentSaveReason.Manual, one = await load(uri);
    reasons.delete(key);
    clearTimeout(pauses.get(key));
    try {
      if (text !== one.text) {
        await check(uri, text);
        await put(uri, text, one.text);
      } else diagnostics.delete(uri);
      one.text = text;
      tick(one);
      kept.delete(key);
      saved(about(uri).place);
    } catch (error) {
      explain(uri.path, error);
      const document = opened(uri);
      if (!byHand || !document || !await keepChanged(document)) throw forVsCode(error);
      kept.set(key, document.version);
      if (!isCancel(error)) refused(uri, placeOf(uri)?.account, error);
    }
  }
  const fail = (): never => { throw vscode.FileSystemError.NoPermissions(t('Add and delete objects in the Mailroom tree.')); };
  const provider: vscode.FileSystemProvider = {
    onDidChangeFile: changes.event, watch: () => new vscode.Disposable(() => {}),
    stat: async uri => {
      const { text, mtime } = await load(uri);
      return { type: vscode.FileType.File, ctime: 0, mtime, size: Buffer.byteLength(text) };
    },
    readFile: async uri => Buffer.from((await load(uri)).text),
    writeFile: (uri, content) => write(uri, Buffer.from(content).toString('utf8')),
    readDirectory: () => [], createDirectory: fail, delete: fail, rename: fail,
  };
  return {
    provider,
    /** The text as the provider has it now, for the comparison. */
    serverText: (uri: vscode.Uri): Promise<string> => read(uri),
    /** Reads the open scripts of an account again: something may have changed them. Text with changes of the user's is left alone. */
    async renew(account: string): Promise<void> {
      for (const [key, one] of loaded) {
        const document = vscode.workspace.textDocuments.find(({ uri }) => uri.toString() === key);
        if (!document || unsaved(document) || placeOf(document.uri)?.account !== account) continue;
        const now = await read(document.uri).catch(() => undefined);
        if (now === undefined || now === one.text) continue;
        one.text = now;
        tick(one);
        changes.fire([{ type: vscode.FileChangeType.Changed, uri: document.uri }]);
      }
    },
    dispose() {
      for (const one of pauses.values()) clearTimeout(one);
      for (const one of [...listening, changes, diagnostics]) one.dispose();
      loaded.clear();
    },
  };
}
