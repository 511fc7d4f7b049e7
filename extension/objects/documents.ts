import * as vscode from 'vscode';
import { isMailError, MailError, type Field } from '../../shared/index.js';
import type { Accounts } from '../accounts/store.js';
import { idOfItem, inputFrom, labelOf, operationOf, type Binding } from '../fields/tables.js';
import {
  afterSave,
  changesOf,
  conflicts,
  editingOf,
  readText,
  same,
  textOf,
  valuesOf,
  wholeOf,
  type Editing,
  type Place,
} from '../fields/values.js';
import { keepChanged } from '../host/keepChanged.js';
import { explain } from '../host/problems.js';
import { shown, t, withoutMarkup } from '../host/text.js';
import type { Target } from '../operations/target.js';
import type { FormIssue, Values } from '../webview/messages.js';
import { firstMistake, marksOf } from './marks.js';
import { isDocument, tabs, type Places } from './places.js';

/** A document: the editable values of one object, as the vendor was last seen to have them. */
export interface Loaded {
  uri: vscode.Uri;
  place: Place;
  binding: Binding;
  editing: Editing;
  item: Values;
  values: Values;
  issues: FormIssue[];
  /** What VS Code is given when it reads, and when that last became another. */
  text: string;
  mtime: number;
  /**
   * What the open text was made from. Unknown until that was seen as it was given: unsaved text of an earlier session
   * was made from anything.
   */
  base?: Values;
  /** What the last save was refused for, each with the value it was about: true until that is another one. */
  refused?: { issue: FormIssue; value: unknown }[];
  /** When it was read, in milliseconds. */
  at: number;
}

/** A pause in typing after which a text is looked at, in milliseconds. */
const PAUSE = 200;
/**
 * What was read for no open document, or in vain, is not asked for again for so long, in milliseconds: to open one, VS
 * Code reads thrice.
 */
const FRESH = 10_000;

/** A field that was changed here and by somebody else: its label, and both values in words. */
export interface Conflict {
  label: string;
  theirs: string;
  ours: string;
}
/** What became of a text that was looked at, or that a save was refused for. */
export interface Problem {
  uri: vscode.Uri;
  typing: boolean;
  refused: boolean;
}
interface DocumentOptions {
  accounts: Accounts;
  places: Places;
  /** Told what a save gave back, so that the tree can show it. */
  saved(place: Place, answer: unknown): void;
  /** Asks whether to save over what somebody else changed meanwhile. */
  overwrite(uri: vscode.Uri, fields: readonly Conflict[]): Promise<boolean>;
  /** Told why a save was refused, where no form shows it. */
  refused(uri: vscode.Uri, account: string | undefined, error: unknown): void;
}

/** A value of a field in words, short enough to be asked about; a choice is called as the form calls it. */
const shownIn = (field: Field, value: unknown): string =>
  field.type === 'choice' && typeof value === 'string' && Object.hasOwn(field.choices, value)
    ? `“${field.choices[value]!}”`
    : shown(value);
const opened = (uri: vscode.Uri) =>
  vscode.workspace.textDocuments.find(document => document.uri.toString() === uri.toString());
/**
 * An error for VS Code, which shows it in a notification of its own: that reads links as ours do, and puts the name of
 * an error before its words.
 */
const forVsCode = (error: unknown): Error =>
  error instanceof vscode.FileSystemError
    ? error
    : Object.assign(new Error(withoutMarkup(error instanceof Error ? error.message : String(error))), { name: '' });
/**
 * A save that its user called off when he was asked about what others had changed: its fields are marked, and he knows.
 */
class CalledOff extends Error {}
/** An object as it was just read. */
interface Read {
  item: Values;
  editing: Editing;
  binding: Binding;
  values: Values;
}
/** What a save sends. `now` is what the object is by then. */
const inputOf = ({ fields, whole }: Editing, base: Values, edited: Values, now = base): Values =>
  whole ? wholeOf(fields, base, edited) : changesOf(fields, base, edited, now);
const tick = (one: Loaded) => {
  one.mtime = Math.max(one.mtime + 1, Date.now());
};
const baseOf = (one: Loaded, text: string): Values => ({ ...one.values, ...readText(text) });

/** A file system of one kind of file: reading asks the vendor, writing sends the difference. */
export class Documents {
  readonly #options: DocumentOptions;
  readonly #loaded = new Map<string, Loaded>();
  readonly #loading = new Map<string, Promise<Loaded>>();
  readonly #failed = new Map<string, { error: unknown; at: number }>();
  readonly #looking = new Map<string, NodeJS.Timeout>();
  /** Why the save under way was begun, and the forms that are open, by the address of their document. */
  readonly #reasons = new Map<string, vscode.TextDocumentSaveReason>();
  readonly #forms = new Map<string, Set<() => boolean>>();
  /**
   * The version in which a document stays unsaved after a save that was refused: the host of extensions takes it for
   * saved then.
   */
  readonly #kept = new Map<string, number>();
  readonly #changes = new vscode.EventEmitter<vscode.FileChangeEvent[]>();
  readonly #problems = new vscode.EventEmitter<Problem>();
  readonly #renewed = new vscode.EventEmitter<vscode.Uri>();
  readonly #diagnostics = vscode.languages.createDiagnosticCollection('mailroom');
  readonly #listening: vscode.Disposable[];
  readonly problems = this.#problems.event;
  /** Told which object was read again. */
  readonly renewed = this.#renewed.event;
  readonly provider: vscode.FileSystemProvider;

  constructor(options: DocumentOptions) {
    this.#options = options;
    this.provider = this.#fileSystem();
    this.#listening = [
      vscode.workspace.onDidOpenTextDocument(document => this.#meet(document, false)),
      vscode.workspace.onWillSaveTextDocument(({ document: { uri }, reason }) => {
        if (isDocument(uri)) this.#reasons.set(uri.toString(), reason);
      }),
      // An event without changes tells that the document became dirty or clean.
      vscode.workspace.onDidChangeTextDocument(({ document, contentChanges }) => {
        this.#meet(document, contentChanges.length === 0 && !this.unsaved(document));
        if (isDocument(document.uri) && contentChanges.length > 0) this.#lookSoon(document);
      }),
      vscode.workspace.onDidCloseTextDocument(({ uri }) => {
        if (!isDocument(uri)) return;
        this.#loaded.delete(uri.toString());
        this.#failed.delete(uri.toString());
        this.#kept.delete(uri.toString());
        this.#diagnostics.delete(uri);
      }),
    ];
  }

  #fileSystem(): vscode.FileSystemProvider {
    const fail = (): never => {
      throw vscode.FileSystemError.NoPermissions(t('Add and delete objects in the Mailroom tree.'));
    };
    return {
      onDidChangeFile: this.#changes.event,
      watch: () => new vscode.Disposable(() => {}),
      stat: async uri => {
        const { text, mtime } = await this.#given(uri);
        return { type: vscode.FileType.File, ctime: 0, mtime, size: Buffer.byteLength(text) };
      },
      readFile: async uri => Buffer.from((await this.#given(uri)).text),
      writeFile: (uri, content) => this.#write(uri, Buffer.from(content).toString('utf8')),
      readDirectory: () => [],
      createDirectory: fail,
      delete: fail,
      rename: fail,
    };
  }

  async #read(place: Place): Promise<Read> {
    const { accounts } = this.#options;
    const account = accounts.list().find(({ id }) => id === place.account);
    if (!account) throw new MailError('not_found', t('The account of this object no longer exists.'));
    const binding: Binding = { refs: place.refs, choices: place.choices ?? {} };
    const get = `${place.resource}.get`;
    const editing = editingOf(account.provider, place.resource, binding);
    if (!editing || !operationOf(account.provider, get))
      throw new MailError('unsupported', t('{0} cannot change this.', account.provider.name));
    const client = await accounts.open(place.account);
    const item = (await client.call(get, inputFrom(account.provider, get, binding))) as Values;
    return { item, editing, binding, values: valuesOf(editing.fields, item) };
  }
  /**
   * What is known of an object. By itself it asks nobody for a secret, and does not try again what failed; with `ask`,
   * somebody wants it now.
   */
  async load(uri: vscode.Uri, ask?: 'ask'): Promise<Loaded> {
    const key = uri.toString();
    const there = this.#loaded.get(key);
    const before = this.#failed.get(key);
    const current = (at: number) => opened(uri) !== undefined || Date.now() - at < FRESH;
    if (there && current(there.at)) return there;
    if (!ask && before && current(before.at)) throw before.error;
    const under =
      this.#loading.get(`${key} ${ask}`) ??
      this.#loadNow(uri, ask).finally(() => this.#loading.delete(`${key} ${ask}`));
    this.#loading.set(`${key} ${ask}`, under);
    return under;
  }
  async #loadNow(uri: vscode.Uri, ask: 'ask' | undefined): Promise<Loaded> {
    const { accounts, places } = this.#options;
    const key = uri.toString();
    try {
      const place = places.placeOf(uri);
      if (!place)
        throw new MailError(
          'unavailable',
          t('This window does not know what this tab showed. Open it again from the tree.'),
        );
      if (!ask && !(await accounts.ready(place.account))) {
        const { name } = accounts.find(place.account);
        throw new MailError('unauthorized', t('Sign in to {0} to show this again.', name));
      }
      const got = await this.#read(place);
      const one: Loaded = { uri, place, ...got, text: textOf(got.values), mtime: 1, issues: [], at: Date.now() };
      this.#loaded.set(key, one);
      this.#failed.delete(key);
      const document = opened(uri);
      if (document) this.#meet(document, !this.unsaved(document));
      return one;
    } catch (error) {
      this.#failed.set(key, { error, at: Date.now() });
      explain(uri.path, error);
      throw error;
    }
  }
  /** Whether there is something to save in a document. */
  unsaved(document: vscode.TextDocument): boolean {
    return document.isDirty || this.#kept.get(document.uri.toString()) === document.version;
  }
  get(uri: vscode.Uri): Loaded | undefined {
    return this.#loaded.get(uri.toString());
  }
  /** The address of an object's document. */
  uriOf(...of: Parameters<Places['uriOf']>): vscode.Uri {
    return this.#options.places.uriOf(...of);
  }
  placeOf(uri: vscode.Uri): Place | undefined {
    return this.#options.places.placeOf(uri);
  }
  /** Whether the account of a document is no longer there: its tab opens all the same, and says how it comes back. */
  accountGone(uri: vscode.Uri): boolean {
    const place = this.placeOf(uri);
    return place !== undefined && !this.#options.accounts.list().some(({ id }) => id === place.account);
  }
  /**
   * What VS Code is given to read. Where a later try may go better that is a text that says why, so that there is a tab
   * to try it from.
   */
  async #given(uri: vscode.Uri): Promise<{ text: string; mtime: number }> {
    try {
      return await this.load(uri);
    } catch (error) {
      if (!this.accountGone(uri) && (!isMailError(error) || error.code === 'not_found' || error.code === 'unsupported'))
        throw forVsCode(error);
      return { text: `${JSON.stringify((error as Error).message)}\n`, mtime: 0 };
    }
  }

  /** Says what is wrong with a text, where that stands and in the forms over it. */
  async #complain(one: Loaded, issues: FormIssue[], text: string, how?: 'typing' | 'refused'): Promise<void> {
    one.issues = issues;
    if (!issues.length) one.refused = undefined;
    const marks = issues.length ? await marksOf(one.editing.fields, issues, text) : [];
    // Something else was said meanwhile.
    if (one.issues !== issues) return;
    this.#diagnostics.set(one.uri, marks);
    this.#problems.fire({ uri: one.uri, typing: how === 'typing', refused: how === 'refused' });
  }
  /** What a save was refused for, as long as nothing was changed about it. */
  async #refuse(one: Loaded, issues: FormIssue[], text: string, edited?: Values): Promise<void> {
    one.refused = issues.map(issue => ({ issue, value: issue.field === undefined ? text : edited?.[issue.field] }));
    await this.#complain(one, issues, text, 'refused');
  }
  /**
   * Looks at a text while it is written: what could not be saved is marked where it stands, and no longer once it is
   * right.
   */
  async #lookAt(document: vscode.TextDocument): Promise<void> {
    const one = this.get(document.uri);
    const text = document.getText();
    if (!one || !this.unsaved(document)) return;
    let issues: FormIssue[] = [];
    let edited: Values | undefined;
    try {
      edited = readText(text);
      inputOf(one.editing, one.base ?? one.values, edited);
    } catch (error) {
      issues = isMailError(error) ? (error.details.issues ?? [{ message: error.message }]) : [];
    }
    const still = (one.refused ?? [])
      .filter(({ issue: { field }, value }) => same(field === undefined ? text : edited?.[field], value))
      .map(({ issue }) => issue);
    const all = [...issues, ...still.filter(({ field }) => !issues.some(other => other.field === field))];
    // Text that is no JSON is marked anew each time: what is wrong with it moves with the text.
    if (edited === undefined || !same(all, one.issues)) await this.#complain(one, all, text, 'typing');
  }
  #lookSoon(document: vscode.TextDocument): void {
    const key = document.uri.toString();
    clearTimeout(this.#looking.get(key));
    this.#looking.set(
      key,
      setTimeout(() => {
        this.#looking.delete(key);
        this.#lookAt(document).catch(error => explain(document.uri.path, error));
      }, PAUSE).unref(),
    );
  }
  /**
   * Gives the state of the server to whoever shows it. Text with changes is left alone, and so is the time that VS Code
   * would compare.
   */
  #show(one: Loaded): void {
    one.text = textOf(one.values);
    const document = opened(one.uri);
    if (document && this.unsaved(document)) return;
    tick(one);
    this.#changes.fire([{ type: vscode.FileChangeType.Changed, uri: one.uri }]);
  }
  /**
   * Looks at the text of a document, after a change of it or when it became `clean`: as it was given, it tells what
   * further changes start from.
   */
  #meet(document: vscode.TextDocument, clean: boolean): void {
    const one = this.get(document.uri);
    const text = document.getText();
    if (!one) return;
    if (clean && text !== textOf(one.values)) this.#show(one);
    else if (text === one.text) {
      one.base = baseOf(one, text);
      if (one.issues.length) void this.#complain(one, [], text);
    }
  }
  /** Takes over what the server was seen to have, for every document of the object. */
  #settle(uri: vscode.Uri, item: Values, values: Values, except?: Loaded): void {
    for (const one of this.#loaded.values()) {
      if (one.uri.query !== uri.query) continue;
      Object.assign(one, { item, values });
      if (one !== except && textOf(values) !== one.text) this.#show(one);
    }
  }

  /**
   * Saves a text. VS Code tells a failure in a notification of its own, with the address of the file and a *Retry*; so
   * where somebody saved by hand it is told that the save went well and that the text was changed meanwhile. Then the
   * text stays unsaved, also when its tab is being closed, and what is wrong is said in our words, at the field.
   */
  async #write(uri: vscode.Uri, text: string): Promise<void> {
    const key = uri.toString();
    const byHand = this.#reasons.get(key) === vscode.TextDocumentSaveReason.Manual;
    this.#reasons.delete(key);
    try {
      await this.#save(uri, text);
      this.#kept.delete(key);
    } catch (error) {
      explain(uri.path, error);
      const document = opened(uri);
      if (!byHand || !document || !(await keepChanged(document))) throw forVsCode(error);
      this.#kept.set(key, document.version);
      if (error instanceof CalledOff) return;
      const atField = isMailError(error) && ['invalid_input', 'rejected', 'conflict'].includes(error.code);
      if (!atField || ![...(this.#forms.get(key) ?? [])].some(visible => visible()))
        this.#options.refused(uri, this.placeOf(uri)?.account, error);
    }
  }
  async #save(uri: vscode.Uri, text: string): Promise<void> {
    const one = await this.load(uri, 'ask');
    const { fields, operation, target } = one.editing;
    let edited: Values | undefined;
    try {
      edited = readText(text);
      let answer: unknown;
      const sends = Object.keys(inputOf(one.editing, one.base ?? one.values, edited)).length > 0;
      if (sends) {
        const { now, input } = await this.#agreed(one, edited, text);
        answer = await (await this.#options.accounts.open(one.place.account)).call(operation, { ...target, ...input });
        // What was written is what was accepted; the vendor's own spelling comes with the next reading.
        const told = typeof answer === 'object' && answer !== null ? (answer as Values) : {};
        // A receipt names the object and says nothing of it: then it is called what was sent.
        const named = labelOf(one.place.resource, told) === idOfItem(told) ? input : {};
        this.#settle(
          uri,
          { ...now.item, ...named, ...told },
          afterSave(fields, one.editing.whole ? {} : now.values, input, answer),
          one,
        );
      }
      one.text = text;
      one.base = baseOf(one, text);
      tick(one);
      await this.#complain(one, [], text);
      if (sends) this.#options.saved(one.place, answer);
    } catch (error) {
      const mistake = edited === undefined ? await firstMistake(fields, text) : undefined;
      const told = mistake
        ? new MailError(
            'invalid_input',
            t('This is not valid JSON. Line {0}: {1}.', mistake.line, mistake.message.replace(/\.$/, '')),
          )
        : error;
      if (isMailError(told)) {
        await this.#refuse(
          one,
          told.details.issues?.length ? told.details.issues : [{ message: told.message }],
          text,
          edited,
        );
      }
      throw told;
    }
  }

  /**
   * What a save sends, once nothing in it would silently undo what somebody else did. Nobody offers conditional writes,
   * so the object is read just before; for what others changed meanwhile the user is asked, and as he takes his time it
   * is read again after that.
   */
  async #agreed(one: Loaded, edited: Values, text: string): Promise<{ now: Read; input: Values }> {
    const { fields } = one.editing;
    for (;;) {
      const now = await this.#read(one.place);
      const base = one.base ?? now.values;
      const input = inputOf(one.editing, base, edited, now.values);
      const others = conflicts(one.base, now.values, input);
      if (!others.length) return { now, input };
      this.#settle(one.uri, now.item, now.values);
      await this.#refuse(
        one,
        others.map(field => ({
          field,
          message: t(
            'Changed on the server in the meantime. The value there is now {0}.',
            shownIn(fields[field]!, now.values[field]),
          ),
        })),
        text,
        edited,
      );
      const known = others
        .map(name => fields[name]!)
        .map((field, i) => ({
          label: field.label,
          theirs: shownIn(field, now.values[others[i]!]),
          ours: shownIn(field, input[others[i]!]),
        }));
      if (!(await this.#options.overwrite(one.uri, known))) {
        throw new CalledOff(
          t('Not saved, because someone else changed {0} on the server.', known.map(({ label }) => label).join(', ')),
        );
      }
      // The user agreed to these values and no others: what changes again is asked for again.
      one.base = { ...base, ...Object.fromEntries(others.map(name => [name, now.values[name]])) };
    }
  }

  /** Reads an object again; an open editor without changes shows the new state, one with changes keeps them. */
  async reload(uri: vscode.Uri): Promise<void> {
    const one = this.get(uri);
    if (!one) return;
    const now = await this.#read(one.place);
    this.#settle(uri, now.item, now.values);
    await this.#complain(one, [], one.text);
    this.#renewed.fire(uri);
  }
  /**
   * Told of a write that was no save: the open documents of the object show what became of it, and close where nothing
   * is left of it.
   */
  async acted({ account, resource, binding }: Target, gone: boolean): Promise<void> {
    const about = [...this.#loaded.values()].filter(
      ({ place, uri }) =>
        place.account === account.id &&
        place.resource === resource &&
        opened(uri) &&
        Object.entries(place.refs).every(([name, id]) => (binding.refs[name] ?? id) === id),
    );
    for (const { uri } of about) {
      const lost =
        gone ||
        (await this.reload(uri).then(
          () => false,
          error => isMailError(error) && error.code === 'not_found',
        ));
      if (lost) await vscode.window.tabGroups.close(tabs(one => one.toString() === uri.toString()));
    }
  }
  /** The object as the vendor has it now, for the comparison. */
  async serverText(uri: vscode.Uri): Promise<string> {
    const place = this.placeOf(uri);
    if (!place) throw vscode.FileSystemError.FileNotFound(uri);
    return textOf((await this.#read(place)).values);
  }
  /** Lets a form say whether it is in sight: what a save was refused for is said there then, and nowhere else. */
  form(uri: vscode.Uri, visible: () => boolean): vscode.Disposable {
    const key = uri.toString();
    const all = this.#forms.get(key) ?? new Set();
    this.#forms.set(key, all.add(visible));
    return new vscode.Disposable(() => {
      all.delete(visible);
      if (!all.size) this.#forms.delete(key);
    });
  }
  dispose(): void {
    for (const one of this.#looking.values()) clearTimeout(one);
    for (const one of [...this.#listening, this.#changes, this.#problems, this.#renewed, this.#diagnostics])
      one.dispose();
    this.#loaded.clear();
  }
}
