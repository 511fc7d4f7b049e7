import { isMailError } from './errors.js';

/**
 * Takes secret values out of an error, in whatever spelling a vendor may have sent them back: from its message, its issues, its stack and its
 * causes. Values of fewer than four characters stay, since they would be found in any word.
 */
export function withoutSecrets(error: unknown, secrets: Iterable<string>): unknown {
  const spelled = [...secrets].filter(secret => secret.length > 3)
    .flatMap(secret => [
      secret, JSON.stringify(secret).slice(1, -1), encodeURIComponent(Buffer.from(secret).toString()),
      Buffer.from(secret).toString('base64'), Buffer.from(secret).toString('base64url'),
    ]);
  if (!spelled.length) return error;
  const hide = (text: string) => spelled.reduce((shown, secret) => shown.replaceAll(secret, '***'), text);
  for (let inner = error, depth = 0; inner instanceof Error && depth < 10; inner = inner.cause, depth++) {
    const { message, stack } = inner;
    if (hide(message) !== message) inner.message = hide(message);
    if (stack && hide(stack) !== stack) inner.stack = hide(stack);
    if (isMailError(inner)) for (const issue of inner.details.issues ?? []) issue.message = hide(issue.message);
  }
  return error;
}

/** Hides what looks like a key, password or token in a text that came from outside. */
export const redact = (text: string): string => text
  .replace(/((?:pass(?:word|wd)?|secret|token|key|signature|authorization)["']?\s*[:=]\s*["']?)[^"'\s,&<}]+/gi, '$1***')
  .replace(/\b(Bearer|Basic)\s+[\w.~+/=-]+/gi, '$1 ***')
  .replace(/[A-Za-z0-9+/_-]{32,}={0,2}/g, '***');
