import { splitName } from '../../shared/index.js';

/** `rsMailbox` -> `Rs Mailbox`, with the words that have a spelling of their own. */
export function title(name: string): string {
  if (Object.hasOwn(WHOLE, name)) return WHOLE[name]!;
  const words = name
    .replace(/([a-z])([A-Z])/g, '$1 $2')
    .split(/[ _]+/)
    .filter(Boolean);
  return words.map(word => SPELLED[word.toLowerCase()] ?? word[0]!.toUpperCase() + word.slice(1)).join(' ');
}
const SPELLED: Record<string, string> = {
  ip: 'IP',
  id: 'ID',
  url: 'URL',
  dns: 'DNS',
  rs: 'Rackspace',
  ews: 'EWS',
  html: 'HTML',
  oauth: 'OAuth',
};
const WHOLE: Record<string, string> = {
  blackBerry: 'BlackBerry',
  activeSync: 'ActiveSync',
  autoReply: 'Automatic Reply',
};

/** The name of a verb in a menu; n8n calls lists "Get Many". */
export const verbTitle = (verb: string) => (verb === 'list' ? 'Get Many' : title(verb));

/** What stands in n8n's list of actions: "Restore a mailbox". Sentence case, no full stop, nothing but what is done. */
export function actionOf(operation: string, summary: string): string {
  const [, verb] = splitName(operation);
  const text = summary
    .replace(/\.$/, '')
    .replace(/[;:].*$|, (?:else|newest|the one|with OAuth|such as|in their order)\b.*$/s, '');
  return verb === 'list' && !/^Get many/i.test(text) ? `Get many ${text.replace(LISTING, '')}` : text;
}
const LISTING = /^List (?:or search )?(?:the )?/;

/** The same where vendors word it each in their own way: "Delete a mailbox". */
export function sharedActionOf(operation: string): string {
  const [resource, verb] = splitName(operation);
  const thing = title(resource).replace(/\b[A-Z][a-z]/g, letters => letters.toLowerCase());
  if (verb === 'list') return `Get many ${thing}${/(?:s|x|ch)$/.test(thing) ? 'es' : 's'}`;
  return `${PHRASES[verb] ?? verbTitle(verb)} ${/^[aeio]/i.test(thing) ? 'an' : 'a'} ${thing}`;
}
const PHRASES: Record<string, string> = { append: 'Store', reply: 'Reply to', source: 'Download the source of' };

/**
 * What a resource is at a vendor, from the summary of what lists or gets it: "Exchange mailboxes of a domain".
 * Undefined where its title says as much.
 */
export function subjectOf(resource: string, summary: string): string | undefined {
  const subject = summary
    .replace(LISTING, '')
    .replace(/^Get (?:the |an? )?/, '')
    .replace(/,.*$/, '');
  const says = [resource, `${resource}s`, `${resource}es`].some(
    name => title(name).toLowerCase() === subject.toLowerCase(),
  );
  return subject === summary || says ? undefined : `${subject[0]!.toUpperCase()}${subject.slice(1)}`;
}

/** A description as n8n wants it: no full stop after a single sentence, one after several, nothing at either end. */
export function describe(text: string | undefined): string | undefined {
  const trimmed =
    text === undefined
      ? undefined
      : inWords(text.trim().replace(/\s+/g, ' ')).replace(/(?<![\w.<{-])id(s?)(?![\w=-])/g, 'ID$1');
  if (!trimmed) return undefined;
  const bare = trimmed.replace(/\.$/, '');
  return /\.\s/.test(bare) ? `${bare}.` : bare;
}

/**
 * "message.list" in a sentence of the tables becomes what the form calls it: "Get Many of Message". Addresses, which
 * hold an @ or a slash, stay.
 */
export const inWords = (text: string): string =>
  text.replace(
    /(?<![\w@/.-])([a-z][A-Za-z]+)\.(list|get|create|update|delete|send|add|check)(?![\w.@/-])/g,
    (_, resource: string, verb: string) => `${verbTitle(verb)} of ${title(resource)}`,
  );
/** An operation as the form calls it: "Mailbox, Get Many". */
export function operationTitle(operation: string): string {
  if (!operation.includes('.')) return title(operation);
  const [resource, verb] = splitName(operation);
  return `${title(resource)}, ${verbTitle(verb)}`;
}

/**
 * A filter by yes or no: what the form calls it, and both its answers. A switch would mean its opposite as soon as it
 * is added.
 */
export interface EitherOr {
  label: string;
  yes: string;
  no?: string;
}
/** By the name of the field; other flags of lists say how to list, and stay switches. */
export const EITHER_OR: Readonly<Record<string, EitherOr>> = {
  seen: { label: 'Read Status', yes: 'Read', no: 'Unread' },
  unseen: { label: 'Read Status', yes: 'Unread' },
  flagged: { label: 'Starred', yes: 'Starred', no: 'Not Starred' },
  answered: { label: 'Answered', yes: 'Answered', no: 'Not Answered' },
  hasAttachment: { label: 'Attachments', yes: 'With Attachments', no: 'Without Attachments' },
  enabled: { label: 'State', yes: 'Enabled', no: 'Disabled' },
  locked: { label: 'Locked', yes: 'Locked', no: 'Not Locked' },
  active: { label: 'State', yes: 'Active', no: 'Inactive' },
};
