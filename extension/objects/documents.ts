import * as vscode from 'vscode';
import { isMailError, MailError, type Field } from '../../shared/index.js';
import type { Accounts } from '../accounts/store.js';
import { inputFrom, operationOf, type Binding } from '../fields/tables.js';
import {
  afterSave, changesOf, conflicts, editingOf, packPlace, readText, same, segment, textOf, unpackPlace, valuesOf,
  type Editing, type Place,
} from '../fields/values.js';
import { explain } from '../host/problems.js';
import { brief, t, title, withoutMarkup } from '../host/text.js';
import type { Target } from '../operations/target.js';
import type { FormIssue, Values } from '../webview/messages.js';

export const SCHEME = 'mailroom';
export const isDocument = (uri: vscode.Uri | undefined): uri is vscode.Uri => uri?.scheme === SCHEME;
/** A document: the editable values of one object, as the vendor was last seen to have them. */
export interface Loaded {
  uri: vscode.Uri; place: Place; binding: Binding; editing: Editing; item: Values; values: Values; issues: FormIssue[];
  /** What VS Code is given when it reads, and when that last became another. */
  text: string; mtime: number;
  /** What the open text was made from. Unknown until that was seen as it was given: unsaved text of an earlier session was made from anything. */
  base?: Values;
  /** What the last save was refused for, each with the value it was about: true until that is another one. */
  refused?: { issue: FormIssue; value: unknown }[];
  /** When it was read, in milliseconds. */
  at: number;
}
export type Documents = ReturnType<typeof createDocuments>;

/** The address of an object's document: the path is for people (tab and breadcrumbs), the query says what it is. */
export const documentUri = (place: Place, account: string, label: string): vscode.Uri =>
  vscode.Uri.from({ scheme: SCHEME, path: `/${segment(account)}/${segment(title(place.resource))}/${segment(label)}.mailroom`, query: packPlace(place) });
/** What a person calls the object of a document, before it is read. */
export const labelOfDocument = (uri: vscode.Uri): string => uri.path.split('/').at(-1)!.replace(/\.mailroom$/, '');
const tabs = (wanted: (uri: vscode.Uri) => boolean): vscode.Tab[] => vscode.window.tabGroups.all.flatMap(group => group.tabs).filter(tab => {
  const { uri } = (tab.input ?? {}) as { uri?: vscode.Uri };
  return isDocument(uri) && wanted(uri);
});
/** The address under which an object is open already, after a rename perhaps another one: there is one tab for each object. */
export const openedAs = (uri: vscode.Uri): vscode.Uri =>
  (tabs(({ query }) => query === uri.query)[0]?.input as { uri: vscode.Uri } | undefined)?.uri ?? uri;

/** A pause in typing after which a text is looked at, in milliseconds. */
const PAUSE = 200;
/** What was read for no open document, or in vain, is not asked for again for so long, in milliseconds: to open one, VS Code reads thrice. */
const FRESH = 10_000;

/** A field that was changed here and by somebody else: its label, and both values in words. */
export interface Conflict { label: string; theirs: string; ours: string }
interface DocumentOptions {
  accounts: Accounts;
  /** Told what a save gave back, so that the tree can show it. */
  saved(place: Place, answer: unknown): void;
  /** Asks whether to save over what somebody else changed meanwhile. */
  overwrite(uri: vscode.Uri, fields: readonly Conflict[]): Promise<boolean>;
}

/** A value in words, short enough to be asked about. */
function shown(field: Field, value: unknown): string {
  if (value === null || value === undefined || value === '' || (Array.isArray(value) && value.length === 0)) return t('not set');
  if (typeof value === 'boolean') return value ? t('Yes') : t('No');
  if (field.type === 'choice' && typeof value === 'string' && Object.hasOwn(field.choices, value)) return `“${field.choices[value]!}”`;
  return typeof value === 'string' ? `“${brief(value)}”` : brief(Array.isArray(value) ? value.join(', ') : JSON.stringify(value));
}

/** A file system of one kind of file: reading asks the vendor, writing sends the difference. */
export function createDocuments({ accounts, saved, overwrite }: DocumentOptions) {
  const loaded = new Map<string, Loaded>(), loading = new Map<string, Promise<Loaded>>(), failed = new Map<string, { error: unknown; at: number }>();
  const changes = new vscode.EventEmitter<vscode.FileChangeEvent[]>(), problems = new vscode.EventEmitter<{ uri: vscode.Uri; typing: boolean }>();
  const renewed = new vscode.EventEmitter<vscode.Uri>();
  const diagnostics = vscode.languages.createDiagnosticCollection('mailroom');
  const opened = (uri: vscode.Uri) => vscode.workspace.textDocuments.find(document => document.uri.toString() === uri.toString());

  async function read(place: Place): Promise<{ item: Values; editing: Editing; binding: Binding; values: Values }> {
    const account = accounts.list().find(({ id }) => id === place.account);
    if (!account) throw new MailError('not_found', t('The account of this object is no longer there.'));
    const binding: Binding = { refs: place.refs, choices: place.choices ?? {} };
    const get = `${place.resource}.get`, editing = editingOf(account.provider, place.resource, binding);
    if (!editing || !operationOf(account.provider, get)) throw new MailError('unsupported', t('{0} cannot change this.', account.provider.name));
    const client = await accounts.open(place.account);
    const item = await client.call(get, inputFrom(account.provider, get, binding)) as Values;
    return { item, editing, binding, values: valuesOf(editing.fields, item) };
  }
  /** What is known of an object. By itself it asks nobody for a secret, and does not try again what failed; with `ask`, somebody wants it now. */
  async function load(uri: vscode.Uri, ask?: 'ask'): Promise<Loaded> {
    const key = uri.toString(), there = loaded.get(key), before = failed.get(key);
    const current = (at: number) => opened(uri) !== undefined || Date.now() - at < FRESH;
    if (there && current(there.at)) return there;
    if (!ask && before && current(before.at)) throw before.error;
    const under = loading.get(`${key} ${ask}`) ?? (async () => {
      const place = unpackPlace(uri.query);
      if (!place) throw vscode.FileSystemError.FileNotFound(uri);
      try {
        if (!ask && !await accounts.ready(place.account)) {
          const { name } = accounts.find(place.account);
          throw new MailError('unauthorized', t('{0} needs its secret before this can be shown again.', name));
        }
        const got = await read(place), one: Loaded = { uri, place, ...got, text: textOf(got.values), mtime: 1, issues: [], at: Date.now() };
        loaded.set(key, one);
        failed.delete(key);
        const document = opened(uri);
        if (document) meet(document, !document.isDirty);
        return one;
      } catch (error) { failed.set(key, { error, at: Date.now() }); explain(uri.path, error); throw error; }
    })().finally(() => loading.delete(`${key} ${ask}`));
    loading.set(`${key} ${ask}`, under);
    return under;
  }
  /** Whether the account of a document is no longer there: its tab opens all the same, and says how it comes back. */
  const accountGone = (uri: vscode.Uri): boolean => {
    const place = unpackPlace(uri.query);
    return place !== undefined && !accounts.list().some(({ id }) => id === place.account);
  };
  /** What VS Code shows in a notification of its own, which reads links as ours do. */
  const fileError = (error: unknown): Error => error instanceof vscode.FileSystemError
    ? error
    : new vscode.FileSystemError(withoutMarkup(error instanceof Error ? error.message : String(error)));
  /** What VS Code is given to read. Where a later try may go better that is a text that says why, so that there is a tab to try it from. */
  async function given(uri: vscode.Uri): Promise<{ text: string; mtime: number }> {
    try { return await load(uri); } catch (error) {
      if (!accountGone(uri) && (!isMailError(error) || error.code === 'not_found' || error.code === 'unsupported')) throw fileError(error);
      return { text: `${JSON.stringify((error as Error).message)}\n`, mtime: 0 };
    }
  }

  function complain(one: Loaded, issues: FormIssue[], text: string, typing?: 'typing'): void {
    one.issues = issues;
    if (!issues.length) one.refused = undefined;
    const lines = text.split('\n');
    diagnostics.set(one.uri, issues.map(issue => {
      const at = Math.max(0, issue.field === undefined ? 0 : lines.findIndex(line => line.trimStart().startsWith(`${JSON.stringify(issue.field)}:`)));
      return new vscode.Diagnostic(new vscode.Range(at, Math.max(0, lines[at]?.search(/\S/) ?? 0), at, lines[at]?.length ?? 1),
        issue.message, vscode.DiagnosticSeverity.Error);
    }));
    problems.fire({ uri: one.uri, typing: typing !== undefined });
  }
  /** What a save was refused for, as long as nothing was changed about it. */
  function refuse(one: Loaded, issues: FormIssue[], text: string, edited?: Values): void {
    one.refused = issues.map(issue => ({ issue, value: issue.field === undefined ? text : edited?.[issue.field] }));
    complain(one, issues, text);
  }
  /** Looks at a text while it is written: what could not be saved is marked where it stands, and no longer once it is right. */
  function lookAt(document: vscode.TextDocument): void {
    const one = loaded.get(document.uri.toString()), text = document.getText();
    if (!one || !document.isDirty) return;
    let issues: FormIssue[] = [], edited: Values | undefined;
    try {
      edited = readText(text);
      changesOf(one.editing.fields, one.base ?? one.values, edited);
    } catch (error) { issues = isMailError(error) ? error.details.issues ?? [{ message: error.message }] : []; }
    const still = (one.refused ?? [])
      .filter(({ issue: { field }, value }) => same(field === undefined ? text : edited?.[field], value)).map(({ issue }) => issue);
    const all = [...issues, ...still.filter(({ field }) => field === undefined || !issues.some(other => other.field === field))];
    if (!same(all, one.issues)) complain(one, all, text, 'typing');
  }
  const looking = new Map<string, NodeJS.Timeout>();
  const lookSoon = (document: vscode.TextDocument): void => {
    const key = document.uri.toString();
    clearTimeout(looking.get(key));
    looking.set(key, setTimeout(() => { looking.delete(key); lookAt(document); }, PAUSE).unref());
  };
  const tick = (one: Loaded) => { one.mtime = Math.max(one.mtime + 1, Date.now()); };
  /** Gives the state of the server to whoever shows it. Text with changes is left alone, and so is the time that VS Code would compare. */
  function show(one: Loaded): void {
    one.text = textOf(one.values);
    if (opened(one.uri)?.isDirty) return;
    tick(one);
    changes.fire([{ type: vscode.FileChangeType.Changed, uri: one.uri }]);
  }
  const baseOf = (one: Loaded, text: string): Values => ({ ...one.values, ...readText(text) });
  /** Looks at the text of a document, after a change of it or when it became `clean`: as it was given, it tells what further changes start from. */
  function meet(document: vscode.TextDocument, clean: boolean): void {
    const one = loaded.get(document.uri.toString()), text = document.getText();
    if (!one) return;
    if (clean && text !== textOf(one.values)) show(one);
    else if (text === one.text) {
      one.base = baseOf(one, text);
      if (one.issues.length) complain(one, [], text);
    }
  }
  /** Takes over what the server was seen to have, for every document of the object. */
  function settle(place: string, item: Values, values: Values, except?: Loaded): void {
    for (const one of loaded.values()) {
      if (one.uri.query !== place) continue;
      Object.assign(one, { item, values });
      if (one !== except && textOf(values) !== one.text) show(one);
    }
  }

  async function write(uri: vscode.Uri, content: Uint8Array): Promise<void> {
    const one = await load(uri, 'ask').catch(error => { throw fileError(error); }), text = Buffer.from(content).toString('utf8');
    const { fields, operation, target } = one.editing;
    let edited: Values | undefined;
    try {
      edited = readText(text);
      let answer: unknown;
      const sends = Object.keys(changesOf(fields, one.base ?? one.values, edited)).length > 0;
      if (sends) {
        const { now, input } = await agreed(one, edited, text);
        answer = await (await accounts.open(one.place.account)).call(operation, { ...target, ...input });
        // What was written is what was accepted; the vendor's own spelling comes with the next reading.
        settle(uri.query, typeof answer === 'object' && answer !== null ? { ...now.item, ...answer as Values } : now.item,
          afterSave(fields, now.values, input, answer), one);
      }
      one.text = text;
      one.base = baseOf(one, text);
      tick(one);
      complain(one, [], text);
      if (sends) saved(one.place, answer);
    } catch (error) {
      if (isMailError(error)) refuse(one, error.details.issues?.length ? error.details.issues : [{ message: error.message }], text, edited);
      explain(uri.path, error);
      throw fileError(error);
    }
  }

  /**
   * What a save sends, once nothing in it would silently undo what somebody else did. Nobody offers conditional writes, so the object is read just
   * before; for what others changed meanwhile the user is asked, and as he takes his time it is read again after that.
   */
  async function agreed(one: Loaded, edited: Values, text: string): Promise<{ now: Awaited<ReturnType<typeof read>>; input: Values }> {
    const { fields } = one.editing;
    for (;;) {
      const now = await read(one.place), base = one.base ?? now.values, input = changesOf(fields, base, edited, now.values);
      const others = conflicts(one.base, now.values, input);
      if (!others.length) return { now, input };
      settle(one.uri.query, now.item, now.values);
      refuse(one, others.map(field => ({
        field, message: t('Changed on the server meanwhile; it is {0} there now.', shown(fields[field]!, now.values[field])),
      })), text, edited);
      const known = others.map(name => fields[name]!)
        .map((field, i) => ({ label: field.label, theirs: shown(field, now.values[others[i]!]), ours: shown(field, input[others[i]!]) }));
      if (!await overwrite(one.uri, known)) {
        throw new vscode.FileSystemError(withoutMarkup(
          t('Nothing was saved, because somebody else changed {0} on the server.', known.map(({ label }) => label).join(', '))));
      }
      // The user agreed to these values and no others: what changes again is asked for again.
      one.base = { ...base, ...Object.fromEntries(others.map(name => [name, now.values[name]])) };
    }
  }

  /** Reads an object again; an open editor without changes shows the new state, one with changes keeps them. */
  async function reload(uri: vscode.Uri): Promise<void> {
    const one = loaded.get(uri.toString());
    if (!one) return;
    const now = await read(one.place);
    settle(uri.query, now.item, now.values);
    complain(one, [], one.text);
    renewed.fire(uri);
  }

  const fail = (): never => { throw vscode.FileSystemError.NoPermissions(t('Objects are made and deleted in the tree.')); };
  const provider: vscode.FileSystemProvider = {
    onDidChangeFile: changes.event,
    watch: () => new vscode.Disposable(() => {}),
    async stat(uri) { const { text, mtime } = await given(uri); return { type: vscode.FileType.File, ctime: 0, mtime, size: Buffer.byteLength(text) }; },
    async readFile(uri) { return Buffer.from((await given(uri)).text); },
    writeFile: write,
    readDirectory: () => [], createDirectory: fail, delete: fail, rename: fail,
  };
  const listening = [
    vscode.workspace.onDidOpenTextDocument(document => meet(document, false)),
    // An event without changes tells that the document became dirty or clean.
    vscode.workspace.onDidChangeTextDocument(({ document, contentChanges }) => {
      meet(document, contentChanges.length === 0 && !document.isDirty);
      if (isDocument(document.uri) && contentChanges.length > 0) lookSoon(document);
    }),
    vscode.workspace.onDidCloseTextDocument(({ uri }) => {
      if (!isDocument(uri)) return;
      loaded.delete(uri.toString());
      failed.delete(uri.toString());
      diagnostics.delete(uri);
    }),
  ];

  return {
    provider, load, reload, accountGone, problems: problems.event, renewed: renewed.event,
    get: (uri: vscode.Uri): Loaded | undefined => loaded.get(uri.toString()),
    /** Told of a write that was no save: the open documents of the object show what became of it, and close where nothing is left of it. */
    async acted({ account, resource, binding }: Target, gone: boolean): Promise<void> {
      const about = [...loaded.values()].filter(({ place, uri }) => place.account === account.id && place.resource === resource && opened(uri)
        && Object.entries(place.refs).every(([name, id]) => (binding.refs[name] ?? id) === id));
      for (const { uri } of about) {
        const lost = gone || await reload(uri).then(() => false, error => isMailError(error) && error.code === 'not_found');
        if (lost) await vscode.window.tabGroups.close(tabs(one => one.toString() === uri.toString()));
      }
    },
    /** The object as the vendor has it now, for the comparison. */
    async serverText(uri: vscode.Uri): Promise<string> {
      const place = unpackPlace(uri.query);
      if (!place) throw vscode.FileSystemError.FileNotFound(uri);
      return textOf((await read(place)).values);
    },
    dispose() {
      for (const one of looking.values()) clearTimeout(one);
      for (const one of [...listening, changes, problems, renewed, diagnostics]) one.dispose();
      loaded.clear();
    },
  };
}
