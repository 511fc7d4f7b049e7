import { invalidField } from '../../../errors.js';
import { list, number, text, time } from '../../../fields.js';
import { operation, type Operations } from '../../../provider.js';
import type { Native, Receipt } from '../../../vocabulary.js';
import { settingsOf } from '../account/fields.js';
import { previewing } from '../sieve/difference.js';
import { changeRules, rulesOf } from '../sieve/own.js';
import type { StoredReply } from '../sieve/rules.js';

/** The automatic answer. `set` is false where there is none; times are ISO 8601, and the answer is given from `start` and before `end`. */
export interface AutoReply extends Partial<StoredReply> { set: boolean; native: Native }

const DOCS = 'RFC 5230';

/** The automatic answer to mail that arrives. */
export const autoReplies = previewing({
  'autoReply.get': operation({
    summary: 'Read the automatic answer', effect: 'read', docs: DOCS, input: {},
    doubt: 'Only the answer that Mailroom set is known; another script may give one of its own.',
    run: async (ctx): Promise<AutoReply> => {
      const { autoReply } = await rulesOf(ctx);
      return { set: autoReply !== undefined, ...autoReply, native: {} };
    },
  }),
  'autoReply.set': operation({
    summary: 'Set the automatic answer, such as for an absence', effect: 'write', docs: DOCS,
    doubt: 'The server remembers whom it answered; with another text or subject it answers them once more. Blocked mail is not answered, nor are lists and other machines.',
    input: {
      text: text('Text', { required: true, lines: 6, maxLength: 50_000, example: 'I am away until Monday.' }),
      subject: text('Subject', { maxLength: 500, help: 'Left empty, the server makes one of the subject it answers.' }),
      start: time('Start', { help: 'From when it is given. Left empty, at once.' }),
      end: time('End', { help: 'When it stops. Left empty, it goes on until it is cleared.' }),
      days: number('Days', { default: 7, min: 1, max: 365, help: 'For so many days each sender gets one answer.' }),
      addresses: list('Addresses', text('Address', { format: 'email' }), { maxItems: 200,
        help: 'Addresses that the mail may be written to, beside those of the account. Mail to none of them gets no answer.' }),
      html: text('HTML', { format: 'html', lines: 6, maxLength: 50_000, help: 'The same with formatting, for programs that show it.' }),
      from: text('From', { format: 'address', maxLength: 500, help: 'The sender of the reply. Left empty, the server chooses.' }),
    },
    run: async (ctx, { text: words, subject, start, end, days, addresses, html, from }): Promise<Receipt> => {
      if (start !== undefined && end !== undefined && end <= start) throw invalidField('end', 'End must be later than Start.');
      const own = settingsOf(ctx).own.filter(one => !one.startsWith('@')), all = [...new Set([...own, ...addresses ?? []])];
      const autoReply: StoredReply = { text: words, ...(html === undefined ? {} : { html }), ...(subject === undefined ? {} : { subject }),
        ...(from === undefined ? {} : { from }), days, addresses: all, ...(start === undefined ? {} : { start }), ...(end === undefined ? {} : { end }) };
      return { native: await changeRules(ctx, rules => ({ ...rules, autoReply })) };
    },
  }),
  'autoReply.clear': operation({
    summary: 'Stop the automatic answer', effect: 'write', docs: DOCS, input: {},
    run: async (ctx): Promise<Receipt> => ({ native: await changeRules(ctx, ({ autoReply: _, ...rules }) => rules) }),
  }),
} satisfies Operations);
