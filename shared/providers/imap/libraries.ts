import type { FetchMessageObject, FetchQueryObject, ImapFlow, Logger } from 'imapflow';
import type addressparser from 'nodemailer/lib/addressparser';
import type iconv from 'iconv-lite';
import type { Libmime } from 'libmime';
import type { MailboxObject, MessageAddressObject, MessageEnvelopeObject, MessageStructureObject } from 'imapflow';

export type { FetchMessageObject, FetchQueryObject, ImapFlow, Logger };
export type { MailboxObject, MessageAddressObject, MessageEnvelopeObject, MessageStructureObject };

/*
 * The mail libraries are large and most accounts are HTTP: each is loaded by the first call that needs it. This is the
 * only file that names them, so that a bundler keeps them in a chunk of their own.
 */

/** What a bundler makes of an import copies the library's exports at each call, so they are kept. */
const once = <T>(load: () => Promise<T>) => {
  let loaded: Promise<T> | undefined;
  return () => (loaded ??= load());
};

/** What is needed in the middle of work that waits for nothing, as a row of an answer is read. */
interface DecodingTools {
  addressparser: typeof addressparser;
  Libmime: typeof Libmime;
  iconv: typeof iconv;
}
let tools: DecodingTools | undefined;
/**
 * Loads what `decodingTools` gives. The IMAP client brings it along; whoever decodes without a connection calls this
 * first.
 */
export const decodingLibraries = once(async () => {
  const [parser, mime, charsets] = await Promise.all([
    import('nodemailer/lib/addressparser'),
    import('libmime'),
    import('iconv-lite'),
  ]);
  tools = { addressparser: parser.default, Libmime: mime.default.Libmime, iconv: charsets.default };
});
/** The libraries that decode. Throws before `decodingLibraries` was awaited. */
export function decodingTools(): DecodingTools {
  if (!tools) throw new Error('The decoding libraries were not loaded.');
  return tools;
}

/** The IMAP client. */
export const imapLibrary = once(async () => {
  const [client] = await Promise.all([import('imapflow'), decodingLibraries()]);
  return client;
});
/** What the IMAP client makes envelopes and structures with. */
export const imapToolsLibrary = once(async () => await import('imapflow/lib/tools.js'));
/** The builder of MIME messages. */
export const composerLibrary = once(async () => (await import('nodemailer/lib/mail-composer')).default);
/** The splitter for messages that the server could not take apart. */
export const splitterLibrary = once(async () => {
  const [library] = await Promise.all([import('@zone-eu/mailsplit'), decodingLibraries()]);
  return library.default;
});
/** One of the transfer encodings of MIME. */
export const quotedPrintableLibrary = once(async () => await import('nodemailer/lib/qp'));
/** The SMTP client: one connection. */
export const smtpConnectionLibrary = once(async () => (await import('nodemailer/lib/smtp-connection')).default);
