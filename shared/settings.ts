// Settings as files: objects of an account as documents in a folder, the same as the form edits. Pulled, compared,
// applied.
import type { Client } from './client.js';
import { connect } from './connect.js';
import { isMailError, MailError } from './errors.js';
import { inputFrom, isEntryList, operationOf, type Binding } from './places.js';
import type { Provider } from './provider.js';
import { providerById } from './registry.js';
import {
  diskFolder,
  readIndex,
  writeIndex,
  LARGEST,
  type PulledDocument,
  type SettingsFolder,
  type SettingsIndex,
} from './settingsFolder.js';
import { entriesOf, entryKey, readObject, settingsOf, usualSettings, walk, type Found } from './settingsWalk.js';
import { changesOf, conflicts, readText, same, textOf, wholeOf, type Editing } from './values.js';
import type { Whose } from './waitFor.js';

export type { SettingsFolder } from './settingsFolder.js';
export { settingsOf, usualSettings } from './settingsWalk.js';

type Values = Record<string, unknown>;
/** Whose settings they are: as `waitFor` takes it, or a client with the open values of its account. */
export type WhoseSettings = Whose | { client: Client; account: Readonly<Values> };
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
 * has it. `invalid`: it cannot be applied, with the reason.
 */
export interface SettingsChange {
  path: string;
  resource: string;
  label: string;
  values: ValueChange[];
  message?: string;
  state: 'same' | 'change' | 'conflict' | 'missing' | 'gone' | 'invalid' | 'applied' | 'failed';
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
}

const opened = (whose: WhoseSettings, signal?: AbortSignal): { client: Client; account: Values } => {
  if ('client' in whose) return { client: whose.client, account: whose.account };
  if ('call' in whose) return { client: whose, account: {} };
  return {
    client: connect(providerById(whose.provider), whose.account, signal ? { signal } : {}),
    account: whose.account,
  };
};
const folderOf = (folder: string | SettingsFolder): SettingsFolder =>
  typeof folder === 'string' ? diskFolder(folder) : folder;
const wordsOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
const known = (client: Client, index: SettingsIndex): SettingsIndex => {
  if (index.provider === client.provider.id) return index;
  throw new MailError(
    'invalid_input',
    `This folder was pulled from ${index.provider}, and the account is at ${client.provider.name}. Choose another folder or account.`,
  );
};

/**
 * Pulls settings into a folder: a document for each object, the same as the form edits, without secrets. A document
 * that was changed in the folder is kept. Nothing is deleted.
 */
export async function pullSettings(whose: WhoseSettings, options: PullOptions): Promise<Pulled[]> {
  const { signal, seen } = options;
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
  const index = known(client, (await readIndex(folder)) ?? { provider: provider.id, documents: {} });
  const done: Pulled[] = [];
  const paths = new Map(Object.entries(index.documents).map(([path, one]) => [identityOf(provider, one), path]));
  const used = new Set(Object.keys(index.documents).map(path => path.toLowerCase()));
  const met = new Set<string>();
  try {
    for await (const found of walk(client, account, resources)) {
      signal?.throwIfAborted();
      const path = paths.get(identityOf(provider, found)) ?? free(found.path, used);
      met.add(path);
      done.push(await pullOne(folder, index, path, found));
      seen?.(path);
    }
    for (const [path, { resource }] of Object.entries(index.documents)) {
      if (resources.includes(resource) && !met.has(path)) done.push({ path, state: 'gone' });
    }
  } finally {
    await writeIndex(folder, index);
  }
  return done;
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
async function pullOne(
  folder: SettingsFolder,
  index: SettingsIndex,
  path: string,
  { resource, refs, choices, read }: Found,
): Promise<Pulled> {
  try {
    const base = await read();
    const before = index.documents[path];
    const there = await folder.read(path);
    const text = textOf(base);
    if (there !== undefined && !(before && there === textOf(before.base)) && there !== text)
      return { path, state: 'kept' };
    index.documents[path] = { resource, refs, ...(choices ? { choices } : {}), base };
    if (there === text) return { path, state: 'same' };
    await folder.write(path, text);
    return { path, state: 'written' };
  } catch (error) {
    if (isMailError(error) && (error.code === 'unauthorized' || error.code === 'unavailable')) throw error;
    return { path, state: 'failed', message: wordsOf(error) };
  }
}

/**
 * Applies the documents of a folder: what differs from what was pulled is written to the server. With `dryRun` it says
 * what it would do. What changed on the server since the pull is not overwritten unless `overwrite` says so, and a file
 * that is not there deletes nothing. Throws where the account is not let in or its provider does not answer; after
 * something was applied, the document it happened at is `failed` instead, and those behind it are not in the answer.
 */
export async function applySettings(whose: WhoseSettings, options: ApplyOptions): Promise<SettingsChange[]> {
  const { signal, seen, only, dryRun = false } = options;
  const { client } = opened(whose, signal);
  const folder = folderOf(options.folder);
  const found = await readIndex(folder);
  if (!found) throw new MailError('invalid_input', 'Nothing was pulled into this folder yet. Pull the settings first.');
  const index = known(client, found);
  const done: SettingsChange[] = [];
  try {
    for (const [path, document] of Object.entries(index.documents)) {
      if (only && !only.includes(path)) continue;
      signal?.throwIfAborted();
      try {
        done.push(await applyOne(client, folder, path, document, options));
      } catch (error) {
        // What was applied before has to be told; without any of it, the error says enough.
        if (!done.some(({ state }) => state === 'applied')) throw error;
        done.push({ ...changeOf(path, document, 'failed'), message: wordsOf(error) });
        break;
      }
      seen?.(path);
    }
  } finally {
    if (!dryRun) await writeIndex(folder, index);
  }
  return done;
}

/** The text that a document would have if it were pulled now: what a comparison shows. Reads only. */
export async function readSetting(
  whose: WhoseSettings,
  options: { folder: string | SettingsFolder; path: string; signal?: AbortSignal },
): Promise<string> {
  const { client } = opened(whose, options.signal);
  const index = await readIndex(folderOf(options.folder));
  const one =
    index && Object.hasOwn(index.documents, options.path) ? known(client, index).documents[options.path] : undefined;
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
  { dryRun, overwrite }: ApplyOptions,
): Promise<SettingsChange> {
  const compared = await compare(client, folder, path, document);
  const { change, write } = compared;
  if (dryRun || !write || (change.state !== 'change' && change.state !== 'conflict')) {
    if (!dryRun && change.state === 'same' && compared.edited) document.base = compared.edited;
    return change;
  }
  const may =
    change.state === 'change' || (typeof overwrite === 'function' ? await overwrite(change) : overwrite === true);
  if (!may) return change;
  try {
    await write();
    // What was accepted is what the next change is compared with, whatever spelling the server prefers.
    document.base = compared.edited!;
    return { ...change, state: 'applied' };
  } catch (error) {
    return { ...change, state: 'failed', message: wordsOf(error) };
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
    if (same(edited, base)) return { change: said('same') };
    return isEntryList(client.provider, resource)
      ? await compareList(client, resource, binding, base, edited, said)
      : await compareObject(client, resource, binding, base, edited, said);
  } catch (error) {
    if (isMailError(error) && error.code === 'not_found') return { change: said('gone') };
    if (isMailError(error) && (error.code === 'unauthorized' || error.code === 'unavailable')) throw error;
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
  const input = inputOf(editing, base, edited, now);
  const changed = Object.keys(input).filter(name => !same(input[name], now[name]) && !same(edited[name], base[name]));
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
const inputOf = ({ fields, whole }: Editing, base: Values, edited: Values, now: Values): Values =>
  whole ? wholeOf(fields, base, edited) : changesOf(fields, base, edited, now);

/** Lists never conflict: what others added stays, and what they removed is not missed. */
async function compareList(
  client: Client,
  resource: string,
  binding: Binding,
  base: Values,
  edited: Values,
  said: Said,
): Promise<Compared> {
  const { provider } = client;
  const wanted = entriesIn(edited);
  const before = entriesIn(base);
  const now = await entriesOf(client, resource, binding);
  const add = wanted.filter(one => !before.includes(one) && !now.includes(one));
  const remove = now.filter(one => before.includes(one) && !wanted.includes(one));
  if (!add.length && !remove.length) return { change: said('same'), edited: { entries: wanted } };
  const key = entryKey(provider, resource, binding);
  const call = (verb: 'add' | 'remove', value: string) =>
    client.call(`${resource}.${verb}`, {
      ...inputFrom(provider, `${resource}.${verb}`, binding),
      [key ?? 'value']: value,
    }) as Promise<unknown>;
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
