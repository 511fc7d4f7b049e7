import type { Misbehaviour } from './options.js';
import type { Moment, SmtpFault } from './smtp/options.js';

/** So many pairs of sender and recipient a greylist remembers; the oldest is forgotten first. */
const GREYLISTED = 10_000;

/** What goes wrong at a moment, by the switches as they stand. */
export function createSwitches() {
  let now: Misbehaviour = {};
  const tried = new Set<string>();
  const refusal = (code: number, text: string) => ({ code, text });
  function atRecipient({ recipient = '', from = '' }: Moment): { code: number; text: string } | undefined {
    if (now.refuse && (now.refuse === '*' || recipient.toLowerCase().includes(now.refuse.toLowerCase()))) {
      return refusal(550, `5.1.1 <${recipient}>: Recipient address rejected: User unknown`);
    }
    if (now.overQuota) return refusal(552, `5.2.2 <${recipient}>: Mailbox is full`);
    if (now.failOnce) {
      now = { ...now, failOnce: false };
      return refusal(451, '4.3.0 Temporary failure, try again later');
    }
    const pair = `${from} ${recipient}`.toLowerCase();
    if (!now.greylist || tried.has(pair)) return undefined;
    tried.add(pair);
    if (tried.size > GREYLISTED) tried.delete(tried.values().next().value!);
    return refusal(450, `4.7.1 <${recipient}>: Recipient address rejected: Greylisted, try again later`);
  }
  return {
    get now(): Misbehaviour {
      return now;
    },
    set(given: Misbehaviour): void {
      now = { ...given };
      tried.clear();
    },
    at(moment: SmtpFault['at'], about: Moment): Omit<SmtpFault, 'at'> | undefined {
      const slow = now.slow ? { delayMs: now.slow } : undefined;
      if (moment === 'rcpt') {
        const refused = atRecipient(about);
        return refused || slow ? { ...slow, ...refused } : undefined;
      }
      // While a message comes in, nothing is answered.
      if (moment === 'data') return undefined;
      return moment === 'dot' && now.dropAfterData ? { ...slow, cut: 'fin' } : slow;
    },
  };
}
