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

/**
 * Texts of a language that a provider keeps, such as scripts, as files: reading asks the provider, saving has it check
 * and store them.
 */
export const SCRIPTS = 'mailroom-script';
export const ON_SERVER = 'mailroom-script-server';
export const isScript = (uri: vscode.Uri | undefined): uri is vscode.Uri => uri?.scheme === SCRIPTS;
/** What a person calls the script of an address. */
export const nameOf = (uri: vscode.Uri): string => uri.path.split('/').at(-1)!;

interface Loaded {
  text: string;
  mtime: number;
  at: number;
}
interface Options {
  accounts: Accounts;
  placeOf(uri: vscode.Uri): Place | undefined;
  /** Told of a script that was stored. */
  saved(place: Place): void;
  /** Told why a save by hand was refused: VS Code would name the address of the file. */
  refused(uri: vscode.Uri, account: string | undefined, error: unknown): void;
}
/** A pause in typing after which a text that was refused is checked again, in milliseconds. */
const PAUSE = 1_000;
/** What was read is not asked for again for so long, in milliseconds: to open a file, VS Code reads it thrice. */
const FRESH = 10_000;

/** An error for VS Code, which puts the name of one before its words and reads links in them. */
const forVsCode = (error: unknown): Error =>
  Object.assign(new Error(withoutMarkup((error as Error).message)), { name: '' });
const opened = (uri: vscode.Uri) =>
  vscode.workspace.textDocuments.find(document => document.uri.toString() === uri.toString());

export const createScripts = (options: Options): Scripts => new Scripts(options);

export class Scripts {
  readonly provider: vscode.FileSystemProvider;
  private readonly options: Options;
  private readonly loaded = new Map<string, Loaded>();
  private readonly changes = new vscode.EventEmitter<vscode.FileChangeEvent[]>();
  private readonly diagnostics = vscode.languages.createDiagnosticCollection('mailroom-scripts');
  /**
   * Why the save under way was begun, and the version in which a document stays unsaved after a save that was refused.
   */
  private readonly reasons = new Map<string, vscode.TextDocumentSaveReason>();
  private readonly kept = new Map<string, number>();
  private readonly pauses = new Map<string, NodeJS.Timeout>();
  private readonly listening: vscode.Disposable[];

  constructor(options: Options) {
    this.options = options;
    this.provider = this.fileSystem();
    this.listening = [
      vscode.workspace.onDidCloseTextDocument(({ uri }) => {
        if (!isScript(uri)) return;
        for (const one of [this.loaded, this.reasons, this.kept]) one.delete(uri.toString());
        this.diagnostics.delete(uri);
      }),
      vscode.workspace.onWillSaveTextDocument(({ document: { uri }, reason }) => {
        if (isScript(uri)) this.reasons.set(uri.toString(), reason);
      }),
      vscode.workspace.onDidChangeTextDocument(({ document, contentChanges }) => {
        if (isScript(document.uri) && contentChanges.length) this.checkSoon(document);
      }),
    ];
  }

  /** The text as the provider has it now, for the comparison. */
  serverText(uri: vscode.Uri): Promise<string> {
    return this.read(uri);
  }
  /**
   * Reads the open scripts of an account again: something may have changed them. Text with changes of the user's is
   * left alone.
   */
  async renew(account: string): Promise<void> {
    for (const [key, one] of this.loaded) {
      const document = vscode.workspace.textDocuments.find(({ uri }) => uri.toString() === key);
      if (!document || this.unsaved(document) || this.options.placeOf(document.uri)?.account !== account) continue;
      const now = await this.read(document.uri).catch(() => undefined);
      if (now === undefined || now === one.text) continue;
      one.text = now;
      tick(one);
      this.changes.fire([{ type: vscode.FileChangeType.Changed, uri: document.uri }]);
    }
  }
  dispose(): void {
    for (const one of this.pauses.values()) clearTimeout(one);
    for (const one of [...this.listening, this.changes, this.diagnostics]) one.dispose();
    this.loaded.clear();
  }

  private fileSystem(): vscode.FileSystemProvider {
    const fail = (): never => {
      throw vscode.FileSystemError.NoPermissions(t('Add and delete objects in the Mailroom tree.'));
    };
    return {
      onDidChangeFile: this.changes.event,
      watch: () => new vscode.Disposable(() => {}),
      stat: async uri => {
        const { text, mtime } = await this.load(uri);
        return { type: vscode.FileType.File, ctime: 0, mtime, size: Buffer.byteLength(text) };
      },
      readFile: async uri => Buffer.from((await this.load(uri)).text),
      writeFile: (uri, content) => this.write(uri, Buffer.from(content).toString('utf8')),
      readDirectory: () => [],
      createDirectory: fail,
      delete: fail,
      rename: fail,
    };
  }
  /** What an address stands for, and how its text is called in the table. */
  private about(uri: vscode.Uri) {
    const place = this.options.placeOf(uri);
    const account = this.options.accounts.list().find(({ id }) => id === place?.account);
    if (!place || !account)
      throw new MailError(
        'unavailable',
        t('This window does not know what this tab showed. Open it again from the tree.'),
      );
    const source = sourceOf(account.provider, place.resource);
    if (!source) throw new MailError('unsupported', t('{0} cannot change this.', account.provider.name));
    const of = (verb: string) => `${place.resource}.${verb}`;
    const binding = { refs: place.refs, choices: place.choices ?? {} };
    return { place, account, source, of, input: (verb: string) => inputFrom(account.provider, of(verb), binding) };
  }
  /**
   * Whether there is something to save in a document: the host of extensions takes one for saved whose save was
   * refused.
   */
  private unsaved(document: vscode.TextDocument): boolean {
    return document.isDirty || this.kept.get(document.uri.toString()) === document.version;
  }

  private async read(uri: vscode.Uri): Promise<string> {
    const { place, source, of, input } = this.about(uri);
    const client = await this.options.accounts.open(place.account);
    const item = (await client.call(of('get'), input('get'))) as Values;
    return typeof item[source.field] === 'string' ? (item[source.field] as string) : '';
  }
  private async load(uri: vscode.Uri): Promise<Loaded> {
    const key = uri.toString();
    const there = this.loaded.get(key);
    if (there && (opened(uri) || Date.now() - there.at < FRESH)) return there;
    try {
      const one = { text: await this.read(uri), mtime: there?.mtime ?? 1, at: Date.now() };
      this.loaded.set(key, one);
      return one;
    } catch (error) {
      explain(uri.path, error);
      throw forVsCode(error);
    }
  }

  /** What was marked is looked at again while it is corrected. */
  private checkSoon(document: vscode.TextDocument): void {
    const key = document.uri.toString();
    clearTimeout(this.pauses.get(key));
    if (!this.diagnostics.has(document.uri)) return;
    this.pauses.set(
      key,
      setTimeout(() => {
        this.pauses.delete(key);
        this.check(document.uri, document.getText()).catch((error: unknown) => explain(document.uri.path, error));
      }, PAUSE).unref(),
    );
  }
  /**
   * Has the provider look at a text. Throws `invalid_input` where it would not take it; every line it names is marked.
   */
  private async check(uri: vscode.Uri, text: string): Promise<void> {
    const { place, account, source, of } = this.about(uri);
    if (!operationOf(account.provider, of('check'))) return;
    const client = await this.options.accounts.open(place.account);
    const told = (await client.call(of('check'), { [source.field]: text })) as { valid: boolean; message?: string };
    this.mark(uri, told.message, told.valid, text);
    if (!told.valid) throw new MailError('invalid_input', told.message ?? t('This value is not accepted.'));
  }
  private mark(uri: vscode.Uri, words: string | undefined, valid: boolean, text: string): void {
    if (words === undefined) this.diagnostics.delete(uri);
    else this.diagnostics.set(uri, marksOf(words, valid, text));
  }

  private async write(uri: vscode.Uri, text: string): Promise<void> {
    const key = uri.toString();
    const byHand = this.reasons.get(key) === vscode.TextDocumentSaveReason.Manual;
    const one = await this.load(uri);
    this.reasons.delete(key);
    clearTimeout(this.pauses.get(key));
    try {
      if (text !== one.text) {
        await this.check(uri, text);
        await this.put(uri, text, one.text);
      } else this.diagnostics.delete(uri);
      one.text = text;
      tick(one);
      this.kept.delete(key);
      this.options.saved(this.about(uri).place);
    } catch (error) {
      explain(uri.path, error);
      const document = opened(uri);
      if (!byHand || !document || !(await keepChanged(document))) throw forVsCode(error);
      this.kept.set(key, document.version);
      if (!isCancel(error)) this.options.refused(uri, this.options.placeOf(uri)?.account, error);
    }
  }
  /** Stores a text over the one it was made from. Where somebody else changed that meanwhile, the user is asked. */
  private async put(uri: vscode.Uri, text: string, before: string): Promise<void> {
    const { place, account, source, of, input } = this.about(uri);
    const client = await this.options.accounts.open(place.account);
    const guard = operationOf(account.provider, of('put'))!.input.before ? { before } : {};
    try {
      // What names a text to read names it to store as well, where that could be a new name.
      await client.call(of('put'), { ...input('get'), ...input('put'), [source.field]: text, ...guard });
    } catch (error) {
      if (isMailError(error) && error.code === 'invalid_input')
        this.mark(uri, error.details.issues?.[0]?.message ?? error.message, false, text);
      if (!isMailError(error) || error.code !== 'conflict') throw error;
      const now = await this.read(uri);
      const compare = t('Compare');
      const overwrite = t('Overwrite');
      const picked = await window.showWarningMessage(
        t('Overwrite what someone else changed in {0}?', nameOf(uri)),
        { modal: true },
        compare,
        overwrite,
      );
      if (picked === compare) void vscode.commands.executeCommand('mailroom.compareScript', uri);
      // Who called it off knows why.
      if (picked !== overwrite) throw new vscode.CancellationError();
      await this.put(uri, text, now);
    }
  }
}

const tick = (one: Loaded): void => {
  one.mtime = Math.max(one.mtime + 1, Date.now());
};
