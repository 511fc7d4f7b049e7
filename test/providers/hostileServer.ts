import { readFileSync } from 'node:fs';
import { startMail } from '../sandbox/mail.js';
import { HOSTILE, mail as honest } from './hostileMail.js';

/*
 * The process of `hostileServer` in hostileMail.ts. `{ kind, mb }` puts a hostile message into the INBOX, alone, and
 * `{ file }` that of a file; nothing is left of what was sent and drafted before. A second user has an honest message.
 */
void (async () => {
  // Those whom an answer and a forward go to are known here too.
  const users = ['u0@test.local', 'u1@test.local', 'a@b.example', 'c@d.example'];
  const mail = await startMail({ users: users.map((user, i) => ({ user, password: `pass${i}` })) });
  const [user, other, ...strangers] = users as [string, string, ...string[]];
  const type = 'Content-Type: multipart/mixed; boundary=b';
  const bodies = ['text/plain', 'text/html', 'application/pdf'].map(
    one => `--b\r\nContent-Type: ${one}\r\n\r\nhello\r\n`,
  );
  mail.deliver(other, honest([type], ...bodies, '--b--\r\n'));
  process.on('message', ({ kind, mb, file }: { kind: string; mb: number; file?: string }) => {
    for (const one of [user, ...strangers])
      for (const [name, { messages }] of mail.store.accounts.get(one)!.mailboxes)
        mail.expunge(
          one,
          messages.map(({ uid }) => uid),
          name,
        );
    mail.sent.length = 0;
    const { uid } = mail.deliver(user, file === undefined ? HOSTILE[kind]!(mb) : readFileSync(file));
    process.send!({ uid, uidValidity: mail.folder(user).uidValidity });
  });
  process.on('disconnect', () => process.exit());
  process.send!({ imap: mail.imap.tlsPort, smtp: mail.smtp.tlsPort, ca: mail.ca });
})();
