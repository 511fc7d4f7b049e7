import type { FetchMessageObject, FetchQueryObject, ImapFlow, Logger, MailboxObject, MessageAddressObject, MessageEnvelopeObject, MessageStructureObject } from 'imapflow';
import type { Email } from 'postal-mime';

export type { FetchMessageObject, FetchQueryObject, ImapFlow, Logger, MailboxObject, MessageAddressObject, MessageEnvelopeObject, MessageStructureObject, Email };

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
/** The SMTP client and its pool. */
export const smtpLibrary = async () => await import('nodemailer');
/** The builder of MIME messages. */
export const composerLibrary = async () => (await import('nodemailer/lib/mail-composer')).default;
/** The parser for messages that the server could not take apart. */
export const parserLibrary = async () => await import('postal-mime');
/** One bare SMTP connection, to ask a server what it can do. */
export const smtpConnectionLibrary = async () => (await import('nodemailer/lib/smtp-connection')).default;
