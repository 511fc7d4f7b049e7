import { letter } from '../corpus.js';

/*
 * Scripts, messages and what becomes of them: the same table is put to the embedded server
 * (`test/sandbox/sieve.test.ts`) and to Pigeonhole and Cyrus (`test/e2e/mail/sieveCases.test.ts`). Nobody here decides
 * what is right.
 */

/** A message to a user. `subject` names it where it is looked for. */
export interface Mailed {
  subject: string;
  from?: string;
  to?: string;
  headers?: Record<string, string>;
  text?: string;
  date?: Date;
}
/**
 * Where messages lie by folder, as `subject` or `subject (\Seen \Flagged)`; to whom something was sent, in any order.
 */
export interface Became {
  folders: Readonly<Record<string, readonly string[]>>;
  sent?: readonly string[];
}
export interface Case {
  name: string;
  /** What becomes of it on a server that does something else; the embedded one does as Pigeonhole does. */
  cyrus?: Became;
  /** `USER` stands for the address of the user. */
  script: string;
  mails: readonly Mailed[];
  became: Became;
}

/** The folders that the scripts of the table file into. A server makes them before. */
export const FOLDERS = ['One', 'Two', 'Jünk'];
/** The sender of the envelope, always. */
export const SENDER = 'sender@gen.test.local';

/** The message of a case as it is delivered. */
export const bytesOf = ({ subject, from, to, headers, text, date }: Mailed, user: string): Buffer =>
  letter({
    subject,
    to: to?.replaceAll('USER', user) ?? user,
    ...(from === undefined ? {} : { from }),
    ...(headers ? { headers } : {}),
    ...(text === undefined ? {} : { text }),
    ...(date ? { date } : {}),
  });

/** How a message with flags is told. */
export const marked = (subject: string, flags: Iterable<string>): string => {
  const told = [...flags].filter(one => one !== '\\Recent').sort();
  return subject + (told.length ? ` (${told.join(' ')})` : '');
};
/** The same whatever order folders, flags and recipients are told in. */
export const tidy = ({ folders, sent = [] }: Became): Became => ({
  folders: Object.fromEntries(
    Object.entries(folders)
      .filter(([, all]) => all.length)
      .sort()
      .map(([name, all]) => [name, all.map(one => one.trim()).sort()]),
  ),
  sent: [...sent].sort(),
});

const file = (test: string, more = '') => `require ["fileinto"${more}];\r\nif ${test} { fileinto "One"; }\r\n`;
/** Which of the messages a test holds for. */
const tested = (name: string, test: string, mails: readonly Mailed[], yes: readonly string[], more = ''): Case => ({
  name,
  script: file(test, more),
  mails,
  became: { folders: { One: yes, INBOX: mails.map(({ subject }) => subject).filter(one => !yes.includes(one)) } },
});
const subjects = (...all: string[]): Mailed[] => all.map(subject => ({ subject }));
const from = (subject: string, sender: string): Mailed => ({ subject, from: sender });

export const CASES: readonly Case[] = [
  { name: 'no command keeps', script: '# nothing\r\n', mails: subjects('a'), became: { folders: { INBOX: ['a'] } } },
  tested(
    'header :is is about the whole value',
    'header :is "subject" "invoice"',
    subjects('Invoice', 'Invoice 7', ' invoice '),
    ['Invoice', ' invoice '],
  ),
  tested(
    'header :contains, in any letters',
    'header :contains "SUBJECT" ["rechnung", "INVOICE"]',
    subjects('Your invoice 7', 'Order', 'RECHNUNGEN'),
    ['Your invoice 7', 'RECHNUNGEN'],
  ),
  tested(
    'letters beyond ASCII have one case each',
    'header :contains "subject" "grüße"',
    subjects('Viele Grüße', 'VIELE GRÜSSE', 'VIELE GRÜßE'),
    ['Viele Grüße'],
  ),
  tested('header :matches with its signs', 'header :matches "subject" "*a?c*"', subjects('abc', 'xxabcxx', 'ac'), [
    'abc',
    'xxabcxx',
  ]),
  tested(
    'header :matches takes signs at their word behind a backslash',
    'header :matches "subject" "100 \\\\* \\\\?*"',
    subjects('100 * ? of', '100 x y', '100 * ?'),
    ['100 * ? of', '100 * ?'],
  ),
  tested(
    'one of several headers',
    'header :contains ["to", "cc"] "team@"',
    [{ subject: 'a', headers: { Cc: 'The Team <team@one.example>' } }, { subject: 'b' }],
    ['a'],
  ),
  tested(
    'folded and encoded headers',
    'header :contains "x-long" "one two"',
    [
      { subject: 'a', headers: { 'X-Long': 'one\r\n two' } },
      { subject: 'b', headers: { 'X-Long': '=?utf-8?q?one_two?=' } },
    ],
    ['a', 'b'],
  ),
  tested(
    'exists asks for all of them',
    'exists ["x-a", "x-b"]',
    [
      { subject: 'a', headers: { 'X-A': '1' } },
      { subject: 'b', headers: { 'X-A': '1', 'X-B': '2' } },
    ],
    ['b'],
  ),
  tested(
    'an empty key is contained in each value there is',
    'header :contains "x-a" ""',
    [{ subject: 'a', headers: { 'X-A': '1' } }, { subject: 'b' }],
    ['a'],
  ),
  tested(
    'address :all :is',
    'address :all :is ["from", "sender"] "bad@one.example"',
    [
      from('a', 'Bad <BAD@one.example>'),
      from('b', '"bad@one.example" <good@one.example>'),
      { subject: 'c', headers: { Sender: 'bad@one.example' } },
      from('d', 'bad@one.example.com'),
    ],
    ['a', 'c'],
  ),
  tested(
    'address :domain :is is about the whole domain',
    'address :domain :is "from" "two.example"',
    [from('a', 'x@two.example'), from('b', 'x@a.two.example'), from('c', 'two.example@one.example')],
    ['a'],
  ),
  tested(
    'address :domain :matches',
    'address :domain :matches "from" "*.two.example"',
    [from('a', 'x@two.example'), from('b', 'x@a.two.example')],
    ['b'],
  ),
  tested(
    'address :localpart',
    'address :localpart :is "from" "shop"',
    [from('a', 'SHOP@one.example'), from('b', 'shop2@one.example')],
    ['a'],
  ),
  tested('envelope', `envelope :all :is "from" "${SENDER}"`, [from('a', 'x@one.example')], ['a'], ', "envelope"'),
  tested(
    'envelope :domain',
    'envelope :domain :is "from" "one.example"',
    [from('a', 'x@one.example')],
    [],
    ', "envelope"',
  ),
  tested('size :over', 'size :over 5K', [{ subject: 'a', text: 'x'.repeat(9_000) }, { subject: 'b' }], ['a']),
  tested('size :under', 'size :under 5K', [{ subject: 'a', text: 'x'.repeat(9_000) }, { subject: 'b' }], ['b']),
  tested(
    'not, allof, anyof',
    'allof (not header :contains "subject" "no", anyof (header :contains "subject" "a", header :contains "subject" "b"))',
    subjects('a', 'b', 'c', 'a no'),
    ['a', 'b'],
  ),
  tested('true and false', 'anyof (false, not true)', subjects('a'), []),
  tested(
    'a time that has begun',
    'currentdate :zone "+0000" :value "ge" "iso8601" "2020-01-01T00:00:00"',
    subjects('a'),
    ['a'],
    ', "date", "relational"',
  ),
  tested(
    'a time that has not',
    'currentdate :zone "+0000" :value "ge" "iso8601" "2099-01-01T00:00:00"',
    subjects('a'),
    [],
    ', "date", "relational"',
  ),
  tested(
    'a time that is over',
    'allof (currentdate :zone "+0000" :value "ge" "iso8601" "2019-01-01T00:00:00", currentdate :zone "+0000" :value "lt" "iso8601" "2020-01-01T00:00:00")',
    subjects('a'),
    [],
    ', "date", "relational"',
  ),
  tested(
    'the date of a message',
    'date :zone "+0000" :is "date" "date" "2024-02-29"',
    [
      { subject: 'a', date: new Date('2024-02-29T23:30:00Z') },
      { subject: 'b', date: new Date('2024-03-01T00:30:00Z') },
    ],
    ['a'],
    ', "date"',
  ),
  tested(
    'numbers by their size',
    'header :value "gt" :comparator "i;ascii-numeric" "x-score" "9"',
    [
      { subject: 'a', headers: { 'X-Score': '10' } },
      { subject: 'b', headers: { 'X-Score': '9' } },
    ],
    ['a'],
    ', "relational", "comparator-i;ascii-numeric"',
  ),
  {
    name: 'if, elsif, else: the first that holds',
    mails: subjects('a', 'ab', 'b', 'c'),
    became: { folders: { One: ['a', 'ab'], Two: ['b'], INBOX: ['c (\\Seen)'] } },
    script:
      'require ["fileinto", "imap4flags"];\r\nif header :contains "subject" "a" { fileinto "One"; }\r\nelsif header :contains "subject" "b" { fileinto "Two"; }\r\nelse { addflag "\\\\Seen"; }\r\n',
  },
  {
    name: 'stop ends all, and what was filed stays filed',
    mails: subjects('a'),
    script: 'require "fileinto";\r\nfileinto "One";\r\nstop;\r\nfileinto "Two";\r\n',
    became: { folders: { One: ['a'] } },
  },
  {
    name: 'stop alone keeps',
    mails: subjects('a'),
    script: 'require "fileinto";\r\nstop;\r\nfileinto "One";\r\n',
    became: { folders: { INBOX: ['a'] } },
  },
  {
    name: 'discard',
    mails: subjects('a', 'b'),
    script: 'if header :is "subject" "a" { discard; }\r\n',
    became: { folders: { INBOX: ['b'] } },
  },
  {
    name: 'discard and fileinto: it is filed',
    mails: subjects('a'),
    script: 'require "fileinto";\r\ndiscard;\r\nfileinto "One";\r\n',
    became: { folders: { One: ['a'] } },
  },
  {
    name: 'fileinto twice is once',
    mails: subjects('a'),
    script: 'require "fileinto";\r\nfileinto "One";\r\nfileinto "One";\r\n',
    became: { folders: { One: ['a'] } },
  },
  {
    name: 'fileinto :copy keeps as well',
    mails: subjects('a'),
    script: 'require ["fileinto", "copy"];\r\nfileinto :copy "One";\r\n',
    became: { folders: { One: ['a'], INBOX: ['a'] } },
  },
  {
    name: 'fileinto into two, and keep',
    mails: subjects('a'),
    script: 'require "fileinto";\r\nfileinto "One";\r\nfileinto "Two";\r\nkeep;\r\n',
    became: { folders: { One: ['a'], Two: ['a'], INBOX: ['a'] } },
  },
  {
    name: 'fileinto :create makes a folder',
    mails: subjects('a'),
    script: 'require ["fileinto", "mailbox"];\r\nfileinto :create "New";\r\n',
    became: { folders: { New: ['a'] } },
  },
  {
    name: 'a folder with letters beyond ASCII',
    mails: subjects('a'),
    script: 'require "fileinto";\r\nfileinto "Jünk";\r\n',
    became: { folders: { Jünk: ['a'] } },
    // Cyrus wants names in modified UTF-7, unless sieve_utf8fileinto says otherwise
    // (https://www.cyrusimap.org/imap/reference/manpages/configs/imapd.conf.html).
    cyrus: { folders: { INBOX: ['a ($SieveFailed)'] } },
  },
  {
    name: 'flags go with what is filed behind them',
    mails: subjects('a'),
    became: { folders: { One: ['a'], Two: ['a (\\Flagged)'], INBOX: ['a (\\Flagged \\Seen)'] } },
    script:
      'require ["fileinto", "imap4flags"];\r\nfileinto "One";\r\naddflag "\\\\Flagged";\r\nfileinto "Two";\r\naddflag "\\\\Seen";\r\nkeep;\r\n',
  },
  {
    name: 'flags set, taken away and asked for',
    mails: subjects('a'),
    became: { folders: { One: ['a (\\Flagged)'] } },
    script:
      'require ["fileinto", "imap4flags"];\r\nsetflag ["\\\\Seen", "\\\\Flagged"];\r\nremoveflag "\\\\Seen";\r\nif hasflag "\\\\Flagged" { fileinto "One"; }\r\n',
  },
  {
    name: 'redirect goes away, redirect :copy stays',
    mails: subjects('a', 'b'),
    became: { folders: { INBOX: ['b'] }, sent: ['away@elsewhere.example', 'copy@elsewhere.example'] },
    script:
      'require "copy";\r\nif header :is "subject" "a" { redirect "away@elsewhere.example"; } else { redirect :copy "copy@elsewhere.example"; }\r\n',
  },
  {
    name: 'redirect to two, and filed',
    mails: subjects('a'),
    became: { folders: { One: ['a'] }, sent: ['x@elsewhere.example', 'y@elsewhere.example'] },
    script:
      'require ["copy", "fileinto"];\r\nredirect :copy "x@elsewhere.example";\r\nredirect :copy "y@elsewhere.example";\r\nfileinto "One";\r\n',
  },
  {
    name: 'redirect :copy and discard',
    mails: subjects('a'),
    became: { folders: {}, sent: ['x@elsewhere.example'] },
    script: 'require "copy";\r\nredirect :copy "x@elsewhere.example";\r\ndiscard;\r\n',
  },
  {
    name: 'vacation answers a sender once, and keeps',
    mails: subjects('a', 'b'),
    became: { folders: { INBOX: ['a', 'b'] }, sent: [SENDER] },
    script: 'require "vacation";\r\nvacation :days 7 :addresses "USER" "Away.";\r\n',
  },
  {
    name: 'vacation does not answer lists, machines and mail to others',
    became: { folders: { INBOX: ['a', 'b', 'c', 'd'] }, sent: [] },
    script: 'require "vacation";\r\nvacation :days 7 :addresses "USER" "Away.";\r\n',
    mails: [
      { subject: 'a', headers: { 'List-Id': 'News <news.example>' } },
      { subject: 'b', headers: { 'Auto-Submitted': 'auto-generated' } },
      { subject: 'c', headers: { Precedence: 'bulk' } },
      { subject: 'd', to: 'somebody@one.example' },
    ],
  },
  {
    name: 'vacation answers mail to another address of the user',
    mails: [{ subject: 'a', to: 'Info <INFO@one.example>' }],
    became: { folders: { INBOX: ['a'] }, sent: [SENDER] },
    script: 'require "vacation";\r\nvacation :days 7 :addresses ["USER", "info@one.example"] "Away.";\r\n',
  },
  {
    name: 'vacation and fileinto',
    mails: subjects('a'),
    became: { folders: { One: ['a'] }, sent: [SENDER] },
    script: 'require ["vacation", "fileinto"];\r\nvacation :days 7 :addresses "USER" "Away.";\r\nfileinto "One";\r\n',
  },
  {
    name: 'stop before vacation',
    mails: subjects('a'),
    became: { folders: { INBOX: ['a'] }, sent: [] },
    script: 'require "vacation";\r\nstop;\r\nvacation :days 7 :addresses "USER" "Away.";\r\n',
  },
  {
    name: 'reject tells the sender and keeps nothing',
    mails: subjects('a', 'b'),
    became: { folders: { INBOX: ['b'] }, sent: [SENDER] },
    script: 'require "reject";\r\nif header :is "subject" "a" { reject "Not here."; }\r\n',
  },
  {
    name: 'reject behind a redirect with a copy',
    mails: subjects('a'),
    became: { folders: { INBOX: ['a'] }, sent: [] },
    cyrus: { folders: { INBOX: ['a ($SieveFailed)'] } },
    script: 'require ["reject", "copy"];\r\nredirect :copy "x@elsewhere.example";\r\nreject "Not here.";\r\n',
  },
  {
    name: 'reject behind a vacation',
    mails: subjects('a'),
    became: { folders: { INBOX: ['a'] }, sent: [] },
    cyrus: { folders: { INBOX: ['a ($SieveFailed)'] } },
    script: 'require ["reject", "vacation"];\r\nvacation :days 7 :addresses "USER" "Away.";\r\nreject "Not here.";\r\n',
  },
  {
    name: 'reject behind a flag',
    mails: subjects('a'),
    became: { folders: {}, sent: [SENDER] },
    script: 'require ["reject", "imap4flags"];\r\naddflag "\\\\Seen";\r\nreject "Not here.";\r\n',
  },
  {
    name: 'comments, escapes and texts of lines',
    mails: subjects('say "x"'),
    became: { folders: { One: ['say "x"'] }, sent: [SENDER] },
    script:
      'require /* a "b" */ ["fileinto", "vacation"]; # end\r\nif header :contains "subject" "\\"x\\"" { # {\r\n  fileinto "One";\r\n}\r\nvacation :days 7 :addresses "USER" text: # so\r\nAway.\r\n..\r\n.\r\n;\r\n',
  },
];
