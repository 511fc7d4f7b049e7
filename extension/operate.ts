import * as vscode from 'vscode';
import { isStream, isFile, MailError, splitName, take, validate, type Client, type Field,
  type FileValue, type Operation } from '../shared/index.js';
import type { Accounts } from './accounts.js';
import { openForm } from './askForm.js';
import { openInBrowser } from './browser.js';
import { defaultFile, safeName } from './export.js';
import type { Values } from './form/messages.js';
import type { AccountInfo, Node } from './model.js';
import { isCancel, type Problems } from './problems.js';
import { idOfItem, inputFrom, isPlace, labelOf, missing, operationOf, refOf, searchField, type Binding } from './tables.js';
import { firstValues } from './values.js';
import { inSentence, t, title } from './words.js';

/** What an operation is run on: a place in the tree, or what a panel shows. */
export interface Target { account: AccountInfo; resource: string; binding: Binding; label: string; node?: Node }
interface OperatorOptions {
  extension: vscode.Uri; accounts: Accounts; problems: Problems;
  /** Shows an object as JSON. */
  showJson(label: string, value: unknown): Promise<void>;
  /** Told after a write, with its answer. */
  done(target: Target, operation: string, answer: unknown): void;
}
export type Operator = ReturnType<typeof createOperator>;

/** Operations that need no more than their target even where they could take more. */
const AT_ONCE =
  /^(mark|check|start|restore|validate|expunge|records|status|count|testSend|testSync|link\w*|unlink\w*|me|flags|folders|thread|headers|body|link)$/;
/** How many objects of a selection are worked on at once. */
const AT_A_TIME = 4;

/** Runs operations of the tables: asks for what is missing, asks before it destroys, says what happened. */
export function createOperator({ extension, accounts, problems, showJson, done }: OperatorOptions) {
  /** Runs one operation; resolves false when the user gave up or it failed (which was said). */
  async function run(target: Target, name: string, extra: Values = {}): Promise<boolean> {
    const operation = need(target, name), input = { ...inputFrom(target.account.provider, name, target.binding), ...extra };
    const open = Object.entries(operation.input)
      .filter(([key, field]) => input[key] === undefined && !(field.ref !== undefined && isPlace(key, field) && !field.required));
    const wanted = missing(operation, input), optional = open.filter(([key]) => !wanted.includes(key));
    const verb = splitName(name)[1];
    if (wanted.length === 0 && (optional.length === 0 || operation.effect === 'destroy' || AT_ONCE.test(verb) || Object.keys(extra).length > 0)) {
      return carryOut(target, name, input);
    }
    const simple = wanted.every(key => ['text', 'number', 'flag', 'choice'].includes(operation.input[key]!.type)
      && !(operation.input[key] as { lines?: number }).lines);
    if (simple && wanted.length <= 2 && optional.length <= 1) {
      const steps = await askSteps(target, operation, wanted, input);
      return steps ? carryOut(target, name, { ...input, ...steps }) : false;
    }
    form(target, name, input);
    return true;
  }
  const need = (target: Target, name: string): Operation => {
    const operation = operationOf(target.account.provider, name);
    if (!operation) throw new MailError('unsupported', t('{0} has no operation “{1}”.', target.account.provider.name, name));
    return operation;
  };

  /** A form with everything an operation takes beyond what the place says. */
  function form(target: Target, name: string, known: Values, values: Values = {}): void {
    const operation = need(target, name), { provider } = target.account;
    const fields = Object.fromEntries(Object.entries(operation.input).filter(([key]) => known[key] === undefined));
    openForm({
      extension, identity: `form ${target.account.id} ${name} ${JSON.stringify(known)}`, title: operation.summary,
      subtitle: [target.label, target.account.name].filter((one, i, all) => one && all.indexOf(one) === i).join(' · '),
      fields, values: { ...firstValues(fields, ['create', 'createMany'].includes(splitName(name)[1])), ...values },
      submit: submitLabel(splitName(name)[1]), general: t('General'),
      pickable: ref => operationOf(provider, `${ref}.list`) !== undefined,
      pick: (field, now) => pickFor(target, fields[field]!, { ...known, ...now }),
      run: async given => {
        const input = { ...known, ...given };
        validate(operation.input, input);
        return carryOut(target, name, input, true);
      },
    });
  }
  const submitLabel = (verb: string) =>
    verb === 'create' || verb === 'createMany' ? t('Create')
      : verb === 'add' || verb === 'append' ? t('Add')
      : /^send|reply|forward/.test(verb) ? t('Send')
      : title(verb);

  /** Confirms, calls with progress in the view, tells the result. With `rethrow`, failures go back to the form. */
  async function carryOut(target: Target, name: string, input: Values, rethrow = false): Promise<boolean> {
    const operation = need(target, name);
    if (operation.effect === 'destroy' && !await confirm([target], name)) return false;
    try {
      const answer = await vscode.window.withProgress({ location: { viewId: 'mailroom.accounts' } }, async () => {
        const client = await accounts.open(target.account.id);
        const result = client.call(name, input);
        return isStream(result) ? take(result, 1000) : result;
      });
      await told(target, name, answer);
      done(target, name, answer);
      return true;
    } catch (error) {
      if (rethrow && !isCancel(error)) throw error;
      problems.tell(operation.summary, error, {
        on: target.label, account: target.account.id, write: operation.effect !== 'read', retry: () => void carryOut(target, name, input),
      });
      return false;
    }
  }

  /** Says what happened, with the step that may follow. */
  async function told(target: Target, name: string, answer: unknown): Promise<void> {
    const { summary, effect } = need(target, name), [resource, verb] = splitName(name);
    if (isFile(answer)) { await saveFile(answer); return; }
    const object = typeof answer === 'object' && answer !== null && !Array.isArray(answer) ? answer as Values : undefined;
    const outcome = object?.outcome;
    if (outcome === 'unknown') {
      void vscode.window.showWarningMessage(t('{0}: nobody knows whether it was done. Look before you try again.', summary));
      return;
    }
    const label = `${inSentence(title(resource))} “${target.label}”`;
    if (verb === 'delete' && operationOf(target.account.provider, `${resource}.restore`)) {
      void vscode.window.showInformationMessage(t('The deletion of {0} is scheduled.', target.label), t('Restore'))
        .then(picked => picked ? run(target, `${resource}.restore`) : undefined);
      return;
    }
    const link = object && [object, object.native as Values | undefined].flatMap(one => Object.entries(one ?? {}))
      .find(([key, value]) => /url$/i.test(key) && typeof value === 'string' && /^https:/.test(value) && /authori[sz]|connect|redirect/i.test(key));
    if (link) {
      void vscode.window.showInformationMessage(t('{0}: go on in the browser.', summary), t('Open Browser'))
        .then(picked => picked ? openInBrowser(String(link[1])) : undefined);
      return;
    }
    if (effect === 'read' || (object && Object.keys({ ...object, ...object.native as Values })
        .some(key => /^(secret|token|apiKey|browser_redirect_url)$/i.test(key)))) {
      await showJson(`${summary} ${target.label}`, answer);
      return;
    }
    vscode.window.setStatusBarMessage(outcome === 'queued'
      ? t('$(check) {0}: queued', summary)
      : t('$(check) {0}: {1}', summary, verb === 'create' ? t('done') : label), 6000);
  }

  /** Asks before something is destroyed, naming it; mailboxes and what holds them by typing the name. */
  async function confirm(targets: readonly Target[], name: string): Promise<boolean> {
    const first = targets[0]!, operation = need(first, name), [resource, verb] = splitName(name);
    const undo = operationOf(first.account.provider, `${resource}.restore`)
      ? t('It can be restored as long as the deletion is only scheduled.')
      : t('This cannot be undone.');
    const what = inSentence(title(resource)), button = t('{0} {1}', title(verb), what);
    const byName = targets.length === 1 && verb === 'delete'
      && /(mailbox|domain|tenant)$/i.test(resource)
      && vscode.workspace.getConfiguration('mailroom').get<string>('confirmDelete', 'type') === 'type';
    if (byName) {
      const typed = await vscode.window.showInputBox({
        title: `${operation.summary} · ${first.account.name}`, ignoreFocusOut: true, placeHolder: first.label,
        prompt: t('Type {0} to confirm. {1}', first.label, undo),
        validateInput: value => value === first.label ? undefined
          : { message: t('Type {0} to confirm. {1}', first.label, undo), severity: vscode.InputBoxValidationSeverity.Info },
      });
      return typed === first.label;
    }
    const question = targets.length === 1 ? t('{0} “{1}”?', button, first.label) : t('{0}: {1} objects?', operation.summary, targets.length);
    const names = targets.length > 1
      ? `${targets.slice(0, 10).map(one => one.label).join('\n')}${targets.length > 10 ? `\n… ${t('and {0} more', targets.length - 10)}` : ''}\n\n`
      : '';
    return await vscode.window.showWarningMessage(question, { modal: true, detail: `${names}${operation.summary}. ${undo}` }, button) === button;
  }

  /** The same for a selection: one question, a bounded number at once, one progress, one summary. */
  async function runMany(targets: readonly Target[], name: string, extra: Values = {}): Promise<void> {
    if (targets.length === 1) { await run(targets[0]!, name, extra); return; }
    const able = targets.filter(one => operationOf(one.account.provider, name)), operation = able[0] && need(able[0], name);
    if (!operation) return;
    if (operation.effect === 'destroy' && !await confirm(able, name)) return;
    const failures: { target: Target; error: unknown }[] = [], skipped = targets.filter(one => !able.includes(one));
    const outcome = await inBulk(operation.summary, able, async (target, signal) => {
      const client = await accounts.open(target.account.id, signal);
      const answer = await client.call(name, { ...inputFrom(target.account.provider, name, target.binding), ...extra });
      done(target, name, answer);
    }, (target, error) => failures.push({ target, error }));
    summary(operation.summary, outcome, [
      ...failures.map(({ target, error }) => `${target.label}: ${error instanceof Error ? error.message : String(error)}`),
      ...skipped.map(one => t('{0}: {1} cannot do this.', one.label, one.account.provider.name)),
    ]);
  }
  /** Ends work on many things: how many were done, which failed and why, and what a cancellation left. */
  function summary(what: string, { done, left, unknown }: Outcome, failures: readonly string[]): void {
    const cut = [
      ...unknown.map(label => t('{0}: cancelled while it was under way. Look before you try again.', label)),
      ...left.map(label => t('{0}: not done, because you cancelled.', label)),
    ];
    const said = [
      t('{0}: {1} done', what, done),
      ...(failures.length ? [t('{0} failed', failures.length)] : []),
      ...(cut.length ? [t('{0} cancelled', cut.length)] : []),
    ].join(', ');
    if (!failures.length && !cut.length) { void vscode.window.showInformationMessage(`${said}.`); return; }
    void vscode.window.showWarningMessage(`${said}.`, t('Show')).then(picked => picked ? showJson(what, [...failures, ...cut]) : undefined);
  }

  /** The missing values of an operation, one question each, with a way back. Undefined when the user gives up. */
  async function askSteps(target: Target, operation: Operation, names: readonly string[], known: Values): Promise<Values | undefined> {
    const given: Values = {};
    for (let i = 0; i < names.length;) {
      const key = names[i]!, field = operation.input[key]!;
      const heading = `${operation.summary} · ${target.label}${names.length > 1 ? ` (${i + 1}/${names.length})` : ''}`;
      const answer = await askOne(target, field, heading, { ...known, ...given }, i > 0, value => {
        try { validate({ [key]: field }, { [key]: value }); return undefined; } catch (error) { return (error as Error).message; }
      });
      if (answer === undefined) return undefined;
      if (answer === BACK) { i--; continue; }
      given[key] = answer;
      i++;
    }
    return given;
  }
  async function askOne(
    target: Target, field: Field, heading: string, known: Values, back: boolean, complain: (value: unknown) => string | undefined,
  ): Promise<unknown> {
    if (field.type === 'choice' || field.type === 'flag') {
      const choices = field.type === 'choice'
        ? Object.entries(field.choices).map(([value, label]) => ({ label, value: value as unknown }))
        : [{ label: t('Yes'), value: true as unknown }, { label: t('No'), value: false as unknown }];
      return new Promise(resolve => {
        const box = vscode.window.createQuickPick<(typeof choices)[number]>();
        let settled: unknown;
        box.title = heading;
        box.placeholder = [field.label, field.help].filter(Boolean).join('. ');
        box.ignoreFocusOut = true;
        box.items = choices;
        if (back) box.buttons = [vscode.QuickInputButtons.Back];
        box.onDidTriggerButton(() => { settled = BACK; box.hide(); });
        box.onDidAccept(() => { const [one] = box.selectedItems; if (one) { settled = one.value; box.hide(); } });
        box.onDidHide(() => { box.dispose(); resolve(settled); });
        box.show();
      });
    }
    const ref = refOf(field);
    if (ref !== undefined && operationOf(target.account.provider, `${ref}.list`)) return pickFor(target, field, known, heading);
    return new Promise(resolve => {
      const box = vscode.window.createInputBox();
      box.title = heading;
      box.prompt = [field.label, field.help].filter(Boolean).join('. ');
      box.placeholder = field.example ?? '';
      box.password = field.type === 'text' && field.secret === true;
      box.ignoreFocusOut = true;
      if (back) box.buttons = [vscode.QuickInputButtons.Back];
      let settled: unknown;
      box.onDidTriggerButton(() => { settled = BACK; box.hide(); });
      box.onDidChangeValue(value => { const bad = value ? complain(value) : undefined; box.validationMessage = bad ?? ''; });
      box.onDidAccept(() => { const bad = complain(box.value); box.validationMessage = bad ?? ''; if (!bad) { settled = box.value; box.hide(); } });
      box.onDidHide(() => { box.dispose(); resolve(settled); });
      box.show();
    });
  }

  /** Lets the user pick an object from the list of the resource a field names, or give an id. */
  async function pickFor(target: Target, field: Field, known: Values, heading = field.label): Promise<string | undefined> {
    const ref = refOf(field)!, list = `${ref}.list`, { provider } = target.account;
    const refs = { ...target.binding.refs };
    const operation = operationOf(provider, list)!;
    for (const [key, one] of Object.entries(operation.input)) {
      const value = known[key];
      if (typeof value === 'string' && value && refOf(one) !== undefined) refs[refOf(one)!] = value;
    }
    const input = inputFrom(provider, list, { refs, choices: {} });
    const client = await accounts.open(target.account.id);
    return pickObject(client, list, ref, input, heading);
  }

  /** A quick pick over a list of the server: searched there where it can be, else among the first 500. */
  function pickObject(client: Client, list: string, resource: string, input: Values, heading: string): Promise<string | undefined> {
    const search = searchField(operationOf(client.provider, list)!);
    return new Promise(resolve => {
      const box = vscode.window.createQuickPick<vscode.QuickPickItem & { id?: string }>();
      box.title = heading;
      box.placeholder = t('Type to filter, or enter an id');
      box.matchOnDescription = true;
      box.ignoreFocusOut = true;
      let generation = 0, timer: NodeJS.Timeout | undefined, picked: string | undefined;
      const load = async (text: string) => {
        const mine = ++generation;
        box.busy = true;
        try {
          const found = await take(client.call(list, { ...input, ...(search && text ? { [search]: text } : {}) }) as AsyncIterable<Values>, 500);
          if (mine !== generation) return;
          box.items = [
            ...found.map(item => {
              const id = idOfItem(item), label = labelOf(resource, item);
              return { label: label || id, description: id === label ? '' : id, id };
            }),
            ...(text ? [{ label: t('Use “{0}”', text), id: text, alwaysShow: true }] : []),
          ];
        } catch (error) {
          if (mine === generation) box.items = [
            { label: `$(error) ${error instanceof Error ? error.message : String(error)}`, alwaysShow: true },
            ...(text ? [{ label: t('Use “{0}”', text), id: text, alwaysShow: true }] : []),
          ];
        } finally { if (mine === generation) box.busy = false; }
      };
      box.onDidChangeValue(text => {
        clearTimeout(timer);
        if (search) timer = setTimeout(() => void load(text), 300);
        else box.items = [...box.items.filter(item => !item.alwaysShow), ...(text ? [{ label: t('Use “{0}”', text), id: text, alwaysShow: true }] : [])];
      });
      box.onDidAccept(() => { const [one] = box.selectedItems; if (one?.id !== undefined) { picked = one.id; box.hide(); } });
      box.onDidHide(() => { generation++; clearTimeout(timer); box.dispose(); resolve(picked); });
      box.show();
      void load('');
    });
  }

  return { run, runMany, form, confirm, pickFor, pickObject, askSteps, summary };
}

const BACK = Symbol('back');

/** What became of work on many things: how many were done, which were under way when it was cancelled, and which were not begun. */
interface Outcome { done: number; unknown: string[]; left: string[] }
/** Work on many things: so many at once, with a progress that can be cancelled. */
export async function inBulk<T extends { label: string }>(
  what: string, things: readonly T[], work: (thing: T, signal: AbortSignal) => Promise<void>, failed: (thing: T, error: unknown) => void,
): Promise<Outcome> {
  let done = 0;
  const queue = [...things], unknown: string[] = [];
  await vscode.window.withProgress({ location: vscode.ProgressLocation.Notification, title: what, cancellable: true }, async (progress, token) => {
    const stop = new AbortController(), listening = token.onCancellationRequested(() => stop.abort());
    let begun = 0;
    const worker = async () => {
      for (let thing = stop.signal.aborted ? undefined : queue.shift(); thing; thing = stop.signal.aborted ? undefined : queue.shift()) {
        progress.report({ message: `${thing.label} (${++begun}/${things.length})`, increment: 100 / things.length });
        try { await work(thing, stop.signal); done++; } catch (error) {
          if (stop.signal.aborted || isCancel(error)) unknown.push(thing.label);
          else failed(thing, error);
        }
      }
    };
    await Promise.all(Array.from({ length: Math.min(AT_A_TIME, things.length) }, worker));
    listening.dispose();
  });
  return { done, unknown, left: queue.map(({ label }) => label) };
}

/** Saves a file where the user says, as it comes in. Returns where, or undefined when the user gave up. */
export async function saveFile(file: FileValue): Promise<vscode.Uri | undefined> {
  const safe = safeName(file.name);
  const where = await vscode.window.showSaveDialog({ saveLabel: t('Save'), ...defaultFile(safe) });
  if (!where) return undefined;
  await vscode.window.withProgress({ location: vscode.ProgressLocation.Notification, title: t('Saving {0}', safe), cancellable: true }, async (_, token) => {
    const parts: Uint8Array[] = [];
    for await (const part of file.open()) { if (token.isCancellationRequested) throw new vscode.CancellationError(); parts.push(part); }
    await vscode.workspace.fs.writeFile(where, Buffer.concat(parts));
  });
  void vscode.window.showInformationMessage(t('Saved {0}.', safe), t('Open')).then(picked => picked ? vscode.env.openExternal(where) : undefined);
  return where;
}
export const targetOf = (node: Node): Target => ({
  account: node.account, node, label: node.label,
  resource: node.kind === 'item' || node.kind === 'single' ? node.resource : node.kind === 'branch' || node.kind === 'choice' ? node.branch.resource : '',
  binding: node.kind === 'account' || node.kind === 'note' ? { refs: {}, choices: {} } : node.binding,
});
