import { codeAndWords } from '../../../notSent.js';

/** A failure of the system, or of one of the mail libraries, whose sentences speak of their own workings. */
interface Failure {
  code?: string | undefined;
  message?: string | undefined;
}

const GONE = new Set([
  'ECONNRESET',
  'EPIPE',
  'ECONNECTION',
  'NoConnection',
  'EConnectionClosed',
  'StateLogout',
  'ClosedAfterConnectText',
  'ClosedAfterConnectTLS',
]);
const NO_WAY = new Set(['EHOSTUNREACH', 'ENETUNREACH', 'EHOSTDOWN', 'ENETDOWN', 'EADDRNOTAVAIL']);
/** What the libraries call a server that does not follow the protocol. */
const NOT_IMAP = new Set([
  'LiteralTooLarge',
  'LineTooLarge',
  'ResponseTooLarge',
  'TooManyTokens',
  'TooManyResponses',
  'ParserError',
  'ParserErrorExchange',
  'ParserErrorInternal',
  'ResponseProcessingFailed',
  'InvalidResponse',
  'UnexpectedTag',
  'MAX_IMAP_NESTING_REACHED',
  'STARTTLS_INJECTION',
  'COMPRESS_TRAILING_DATA',
]);
export const isNotImap = (code: string | undefined): boolean => code !== undefined && NOT_IMAP.has(code);

/**
 * One sentence on why a server gave no answer. `where` names it ("IMAP at host:port"), `host` is as the account names
 * it.
 */
export function noAnswer(where: string, host: string, { code: told, message = '' }: Failure): string {
  // nodemailer hides the system's code behind one of its own and leaves it in the message.
  const code =
    /\bE(?:CONNREFUSED|CONNRESET|NOTFOUND|HOSTUNREACH|NETUNREACH|TIMEDOUT|PIPE|AI_AGAIN)\b/.exec(message)?.[0] ??
    told ??
    '';
  switch (true) {
    case code === 'ENOTFOUND' || code === 'EAI_AGAIN':
      return `The name ${host} was not found (${code}).`;
    case code === 'ECONNREFUSED':
      return `${where} refuses connections (${code}).`;
    case NO_WAY.has(code):
      return `There is no way to ${where} (${code}).`;
    case code === 'GREETING_TIMEOUT' || (code === 'ETIMEDOUT' && /greeting/i.test(message)):
      return `${where} took the connection, but sent no greeting in time. Check the port and the security.`;
    // nodemailer's word for a session that nothing came over for long.
    case code === 'ETIMEOUT' || (code === 'ETIMEDOUT' && message === 'Timeout'):
      return `${where} went silent.`;
    case code === 'CONNECT_TIMEOUT' || code === 'ETIMEDOUT':
      return `${where} took no connection in time.`;
    case code === 'UPGRADE_TIMEOUT':
      return `${where} did not begin TLS in time. Check the port and the security.`;
    case GONE.has(code):
      return `${where} closed the connection${/^E[A-Z]+$/.test(code) ? ` (${code})` : ''}.`;
    default:
      return `${where} did not answer: ${codeAndWords({ ...(code ? { code } : {}), message }, ', ')}.`;
  }
}
