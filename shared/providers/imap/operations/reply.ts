import { formatAddress, parseAddress } from '../../../address.js';
import { MailError } from '../../../errors.js';
import { choice, flag } from '../../../fields.js';
import { operation, type Context, type Operations } from '../../../provider.js';
import { endpoint, settingsOf } from '../account/fields.js';
import { addressedTo, answerTo, isOneOf, sameSpelling } from '../messages/answer.js';
import { partFile, sourceFile } from '../messages/download.js';
import { gone, messageId, placeOf, RESET, validityOf, type Place } from '../messages/id.js';
import { escaped } from './outgoing.js';
import { parentOf, type Parent } from '../messages/parent.js';
import { granted, withFolder } from '../session/openFolder.js';
import { addresses, BODY, ENVELOPE, type Mail, type More } from './mailFields.js';
import { messageField } from './message.js';
import { addressing, send, type Sent } from './send.js';

/** Sets a flag on the message that was answered or forwarded. Where that fails the mail is sent all the same. */
export async function flagged(ctx: Context, place: Place, name: string): Promise<boolean> {
  try {
    await withFolder(
      ctx,
      place.folder,
      async (client, mailbox) => {
        if (validityOf(mailbox) !== place.uidValidity) throw gone(messageId(place), RESET);
        await granted(client, client.messageFlagsAdd(String(place.uid), [name], { uid: true, silent: true }));
      },
      { write: true },
    );
    return true;
  } catch {
    return false;
  }
}

const prefixed = (prefix: string, subject: string) =>
  new RegExp(`^${prefix}:`, 'i').test(subject.trim()) ? subject.trim() : `${prefix}: ${subject.trim()}`;
/** So much of a text is quoted, and of an HTML text that is quoted as such; more is read by nobody. In characters. */
const LONGEST_QUOTED = 128 * 1024;
const LONGEST_QUOTED_HTML = 512 * 1024;
/**
 * A message with more words than this is passed on as a file, in characters of its text and its HTML together; so is
 * one with more files, each of which would be asked for by itself and stand ready in memory.
 */
const LONGEST_INLINE = 1024 * 1024;
const MOST_FILES = 100;

const UNREAD = '[The text of this message could not be read, so it is not quoted.]';
const MORE = '[The rest of this message is not quoted.]';
/** What is quoted of a text, and what is said below it. */
function quotable({ text = '', cut, error }: Parent): { text: string; below: string } {
  if (!text && error) return { text: UNREAD, below: '' };
  const some = text.slice(0, LONGEST_QUOTED).replace(/[\ud800-\udbff]$/, '');
  return { text: some, below: cut || some.length < text.length ? `\n\n${MORE}` : '' };
}
function quoted(parent: Parent): string {
  const { text, below } = quotable(parent);
  return (
    `${parent.from ? formatAddress(parent.from) : 'Someone'} wrote${parent.date ? ` on ${parent.date}` : ''}:\n` +
    text
      .split('\n')
      .map(line => (line.startsWith('>') ? `>${line}` : `> ${line}`))
      .join('\n') +
    below
  );
}
/** The same for an answer in HTML. */
function quotedHtml(parent: Parent): string {
  const { html } = parent;
  if (html !== undefined && html.length <= LONGEST_QUOTED_HTML)
    return html + (parent.cut === 'message' ? `<p>${MORE}</p>` : '');
  const { text, below } = quotable(parent);
  return `<pre>${escaped(text + below)}</pre>`;
}

/** A mail made from another, and what it says of that one. */
interface Made {
  mail: Mail;
  more: More;
}

/** The answer to a message. Throws `rejected` where nobody is to be answered. */
export async function answerOf(
  ctx: Context,
  place: Place,
  { replyAll, quote, automatic }: { replyAll: boolean; quote: boolean; automatic: boolean },
  mail: Mail,
): Promise<Made> {
  const parent = await parentOf(ctx, place, quote);
  if (automatic && parent.automatic)
    throw new MailError(
      'rejected',
      'The message is itself automatic or from a list, so no automatic answer is sent (RFC 3834 section 2).',
    );
  const { own } = settingsOf(ctx);
  const isOwn = isOneOf([
    ...own,
    ...parent.delivered,
    ...[mail.from, mail.replyTo].flatMap(one => (one ? parseAddress(one)!.email : [])),
  ]);
  const whom = answerTo(parent, isOwn, { all: replyAll, automatic });
  const already = new Set([...whom.to, ...whom.cc].map(one => sameSpelling(one.email)));
  const isNew = (written: string) => !already.has(sameSpelling(parseAddress(written)!.email));
  const from = mail.from ?? addressedTo(parent, own);
  const answer: Mail = {
    ...mail,
    ...(from ? { from } : {}),
    to: whom.to.map(formatAddress),
    cc: [...whom.cc.map(formatAddress), ...(mail.cc?.filter(isNew) ?? [])],
    subject: clean(prefixed('Re', parent.subject)),
    ...(quote ? { text: `${mail.text ?? ''}\n\n${quoted(parent)}` } : {}),
    ...(quote && mail.html
      ? { html: `${mail.html}<br><blockquote type="cite">${quotedHtml(parent)}</blockquote>` }
      : {}),
  };
  return {
    mail: answer,
    more: { ...(parent.id ? { inReplyTo: parent.id } : {}), references: parent.references, automatic },
  };
}

/** A message passed on: in the text with its files, or whole as one file. */
export async function forwardOf(ctx: Context, place: Place, as: 'inline' | 'attachment', mail: Mail): Promise<Made> {
  const parent = await parentOf(ctx, place, as === 'inline');
  const head = [
    '---------- Forwarded message ----------',
    ...(parent.from ? [`From: ${formatAddress(parent.from)}`] : []),
    ...(parent.date ? [`Date: ${parent.date}`] : []),
    `Subject: ${parent.subject}`,
    `To: ${parent.to.map(formatAddress).join(', ')}`,
  ];
  const why = whyWhole(parent);
  const whole = as === 'attachment' || why !== undefined;
  const files = whole
    ? [sourceFile(ctx, place, parent.size, 'forwarded.eml')]
    : parent
        .shape!.attachments.map(part => partFile(ctx, place, part))
        .map(one => ({
          ...one,
          name: clean(one.name),
          type: clean(one.type),
          ...(one.contentId ? { contentId: clean(one.contentId) } : {}),
        }));
  const html =
    mail.html ??
    (parent.html !== undefined && !whole ? `<p>${escaped(mail.text ?? '').replace(/\n/g, '<br>')}</p>` : undefined);
  const forward: Mail = {
    ...mail,
    subject: clean(prefixed('Fwd', parent.subject)),
    attachments: [...(mail.attachments ?? []), ...files],
    ...(whole
      ? as === 'inline'
        ? { text: `${mail.text ?? ''}\n\n${why}` }
        : {}
      : {
          text: `${mail.text ?? ''}\n\n${head.join('\n')}\n\n${parent.text ?? ''}${parent.cut ? `\n\n${MORE_IN_HTML}` : ''}`,
        }),
    ...(html === undefined || whole
      ? {}
      : {
          html: `${html}<br><p>${head.map(escaped).join('<br>')}</p>${parent.html ?? `<pre>${escaped(parent.text ?? '')}</pre>`}`,
        }),
  };
  return { mail: forward, more: { references: parent.references } };
}

/** Why a message cannot be passed on in the text; undefined where it can. */
function whyWhole({ text = '', html = '', cut, shape }: Parent): string | undefined {
  if (cut === 'message' || text.length + html.length > LONGEST_INLINE) return TOO_LONG;
  if (!shape) return UNREADABLE;
  return shape.attachments.length > MOST_FILES ? TOO_MANY : undefined;
}
const TOO_MANY = `[The forwarded message has more than ${MOST_FILES} files. It is attached as it came.]`;
const TOO_LONG = '[The forwarded message is too long to stand here. It is attached as it came.]';
const UNREADABLE = '[The text of the forwarded message could not be read. The message is attached as it came.]';
const MORE_IN_HTML = '[The rest of this text stands in the HTML of this message.]';

const marked = (sent: Sent, how: 'markedAnswered' | 'markedForwarded', done: boolean): Sent => ({
  ...sent,
  [how]: done,
  native: { ...sent.native, [how]: done },
});

/** The operations that answer and pass on. */
export const replying = {
  'message.reply': operation({
    summary: 'Reply to a message',
    effect: 'write',
    docs: 'RFC 5322 section 3.6.4, RFC 3834',
    input: {
      ...messageField,
      replyAll: flag('Reply to All', {
        default: false,
        help: 'Whether everyone who got the message gets the reply too.',
      }),
      quote: flag('Quote', { default: false, help: 'Whether the text of the message is quoted below the reply.' }),
      automatic: flag('Automatic Answer', {
        default: false,
        help: 'Whether the reply says that a program made it. Automatic and list mail is then not answered.',
      }),
      cc: addresses('Cc'),
      bcc: addresses('Bcc'),
      ...BODY,
      ...ENVELOPE,
    },
    run: async (ctx, { message, replyAll, quote, automatic, ...mail }): Promise<Sent> => {
      const place = placeOf(message);
      endpoint(ctx, 'smtp');
      const { mail: answer, more } = await answerOf(ctx, place, { replyAll, quote, automatic }, mail);
      const receipt = await send(ctx, answer, more);
      if (receipt.outcome === 'done') return marked(receipt, 'markedAnswered', await flagged(ctx, place, '\\Answered'));
      return receipt;
    },
    preview: async (ctx, { message, replyAll, quote, automatic, ...mail }) => {
      const made = await answerOf(ctx, placeOf(message), { replyAll, quote, automatic }, mail);
      return addressing(ctx, made.mail, made.more);
    },
  }),
  'message.forward': operation({
    summary: 'Forward a message',
    effect: 'write',
    docs: 'RFC 5322 section 3.6.4',
    input: {
      ...messageField,
      to: addresses('To'),
      cc: addresses('Cc'),
      bcc: addresses('Bcc'),
      as: choice(
        'Forward As',
        { inline: 'In the Text', attachment: 'As an Attachment' },
        { default: 'inline', help: 'In the text, with its attachments, or whole and unchanged as one attachment.' },
      ),
      ...BODY,
      ...ENVELOPE,
    },
    run: async (ctx, { message, as, ...mail }): Promise<Sent> => {
      const place = placeOf(message);
      endpoint(ctx, 'smtp');
      const { mail: forward, more } = await forwardOf(ctx, place, as, mail);
      const receipt = await send(ctx, forward, more);
      if (receipt.outcome === 'done')
        return marked(receipt, 'markedForwarded', await flagged(ctx, place, '$Forwarded'));
      return receipt;
    },
    preview: async (ctx, { message, as, ...mail }) => {
      const made = await forwardOf(ctx, placeOf(message), as, mail);
      return addressing(ctx, made.mail, made.more);
    },
  }),
} satisfies Operations;

/** What somebody else put into a header, fit to be sent again. */
const clean = (text: string) =>
  text
    .replace(/\p{Cc}+/gu, ' ')
    .replace(/[!-~]{800}/g, '$& ')
    .slice(0, 2000);
