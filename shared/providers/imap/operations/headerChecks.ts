import { MailError, type Issue } from '../../../errors.js';
import type { FileValue } from '../../../fields.js';

/** Throws what is wrong with an input, all of it at once. */
export const refuse = (issues: Issue[]): never => {
  throw new MailError('invalid_input', issues.map(issue => issue.message).join(' '), { issues });
};

/** Fields that have a place of their own, or that make a message what it is. */
const RESERVED = new RegExp(
  '^(from|sender|to|cc|bcc|subject|date|message-id|in-reply-to|references|reply-to|mime-version|content-.*|return-path' +
    '|received|dkim-signature|list-unsubscribe.*|resent-.*|apparently-to)$',
  'i',
);

/** Headers that a person gives as lines, in their two halves. */
export function ownHeaders(lines: readonly string[] | undefined): { key: string; value: string }[] {
  return (lines ?? []).map((line, i) => {
    const found = /^([!-9;-~]{1,76})\s*:[ \t]*(\S.*)$/u.exec(line);
    if (!found)
      return refuse([{ field: 'headers', message: `Headers entry ${i + 1} must have the form Name: value.` }]);
    const [, key, value] = found as unknown as [string, string, string];
    if (/\p{Cc}/u.test(value.replace(/\t/g, ' ')))
      return refuse([{ field: 'headers', message: `Headers entry ${i + 1} must not contain control characters.` }]);
    if (RESERVED.test(key))
      return refuse([
        {
          field: 'headers',
          message: `The header ${key} cannot be set this way; it has a field of its own or belongs to the message's structure.`,
        },
      ]);
    if (TOO_LONG.test(value)) return refuse([{ field: 'headers', message: `Headers entry ${i + 1} ${TOO_LONG_SAID}` }]);
    return { key, value };
  });
}

/**
 * What cannot be folded has to fit into a line of 998 characters (RFC 5322 section 2.1.1); other letters than ASCII are
 * encoded, and so can be.
 */
export const TOO_LONG = /[!-~]{900}/;
export const TOO_LONG_SAID = 'has 900 characters or more without a space, which no line of a header can hold.';

/** Names and types come from anywhere, and stand in headers too. */
export function checkFiles(field: string, label: string, files: readonly FileValue[] | undefined): Issue[] {
  return (files ?? []).flatMap((one, i) =>
    [one.name, one.type, one.contentId ?? ''].some(value => /\p{Cc}/u.test(value))
      ? [
          {
            field,
            message: `${label} entry ${i + 1} has a line break or another control character in its name, type or content id.`,
          },
        ]
      : [],
  );
}
