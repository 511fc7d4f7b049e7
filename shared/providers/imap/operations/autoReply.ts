import { invalidField } from '../../../errors.js';
import { list, number, text, time } from '../../../fields.js';
import { operation, type Operations } from '../../../provider.js';
import type { Native, Receipt } from '../../../vocabulary.js';
import { settingsOf } from '../account/fields.js';
import { previewing } from '../sieve/difference.js';
import { changeRules, rulesOf } from '../sieve/own.js';
import type { StoredReply } from '../sieve/rules.js';

/**
 * The automatic reply. `set` is false where there is none; times are ISO 8601, and the reply is given from `start` and
 * before `end`.
 */
export interface AutoReply extends Partial<StoredReply> {
  set: boolean;
  native: Native;
}

const DOCS = 'RFC 5230';

/** The automatic reply to mail that arrives. */
export const autoReplies = previewing({
  'autoReply.get': operation({
    summary: 'Get the automatic reply',
    effect: 'read',
    docs: DOCS,
    input: {},
    doubt: 'Only the reply that Mailroom set is known; another script may give one of its own.',
    run: async (ctx): Promise<AutoReply> => {
      const { autoReply } = await rulesOf(ctx);
      return { set: autoReply !== undefined, ...autoReply, native: {} };
    },
  }),
  'autoReply.set': operation({
    summary: 'Set the automatic reply, such as for an absence',
    effect: 'write',
    docs: DOCS,
    doubt:
      'The server remembers whom it answered; with another text or subject it answers them once more. Blocked mail is not answered, nor are lists and other machines.',
    input: {
      text: text('Text', { required: true, lines: 6, maxLength: 50_000, example: 'I am away until Monday.' }),
      subject: text('Subject', {
        maxLength: 500,
        help: 'Left empty, the server makes one from the subject it replies to.',
      }),
      start: time('Start', { help: 'From when replies are sent. Left empty, from now on.' }),
      end: time('End', { help: 'When replies stop. Left empty, they go on until you turn them off.' }),
      days: number('Days', { default: 7, min: 1, max: 365, help: 'Each sender gets one reply within so many days.' }),
      seconds: number('Seconds', {
        min: 1,
        max: 31_536_000,
        help: 'The same in seconds, instead of days. Few servers have this: it needs the extension “vacation-seconds”.',
      }),
      addresses: list('Addresses', text('Address', { format: 'email' }), {
        maxItems: 200,
        help: 'Addresses that mail may be sent to, beside those of the account. Mail to none of them gets no reply.',
      }),
      html: text('HTML', {
        format: 'html',
        lines: 6,
        maxLength: 50_000,
        help: 'The same with formatting, for programs that show it.',
      }),
      from: text('From', {
        format: 'address',
        maxLength: 500,
        help: 'The sender of the reply. Left empty, the server chooses.',
      }),
    },
    run: async (ctx, { text: words, subject, start, end, days, seconds, addresses, html, from }): Promise<Receipt> => {
      if (start !== undefined && end !== undefined && end <= start)
        throw invalidField('end', 'End must be later than Start.');
      const own = settingsOf(ctx).own.filter(one => !one.startsWith('@'));
      const all = [...new Set([...own, ...(addresses ?? [])])];
      const autoReply: StoredReply = {
        text: words,
        ...(html === undefined ? {} : { html }),
        ...(subject === undefined ? {} : { subject }),
        ...(from === undefined ? {} : { from }),
        days,
        ...(seconds === undefined ? {} : { seconds }),
        addresses: all,
        ...(start === undefined ? {} : { start }),
        ...(end === undefined ? {} : { end }),
      };
      return { native: await changeRules(ctx, rules => ({ ...rules, autoReply })) };
    },
  }),
  'autoReply.clear': operation({
    summary: 'Turn off the automatic reply',
    effect: 'write',
    docs: DOCS,
    input: {},
    run: async (ctx): Promise<Receipt> => ({ native: await changeRules(ctx, ({ autoReply: _, ...rules }) => rules) }),
  }),
} satisfies Operations);
