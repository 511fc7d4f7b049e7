import { refuse } from './cursor.js';

/** A folder name as it goes over the wire: modified UTF-7 (RFC 3501 5.1.3). */
export const encodeName = (name: string): string =>
  name.replace(/&|[^\x20-\x7e]+/g, run => {
    if (run === '&') return '&-';
    const utf16 = Buffer.from(run, 'utf16le').swap16();
    return `&${utf16.toString('base64').replaceAll('/', ',').replace(/=+$/, '')}-`;
  });

/**
 * The name behind modified UTF-7; refuses (BAD) what is not valid: raw 8-bit bytes, unfinished shifts, needless
 * encoding.
 */
export function decodeName(wire: string): string {
  if (/[^\x20-\x7e]/.test(wire))
    return refuse('BAD', 'Folder name has bytes outside of US-ASCII: modified UTF-7 expected');
  const name = wire.replace(/&([^-]*)(-?)/g, (_, shifted: string, end: string) => {
    if (!end || !/^[A-Za-z0-9+,]*$/.test(shifted)) return refuse('BAD', 'Folder name is not valid modified UTF-7');
    if (shifted === '') return '&';
    const bytes = Buffer.from(shifted.replaceAll(',', '/'), 'base64');
    if (bytes.length === 0 || bytes.length % 2) return refuse('BAD', 'Folder name is not valid modified UTF-7');
    return bytes.swap16().toString('utf16le');
  });
  if (encodeName(name) !== wire) return refuse('BAD', 'Folder name is not valid modified UTF-7');
  return name;
}

/** `*` matches anything, `%` anything but the separator; INBOX matches in any case (RFC 3501 6.3.8). */
export function nameMatcher(pattern: string, separator: string): (name: string) => boolean {
  const quote = (text: string) => text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
  const source = pattern
    .split(/([*%])/)
    .map(part => (part === '*' ? '.*' : part === '%' ? `[^${quote(separator)}]*` : quote(part)))
    .join('');
  const exact = new RegExp(`^${source}$`, 's');
  const loose = new RegExp(`^${source}$`, 'si');
  return name => (name === 'INBOX' ? loose.test(name) : exact.test(name));
}
