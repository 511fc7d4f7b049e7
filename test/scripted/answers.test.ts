import assert from 'node:assert/strict';
import type { Receipt } from '../../shared/index.js';
import { closeConnections } from '../../shared/providers/imap/session/imapPool.js';
import { startImap } from './imap.js';
import { letter, type ScriptedMessage } from './mail.js';
import { startSmtp } from './smtp.js';
import { accountOf, idOf } from './with.js';

type Any = any;
const header = (...lines: string[]) =>
  `${['To: u0@test.local', 'Subject: m1', 'Message-ID: <id1@a.test>', ...lines].join('\r\n')}\r\n\r\n`;
const envelope = (from: string) =>
  `("Sat, 28 Nov 2026 10:00:00 +0000" "m1" ${from} ${from} ${from} ((NIL NIL "u0" "test.local")) NIL NIL NIL "<id1@a.test>")`;

/** Answers message 1 with its words quoted; what was sent, or why nothing was. */
async function answered(
  message: Partial<ScriptedMessage>,
  script = '',
): Promise<{ to: string[]; mail: string } | string> {
  const server = await startImap(script, { messages: [letter(1, message)] });
  const smtp = await startSmtp();
  try {
    const receipt = (await accountOf(server, smtp).call('message.reply', {
      message: idOf(1),
      text: 'x',
      quote: true,
      saveToSent: 'no',
    })) as Receipt;
    return { to: receipt.native.accepted as string[], mail: smtp.mails.map(({ source }) => source).join('\n') };
  } catch (error) {
    return (error as Error).message;
  } finally {
    closeConnections();
    await server.close();
    await smtp.close();
  }
}

describe('IMAP transcripts: whom an answer goes to', () => {
  // UW IMAP, Cyrus and Courier complete an address without a host by a name of their own.
  it('is nobody where the server invents the host of a sender', async () => {
    const message = {
      envelope: envelope('(("Cron Daemon" NIL "root" "mail.server.test"))'),
      parts: { HEADER: header('From: root (Cron Daemon)') },
    };
    assert.match(String(await answered(message)), /does not say whom to answer/);
  });

  it('is who the header says, where the server took a name for an address', async () => {
    const message = {
      envelope: envelope('((NIL NIL "Shop" "mail.server.test")("Team" NIL "team" "shop.test"))'),
      parts: { HEADER: header('From: Shop, Team <team@shop.test>') },
    };
    assert.deepEqual(((await answered(message)) as Any).to, ['team@shop.test']);
  });

  it('is who the server says, where it gives no header', async () => {
    assert.deepEqual(((await answered({ parts: { HEADER: '' } })) as Any).to, ['ann@a.test']);
  });

  it('is asked with the words of the message, where the server takes a multipart for one text', async () => {
    const source = `${header('From: Ann <ann@a.test>', 'Content-Type: multipart/mixed; boundary="b').trimEnd()}\r\n\r\n--b\r\n\r\nthe words\r\n--b--\r\n`;
    const { to, mail } = (await answered({
      source,
      size: source.length,
      parts: { HEADER: source.slice(0, source.indexOf('\r\n\r\n') + 4), 1: 'nothing of it' },
    })) as Any;
    assert.deepEqual(to, ['ann@a.test']);
    assert.match(mail, /^> the words/m);
    assert.doesNotMatch(mail, /nothing of it|--b/);
  });

  it('is found where the server cannot tell what the message is', async () => {
    const refused = 'C: UID FETCH <1> … ENVELOPE …\nS: $ NO [SERVERBUG] Internal error';
    assert.deepEqual(((await answered({}, refused)) as Any).to, ['ann@a.test']);
  });
});
