import { invalidField, MailError } from '../../../errors.js';
import type { Sieve } from './connection.js';
import { MOST_WORDS, refusalOf, SieveRefusal } from './refusal.js';
import { MOST_SCRIPT, textOf } from './wire.js';

/** A script as LISTSCRIPTS names it. */
export interface Listed {
  name: string;
  active: boolean;
}

/** The scripts of the account (RFC 5804 section 2.7). */
export async function listScripts(sieve: Sieve): Promise<Listed[]> {
  return (await sieve.command('LISTSCRIPTS')).lines.flatMap(([name, active]) => {
    const text = textOf(name);
    return text === undefined
      ? []
      : [{ name: text, active: typeof active === 'object' && 'atom' in active && active.atom === 'ACTIVE' }];
  });
}

/**
 * The text of a script. Throws `protocol` for one that is not UTF-8, because it could not be written back as it was
 * (RFC 5228 section 2.1).
 */
export async function readScript(sieve: Sieve, name: string): Promise<string> {
  const { lines } = await sieve.command('GETSCRIPT', name);
  const first = lines[0]?.[0];
  if (typeof first !== 'object' || !('string' in first))
    throw new MailError('protocol', `The Sieve server gave no text for the script "${name}".`);
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(first.string);
  } catch {
    throw new MailError('protocol', `The script "${name}" is not text in UTF-8, so it is left alone.`);
  }
}

const invalid = (message: string) => invalidField('text', message);

/** Has the server check a script. Throws `invalid_input` with the server's words for one it would refuse. */
export async function checkScript(sieve: Sieve, text: string): Promise<{ warnings?: string }> {
  if (text.includes('\0')) throw invalid('A script cannot hold the character NUL.');
  if (Buffer.byteLength(text) > MOST_SCRIPT) throw invalid(`The script has more than ${MOST_SCRIPT} bytes.`);
  // Section 1.7: a server that says no version checks while it stores.
  if (!sieve.capabilities.has('VERSION')) return {};
  try {
    const answer = await sieve.command('CHECKSCRIPT', Buffer.from(text));
    return answer.code === 'WARNINGS' ? { warnings: answer.text } : {};
  } catch (error) {
    throw scriptRefusal(error, sieve);
  }
}

/** Stores a script. The server keeps the old one where it refuses (section 2.6). */
export async function putScript(sieve: Sieve, name: string, text: string): Promise<void> {
  try {
    await sieve.command('PUTSCRIPT', name, Buffer.from(text));
  } catch (error) {
    throw scriptRefusal(error, sieve);
  }
}

/** NO without a code is the server's word on the script itself. */
function scriptRefusal(error: unknown, sieve: Sieve): unknown {
  if (!(error instanceof SieveRefusal) || error.answer.status !== 'NO' || error.answer.code) return error;
  const told = refusalOf(error, sieve.end);
  if (told.code !== 'rejected') return told;
  const words = (sieve.end.hide ?? String)(error.answer.text).trimEnd().slice(0, MOST_WORDS);
  return new MailError('invalid_input', `The server does not accept the script. ${words}`, {
    issues: [{ field: 'text', message: words }],
    cause: error,
  });
}
