import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
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
  documents: Record<string, PulledDocument>;
}

/** The file with what was pulled; and so large may a file be, in characters. */
export const INDEX = 'mailroom.json';
export const LARGEST = 4_000_000;

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
  let given: unknown;
  try {
    given = JSON.parse(text);
  } catch {
    throw none();
  }
  if (text.length > LARGEST || !isObject(given) || typeof given.provider !== 'string' || !isObject(given.documents))
    throw none();
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
  return { provider: given.provider, documents };
}
/** Writes the index, its documents by their paths: two pulls of the same give the same file. */
export const writeIndex = (folder: SettingsFolder, { provider, documents }: SettingsIndex): Promise<void> =>
  folder.write(
    INDEX,
    `${JSON.stringify({ mailroom: 1, provider, documents: Object.fromEntries(Object.entries(documents).sort(([a], [b]) => (a < b ? -1 : 1))) }, null, 2)}\n`,
  );

/** A folder of this machine's disk. A file is whole or not there. */
export const diskFolder = (root: string): SettingsFolder => ({
  read: path =>
    readFile(join(root, path), 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined;
      throw new MailError('invalid_input', `${path} could not be read: ${error.code ?? error.message}.`);
    }),
  async write(path, text) {
    const at = join(root, path);
    const part = `${at}.part`;
    await mkdir(dirname(at), { recursive: true });
    await writeFile(part, text);
    await rename(part, at);
  },
});

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
