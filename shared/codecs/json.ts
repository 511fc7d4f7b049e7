import { unreadable, type HttpResponse } from '../http.js';
import { textOf } from '../decode.js';
import { excerpt } from '../excerpt.js';
import type { Context } from '../provider.js';
import type { Native } from '../vocabulary.js';

/** The answer as JSON. Throws `protocol` with a short, secret-free excerpt where it is none. */
export function parseJson(ctx: Pick<Context, 'provider' | 'operation' | 'hide'>, answer: HttpResponse): unknown {
  try {
    return parseExactly(textOf(answer));
  } catch {
    const seen = excerpt(answer, ctx.hide);
    throw unreadable(ctx, answer, `with something that is not JSON${seen ? `: "${seen}"` : ' (an empty body)'}`);
  }
}

/** The answer as a JSON object. Throws `protocol` for anything else. */
export function parseObject(ctx: Pick<Context, 'provider' | 'operation' | 'hide'>, answer: HttpResponse): Native {
  const value = parseJson(ctx, answer);
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Native;
  throw unreadable(ctx, answer, `with ${Array.isArray(value) ? 'a list' : typeof value} where an object was expected`);
}

/**
 * JSON as it is written: a whole number that JavaScript cannot hold, such as an id beyond 2^53, is given as text with
 * all of its digits. Throws a `SyntaxError` for what is not JSON.
 */
export function parseExactly(text: string): unknown {
  // First, so that only well-formed JSON is looked through.
  const value = parseSafely(text);
  return LONG_NUMBER.test(text) ? parseSafely(withLongNumbersAsText(text)) : value;
}

/**
 * What every text with a number that loses digits has, and hardly another: ids of letters and digits, in their quotes,
 * are none.
 */
const LONG_NUMBER = /(?:^|[[:,])\s*-?(?:\d{16}|\d+(?:\.\d+)?[eE]\+?\d{3})/;
/** What every text with the dangerous key has: the key, or an ASCII letter that is escaped. */
const MAYBE_PROTO = /__proto__|\\u00[0-7]/i;

/** A look at each key makes the parser several times slower, so it is taken only where the dangerous one can be. */
const parseSafely = (text: string): unknown => (MAYBE_PROTO.test(text) ? JSON.parse(text, safely) : JSON.parse(text));

/**
 * Well-formed JSON with quotes around each number that would lose digits. Goes from token to token, since long texts
 * are too much for a pattern.
 */
function withLongNumbersAsText(text: string): string {
  const token = /"|-?\d[\d.eE+-]*/g;
  let out = '';
  let from = 0;
  for (let found = token.exec(text); found; found = token.exec(text)) {
    if (found[0] === '"') token.lastIndex = endOfText(text, found.index);
    else if (losesDigits(found[0])) {
      out += `${text.slice(from, found.index)}"${found[0]}"`;
      from = token.lastIndex;
    }
  }
  return out + text.slice(from);
}

/** The place after the quote that ends the text which begins at `start`. */
function endOfText(text: string, start: number): number {
  for (let at = text.indexOf('"', start + 1); at >= 0; at = text.indexOf('"', at + 1)) {
    let slashes = 0;
    while (text[at - 1 - slashes] === '\\') slashes++;
    if (slashes % 2 === 0) return at + 1;
  }
  return text.length;
}

/** Fractions are rounded everywhere; whole numbers are names, and what is too large for any number is no number. */
const losesDigits = (number: string) =>
  /^-?\d+$/.test(number) ? !Number.isSafeInteger(Number(number)) : !Number.isFinite(Number(number));

/** A key that could reach an object's prototype is dropped, wherever it stands. */
const safely = (key: string, value: unknown) => (key === '__proto__' ? undefined : value);
