import type { Feed, Field } from '../../shared/index.js';
import type { Accounts } from '../accounts/store.js';
import { isMessage } from '../fields/tables.js';
import { later, type Later } from '../host/later.js';
import { feedsOf, type BranchNode, type ItemNode, type Model, type Node } from './model.js';

interface LiveOptions {
  accounts: Pick<Accounts, 'open' | 'find'>;
  model: Model;
  /** Told why an account is not listened to for now; it is tried again. */
  failed(account: string, error: unknown): void;
  /** Whether the inbox of an account is followed also while no list of it is seen. */
  watched?(account: string): boolean;
  /** Told which rows came into a list that is shown or watched. */
  came?(branch: BranchNode, rows: ItemNode[]): void;
  /** Instead of the clock; for tests. */
  later?: Later;
}
/** One folder of one account that is listened to. */
interface Listener {
  stop: AbortController;
  branches: Set<BranchNode>;
}

/**
 * News that come together are read together, after so many milliseconds. A connection that broke is made again after
 * these.
 */
const TOGETHER_MS = 50;
const TRIES = [5_000, 15_000, 60_000, 300_000];

/**
 * Keeps open lists of messages as they are at the server: listens by the provider's own feed, where it tells of news by
 * itself, for as long as a list can be seen or its account is watched. Nothing is asked otherwise.
 */
export const createLive = (options: LiveOptions): Live => new Live(options);

export class Live {
  private readonly options: LiveOptions;
  private readonly later: Later;
  private readonly listeners = new Map<string, Listener>();
  private readonly retries = new Map<string, { tries: number; end(): void }>();
  /** Rows that are closed, by their ids. */
  private readonly shut = new Set<string>();
  private readonly reading = new Map<BranchNode, 'once' | 'again'>();
  private visible = false;
  private over = false;

  constructor(options: LiveOptions) {
    this.options = options;
    this.later = options.later ?? later;
  }

  /**
   * To be told when the view comes in sight, or is out of it; when a row was opened or closed; and when rows were read.
   */
  seen(is: boolean): void {
    this.visible = is;
    this.sync();
  }
  opened(node: Node): void {
    this.shut.delete(node.id);
    this.sync();
  }
  closed(node: Node): void {
    this.shut.add(node.id);
    this.sync();
  }
  sync(): void {
    const now = this.wanted();
    for (const [key, listener] of this.listeners)
      if (!now.has(key)) {
        this.listeners.delete(key);
        listener.stop.abort();
      }
    for (const [key, one] of this.retries)
      if (!now.has(key)) {
        one.end();
        this.retries.delete(key);
      }
    for (const [key, branches] of now) {
      const listener = this.listeners.get(key);
      if (listener) listener.branches = new Set(branches);
      else if (!this.retries.has(key)) this.listen(key, branches);
    }
  }
  /** What is listened to now: account and folder. */
  listening(): string[] {
    return [...this.listeners.keys()];
  }
  dispose(): void {
    this.over = true;
    this.sync();
  }

  private isOpen(node: Node): boolean {
    return !this.shut.has(node.id) && (node.parent === undefined || this.isOpen(node.parent));
  }
  /** The inbox of an account that is watched. */
  private isWatched({ account, parent }: BranchNode): boolean {
    return parent?.kind === 'account' && this.options.watched?.(account.id) === true;
  }
  /** The lists that can be seen or are watched, by account and folder. */
  private wanted(): Map<string, BranchNode[]> {
    const found = new Map<string, BranchNode[]>();
    if (this.over) return found;
    for (const branch of this.options.model.branches()) {
      if (!branch.rows || !isMessage(branch.branch.resource) || !feedOf(branch)) continue;
      if (!this.isWatched(branch) && !(this.visible && this.isOpen(branch))) continue;
      // Secrets that are to be forgotten after a rest are not kept in use by listening.
      if (this.options.accounts.find(branch.account.id).remember === 'never') continue;
      const key = `${branch.account.id} ${folderOf(branch)}`;
      found.set(key, [...(found.get(key) ?? []), branch]);
    }
    return found;
  }
  private listen(key: string, branches: BranchNode[]): void {
    const { accounts, failed } = this.options;
    const [branch] = branches as [BranchNode];
    const { name, input } = feedOf(branch)!;
    const listener: Listener = { stop: new AbortController(), branches: new Set(branches) };
    this.listeners.set(key, listener);
    const news = () => {
      this.retries.delete(key);
      for (const one of listener.branches) this.freshen(one);
    };
    void accounts
      .open(branch.account.id, listener.stop.signal)
      .then(client => client.watch(name, input, news))
      .catch((error: unknown) => {
        if (listener.stop.signal.aborted) return;
        failed(branch.account.name, error);
      })
      .finally(() => {
        if (this.listeners.get(key) !== listener) return;
        this.listeners.delete(key);
        this.again(key);
      });
  }
  /** A connection that broke is made again after a while, if the list can still be seen then. */
  private again(key: string): void {
    const tries = this.retries.get(key)?.tries ?? 0;
    const end = this.later(
      () => {
        const branches = this.wanted().get(key);
        if (branches && !this.listeners.has(key)) this.listen(key, branches);
      },
      TRIES[Math.min(tries, TRIES.length - 1)]!,
    );
    this.retries.set(key, { tries: tries + 1, end });
  }
  /** One reading of a list at a time; what is told meanwhile is read afterwards. */
  private freshen(branch: BranchNode): void {
    const { model, failed, came } = this.options;
    if (this.reading.has(branch)) {
      this.reading.set(branch, 'again');
      return;
    }
    this.reading.set(branch, 'once');
    this.later(
      () =>
        void model
          .freshen(branch)
          .then(
            rows => {
              if (rows.length) came?.(branch, rows);
            },
            (error: unknown) => failed(branch.account.name, error),
          )
          .finally(() => {
            const more = this.reading.get(branch) === 'again';
            this.reading.delete(branch);
            if (more && !this.over) this.freshen(branch);
          }),
      TOGETHER_MS,
    );
  }
}

const folderOf = ({ binding }: BranchNode): string => binding.refs.folder ?? '';
/** The feed that tells of news in a list by itself, with its input; one that tells of changes too comes first. */
function feedOf(branch: BranchNode): { name: string; input: Record<string, unknown> } | undefined {
  const feeds = feedsOf(branch.account.provider);
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
