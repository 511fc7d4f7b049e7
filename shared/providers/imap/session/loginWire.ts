import { tlsFacts } from '../../../tlsFacts.js';
import type { Talk } from '../../../wireTalk.js';

/** The command that begins a login, with its way if it is one (RFC 4954 section 4, RFC 5804 section 2.1, RFC 4422). */
const BEGINS = /^AUTH(?:ENTICATE)?(?=\s|$)(?: "?[\w-]{1,20}"?(?=\s|$))?/i;
/** A longer line is passed on in pieces, in bytes. */
const LONGEST_LINE = 8 * 1024;
/** What ends a login: an answer of SMTP that asks for nothing more, and one of ManageSieve. */
const ANSWERS = { SMTP: /^(?!334)[2-5]\d\d(?:[ -]|\s*$)/, Sieve: /^(?:OK|NO|BYE)\b/i } as const;

/**
 * Passes on what goes and comes while a login may be under way. Nothing of what it carries is passed on, nor of what
 * the server asks for in between.
 */
export class LoginWire {
  #secret = false;
  #line = '';

  constructor(
    private readonly talk: Talk,
    private readonly protocol: keyof typeof ANSWERS,
  ) {}

  /** A whole command, or what answers the server, with its line end; `socket` is what it goes over. */
  sent(bytes: Buffer, socket: object | undefined): void {
    const { talk } = this;
    talk.tls = tlsFacts(socket) ?? talk.tls;
    const begin = BEGINS.exec(bytes.toString('latin1', 0, 100))?.[0];
    if (begin !== undefined) {
      this.#secret = true;
      talk.say(
        'client',
        bytes.toString('latin1').trimEnd().length > begin.length ? `${begin} ***\r\n` : `${begin}\r\n`,
      );
    } else talk.say('client', this.#secret ? '***\r\n' : bytes);
  }

  came(bytes: Buffer): void {
    this.#line += bytes.toString('latin1');
    for (let end = this.#line.indexOf('\n') + 1; end; end = this.#line.indexOf('\n') + 1) {
      this.#pass(this.#line.slice(0, end));
      this.#line = this.#line.slice(end);
    }
    if (this.#line.length > LONGEST_LINE) {
      this.#pass(this.#line);
      this.#line = '';
    }
  }

  #pass(line: string): void {
    if (ANSWERS[this.protocol].test(line)) this.#secret = false;
    this.talk.say('server', this.#secret ? '***\r\n' : Buffer.from(line, 'latin1'));
  }
}
