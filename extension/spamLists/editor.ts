import * as vscode from 'vscode';
import { isMailError, MailError, take, validate } from '../../shared/index.js';
import type { Accounts } from '../accounts/store.js';
import { idOfItem, inputFrom, labelOf, missing, operationOf, refOf, type Binding } from '../fields/tables.js';
import { packPlace } from '../fields/values.js';
import { explain } from '../host/problems.js';
import { inSentence, plural, t, title } from '../host/text.js';
import { window } from '../host/window.js';
import { inBulk } from '../operations/bulk.js';
import type { Operator } from '../operations/run.js';
import type { Target } from '../operations/target.js';
import type { EntryResult, ListColumn, ListsModel, Values } from '../webview/messages.js';
import { openPanel, type Back } from '../webview/panel.js';

interface ListsOptions {
  extension: vscode.Uri; accounts: Accounts; operator: Operator;
  /** Told which lists may look different: those of the target, or with a resource all of its kind in the account. */
  changed(target: Target, resource?: string): void;
}
/** So many entries are added or removed at once without a progress of their own. */
const FEW = 3;
interface Owner extends vscode.QuickPickItem { item: Values }
/** So many objects are offered to copy entries to. */
const OFFERED = 1000;
/** No more entries of a list are read. */
const MOST = 20_000;

/** The editor of lists whose entries are bare texts: those that a choice tells apart stand side by side. */
export function createListsEditor({ extension, accounts, operator, changed }: ListsOptions) {
  return (target: Target, resource: string, back?: Back): void => {
    const { account } = target, { provider } = account;
    const list = operationOf(provider, `${resource}.list`)!, add = operationOf(provider, `${resource}.add`)!;
    const binding: Binding = { refs: target.binding.refs, choices: {} };
    const choice = missing(list, inputFrom(provider, `${resource}.list`, binding)).find(key => list.input[key]!.type === 'choice');
    const field = choice === undefined ? undefined : list.input[choice];
    const columns: ListColumn[] = field?.type === 'choice'
      ? Object.entries(field.choices).map(([id, label]) => ({ id, label, entries: [], loading: true }))
      : [{ id: '', label: plural(resource), entries: [], loading: true }];
    const at = (column: string): Binding => ({ refs: binding.refs, choices: choice === undefined ? {} : { [choice]: column } });
    // The one required text that says what to add.
    const valueKey = missing(add, inputFrom(provider, `${resource}.add`, at(columns[0]!.id)))[0];
    if (valueKey === undefined) return;
    const entryField = add.input[valueKey]!;
    const find = (id: string) => columns.find(one => one.id === id);
    const titleText = t('{0} of {1}', plural(resource), target.label);
    const model = (): ListsModel => ({
      title: titleText, subtitle: [...(target.resource ? [title(target.resource)] : []), account.name].join(' · '), columns,
      canCopy: operationOf(provider, `${target.resource}.list`) !== undefined,
      ...(entryField.example ? { example: entryField.example } : {}), ...(entryField.help ? { help: entryField.help } : {}),
    });
    const stop = new AbortController();
    const made = openPanel({
      page: 'lists', extension, ...back,
      keep: { place: packPlace({ account: account.id, resource: target.resource, refs: { ...binding.refs } }), label: target.label, list: resource },
      identity: `lists ${account.id} ${resource} ${JSON.stringify(binding.refs)}`, title: titleText, icon: 'shield',
      again: () => void Promise.all(columns.map(load)), onClosed: () => stop.abort(),
      ready: async () => { made?.connected.post({ type: 'lists', lists: model() }); await Promise.all(columns.filter(one => one.loading).map(load)); },
      async answer(ask) {
        switch (ask.do) {
          case 'reload': await Promise.all((ask.column ? [find(ask.column)!].filter(Boolean) : columns).map(load)); return undefined;
          case 'add': return change(ask.column, 'add', ask.values);
          case 'remove': return change(ask.column, 'remove', ask.values);
          case 'copy': await copy(ask.column, ask.values); return undefined;
          default: return undefined;
        }
      },
    });

    async function load(column: ListColumn): Promise<void> {
      column.loading = true;
      made?.connected.post({ type: 'column', column });
      try {
        const client = await accounts.open(account.id, stop.signal);
        const found = await take(client.call(`${resource}.list`, inputFrom(provider, `${resource}.list`, at(column.id))) as AsyncIterable<Values>, MOST + 1);
        column.more = found.length > MOST;
        column.entries = found.slice(0, MOST).map(item => String(item[valueKey!] ?? labelOf(resource, item)));
        column.problem = undefined;
      } catch (error) { column.problem = explain(titleText, error) ?? t('Cancelled.'); }
      column.loading = false;
      made?.connected.post({ type: 'column', column });
    }

    /** Each entry for itself, so that one refusal does not hide the others; what cannot be right is refused before anything is sent. */
    async function change(id: string, verb: 'add' | 'remove', values: readonly string[]): Promise<EntryResult[]> {
      const column = find(id);
      if (!column) return [];
      const wanted = [...new Set(values.map(value => value.trim()).filter(value => value !== ''))];
      if (verb === 'remove' && operationOf(provider, `${resource}.remove`)?.effect === 'destroy'
          && !await operator.confirm(wanted.map(label => ({ ...target, label })), `${resource}.remove`)) {
        throw new vscode.CancellationError();
      }
      const there = new Set(column.entries), refused = new Map<string, string>(), changedNow = new Set<string>();
      const one = async ({ label: value }: { label: string }, signal?: AbortSignal) => {
        if (verb === 'add' && there.has(value)) throw new MailError('conflict', t('It is already on the list.'));
        if (verb === 'add') validate({ [valueKey!]: entryField }, { [valueKey!]: value });
        const client = await accounts.open(account.id, signal);
        await client.call(`${resource}.${verb}`, { ...inputFrom(provider, `${resource}.${verb}`, at(id)), [valueKey!]: value });
        changedNow.add(value);
      };
      const failed = ({ label }: { label: string }, error: unknown) => void refused.set(label, isMailError(error) ? error.message : String(error));
      const things = wanted.map(label => ({ label }));
      if (things.length <= FEW) await Promise.all(things.map(thing => one(thing).catch((error: unknown) => failed(thing, error))));
      else {
        const what = verb === 'add' ? t('Adding to {0}', column.label) : t('Removing from {0}', column.label), outcome = await inBulk(what, things, one, failed);
        operator.summary(what, outcome, [...refused].map(([value, message]) => `${value}: ${message}`));
        for (const value of outcome.unknown) refused.set(value, t('Cancelled while it was running. Check before you try again.'));
        for (const value of outcome.left) refused.set(value, t('Not started, because you cancelled.'));
      }
      column.entries = verb === 'add'
        ? [...column.entries, ...wanted.filter(value => changedNow.has(value) && !there.has(value))]
        : column.entries.filter(value => !changedNow.has(value));
      made?.connected.post({ type: 'column', column });
      changed(target, target.node ? undefined : resource);
      return wanted.map(value => ({ value, ...(refused.has(value) ? { message: refused.get(value)! } : {}) }));
    }

    /** Adds entries of one list to the same list of other objects, each entry for itself. */
    async function copy(id: string, values: readonly string[]): Promise<void> {
      const listing = `${target.resource}.list`, name = find(id)?.label ?? '';
      const heading = values.length === 1 ? t('Copy “{0}” of {1} to', values[0]!, name) : t('Copy {0} entries of {1} to', values.length, name);
      // What they are listed below, such as a domain, can be another one where there is a list of it.
      const above = Object.values(operationOf(provider, listing)!.input).find(one => one.required && operationOf(provider, `${refOf(one) ?? ''}.list`));
      let { refs } = binding, picked: readonly Owner[] | 'elsewhere' | undefined = 'elsewhere';
      for (let first = true; picked === 'elsewhere'; first = false) {
        if (!first && above) {
          const chosen = await operator.pickFor(target, above, {}, heading);
          if (chosen === undefined) return;
          refs = { ...binding.refs, [refOf(above)!]: chosen.id };
        }
        picked = await owners(listing, refs, heading, above && refOf(above));
      }
      if (!picked?.length) return;
      const failures: string[] = [];
      const entries = picked.flatMap(({ item, label: owner }) =>
        values.map(value => ({ label: `${owner}: ${value}`, value, refs: { ...refs, [target.resource]: idOfItem(item) } })));
      let there = 0;
      const outcome = await inBulk(t('Copying to {0}', name), entries, async ({ value, refs: to }, signal) => {
        const own = await accounts.open(account.id, signal);
        try {
          await own.call(`${resource}.add`, { ...inputFrom(provider, `${resource}.add`, { refs: to, choices: at(id).choices }), [valueKey!]: value });
        } catch (error) { if (!isMailError(error) || error.code !== 'conflict') throw error; there++; }
      }, ({ label }, error) => failures.push(`${label}: ${(error as Error).message}`));
      operator.summary(there ? t('Copying to {0} ({1} already there)', name, there) : t('Copying to {0}', name), outcome, failures);
      changed(target, resource);
    }
    /** Lets the user choose among those below one place, or ask for another place. */
    async function owners(
      listing: string, refs: Binding['refs'], heading: string, above: string | undefined,
    ): Promise<readonly Owner[] | 'elsewhere' | undefined> {
      const found = await window.withProgress({ location: { viewId: 'mailroom.accounts' } }, async () => {
        const client = await accounts.open(account.id, stop.signal);
        return take(client.call(listing, inputFrom(provider, listing, { refs, choices: {} })) as AsyncIterable<Values>, OFFERED + 1);
      });
      const kind = inSentence(plural(target.resource)), box = window.createQuickPick<Owner>();
      box.canSelectMany = box.ignoreFocusOut = true;
      box.title = heading;
      box.placeholder = found.length > OFFERED ? t('Choose among the first {0} {1}', OFFERED, kind) : t('Choose {0}', kind);
      box.items = found.slice(0, OFFERED).map(item => ({ label: labelOf(target.resource, item), item }))
        .filter(({ item }) => refs !== binding.refs || idOfItem(item) !== binding.refs[target.resource]);
      if (above) box.buttons = [{ iconPath: new vscode.ThemeIcon('folder-opened'), tooltip: t('Choose Another {0}…', title(above)) }];
      return new Promise(resolve => {
        let settled: readonly Owner[] | 'elsewhere' | undefined;
        box.onDidTriggerButton(() => { settled = 'elsewhere'; box.hide(); });
        box.onDidAccept(() => { settled = [...box.selectedItems]; box.hide(); });
        box.onDidHide(() => { box.dispose(); resolve(settled); });
        box.show();
      });
    }
  };
}
