import {
  formatAddress,
  inspectMail,
  MailError,
  parseAddress,
  splitAddresses,
  type Address,
  type Attachment,
  type Client,
  type Field,
  type Fields,
  type FileValue,
} from '../../shared/index.js';
import type { Accounts } from '../accounts/store.js';
import { inputFrom, operationOf } from '../fields/tables.js';
import { safeName } from '../host/fileNames.js';
import { t } from '../host/text.js';
import type { Target } from '../operations/target.js';
import type { Values } from '../webview/messages.js';
import type { bodyFields } from './body.js';
import { attachmentOperation } from './mails.js';
import { beginningOf, fileIn } from './source.js';

// A message that is there as the beginning of one to be written: a draft that is opened again, a message sent again.

/** What the composer begins with. `attached`: files by their addresses, for each field. */
export interface Letter {
  values: Values;
  attached: Record<string, string[]>;
  notice?: string;
}

/** The head of a message is looked for in so many bytes of its beginning. */
const HEAD = 64 * 1024;

/**
 * Reads a message back into the fields of an operation that writes one; `own`: it is a draft, whose sender and address
 * for answers are those of whoever writes. Throws where it cannot be had whole.
 */
export async function letterOf(
  accounts: Pick<Accounts, 'open'>,
  target: Target,
  { fields, body, own }: { fields: Fields; body: ReturnType<typeof bodyFields>; own: boolean },
): Promise<Letter> {
  const { provider } = target.account;
  const client = await accounts.open(target.account.id);
  const more = operationOf(provider, 'message.get')?.input.include_body?.type === 'flag' ? { include_body: true } : {};
  const full = (await client.call('message.get', {
    ...inputFrom(provider, 'message.get', target.binding),
    ...more,
  })) as unknown as Values;
  checkWhole(full);
  const box = body.text ?? (body.made ? body.html : undefined);
  const values: Values = {
    ...(own || isOwn(target, full) ? { from: people([full.from])?.[0] } : {}),
    ...(own ? { replyTo: people(full.replyTo)?.[0] } : {}),
    to: people(full.to),
    cc: people(full.cc),
    bcc: people(await blindCopies(client, target)),
    subject: typeof full.subject === 'string' ? full.subject.replace(/\p{Cc}+/gu, ' ') : undefined,
    ...(box === undefined ? {} : { [box]: full.text }),
    ...(body.html === undefined || body.made ? {} : { [body.html]: full.html }),
  };
  const has = (name: string, value: unknown) => Object.hasOwn(fields, name) && value !== undefined && value !== '';
  const notice = noticeOf(full, fields, body);
  return {
    values: Object.fromEntries(Object.entries(values).filter(([name, value]) => has(name, value))),
    attached: attachedTo(full, fields),
    ...(notice ? { notice } : {}),
  };
}

/** What somebody could not see in the form, and should know before he sends it. */
function noticeOf(full: Values, fields: Fields, body: ReturnType<typeof bodyFields>): string {
  const html = typeof full.html === 'string' && full.html.trim() !== '';
  const files = Array.isArray(full.attachments) && full.attachments.length > 0;
  return [
    html && body.made ? t('The formatting of the message is not kept.') : '',
    html && body.html !== undefined && !body.made
      ? t('This message also has an HTML text, which most people see. It is under More.')
      : '',
    files && !isFiles(fields.attachments) ? t('The files of the message cannot be attached here.') : '',
  ]
    .filter(Boolean)
    .join(' ');
}
/** Whether a message is from somebody that the account names as its own. */
function isOwn({ account: { values } }: Target, { from }: Values): boolean {
  const email = (from as Partial<Address> | undefined)?.email?.toLowerCase();
  return (
    email !== undefined &&
    Object.values(values)
      .flat()
      .some(one => String(one).toLowerCase() === email)
  );
}

/** What was cut or could not be read would be lost with the next save. */
function checkWhole(full: Values): void {
  const native = full.native as Values | undefined;
  if (typeof full.error === 'string' && full.error) throw new MailError('unsupported', full.error);
  if (native?.textCut === true || native?.htmlCut === true)
    throw new MailError('unsupported', t('This message is too long to be changed here.'));
}

/** Addresses as they are typed; a list that is empty is not there. */
function people(value: unknown): string[] | undefined {
  const all = (Array.isArray(value) ? value : []).filter(Boolean) as Partial<Address>[];
  const found = all.flatMap(({ email, name }) => (email ? [written({ email, ...(name ? { name } : {}) })] : []));
  return found.length ? found : undefined;
}
/** An address with its name, in quotation marks only where it needs them (RFC 5322 section 3.2.3). */
export function written({ email, name = '' }: Address): string {
  const bare = name.replace(/[\p{Cc}\s]+/gu, ' ').trim();
  if (!bare || bare === email) return email;
  return /^[\p{L}\p{N} !#$%&'*+/=?^_`{|}~.-]+$/u.test(bare)
    ? `${bare} <${email}>`
    : formatAddress({ email, name: bare });
}

/** Whom only the source names. */
async function blindCopies(client: Client, { account: { provider }, binding }: Target): Promise<Address[]> {
  if (!operationOf(provider, 'message.source')) return [];
  const file = fileIn(await client.call('message.source', inputFrom(provider, 'message.source', binding)));
  if (!file) return [];
  const { headers } = await inspectMail((await beginningOf(file, HEAD)).bytes);
  return headers
    .filter(({ name }) => name.toLowerCase() === 'bcc')
    .flatMap(({ value }) => splitAddresses(value))
    .flatMap(one => parseAddress(one) ?? []);
}

/** The addresses of what a message carries, in the fields that take it. */
function attachedTo(full: Values, fields: Fields): Letter['attached'] {
  const attached: Letter['attached'] = {};
  const many = (name: string) => isFiles(fields[name]);
  for (const one of (Array.isArray(full.attachments) ? full.attachments : []) as Attachment[]) {
    const field = one.inline && one.contentId && many('inlineImages') ? 'inlineImages' : 'attachments';
    if (many(field)) (attached[field] ??= []).push(addressOf(one, String(full.id)));
  }
  return attached;
}
const isFiles = (field: Field | undefined): boolean => field?.type === 'list' && field.of.type === 'file';

/** The scheme of what is not a file of the user but a part of a message. */
const PART = 'mailroom-part:';

const addressOf = ({ id, name, type, size, sizeEstimated, contentId }: Attachment, message: string): string =>
  PART +
  new URLSearchParams({
    message,
    id,
    name: safeName(name || t('attachment')),
    type: type || 'application/octet-stream',
    // A size that is not exact is none to a message that is put together.
    ...(size === undefined || sizeEstimated ? {} : { size: String(size) }),
    ...(contentId ? { contentId } : {}),
  }).toString();

/** A part of a message as a file, which is fetched when it is read; undefined for any other address. */
export function partAt(accounts: Pick<Accounts, 'open'>, target: Target, address: string): FileValue | undefined {
  if (!address.startsWith(PART)) return undefined;
  const { account, binding } = target;
  const given = new URLSearchParams(address.slice(PART.length));
  const [id, message, size] = ['id', 'message', 'size'].map(key => given.get(key));
  const fetch = attachmentOperation(account.provider.operations);
  const contentId = given.get('contentId');
  return {
    name: given.get('name') ?? '',
    type: given.get('type') ?? '',
    ...(size === null || size === undefined ? {} : { size: Number(size) }),
    ...(contentId ? { contentId } : {}),
    async *open() {
      if (!fetch) return;
      const refs = { ...binding.refs, message: message ?? '', [fetch.ref]: id ?? '' };
      const client = await accounts.open(account.id);
      const input = inputFrom(account.provider, fetch.name, { ...binding, refs });
      const file = fileIn(await client.call(fetch.name, { ...input, [fetch.field]: id }));
      if (file) yield* file.open();
    },
  };
}
