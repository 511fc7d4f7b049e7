import type { Guard } from './guards.js';

const talk = ['test/core/wireTalk.test.ts'];
const imap = ['test/providers/imapWire.test.ts'];
const login = ['test/providers/loginWire.test.ts'];
const mail = ['test/providers/mailWire.test.ts'];
const at = {
  talk: 'shared/wireTalk.ts',
  imap: 'shared/providers/imap/session/imapWire.ts',
  login: 'shared/providers/imap/session/loginWire.ts',
  observe: 'shared/providers/imap/session/observe.ts',
};

/** Of the wire of mail no more is kept than may be, nothing that is secret, and only where it was asked for. */
export const WIRE: readonly Guard[] = [
  { name: 'wire: the bound of a side', file: at.talk, tests: talk, guard: 'said.subarray(0, room)', without: 'said' },
  { name: 'wire: the bound of turns', file: at.talk, tests: talk, guard: 'this.#room[by] -= TURN;', without: '' },
  {
    name: 'wire: the bound of parts',
    file: at.talk,
    tests: talk,
    guard: 'if (turn.parts.length > MOST_PARTS) turn.parts = [Buffer.concat(turn.parts)];',
    without: '',
  },
  {
    name: 'wire: the end of what was cut',
    file: 'shared/wireText.ts',
    tests: talk,
    guard: 'text.slice(0, -NOT_SHOWN)',
    without: 'text',
  },
  {
    name: 'wire: the answer behind what is too long',
    file: at.talk,
    tests: talk,
    guard: 'Math.max(this.#room.server, this.#end.room)',
    without: 'Math.max(this.#room.server, 0)',
  },
  {
    name: 'wire: secrets in what is said',
    file: at.talk,
    tests: ['test/scripted/secrets.test.ts'],
    guard: "text: lined(without(said.toString('utf8'), this.hide))",
    without: "text: lined(said.toString('utf8'))",
  },
  {
    name: 'wire: what a login of IMAP carries',
    file: at.imap,
    tests: imap,
    guard: 'SECRET.test(command.name) ? masked(part, tag) : part',
    without: 'part',
  },
  {
    name: 'wire: literals of a login of IMAP',
    file: at.imap,
    tests: imap,
    guard: "if (!SECRET.test(command.name)) command.talk.say('client', part);",
    without: "command.talk.say('client', part);",
  },
  {
    name: 'wire: what IMAP asks for in a login',
    file: at.imap,
    tests: imap,
    guard: 'if (hidden) return;',
    without: '',
  },
  {
    name: 'wire: bytes of a literal that look like an answer',
    file: at.imap,
    tests: imap,
    guard: 'this.#toRead = literal;',
    without: '',
  },
  {
    name: 'wire: a literal that was refused',
    file: at.imap,
    tests: imap,
    guard: 'this.#toWrite = 0; } }',
    without: '} }',
  },
  {
    name: 'wire: rows that go to a FETCH',
    file: at.imap,
    tests: imap,
    guard: "? underWay.filter(({ name }) => name.endsWith('FETCH')) : []",
    without: '? [] : []',
  },
  {
    name: 'wire: listening to IMAP where it was asked for',
    file: at.observe,
    tests: imap,
    guard: 'ctx.wire ? listenToWire(client, end) : undefined',
    without: 'listenToWire(client, end)',
  },
  {
    name: 'wire: keeping SMTP and ManageSieve where it was asked for',
    file: at.observe,
    tests: mail,
    guard: 'ctx.observe && ctx.wire ? new Talk(end.hide ?? String) : undefined',
    without: 'new Talk(end.hide ?? String)',
  },
  {
    name: 'wire: what a login of SMTP carries',
    file: at.login,
    tests: login,
    guard: "this.#secret ? '***\\r\\n' : bytes",
    without: 'bytes',
  },
  {
    name: 'wire: what SMTP asks for in a login',
    file: at.login,
    tests: login,
    guard: "this.#secret ? '***\\r\\n' : Buffer.from(line, 'latin1')",
    without: "Buffer.from(line, 'latin1')",
  },
  {
    name: 'wire: the end of a login',
    file: at.login,
    tests: login,
    guard: 'if (ANSWERS[this.protocol].test(line)) this.#secret = false;',
    without: '',
  },
  {
    name: 'wire: certificates of sessions that go on',
    file: 'shared/dispatcher.ts',
    tests: ['test/core/wire.test.ts'],
    guard: '!newest.has(origin) || !(socket as Partial<TLSSocket>).isSessionReused?.()',
    without: 'true',
  },
];
