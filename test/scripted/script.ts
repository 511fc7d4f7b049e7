/*
 * A script is a conversation as it goes over the wire, one line each:
 *
 *   S: * OK ready                      what the server says before it is asked: its greeting
 *   C: UID SEARCH …                    a command; … stands for anything, the tag is left out, case does not count
 *   S: * SEARCH                        what is answered, line by line; $ at the beginning stands for the tag of the
 *   command
 *   S: $ OK SEARCH completed.
 *   C 1x: NOOP                         answered in this way once, then the next line that fits has its turn
 *   C: UID FETCH <2> …                 a set that names 2, such as 1:3 or 2 or 1:*
 *
 * A command without a line that fits is answered as a plain server would. Instead of words an answer may be one of
 * these:
 *
 *   S: <regular>                       all that a plain server answers
 *   S: <regular rows>                  the same without the tagged line; <regular tag> is that line alone
 *   S: <regular without range>         the same as if the command had no <start.length>
 *   S: <expunge 2>                     the message with UID 2 is gone, and it is told; <remove 2> tells nothing
 *   S: <close>                         the connection is closed
 *   S: <drip>                          what a plain server answers, byte by byte, fifty a second; of SMTP, an answer
 *   without an end
 *   S: <read slowly>                   nothing is answered; what comes from now on is read a thousand bytes at a time
 *   (SMTP)
 *   S: <silence>                       nothing is answered, and the connection stays open
 *
 * `{500 bytes}` in an answer is a literal of so many bytes. \xNN is one byte.
 */

/** One command of a script and its answers. */
interface Step {
  fits: (command: string) => boolean;
  left: number;
  answers: string[];
}

/** What a script says to do next. */
export type Action =
  | { say: string }
  | {
      act:
        | 'regular'
        | 'regular rows'
        | 'regular tag'
        | 'regular without range'
        | 'close'
        | 'silence'
        | 'drip'
        | 'read slowly';
    }
  | { act: 'expunge' | 'remove'; uid: number };

/** A script that is being played. */
export interface Script {
  /** What the server says first; undefined where the script leaves that open. */
  greeting: string[] | undefined;
  /** The answers to a command without its tag; undefined where the script has none. */
  answersTo(command: string): Action[] | undefined;
}

/** True for numbers in a sequence set (RFC 9051 section 9); `*` is the largest there is. */
export function isIn(set: string, number: number, largest: number): boolean {
  return set.split(',').some(range => {
    const [a = 0, b = a] = range.split(':').map(end => (end === '*' ? largest : Number(end)));
    return number >= Math.min(a, b) && number <= Math.max(a, b);
  });
}

function matcher(pattern: string): (command: string) => boolean {
  const named = Number(/<(\d+)>/.exec(pattern)?.[1]);
  const source = pattern
    .split(/(…|<\d+>)/)
    .map((part, i) => (i % 2 ? (part === '…' ? '[^]*' : '([\\d:,*]+)') : part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')));
  const whole = new RegExp(`^${source.join('')}$`, 'i');
  return command => {
    const found = whole.exec(command);
    return !!found && (found[1] === undefined || isIn(found[1], named, Infinity));
  };
}

/** Reads a script. Throws an error that names the line it cannot read. */
export function readScript(text: string): Script {
  const greeting: string[] = [];
  const steps: Step[] = [];
  for (const line of text
    .split('\n')
    .map(line => line.trim())
    .filter(Boolean)) {
    const command = /^C(?: (\d+)x)?: (.+)$/.exec(line);
    const answer = /^S:(?: (.*))?$/.exec(line);
    if (command) steps.push({ fits: matcher(command[2]!), left: Number(command[1] ?? Infinity), answers: [] });
    else if (answer) (steps.at(-1)?.answers ?? greeting).push(answer[1] ?? '');
    else throw new Error(`This is no line of a script: ${line}`);
  }
  return {
    greeting: greeting.length ? greeting : undefined,
    answersTo(command) {
      const step = steps.find(one => one.left > 0 && one.fits(command));
      if (!step) return undefined;
      step.left--;
      return step.answers.map(actionOf);
    },
  };
}

function actionOf(answer: string): Action {
  const act = /^<(regular|regular rows|regular tag|regular without range|close|silence|drip|read slowly)>$/.exec(
    answer,
  )?.[1];
  if (act) return { act: act as 'regular' };
  const change = /^<(expunge|remove) (\d+)>$/.exec(answer);
  if (change) return { act: change[1] as 'expunge', uid: Number(change[2]) };
  return { say: answer };
}

/** The bytes of one line of an answer. */
export function wireBytes(line: string, tag = '*'): Buffer {
  const text = line
    .replace(/^\$/, tag)
    .replace(/\{(\d+) bytes\}/g, (_, size: string) => `{${size}}\r\n${'y'.repeat(Number(size))}`);
  const pieces = text.split(/\\x([0-9a-f]{2})/i);
  return Buffer.concat([
    ...pieces.map((piece, i) => (i % 2 ? Buffer.from([parseInt(piece, 16)]) : Buffer.from(piece))),
    Buffer.from('\r\n'),
  ]);
}
