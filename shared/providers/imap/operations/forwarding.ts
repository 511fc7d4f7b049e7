import { flag, list, text } from '../../../fields.js';
import { operation, type Operations } from '../../../provider.js';
import type { Native, Receipt } from '../../../vocabulary.js';
import { previewing } from '../sieve/difference.js';
import { changeRules, rulesOf } from '../sieve/own.js';

/** Where mail is forwarded to, and whether it stays here too. No addresses: it is not. */
export interface Forwarding {
  addresses: string[];
  keep: boolean;
  native: Native;
}

const DOCS = 'RFC 5228 section 4.2, RFC 3894';

/** Forwarding of mail that arrives. */
export const forwardings = previewing({
  'forwarding.get': operation({
    summary: 'Get where mail is forwarded to',
    effect: 'read',
    docs: DOCS,
    input: {},
    doubt: 'Only the forwarding that Mailroom set is known; another script may have one of its own.',
    run: async (ctx): Promise<Forwarding> => {
      const { forwarding } = await rulesOf(ctx);
      return { addresses: forwarding?.addresses ?? [], keep: forwarding?.keep ?? true, native: {} };
    },
  }),
  'forwarding.set': operation({
    summary: 'Forward mail that arrives to other addresses',
    effect: 'write',
    docs: DOCS,
    doubt:
      'Blocked mail is not forwarded. Without a copy mail is still kept where a rule or another script files it. A server may allow few addresses.',
    input: {
      addresses: list('Addresses', text('Address', { format: 'email' }), {
        required: true,
        minItems: 1,
        maxItems: 50,
        example: 'ben@example.com',
      }),
      keep: flag('Keep a Copy', { default: true, help: 'Whether forwarded mail also stays in the mailbox.' }),
    },
    run: async (ctx, { addresses, keep }): Promise<Receipt> => ({
      native: await changeRules(ctx, rules => ({ ...rules, forwarding: { addresses: [...new Set(addresses)], keep } })),
    }),
  }),
  'forwarding.clear': operation({
    summary: 'Turn off forwarding',
    effect: 'write',
    docs: DOCS,
    input: {},
    run: async (ctx): Promise<Receipt> => ({ native: await changeRules(ctx, ({ forwarding: _, ...rules }) => rules) }),
  }),
} satisfies Operations);
