import { list, text, type Values } from '../../../fields.js';
import type { MessageAddressObject, MessageEnvelopeObject } from '../libraries.js';
import type { ImapMessage } from '../messages/content.js';

const several = (label: string, of: string, help: string) =>
  list(label, text(of, { minLength: 1, maxLength: 500 }), { maxItems: 50, group: 'Filters', help });

/**
 * What messages may be chosen by at every event: words of the envelope and of the text, wanted or not. Case does not
 * count.
 */
export const wordFields = {
  from: text('From', { maxLength: 500, group: 'Filters', help: 'Only messages whose sender contains this.' }),
  to: text('To or Cc', {
    maxLength: 500,
    group: 'Filters',
    help: 'Only messages with a recipient (To, Cc or Bcc) that contains this.',
  }),
  subject: text('Subject', { maxLength: 500, group: 'Filters', help: 'Only messages whose subject contains this.' }),
  contains: text('Text Contains', {
    maxLength: 500,
    group: 'Filters',
    help: 'Only messages whose text contains this.',
  }),
  notFrom: several('Exclude From', 'Sender', 'Messages are left out whose sender contains one of these.'),
  notTo: several('Exclude To or Cc', 'Recipient', 'Messages are left out with a recipient that contains one of these.'),
  notSubject: several('Exclude Subject', 'Words', 'Messages are left out whose subject contains one of these.'),
  notContains: several('Exclude Text', 'Words', 'Messages are left out whose text contains one of these.'),
};
export type Words = Values<typeof wordFields>;

const has = (where: string | undefined, words: string): boolean =>
  (where ?? '').toLowerCase().includes(words.toLowerCase());
const hasAny = (where: string, words: readonly string[] | undefined): boolean => !!words?.some(one => has(where, one));

const people = (some: readonly (MessageAddressObject | undefined)[] | undefined): string =>
  (some ?? []).map(one => `${one?.name ?? ''} <${one?.address ?? ''}>`).join('\n');

/** Whether the envelope passes; one that the server cannot tell does, so that nothing is lost by it. */
export function passesEnvelope(words: Words, envelope: MessageEnvelopeObject | undefined): boolean {
  if (!envelope) return true;
  const from = people(envelope.from);
  const to = people([...(envelope.to ?? []), ...(envelope.cc ?? []), ...(envelope.bcc ?? [])]);
  return (
    (!words.from || has(from, words.from)) &&
    (!words.to || has(to, words.to)) &&
    (!words.subject || has(envelope.subject, words.subject)) &&
    !hasAny(from, words.notFrom) &&
    !hasAny(to, words.notTo) &&
    !hasAny(envelope.subject ?? '', words.notSubject)
  );
}

/** True where the text has to be read before it is known whether a message passes. */
export const asksForText = ({ contains, notContains }: Words): boolean => !!contains || !!notContains?.length;

/** Whether the text passes, as people read it; a message that could not be read passes. */
export const passesText = (
  { contains, notContains }: Words,
  { text = '', error }: Pick<ImapMessage, 'text' | 'error'>,
): boolean => error !== undefined || ((!contains || has(text, contains)) && !hasAny(text, notContains));
