import * as vscode from 'vscode';
import { validate, type Field } from '../shared/index.js';
import { draftsOf, type Accounts } from './accounts.js';
import { openForm } from './askForm.js';
import type { Group, Values } from './form/messages.js';
import type { Operator, Target } from './operate.js';
import { bodyFields, htmlOf } from './composeText.js';
import { inputFrom, operationOf } from './tables.js';
import type { Back } from './panels.js';
import { firstValues, packPlace } from './values.js';
import { t } from './words.js';

interface ComposerOptions {
  extension: vscode.Uri; accounts: Accounts; operator: Operator; state: vscode.Memento; log: vscode.LogOutputChannel; sent(): void;
}

/** The kind of panel that comes back after a restart with its draft. */
export const COMPOSER = 'mailroom.composer';

/** The operations that the composer is for. */
export const isSending = (name: string): boolean => /^message\.(send|sendFrom|reply|forward)$/.test(name);

/** The order in which people write. */
const RANK = [/^to/i, /^cc/i, /^bcc/i, /^subject$/i, /^(text|body|plainText|message$)/i, /html/i, /^attachments$/i];
const rank = (name: string) => { const at = RANK.findIndex(one => one.test(name)); return at < 0 ? RANK.length : at; };

/** The composer: a form over the fields of the sending operation, arranged as people write. A draft is kept until the message has left. */
export function createComposer({ extension, accounts, operator, state, log, sent }: ComposerOptions) {
  return (target: Target, name: string, back?: Back & { to?: string }): void => {
    const { provider } = target.account, operation = operationOf(provider, name)!, known = inputFrom(provider, name, target.binding);
    const body = bodyFields(operation.input);
    const fields: Record<string, Field> = {};
    const entries = Object.entries(operation.input).filter(([key]) => known[key] === undefined).sort(([a], [b]) => rank(a) - rank(b));
    for (const [key, field] of entries) {
      // Where HTML is wanted it is made from what was written: one box for one text.
      if (key === body.html && body.made && body.text !== undefined) continue;
      fields[key] = key === body.text || (key === body.html && body.made)
        ? { ...field, label: t('Message'), group: '', required: true, lines: 14, format: undefined } as Field
        : { ...field, group: rank(key) < RANK.length && !(key === body.html) ? '' : t('More') };
    }
    const draftKey = `${draftsOf(target.account.id)}${name} ${JSON.stringify(known)}`;
    const draft = state.get<{ values?: Values; files?: Record<string, string[]> }>(draftKey);
    const replying = /reply|forward/i.test(name), to = replying ? back?.to ?? replyTo(target) : '';
    openForm({
      extension, identity: draftKey, icon: 'mail',
      title: replying ? t('Reply: {0}', target.label || t('(no subject)')) : t('New Message'),
      subtitle: [to, target.account.name, draft ? t('continued from your draft') : ''].filter(Boolean).join(' · '),
      fields, values: draft?.values ?? firstValues(fields, true), submit: t('Send'),
      groups: groups => arranged(groups),
      pickable: ref => operationOf(provider, `${ref}.list`) !== undefined,
      pick: (field, values) => operator.pickFor(target, operation.input[field]!, { ...known, ...values }),
      ...(draft?.files ? { attached: draft.files } : {}),
      draft: (values, files) => void state.update(draftKey, {
        values: Object.fromEntries(Object.entries(values).filter(([, value]) => value !== null && value !== '')), files,
      }),
      type: COMPOSER, back: back && { panel: back.panel }, keep: {
        place: packPlace({
          account: target.account.id, resource: target.resource || 'message',
          refs: { ...target.binding.refs }, choices: { ...target.binding.choices },
        }),
        label: target.label, operation: name, ...(to ? { to } : {}),
      },
      run: async given => {
        const input: Values = { ...known, ...given };
        if (body.made && body.html !== undefined) {
          const text = String(given[body.text ?? body.html] ?? '');
          input[body.html] = htmlOf(text);
        }
        validate(operation.input, input);
        const answer = await vscode.window.withProgress({ location: { viewId: 'mailroom.accounts' } },
          async () => (await accounts.open(target.account.id)).call(name, input)) as { outcome?: string } | undefined;
        await state.update(draftKey, undefined);
        sent();
        const outcome = answer?.outcome;
        log.info(`${target.account.name}: ${name} ${outcome ?? 'done'}`);
        if (outcome === 'unknown') {
          void vscode.window.showWarningMessage(
            t('The connection broke while the message was sent. It may or may not have left: look into Sent before you send it again.'),
          );
        } else {
          void vscode.window.showInformationMessage(outcome === 'queued'
            ? t('The message is queued; the provider sends it soon.')
            : t('The message was sent.'));
        }
        return true;
      },
    });
  };
}
/** Whom a reply goes to, as far as the row tells. */
function replyTo(target: Target): string {
  const from = (target.node?.kind === 'item' ? target.node.item.from : target.binding.item?.from) as { name?: string; email?: string } | undefined;
  return from?.email ? t('To {0}', from.name ? `${from.name} <${from.email}>` : from.email) : '';
}
function arranged(groups: Group[]): Group[] {
  const more = groups.filter(group => group.title), main = groups.find(group => !group.title);
  const controls = [...main?.controls ?? []].sort((a, b) => rank(a.name) - rank(b.name));
  return [...(controls.length ? [{ controls }] : []), ...more.map(group => ({ ...group, folded: true }))];
}
