import * as vscode from 'vscode';
import { isMailError, MailError, take, validate, type Field } from '../../shared/index.js';
import type { Accounts } from '../accounts/store.js';
import { idOfItem, inputFrom, labelOf, missing, operationOf, refOf, type Binding } from '../fields/tables.js';
import { packPlace } from '../fields/values.js';
import { explain } from '../host/problems.js';
import { inSentence, plural, t, title } from '../host/text.js';
import { window } from '../host/window.js';
import { inBulk } from '../operations/bulk.js';
import type { Operator } from '../operations/run.js';
import type { Target } from '../operations/target.js';
import type { Ask, EntryResult, ListColumn, ListsModel, Values } from '../webview/messages.js';
import { openPanel, type Back } from '../webview/panel.js';

interface ListsOptions {
  extension: vscode.Uri;
  accounts: Accounts;
  operator: Operator;
  /** Told which lists may look different: those of the target, or with a resource all of its kind in the account. */
  changed(target: Target, resource?: string): void;
}
/** So many entries are added or removed at once without a progress of their own. */
const FEW = 3;
interface Owner extends vscode.QuickPickItem {
  item: Values;
}
/** So many objects are offered to copy entries to. */
const OFFERED = 1000;
/** No more entries of a list are read. */
const MOST = 20_000;

/** Opens the editor of lists whose entries are bare texts: those that a choice tells apart stand side by side. */
export function createListsEditor(options: ListsOptions) {
  return (target: Target, resource: string, back?: Back): void => {
    const entries = entriesOf(target, resource);
    if (entries) new ListsEditor(options, target, resource, entries).open(back);
  };
}

/**
 * What a table says of the entries: where they belong, the choice that tells lists apart, the lists, and the field of
 * an entry.
 */
interface Entries {
  refs: Binding['refs'];
  choice: string | undefined;
  columns: ListColumn[];
  valueKey: string;
  field: Field;
}
function entriesOf(target: Target, resource: string): Entries | undefined {
  const {
    account: { provider },
    binding: { refs },
  } = target;
  const list = operationOf(provider, `${resource}.list`)!;
  const add = operationOf(provider, `${resource}.add`)!;
  const choice = missing(list, inputFrom(provider, `${resource}.list`, { refs, choices: {} })).find(
    key => list.input[key]!.type === 'choice',
  );
  const field = choice === undefined ? undefined : list.input[choice];
  const columns: ListColumn[] =
    field?.type === 'choice'
      ? Object.entries(field.choices).map(([id, label]) => ({ id, label, entries: [], loading: true }))
      : [{ id: '', label: plural(resource), entries: [], loading: true }];
  // The one required text that says what to add.
  const valueKey = missing(add, inputFrom(provider, `${resource}.add`, bindingOf(refs, choice, columns[0]!.id)))[0];
  return valueKey === undefined ? undefined : { refs, choice, columns, valueKey, field: add.input[valueKey]! };
}
const bindingOf = (refs: Binding['refs'], choice: string | undefined, column: string): Binding => ({
  refs,
  choices: choice === undefined ? {} : { [choice]: column },
});

/** The lists of one object in a tab. */
class ListsEditor {
  private readonly options: ListsOptions;
  private readonly target: Target;
  private readonly resource: string;
  private readonly entries: Entries;
  private readonly title: string;
  private readonly stop = new AbortController();
  private made: ReturnType<typeof openPanel>;

  constructor(options: ListsOptions, target: Target, resource: string, entries: Entries) {
    this.options = options;
    this.target = target;
    this.resource = resource;
    this.entries = entries;
    this.title = t('{0} of {1}', plural(resource), target.label);
  }

  open(back?: Back): void {
    const {
      target,
      resource,
      entries: { refs, columns },
    } = this;
    this.made = openPanel({
      page: 'lists',
      extension: this.options.extension,
      ...back,
      keep: {
        place: packPlace({ account: target.account.id, resource: target.resource, refs: { ...refs } }),
        label: target.label,
        list: resource,
      },
      identity: `lists ${target.account.id} ${resource} ${JSON.stringify(refs)}`,
      title: this.title,
      icon: 'shield',
      again: () => void this.loadAll(columns),
      onClosed: () => this.stop.abort(),
      ready: async () => {
        this.made?.connected.post({ type: 'lists', lists: this.model() });
        await this.loadAll(columns.filter(one => one.loading));
      },
      answer: ask => this.answer(ask),
    });
  }
  private async answer(ask: Ask): Promise<unknown> {
    switch (ask.do) {
      case 'reload':
        await this.loadAll(ask.column ? [this.find(ask.column)!].filter(Boolean) : this.entries.columns);
        return undefined;
      case 'add':
        return this.change(ask.column, 'add', ask.values);
      case 'remove':
        return this.change(ask.column, 'remove', ask.values);
      case 'copy':
        await this.copy(ask.column, ask.values);
        return undefined;
      default:
        return undefined;
    }
  }
  private find(id: string): ListColumn | undefined {
    return this.entries.columns.find(one => one.id === id);
  }
  private show(column: ListColumn): void {
    this.made?.connected.post({ type: 'column', column });
  }
  private at(column: string, refs = this.entries.refs): Binding {
    return bindingOf(refs, this.entries.choice, column);
  }
  private model(): ListsModel {
    const {
      target,
      entries: { columns, field },
    } = this;
    const { account } = target;
    return {
      title: this.title,
      subtitle: [...(target.resource ? [title(target.resource)] : []), account.name].join(' · '),
      columns,
      canCopy: operationOf(account.provider, `${target.resource}.list`) !== undefined,
      ...(field.example ? { example: field.example } : {}),
      ...(field.help ? { help: field.help } : {}),
    };
  }

  private async loadAll(columns: readonly ListColumn[]): Promise<void> {
    await Promise.all(columns.map(one => this.load(one)));
  }
  private async load(column: ListColumn): Promise<void> {
    const {
      resource,
      target: { account },
      entries: { valueKey },
    } = this;
    const listing = `${resource}.list`;
    column.loading = true;
    this.show(column);
    try {
      const client = await this.options.accounts.open(account.id, this.stop.signal);
      const found = await take(
        client.call(listing, inputFrom(account.provider, listing, this.at(column.id))) as AsyncIterable<Values>,
        MOST + 1,
      );
      column.more = found.length > MOST;
      column.entries = found.slice(0, MOST).map(item => String(item[valueKey] ?? labelOf(resource, item)));
      column.problem = undefined;
    } catch (error) {
      column.problem = explain(this.title, error) ?? t('Cancelled.');
    }
    column.loading = false;
    this.show(column);
  }

  /**
   * Each entry for itself, so that one refusal does not hide the others; what cannot be right is refused before
   * anything is sent.
   */
  private async change(id: string, verb: 'add' | 'remove', values: readonly string[]): Promise<EntryResult[]> {
    const { target, resource } = this;
    const column = this.find(id);
    if (!column) return [];
    const wanted = [...new Set(values.map(value => value.trim()).filter(value => value !== ''))];
    if (
      verb === 'remove' &&
      operationOf(target.account.provider, `${resource}.remove`)?.effect === 'destroy' &&
      !(await this.options.operator.confirm(
        wanted.map(label => ({ ...target, label })),
        `${resource}.remove`,
      ))
    ) {
      throw new vscode.CancellationError();
    }
    const there = new Set(column.entries);
    const { refused, changed } = await this.write(column, verb, wanted, there);
    column.entries =
      verb === 'add'
        ? [...column.entries, ...wanted.filter(value => changed.has(value) && !there.has(value))]
        : column.entries.filter(value => !changed.has(value));
    this.show(column);
    this.options.changed(target, target.node ? undefined : resource);
    return wanted.map(value => ({ value, ...(refused.has(value) ? { message: refused.get(value)! } : {}) }));
  }
  /** Sends entries, a few at once and many with a progress; tells which are changed, and which were refused and why. */
  private async write(
    column: ListColumn,
    verb: 'add' | 'remove',
    wanted: readonly string[],
    there: ReadonlySet<string>,
  ): Promise<{ refused: Map<string, string>; changed: Set<string> }> {
    const { account } = this.target;
    const { valueKey, field } = this.entries;
    const operation = `${this.resource}.${verb}`;
    const refused = new Map<string, string>();
    const changed = new Set<string>();
    const one = async ({ label: value }: { label: string }, signal?: AbortSignal) => {
      if (verb === 'add' && there.has(value)) throw new MailError('conflict', t('It is already on the list.'));
      if (verb === 'add') validate({ [valueKey]: field }, { [valueKey]: value });
      const client = await this.options.accounts.open(account.id, signal);
      await client.call(operation, {
        ...inputFrom(account.provider, operation, this.at(column.id)),
        [valueKey]: value,
      });
      changed.add(value);
    };
    const failed = ({ label }: { label: string }, error: unknown) =>
      void refused.set(label, isMailError(error) ? error.message : String(error));
    const things = wanted.map(label => ({ label }));
    if (things.length <= FEW)
      await Promise.all(things.map(thing => one(thing).catch((error: unknown) => failed(thing, error))));
    else {
      const what = verb === 'add' ? t('Adding to {0}', column.label) : t('Removing from {0}', column.label);
      const outcome = await inBulk(what, things, one, failed);
      this.options.operator.summary(
        what,
        outcome,
        [...refused].map(([value, message]) => `${value}: ${message}`),
      );
      for (const value of outcome.unknown)
        refused.set(value, t('Cancelled while it was running. Check before you try again.'));
      for (const value of outcome.left) refused.set(value, t('Not started, because you cancelled.'));
    }
    return { refused, changed };
  }

  /** Adds entries of one list to the same list of other objects, each entry for itself. */
  private async copy(id: string, values: readonly string[]): Promise<void> {
    const {
      target,
      resource,
      entries: { valueKey },
    } = this;
    const { account } = target;
    const name = this.find(id)?.label ?? '';
    const operation = `${resource}.add`;
    const picked = await this.copyTo(
      values.length === 1
        ? t('Copy “{0}” of {1} to', values[0]!, name)
        : t('Copy {0} entries of {1} to', values.length, name),
    );
    if (!picked?.owners.length) return;
    const failures: string[] = [];
    const entries = picked.owners.flatMap(({ item, label: owner }) =>
      values.map(value => ({
        label: `${owner}: ${value}`,
        value,
        refs: { ...picked.refs, [target.resource]: idOfItem(item) },
      })),
    );
    let there = 0;
    const outcome = await inBulk(
      t('Copying to {0}', name),
      entries,
      async ({ value, refs }, signal) => {
        const own = await this.options.accounts.open(account.id, signal);
        try {
          await own.call(operation, {
            ...inputFrom(account.provider, operation, this.at(id, refs)),
            [valueKey]: value,
          });
        } catch (error) {
          if (!isMailError(error) || error.code !== 'conflict') throw error;
          there++;
        }
      },
      ({ label }, error) => failures.push(`${label}: ${(error as Error).message}`),
    );
    this.options.operator.summary(
      there ? t('Copying to {0} ({1} already there)', name, there) : t('Copying to {0}', name),
      outcome,
      failures,
    );
    this.options.changed(target, resource);
  }
  /** Asks which objects get the entries, in this place or another. */
  private async copyTo(heading: string): Promise<{ owners: readonly Owner[]; refs: Binding['refs'] } | undefined> {
    const { target, entries } = this;
    const { provider } = target.account;
    const { operator } = this.options;
    const listing = `${target.resource}.list`;
    // What they are listed below, such as a domain, can be another one where there is a list of it.
    const above = Object.values(operationOf(provider, listing)!.input).find(
      one => one.required && operationOf(provider, `${refOf(one) ?? ''}.list`),
    );
    let { refs } = entries;
    for (;;) {
      const owners = await this.owners(listing, refs, heading, above && refOf(above));
      if (owners !== 'elsewhere') return owners && { owners, refs };
      if (!above) continue;
      const chosen = await operator.pickFor(target, above, {}, heading);
      if (chosen === undefined) return undefined;
      refs = { ...entries.refs, [refOf(above)!]: chosen.id };
    }
  }
  /** Lets the user choose among those below one place, or ask for another place. */
  private async owners(
    listing: string,
    refs: Binding['refs'],
    heading: string,
    above: string | undefined,
  ): Promise<readonly Owner[] | 'elsewhere' | undefined> {
    const { target, entries } = this;
    const { account } = target;
    const found = await window.withProgress({ location: { viewId: 'mailroom.accounts' } }, async () => {
      const client = await this.options.accounts.open(account.id, this.stop.signal);
      return take(
        client.call(listing, inputFrom(account.provider, listing, { refs, choices: {} })) as AsyncIterable<Values>,
        OFFERED + 1,
      );
    });
    const kind = inSentence(plural(target.resource));
    const box = window.createQuickPick<Owner>();
    box.canSelectMany = box.ignoreFocusOut = true;
    box.title = heading;
    box.placeholder =
      found.length > OFFERED ? t('Choose among the first {0} {1}', OFFERED, kind) : t('Choose {0}', kind);
    box.items = found
      .slice(0, OFFERED)
      .map(item => ({ label: labelOf(target.resource, item), item }))
      .filter(({ item }) => refs !== entries.refs || idOfItem(item) !== entries.refs[target.resource]);
    if (above)
      box.buttons = [
        { iconPath: new vscode.ThemeIcon('folder-opened'), tooltip: t('Choose Another {0}…', title(above)) },
      ];
    return new Promise(resolve => {
      let settled: readonly Owner[] | 'elsewhere' | undefined;
      box.onDidTriggerButton(() => {
        settled = 'elsewhere';
        box.hide();
      });
      box.onDidAccept(() => {
        settled = [...box.selectedItems];
        box.hide();
      });
      box.onDidHide(() => {
        box.dispose();
        resolve(settled);
      });
      box.show();
    });
  }
}
