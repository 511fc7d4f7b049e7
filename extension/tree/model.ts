import { isMailError, MailError, settingsOf, splitName, type Client, type Provider } from '../../shared/index.js';
import type { AccountInfo } from '../accounts/store.js';
import {
  actionsAt,
  actionsFor,
  actionsOn,
  bind,
  branchesAt,
  idOfItem,
  inputFrom,
  isEntryList,
  isMail,
  isMailbox,
  isMessage,
  labelOf,
  NOTHING_BOUND,
  operationOf,
  placeField,
  resends,
  searchField,
  singlesAt,
  type Binding,
  type Branch,
} from '../fields/tables.js';
import { secretsOf } from '../fields/values.js';
import { brief, t, title } from '../host/text.js';

interface Base {
  readonly id: string;
  readonly parent?: Node;
  account: AccountInfo;
  label: string;
}
export interface AccountNode extends Base {
  kind: 'account';
  /** Its inbox is followed also while it is not seen; and how many messages in it are unread. */
  watched?: boolean;
  unread?: number;
}
export interface BranchNode extends Base {
  kind: 'branch';
  readonly branch: Branch;
  readonly binding: Binding;
  /** What was loaded so far; undefined before the first look. */
  rows?: ItemNode[];
  seen?: Set<string>;
  /** The rows before they are read anew: those that come again keep their objects, the others are forgotten then. */
  before?: ItemNode[];
  /**
   * The filter that the rows were read with; rows that could not be read anew are shown as they were only under the
   * same one.
   */
  readWith?: BranchNode['filter'];
  /**
   * Rows that are known and hidden by the filter; and what a list that is compared here was seen to hold since it is
   * read anew, by its ids.
   */
  hidden?: Map<string, ItemNode>;
  compared?: Map<string, Record<string, unknown>>;
  rest?: AsyncIterator<unknown>;
  failed?: MailError;
  /** The rows are those of before the last reading, which failed. */
  stale?: boolean;
  loading?: Promise<void>;
  pages: number;
  /** Ends the requests of this branch; and that somebody did, so that there may be more, which begins anew. */
  ending?: AbortController;
  cut?: boolean;
  /** The user's filter: a text, or a whole input of the list. */
  filter?: { text?: string; input?: Record<string, unknown> };
  generation: number;
}
/** A choice that a list requires, such as one of four spam lists: a branch that holds one branch for each. */
interface ChoiceNode extends Base {
  kind: 'choice';
  readonly branch: Branch;
  readonly binding: Binding;
}
export interface ItemNode extends Base {
  kind: 'item';
  readonly resource: string;
  item: Record<string, unknown>;
  binding: Binding;
  readonly list: string;
}
export interface SingleNode extends Base {
  kind: 'single';
  readonly resource: string;
  readonly operation: string;
  readonly binding: Binding;
}
export interface NoteNode extends Base {
  kind: 'note';
  note: 'more' | 'empty' | 'problem' | 'retry' | 'edit' | 'log';
  readonly of: BranchNode;
  error?: MailError;
}
export type Node = AccountNode | BranchNode | ChoiceNode | ItemNode | SingleNode | NoteNode;

interface ModelOptions {
  accounts(): readonly AccountInfo[];
  open(account: string, signal: AbortSignal): Promise<Client>;
  /** Told which branch changed; undefined means the accounts themselves. */
  changed(node: Node | undefined): void;
  /** Told when rows were read that the view asked for itself. */
  loaded?(node: BranchNode): void;
  /** How many rows a page of the tree has. */
  page?: number;
}

/** Above so many rows the plain order of letters is used: comparing as people do is ten times slower. */
const MANY = 5000;
/** When more than this many rows came, the list is read again as a whole. */
const FRESHENED = 1000;
let collator: Intl.Collator | undefined;
/**
 * Names as people order them. Made at the first list: its tables take ten milliseconds, which activation need not wait
 * for.
 */
const byName = (a: string, b: string): number =>
  (collator ??= new Intl.Collator(undefined, { numeric: true, sensitivity: 'base' })).compare(a, b);

/** What the tree shows and how far it has read: holds pages, failures and filters, knows nothing of VS Code. */
export const createModel = (options: ModelOptions): Model => new Model(options);

export class Model {
  private readonly options: ModelOptions;
  private readonly page: number;
  private readonly nodes = new Map<string, Node>();

  constructor(options: ModelOptions) {
    this.options = options;
    this.page = options.page ?? 100;
  }

  get size(): number {
    return this.nodes.size;
  }
  find(id: string): Node | undefined {
    return this.nodes.get(id);
  }
  parent(node: Node): Node | undefined {
    return node.parent;
  }
  branches(): BranchNode[] {
    return [...this.nodes.values()].filter((node): node is BranchNode => node.kind === 'branch');
  }
  /** Every row that is known, whatever filter is on, for the gathering of those that need attention. */
  loaded(): ItemNode[] {
    return this.branches().flatMap(({ rows, hidden }) => [...(rows ?? []), ...(hidden?.values() ?? [])]);
  }
  /** Whether a row can be opened in the tree. */
  expandable(node: Node): boolean {
    return node.kind === 'item' ? mayHaveChildren(node) : node.kind !== 'single' && node.kind !== 'note';
  }

  children(node?: Node): Node[] | Promise<Node[]> {
    if (!node) return this.roots();
    switch (node.kind) {
      case 'account':
        return this.below(node, undefined, NOTHING_BOUND);
      case 'item':
        return this.below(node, node.resource, node.binding);
      case 'choice':
        return this.choices(node);
      case 'branch':
        return this.rowsOf(node);
      case 'single':
      case 'note':
        return [];
    }
  }

  /** The objects of a branch, read anew and as its filter says; also for those who want them without rows. */
  async *listed(node: BranchNode, signal: AbortSignal): AsyncGenerator<Record<string, unknown>> {
    const {
      account: { id, provider },
      branch: { operation, resource, only },
      binding,
      filter,
    } = node;
    const search = searchField(operationOf(provider, operation)!);
    const local = filter?.text && (!search || only) ? filter.text.toLowerCase() : undefined;
    const input = {
      ...inputFrom(provider, operation, binding),
      ...filter?.input,
      ...(search && only ? { [search]: only.split('@')[0] } : search && filter?.text ? { [search]: filter.text } : {}),
    };
    for await (const item of (await this.options.open(id, signal)).call(operation, input) as AsyncIterable<
      Record<string, unknown>
    >) {
      if (only && idOfItem(item) !== only) continue;
      if (local) node.compared?.set(idOfItem(item), item);
      if (
        !local ||
        `${labelOf(resource, item)} ${idOfItem(item)} ${String(item.name ?? '')}`.toLowerCase().includes(local)
      )
        yield item;
    }
  }

  /**
   * Takes over what became of an account: all of its rows carry it, and what they show is read again where it may be
   * different.
   */
  async renew(id: string, again: boolean): Promise<void> {
    const account = this.options.accounts().find(one => one.id === id);
    const root = this.nodes.get(id);
    if (!account || root?.kind !== 'account') {
      this.options.changed(undefined);
      return;
    }
    for (const node of this.nodes.values()) if (node.account.id === id) node.account = account;
    root.label = account.name;
    if (again) await this.refresh(root);
    else this.options.changed(root);
  }
  /** Reads again what was loaded, and no less of it; rows keep their identity. */
  async refresh(node?: Node): Promise<void> {
    if (!node || node.kind === 'single' || node.kind === 'note') {
      this.options.changed(node?.parent);
      return;
    }
    const below = node.kind === 'branch' ? [node] : this.branches().filter(one => one.id.startsWith(`${node.id}/`));
    for (const branch of below) {
      stop(branch);
      branch.failed = undefined;
      branch.stale = false;
      branch.loading = undefined;
      if (branch.rows) branch.pages = Math.max(1, Math.ceil(branch.rows.length / this.page));
      if (branch === node) await this.load(branch);
      else letGo(branch);
    }
    this.options.changed(node);
  }
  /** Ends the request that a branch waits for; what was read stays. */
  cancel(node: BranchNode): void {
    if (node.loading) node.ending?.abort();
  }
  /** One more page. `quiet`: the caller shows it, after many of them. */
  async more(node: BranchNode, quiet?: 'quiet'): Promise<void> {
    node.pages = Math.ceil((node.rows?.length ?? 0) / this.page) + 1;
    await this.load(node);
    if (!quiet) this.options.changed(node);
  }
  async filter(node: BranchNode, filter: BranchNode['filter']): Promise<void> {
    const known = [...(node.hidden?.values() ?? []), ...(node.rows ?? node.before ?? [])];
    node.filter = filter;
    node.pages = 1;
    node.hidden = filter ? new Map(known.map(row => [row.id, row])) : undefined;
    node.before = known;
    node.rows = undefined;
    await this.refresh(node);
  }
  /** Puts what a write gave back into its row, so that nothing has to be read again. */
  update(node: ItemNode, item: Record<string, unknown>): void {
    if (idOfItem(item) !== idOfItem(node.item)) return;
    node.item = item;
    node.binding = bind(node.account.provider, (node.parent as BranchNode).binding, node.resource, item);
    node.label = labelOf(node.resource, item);
    this.options.changed(node);
  }
  remove(node: ItemNode): void {
    const branch = node.parent as BranchNode;
    // In place: a reading that goes on adds to the same rows.
    const at = branch.rows?.indexOf(node) ?? -1;
    if (at >= 0) branch.rows!.splice(at, 1);
    branch.seen?.delete(node.id);
    branch.hidden?.delete(node.id);
    this.forget(node);
    this.options.changed(branch);
  }

  /**
   * Reads the beginning of a list again, as far as what is known already, and takes over what came, changed or went
   * there; the rows below stay as they were read. Gives the rows that came.
   */
  async freshen(node: BranchNode): Promise<ItemNode[]> {
    const old = node.rows;
    const generation = node.generation;
    if (!old || node.loading || node.failed) return [];
    const known = new Set(old.map(({ id }) => id));
    const before = looks(old);
    const fresh: ItemNode[] = [];
    const ids = new Set<string>();
    const ending = new AbortController();
    let whole = true;
    try {
      for await (const item of this.listed(node, ending.signal)) {
        if (node.generation !== generation || node.rows !== old) return [];
        const row = this.itemNode(node, item);
        if (!ids.has(row.id)) {
          ids.add(row.id);
          fresh.push(row);
        }
        if (fresh.length >= this.page && (known.has(row.id) || !old.length)) {
          whole = false;
          break;
        }
        if (fresh.length < FRESHENED) continue;
        await this.refresh(node);
        return [];
      }
    } finally {
      ending.abort();
    }
    if (node.generation !== generation || node.rows !== old) return [];
    // Below the last row that was seen again, nothing is known to have changed.
    const last = old.findLastIndex(({ id }) => ids.has(id));
    const below = whole ? [] : old.filter(({ id }, i) => i > last && !ids.has(id));
    const kept = new Set(below.map(({ id }) => id));
    for (const row of old)
      if (!ids.has(row.id) && !kept.has(row.id)) {
        node.seen?.delete(row.id);
        this.forget(row);
      }
    for (const id of ids) node.seen?.add(id);
    node.rows = [...fresh, ...below];
    if (!whole && !old.length) node.cut = true;
    if (looks(node.rows) !== before) this.options.changed(node);
    return fresh.filter(({ id }) => !known.has(id));
  }

  /** The same object for the same id, for as long as it is shown: VS Code matches rows by identity. */
  private keep<N extends Node>(made: N, update?: (old: N) => void): N {
    const old = this.nodes.get(made.id);
    if (old?.kind === made.kind && old.parent === made.parent && old.account.provider === made.account.provider) {
      update?.(old as N);
      return old as N;
    }
    this.nodes.set(made.id, made);
    return made;
  }
  private roots(): AccountNode[] {
    const now = this.options.accounts();
    const ids = new Set(now.map(({ id }) => id));
    for (const [id, node] of this.nodes)
      if (!ids.has(node.account.id)) {
        stop(node);
        this.nodes.delete(id);
      }
    return now.map(account =>
      this.keep<AccountNode>({ kind: 'account', id: account.id, account, label: account.name }, old => {
        old.account = account;
        old.label = account.name;
      }),
    );
  }
  private below(node: AccountNode | ItemNode, resource: string | undefined, binding: Binding): Node[] {
    const { account } = node;
    const has = ({ resource: one }: { resource: string }) => account.has?.includes(one) ?? true;
    const lists = branchesAt(account.provider, account.values, resource, binding).filter(has);
    const branches = lists.map(branch =>
      branch.choice === undefined
        ? this.keep<BranchNode>({
            kind: 'branch',
            id: `${node.id}/${branch.resource}`,
            parent: node,
            account,
            branch,
            binding,
            label: branch.label,
            pages: 1,
            generation: 0,
          })
        : this.keep<ChoiceNode>({
            kind: 'choice',
            id: `${node.id}/${branch.resource}`,
            parent: node,
            account,
            branch,
            binding,
            label: branch.label,
          }),
    );
    const singles = singlesAt(account.provider, resource, binding)
      .filter(has)
      .map(single =>
        this.keep<SingleNode>({
          kind: 'single',
          id: `${node.id}/${single.resource}`,
          parent: node,
          account,
          binding,
          ...single,
        }),
      );
    return [...branches, ...singles];
  }
  private choices(node: ChoiceNode): Node[] {
    const key = node.branch.choice!;
    const field = operationOf(node.account.provider, node.branch.operation)!.input[key]!;
    return Object.entries(field.type === 'choice' ? field.choices : {}).map(([value, label]) =>
      this.keep<BranchNode>({
        kind: 'branch',
        id: `${node.id}/${value}`,
        parent: node,
        account: node.account,
        label,
        pages: 1,
        generation: 0,
        branch: { operation: node.branch.operation, resource: node.branch.resource, label },
        binding: { ...node.binding, choices: { ...node.binding.choices, [key]: value } },
      }),
    );
  }
  private async rowsOf(node: BranchNode): Promise<Node[]> {
    if (!node.rows && !node.failed) {
      await this.load(node);
      this.options.loaded?.(node);
    }
    const note = (kind: NoteNode['note'], label: string): NoteNode => {
      const made = this.keep<NoteNode>(
        { kind: 'note', note: kind, id: `${node.id}#${kind}`, parent: node, account: node.account, of: node, label },
        old => {
          old.label = label;
        },
      );
      made.error = kind === 'problem' ? node.failed : undefined;
      return made;
    };
    const rows: Node[] = sorted(node.rows ?? []);
    if (node.failed) {
      const notes = [
        note('problem', node.failed.message),
        note('retry', t('Retry')),
        note('edit', t('Edit account…')),
        note('log', t('Show log')),
      ];
      // What is older than the failure stands below it.
      if (node.stale) rows.unshift(...notes);
      else rows.push(...notes);
    } else if (hasMore(node)) rows.push(note('more', t('Load more')));
    else if (rows.length === 0) rows.push(note('empty', node.filter ? t('Nothing matches the filter') : t('None')));
    return rows;
  }

  /**
   * Reads until as many pages are there as `node.pages` says. One reading at a time; a refresh makes an older one void.
   */
  private load(node: BranchNode): Promise<void> {
    if (node.loading) return node.loading;
    const mine = (node.loading = this.read(node, node.generation).finally(() => {
      if (node.loading === mine) node.loading = undefined;
    }));
    return mine;
  }
  private async read(node: BranchNode, generation: number): Promise<void> {
    // A reading that goes on adds to what is there: copying it for each page would make long lists slow.
    const goesOn = node.rest !== undefined && node.rows !== undefined && node.seen !== undefined;
    const rows: ItemNode[] = goesOn ? node.rows! : [];
    const wanted = node.pages * this.page;
    const seen: Set<string> = goesOn ? node.seen! : new Set();
    let stream = node.rest;
    const ending = stream && node.ending ? node.ending : (node.ending = new AbortController());
    let done = false;
    try {
      if (!stream && node.filter) node.compared = new Map();
      stream ??= this.listed(node, ending.signal);
      while (rows.length < wanted) {
        const step = await stream.next();
        if (node.generation !== generation) {
          void stream.return?.();
          return;
        }
        if (step.done) {
          done = true;
          break;
        }
        const row = this.itemNode(node, step.value as Record<string, unknown>);
        // A vendor whose list shifts while it is read may give a row twice; the tree needs each id once.
        if (!seen.has(row.id)) {
          seen.add(row.id);
          rows.push(row);
        }
      }
      node.rest = done ? undefined : stream;
      node.cut = false;
      node.failed = undefined;
    } catch (error) {
      if (node.generation !== generation) return;
      node.rest = undefined;
      node.cut = ending.signal.aborted;
      // Who cancels keeps what was there before.
      if (node.cut && !goesOn && node.rows) return;
      if (!node.cut)
        node.failed = isMailError(error)
          ? error
          : new MailError('unavailable', error instanceof Error ? error.message : String(error));
      // A reading that failed takes nothing away: what was read before stays below the reason.
      const old = node.rows ?? node.before;
      if (!goesOn && old?.length && rows.length === 0 && node.readWith === node.filter) {
        Object.assign(node, { rows: old, before: undefined, seen: new Set(old.map(({ id }) => id)), stale: true });
        return;
      }
    }
    if (node.hidden) this.stillHidden(node, seen, done);
    if (!goesOn)
      for (const old of node.rows ?? node.before ?? [])
        if (!seen.has(old.id) && !node.hidden?.has(old.id)) this.forget(old);
    Object.assign(node, { rows, seen, before: undefined, stale: false, readWith: node.filter });
  }
  /** What a filter hides is known all the same, until the list shows it, or was read to its end without it. */
  private stillHidden(node: BranchNode, seen: ReadonlySet<string>, done: boolean): void {
    const compared = node.compared?.size ? node.compared : undefined;
    for (const [id, row] of node.hidden!) {
      const item = compared?.get(idOfItem(row.item));
      if (item) row.item = item;
      else if (compared && done) {
        node.hidden!.delete(id);
        if (!seen.has(id)) this.forget(row);
      }
      if (seen.has(id)) node.hidden!.delete(id);
    }
  }
  private itemNode(node: BranchNode, item: Record<string, unknown>): ItemNode {
    const made = itemNodeOf(node, item);
    return this.keep(made, old => {
      old.item = item;
      old.binding = made.binding;
      old.label = made.label;
    });
  }
  /** The rows below a row that is gone. Only what was shown below it is looked at. */
  private forget(node: Node): void {
    this.nodes.delete(node.id);
    if (node.kind === 'item' && !mayHaveChildren(node)) return;
    const below = `${node.id}/`;
    for (const [id, one] of this.nodes)
      if (id.startsWith(below)) {
        stop(one);
        this.nodes.delete(id);
      }
  }
}

/** By name, except mail, which stays in the order of the server. */
const sorted = (rows: readonly ItemNode[]): ItemNode[] =>
  rows.length && isMail(rows[0]!.resource)
    ? [...rows]
    : rows.length > MANY
      ? rows
          .map(row => [row.label.toLowerCase(), row] as const)
          .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
          .map(([, row]) => row)
      : [...rows].sort((a, b) => first(b) - first(a) || byName(a.label, b.label));
/** The inbox stands before all other folders (RFC 3501 section 5.1: its name is INBOX in any case). */
const first = ({ resource, item }: ItemNode): number =>
  resource === 'folder' && idOfItem(item).toUpperCase() === 'INBOX' ? 1 : 0;
/** What can be seen of mail in a list, to tell whether it has to be drawn again. */
const looks = (rows: readonly ItemNode[]): string =>
  rows.map(({ id, item }) => `${id} ${String(item.read)} ${String(item.flags)}`).join('\n');
/** Ends what is being read of a branch. */
function stop(node: Node): void {
  if (node.kind === 'branch') {
    node.generation++;
    node.ending?.abort();
    void node.rest?.return?.();
    node.rest = undefined;
  }
}
/** What a branch shows is no longer true, and stands for nothing until it is read anew. */
function letGo(branch: BranchNode): void {
  branch.before ??= branch.rows;
  branch.rows = undefined;
}
/**
 * The same for all rows of a kind at a kind of place, so it is worked out once: VS Code asks for every row of a list.
 */
const mayHaveChildren = (node: ItemNode): boolean =>
  remembered(
    node,
    'children',
    () =>
      branchesAt(node.account.provider, node.account.values, node.resource, node.binding).length > 0 ||
      singlesAt(node.account.provider, node.resource, node.binding).length > 0,
  );

/** Whether a list goes on after what was read of it. */
export const hasMore = (node: BranchNode): boolean => node.rest !== undefined || node.cut === true;

const facts = new WeakMap<object, Map<string, unknown>>();
/** A fact that hangs only on the kind of a row, where it stands, and whether it is active. */
function remembered<T>(node: ItemNode, fact: string, find: () => T): T {
  let known = facts.get(node.account);
  if (!known) facts.set(node.account, (known = new Map()));
  const key = `${fact} ${node.resource} ${statusOf(node.item) === 'active'} ${Object.keys(node.binding.refs).sort().join()} ${Object.keys(node.binding.choices).join()}`;
  if (!known.has(key)) known.set(key, find());
  return known.get(key) as T;
}

/** What can be done with a row: names of operations, in the table's order. */
export function actionsOf(node: Node): string[] {
  const { provider } = node.account;
  switch (node.kind) {
    case 'account':
      return actionsFor(provider);
    case 'branch':
    case 'choice':
      return actionsAt(provider, node.branch.resource, node.binding);
    case 'item':
      return actionsOn(provider, node.resource, node.binding).filter(name => makesSense(name, node.item));
    case 'single':
      return actionsOn(provider, node.resource, node.binding);
    case 'note':
      return [];
  }
}
/** The kind of object that a row is or lists. */
export const resourceOf = (node: Node): string =>
  node.kind === 'item' || node.kind === 'single'
    ? node.resource
    : node.kind === 'branch' || node.kind === 'choice'
      ? node.branch.resource
      : '';
/**
 * Whether what was chosen for one row is for another one of the selection too: the same kind of row, which offers it
 * itself.
 */
export const isFor = (operation: string, chosenOn: Node, node: Node): boolean =>
  node.kind === chosenOn.kind && resourceOf(node) === resourceOf(chosenOn) && actionsOf(node).includes(operation);

/**
 * The words a row's menu is chosen by, parted by semicolons: its kind, its resource, and one word for each thing that
 * can be done.
 */
export function contextOf(node: Node): string {
  const { provider } = node.account;
  const can = (names: readonly string[]) => [...new Set(names.map(name => `can.${splitName(name)[1]}`))];
  switch (node.kind) {
    case 'account':
      return [
        'account',
        node.account.local === undefined ? 'can.edit' : 'can.localMail',
        ...(provider.auth.oauth2 || provider.auth.oauth2Choice ? ['can.signIn'] : []),
        ...(operationOf(provider, 'message.send') ? ['can.send'] : []),
        ...(node.watched ? ['can.stopWatching'] : canFollow(provider) ? ['can.watch'] : []),
        ...(node.account.local === undefined && settingsOf(provider).length ? ['can.settings'] : []),
        ...(listsMailboxes(provider) ? ['can.overview'] : []),
      ].join(';');
    case 'branch':
    case 'choice': {
      const actions = actionsOf(node);
      return [
        node.kind,
        node.branch.resource,
        ...can(actions),
        ...(actions.length ? ['has.actions'] : []),
        ...(node.kind === 'branch'
          ? ['can.filter', ...(node.filter ? ['can.filtered'] : []), 'can.export', 'can.copyNode']
          : []),
        ...(isEntryList(provider, node.branch.resource) ? ['can.editEntries'] : []),
      ].join(';');
    }
    case 'item':
      return remembered(node, 'context', () => {
        const actions = actionsOf(node);
        const own = actions.filter(name => splitName(name)[0] === node.resource);
        const mail = isMail(node.resource);
        return [
          'item',
          node.resource,
          mail ? 'mail' : 'object',
          ...can(own),
          ...(actions.some(name => !own.includes(name) && name === 'sync.start') ? ['can.syncNow'] : []),
          ...(actions.length ? ['has.actions'] : []),
          ...(resends(provider, node.resource, node.binding) ? ['can.resend'] : []),
          'can.copyNode',
          ...(Object.keys(secretsOf(provider, node.resource)).length ? ['can.password'] : []),
          ...(placeField(provider, node.resource) ? ['can.order'] : []),
          ...(node.resource === 'mailbox' && operationOf(provider, 'message.sendFrom') ? ['can.compose'] : []),
          ...(isEntryOwner(provider, node) ? ['can.editEntries'] : []),
          ...(holdsMailboxes(node) ? ['can.overview', 'can.export'] : []),
        ].join(';');
      });
    case 'single': {
      const actions = actionsOf(node);
      return [
        'single',
        node.resource,
        ...(operationOf(provider, `${node.resource}.update`) ? ['can.update'] : []),
        ...can(actions.filter(name => splitName(name)[0] === node.resource)),
        ...(actions.length ? ['has.actions'] : []),
      ].join(';');
    }
    case 'note':
      return `note.${node.note}`;
  }
}

/** The row of an object in a list. */
export function itemNodeOf(list: BranchNode, item: Record<string, unknown>): ItemNode {
  const { account, branch } = list;
  return {
    kind: 'item',
    id: `${list.id}/${idOfItem(item)}`,
    parent: list,
    account,
    resource: branch.resource,
    item,
    binding: bind(account.provider, list.binding, branch.resource, item),
    label: labelOf(branch.resource, item),
    list: branch.operation,
  };
}

/** The feeds of a provider that tell of news in messages by themselves. */
export const feedsOf = ({ feeds }: Provider) =>
  Object.entries(feeds).filter(([name, feed]) => feed.watch && /^message/.test(name));
export const canFollow = (provider: Provider): boolean => feedsOf(provider).length > 0;

/** Whether there are mailboxes to count; an account that is one mailbox itself has none. */
export const listsMailboxes = (provider: Provider): boolean => mailboxLists(provider).length > 0;
export const mailboxLists = (provider: Provider): string[] =>
  Object.keys(provider.operations).filter(name => /^(mailbox|\w+Mailbox)\.list$/.test(name));

/** Whether mailboxes are listed below a row. */
const holdsMailboxes = (node: ItemNode): boolean => {
  const lists = mailboxLists(node.account.provider);
  return branchesAt(node.account.provider, node.account.values, node.resource, node.binding).some(branch =>
    lists.includes(branch.operation),
  );
};
const isEntryOwner = (provider: Provider, node: ItemNode): boolean =>
  branchesAt(provider, node.account.values, node.resource, node.binding).some(
    branch => branch.choice !== undefined && isEntryList(provider, branch.resource),
  );

/** What a row says after its name, in a word or two. */
export function describe(node: Node): string {
  if (node.kind === 'account') {
    const watched = node.watched ? (node.unread ? t('{0} unread', node.unread) : t('watched')) : '';
    const { local, provider } = node.account;
    return [watched, local ?? (node.label.includes(provider.name) ? '' : provider.name)].filter(Boolean).join(' · ');
  }
  if (node.kind === 'branch') {
    const filter = node.filter?.text ? `“${node.filter.text}”` : node.filter?.input ? t('filtered') : '';
    const count = node.rows && !node.failed ? `${node.rows.length}${hasMore(node) ? '+' : ''}` : '';
    const unread = isMessage(node.branch.resource)
      ? node.rows?.filter(({ item }) => item.read === false).length
      : undefined;
    return [[count, filter].filter(Boolean).join(' '), unread ? t('{0} unread', unread) : '']
      .filter(Boolean)
      .join(' · ');
  }
  if (node.kind !== 'item') return '';
  const { item, resource } = node;
  if (isMail(resource)) {
    const from = item.from as { email?: string; name?: string } | undefined;
    return brief([from?.name ?? from?.email, shortDate(item.date)].filter(Boolean).join(' · '));
  }
  const name =
    typeof item.name === 'string' && item.name !== node.label
      ? item.name
      : typeof item.description === 'string'
        ? item.description
        : undefined;
  const counts = typeof item.unread === 'number' && item.unread > 0 ? t('{0} unread', item.unread) : undefined;
  const runs = item.active === true ? t('active') : item.enabled === false ? t('disabled') : undefined;
  return [stateOf(node), runs, counts, name && brief(name)].filter(Boolean).join(' · ');
}

export const statusOf = (item: Readonly<Record<string, unknown>>): string | undefined =>
  typeof item.status === 'string' ? item.status : undefined;
/** A state in words; the vendor's own states are shown as they are. */
export function stateLabel(status: string): string {
  switch (status) {
    case 'active':
      return t('active');
    case 'disabled':
      return t('disabled');
    case 'pending':
      return t('pending');
    case 'deleting':
      return t('deletion scheduled');
    case 'error':
      return t('needs attention');
    case 'unknown':
      return t('state unknown');
    default:
      return title(status).toLowerCase();
  }
}
/** What was not deleted cannot be restored. */
export const makesSense = (operation: string, item: Readonly<Record<string, unknown>>): boolean =>
  splitName(operation)[1] !== 'restore' || statusOf(item) !== 'active';
/** True for what the user should look at: something failed, waits for him to sign in, or is about to be lost. */
export const needsAttention = (node: ItemNode): boolean =>
  isMailbox(node.resource) && (['error', 'deleting'].includes(statusOf(node.item) ?? '') || waitsForSignIn(node));
/** What a provider can reconnect and is not ready yet was never signed in. */
const waitsForSignIn = ({ account, resource, item }: ItemNode): boolean =>
  statusOf(item) === 'pending' && operationOf(account.provider, `${resource}.reconnect`) !== undefined;
/**
 * The state of a row in words, with the date where the vendor tells when it ends. Empty for what is as it should be.
 */
export function stateOf(node: ItemNode, now = Date.now()): string {
  const status = statusOf(node.item);
  if (status === undefined || status === 'active' || status === 'unknown') return '';
  if (waitsForSignIn(node)) return t('reconnect required');
  const at = status === 'deleting' ? deletionOf(node.item) : undefined;
  if (at === undefined) return stateLabel(status);
  const days = Math.round((Date.parse(at) - now) / 86_400_000);
  return days > 1 ? t('deleting in {0} days', days) : t('deletion scheduled for {0}', shortDate(at, new Date(now)));
}
/** When a vendor will delete what is scheduled for deletion, where it says so. */
export function deletionOf(item: Readonly<Record<string, unknown>>): string | undefined {
  const at = (item.native as Record<string, unknown> | undefined)?.deletion_scheduled_at;
  return typeof at === 'string' && !Number.isNaN(Date.parse(at)) ? at : undefined;
}

/** A date as mail lists show it: the time today, the day this year, else the year too. Empty where there is none. */
export function shortDate(value: unknown, now = new Date()): string {
  const at = typeof value === 'string' ? new Date(value) : undefined;
  if (!at || Number.isNaN(at.getTime())) return '';
  if (at.toDateString() === now.toDateString())
    return at.toLocaleTimeString(undefined, { hour: '2-digit', minute: '2-digit' });
  return at.toLocaleDateString(
    undefined,
    at.getFullYear() === now.getFullYear()
      ? { month: 'short', day: 'numeric' }
      : { year: 'numeric', month: 'short', day: 'numeric' },
  );
}
