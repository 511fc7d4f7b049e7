// What a server can take (EHLO), and what it is told before a message (MAIL FROM and RCPT TO).

/** What the answer to EHLO says (RFC 5321 section 4.1.1.1); `size` is the largest message in bytes (RFC 1870). */
export interface ServerExtensions {
  pipelining: boolean;
  smtputf8: boolean;
  eightBit: boolean;
  dsn: boolean;
  sizes: boolean;
  size?: number;
  /** The ways of logging in, in the order the server has them. */
  auth: string[];
}

export function extensionsIn(said: string): ServerExtensions {
  // The first line is the server's name, whatever that is.
  const list = said.replace(/^.*\n?/, '');
  const auth = /^250[ -]AUTH[ =](.*)/im.exec(list)?.[1] ?? '';
  const size = Number(/^250[ -]SIZE (\d+)/im.exec(list)?.[1]);
  const has = (word: string) => new RegExp(`^250[ -]${word}(?: |$)`, 'im').test(list);
  return {
    pipelining: has('PIPELINING'),
    smtputf8: has('SMTPUTF8'),
    eightBit: has('8BITMIME'),
    dsn: has('DSN'),
    sizes: has('SIZE'),
    auth: auth.toUpperCase().split(/\s+/).filter(Boolean),
    ...(size ? { size } : {}),
  };
}

/**
 * From whom, to whom, and what the server is told beforehand. `utf8`: an address in it or in the headers is
 * international (RFC 6531). `notify` and `id` ask for notifications (RFC 3461). Addresses are checked before.
 */
export interface Envelope {
  from: string;
  to: readonly string[];
  size?: number;
  utf8?: boolean;
  eightBit?: boolean;
  notify?: readonly string[];
  id?: string;
}

/** The commands of an envelope, with the parameters that the server knows. */
export function commandsOf(envelope: Envelope, can: ServerExtensions): { mail: string; rcpt: string[] } {
  const { from, to, size, utf8, eightBit, notify, id } = envelope;
  let mail = `MAIL FROM:<${from}>`;
  let notifyParameter = '';
  if (utf8 && can.smtputf8) mail += ' SMTPUTF8';
  if (eightBit && can.eightBit) mail += ' BODY=8BITMIME';
  if (size && can.sizes) mail += ` SIZE=${size}`;
  if (notify?.length && can.dsn) {
    mail += ' RET=HDRS';
    if (id && xtext(id).length <= LONGEST_ID) mail += ` ENVID=${xtext(id)}`;
    notifyParameter = ` NOTIFY=${notify.join(',').toUpperCase()}`;
  }
  return { mail, rcpt: to.map(address => `RCPT TO:<${address}>${notifyParameter}`) };
}

/** RFC 3461 section 4.4, in characters after `xtext`. */
const LONGEST_ID = 100;
/** RFC 3461 section 4. */
const xtext = (value: string) =>
  value.replace(/[^!-*,-<>-~]/g, c =>
    [...Buffer.from(c)].map(byte => `+${byte.toString(16).toUpperCase().padStart(2, '0')}`).join(''),
  );
