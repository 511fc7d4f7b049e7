import { imapToolsLibrary, type ImapFlow } from '../libraries.js';
import { spareListing } from './pipeline.js';

/*
 * Folders are named as the server lists them, in every namespace (RFC 2342). The library puts the prefix of the first
 * personal namespace before every other name, so that a folder beside the prefix could not be reached. Here it learns
 * of no prefix. A name that is listed nowhere still finds the folder below the prefix, so that "Sent" is `INBOX.Sent`.
 */

interface Namespace {
  prefix: string;
  delimiter: string | null;
}
type Value = { value?: unknown } | null;
interface Told {
  personal: string[];
  all: string[];
  delimiter: string | null;
}
interface Listed {
  path: string;
  flags: Set<string>;
}
interface Answer {
  attributes?: Value[];
}
interface Options {
  untagged?: Record<string, (answer: Answer) => Promise<void>> | false;
}

/** What is used of the library besides its documented calls. A version without it names folders its own way. */
interface Inside {
  run?(command: string, ...args: unknown[]): Promise<unknown>;
  exec?(command: string, attributes: unknown, options: Options): Promise<unknown>;
  namespace?: Namespace;
  /** False where the server tells of none in a group. */
  namespaces?: { personal: Namespace[]; other: Namespace[] | false; shared: Namespace[] | false } | false;
}

/** Which arguments of the library's commands name folders. */
const NAMED: Readonly<Record<string, readonly number[]>> = {
  SELECT: [0],
  STATUS: [0],
  CREATE: [0],
  DELETE: [0],
  SUBSCRIBE: [0],
  UNSUBSCRIBE: [0],
  QUOTA: [0],
  APPEND: [0],
  RENAME: [0, 1],
  COPY: [1],
  MOVE: [1],
};
/** After these, a name may stand for another folder. */
const CHANGING = new Set(['CREATE', 'DELETE', 'RENAME']);
/** So many names are remembered with what they stand for. */
const REMEMBERED = 1000;

/** Lets a connection name folders as the server lists them. To be called before it connects. */
export function nameAsListed(client: ImapFlow): void {
  const inside = client as unknown as Inside;
  const run = inside.run?.bind(client);
  if (!run) return;
  listWholeNames(inside);
  let told: Told = { personal: [], all: [], delimiter: null };
  const known = new Map<string, string>();
  const isListed = async (name: string): Promise<boolean> => {
    try {
      const listed = (await run('LIST', '', name, { listOnly: true })) as Listed[] | false;
      return !!listed && listed.some(({ path, flags }) => path === name && !flags.has('\\NonExistent'));
    } catch (error) {
      // A server that refuses to list a name has no such folder.
      if ((error as { responseStatus?: string }).responseStatus === undefined) throw error;
      return false;
    }
  };
  const pathOf = async (name: string): Promise<string> => {
    const path = known.get(name);
    if (path !== undefined) return path;
    const found = await resolved(name, told, isListed);
    if (found.listed && known.size < REMEMBERED) known.set(name, found.path);
    return found.path;
  };
  inside.run = async (command, ...args) => {
    if (command === 'NAMESPACE') {
      const answer = await askNamespaces(client, inside, run);
      told = answer.told;
      return answer.result;
    }
    // Without a prefix, every name is whole.
    if (!told.personal[0] || !NAMED[command]) return run(command, ...args);
    for (const at of NAMED[command]) {
      const name = args[at];
      if (typeof name === 'string' && !isWhole(name, told)) args[at] = await pathOf(name);
    }
    if (command === 'SELECT') spareListing(client, String(args[0]));
    if (CHANGING.has(command)) known.clear();
    return run(command, ...args);
  };
}

/**
 * The library takes the separator off a name that begins with it, and such a folder could not be opened by the name
 * that is left. A second one is put before it here, which is then the one that is taken off.
 */
function listWholeNames(inside: Inside): void {
  const exec = inside.exec?.bind(inside);
  if (!exec) return;
  inside.exec = (command, attributes, options) => {
    const take = options?.untagged && options.untagged[command];
    // The answer to `LIST "" ""` is about the separator, and names no folder.
    if (!take || !/^X?LIST$|^LSUB$/.test(command) || (attributes as unknown[])[1] === '')
      return exec(command, attributes, options);
    return exec(command, attributes, {
      ...options,
      untagged: { ...options.untagged, [command]: answer => take(doubled(answer)) },
    });
  };
}

function doubled({ attributes = [], ...answer }: Answer): Answer {
  const [flags = null, separator = null, name, ...more] = attributes;
  const mark = String(separator?.value ?? '');
  const path = String(name?.value ?? '');
  return {
    ...answer,
    attributes:
      mark && path.startsWith(mark) ? [flags, separator, { ...name, value: mark + path }, ...more] : attributes,
  };
}

const isWhole = (name: string, { all }: Told): boolean =>
  name.toUpperCase() === 'INBOX' || all.some(prefix => prefix && name.startsWith(prefix));

/**
 * The path of the folder that a name stands for: as it is where that is listed, else below a prefix. New ones belong
 * below the first.
 */
async function resolved(
  name: string,
  { personal, delimiter }: Told,
  isListed: (name: string) => Promise<boolean>,
): Promise<{ path: string; listed: boolean }> {
  for (const prefix of new Set(['', ...personal]))
    if (await isListed(prefix + name)) return { path: prefix + name, listed: true };
  const [top = name] = delimiter ? name.split(delimiter) : [name];
  const beside = top !== name && (await isListed(top));
  return { path: beside ? name : personal[0]! + name, listed: false };
}

/** Asks for the namespaces by the library's own call, which then names folders without a prefix. */
async function askNamespaces(
  client: ImapFlow,
  inside: Inside,
  run: NonNullable<Inside['run']>,
): Promise<{ told: Told; result: unknown }> {
  const result = await run('NAMESPACE');
  const { decodePath } = await imapToolsLibrary();
  const { personal = [], other, shared } = inside.namespaces || {};
  const delimiter = personal[0]?.delimiter || null;
  const prefixes = (group: readonly Namespace[]) => group.map(({ prefix }) => decodePath(client, prefix));
  inside.namespace = { prefix: '', delimiter };
  return {
    told: {
      personal: prefixes(personal),
      all: prefixes([...personal, ...(other || []), ...(shared || [])]),
      delimiter,
    },
    result,
  };
}
