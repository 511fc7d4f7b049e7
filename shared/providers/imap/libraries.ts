import type { FetchMessageObject, FetchQueryObject, ImapFlow, Logger } from 'imapflow';
import type { MailboxObject, MessageAddressObject, MessageEnvelopeObject, MessageStructureObject } from 'imapflow';

export type { FetchMessageObject, FetchQueryObject, ImapFlow, Logger };
export type { MailboxObject, MessageAddressObject, MessageEnvelopeObject, MessageStructureObject };

/*
 * The mail libraries are large and most accounts are HTTP: each is loaded by the first call that needs it. This is the only file that names
 * them, so that a bundler keeps them in a chunk of their own.
 */

/** What a bundler makes of an import copies the library's exports at each call, so they are kept. */
const once = <T>(load: () => Promise<T>) => { let loaded: Promise<T> | undefined; return () => loaded ??= load(); };

/** The IMAP client. */
export const imapLibrary = once(async () => await import('imapflow'));
/** What the IMAP client makes envelopes and structures with. */
export const imapToolsLibrary = once(async () => await import('imapflow/lib/tools.js'));
/** The builder of MIME messages. */
export const composerLibrary = once(async () => (await import('nodemailer/lib/mail-composer')).default);
/** The parser for messages that the server could not take apart. */
export const parserLibrary = once(async () => await import('postal-mime'));
/** One of the transfer encodings of MIME. */
export const quotedPrintableLibrary = once(async () => await import('nodemailer/lib/qp'));
/** The SMTP client: one connection. */
export const smtpConnectionLibrary = once(async () => (await import('nodemailer/lib/smtp-connection')).default);
