import * as vscode from 'vscode';
import { MailError, validate, type Field, type Fields } from '../../shared/index.js';
import { draftsOf, type Accounts } from '../accounts/store.js';
import { inputFrom, operationOf } from '../fields/tables.js';
import { firstValues, packPlace, same } from '../fields/values.js';
import { openForm } from '../form/ask.js';
import { plain, t } from '../host/text.js';
import { window } from '../host/window.js';
import type { Operator } from '../operations/run.js';
import type { Target } from '../operations/target.js';
import type { Group, Values } from '../webview/messages.js';
import { closePanel, type Back } from '../webview/panel.js';
import { bodyFields, htmlOf } from './body.js';

interface ComposerOptions {
  extension: vscode.Uri;
  accounts: Accounts;
  operator: Operator;
  state: vscode.Memento;
  log: vscode.LogOutputChannel;
  sent(): void;
}

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
export function createComposer(options: ComposerOptions) {
  const { extension, accounts, operator, state } = options;
  return (
    target: Target,
    name: string,
    back?: Back & { to?: string; all?: boolean },
    all = back?.all === true,
  ): void => {
    const { provider } = target.account;
    const operation = operationOf(provider, name)!;
    const known = { ...inputFrom(provider, name, target.binding), ...(all ? { replyAll: true } : {}) };
    const body = bodyFields(operation.input);
    const replying = /reply|forward/i.test(name);
    const fields = fieldsToWrite(operation.input, known, body, replying);
    const draftKey = `${draftsOf(target.account.id)}${name} ${JSON.stringify(known)}`;
    const draft = state.get<{ values?: Values; files?: Record<string, string[]> }>(draftKey);
    // An answer quotes what it answers, unless that is taken out.
    const first: Values = {
      ...firstValues(fields, true),
      ...(replying && fields.quote?.type === 'flag' ? { quote: true } : {}),
    };
    /** What was sent or discarded, or belongs to an account that is gone, leaves no draft. */
    let over = false;
    const end = async () => {
      over = true;
      await state.update(draftKey, undefined);
    };
    const forwarding = /forward/i.test(name);
    const to = replying && !forwarding ? (back?.to ?? replyTo(target)) : '';
    openForm({
      extension,
      identity: draftKey,
      icon: 'mail',
      title: replying ? titleOf(forwarding, all, target.label || t('(no subject)')) : t('New Message'),
      subtitle: [to, target.account.name, draft ? t('continued from your draft') : ''].filter(Boolean).join(' · '),
      fields,
      values: draft?.values ?? first,
      submit: t('Send'),
      groups: groups => arranged(groups),
      pickable: ref => operationOf(provider, `${ref}.list`) !== undefined,
      pick: (field, values) => operator.pickFor(target, operation.input[field]!, { ...known, ...values }),
      ...(draft?.files ? { attached: draft.files } : {}),
      draft: (values, files) => {
        if (over || !accounts.list().some(({ id }) => id === target.account.id)) return;
        const written = Object.fromEntries(
          Object.entries(values).filter(([, value]) => value !== null && value !== ''),
        );
        const any =
          Object.entries(written).some(([key, value]) => !same(value, first[key])) ||
          Object.values(files).some(list => list.length);
        void state.update(draftKey, any ? { values: written, files } : undefined);
      },
      actions: [
        {
          id: 'discard',
          label: t('Discard Draft'),
          run: async () => {
            if (state.get(draftKey) !== undefined && !(await discards())) return;
            await end();
            closePanel(draftKey);
          },
        },
      ],
      type: COMPOSER,
      back: back && { panel: back.panel },
      keep: {
        place: packPlace({
          account: target.account.id,
          resource: target.resource || 'message',
          refs: { ...target.binding.refs },
          choices: { ...target.binding.choices },
        }),
        label: target.label,
        operation: name,
        ...(to ? { to } : {}),
        ...(all ? { all: 'yes' } : {}),
      },
      run: async given => {
        validate(fields, given);
        const input: Values = { ...known, ...given };
        if (body.made && body.html !== undefined)
          input[body.html] = htmlOf(String(given[body.text ?? body.html] ?? ''));
        validate(operation.input, input);
        const answer = await send(options, target, name, input);
        await end();
        options.sent();
        tellSent(answer);
        return true;
      },
    });
  };
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
async function send(
  { accounts, log }: ComposerOptions,
  target: Target,
  name: string,
  input: Values,
): Promise<Sent | undefined> {
  const answer = (await window.withProgress({ location: { viewId: 'mailroom.accounts' } }, async () =>
    (await accounts.open(target.account.id)).call(name, input),
  )) as Sent | undefined;
  log.info(`${target.account.name}: ${name} ${answer?.outcome ?? 'done'}`);
  // The draft stays: whoever has to send it again must not have to write it again.
  if (answer?.outcome === 'unknown') {
    throw new MailError(
      'unavailable',
      t('The connection broke while the message was being sent. Check Sent before you send it again.'),
    );
  }
  return answer;
}
function tellSent(answer: Sent | undefined): void {
  const but = shortcomings(answer?.native);
  if (but.length) void window.showWarningMessage([t('The message was sent.'), ...but].join(' '));
  else if (answer?.outcome === 'queued')
    void window.showInformationMessage(t('The message is queued. The provider will send it soon.'));
  else void window.showInformationMessage(t('The message was sent.'));
}
/** What a provider answers to a message that it took. */
interface Sent {
  outcome?: string;
  native?: { rejected?: { address: string; words: string }[]; sentError?: string };
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
