import { unreadable, type HttpResponse } from '../http.js';
import { textOf } from '../decode.js';
import { excerpt } from '../excerpt.js';
import type { Context } from '../provider.js';
import type { Native } from '../vocabulary.js';

/** The answer as JSON. Throws `protocol` with a short, secret-free excerpt where it is none. */
export function parseJson(ctx: Pick<Context, 'provider' | 'operation' | 'hide'>, answer: HttpResponse): unknown {
  try {
    return JSON.parse(textOf(answer), safely);
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

/** A key that could reach an object's prototype is dropped, wherever it stands. */
const safely = (key: string, value: unknown) => key === '__proto__' ? undefined : value;
