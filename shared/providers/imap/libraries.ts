import type { FetchMessageObject, FetchQueryObject, ImapFlow, Logger, MailboxObject, MessageStructureObject } from 'imapflow';
import type { Email } from 'postal-mime';

export type { FetchMessageObject, FetchQueryObject, ImapFlow, Logger, MailboxObject, MessageStructureObject, Email };

/*
 * The mail libraries are large and most accounts are HTTP: each is loaded by the first call that needs it. This is the only file that names
 * them, so that a bundler keeps them in a chunk of their own.
 */

/** The IMAP client. */
export const imapLibrary = async () => await import('imapflow');
// The bundler copies a library's names anew at every import, and this one is wanted for each command.
let tools: ReturnType<typeof loadTools> | undefined;
const loadTools = async () => await import('imapflow/lib/tools.js');
/** What the IMAP client makes envelopes and structures with. */
export const imapToolsLibrary = () => tools ??= loadTools();
/** The builder of MIME messages. */
export const composerLibrary = async () => (await import('nodemailer/lib/mail-composer')).default;
/** The parser for messages that the server could not take apart. */
export const parserLibrary = async () => await import('postal-mime');
/** One of the transfer encodings of MIME. */
export const quotedPrintableLibrary = async () => await import('nodemailer/lib/qp');
/** The SMTP client: one connection. */
export const smtpConnectionLibrary = async () => (await import('nodemailer/lib/smtp-connection')).default;
