import * as vscode from 'vscode';
import {
  isFile, isStream, MailError, splitName, take, validate, type Field, type Operation,
} from '../../shared/index.js';
import type { AccountInfo, Accounts } from '../accounts/store.js';
import {
  idOfItem, inputFrom, isConversation, isMailbox, isPlace, labelOf, missing, operationOf, refOf, searchField,
} from '../fields/tables.js';
import { firstValues } from '../fields/values.js';
import { openForm } from '../form/ask.js';
import { openInBrowser } from '../host/browser.js';
import { isCancel, type Problems } from '../host/problems.js';
import { inSentence, plural, t, title } from '../host/text.js';
import { window } from '../host/window.js';
import { isFor, resourceOf } from '../tree/model.js';
import type { Values } from '../webview/messages.js';
import { saveFile } from './files.js';
import type { Target, Written } from './target.js';

interface OperatorOptions {
  extension: vscode.Uri; accounts: Accounts; problems: Problems;
  /** Shows an object as JSON. */
  showJson(label: string, value: unknown): Promise<void>;
  /** Told after an operation, once for all that it was run on, with the answers. */
  done(operation: string, written: readonly Written[]): void;
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
    const asked = questions(operation, name, input, extra);
    if (asked === 'form') { form([target], name, input, given => carryOut(target, name, given, true)); return true; }
    const steps = await askSteps(target, operation, asked, input);
    return steps ? carryOut(target, name, { ...input, ...steps }) : false;
  }
  /** What is still to be asked for: nothing or a few values, one box each, or a form. */
  function questions(operation: Operation, name: string, input: Values, extra: Values): readonly string[] | 'form' {
    const open = Object.entries(operation.input)
      .filter(([key, field]) => input[key] === undefined && !(field.ref !== undefined && isPlace(key, field) && !field.required));
    const wanted = missing(operation, input), optional = open.length - open.filter(([key]) => wanted.includes(key)).length;
    const enough = optional === 0 || operation.effect === 'destroy' || AT_ONCE.test(splitName(name)[1]) || Object.keys(extra).length > 0;
    if (wanted.length === 0 && enough) return wanted;
    const simple = wanted.every(key => ['text', 'number', 'flag', 'choice'].includes(operation.input[key]!.type)
      && !(operation.input[key] as { lines?: number }).lines);
    return wanted.length > 0 && simple && wanted.length <= 2 && optional <= 1 ? wanted : 'form';
  }
  const need = (target: Target, name: string): Operation => {
    const operation = operationOf(target.account.provider, name);
    if (!operation) throw new MailError('unsupported', t('{0} has no operation “{1}”.', target.account.provider.name, name));
    return operation;
  };

  /** A form with everything an operation takes beyond what the place says, asked once for all that it is for. */
  function form(targets: readonly Target[], name: string, known: Values, send: (input: Values) => Promise<boolean>): void {
    const target = targets[0]!, operation = need(target, name), { provider } = target.account, more = targets.length - 1;
    const fields = Object.fromEntries(Object.entries(operation.input).filter(([key]) => known[key] === undefined));
    openForm({
      extension, identity: `form ${target.account.id} ${name} ${JSON.stringify(known)} ${targets.slice(1).map(({ node }) => node?.id).join(' ')}`,
      title: operation.summary,
      subtitle: [more ? `${target.label} ${t('and {0} more', more)}` : target.label, target.account.name].filter((one, i, all) => one && all.indexOf(one) === i).join(' · '),
      fields, values: firstValues(fields, ['create', 'createMany'].includes(splitName(name)[1])),
      submit: submitLabel(splitName(name)[1]), general: t('General'),
      pickable: ref => operationOf(provider, `${ref}.list`) !== undefined,
      pick: (field, now) => pickFor(target, fields[field]!, { ...known, ...now }),
      run: async given => {
        const input = { ...known, ...given };
        validate(operation.input, input);
        return send(more ? given : input);
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
      const answer = await window.withProgress({ location: { viewId: 'mailroom.accounts' } }, async () => {
        const client = await accounts.open(target.account.id);
        const result = client.call(name, input);
        return isStream(result) ? take(result, 1000) : result;
      });
      await told(target, name, answer);
      done(name, [{ target, answer }]);
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
    if (isFile(answer)) { await saveFile(answer.name, async () => answer); return; }
    const object = typeof answer === 'object' && answer !== null && !Array.isArray(answer) ? answer as Values : undefined;
    const outcome = object?.outcome;
    if (outcome === 'unknown') {
      void window.showWarningMessage(t('{0}: nobody knows whether it was done. Look before you try again.', summary));
      return;
    }
    const label = `${inSentence(title(resource))} “${target.label}”`;
    // That the vendor answered a test does not say that the test succeeded.
    if (/^(test|check)/.test(verb) && object?.status === 'error') {
      const native = object.native as { attributes?: Values } & Values | undefined;
      const said = Object.entries({ ...native, ...native?.attributes }).filter(([key, value]) => /error|fail/i.test(key) && typeof value === 'string' && value)
        .map(([key, value]) => `${title(key)}: ${String(value)}`);
      void window.showWarningMessage(
        [t('{0}: {1} answers that {2} needs attention.', summary, target.account.provider.name, label), ...said].join(' '), t('Show'),
      ).then(picked => picked ? showJson(target.label, answer) : undefined);
      return;
    }
    if (verb === 'delete' && operationOf(target.account.provider, `${resource}.restore`)) {
      void window.showInformationMessage(t('The deletion of {0} is scheduled.', target.label), t('Restore'))
        .then(picked => picked ? run(target, `${resource}.restore`) : undefined);
      return;
    }
    const link = object && [object, object.native as Values | undefined].flatMap(one => Object.entries(one ?? {}))
      .find(([key, value]) => /url$/i.test(key) && typeof value === 'string' && /^https:/.test(value) && /authori[sz]|connect|redirect/i.test(key));
    if (link) {
      void window.showInformationMessage(t('{0}: go on in the browser.', summary), t('Open Browser'))
        .then(picked => picked ? openInBrowser(String(link[1])) : undefined);
      return;
    }
    if (effect === 'read' || (object && Object.keys({ ...object, ...object.native as Values })
        .some(key => /^(secret|token|apiKey|browser_redirect_url)$/i.test(key)))) {
      await showJson(`${summary} ${target.label}`, answer);
      return;
    }
    window.setStatusBarMessage('check', outcome === 'queued'
      ? t('{0}: queued', summary)
      : t('{0}: {1}', summary, verb === 'create' ? t('done') : label), 6000);
  }

  /**
   * Asks before something is destroyed, naming it and what goes with it; for mailboxes and what holds them by typing the name, for several the
   * number.
   */
  async function confirm(targets: readonly Target[], name: string): Promise<boolean> {
    const first = targets[0]!, operation = need(first, name), [resource, verb] = splitName(name), many = targets.length > 1;
    const providers = [...new Set(targets.map(one => one.account.provider))];
    const undo = operation.input.forever ? t('It goes to the trash; what is in the trash already is lost for good.')
      : !providers.every(one => operationOf(one, `${resource}.restore`)) ? t('This cannot be undone.')
      : many ? t('They can be restored as long as the deletion is only scheduled.')
      : t('It can be restored as long as the deletion is only scheduled.');
    const outlook = [verb === 'delete' ? lossOf(resource, providers.map(one => one.name).join(', ')) : '', undo].filter(Boolean).join(' ');
    const button = many ? t('{0} {1} {2}', title(verb), targets.length, inSentence(plural(resource))) : t('{0} {1}', title(verb), inSentence(title(resource)));
    const names = [...targets.slice(0, 10).map(one => one.label), ...(targets.length > 10 ? [t('and {0} more', targets.length - 10)] : [])];
    const byTyping = verb === 'delete' && /(mailbox|domain|tenant)$/i.test(resource)
      && vscode.workspace.getConfiguration('mailroom').get<string>('confirmDelete', 'type') === 'type';
    if (byTyping) {
      const wanted = many ? String(targets.length) : first.label;
      const prompt = t('Type {0} to confirm. {1}', wanted, many ? `${outlook}\n${names.join(', ')}` : outlook);
      const typed = await window.showInputBox({
        title: `${many ? button : operation.summary} · ${[...new Set(targets.map(one => one.account.name))].join(', ')}`,
        ignoreFocusOut: true, placeHolder: wanted, prompt,
        validateInput: value => value === wanted ? undefined : { message: prompt, severity: vscode.InputBoxValidationSeverity.Info },
      });
      return typed === wanted;
    }
    const question = many ? `${button}?` : t('{0} “{1}”?', button, first.label);
    const detail = `${many ? `${names.join('\n')}\n\n` : ''}${operation.summary}. ${outlook}`;
    return await window.showWarningMessage(question, { modal: true, detail }, button) === button;
  }

  /** The same for a selection, whose first row is the one clicked: asked once, a bounded number at once, one progress, one summary. */
  async function runMany(targets: readonly Target[], name: string, extra: Values = {}): Promise<void> {
    const first = targets[0]!, able = targets.filter(one => first.node && one.node && isFor(name, first.node, one.node));
    if (!able.includes(first)) {
      void window.showInformationMessage(t('{0} does not offer this for “{1}”.', first.account.provider.name, first.label));
      return;
    }
    if (targets.length === 1) { await run(first, name, extra); return; }
    const operation = need(first, name), input = { ...inputFrom(first.account.provider, name, first.binding), ...extra };
    const asked = questions(operation, name, input, extra);
    // What is answered for one row must mean the same for the others: the same fields, and objects of the same lists.
    const meaning = ({ account, binding }: Target) => {
      const lists = Object.keys(operation.input).filter(key => input[key] === undefined && (asked === 'form' || asked.includes(key)))
        .map(key => refOf(operation.input[key]!)).filter(ref => ref !== undefined);
      return JSON.stringify([account.provider.id, ...(lists.length ? [account.id] : []), ...lists.map(ref => inputFrom(account.provider, `${ref}.list`, binding))]);
    };
    const alike = asked.length ? able.filter(one => meaning(one) === meaning(first)) : able, others = targets.filter(one => !alike.includes(one));
    const left = others.map(one => able.includes(one)
      ? t('{0}: left out, because it is asked for other values.', one.label)
      : t('{0}: left out, because this is for {1}.', one.label, inSentence(plural(resourceOf(first.node!)))));
    if (asked === 'form') { form(alike, name, input, given => carryOutAll(alike, name, { ...extra, ...given }, left)); return; }
    const steps = await askSteps(first, operation, asked, input);
    if (steps) await carryOutAll(alike, name, { ...extra, ...steps }, left);
  }
  async function carryOutAll(targets: readonly Target[], name: string, given: Values, skipped: readonly string[]): Promise<boolean> {
    const { summary: what, effect } = need(targets[0]!, name), [resource, verb] = splitName(name);
    if (effect === 'destroy' && !await confirm(targets, name)) return false;
    const failures: string[] = [], written: Written[] = [];
    const outcome = await inBulk(what, targets, async (target, signal) => {
      const client = await accounts.open(target.account.id, signal);
      const result = client.call(name, { ...inputFrom(target.account.provider, name, target.binding), ...given });
      const answer = isStream(result) ? await take(result, 1000) : await result;
      written.push({ target, answer });
      if ((answer as Values | undefined)?.outcome === 'unknown') throw new Error(t('nobody knows whether it was done. Look before you try again.'));
    }, (target, error) => failures.push(`${target.label}: ${error instanceof Error ? error.message : String(error)}`));
    done(name, written);
    for (const { answer } of written) if (isFile(answer)) await saveFile(answer.name, async () => answer);
    if (effect === 'read') {
      const read = written.filter(({ answer }) => !isFile(answer)).map(({ target, answer }) => ({ name: target.label, answer }));
      if (read.length) await showJson(what, read);
    }
    const gone = verb === 'delete' ? written.map(one => one.target).filter(one => operationOf(one.account.provider, `${resource}.restore`)) : [];
    summary(what, outcome, failures, skipped, gone.length
      ? { label: t('Restore'), run: () => void carryOutAll(gone, `${resource}.restore`, {}, []) }
      : undefined);
    return true;
  }
  /** Ends work on many things: how many were done, which failed and why, what a cancellation left, and what it was not for. */
  function summary(
    what: string, { done, left, unknown }: Outcome, failures: readonly string[], skipped: readonly string[] = [], next?: { label: string; run(): void },
  ): void {
    const cut = [
      ...unknown.map(label => t('{0}: cancelled while it was under way. Look before you try again.', label)),
      ...left.map(label => t('{0}: not done, because you cancelled.', label)),
    ];
    const said = [
      t('{0}: {1} done', what, done),
      ...(failures.length ? [t('{0} failed', failures.length)] : []),
      ...(cut.length ? [t('{0} cancelled', cut.length)] : []),
      ...(skipped.length ? [t('{0} left out', skipped.length)] : []),
    ].join(', ');
    const details = [...failures, ...cut, ...skipped], show = t('Show');
    const tell = failures.length || cut.length ? window.showWarningMessage : window.showInformationMessage;
    void tell(`${said}.`, ...(next ? [next.label] : []), ...(details.length ? [show] : []))
      .then(picked => picked === show ? showJson(what, details) : picked === undefined ? undefined : next?.run());
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
        const box = window.createQuickPick<(typeof choices)[number]>();
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
    if (ref !== undefined && isListed(target, ref)) return pickFor(target, field, known, heading);
    return new Promise(resolve => {
      const box = window.createInputBox();
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
    return pickObject(target.account, list, ref, inputFrom(provider, list, { refs, choices: {} }), heading);
  }
  /** Whether the objects that a field names can be listed from here; else the id must be typed. */
  function isListed({ account: { provider }, binding: { refs } }: Target, ref: string): boolean {
    const name = `${ref}.list`, list = operationOf(provider, name);
    return list !== undefined && missing(list, inputFrom(provider, name, { refs, choices: {} })).length === 0;
  }

  /** A quick pick over a list of the server: searched there where it can be, else among the first 500. */
  function pickObject(account: AccountInfo, list: string, resource: string, input: Values, heading: string): Promise<string | undefined> {
    const search = searchField(operationOf(account.provider, list)!);
    return new Promise(resolve => {
      const box = window.createQuickPick<vscode.QuickPickItem & { id?: string }>();
      box.title = heading;
      box.placeholder = t('Type to filter, or enter an id');
      box.matchOnDescription = true;
      box.ignoreFocusOut = true;
      let generation = 0, timer: NodeJS.Timeout | undefined, picked: string | undefined, stop = new AbortController();
      const load = async (text: string) => {
        const mine = ++generation;
        stop.abort();
        stop = new AbortController();
        box.busy = true;
        try {
          const client = await accounts.open(account.id, stop.signal);
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
            { iconPath: new vscode.ThemeIcon('error'), label: error instanceof Error ? error.message : String(error), alwaysShow: true },
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
      box.onDidHide(() => { generation++; stop.abort(); clearTimeout(timer); box.dispose(); resolve(picked); });
      box.show();
      void load('');
    });
  }

  return { run, runMany, confirm, pickFor, summary };
}

/** What goes along with an object that is deleted, in a sentence; empty where there is nothing beside it. */
function lossOf(resource: string, provider: string): string {
  if (isMailbox(resource)) return t('Mail and settings that {0} keeps for a mailbox are lost with it.', provider);
  if (/^(domain|tenant)$/.test(resource)) return t('What is below it is lost too: mailboxes with their mail, aliases and settings.');
  if (resource === 'folder') return t('The messages in a folder are lost with it.');
  if (resource === 'alias') return t('Mail to the address of an alias no longer arrives.');
  if (isConversation(resource)) return t('All messages of a conversation are lost with it.');
  return '';
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
  await window.withProgress({ location: vscode.ProgressLocation.Notification, title: what, cancellable: true }, async (progress, token) => {
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
