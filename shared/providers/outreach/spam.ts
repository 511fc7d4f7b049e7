import { attributesOf } from '../../codecs/jsonApi.js';
import { invalidField, MailError } from '../../errors.js';
import { text } from '../../fields.js';
import { base, path } from '../../url.js';
import { operation, type Context, type Operations } from '../../provider.js';
import type { Native, Receipt } from '../../vocabulary.js';
import { api, DOCS as REFERENCE, id } from './api.js';

const DOCS = `${REFERENCE}Mailbox`;
const LONGEST = 65_535;
const DOUBT =
  'The provider has no conditional writes. A change made by others between our last look and our write, usually some milliseconds, ' +
  'is overwritten unseen.';
const mailbox = id('Mailbox', { required: true, ref: 'mailbox', knownBy: 'email', help: 'The ID of the mailbox.' });
const pattern = text('Pattern', {
  required: true,
  maxLength: 320,
  pattern: '^[^\\s,;]+$',
  example: '*@example.com',
  help: 'An address, or a pattern with * for any part of it.',
});
/** One pattern of addresses that a mailbox keeps out of syncing. */
export interface SpamPattern {
  mailbox: string;
  pattern: string;
}

/**
 * The patterns of the text. It is called newline-separated, and shown with a space in the vendor's example; no address
 * holds either.
 */
const patternsOf = (exclusions: string) => exclusions.split(/\s+/).filter(one => one !== '');
const is = (wanted: string) => (one: string) => one.toLowerCase() === wanted.toLowerCase();

async function read(ctx: Context, of: string): Promise<{ exclusions: string; updatedAt: unknown }> {
  const native = await api(ctx).get(path`/mailboxes/${of}`, { 'fields[mailbox]': 'prospectEmailExclusions,updatedAt' });
  return seen(native);
}
function seen(native: Native): { exclusions: string; updatedAt: unknown } {
  const { prospectEmailExclusions: value, updatedAt } = attributesOf(native);
  if (value !== null && typeof value !== 'string') {
    throw new MailError(
      'protocol',
      'Outreach did not return the exclusions of the mailbox as a text; nothing more was done.',
    );
  }
  return { exclusions: value ?? '', updatedAt };
}

/** Adds and removes of one mailbox wait for each other in this process, so that items of one workflow never collide. */
const lines = new Map<string, Promise<unknown>>();
function inLine<T>(key: string, task: () => Promise<T>): Promise<T> {
  const mine = (lines.get(key) ?? Promise.resolve()).then(task, task);
  const done = mine
    .catch(() => {})
    .then(() => {
      if (lines.get(key) === done) lines.delete(key);
    });
  lines.set(key, done);
  return mine;
}

/**
 * Reads, computes, looks again, writes, and compares what the vendor says it stored. `change` returns undefined when
 * there is nothing to do.
 */
const rewrite = (
  ctx: Context,
  of: string,
  wanted: string,
  change: (exclusions: string) => string | undefined,
): Promise<Receipt> =>
  inLine(`${base(ctx.account)} ${of}`, async () => {
    const before = await read(ctx, of);
    const after = change(before.exclusions);
    if (after === undefined) return { id: wanted, outcome: 'done', native: {} };
    if (after.length > LONGEST) {
      const message = `The exclusions of a mailbox may have ${LONGEST} characters; with this pattern there would be ${after.length}.`;
      throw invalidField('pattern', message);
    }
    const now = await read(ctx, of);
    if (now.exclusions !== before.exclusions || now.updatedAt !== before.updatedAt) {
      throw new MailError(
        'conflict',
        `Mailbox ${of} was changed by others while its exclusions were edited; nothing was written. Run again.`,
      );
    }
    const native = await api(ctx).update(path`/mailboxes/${of}`, 'mailbox', of, {
      attributes: { prospectEmailExclusions: after === '' ? null : after },
    });
    const stored = patternsOf(seen(native).exclusions);
    const meant = patternsOf(after);
    if (stored.join('\n') !== meant.join('\n')) {
      throw new MailError(
        'conflict',
        `Mailbox ${of} holds other exclusions than were just written; others write to it too. List them before you run again.`,
      );
    }
    return { id: wanted, outcome: 'done', native };
  });

/** The text without a pattern; every other line stays as it was. */
function removed(exclusions: string, wanted: string): string {
  return exclusions
    .split('\n')
    .flatMap(line => {
      const parts = patternsOf(line);
      const rest = parts.filter(one => !is(wanted)(one));
      return rest.length === parts.length ? [line] : rest.length ? [rest.join(' ')] : [];
    })
    .join('\n');
}

/** The attribute `prospectEmailExclusions` of a mailbox as a list of patterns. */
export const spamPatterns = {
  'spamPattern.list': operation({
    summary: 'List the address patterns a mailbox keeps out of syncing',
    effect: 'read',
    plain: true,
    docs: DOCS,
    doubt: "Patterns are parted by line breaks in the provider's words and by a space in its example; both are read.",
    input: { mailbox },
    async *run(ctx, input): AsyncGenerator<SpamPattern> {
      for (const one of patternsOf((await read(ctx, input.mailbox)).exclusions))
        yield { mailbox: input.mailbox, pattern: one };
    },
  }),
  'spamPattern.add': operation({
    summary: 'Keep an address pattern out of syncing',
    effect: 'write',
    docs: DOCS,
    doubt: `${DOUBT} A pattern that is there already, in any case, is left alone.`,
    input: { mailbox, pattern },
    run: (ctx, input) =>
      rewrite(ctx, input.mailbox, input.pattern, exclusions =>
        patternsOf(exclusions).some(is(input.pattern))
          ? undefined
          : exclusions.trim() === ''
            ? input.pattern
            : `${exclusions.replace(/\s+$/, '')}\n${input.pattern}`,
      ),
  }),
  'spamPattern.remove': operation({
    summary: 'Let an address pattern be synced again',
    effect: 'destroy',
    docs: DOCS,
    doubt: DOUBT,
    input: { mailbox, pattern },
    run: (ctx, input) =>
      rewrite(ctx, input.mailbox, input.pattern, exclusions => {
        if (!patternsOf(exclusions).some(is(input.pattern))) {
          throw new MailError('not_found', `Mailbox ${input.mailbox} does not exclude "${input.pattern}".`);
        }
        return removed(exclusions, input.pattern);
      }),
  }),
} satisfies Operations;
