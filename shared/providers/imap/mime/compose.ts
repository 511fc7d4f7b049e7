import { randomUUID } from 'node:crypto';
import type { Readable } from 'node:stream';
import type MailComposer from 'nodemailer/lib/mail-composer/index.js';
import type { SendMailOptions } from 'nodemailer';
import { composerLibrary, quotedPrintableLibrary } from '../libraries.js';
import { windowsLines } from './lineEnds.js';

type Node = ReturnType<MailComposer['compile']>;
type QuotedPrintable = Awaited<ReturnType<typeof quotedPrintableLibrary>>;

/**
 * Up to this many bytes a message is put together in one piece; the library's own way takes larger texts a slice at a
 * time. In bytes.
 */
export const ONE_PIECE = 1024 * 1024;

/**
 * The whole message. What stands in memory anyway is put together in one go, byte for byte as the library's six streams
 * would have it and in a quarter of the time; a message that reads a stream goes through them. Undefined when it turns
 * out to have more than `limit` bytes; rejects with what a file's stream threw.
 */
export async function composed(mail: SendMailOptions, limit: number): Promise<Buffer | undefined> {
  const node = await compile(mail);
  const qp = await quotedPrintableLibrary();
  if (!fits(node)) {
    const parts: Buffer[] = [];
    let size = 0;
    const lines = windowsLines();
    for await (const part of node.createReadStream()) {
      const made = lines(part as Buffer);
      if ((size += made.length) > limit) return undefined;
      parts.push(made);
    }
    return Buffer.concat(parts, size);
  }
  // A lone CR would reach the server as a line break too, so it is one in the copy as well (RFC 5321 section 2.3.8).
  const lines = windowsLines();
  const whole = lines(Buffer.from(pieces(node, qp).join('')));
  return lines.begins ? whole : Buffer.concat([whole, Buffer.from('\r\n')]);
}

/**
 * The message as a stream, for one whose files should not stand in memory. Its line ends are as its files have them:
 * whoever sends it makes them those of the wire. The library would do that with a piece of its own for each line, which
 * costs seconds where lines are short.
 */
export async function streamed(mail: SendMailOptions): Promise<Readable> {
  return (await compile(mail)).createReadStream() as Readable;
}

const compile = async (mail: SendMailOptions): Promise<Node> => {
  const Composer = await composerLibrary();
  return new Composer({
    ...mail,
    baseBoundary: randomUUID().replaceAll('-', '').slice(0, 16),
    disableFileAccess: true,
    disableUrlAccess: true,
  }).compile();
};

/** Whether nothing has to be read from a stream and all of it is small. */
function fits(node: Node): boolean {
  let size = 0;
  const look = (one: Node): boolean => {
    const { content } = one;
    // Bytes that are not encoded, those of a message within the message, need not be text.
    if (content && typeof content !== 'string' && !(Buffer.isBuffer(content) && one.getTransferEncoding() === 'base64'))
      return false;
    size += (content as string | Buffer | undefined)?.length ?? 0;
    return size <= ONE_PIECE && one.childNodes.every(look);
  };
  return look(node);
}

function pieces(node: Node, qp: QuotedPrintable): string[] {
  const encoding = node.getTransferEncoding();
  const content = node.content as string | Buffer | undefined;
  const parts = [node.buildHeaders(), '\r\n\r\n'];
  if (content) {
    parts.push(
      encoding === 'base64'
        ? Buffer.from(content)
            .toString('base64')
            .replace(/.{76}(?=.)/g, '$&\r\n')
        : encoding === 'quoted-printable'
          ? qp.wrap(qp.encode(content), 76)
          : String(content),
    );
  }
  if (node.multipart) {
    node.childNodes.forEach((child, i) =>
      parts.push(`${i ? '\r\n' : ''}--${String(node.boundary)}\r\n`, ...pieces(child, qp)),
    );
    parts.push(`\r\n--${String(node.boundary)}--\r\n`);
  }
  return parts;
}
