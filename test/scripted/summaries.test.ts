import assert from 'node:assert/strict';
import { take, type Message } from '../../shared/index.js';
import { letter, type ScriptedMessage } from './mail.js';
import { idOf, withScript } from './with.js';

type Any = any;
const ANN = '(("Ann" NIL "ann" "a.test"))';
const DATE = '"Sat, 28 Nov 2026 10:00:00 +0000"';
const ME = '((NIL NIL "u0" "test.local"))';
const envelope = ({
  date = DATE,
  subject = '"m1"',
  from = ANN,
  sender = ANN,
  replyTo = ANN,
  to = ME,
  cc = 'NIL',
  id = '"<id1@a.test>"',
} = {}) => `(${date} ${subject} ${from} ${sender} ${replyTo} ${to} ${cc} NIL NIL ${id})`;
const text = '("TEXT" "PLAIN" ("CHARSET" "utf-8") NIL NIL "7BIT" 8 1 NIL NIL NIL NIL)';
const pdf = '("APPLICATION" "PDF" ("NAME" "a.pdf") NIL NIL "BASE64" 8 NIL ("ATTACHMENT" ("FILENAME" "a.pdf")) NIL NIL)';

/** `files` are undefined where it is open what of them can be told. */
interface Quirk {
  message: Partial<ScriptedMessage>;
  subject?: string | undefined;
  from?: string | undefined;
  files?: string[] | undefined;
  text?: boolean;
}
/** How servers tell of one message, which has a sender, a subject and a text that can be had all the same. */
const QUIRKS: Record<string, Quirk> = {
  // A local part that is a whole name, and no host: https://github.com/jstedfast/MailKit/issues/1393
  'a sender without a host': {
    message: { envelope: envelope({ from: '((NIL NIL "Mail Delivery System" ""))' }) },
    from: undefined,
  },
  // Empty lists where NIL is meant (ProtonMail's bridge): https://github.com/jonhoo/rust-imap/issues/166
  'empty lists of addresses': { message: { envelope: envelope({ sender: '()', replyTo: '()', cc: '()' }) } },
  // Mail.ru: https://github.com/pimalaya/himalaya/issues/649
  'no sender in one of its two places': { message: { envelope: envelope({ sender: 'NIL' }) } },
  // A name sent as a literal, over a line break: https://github.com/jstedfast/MailKit/issues/991
  'a name as a literal': { message: { envelope: envelope({ from: '(({3}\r\nAnn NIL "ann" "a.test"))' }) } },
  'a subject as a literal': { message: { envelope: envelope({ subject: '{2}\r\nm1' }) } },
  // RFC 3501 section 7.4.2: every field may be NIL.
  'no subject': { message: { envelope: envelope({ subject: 'NIL' }) }, subject: undefined },
  'no date (Yahoo, https://github.com/MailCore/mailcore2/issues/734)': {
    message: { envelope: envelope({ date: 'NIL' }) },
  },
  'no Message-ID': { message: { envelope: envelope({ id: 'NIL' }) } },
  'an empty Message-ID': { message: { envelope: envelope({ id: '""' }) } },
  // Letters of UTF-8 as they are: https://github.com/kisli/vmime/issues/317
  'a name in raw letters (online.no)': {
    message: { envelope: envelope({ from: '(("F\xc3\xa5 Ann" NIL "ann" "a.test"))' }) },
  },
  // RFC 3501 section 7.4.2: a group is told by rows without a host.
  'a group of recipients': {
    message: { envelope: envelope({ to: '((NIL NIL "friends" NIL)(NIL NIL "u0" "test.local")(NIL NIL NIL NIL))' }) },
  },
  'undisclosed recipients': {
    message: { envelope: envelope({ to: '((NIL NIL "undisclosed-recipients" NIL)(NIL NIL NIL NIL))' }) },
  },
  // Domino: https://github.com/jstedfast/MailKit/issues/1236
  'the date 00-Jan-0000': { message: { internalDate: '00-Jan-0000 00:00:00 +0000' } },
  // Day of one digit, padded with a blank (RFC 3501, date-day-fixed).
  'a day of one digit': { message: { internalDate: ' 3-Nov-2026 10:00:00 +0000' } },
  // In the form of a header: https://github.com/scanner/asimap/pull/458
  'a date as in a header': { message: { internalDate: 'Sat, 28 Nov 2026 10:00:00 +0000' } },
  // Mail.ru: https://github.com/kisli/vmime/issues/159. Such a structure is not trusted: the source says what the
  // message is made of.
  'a boundary that is NIL': { message: { structure: `(${text}${pdf} "MIXED" ("BOUNDARY" NIL))` } },
  'a multipart without its extension data': { message: { structure: `(${text}${pdf} "MIXED")` }, files: ['a.pdf'] },
  // Gmail: parts that are a type alone: https://github.com/jstedfast/MailKit/issues/371
  'multiparts without parts (Gmail)': {
    message: { structure: `(${text}("RELATED" NIL ("ATTACHMENT" NIL) NIL) "MIXED" ("BOUNDARY" "b") NIL NIL)` },
    files: undefined,
    text: false,
  },
  // A disposition that is a word: https://github.com/jstedfast/MailKit/issues/919
  'a disposition that is a word (Exchange)': {
    message: { structure: '("TEXT" "PLAIN" ("CHARSET" "utf-8") NIL NIL "7BIT" 8 1 NIL "inline" NIL NIL)' },
  },
  // Mail.ru: https://github.com/kisli/vmime/issues/213
  'empty parameters and a disposition with NIL (Mail.ru)': {
    message: {
      structure:
        `((${text.slice(1, -1).replace('NIL NIL NIL NIL', 'NIL ("inline" NIL) NIL NIL')})("IMAGE" "GIF" () "<a.gif>" NIL "BASE64" 8 NIL ("inline" NIL) NIL NIL) ` +
        '"RELATED" ("BOUNDARY" NIL))',
    },
    files: undefined,
    text: false,
  },
  // GMX: https://github.com/jstedfast/MailKit/issues/878
  'a multipart told as a leaf (GMX)': {
    message: {
      structure: `(("multipart" "related" ("boundary" "x") NIL NIL "7BIT" 400 ("boundary" "x") NIL NIL NIL)${text} "MIXED" ("BOUNDARY" "b") NIL NIL NIL)`,
    },
    files: undefined,
    text: false,
  },
  // Yandex: https://github.com/jstedfast/MailKit/issues/1861
  'a text without any number (Yandex)': {
    message: { structure: '("TEXT" "PLAIN" ("CHARSET" "utf-8") NIL NIL "7BIT")' },
    files: undefined,
    text: false,
  },
  'a text without the number of lines': {
    message: { structure: '("TEXT" "PLAIN" ("CHARSET" "utf-8") NIL NIL "7BIT" 8)' },
  },
  'lower case': { message: { structure: '("text" "plain" ("charset" "utf-8") nil nil "7bit" 8 1 nil nil nil nil)' } },
  'a size in quotes': {
    message: { structure: '("TEXT" "PLAIN" ("CHARSET" "utf-8") NIL NIL "7BIT" "8" "1" NIL NIL NIL NIL)' },
  },
  'no encoding': { message: { structure: '("TEXT" "PLAIN" ("CHARSET" "utf-8") NIL NIL NIL 8 1 NIL NIL NIL NIL)' } },
  // Seen on Cyrus 3.6: languages and a location stand behind.
  'a language and a location': {
    message: {
      structure: '("TEXT" "PLAIN" ("CHARSET" "utf-8") NIL NIL "7BIT" 8 1 NIL NIL ("en" "de") "http://a.test/")',
    },
  },
};

describe('IMAP transcripts: how a message is told', () => {
  for (const [name, { message, from = 'ann@a.test', ...quirk }] of Object.entries(QUIRKS)) {
    it(`${name}: it is listed and read, and so is the next one`, () =>
      withScript(
        '',
        async client => {
          const all = (await take(client.call('message.list', {}) as AsyncIterable<Message>)) as Any[];
          assert.deepEqual(
            all.map(one => one.id),
            [idOf(2), idOf(1)],
          );
          const read = (await client.call('message.get', { message: idOf(1) })) as Any;
          assert.deepEqual([read.subject, all[1].subject], 'subject' in quirk ? [undefined, undefined] : ['m1', 'm1']);
          if (name !== 'a sender without a host') assert.equal(read.from?.email, from);
          else assert.ok(!read.from || /@/.test(read.from.email), JSON.stringify(read.from));
          const files = 'files' in quirk ? quirk.files : [];
          if (files)
            assert.deepEqual(
              (read.attachments ?? []).map((file: Any) => file.name),
              files,
            );
          if (quirk.text !== false) assert.equal(read.text?.trim(), 'text 1');
          assert.equal(((await client.call('message.get', { message: idOf(2) })) as Any).text.trim(), 'text 2');
        },
        { messages: [letter(1, message), letter(2)] },
      ));
  }
});
