// Settings as files: objects of an account as documents in a folder, the same as the form edits. Pulled, compared,
// applied.
import type { Client } from './client.js';
import { isMailError, MailError } from './errors.js';
import { inputFrom, isEntryList, operationOf, type Binding } from './places.js';
import type { Provider } from './provider.js';
import {
  checkSize,
  diskFolder,
  indexText,
  readIndex,
  writeIndex,
  LARGEST,
  type PulledDocument,
  type SettingsFolder,
  type SettingsIndex,
} from './settingsFolder.js';
import { opened, owned, type WhoseSettings } from './settingsOwner.js';
import { entriesOf, entryKey, readObject, settingsOf, usualSettings, walk } from './settingsWalk.js';
import { alike, changesOf, conflicts, readText, textOf } from './values.js';

export { INDEX as SETTINGS_INDEX, pathPart, readIndex as readSettingsIndex } from './settingsFolder.js';
export type { SettingsFolder } from './settingsFolder.js';
export { isOwner as isSettingsOwner } from './settingsOwner.js';
export type { WhoseSettings } from './settingsOwner.js';
export { settingsOf, usualSettings } from './settingsWalk.js';

type Values = Record<string, unknown>;
interface Common {
  /** Where the documents are: a path on this machine, or what reads and writes them. */
  folder: string | SettingsFolder;
  signal?: AbortSignal;
  /** Told of each document as it is done with. */
  seen?(path: string): void;
}
export interface PullOptions extends Common {
  /** The kinds to pull, such as `['mailbox', 'forwarding']`; mailboxes, aliases and spam lists unless given. */
  resources?: readonly string[];
}
/**
 * What became of a document: `written` anew, `same` as before, `kept` because it was changed in the folder, `gone` from
 * the server (its file stays), `failed` with the reason.
 */
export interface Pulled {
  path: string;
  state: 'written' | 'same' | 'kept' | 'gone' | 'failed';
  message?: string;
}

/**
 * A value that a document changes: what the server has, and what the document says. `pulled` where the server had
 * another when it was pulled.
 */
export interface ValueChange {
  name: string;
  label: string;
  server: unknown;
  file: unknown;
  pulled?: unknown;
}
/**
 * A document beside the server. `change`: the server has what was pulled. `conflict`: what the document changes was
 * changed on the server too. `missing`: the file was taken away, which deletes nothing. `gone`: the server no longer
 * has it. `invalid`: it cannot be applied, with the reason. `unknown`: it was being applied when that was cancelled,
 * and may have been done.
 */
export interface SettingsChange {
  path: string;
  resource: string;
  label: string;
  values: ValueChange[];
  message?: string;
  state: 'same' | 'change' | 'conflict' | 'missing' | 'gone' | 'invalid' | 'applied' | 'failed' | 'unknown';
}
export interface ApplyOptions extends Common {
  /** Compares and changes nothing. */
  dryRun?: boolean;
  /** Only these documents. */
  only?: readonly string[];
  /**
   * Whether what somebody else changed since the pull may be overwritten: asked for each such document. Never unless
   * given.
   */
  overwrite?: boolean | ((change: SettingsChange) => boolean | Promise<boolean>);
  /** Asked before each write, with what it would change by then; what it refuses is left. All are made unless given. */
  approve?(change: SettingsChange): boolean | Promise<boolean>;
}

const folderOf = (folder: string | SettingsFolder): SettingsFolder =>
  typeof folder === 'string' ? diskFolder(folder) : folder;
const wordsOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
/** What ends all work: nobody is let in, or nobody answers. */
const isEnd = (error: unknown): boolean =>
  isMailError(error) && (error.code === 'unauthorized' || error.code === 'unavailable');

/**
 * Pulls settings into a folder: a document for each object, the same as the form edits, without secrets. A document
 * that was changed in the folder is kept. Nothing is deleted. All is read before anything is written, so that a pull
 * that is refused, cancelled or cut off leaves the folder as it was.
 */
export async function pullSettings(whose: WhoseSettings, options: PullOptions): Promise<Pulled[]> {
  const { signal } = options;
  const { client, account } = opened(whose, signal);
  const { provider } = client;
  const folder = folderOf(options.folder);
  const resources = options.resources ?? usualSettings(provider);
  const able = settingsOf(provider);
  const unable = resources.filter(one => !able.includes(one));
  if (unable.length)
    throw new MailError(
      'invalid_input',
      `${provider.name} has no settings of these kinds: ${unable.join(', ')}. It has: ${able.join(', ')}.`,
    );
  const index = owned((await readIndex(folder)) ?? { provider: provider.id, documents: {} }, client, account);
  const { read, done } = await readAll(client, account, index, resources, options);
  checkSize(indexText({ ...index, documents: { ...index.documents, ...Object.fromEntries(read) } }).length);
  signal?.throwIfAborted();
  const met = new Set(done.map(({ path }) => path));
  const gone = Object.keys(index.documents).filter(
    path => resources.includes(index.documents[path]!.resource) && !met.has(path) && !read.has(path),
  );
  try {
    for (const [path, document] of read) done.push(await store(folder, index, path, document));
  } finally {
    await writeIndex(
      folder,
      index,
      [...read.keys()].filter(path => index.documents[path] === read.get(path)),
    );
  }
  return [...done, ...gone.map((path): Pulled => ({ path, state: 'gone' }))];
}
/** Reads all there is, each object once whatever the ways to it, and says which could not be read. */
async function readAll(
  client: Client,
  account: Readonly<Values>,
  index: SettingsIndex,
  resources: readonly string[],
  { signal, seen }: PullOptions,
): Promise<{ read: Map<string, PulledDocument>; done: Pulled[] }> {
  const { provider } = client;
  const paths = new Map(Object.entries(index.documents).map(([path, one]) => [identityOf(provider, one), path]));
  const used = new Set(Object.keys(index.documents).map(path => path.toLowerCase()));
  const met = new Set<string>();
  const read = new Map<string, PulledDocument>();
  const done: Pulled[] = [];
  let size = 0;
  for await (const found of walk(client, account, resources)) {
    signal?.throwIfAborted();
    const identity = identityOf(provider, found);
    if (met.has(identity)) continue;
    met.add(identity);
    const path = paths.get(identity) ?? free(found.path, used);
    const { resource, refs, choices } = found;
    let base: Values | undefined;
    try {
      base = await found.read();
    } catch (error) {
      if (signal?.aborted || isEnd(error)) throw error;
      done.push({ path, state: 'failed', message: wordsOf(error) });
    }
    if (base) {
      checkSize((size += JSON.stringify(base).length));
      read.set(path, { resource, refs, ...(choices ? { choices } : {}), base });
    }
    seen?.(path);
  }
  return { read, done };
}
/** What tells objects apart, whatever they are called: what the operation that reads one takes. */
function identityOf(
  provider: Provider,
  { resource, refs, choices = {} }: Pick<PulledDocument, 'resource' | 'refs' | 'choices'>,
): string {
  const read = operationOf(provider, `${resource}.get`) ? `${resource}.get` : `${resource}.list`;
  return JSON.stringify([
    resource,
    Object.entries(inputFrom(provider, read, { refs, choices })).sort(([a], [b]) => (a < b ? -1 : 1)),
  ]);
}
/** A path that no other document has, on systems too that do not tell capitals apart. */
function free(path: string, used: Set<string>): string {
  for (let i = 1; ; i++) {
    const one = i === 1 ? path : path.replace(/\.mailroom$/, `~${i}.mailroom`);
    if (used.has(one.toLowerCase())) continue;
    used.add(one.toLowerCase());
    return one;
  }
}
/** Writes a document and notes it, unless its file was changed in the folder. */
async function store(
  folder: SettingsFolder,
  index: SettingsIndex,
  path: string,
  document: PulledDocument,
): Promise<Pulled> {
  try {
    const before = index.documents[path];
    const there = await folder.read(path);
    const isNew = there === undefined || says(there, document.base);
    if (!isNew && !(before && says(there, before.base))) {
      // A file that nobody noted down is compared with what the server has now; else nobody would see it again.
      if (!before) index.documents[path] = document;
      return { path, state: 'kept' };
    }
    if (there === undefined || !isNew) await folder.write(path, textOf(document.base));
    index.documents[path] = document;
    return { path, state: there !== undefined && isNew ? 'same' : 'written' };
  } catch (error) {
    return { path, state: 'failed', message: wordsOf(error) };
  }
}
/** Whether a text has these values, whatever its line ends and the order of its keys and entries. */
function says(text: string, values: Values): boolean {
  if (text.length > LARGEST) return false;
  try {
    return unchanged({ ...values, ...readText(text) }, values);
  } catch {
    return false;
  }
}
const unchanged = (edited: Values, base: Values): boolean =>
  Object.keys(edited).every(name =>
    name === 'entries' && Array.isArray(base[name])
      ? alike(entriesIn({ entries: edited[name] }), entriesIn({ entries: base[name] }))
      : alike(edited[name], base[name]) && Object.hasOwn(base, name),
  );

/**
 * Applies the documents of a folder: what differs from what was pulled is written to the server. With `dryRun` it says
 * what it would do. What changed on the server since the pull is not overwritten unless `overwrite` says so, and a file
 * that is not there deletes nothing. Throws where the account is not let in or its provider does not answer; after
 * something was applied, the document it happened at is `failed` instead, and those behind it are not in the answer.
 * The same where `signal` ends it: what was under way is `unknown`.
 */
export async function applySettings(whose: WhoseSettings, options: ApplyOptions): Promise<SettingsChange[]> {
  const { signal, seen, only } = options;
  const { client, account } = opened(whose, signal);
  const folder = folderOf(options.folder);
  const found = await readIndex(folder);
  if (!found) throw new MailError('invalid_input', 'Nothing was pulled into this folder yet. Pull the settings first.');
  const index = owned(found, client, account);
  const done: SettingsChange[] = [];
  const noted: string[] = [];
  const wasSent = () => done.some(({ state }) => state === 'applied' || state === 'unknown');
  try {
    for (const [path, document] of Object.entries(index.documents)) {
      if (only && !only.includes(path)) continue;
      const { base } = document;
      try {
        signal?.throwIfAborted();
        done.push(await applyOne(client, folder, path, document, options));
      } catch (error) {
        // What was applied before has to be told; without any of it, the error says enough.
        if (!wasSent()) throw error;
        if (!signal?.aborted) done.push({ ...changeOf(path, document, 'failed'), message: wordsOf(error) });
        break;
      }
      if (document.base !== base) noted.push(path);
      seen?.(path);
    }
  } finally {
    if (noted.length) await writeIndex(folder, index, noted);
  }
  return done;
}

/** The text that a document would have if it were pulled now: what a comparison shows. Reads only. */
export async function readSetting(
  whose: WhoseSettings,
  options: { folder: string | SettingsFolder; path: string; signal?: AbortSignal },
): Promise<string> {
  const { client, account } = opened(whose, options.signal);
  const index = await readIndex(folderOf(options.folder));
  const one =
    index && Object.hasOwn(index.documents, options.path)
      ? owned(index, client, account).documents[options.path]
      : undefined;
  if (!one) throw new MailError('not_found', `${options.path} was not pulled from an account.`);
  const binding: Binding = { refs: one.refs, choices: one.choices ?? {} };
  return textOf(
    isEntryList(client.provider, one.resource)
      ? { entries: await entriesOf(client, one.resource, binding) }
      : (await readObject(client, one.resource, binding)).values,
  );
}

async function applyOne(
  client: Client,
  folder: SettingsFolder,
  path: string,
  document: PulledDocument,
  { dryRun, overwrite, approve, signal }: ApplyOptions,
): Promise<SettingsChange> {
  const compared = await compare(client, folder, path, document, signal);
  const { change, write } = compared;
  if (dryRun || !write || (change.state !== 'change' && change.state !== 'conflict')) {
    if (!dryRun && change.state === 'same' && compared.edited) document.base = compared.edited;
    return change;
  }
  const may =
    change.state === 'change' || (typeof overwrite === 'function' ? await overwrite(change) : overwrite === true);
  if (!may || (approve && !(await approve(change)))) return change;
  signal?.throwIfAborted();
  try {
    await write();
    // What was accepted is what the next change is compared with, whatever spelling the server prefers.
    document.base = compared.edited!;
    return { ...change, state: 'applied' };
  } catch (error) {
    return { ...change, state: signal?.aborted ? 'unknown' : 'failed', message: wordsOf(error) };
  }
}

const changeOf = (path: string, { resource }: PulledDocument, state: SettingsChange['state']): SettingsChange => ({
  path,
  resource,
  label: path
    .split('/')
    .at(-1)!
    .replace(/\.mailroom$/, ''),
  values: [],
  state,
});

interface Compared {
  change: SettingsChange;
  edited?: Values;
  write?(): Promise<void>;
}
async function compare(
  client: Client,
  folder: SettingsFolder,
  path: string,
  document: PulledDocument,
  signal?: AbortSignal,
): Promise<Compared> {
  const { resource, refs, choices = {}, base } = document;
  const binding: Binding = { refs, choices };
  const said = (state: SettingsChange['state'], more: Partial<SettingsChange> = {}): SettingsChange => ({
    ...changeOf(path, document, state),
    ...more,
    state,
  });
  try {
    const text = await folder.read(path);
    if (text === undefined) return { change: said('missing') };
    if (text.length > LARGEST) throw new MailError('invalid_input', 'The file is too large for a document.');
    const edited = { ...base, ...readText(text) };
    // Nothing is asked of the server for what nobody changed.
    if (unchanged(edited, base)) return { change: said('same') };
    return isEntryList(client.provider, resource)
      ? await compareList(client, resource, binding, base, edited, said, signal)
      : await compareObject(client, resource, binding, base, edited, said);
  } catch (error) {
    if (isMailError(error) && error.code === 'not_found') return { change: said('gone') };
    if (signal?.aborted || isEnd(error)) throw error;
    return { change: said('invalid', { message: wordsOf(error) }) };
  }
}
type Said = (state: SettingsChange['state'], more?: Partial<SettingsChange>) => SettingsChange;

async function compareObject(
  client: Client,
  resource: string,
  binding: Binding,
  base: Values,
  edited: Values,
  said: Said,
): Promise<Compared> {
  const { editing, values: now } = await readObject(client, resource, binding);
  const input = changesOf(editing.fields, base, edited, now);
  const changed = Object.keys(input).filter(name => !alike(input[name], now[name]) && !alike(edited[name], base[name]));
  if (!changed.length) return { change: said('same'), edited };
  const others = conflicts(base, now, input);
  const values = changed.map(name => ({
    name,
    label: editing.fields[name]!.label,
    server: now[name] ?? null,
    file: edited[name] ?? null,
    ...(others.includes(name) ? { pulled: base[name] ?? null } : {}),
  }));
  return {
    change: said(others.length ? 'conflict' : 'change', { values }),
    edited,
    write: async () => {
      await client.call(editing.operation, { ...editing.target, ...input });
    },
  };
}

/** Lists never conflict: what others added stays, and what they removed is not missed. */
async function compareList(
  client: Client,
  resource: string,
  binding: Binding,
  base: Values,
  edited: Values,
  said: Said,
  signal?: AbortSignal,
): Promise<Compared> {
  const { provider } = client;
  const wanted = entriesIn(edited);
  const before = entriesIn(base);
  const now = await entriesOf(client, resource, binding);
  const add = wanted.filter(one => !before.includes(one) && !now.includes(one));
  const remove = now.filter(one => before.includes(one) && !wanted.includes(one));
  if (!add.length && !remove.length) return { change: said('same'), edited: { entries: wanted } };
  const key = entryKey(provider, resource, binding);
  const call = (verb: 'add' | 'remove', value: string) => {
    signal?.throwIfAborted();
    return client.call(`${resource}.${verb}`, {
      ...inputFrom(provider, `${resource}.${verb}`, binding),
      [key ?? 'value']: value,
    }) as Promise<unknown>;
  };
  return {
    change: said('change', {
      values: [
        ...add.map(file => ({ name: 'entries', label: 'Add', server: null, file })),
        ...remove.map(server => ({ name: 'entries', label: 'Remove', server, file: null })),
      ],
    }),
    edited: { entries: wanted },
    async write() {
      if (!operationOf(provider, `${resource}.add`))
        throw new MailError('unsupported', `${provider.name} cannot change this list.`);
      for (const value of add) await call('add', value);
      for (const value of remove) await call('remove', value);
    },
  };
}
function entriesIn({ entries, ...rest }: Values): string[] {
  const all: readonly unknown[] = Array.isArray(entries) ? entries : [];
  if (
    !Array.isArray(entries) ||
    Object.keys(rest).length ||
    !all.every(one => typeof one === 'string' && one.trim() !== '')
  ) {
    throw new MailError('invalid_input', 'A list is written as { "entries": ["…", "…"] }.');
  }
  return [...new Set(all.map(one => (one as string).trim()))].sort();
}
