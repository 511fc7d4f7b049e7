import { isMailError, MailError, type Client } from '../../shared/index.js';
import type { AccountInfo, Accounts } from '../accounts/store.js';
import {
  bind,
  branchesAt,
  idOfItem,
  inputFrom,
  isMail,
  isMessage,
  NOTHING_BOUND,
  operationOf,
  searchField,
  type Binding,
  type Branch,
} from '../fields/tables.js';
import { later, type Later } from '../host/later.js';
import { itemNodeOf, type BranchNode, type ItemNode, type Model } from '../tree/model.js';

/** So many messages of an account are shown, and so many of its folders searched; for so long, in milliseconds. */
export const MOST_ROWS = 50;
export const MOST_FOLDERS = 200;
/** So many folders are looked at to choose those from. */
const MOST_LISTED = 10_000;
const LONGEST_MS = 30_000;

/** How the search in one account stands. `more`: there are further messages; `late`: it took too long. */
export type Standing = 'searching' | 'done' | 'more' | 'late' | 'stopped' | 'failed' | 'signIn';
/** What was found in one account so far. */
export interface Found {
  readonly account: AccountInfo;
  readonly rows: ItemNode[];
  standing: Standing;
  error?: unknown;
  /** Some folders could not be read; and there were more than are searched. */
  unreadable?: boolean;
  cut?: boolean;
}
interface SearchOptions {
  accounts: Pick<Accounts, 'list' | 'open' | 'ready'>;
  model: Pick<Model, 'listed'>;
  /** Told what became different; nothing in particular when a search began. */
  changed(found?: Found): void;
  /** Instead of the clock; for tests. */
  later?: Later;
}

/** What says that one folder cannot be read, not that the account cannot. */
const ONE_FOLDER: readonly string[] = ['not_found', 'forbidden', 'rejected'];
/** A list whose rows are those that were found in it. */
type Listed = BranchNode & { rows: ItemNode[] };

/** Roles of folders that nobody looks for mail in. */
const LEFT_OUT = ['trash', 'junk', 'flagged'];

/**
 * Searches the mail of all accounts whose provider can search it, each by itself, so that none holds up another. What
 * was found stays until the next search.
 */
export class Search {
  text = '';
  found: Found[] = [];
  private readonly options: SearchOptions;
  private ending = new AbortController();
  private count = 0;

  constructor(options: SearchOptions) {
    this.options = options;
  }

  get searching(): boolean {
    return this.found.some(({ standing }) => standing === 'searching');
  }
  /** Searches anew; what went on before ends. */
  async start(text: string): Promise<void> {
    const { accounts, changed } = this.options;
    this.stop();
    const { signal } = (this.ending = new AbortController());
    this.text = text;
    this.count++;
    this.found = accounts
      .list()
      .filter(account => listsOf(account).length > 0)
      .map(account => ({ account, rows: [], standing: 'searching' }));
    changed();
    await Promise.all(this.found.map(one => this.look(one, signal)));
  }
  stop(): void {
    this.ending.abort();
    for (const one of this.found) if (one.standing === 'searching') this.stands(one, 'stopped');
  }
  clear(): void {
    this.stop();
    this.found = [];
    this.options.changed();
  }
  /** A message that was moved or deleted is no longer there; true where it was one of these. */
  gone(node: unknown): boolean {
    for (const one of this.found) {
      const at = one.rows.indexOf(node as ItemNode);
      if (at < 0) continue;
      one.rows.splice(at, 1);
      // The list of its folder is what the reader goes on in.
      const { rows } = parentOf(node as ItemNode);
      rows.splice(rows.indexOf(node as ItemNode), 1);
      this.options.changed(one);
      return true;
    }
    return false;
  }
  has(node: unknown): boolean {
    return this.found.some(({ rows }) => rows.includes(node as ItemNode));
  }

  private stands(one: Found, standing: Standing): void {
    one.standing = standing;
    this.options.changed(one);
  }
  private async look(one: Found, stopped: AbortSignal): Promise<void> {
    const late = new AbortController();
    const end = (this.options.later ?? later)(() => {
      late.abort();
      if (one.standing === 'searching') this.stands(one, 'late');
    }, LONGEST_MS);
    try {
      const signal = AbortSignal.any([stopped, late.signal]);
      const standing = await Promise.race([this.gather(one, signal), ended(signal, 'stopped' as const)]);
      if (one.standing === 'searching') this.stands(one, standing);
    } catch (error) {
      if (one.standing !== 'searching') return;
      one.error = isMailError(error)
        ? error
        : new MailError('unavailable', error instanceof Error ? error.message : String(error));
      this.stands(one, 'failed');
    } finally {
      end();
    }
  }
  private async gather(one: Found, signal: AbortSignal): Promise<Standing> {
    const { accounts } = this.options;
    const { account } = one;
    // Nobody is asked for the secrets of several accounts at once.
    if (!(await accounts.ready(account.id))) return 'signIn';
    const client = await accounts.open(account.id, signal);
    const all = await placesIn(account, client);
    const places = all.slice(0, MOST_FOLDERS);
    const seen = new Set<string>();
    let refused = 0;
    for (const { branch, binding } of places) {
      signal.throwIfAborted();
      try {
        const standing = await this.gatherIn(one, this.branchOf(account, branch, binding), seen, signal);
        if (standing) return standing;
      } catch (error) {
        // A folder that went meanwhile, or is closed to this user, takes nothing from the others.
        if (!isMailError(error) || !ONE_FOLDER.includes(error.code) || ++refused === places.length) throw error;
        one.unreadable = true;
      }
    }
    one.cut = all.length > places.length;
    return 'done';
  }
  /** What one folder holds; undefined where the search goes on after it. */
  private async gatherIn(
    one: Found,
    node: Listed,
    seen: Set<string>,
    signal: AbortSignal,
  ): Promise<Standing | undefined> {
    const { rows } = one;
    for await (const item of this.options.model.listed(node, signal)) {
      if (signal.aborted) return one.standing;
      if (seen.has(idOfItem(item))) continue;
      if (rows.length >= MOST_ROWS) return 'more';
      seen.add(idOfItem(item));
      const row = itemNodeOf(node, item);
      rows.push(row);
      node.rows.push(row);
      this.options.changed(one);
    }
    return undefined;
  }
  private branchOf(account: AccountInfo, branch: Branch, binding: Binding): Listed {
    return {
      kind: 'branch',
      id: `search/${this.count}/${account.id}/${binding.refs.folder ?? ''}/${branch.resource}`,
      account,
      branch,
      binding,
      label: branch.label,
      pages: 1,
      generation: 0,
      filter: { text: this.text },
      rows: [],
    };
  }
}

const parentOf = (node: ItemNode): Listed => node.parent as Listed;

/** The lists of mail at a place that the server can search, messages before conversations: one kind is enough. */
function searchable(account: AccountInfo, resource: string | undefined, binding: Binding): Branch[] {
  const { provider, values, has } = account;
  const all = branchesAt(provider, values, resource, binding).filter(
    one =>
      isMail(one.resource) &&
      one.choice === undefined &&
      one.only === undefined &&
      (has?.includes(one.resource) ?? true) &&
      searchField(operationOf(provider, one.operation)!) !== undefined,
  );
  const messages = all.filter(one => isMessage(one.resource));
  return (messages.length ? messages : all).slice(0, 1);
}
const listsOf = (account: AccountInfo): Branch[] => searchable(account, undefined, NOTHING_BOUND);

/**
 * The lists to search in an account: those of its folders where it has some, the inbox first; the folder with all mail
 * alone where there is one.
 */
async function placesIn(account: AccountInfo, client: Client): Promise<{ branch: Branch; binding: Binding }[]> {
  const { provider } = account;
  const own = listsOf(account).map(branch => ({ branch, binding: NOTHING_BOUND }));
  if (!operationOf(provider, 'folder.list') || !(account.has?.includes('folder') ?? true)) return own;
  const folders: Record<string, unknown>[] = [];
  const listed = client.call('folder.list', inputFrom(provider, 'folder.list', NOTHING_BOUND));
  for await (const folder of listed as AsyncIterable<Record<string, unknown>>) {
    if (folders.push(folder) >= MOST_LISTED) break;
  }
  const all = folders.filter(({ role }) => role === 'all');
  const rank = (folder: Record<string, unknown>) => (idOfItem(folder).toUpperCase() === 'INBOX' ? 0 : 1);
  const wanted = (all.length ? all : folders)
    .filter(({ role, native, messages }) => !LEFT_OUT.includes(String(role)) && selectable(native) && messages !== 0)
    .sort((a, b) => rank(a) - rank(b));
  const found = wanted.flatMap(folder => {
    const binding = bind(provider, NOTHING_BOUND, 'folder', folder);
    return searchable(account, 'folder', binding).map(branch => ({ branch, binding }));
  });
  return found.length ? found : own;
}
const selectable = (native: unknown): boolean => (native as Record<string, unknown> | undefined)?.selectable !== false;

/** Resolves when a signal does: what hears of it late holds up nobody. */
const ended = <T>(signal: AbortSignal, as: T): Promise<T> =>
  new Promise(resolve => signal.addEventListener('abort', () => resolve(as), { once: true }));
