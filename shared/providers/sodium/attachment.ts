import { isMailError, MailError } from '../../errors.js';
import { text, type FileValue } from '../../fields.js';
import { exchangeStream, type HttpStream } from '../../http.js';
import { base, path } from '../../url.js';
import { operation, type Context, type Operations } from '../../provider.js';
import { explain, inMailbox, mailbox, tenant } from './api.js';
import { details, message, PAGES } from './message.js';

export const attachments = {
  'attachment.get': operation({
    summary: 'Download an attachment, also an inline image',
    effect: 'read',
    plain: true,
    docs: `${PAGES}/getmailboxmessageattachment.html`,
    orders: ['Get Attachment'],
    doubt:
      "The download is not documented to carry the file's name, so name and type come from the message, which is read first.",
    input: {
      tenant,
      mailbox,
      message,
      attachment: text('Attachment', {
        required: true,
        ref: 'attachment',
        help: 'The ID of the attachment, as the message lists it.',
      }),
    },
    async run(ctx, input): Promise<FileValue> {
      const url =
        base(ctx.account) + inMailbox(ctx, input) + path`/messages/${input.message}/attachments/${input.attachment}`;
      const known = (await details(ctx, input)).attachments?.find(one => one.id === input.attachment);
      if (known) {
        // No size: what providers give there counts their own wrapping too.
        return {
          name: fileName(known.name),
          type: known.type,
          ...(known.contentId ? { contentId: known.contentId } : {}),
          open: () => download(ctx, url, known.name),
        };
      }
      // Gmail names an attachment differently each time a message is read, and older names still work: only the
      // download itself can tell.
      const { headers, body } = await start(ctx, url);
      await body[Symbol.asyncIterator]().return?.();
      const name = fileName(/filename="?([^";]+)/i.exec(headers['content-disposition'] ?? '')?.[1] ?? '');
      return {
        name,
        type: headers['content-type']?.split(';')[0]?.trim() || 'application/octet-stream',
        open: () => download(ctx, url, name),
      };
    },
  }),
} satisfies Operations;

/** A name from a mail, fit to be a file's name: no folders, no control characters, never empty. */
const fileName = (name: string): string =>
  (name.split(/[\\/]/).pop() ?? '').replace(/\p{Cc}/gu, '').trim() || 'attachment';

const start = (ctx: Context, url: string): Promise<HttpStream> =>
  exchangeStream(ctx, { method: 'GET', url, headers: { accept: '*/*' } }, explain);

async function* download(ctx: Context, url: string, name: string): AsyncGenerator<Uint8Array> {
  const { body } = await start(ctx, url);
  let bytes = 0;
  try {
    for await (const part of body) {
      bytes += part.byteLength;
      yield part;
    }
  } catch (cause) {
    ctx.signal?.throwIfAborted();
    throw isMailError(cause)
      ? cause
      : new MailError('unavailable', `The download of "${name}" broke off after ${bytes} bytes.`, {
          provider: ctx.provider,
          operation: ctx.operation,
          cause,
        });
  }
}
