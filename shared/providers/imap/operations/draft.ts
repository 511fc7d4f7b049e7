import { isMailError, MailError } from '../../../errors.js';
import { choice, flag, text } from '../../../fields.js';
import { operation, type Context, type Operations } from '../../../provider.js';
import type { Address, Receipt } from '../../../vocabulary.js';
import { endpoint, settingsOf } from '../account/fields.js';
import { sameSpelling } from '../messages/answer.js';
import { inPlace, summaryOf } from '../messages/content.js';
import { bytesOf } from '../messages/download.js';
import { messageId, placeOf, validityOf, type Place } from '../messages/id.js';
import { addressesIn } from '../mime/address.js';
import { headerFields } from '../mime/decode.js';
import { opened, withFolder } from '../session/openFolder.js';
import { withImap } from '../session/imapPool.js';
import { offer } from '../session/submit.js';
import { append, expunge } from './change.js';
import { folderFor } from './folder.js';
import { addresses, BODY, ENVELOPE, sendInput, type Mail, type More } from './mailFields.js';
import { messageField, uidSearch } from './message.js';
import { bytesOf as bytesOfMail, isForeign, LARGEST_COPY, newMessageId, onWire, outgoing } from './outgoing.js';
import { refuse } from './headerChecks.js';
import { answerOf, flagged, forwardOf } from './reply.js';
import { blindCopies, checkAbilities, copiesOf, save, sentAs, type Sent } from './send.js';

/**
 * Which message a draft answers or passes on: kept in the draft, so that it is marked when the draft is sent, and left
 * out of what is sent.
 */
const BELONGS = { answers: 'X-Mailroom-Answers', forwards: 'X-Mailroom-Forwards' } as const;
/** What mail programs note in their drafts; it is nobody's business but theirs. */
const NOTES = new RegExp(
  '^(bcc|resent-bcc|x-mailroom-(answers|forwards)|x-mozilla-.*|x-evolution-.*|x-account-key|x-identity-key' +
    '|x-uniform-type-identifier|x-universally-unique-identifier|x-status|status|x-keywords|x-uid)$',
  'i',
);

interface Draft {
  mail: Mail;
  more: More;
  belongs?: keyof typeof BELONGS;
  message?: string | undefined;
}
/** What is kept of a draft that another one takes the place of; `gone` where it is no longer there. */
interface Earlier {
  place: Place;
  gone?: true;
  more: More;
}

/** The head of a message may be so long, in bytes; what else there is of it is not read. */
const LONGEST_HEAD = 256 * 1024;

/** The draft that is replaced: whom it answers, and what it notes of that. Throws `rejected` for what is no draft. */
async function earlierOf(ctx: Context, id: string): Promise<Earlier> {
  const place = placeOf(id, 'replaces');
  try {
    await checkDraft(ctx, place);
    const head = headerFields(await headOf(ctx, place));
    const valueOf = (name: string) => head.find(field => field.name.toLowerCase() === name)?.value.trim() ?? '';
    const ids = (name: string) => [...valueOf(name).matchAll(/<[^<>\s]+>/g)].map(([one]) => one);
    const notes = Object.values(BELONGS).flatMap(key => {
      const value = valueOf(key.toLowerCase()).replace(/\s+/g, '');
      return value ? [{ key, value }] : [];
    });
    const [inReplyTo] = ids('in-reply-to');
    return { place, more: { ...(inReplyTo ? { inReplyTo } : {}), references: ids('references'), notes } };
  } catch (error) {
    if (isMailError(error) && error.code === 'not_found') return { place, gone: true, more: {} };
    throw error;
  }
}

async function headOf(ctx: Context, place: Place): Promise<Buffer> {
  let head = Buffer.alloc(0);
  for await (const piece of bytesOf(ctx, place)) {
    head = Buffer.concat([head, piece]);
    if (head.length > LONGEST_HEAD || /\r?\n\r?\n/.test(head.toString('latin1'))) break;
  }
  return head.subarray(0, LONGEST_HEAD);
}

/** What became of the draft that was replaced. It is deleted only after the new one is stored. */
async function replaced(ctx: Context, earlier: Earlier): Promise<Record<string, unknown>> {
  if (earlier.gone) return { draftRemoved: false, draftError: 'The earlier draft is no longer there.' };
  return leave(ctx, earlier.place);
}

async function create(
  ctx: Context,
  { mail, more, belongs, message }: Draft,
  { folder, earlier }: { folder?: string | undefined; earlier?: Earlier | undefined },
): Promise<Receipt> {
  const { address } = settingsOf(ctx);
  const kept = belongs && message ? encodeURIComponent(message) : '';
  const out = outgoing({ ...mail, headers: mail.headers ?? [] }, address, {
    ...more,
    draft: true,
    ...(belongs && kept && kept.length < 800 ? { notes: [{ key: BELONGS[belongs], value: kept }] } : {}),
  });
  const bytes = bytesOfMail(out, true);
  await bytes.load();
  if (!bytes.whole) throw new MailError('invalid_input', `The draft is larger than ${LARGEST_COPY / 1048576} MB.`);
  const target = folder ?? earlier?.place.folder ?? (await withImap(ctx, client => folderFor(client, 'drafts')));
  if (!target)
    throw new MailError('not_found', 'This account has no folder for drafts; name the one to use.', {
      issues: [{ field: 'folder', message: 'Folder is required, because the account has none for drafts.' }],
    });
  const put = await append(ctx, target, Buffer.concat([blindCopies(out.bcc), bytes.whole]), ['\\Draft', '\\Seen']);
  const id = put.id ?? (await found(ctx, put.folder, `<${out.id}>`));
  const said = {
    folder: put.folder,
    messageId: `<${out.id}>`,
    from: out.from.email,
    to: out.everyone,
    ...(earlier ? await replaced(ctx, earlier) : {}),
  };
  return { ...(id ? { id } : {}), ...said, native: { ...put, ...said } };
}

/**
 * The id of a draft that was just stored, on servers that do not tell it (without UIDPLUS); undefined where it is not
 * found.
 */
async function found(ctx: Context, folder: string, name: string): Promise<string | undefined> {
  try {
    return await withImap(ctx, async client => {
      const mailbox = await opened(client, folder, { fresh: true });
      const uids = await uidSearch(client, [
        { type: 'ATOM', value: 'HEADER' },
        { type: 'ATOM', value: 'Message-ID' },
        { type: 'STRING', value: name },
      ]);
      const uid = uids.at(-1);
      return uid === undefined ? undefined : messageId({ folder, uidValidity: validityOf(mailbox), uid });
    });
  } catch {
    // It is stored all the same.
    return undefined;
  }
}

/** Drafts that are being sent now, so that two who send the same one do not both do it. */
const underWay = new Set<string>();

async function sendDraft(ctx: Context, id: string, saveToSent: 'automatic' | 'yes' | 'no'): Promise<Sent> {
  const key = `${settingsOf(ctx).key} ${id}`;
  const place = placeOf(id);
  endpoint(ctx, 'smtp');
  if (underWay.has(key)) throw new MailError('conflict', 'This draft is being sent already.');
  underWay.add(key);
  try {
    await checkDraft(ctx, place);
    const draft = prepared(await sourceOf(ctx, place), settingsOf(ctx).address);
    await checkAbilities(
      ctx,
      { foreign: [draft.from, ...draft.everyone].filter(isForeign), size: draft.bytes.length },
      undefined,
    );
    const result = await offer(
      ctx,
      draft.everyone,
      to => ({
        from: onWire(draft.from),
        to,
        utf8: [draft.from, ...draft.everyone].some(isForeign),
        size: draft.bytes.length,
        eightBit: draft.bytes.some(byte => byte > 127),
      }),
      async () => draft.bytes,
    );
    const saved = copiesOf(ctx, saveToSent)
      ? await save(ctx, draft.bytes, draft.bcc, result.outcome)
      : { savedToSent: false };
    const sent = sentAs(draft, result, saved);
    // Where it is not certain that it was sent, the draft stays: nobody else has it.
    const after = result.outcome === 'done' ? { ...(await leave(ctx, place)), ...(await markParent(ctx, draft)) } : {};
    return { ...sent, ...after, native: { ...sent.native, ...after } };
  } finally {
    underWay.delete(key);
  }
}

/** Only a draft is sent: mail that came from somebody must not go out again in their name. */
async function checkDraft(ctx: Context, place: Place): Promise<void> {
  const flags = await inPlace(
    ctx,
    place,
    async client => (await summaryOf(client, place, { uid: true, flags: true, size: true })).row.flags,
  );
  if (flags && [...flags].some(one => one.toLowerCase() === '\\draft')) return;
  const drafts = await withImap(ctx, client => folderFor(client, 'drafts'), { reads: true });
  if (drafts !== place.folder)
    throw new MailError(
      'rejected',
      'This message is no draft: it is neither marked as one nor in the folder for drafts.',
    );
}

async function sourceOf(ctx: Context, place: Place): Promise<Buffer> {
  const pieces: Buffer[] = [];
  let size = 0;
  for await (const piece of bytesOf(ctx, place)) {
    pieces.push(piece);
    if ((size += piece.length) > LARGEST_COPY)
      throw new MailError('rejected', `The draft is larger than ${LARGEST_COPY / 1048576} MB.`);
  }
  return Buffer.concat(pieces, size);
}

interface Prepared {
  id: string;
  from: string;
  everyone: string[];
  bcc: Address[];
  bytes: Buffer;
  answers?: string;
  forwards?: string;
}

/**
 * A draft as it goes out: dated now, with a name, without blind copies and notes. Throws `rejected` for addresses
 * nothing can be sent to.
 */
export function prepared(source: Buffer, own: string | undefined, now = new Date()): Prepared {
  const text = source.toString('latin1').replace(/\r\n|\n|\r/g, '\r\n');
  const end = text.indexOf('\r\n\r\n');
  const head = end < 0 ? text.replace(/(\r\n)*$/, '') : text.slice(0, end);
  const body = end < 0 ? '\r\n\r\n' : text.slice(end);
  const fields = headerFields(Buffer.from(`${head}\r\n\r\n`, 'latin1'));
  const valueOf = (name: string) => fields.find(field => field.name.toLowerCase() === name)?.value.trim() || undefined;
  const people = (name: string): Address[] =>
    fields
      .filter(field => field.name.toLowerCase() === name)
      .flatMap(({ value }) => addressesIn(value))
      .map(({ name: label, address }) => {
        if (!address)
          throw new MailError(
            'rejected',
            `The draft names "${label ?? ''}" in ${name}, which is no address. Correct it there first.`,
          );
        return { email: address, ...(label ? { name: label } : {}) };
      });
  const from = people('from')[0]?.email ?? own;
  const bcc = people('bcc');
  if (!from)
    return refuse([
      { field: 'message', message: 'The draft has no sender, and the user name of the account is no e-mail address.' },
    ]);
  const seen = new Set<string>();
  const everyone = [...people('to'), ...people('cc'), ...bcc]
    .filter(({ email }) => !seen.has(sameSpelling(email)) && seen.add(sameSpelling(email)))
    .map(({ email }) => onWire(email));
  if (!everyone.length) throw new MailError('rejected', 'The draft has no recipients yet.');
  const id = /<[^<>\s]+>/.exec(valueOf('message-id') ?? '')?.[0] ?? `<${newMessageId(from)}>`;
  const kept = head.split(/\r\n(?![ \t])/).filter(line => {
    const name = line.slice(0, Math.max(0, line.indexOf(':'))).trim();
    return name && !NOTES.test(name) && !/^date$/i.test(name) && (valueOf('message-id') || !/^message-id$/i.test(name));
  });
  const added = [
    `Date: ${now.toUTCString().replace('GMT', '+0000')}`,
    ...(valueOf('message-id') ? [] : [`Message-ID: ${id}`]),
    ...(valueOf('from') ? [] : [`From: ${from}`]),
  ];
  const place = (name: string) => {
    try {
      return decodeURIComponent(valueOf(name.toLowerCase())?.replace(/\s+/g, '') ?? '') || undefined;
    } catch {
      return undefined;
    }
  };
  const answers = place(BELONGS.answers);
  const forwards = place(BELONGS.forwards);
  return {
    id,
    from,
    everyone,
    bcc,
    bytes: Buffer.from([...added, ...kept].join('\r\n') + body, 'latin1'),
    ...(answers ? { answers } : {}),
    ...(forwards ? { forwards } : {}),
  };
}

/** Takes the draft away after it was sent. A failure does not undo the sending. */
async function leave(ctx: Context, place: Place): Promise<Record<string, unknown>> {
  try {
    await withFolder(
      ctx,
      place.folder,
      async (client, mailbox) => {
        if (validityOf(mailbox) === place.uidValidity) await expunge(client, String(place.uid));
      },
      { write: true },
    );
    return { draftRemoved: true };
  } catch (error) {
    return { draftRemoved: false, draftError: (error as Error).message };
  }
}

async function markParent(ctx: Context, { answers, forwards }: Prepared): Promise<Record<string, unknown>> {
  const mark = async (id: string, name: string) => {
    try {
      return await flagged(ctx, placeOf(id), name);
    } catch {
      return false;
    }
  };
  return {
    ...(answers ? { markedAnswered: await mark(answers, '\\Answered') } : {}),
    ...(forwards ? { markedForwarded: await mark(forwards, '$Forwarded') } : {}),
  };
}

const { saveToSent, notify: _notify, ...draftEnvelope } = ENVELOPE;

/** The operations on drafts. */
export const drafts = {
  'draft.create': operation({
    summary: 'Create a draft: a new mail, an answer or a forward',
    effect: 'write',
    docs: 'RFC 9051 section 2.3.2, RFC 6154',
    input: {
      kind: choice(
        'Kind',
        { new: 'New Mail', reply: 'Reply', replyAll: 'Reply to All', forward: 'Forward' },
        { default: 'new' },
      ),
      message: text('Message', {
        maxLength: 2000,
        ref: 'message',
        example: 'INBOX;UIDVALIDITY=1795198567;UID=47',
        help: 'The message that is answered or forwarded.',
      }),
      quote: flag('Quote', { default: true, help: 'Whether the text of an answered message is quoted below.' }),
      to: addresses('To'),
      cc: sendInput.cc,
      bcc: sendInput.bcc,
      subject: text('Subject', {
        maxLength: 2000,
        pattern: '^\\P{Cc}*$',
        help: 'Left empty, that of the message with Re or Fwd before it.',
      }),
      ...BODY,
      ...draftEnvelope,
      folder: text('Folder', {
        maxLength: 1000,
        pattern: '^\\P{Cc}+$',
        ref: 'folder',
        knownBy: 'path',
        help: 'Left empty, the folder for drafts.',
      }),
      replaces: text('Replaces', {
        maxLength: 2000,
        ref: 'message',
        example: 'Drafts;UIDVALIDITY=1795198567;UID=12',
        help: 'The draft to replace. It is deleted once the new one is stored. If it answers a message, so does the new one.',
      }),
    },
    run: async (ctx, { kind, message, quote, folder, replaces, ...mail }): Promise<Receipt> => {
      const earlier = replaces ? await earlierOf(ctx, replaces) : undefined;
      const where = { folder, earlier };
      if (kind === 'new') return create(ctx, { mail, more: earlier?.more ?? {} }, where);
      if (!message)
        return refuse([{ field: 'message', message: 'Message is required: it says what is answered or forwarded.' }]);
      const made =
        kind === 'forward'
          ? await forwardOf(ctx, placeOf(message), 'inline', mail)
          : await answerOf(ctx, placeOf(message), { replyAll: kind === 'replyAll', quote, automatic: false }, mail);
      const whole: Mail = {
        ...made.mail,
        ...(mail.subject === undefined ? {} : { subject: mail.subject }),
        ...(mail.to?.length ? { to: mail.to } : {}),
      };
      return create(
        ctx,
        { mail: whole, more: made.more, belongs: kind === 'forward' ? 'forwards' : 'answers', message },
        where,
      );
    },
  }),
  'draft.send': operation({
    summary: 'Send a draft',
    effect: 'write',
    docs: 'RFC 6409, RFC 5322 section 3.6.1',
    doubt: 'Where the server does not say whether it has the message, the draft stays and the outcome is unknown.',
    input: { ...messageField, saveToSent },
    run: (ctx, { message, saveToSent }): Promise<Sent> => sendDraft(ctx, message, saveToSent),
    preview: async (ctx, { message }) => {
      const place = placeOf(message);
      endpoint(ctx, 'smtp');
      await checkDraft(ctx, place);
      const { from, everyone } = prepared(await sourceOf(ctx, place), settingsOf(ctx).address);
      return { from, to: everyone };
    },
  }),
} satisfies Operations;
