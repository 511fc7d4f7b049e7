import { runSieve, type Answer, type Outcome } from './run.js';
import type { Scripts } from '../sieve.js';

/** What became of a message: where it lies and what was sent because of it. */
export interface Arrival {
  filed: { folder: string; flags: string[] }[];
  sent: Sent[];
  failed?: string;
}
/** A message that rules sent. */
export interface Sent {
  from: string;
  to: string;
  source: Buffer;
  why: 'redirect' | 'answer' | 'reject';
}

/** What rules need of the mail store around them. */
export interface Place {
  scriptsOf(account: string): Scripts;
  extensions(): string | undefined;
  hasFolder(account: string, name: string): boolean;
  create(account: string, name: string): void;
  store(account: string, source: Buffer, folder: string, flags: string[]): void;
  /** Takes what rules send to somebody; `depth` counts how many rules it went through. */
  send(message: Sent, depth: number): void;
}
export interface Envelope {
  from: string;
  to: string;
}

/** Messages go through so many accounts' rules, so that two which redirect to each other end. */
const MOST_RULES = 10;

/** Runs the active script of whoever gets a message, and does what it says. */
export function deliveries(
  place: Place,
): (account: string, source: Buffer, envelope: Envelope, depth?: number) => Arrival {
  const answered = new Map<string, number>();
  /** One answer to each sender in the time that it lasts (RFC 5230 section 4.1). */
  const isFirst = (account: string, { to, handle, seconds }: Answer): boolean => {
    const key = JSON.stringify([account, to.toLowerCase(), handle]);
    if ((answered.get(key) ?? 0) > Date.now()) return false;
    answered.set(key, Date.now() + seconds * 1000);
    return true;
  };
  return (account, source, { from, to }, depth = 0) => {
    const { texts, active } = place.scriptsOf(account);
    const text = active === undefined ? undefined : texts.get(active);
    const done: Outcome =
      text === undefined || depth > MOST_RULES
        ? { filed: [{ folder: 'INBOX', flags: [], create: false }], redirected: [] }
        : runSieve(
            text,
            { source, from, to },
            { script: name => texts.get(name), now: new Date(), addresses: [account], ...extensionsOf(place) },
          );
    const sent: Sent[] = done.redirected.map(address => ({ from, to: address, source, why: 'redirect' }));
    if (done.rejected !== undefined && from !== '')
      sent.push({ from: '', to: from, source: refusal(account, from, done.rejected), why: 'reject' });
    if (done.answer && isFirst(account, done.answer))
      sent.push({ from: '', to: done.answer.to, source: answerOf(done.answer), why: 'answer' });
    // A folder that is not there and is not to be made: the message stays in the INBOX rather than nowhere.
    const filed = done.filed.map(({ folder, flags, create }) => {
      if (create && !place.hasFolder(account, folder)) place.create(account, folder);
      return { folder: place.hasFolder(account, folder) ? folder : 'INBOX', flags };
    });
    for (const { folder, flags } of filed) place.store(account, source, folder, flags);
    for (const one of sent) place.send(one, depth + 1);
    return { filed, sent, ...(done.failed === undefined ? {} : { failed: done.failed }) };
  };
}

const extensionsOf = (place: Place) => {
  const extensions = place.extensions();
  return extensions === undefined ? {} : { extensions };
};
const encoded = (text: string) =>
  /^[\x20-\x7e]*$/.test(text) ? text : `=?UTF-8?B?${Buffer.from(text).toString('base64')}?=`;
const message = (head: readonly string[], body: string) =>
  Buffer.from(
    `${[...head, `Date: ${new Date().toUTCString().replace('GMT', '+0000')}`, 'MIME-Version: 1.0'].join('\r\n')}\r\n${body.replace(/\r?\n/g, '\r\n')}\r\n`,
  );
const PLAIN = 'Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n';

const answerOf = ({ to, from, subject, text, mime }: Answer): Buffer =>
  message(
    [`From: ${from}`, `To: ${to}`, `Subject: ${encoded(subject)}`, 'Auto-Submitted: auto-replied (vacation)'],
    mime ? text : PLAIN + text,
  );
const refusal = (account: string, to: string, words: string): Buffer =>
  message(
    [
      `From: Mail Delivery Subsystem <postmaster@${account.slice(account.lastIndexOf('@') + 1)}>`,
      `To: ${to}`,
      'Subject: Automatically rejected mail',
      'Auto-Submitted: auto-replied (rejected)',
    ],
    `${PLAIN}Your message to ${account} was rejected:\r\n${words}`,
  );
