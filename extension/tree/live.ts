import type { Feed, Field } from '../../shared/index.js';
import type { Accounts } from '../accounts/store.js';
import { isMessage } from '../fields/tables.js';
import type { BranchNode, ItemNode, Model, Node } from './model.js';

interface LiveOptions {
  accounts: Pick<Accounts, 'open' | 'find'>; model: Model;
  /** Told why an account is not listened to for now; it is tried again. */
  failed(account: string, error: unknown): void;
  /** Told which rows came into a list that is shown. */
  came?(branch: BranchNode, rows: ItemNode[]): void;
  /** Runs something later, unless it is called off; for tests. */
  later?(run: () => void, ms: number): () => void;
}
/** One folder of one account that is listened to. */
interface Listener { stop: AbortController; branches: Set<BranchNode> }
export type Live = ReturnType<typeof createLive>;

/** News that come together are read together, after so many milliseconds. A connection that broke is made again after these. */
const TOGETHER_MS = 50, TRIES = [5_000, 15_000, 60_000, 300_000];

const timer = (run: () => void, ms: number) => { const one = setTimeout(run, ms); one.unref?.(); return () => clearTimeout(one); };

/**
 * Keeps open lists of messages as they are at the server: listens by the provider's own feed, where it tells of news by itself, for as long as a
 * list can be seen. Nothing is asked otherwise.
 */
export function createLive({ accounts, model, failed, came, later = timer }: LiveOptions) {
  const listeners = new Map<string, Listener>(), closed = new Set<string>(), reading = new Map<BranchNode, 'once' | 'again'>();
  const retries = new Map<string, { tries: number; end(): void }>();
  let visible = false, over = false;

  const isOpen = (node: Node): boolean => !closed.has(node.id) && (node.parent === undefined || isOpen(node.parent));
  /** The lists that can be seen, by account and folder. */
  function wanted(): Map<string, BranchNode[]> {
    const found = new Map<string, BranchNode[]>();
    if (!visible || over) return found;
    for (const branch of model.branches()) {
      if (!branch.rows || !isMessage(branch.branch.resource) || !feedOf(branch) || !isOpen(branch)) continue;
      // Secrets that are to be forgotten after a rest are not kept in use by listening.
      if (accounts.find(branch.account.id).remember === 'never') continue;
      const key = `${branch.account.id} ${folderOf(branch)}`;
      found.set(key, [...found.get(key) ?? [], branch]);
    }
    return found;
  }
  function sync(): void {
    const now = wanted();
    for (const [key, listener] of listeners) if (!now.has(key)) { listeners.delete(key); listener.stop.abort(); }
    for (const [key, one] of retries) if (!now.has(key)) { one.end(); retries.delete(key); }
    for (const [key, branches] of now) {
      const listener = listeners.get(key);
      if (listener) listener.branches = new Set(branches);
      else if (!retries.has(key)) listen(key, branches);
    }
  }
  function listen(key: string, branches: BranchNode[]): void {
    const [branch] = branches as [BranchNode], { name, input } = feedOf(branch)!;
    const listener: Listener = { stop: new AbortController(), branches: new Set(branches) };
    listeners.set(key, listener);
    const news = () => { retries.delete(key); for (const one of listener.branches) freshen(one); };
    void accounts.open(branch.account.id, listener.stop.signal).then(client => client.watch(name, input, news)).catch((error: unknown) => {
      if (listener.stop.signal.aborted) return;
      failed(branch.account.name, error);
    }).finally(() => {
      if (listeners.get(key) !== listener) return;
      listeners.delete(key);
      again(key);
    });
  }
  /** A connection that broke is made again after a while, if the list can still be seen then. */
  function again(key: string): void {
    const tries = retries.get(key)?.tries ?? 0;
    const end = later(() => {
      const branches = wanted().get(key);
      if (branches && !listeners.has(key)) listen(key, branches);
    }, TRIES[Math.min(tries, TRIES.length - 1)]!);
    retries.set(key, { tries: tries + 1, end });
  }
  /** One reading of a list at a time; what is told meanwhile is read afterwards. */
  function freshen(branch: BranchNode): void {
    if (reading.has(branch)) { reading.set(branch, 'again'); return; }
    reading.set(branch, 'once');
    later(() => void model.freshen(branch).then(rows => { if (rows.length) came?.(branch, rows); }, (error: unknown) => failed(branch.account.name, error))
      .finally(() => {
        const more = reading.get(branch) === 'again';
        reading.delete(branch);
        if (more && !over) freshen(branch);
      }), TOGETHER_MS);
  }
  return {
    /** To be told when the view comes in sight, or is out of it; when a row was opened or closed; and when rows were read. */
    seen(is: boolean): void { visible = is; sync(); },
    opened(node: Node): void { closed.delete(node.id); sync(); },
    closed(node: Node): void { closed.add(node.id); sync(); },
    sync,
    /** What is listened to now: account and folder. */
    listening: (): string[] => [...listeners.keys()],
    dispose(): void { over = true; sync(); },
  };
}

const folderOf = ({ binding }: BranchNode): string => binding.refs.folder ?? '';
/** The feed that tells of news in a list by itself, with its input; one that tells of changes too comes first. */
function feedOf(branch: BranchNode): { name: string; input: Record<string, unknown> } | undefined {
  const feeds = Object.entries(branch.account.provider.feeds).filter(([name, feed]) => feed.watch && /^message/.test(name));
  const [name, feed] = feeds.find(([one]) => one === 'messageChanged') ?? feeds[0] ?? [];
  return name && feed ? { name, input: inputOf(feed, branch) } : undefined;
}
/** Everything that a feed must be told: of choices all, and the folder. */
function inputOf(feed: Feed<any, unknown>, branch: BranchNode): Record<string, unknown> {
  const input: Record<string, unknown> = {};
  for (const [key, field] of Object.entries(feed.input as Record<string, Field>)) {
    if (field.type !== 'list') continue;
    if (field.required && field.of.type === 'choice') input[key] = Object.keys(field.of.choices);
    if (field.of.ref === 'folder' && folderOf(branch)) input[key] = [folderOf(branch)];
  }
  return input;
}
