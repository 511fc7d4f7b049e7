import * as vscode from 'vscode';
import { isFile, isStream, splitName, take, validate, type Field, type Operation } from '../../shared/index.js';
import type { Accounts } from '../accounts/store.js';
import { inputFrom, isPlace, isSaid, missing, operationOf, refOf } from '../fields/tables.js';
import { firstValues } from '../fields/values.js';
import { openForm } from '../form/ask.js';
import { isCancel, type Problems } from '../host/problems.js';
import { inSentence, plural, t, title } from '../host/text.js';
import { window } from '../host/window.js';
import { isFor, resourceOf } from '../tree/model.js';
import type { Values } from '../webview/messages.js';
import { askSteps } from './ask.js';
import { inBulk, summarize, type Outcome } from './bulk.js';
import { confirm } from './confirm.js';
import { saveFile } from './files.js';
import { pickFor } from './pick.js';
import { operationFor, type Target, type Written } from './target.js';
import { tell } from './tell.js';

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
/** Runs operations of the tables: asks for what is missing, asks before it destroys, says what happened. */
export function createOperator({ extension, accounts, problems, showJson, done }: OperatorOptions) {
  /** Runs one operation; resolves false when the user gave up or it failed (which was said). */
  async function run(target: Target, name: string, extra: Values = {}): Promise<boolean> {
    const operation = operationFor(target, name), input = { ...inputFrom(target.account.provider, name, target.binding), ...extra };
    const asked = questions(operation, name, input, extra);
    if (asked === 'form') { form([target], name, input, given => carryOut(target, name, given, true)); return true; }
    const steps = await askSteps(accounts, target, operation, asked, input);
    return steps ? carryOut(target, name, { ...input, ...steps }) : false;
  }
  /** What is still to be asked for: nothing or a few values, one box each, or a form. */
  function questions(operation: Operation, name: string, input: Values, extra: Values): readonly string[] | 'form' {
    const open = Object.entries(operation.input)
      .filter(([key, field]) => input[key] === undefined && !isSaid(operation, key, input)
        && !(field.ref !== undefined && isPlace(key, field) && !field.required));
    const wanted = missing(operation, input), optional = open.length - open.filter(([key]) => wanted.includes(key)).length;
    const enough = optional === 0 || operation.effect === 'destroy' || AT_ONCE.test(splitName(name)[1]) || Object.keys(extra).length > 0;
    if (wanted.length === 0 && enough) return wanted;
    const simple = wanted.every(key => ['text', 'number', 'flag', 'choice'].includes(operation.input[key]!.type)
      && !(operation.input[key] as { lines?: number }).lines);
    return wanted.length > 0 && simple && wanted.length <= 2 && optional <= 1 ? wanted : 'form';
  }

  /** A form with everything an operation takes beyond what the place says, asked once for all that it is for. */
  function form(targets: readonly Target[], name: string, known: Values, send: (input: Values) => Promise<boolean>): void {
    const target = targets[0]!, operation = operationFor(target, name), { provider } = target.account, more = targets.length - 1;
    const fields = Object.fromEntries(Object.entries(operation.input).filter(([key]) => known[key] === undefined && !isSaid(operation, key, known)));
    openForm({
      extension, identity: `form ${target.account.id} ${name} ${JSON.stringify(known)} ${targets.slice(1).map(({ node }) => node?.id).join(' ')}`,
      title: operation.summary,
      subtitle: [more ? `${target.label} ${t('and {0} more', more)}` : target.label, target.account.name].filter((one, i, all) => one && all.indexOf(one) === i).join(' · '),
      fields, values: firstValues(fields, ['create', 'createMany'].includes(splitName(name)[1])),
      submit: submitLabel(splitName(name)[1]), general: t('General'),
      pickable: ref => operationOf(provider, `${ref}.list`) !== undefined,
      pick: (field, now) => pickFor(accounts, target, fields[field]!, { ...known, ...now }),
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
    const operation = operationFor(target, name);
    if (operation.effect === 'destroy' && !await confirm([target], name)) return false;
    try {
      const answer = await window.withProgress({ location: { viewId: 'mailroom.accounts' } }, async () => {
        const client = await accounts.open(target.account.id);
        const result = client.call(name, input);
        return isStream(result) ? take(result, 1000) : result;
      });
      await tell(target, name, answer, { showJson, run });
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

  /** The same for a selection, whose first row is the one clicked: asked once, a bounded number at once, one progress, one summary. */
  async function runMany(targets: readonly Target[], name: string, extra: Values = {}): Promise<void> {
    const first = targets[0]!, able = targets.filter(one => first.node && one.node && isFor(name, first.node, one.node));
    if (!able.includes(first)) {
      void window.showInformationMessage(t('{0} does not offer this for “{1}”.', first.account.provider.name, first.label));
      return;
    }
    if (targets.length === 1) { await run(first, name, extra); return; }
    const operation = operationFor(first, name), input = { ...inputFrom(first.account.provider, name, first.binding), ...extra };
    const asked = questions(operation, name, input, extra);
    // What is answered for one row must mean the same for the others: the same fields, and objects of the same lists.
    const meaning = ({ account, binding }: Target) => {
      const lists = Object.keys(operation.input).filter(key => input[key] === undefined && (asked === 'form' || asked.includes(key)))
        .map(key => refOf(operation.input[key]!)).filter(ref => ref !== undefined);
      return JSON.stringify([account.provider.id, ...(lists.length ? [account.id] : []), ...lists.map(ref => inputFrom(account.provider, `${ref}.list`, binding))]);
    };
    const alike = asked.length ? able.filter(one => meaning(one) === meaning(first)) : able, others = targets.filter(one => !alike.includes(one));
    const left = others.map(one => able.includes(one)
      ? t('{0}: skipped, because it needs other values.', one.label)
      : t('{0}: skipped, because this only works for {1}.', one.label, inSentence(plural(resourceOf(first.node!)))));
    if (asked === 'form') { form(alike, name, input, given => carryOutAll(alike, name, { ...extra, ...given }, left)); return; }
    const steps = await askSteps(accounts, first, operation, asked, input);
    if (steps) await carryOutAll(alike, name, { ...extra, ...steps }, left);
  }
  async function carryOutAll(targets: readonly Target[], name: string, given: Values, skipped: readonly string[]): Promise<boolean> {
    const { summary: what, effect } = operationFor(targets[0]!, name), [resource, verb] = splitName(name);
    if (effect === 'destroy' && !await confirm(targets, name)) return false;
    const failures: string[] = [], written: Written[] = [];
    const outcome = await inBulk(what, targets, async (target, signal) => {
      const client = await accounts.open(target.account.id, signal);
      const result = client.call(name, { ...inputFrom(target.account.provider, name, target.binding), ...given });
      const answer = isStream(result) ? await take(result, 1000) : await result;
      written.push({ target, answer });
      if ((answer as Values | undefined)?.outcome === 'unknown') throw new Error(t('it may have been done. Check before you try again.'));
    }, (target, error) => failures.push(`${target.label}: ${error instanceof Error ? error.message : String(error)}`));
    done(name, written);
    for (const { answer } of written) if (isFile(answer)) await saveFile(answer.name, async () => answer);
    if (effect === 'read') {
      const read = written.filter(({ answer }) => !isFile(answer)).map(({ target, answer }) => ({ name: target.label, answer }));
      if (read.length) await showJson(what, read);
    }
    const gone = verb === 'delete' ? written.map(one => one.target).filter(one => operationOf(one.account.provider, `${resource}.restore`)) : [];
    summarize(showJson, what, outcome, failures, skipped, gone.length
      ? { label: t('Restore'), run: () => void carryOutAll(gone, `${resource}.restore`, {}, []) }
      : undefined);
    return true;
  }
  return {
    run, runMany, confirm,
    pickFor: (target: Target, field: Field, known: Values, heading?: string) => pickFor(accounts, target, field, known, heading),
    summary: (what: string, outcome: Outcome, failures: readonly string[]) => summarize(showJson, what, outcome, failures),
  };
}
