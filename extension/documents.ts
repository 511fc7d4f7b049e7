import * as vscode from 'vscode';
import { isMailError, MailError } from '../shared/index.js';
import type { Accounts } from './accounts.js';
import type { FormIssue } from './form/messages.js';
import { explain } from './problems.js';
import { inputFrom, operationOf, type Binding } from './tables.js';
import { afterSave, changesOf, conflicts, editingOf, packPlace, readText, segment, textOf, unpackPlace, valuesOf,
  type Editing, type Place, type Values } from './values.js';
import { t, title } from './words.js';

export const SCHEME = 'mailroom';
/** A document: the editable values of one object, as they were read. */
export interface Loaded {
  place: Place; binding: Binding; editing: Editing; item: Values; values: Values; text: string; mtime: number; issues: FormIssue[]; account: string;
}
export type Documents = ReturnType<typeof createDocuments>;

/** The address of an object's document: the path is for people (tab and breadcrumbs), the query says what it is. */
export const documentUri = (place: Place, account: string, label: string): vscode.Uri =>
  vscode.Uri.from({ scheme: SCHEME, path: `/${segment(account)}/${segment(title(place.resource))}/${segment(label)}.mailroom`, query: packPlace(place) });

interface DocumentOptions {
  accounts: Accounts;
  /** Told what a save gave back, so that the tree can show it. */
  saved(place: Place, answer: unknown): void;
  /** Told of a conflict: somebody else changed the same fields. */
  conflicted(uri: vscode.Uri, fields: string[]): void;
}

/** A file system of one kind of file: reading asks the vendor, writing sends the difference. */
export function createDocuments({ accounts, saved, conflicted }: DocumentOptions) {
  const loaded = new Map<string, Loaded>(), loading = new Map<string, Promise<Loaded>>();
  const changes = new vscode.EventEmitter<vscode.FileChangeEvent[]>(), problems = new vscode.EventEmitter<vscode.Uri>();
  const diagnostics = vscode.languages.createDiagnosticCollection('mailroom');
  let clock = Date.now();
  const tick = () => clock = Math.max(clock + 1, Date.now());

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
  function load(uri: vscode.Uri): Promise<Loaded> {
    const key = uri.query, there = loaded.get(key);
    if (there) return Promise.resolve(there);
    const under = loading.get(key) ?? (async () => {
      const place = unpackPlace(uri.query);
      if (!place) throw vscode.FileSystemError.FileNotFound(uri);
      try {
        const got = await read(place);
        const made: Loaded = { place, ...got, text: textOf(got.values), mtime: tick(), issues: [], account: place.account };
        loaded.set(key, made);
        return made;
      } catch (error) { explain(uri.path, error); throw fileError(error); }
    })().finally(() => loading.delete(key));
    loading.set(key, under);
    return under;
  }
  const fileError = (error: unknown): Error => error instanceof vscode.FileSystemError ? error
    : isMailError(error) && error.code === 'not_found' ? new vscode.FileSystemError(error.message)
    : new vscode.FileSystemError(error instanceof Error ? error.message : String(error));

  function complain(uri: vscode.Uri, one: Loaded, issues: FormIssue[], text: string): void {
    one.issues = issues;
    const lines = text.split('\n');
    diagnostics.set(uri, issues.map(issue => {
      const at = Math.max(0, issue.field === undefined ? 0 : lines.findIndex(line => line.trimStart().startsWith(`${JSON.stringify(issue.field)}:`)));
      return new vscode.Diagnostic(new vscode.Range(at, lines[at]?.search(/\S/) ?? 0, at, lines[at]?.length ?? 1),
        issue.message, vscode.DiagnosticSeverity.Error);
    }));
    problems.fire(uri);
  }
  function settle(uri: vscode.Uri, one: Loaded, item: Values, values: Values): void {
    one.item = item;
    one.values = values;
    const text = textOf(values), moved = text !== one.text;
    one.text = text;
    one.mtime = tick();
    if (moved) changes.fire([{ type: vscode.FileChangeType.Changed, uri }]);
  }

  async function write(uri: vscode.Uri, content: Uint8Array): Promise<void> {
    const one = await load(uri), text = Buffer.from(content).toString('utf8');
    try {
      const edited = readText(text), input = changesOf(one.editing.fields, one.values, edited);
      if (Object.keys(input).length === 0) { one.text = text; one.mtime = tick(); complain(uri, one, [], text); return; }
      // Nobody offers conditional writes, so the object is read again just before: what somebody else changed meanwhile is shown, not overwritten.
      const now = await read(one.place), others = conflicts(one.values, now.values, input);
      if (others.length) {
        settle(uri, one, now.item, now.values);
        const labels = others.map(name => one.editing.fields[name]?.label ?? name);
        complain(uri, one, others.map(field => ({
          field, message: t('Changed on the server meanwhile; it is {0} there now.', JSON.stringify(now.values[field])),
        })), text);
        conflicted(uri, labels);
        throw new vscode.FileSystemError(
          t('Somebody else changed {0} on the server meanwhile. Compare both, then save again to overwrite, or revert.', labels.join(', ')));
      }
      const client = await accounts.open(one.place.account);
      const answer = await client.call(one.editing.operation, { ...one.editing.target, ...input });
      const values = afterSave(one.editing.fields, now.values, input, answer);
      // What was written is what was accepted; the vendor's own spelling comes with the next reading.
      one.item = typeof answer === 'object' && answer !== null ? { ...now.item, ...answer as Values } : now.item;
      one.values = values;
      one.text = text;
      one.mtime = tick();
      complain(uri, one, [], text);
      const fresh = textOf(values);
      if (fresh !== text) setTimeout(() => { one.text = fresh; one.mtime = tick(); changes.fire([{ type: vscode.FileChangeType.Changed, uri }]); }, 50);
      saved(one.place, answer);
    } catch (error) {
      if (isMailError(error)) complain(uri, one, error.details.issues?.length ? error.details.issues : [{ message: error.message }], text);
      explain(uri.path, error);
      throw fileError(error);
    }
  }

  const fail = (): never => { throw vscode.FileSystemError.NoPermissions(t('Objects are made and deleted in the tree.')); };
  const provider: vscode.FileSystemProvider = {
    onDidChangeFile: changes.event,
    watch: () => new vscode.Disposable(() => {}),
    async stat(uri) { const one = await load(uri); return { type: vscode.FileType.File, ctime: 0, mtime: one.mtime, size: Buffer.byteLength(one.text) }; },
    async readFile(uri) { return Buffer.from((await load(uri)).text); },
    writeFile: write,
    readDirectory: () => [], createDirectory: fail, delete: fail, rename: fail,
  };

  return {
    provider, load, problems: problems.event,
    get: (uri: vscode.Uri): Loaded | undefined => loaded.get(uri.query),
    /** Forgets what was read, so that the next opening asks the vendor again. */
    forget(uri: vscode.Uri) { loaded.delete(uri.query); diagnostics.delete(uri); },
    /** Reads a document again; an open editor without changes shows the new state. */
    async reload(uri: vscode.Uri): Promise<void> {
      const one = loaded.get(uri.query);
      if (!one) return;
      const now = await read(one.place);
      settle(uri, one, now.item, now.values);
      problems.fire(uri);
    },
    /** The object as the vendor has it now, for the comparison. */
    async serverText(uri: vscode.Uri): Promise<string> {
      const place = unpackPlace(uri.query);
      if (!place) throw vscode.FileSystemError.FileNotFound(uri);
      return textOf((await read(place)).values);
    },
    dispose() { changes.dispose(); problems.dispose(); diagnostics.dispose(); loaded.clear(); },
  };
}
