import { startMail } from '../sandbox/mail.js';
import { HOSTILE } from './hostileMail.js';

// The process of `hostileServer` in hostileMail.ts. `{ kind, mb }` puts a hostile message into the INBOX, alone.
void (async () => {
  const mail = await startMail({ users: 1 });
  process.on('message', ({ kind, mb }: { kind: string; mb: number }) => {
    mail.expunge(
      'u0@test.local',
      mail.folder('u0@test.local').messages.map(({ uid }) => uid),
    );
    const { uid } = mail.deliver('u0@test.local', HOSTILE[kind]!(mb));
    process.send!({ uid, uidValidity: mail.folder('u0@test.local').uidValidity });
  });
  process.on('disconnect', () => process.exit());
  process.send!({ imap: mail.imap.tlsPort, smtp: mail.smtp.tlsPort, ca: mail.ca });
})();
