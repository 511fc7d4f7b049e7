import * as vscode from 'vscode';
import {
  isMailError,
  MailError,
  validate,
  type Field,
  type Fields,
  type Operation,
  type Provider,
} from '../../shared/index.js';
import { draftsOf, type Accounts } from '../accounts/store.js';
import { inputFrom, operationOf } from '../fields/tables.js';
import { firstValues, packPlace, same } from '../fields/values.js';
import { openForm, type Attach } from '../form/ask.js';
import { plain, t } from '../host/text.js';
import { window } from '../host/window.js';
import type { Operator } from '../operations/run.js';
import type { Target } from '../operations/target.js';
import type { Group, Values } from '../webview/messages.js';
import { closePanel, type Back } from '../webview/panel.js';
import { bodyFields, htmlOf } from './body.js';
import { letterOf, partAt, type Letter } from './letter.js';
import type { People } from './people.js';

interface ComposerOptions {
  extension: vscode.Uri;
  accounts: Accounts;
  operator: Operator;
  state: vscode.Memento;
  log: vscode.LogOutputChannel;
  sent(): void;
  people: Pick<People, 'add' | 'find'>;
  /** Told which folder of an account drafts came into or left. */
  drafted(account: string, folder: string | undefined): void;
}
/** How the composer is opened: in a panel that came back, with everyone answered, with a message that is there. */
export interface Opening {
  panel?: Back['panel'];
  hold?: Back['hold'];
  to?: string;
  all?: boolean;
  /** `draft`: it is opened again and takes its own place; `again`: another message begins with the same words. */
  as?: 'draft' | 'again' | undefined;
}
export type Compose = (target: Target, operation: string, opening?: Opening) => void;

/** The kind of panel that comes back after a restart with its draft. */
export const COMPOSER = 'mailroom.composer';

/** The order in which people write. */
const RANK = [/^to/i, /^cc/i, /^bcc/i, /^subject$/i, /^(text|body|plainText|message$)/i, /html/i, /^attachments$/i];
const rank = (name: string) => {
  const at = RANK.findIndex(one => one.test(name));
  return at < 0 ? RANK.length : at;
};

/**
 * The composer: a form over the fields of the sending operation, arranged as people write. A draft is kept until the
 * message has left.
 */
export function createComposer(options: ComposerOptions): Compose {
  /** The tabs of drafts at the server, by account and id: a draft that is open is shown again. */
  const tabs: Tabs = new Map();
  return (target, name, opening = {}) => new Composition(options, tabs, target, name, opening).open();
}
type Tabs = Map<string, string>;

/** What is written down of a message in this editor; `saved` is the draft of it at the server. */
interface Written {
  values: Values;
  files: Record<string, string[]>;
  saved?: string | undefined;
}

/** One message that is being written. */
class Composition {
  private readonly options: ComposerOptions;
  private readonly tabs: Tabs;
  private readonly target: Target;
  private readonly name: string;
  private readonly opening: Opening;
  private readonly operation: Operation;
  private readonly known: Values;
  private readonly body: ReturnType<typeof bodyFields>;
  private readonly fields: Fields;
  private readonly first: Values;
  private readonly key: string;
  private readonly identity: string;
  private now: Written;
  /** What the server has, as it would be written down here. */
  private clean: string | undefined;
  /** What was sent or discarded, or belongs to an account that is gone, leaves no draft. */
  private over = false;
  private turn: Promise<unknown> = Promise.resolve();

  constructor(options: ComposerOptions, tabs: Tabs, target: Target, name: string, opening: Opening) {
    this.options = options;
    this.tabs = tabs;
    this.target = target;
    this.name = name;
    this.opening = opening;
    const { provider, id: account } = target.account;
    this.operation = operationOf(provider, name)!;
    const given = { ...inputFrom(provider, name, target.binding), ...(opening.all ? { replyAll: true } : {}) };
    this.known = opening.as === 'draft' ? { ...given, kind: 'new' } : given;
    this.body = bodyFields(this.operation.input);
    this.fields = fieldsToWrite(this.input(), this.known, this.body, this.isAnswer);
    // An answer quotes what it answers, unless that is taken out.
    this.first = {
      ...firstValues(this.fields, true),
      ...(this.isAnswer && this.fields.quote?.type === 'flag' ? { quote: true } : {}),
    };
    const message = target.binding.refs.message;
    this.key = keyOf(account, name, opening.as ? { [opening.as]: message } : this.known);
    this.identity = (opening.as === 'draft' ? tabs.get(`${account} ${message}`) : undefined) ?? this.key;
    const kept = options.state.get<Partial<Written>>(this.key);
    this.now = {
      values: kept?.values ?? this.first,
      files: kept?.files ?? {},
      saved: kept?.saved ?? (opening.as === 'draft' ? message : undefined),
    };
  }

  private get isAnswer(): boolean {
    return /reply|forward/i.test(this.name);
  }
  /** What is written in a draft that is opened again: all but whom it answers, which it knows itself. */
  private input(): Fields {
    const { input } = this.operation;
    if (this.opening.as !== 'draft') return input;
    // In the words of a new message where they are the same.
    const send = operationOf(this.target.account.provider, 'message.send')?.input ?? {};
    const rest = Object.entries(input)
      .filter(([key]) => !['message', 'quote', 'folder', 'replaces'].includes(key))
      .map(([key, field]) => [key, send[key] ?? field] as const);
    const saveToSent = operationOf(this.target.account.provider, 'draft.send')?.input.saveToSent;
    return { ...Object.fromEntries(rest), ...(saveToSent ? { saveToSent } : {}) };
  }

  open(): void {
    const { options, target, fields, opening, key } = this;
    const { provider } = target.account;
    const kept = options.state.get<Partial<Written>>(key);
    const to = this.isAnswer && !/forward/i.test(this.name) ? (opening.to ?? replyTo(target)) : '';
    this.remember();
    openForm({
      extension: options.extension,
      identity: this.identity,
      icon: 'mail',
      title: this.title(),
      subtitle: [to, target.account.name, kept ? t('continued from your draft') : ''].filter(Boolean).join(' · '),
      fields,
      values: this.now.values,
      attached: this.now.files,
      submit: t('Send'),
      groups: groups => arranged(groups),
      pickable: ref => operationOf(provider, `${ref}.list`) !== undefined,
      pick: (field, values) =>
        options.operator.pickFor(target, this.operation.input[field]!, { ...this.known, ...values }),
      suggest: text => options.people.find(text),
      fileAt: address => partAt(options.accounts, target, address),
      ...(opening.as && !kept ? { load: () => this.load() } : {}),
      draft: (values, files) => this.drafted(values, files),
      actions: [
        {
          id: 'save',
          label: t('Save Draft'),
          run: (given, attach) => this.inTurn(written => this.saveClicked(given, attach, written)),
        },
        { id: 'discard', label: t('Discard Draft'), run: () => this.inTurn(() => this.discard()) },
      ],
      type: COMPOSER,
      back: opening.panel && { panel: opening.panel, hold: opening.hold },
      keep: this.keep(to),
      closed: () => this.closed(),
      run: (given, attach) => this.inTurn(written => this.send(given, attach, written)),
    });
  }
  private title(): string {
    const { label } = this.target;
    const subject = label || t('(no subject)');
    if (this.opening.as === 'draft') return t('Draft: {0}', subject);
    if (this.opening.as === 'again') return t('Send Again: {0}', subject);
    return this.isAnswer ? titleOf(/forward/i.test(this.name), this.opening.all === true, subject) : t('New Message');
  }
  private keep(to: string): Record<string, string> {
    const { account, resource, binding, label } = this.target;
    return {
      place: packPlace({
        account: account.id,
        resource: resource || 'message',
        refs: { ...binding.refs },
        choices: { ...binding.choices },
      }),
      label,
      operation: this.name,
      ...(to ? { to } : {}),
      ...(this.opening.all ? { all: 'yes' } : {}),
      ...(this.opening.as ? { as: this.opening.as } : {}),
    };
  }
  /** Does one thing after the other, each with what was written when it was asked for. */
  private inTurn<T>(work: (written: Written) => Promise<T>): Promise<T> {
    const written = this.now;
    const mine = this.turn.then(() => work(written));
    this.turn = mine.catch(() => {});
    return mine;
  }

  private async load(): Promise<Pick<Letter, 'values' | 'attached' | 'notice'>> {
    const { options, target, fields, body, opening } = this;
    const { values, attached, notice } = await letterOf(options.accounts, target, {
      fields,
      body,
      own: opening.as === 'draft',
    });
    this.now = { ...this.now, values: { ...this.first, ...values }, files: attached };
    if (opening.as === 'draft') this.clean = textOf(this.now);
    return { values, attached, ...(notice ? { notice } : {}) };
  }
  private drafted(values: Values, files: Readonly<Record<string, readonly string[]>>): void {
    const { options, target, first, key, now } = this;
    const written = Object.entries(values).filter(([, value]) => value !== null && value !== '');
    this.now = {
      saved: now.saved,
      values: Object.fromEntries(written),
      files: Object.fromEntries(Object.entries(files).map(([field, list]) => [field, [...list]])),
    };
    if (this.over || !options.accounts.list().some(({ id }) => id === target.account.id)) return;
    const any =
      written.some(([name, value]) => !same(value, first[name])) || Object.values(files).some(list => list.length);
    void options.state.update(key, any && (this.opening.as !== 'draft' || this.isChanged()) ? this.now : undefined);
  }
  /** Whether there is more here than at the server. */
  private isChanged(written = this.now): boolean {
    return this.clean !== textOf(written);
  }
  /** A draft that the server has whole is not kept here too; one that was changed is found by its present name. */
  private closed(): void {
    const { options, tabs, identity, key, now, opening, target } = this;
    for (const [draft, tab] of tabs) if (tab === identity) tabs.delete(draft);
    if (this.over || now.saved === undefined) return;
    const kept = options.state.get(key);
    const other = keyOf(target.account.id, this.name, { draft: now.saved });
    if (!this.isChanged()) void options.state.update(key, undefined);
    else if (opening.as === 'draft' && kept !== undefined && other !== key) {
      void options.state.update(key, undefined);
      void options.state.update(other, kept);
    }
  }
  private remember(before?: string): void {
    const { tabs, target, identity, now } = this;
    const named = (draft: string) => `${target.account.id} ${draft}`;
    if (before !== undefined) tabs.delete(named(before));
    if (now.saved !== undefined) tabs.set(named(now.saved), identity);
  }
  private async end(): Promise<void> {
    this.over = true;
    await this.options.state.update(this.key, undefined);
  }

  private async saveClicked(given: Values, attach: Attach, written: Written): Promise<string> {
    const { provider } = this.target.account;
    if (!canKeepDrafts(provider))
      return t('{0} keeps no drafts. This one stays in VS Code until you send or discard it.', provider.name);
    const { folder, problem } = await this.save(given, attach, written);
    return problem
      ? t('Saved in {0}. The earlier draft is still there: {1}', plain(folder), plain(problem))
      : t('Saved in {0}.', plain(folder));
  }
  /** Puts what is written among the drafts of the account, in the place of the draft that is there. */
  private async save(
    given: Values,
    attach: Attach,
    written: Written,
  ): Promise<{ folder: string; problem?: string | undefined }> {
    const { options, target } = this;
    const then = { ...written, saved: this.now.saved };
    const kind = kindOf(this.name, { ...this.known, ...given });
    const fields = operationOf(target.account.provider, 'draft.create')!.input;
    const all = { ...this.known, ...given, kind, ...(then.saved === undefined ? {} : { replaces: then.saved }) };
    const answer = (await this.call(
      'draft.create',
      Object.fromEntries(Object.entries(all).filter(([name]) => Object.hasOwn(fields, name))),
    ).catch(noFolder)) as SavedDraft;
    const folder = answer.folder ?? '';
    this.now = { ...this.now, saved: answer.id };
    this.clean = textOf(then);
    this.remember(then.saved);
    options.drafted(target.account.id, folder);
    // What an answer brings along by itself is no file of this form.
    if (kind === 'new' && Object.values(then.files).some(list => list.length)) await this.reattach(then, attach);
    this.store();
    return { folder, problem: answer.draftRemoved === false ? (answer.draftError ?? '?') : undefined };
  }
  /** The files of a draft are those of the new one; what was attached while it was saved is still to be saved. */
  private async reattach(then: Written, attach: Attach): Promise<void> {
    const { options, target, fields, body } = this;
    const refs = { ...target.binding.refs, message: this.now.saved ?? '' };
    try {
      const at = { ...target, binding: { ...target.binding, refs } };
      const { attached } = await letterOf(options.accounts, at, { fields, body, own: true });
      this.clean = textOf({ ...then, files: attached });
      const all = Object.entries({ ...attached, ...this.now.files }).map(([field]) => {
        const added = (this.now.files[field] ?? []).filter(one => !then.files[field]?.includes(one));
        return [field, [...(attached[field] ?? []), ...added]] as const;
      });
      await attach(Object.fromEntries(all));
    } catch (error) {
      throw new MailError(
        'unavailable',
        t(
          'The draft was saved, but could not be read again: {0} Close this tab, and open the draft from its folder.',
          (error as Error).message,
        ),
      );
    }
  }
  private store(): void {
    if (this.opening.as !== 'draft' || this.isChanged()) void this.options.state.update(this.key, this.now);
    else void this.options.state.update(this.key, undefined);
  }
  private async deleteSaved(): Promise<void> {
    const { target, now } = this;
    if (now.saved === undefined) return;
    const takes = operationOf(target.account.provider, 'message.delete')?.input ?? {};
    try {
      await this.call('message.delete', { message: now.saved, ...(takes.forever ? { forever: true } : {}) });
    } catch (error) {
      if (!isMailError(error) || error.code !== 'not_found') throw error;
    }
    this.options.drafted(target.account.id, undefined);
  }
  private async call(name: string, input: Values): Promise<unknown> {
    const { accounts, log } = this.options;
    const { account } = this.target;
    const answer = await window.withProgress({ location: { viewId: 'mailroom.accounts' } }, async () =>
      (await accounts.open(account.id)).call(name, input),
    );
    log.info(`${account.name}: ${name} ${(answer as Sent | undefined)?.outcome ?? 'done'}`);
    return answer;
  }

  private async discard(): Promise<void> {
    const isKept = this.now.saved !== undefined || this.options.state.get(this.key) !== undefined;
    if (isKept && !(await discards())) return;
    await this.deleteSaved();
    await this.end();
    closePanel(this.identity);
  }
  private async send(given: Values, attach: Attach, written: Written): Promise<boolean> {
    validate(this.fields, given);
    const { answer, left } =
      this.opening.as === 'draft' ? await this.sendDraft(given, attach, written) : await this.sendNew(given);
    await this.end();
    this.options.sent();
    this.options.people.add(given.to, given.cc, given.bcc);
    tellSent(answer, left);
    return true;
  }
  private async sendNew(given: Values): Promise<{ answer: Sent | undefined; left?: string }> {
    const { known, body, operation, name } = this;
    const input: Values = { ...known, ...given };
    if (body.made && body.html !== undefined) input[body.html] = htmlOf(String(given[body.text ?? body.html] ?? ''));
    validate(operation.input, input);
    const answer = certain((await this.call(name, input)) as Sent | undefined);
    try {
      await this.deleteSaved();
      return { answer };
    } catch (error) {
      return { answer, left: (error as Error).message };
    }
  }
  /** A draft of the server is sent as it lies there, so that it still answers what it answers. */
  private async sendDraft(
    given: Values,
    attach: Attach,
    written: Written,
  ): Promise<{ answer: Sent | undefined; left?: string }> {
    const { target } = this;
    if (this.isChanged(written)) {
      const { problem } = await this.save(given, attach, written);
      if (problem)
        throw new MailError(
          'conflict',
          t(
            'The draft was saved, but not sent: {0} Check whether it was sent before. To send it, choose Send again.',
            problem,
          ),
        );
    }
    const { saveToSent } = given;
    const answer = (await this.call('draft.send', {
      message: this.now.saved,
      ...(saveToSent === undefined ? {} : { saveToSent }),
    })) as Sent | undefined;
    this.options.drafted(target.account.id, undefined);
    const native = certain(answer)?.native;
    return { answer, ...(native?.draftRemoved === false ? { left: native.draftError ?? '' } : {}) };
  }
}

/** What a message is written down under, by what it is about; `draftsOf` begins it. */
const keyOf = (account: string, name: string, about: object): string =>
  `${draftsOf(account)}${name} ${JSON.stringify(about)}`;
/** What is written as one text, in whatever order and with whatever line ends it came. */
const textOf = ({ values, files }: Pick<Written, 'values' | 'files'>): string =>
  JSON.stringify(
    [...Object.entries(values), ...Object.entries(files)]
      .filter(
        ([, value]) =>
          value !== null && value !== undefined && value !== '' && !(Array.isArray(value) && !value.length),
      )
      .map(([name, value]) => [name, typeof value === 'string' ? value.replace(/\r\n/g, '\n') : value] as const)
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  );
/** Whether drafts are kept at the server, opened again and sent from there. */
export const canKeepDrafts = (provider: Provider): boolean =>
  ['draft.create', 'draft.send', 'message.get', 'message.delete'].every(name => operationOf(provider, name));
/** The kind of draft that a message is. */
const kindOf = (name: string, { replyAll }: Values): string =>
  /forward/i.test(name) ? 'forward' : /reply/i.test(name) ? (replyAll === true ? 'replyAll' : 'reply') : 'new';
interface SavedDraft {
  id?: string;
  folder?: string;
  draftRemoved?: boolean;
  draftError?: string;
}
/** An account without a folder for drafts is told what to do about it. */
function noFolder(error: unknown): never {
  if (isMailError(error) && error.details.issues?.some(({ field }) => field === 'folder'))
    throw new MailError(
      'not_found',
      t(
        'This account has no folder for drafts. Create a folder named Drafts, then save again. The draft stays in VS Code until then.',
      ),
    );
  throw error;
}
/**
 * The fields that are left to write, as people write them: one box for one text, and what is seldom needed under More.
 */
function fieldsToWrite(input: Fields, known: Values, body: ReturnType<typeof bodyFields>, replying: boolean): Fields {
  const fields: Record<string, Field> = {};
  const entries = Object.entries(input)
    .filter(([key]) => known[key] === undefined)
    .sort(([a], [b]) => rank(a) - rank(b));
  for (const [key, field] of entries) {
    // Where HTML is wanted it is made from what was written.
    if (key === body.html && body.made && body.text !== undefined) continue;
    fields[key] =
      key === body.text || (key === body.html && body.made)
        ? ({ ...field, label: t('Message'), group: '', required: true, lines: 14, format: undefined } as Field)
        : // A reply begins with what is to be said; who else gets it can be opened.
          {
            ...field,
            group: rank(key) < RANK.length && key !== body.html && !(replying && /^b?cc$/i.test(key)) ? '' : t('More'),
          };
  }
  return fields;
}
const titleOf = (forwarding: boolean, all: boolean, subject: string): string =>
  forwarding ? t('Forward: {0}', subject) : all ? t('Reply to all: {0}', subject) : t('Reply: {0}', subject);
async function discards(): Promise<boolean> {
  const button = t('Discard Draft');
  const detail = t('Your text will be lost. This cannot be undone.');
  return (await window.showWarningMessage(t('Discard this draft?'), { modal: true, detail }, button)) === button;
}
/** The draft stays: whoever has to send it again must not have to write it again. */
function certain(answer: Sent | undefined): Sent | undefined {
  if (answer?.outcome !== 'unknown') return answer;
  throw new MailError(
    'unavailable',
    t('The connection broke while the message was being sent. Check Sent before you send it again.'),
  );
}
/** `left`: why its draft is still there. */
function tellSent(answer: Sent | undefined, left?: string): void {
  const but = [
    ...shortcomings(answer?.native),
    ...(left === undefined ? [] : [t('Its draft could not be deleted: {0}', plain(left))]),
  ];
  if (but.length) void window.showWarningMessage([t('The message was sent.'), ...but].join(' '));
  else if (answer?.outcome === 'queued')
    void window.showInformationMessage(t('The message is queued. The provider will send it soon.'));
  else void window.showInformationMessage(t('The message was sent.'));
}
/** What a provider answers to a message that it took. */
interface Sent {
  outcome?: string;
  native?: {
    rejected?: { address: string; words: string }[];
    sentError?: string;
    draftRemoved?: boolean;
    draftError?: string;
  };
}
/** So many refused recipients are named. */
const NAMED = 5;
/** What did not go as it should although the message has left. */
function shortcomings(native: Sent['native']): string[] {
  const refused = native?.rejected ?? [];
  const more = refused.length - NAMED;
  const named = refused
    .slice(0, NAMED)
    .map(({ address, words }) => `${plain(address)} (${plain(words)})`)
    .join(', ');
  return [
    ...(refused.length
      ? [
          more > 0
            ? t('The server refused these recipients: {0}, and {1} more.', named, more)
            : t('The server refused these recipients: {0}.', named),
        ]
      : []),
    ...(native?.sentError ? [t('No copy was saved in Sent: {0}', plain(native.sentError))] : []),
  ];
}
/** Whom a reply goes to, as far as the row tells. */
function replyTo(target: Target): string {
  const from = (target.node?.kind === 'item' ? target.node.item.from : target.binding.item?.from) as
    { name?: string; email?: string } | undefined;
  return from?.email ? t('To {0}', from.name ? `${from.name} <${from.email}>` : from.email) : '';
}
function arranged(groups: Group[]): Group[] {
  const more = groups.filter(group => group.title);
  const main = groups.find(group => !group.title);
  const controls = [...(main?.controls ?? [])].sort((a, b) => rank(a.name) - rank(b.name));
  return [...(controls.length ? [{ controls }] : []), ...more.map(group => ({ ...group, folded: true }))];
}
