// Where a server cannot run two scripts together, Mailroom's rules stand in one marked block of the script that is
// active. Everything outside of the block stays as it is, byte for byte, also once the block is taken out again.
import { HEAD, readRules, writeRules, type Read, type Rules } from './rules.js';

const END = '# End of the rules of Mailroom.\r\n';

/**
 * A script with the place of the block: what stands before it, the block itself (empty where there is none) and what
 * stands behind.
 */
export interface Parts {
  before: string;
  block: string;
  behind: string;
}

/**
 * Finds the block of a script, or the place where one belongs: after the `require` that has to come first (RFC 5228
 * section 3.2).
 */
export function partsOf(text: string): Parts {
  const ends = text.indexOf(END);
  const start = ends < 0 ? text.indexOf(HEAD) : text.lastIndexOf(HEAD, ends);
  // A whole script of Mailroom's that somebody renamed is theirs now.
  if (start < 0 || (start === 0 && ends < 0)) {
    const at = endOfRequire(text);
    return { before: text.slice(0, at), block: '', behind: text.slice(at) };
  }
  const behind = ends < 0 ? text.length : ends + END.length;
  return { before: text.slice(0, start), block: text.slice(start, behind), behind: text.slice(behind) };
}

/** What a block says, as `readRules` has it; the lines are counted in the whole script. */
export function readBlock({ before, block }: Parts): Read {
  const read = readRules(block.endsWith(END) ? block.slice(0, -END.length) : block);
  const above = before.split('\n').length - 1;
  return 'edited' in read ? { edited: { ...read.edited, line: read.edited.line + above, above } } : read;
}

/** The script with these rules in its block; without a block where there are none. */
export function withBlock({ before, behind }: Parts, rules: Rules): { text: string; needs: string[] } {
  const { text, needs } = writeRules(rules);
  return hasAny(rules) ? { text: `${before}${text}${END}${behind}`, needs } : { text: before + behind, needs: [] };
}

const hasAny = ({ blockedSenders, blockedIps, allowedSenders, autoReply, forwarding, rules }: Rules): boolean =>
  [blockedSenders, blockedIps, allowedSenders, rules].some(one => one.length > 0) ||
  autoReply !== undefined ||
  forwarding !== undefined;

/** A blank, or a comment of either kind (RFC 5228 section 2.3). */
const BLANK = /(?:[ \t\r\n]|#[^\n]*\n|\/\*[^]*?\*\/)/y;
const REQUIRE =
  /require[ \t\r\n]*(?:"[^"]*"|\[[ \t\r\n]*"[^"]*"(?:[ \t\r\n]*,[ \t\r\n]*"[^"]*")*[ \t\r\n]*\])[ \t\r\n]*;/iy;

/** The end of the last `require` at the head of a script; 0 where it begins with something else. */
function endOfRequire(text: string): number {
  let end = 0;
  for (let at = 0; ;) {
    const blank = after(BLANK, text, at);
    const required = after(REQUIRE, text, at);
    if (required !== undefined) end = required;
    else if (blank === undefined) return end;
    at = required ?? blank!;
  }
}

/** Where a match at a place ends. */
function after(pattern: RegExp, text: string, at: number): number | undefined {
  pattern.lastIndex = at;
  return pattern.test(text) ? pattern.lastIndex : undefined;
}
