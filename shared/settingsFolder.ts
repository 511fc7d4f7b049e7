import { randomUUID } from 'node:crypto';
import { mkdir, readFile, realpath, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join, sep } from 'node:path';
import { MailError } from './errors.js';

/**
 * Where documents are kept: a folder of a disk, or what a front end has instead. Paths are relative, their parts joined
 * by `/`.
 */
export interface SettingsFolder {
  /** The text of a file; undefined where there is none. */
  read(path: string): Promise<string | undefined>;
  write(path: string, text: string): Promise<void>;
}

/**
 * The object that a document is of, and the values that it was made from: what is changed here and there is known by
 * them.
 */
export interface PulledDocument {
  resource: string;
  refs: Record<string, string>;
  choices?: Record<string, string>;
  base: Record<string, unknown>;
}
/** What stands beside the documents, in `mailroom.json`. */
export interface SettingsIndex {
  provider: string;
  /** See `settingsOwner`; whoever applies first, where it is not there. */
  owner?: string;
  documents: Record<string, PulledDocument>;
}

/** The file with what was pulled. */
export const INDEX = 'mailroom.json';
/** So large may a document be, in characters, and so large the file with all that was pulled. */
export const LARGEST = 4_000_000;
const LARGEST_INDEX = 32_000_000;

/** Whether a path stays in its folder and is one of a document: the index may come from anywhere. */
const isOwnPath = (path: string): boolean =>
  path.endsWith('.mailroom') &&
  path.length < 500 &&
  path.split('/').every(part => /^[^\\:\p{Cc}]+$/u.test(part) && !/^\.+$/.test(part));
const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const isTexts = (value: unknown): value is Record<string, string> =>
  isObject(value) && Object.values(value).every(one => typeof one === 'string');

/**
 * The index of a folder; undefined where nothing was pulled into it. Throws `invalid_input` for a file that is none.
 */
export async function readIndex(folder: SettingsFolder): Promise<SettingsIndex | undefined> {
  const text = await folder.read(INDEX);
  if (text === undefined) return undefined;
  const none = () =>
    new MailError(
      'invalid_input',
      `${INDEX} is not what was pulled. Take it back from your version control, or pull into an empty folder.`,
    );
  if (text.length > LARGEST_INDEX) throw none();
  let given: unknown;
  try {
    given = JSON.parse(text);
  } catch {
    throw none();
  }
  if (!isObject(given) || typeof given.provider !== 'string' || !isObject(given.documents)) throw none();
  const { provider, owner } = given;
  if (owner !== undefined && typeof owner !== 'string') throw none();
  const documents: Record<string, PulledDocument> = {};
  for (const [path, one] of Object.entries(given.documents)) {
    const isOne =
      isOwnPath(path) &&
      isObject(one) &&
      typeof one.resource === 'string' &&
      isTexts(one.refs) &&
      isObject(one.base) &&
      (one.choices === undefined || isTexts(one.choices));
    if (!isOne) throw none();
    documents[path] = one as unknown as PulledDocument;
  }
  return { provider, ...(owner === undefined ? {} : { owner }), documents };
}
/** The text of an index, its documents by their paths: two pulls of the same give the same. */
export const indexText = ({ provider, owner, documents }: SettingsIndex): string =>
  `${JSON.stringify({ mailroom: 1, provider, owner, documents: Object.fromEntries(Object.entries(documents).sort(([a], [b]) => (a < b ? -1 : 1))) }, null, 2)}\n`;
/** Throws `invalid_input` where an index of so many characters could not be read again. */
export function checkSize(size: number): void {
  if (size > LARGEST_INDEX)
    throw new MailError(
      'invalid_input',
      `These settings are more than one folder holds (${LARGEST_INDEX / 1e6} million characters). Nothing was written. Pull fewer kinds at a time, each into a folder of its own.`,
    );
}
let writing: Promise<unknown> = Promise.resolve();
/** Writes what is new about some documents, one write after the other; what others wrote about the rest stays. */
export function writeIndex(folder: SettingsFolder, index: SettingsIndex, paths: readonly string[]): Promise<void> {
  const mine = writing.then(() => mergeIndex(folder, index, paths));
  writing = mine.catch(() => {});
  return mine;
}
async function mergeIndex(folder: SettingsFolder, index: SettingsIndex, paths: readonly string[]): Promise<void> {
  const there = await readIndex(folder);
  if (there && (there.provider !== index.provider || (there.owner ?? index.owner) !== index.owner))
    throw new MailError('invalid_input', 'Another account was pulled into this folder meanwhile. Choose another one.');
  const mine = Object.fromEntries(paths.map(path => [path, index.documents[path]!]));
  const text = indexText({ ...index, documents: { ...there?.documents, ...mine } });
  checkSize(text.length);
  if ((await folder.read(INDEX)) !== text) await folder.write(INDEX, text);
}

/** A folder of this machine's disk. A file is whole or not there. */
export const diskFolder = (root: string): SettingsFolder => ({
  read: path =>
    readFile(join(root, path), 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined;
      throw new MailError('invalid_input', `${path} could not be read: ${error.code ?? error.message}.`);
    }),
  async write(path, text) {
    const at = join(root, path);
    await mkdir(root, { recursive: true });
    await staysIn(root, dirname(at), path);
    await mkdir(dirname(at), { recursive: true });
    const part = `${at}.${randomUUID()}.part`;
    try {
      await writeFile(part, text, { flag: 'wx' });
      await rename(part, at);
    } catch (error) {
      await rm(part, { force: true });
      throw error;
    }
  },
});
/** Throws where a link in the folder leads out of it: what is pulled would be written elsewhere. */
async function staysIn(root: string, folder: string, path: string): Promise<void> {
  const top = await realpath(root);
  // What is not there yet is made, so the nearest folder that is there decides.
  for (let at = folder; ; at = dirname(at)) {
    const real = await realpath(at).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined;
      throw error;
    });
    if (real === undefined) continue;
    if (real === top || real.startsWith(top.endsWith(sep) ? top : `${top}${sep}`)) return;
    throw new MailError('invalid_input', `${path} is behind a link that leads out of the folder. Take the link away.`);
  }
}

/**
 * What a person calls an object, as a part of a path: nothing in it leads elsewhere, and no system has another meaning
 * for it.
 */
export const pathPart = (label: string): string => {
  const part = label
    .normalize('NFC')
    .replace(/[/\\?#%*:|"<>\p{C}\p{Zl}\p{Zp}]/gu, '_')
    .slice(0, 80)
    .replace(/^[. ]+|[. ]+$/g, '_');
  return /^(?:con|prn|aux|nul|com\d|lpt\d)(?:\.|$)/i.test(part) ? `_${part}` : part || '_';
};
