import type { Memento } from 'vscode';
import type { AccountInfo, Accounts } from '../accounts/store.js';
import { isMessage, labelOf } from '../fields/tables.js';
import { later, type Later } from '../host/later.js';
import { brief, t } from '../host/text.js';
import { canFollow, type AccountNode, type BranchNode, type ItemNode, type Model, type Node } from './model.js';

interface WatchOptions {
  accounts: Pick<Accounts, 'list' | 'find' | 'ready'>;
  model: Pick<Model, 'children' | 'refresh'>;
  /** Remembers for this workspace which accounts are watched. */
  state: Pick<Memento, 'get' | 'update'>;
  /** Told that the row of an account became different. */
  changed(account: string): void;
  /** What tells of messages that came; undefined where nobody wants to be told. */
  notify(): ((text: string, rows: readonly ItemNode[], inbox: BranchNode) => void) | undefined;
  /** Instead of the clock; for tests. */
  later?: Later;
}

const WATCHED = 'watched';
/** Retry an unreadable inbox after this long, in milliseconds. */
const AGAIN_MS = 60_000;
/** The shortest time between two notices, in milliseconds. */
const QUIET_MS = 30_000;

/**
 * The accounts whose inbox is followed though nobody has it open. It counts the unread ones among the messages it has
 * loaded.
 */
export class Watch {
  private readonly options: WatchOptions;
  private readonly later: Later;
  private readonly timers = new Map<string, () => void>();
  /** What came and was not told yet, by account, as long as the last notice is fresh. */
  private readonly untold = new Map<string, { rows: ItemNode[]; inbox: BranchNode }>();
  private resumed = false;

  constructor(options: WatchOptions) {
    this.options = options;
    this.later = options.later ?? later;
  }

  has(account: string): boolean {
    return this.resumed && this.ids().includes(account);
  }
  /** Whether an account can be watched: its provider tells of news by itself, and its secrets are kept in use. */
  can({ id, provider }: AccountInfo): boolean {
    return canFollow(provider) && this.options.accounts.find(id).remember !== 'never';
  }
  async add(account: string): Promise<void> {
    this.resumed = true;
    await this.options.state.update(WATCHED, [...new Set([...this.ids(), account])]);
    this.keep();
  }
  async remove(account: string): Promise<void> {
    await this.options.state.update(
      WATCHED,
      this.ids().filter(one => one !== account),
    );
    this.timers.get(account)?.();
    this.timers.delete(account);
    this.untold.delete(account);
    this.keep();
  }
  /** The window came back: what was watched is watched again. */
  resume(): void {
    if (this.resumed) return;
    this.resumed = true;
    if (this.ids().length) this.keep();
  }
  /** Sees to it that the inbox of each watched account is read, and that its row says how it stands. */
  keep(): void {
    for (const root of this.roots()) {
      const { id } = root;
      const is = this.has(id);
      const inbox = is ? this.inboxOf(root) : undefined;
      // Whatever could not be asked, such as an account that just went, is asked again by the timer.
      if (inbox && waits(inbox) && !this.timers.has(id)) this.read(id, inbox).catch(() => {});
      const unread = inbox?.rows?.filter(({ item }) => item.read === false).length ?? 0;
      if ((root.watched ?? false) === is && (root.unread ?? 0) === unread) continue;
      root.watched = is;
      root.unread = unread;
      this.options.changed(id);
    }
  }
  /** How many of the messages that are loaded of the watched inboxes are unread. */
  unread(): number {
    return this.roots().reduce((sum, { unread = 0 }) => sum + unread, 0);
  }
  /** Messages came into a list; those of a watched inbox are told, many of them in one notice. */
  came(inbox: BranchNode, rows: readonly ItemNode[]): void {
    const { id } = inbox.account;
    const news = rows.filter(({ item }) => item.read === false);
    if (!news.length || inbox.parent?.kind !== 'account' || !this.has(id) || !this.options.notify()) return;
    const waiting = this.untold.get(id);
    if (waiting) {
      waiting.rows.push(...news);
      return;
    }
    this.tell(inbox, news);
  }
  dispose(): void {
    // What is being read now, and fails, is not read again.
    this.resumed = false;
    for (const end of this.timers.values()) end();
    this.timers.clear();
    this.untold.clear();
  }

  private tell(inbox: BranchNode, rows: readonly ItemNode[]): void {
    const { id, name } = inbox.account;
    const mine = { rows: [] as ItemNode[], inbox };
    this.untold.set(id, mine);
    this.later(() => {
      if (this.untold.get(id) !== mine) return;
      this.untold.delete(id);
      if (mine.rows.length) this.tell(inbox, mine.rows);
    }, QUIET_MS);
    const [first] = rows as [ItemNode];
    const text =
      rows.length === 1
        ? t('New message in {0}: {1}', name, brief(labelOf(first.resource, first.item)) || t('(no subject)'))
        : t('{0} new messages in {1}', rows.length, name);
    this.options.notify()?.(text, rows, inbox);
  }
  private ids(): string[] {
    const ids = this.options.state.get<unknown>(WATCHED);
    return Array.isArray(ids) ? ids.filter(id => typeof id === 'string') : [];
  }
  private roots(): AccountNode[] {
    return this.options.model.children() as AccountNode[];
  }
  private inboxOf(root: AccountNode): BranchNode | undefined {
    if (!this.can(root.account)) return undefined;
    return (this.options.model.children(root) as Node[]).find(
      (one): one is BranchNode => one.kind === 'branch' && isMessage(one.branch.resource),
    );
  }
  private async read(id: string, inbox: BranchNode): Promise<void> {
    const { accounts, model } = this.options;
    const again = this.later(() => {
      this.timers.delete(id);
      this.keep();
    }, AGAIN_MS);
    this.timers.set(id, again);
    // Do not ask for a secret here; the user is asked when they open the account.
    if (!(await accounts.ready(id))) return;
    if (inbox.failed) await model.refresh(inbox);
    else await model.children(inbox);
    if (!inbox.rows || inbox.failed || !this.timers.has(id)) return;
    this.timers.delete(id);
    again();
    this.keep();
  }
}

/**
 * Whether an inbox waits to be read, for the first time or after a failure. A refused login is not tried again: the
 * user is asked for it, and servers lock out who repeats it.
 */
const waits = ({ rows, failed, loading }: BranchNode): boolean =>
  !loading && (failed ? failed.code !== 'unauthorized' : !rows);
