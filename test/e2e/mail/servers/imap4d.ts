import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePorts, type User } from '../lab.js';
import { librariesOf, unpacked } from './debian.js';
import { enclose, etcOf, give, listening, MAIL, type Enclosed } from './process.js';
import { deliverFile, fillMaildir, makeMaildir, type Ground, type ImapServer } from './server.js';

/** GNU Mailutils imap4d: personal folders beside INBOX, Maildirs, hardly any extension. Needs root. */
export async function startImap4d({ folder, certificate, users }: Ground): Promise<ImapServer> {
  const at = (...path: string[]) => join(folder, 'imap4d', ...path);
  const tree = at('tree');
  const unpackedTree = unpacked('imap4d', ['mailutils-imap4d']);
  const [imap, imaps] = (await freePorts(2)) as [number, number];
  for (const path of ['tree', 'mail', 'users']) mkdirSync(at(path), { recursive: true });
  writeFileSync(at('cert.pem'), certificate.cert);
  writeFileSync(at('key.pem'), certificate.key, { mode: 0o600 });
  const home = ({ user }: User) => at('mail', user);
  const inbox = (user: User) => join(home(user), 'INBOX');
  const hashes = spawnSync('openssl', ['passwd', '-6', '-stdin'], {
    input: users.map(one => one.password).join('\n'),
    encoding: 'utf8',
  }).stdout.split('\n');
  // One file a domain, as passwd(5).
  writeFileSync(
    at('users/test.local'),
    users
      .map((one, i) => `${one.user.split('@')[0]}:${hashes[i]}:${MAIL.uid}:${MAIL.gid}::${home(one)}:/bin/false\n`)
      .join(''),
  );
  for (const user of users) makeMaildir(inbox(user));
  give(at('mail'), MAIL);
  chmodSync(at('users'), 0o755);
  writeFileSync(
    at('imap4d.conf'),
    `
mode daemon;
foreground yes;
pidfile "${at('pid')}";
max-children 300;
timeout "2100";
virtdomain { passwd-dir "${at('users')}"; };
auth { authentication clear; authentication generic; authorization clear; authorization virtdomain; };
mailbox { mailbox-type maildir; };
logging { syslog no; };
tcp-wrappers { enable no; };
tls { ssl-certificate-file "${at('cert.pem')}"; ssl-key-file "${at('key.pem')}"; };
server 127.0.0.1:${imap} { tls-mode ondemand; };
server 127.0.0.1:${imaps} { tls-mode connection; };
`,
  );
  const etc = etcOf(at());
  let running: Enclosed | undefined;
  const back = async () => {
    running = enclose([`${tree}/usr/sbin/imap4d --config-file=${at('imap4d.conf')}`], {
      binds: [
        [unpackedTree, tree],
        [etc, '/etc'],
      ],
      env: { LD_LIBRARY_PATH: librariesOf(tree) },
      log: at('imap4d.log'),
    });
    await listening(imap, true, at('imap4d.log'));
  };
  const away = async () => {
    await running?.end();
    running = undefined;
    await listening(imap, false);
  };
  await back();
  return {
    imapPort: imap,
    imapTlsPort: imaps,
    prefix: '',
    delimiter: '/',
    maildir: inbox,
    async deliver(user, bytes) {
      deliverFile(inbox(user), bytes);
    },
    async fill(user, count, bytes) {
      fillMaildir(inbox(user), count, bytes, MAIL);
    },
    away,
    back,
    close: away,
  };
}
