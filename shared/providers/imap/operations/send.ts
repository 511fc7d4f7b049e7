import { MailError } from '../../../errors.js';
import { operation, type Context, type Operations } from '../../../provider.js';
import type { Address, Receipt } from '../../../vocabulary.js';
import { endpoint, settingsOf } from '../account/fields.js';
import { ONE_PIECE } from '../mime/compose.js';
import { withImap } from '../session/imapPool.js';
import { abilitiesOf } from '../session/smtpPool.js';
import { offer, type Offered } from '../session/submit.js';
import { append } from './change.js';
import { folderFor } from './folder.js';
import { sendInput, type Mail, type More } from './mailFields.js';
import { bytesOf, onWire, outgoing, type Outgoing } from './outgoing.js';

/**
 * What became of a mail: who took it and who did not, and where its copy is. `reason` says why the outcome is unknown.
 */
export interface Sent extends Receipt {
  messageId: string;
  from: string;
  accepted: string[];
  rejected: Offered['rejected'];
  reason?: string;
  savedToSent: boolean;
  sentFolder?: string;
  sentId?: string;
  sentError?: string;
}

/** Sends one mail, and says exactly what became of it. */
export async function send(ctx: Context, mail: Mail, more: More = {}): Promise<Sent> {
  const settings = settingsOf(ctx);
  endpoint(ctx, 'smtp');
  const out = outgoing(mail, settings.address, more);
  await checkAbilities(ctx, out, mail.notify);
  const copies = copiesOf(ctx, mail.saveToSent);
  // What is to be copied is made once and kept.
  const bytes = bytesOf(out, copies && !!settings.imap);
  const result = await offer(
    ctx,
    out.everyone,
    to => ({
      from: onWire(out.from.email),
      to,
      utf8: out.foreign.length > 0,
      eightBit: out.eightBit,
      ...(bytes.whole ? { size: bytes.whole.length } : {}),
      ...(mail.notify?.length ? { notify: mail.notify, id: out.id } : {}),
    }),
    bytes.load,
  );
  const saved = copies ? await save(ctx, settings.imap ? bytes.whole : undefined, out.bcc, result.outcome) : undefined;
  return sentAs({ id: `<${out.id}>`, from: out.from.email }, result, saved);
}

/** Who a mail would be from, and whom it would go to; with the checks that come before it is sent. */
export async function addressing(ctx: Context, mail: Mail, more: More = {}) {
  endpoint(ctx, 'smtp');
  const out = outgoing(mail, settingsOf(ctx).address, more);
  await checkAbilities(ctx, out, mail.notify);
  return {
    from: out.from.email,
    to: mail.to ?? [],
    ...(mail.cc?.length ? { cc: mail.cc } : {}),
    ...(mail.bcc?.length ? { bcc: mail.bcc } : {}),
    ...(mail.subject === undefined ? {} : { subject: mail.subject }),
  };
}

/** A receipt whose plain words stand beside the whole answer. */
export function sentAs(
  { id, from }: { id: string; from: string },
  result: Offered,
  saved: Saved = { savedToSent: false },
): Sent {
  const { accepted, rejected, tries, response, why, outcome } = result;
  const said = { messageId: id, from, accepted, rejected, ...(why ? { reason: why } : {}), ...saved };
  return { id, outcome, ...said, native: { ...said, tries, ...(response ? { response } : {}) } };
}

/** Whether a copy of what is sent goes into the Sent folder. */
export function copiesOf(ctx: Context, wish: Mail['saveToSent']): boolean {
  const { imap, savesSent } = settingsOf(ctx);
  return wish === 'yes' || (wish !== 'no' && !!imap && !savesSent);
}

/** Throws where the server says beforehand that it cannot take the mail. Asked only where it matters. */
export async function checkAbilities(
  ctx: Context,
  { foreign, size }: Pick<Outgoing, 'foreign' | 'size'>,
  notify: Mail['notify'],
): Promise<void> {
  if (!foreign.length && !notify?.length && size <= ONE_PIECE) return;
  const { host } = endpoint(ctx, 'smtp');
  const can = await abilitiesOf(ctx);
  // The library would send the raw bytes to any server, and the recipient would be lost on the way (RFC 6531 section
  // 3.1).
  if (foreign.length && !can.smtputf8)
    throw new MailError(
      'unsupported',
      `SMTP at ${host} cannot deliver to international addresses (${foreign.join(', ')}): it does not offer SMTPUTF8.`,
    );
  if (notify?.length && !can.dsn)
    throw new MailError('unsupported', `SMTP at ${host} does not offer delivery notifications (DSN).`);
  if (can.size && size > can.size)
    throw new MailError(
      'rejected',
      `The message is about ${size} bytes large; SMTP at ${host} takes ${can.size} at most.`,
    );
}

/** The header field that only our own copy has. */
export const blindCopies = (bcc: readonly Address[]): Buffer =>
  bcc.length ? Buffer.from(`Bcc: ${bcc.map(one => one.email).join(',\r\n ')}\r\n`) : Buffer.alloc(0);

/** What became of the copy in the Sent folder. */
type Saved = Pick<Sent, 'savedToSent' | 'sentFolder' | 'sentId' | 'sentError'>;

/**
 * Puts the bytes that were sent into the Sent folder, with the blind copies on top. A failure does not undo the
 * sending.
 */
export async function save(
  ctx: Context,
  bytes: Buffer | undefined,
  bcc: readonly Address[],
  outcome: Offered['outcome'],
): Promise<Saved> {
  if (outcome === 'unknown') return { savedToSent: false, sentError: 'It is not certain that the message was sent.' };
  if (!bytes)
    return { savedToSent: false, sentError: 'The message is too large to be copied, or the account has no IMAP side.' };
  try {
    const folder = await withImap(ctx, client => folderFor(client, 'sent'));
    if (!folder) return { savedToSent: false, sentError: 'The account has no folder for sent mail.' };
    const put = await append(ctx, folder, Buffer.concat([blindCopies(bcc), bytes]), ['\\Seen']);
    return { savedToSent: true, sentFolder: put.folder, ...(put.id ? { sentId: put.id } : {}) };
  } catch (error) {
    return { savedToSent: false, sentError: (error as Error).message };
  }
}

/** The operations that send. */
export const sending = {
  'message.send': operation({
    summary: 'Send a message',
    effect: 'write',
    docs: 'RFC 5321, RFC 5322, RFC 6409',
    doubt: 'A server may take a message and still not deliver it; what comes back later is a message of its own.',
    input: sendInput,
    run: (ctx, input): Promise<Sent> => send(ctx, input),
    preview: (ctx, input) => addressing(ctx, input),
  }),
} satisfies Operations;
