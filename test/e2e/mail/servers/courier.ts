import { spawnSync } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { freePorts, phoneOf, type User } from '../lab.js';
import { librariesOf, unpacked } from './debian.js';
import { enclose, etcOf, give, listening, MAIL, type Enclosed } from './process.js';
import { deliverFile, fillMaildir, makeMaildir, newestOf, type Ground, type ImapServer } from './server.js';

const FOLDERS = ['Sent', 'Drafts', 'Trash', 'Junk', 'Archive'];
/** Courier reads its settings from the environment. */
const CAPABILITIES = 'IMAP4rev1 UIDPLUS CHILDREN NAMESPACE THREAD=ORDEREDSUBJECT THREAD=REFERENCES SORT QUOTA ACL IDLE';
const settings = (tree: string, certificate: string) => ({
  LD_LIBRARY_PATH: librariesOf(tree, 'usr/lib', 'usr/lib/courier-authlib'),
  LTDL_LIBRARY_PATH: `${tree}/usr/lib/courier-authlib`,
  IMAP_CAPABILITY: CAPABILITIES,
  IMAP_CAPABILITY_TLS: `${CAPABILITIES} AUTH=PLAIN`,
  IMAP_KEYWORDS: '1',
  IMAP_ACL: '1',
  IMAP_DISABLETHREADSORT: '0',
  IMAP_CHECK_ALL_FOLDERS: '0',
  IMAP_OBSOLETE_CLIENT: '0',
  IMAP_UMASK: '022',
  IMAP_ULIMITD: '131072',
  IMAP_USELOCKS: '1',
  IMAP_MAILBOX_SANITY_CHECK: '1',
  IMAP_SHAREDINDEXFILE: '/etc/courier/shared/index',
  IMAP_ENHANCEDIDLE: '0',
  IMAP_IDLE_TIMEOUT: '60',
  IMAP_TRASHFOLDERNAME: 'Trash',
  IMAP_EMPTYTRASH: '',
  IMAP_MOVE_EXPUNGE_TO_TRASH: '0',
  IMAPDSTARTTLS: 'YES',
  IMAP_STARTTLS: 'YES',
  IMAP_TLS_REQUIRED: '0',
  TLS_CERTFILE: certificate,
  TLS_VERIFYPEER: 'NONE',
  COURIERTLS: `${tree}/usr/bin/couriertls`,
  MAILDIRPATH: 'Maildir',
  HEADERFROM: 'X-IMAP-Sender',
  SENDMAIL: '/bin/false',
  AUTHMODULES: 'authdaemon',
});

/**
 * Writes the users into the databases that Courier's own `makedatprog` makes; passwords can only be those of crypt(3).
 */
function writeUsers(
  folder: string,
  tree: string,
  passwords: ReadonlyMap<string, string>,
  home: (user: string) => string,
): void {
  const [names, words] = [[...passwords.keys()], [...passwords.values()]];
  const hashes = spawnSync('openssl', ['passwd', '-1', '-stdin'], { input: words.join('\n'), encoding: 'utf8' })
    .stdout.trim()
    .split('\n');
  const make = (name: string, line: (user: string, hash: string) => string) => {
    const input = `${names.map((user, i) => line(user, hashes[i]!)).join('\n')}\n\n.\n`;
    const env = { LD_LIBRARY_PATH: librariesOf(tree, 'usr/lib') };
    // Its input ends with a line of one dot; without one it says nothing and fails.
    const done = spawnSync(
      join(tree, 'usr/lib/courier/courier-authlib/makedatprog'),
      ['-', join(folder, `${name}.tmp`), join(folder, `${name}.dat`)],
      { input, env, encoding: 'utf8' },
    );
    if (done.status !== 0) throw new Error(`makedatprog failed: ${done.stderr}`);
  };
  make('userdb', user => `${user}\thome=${home(user)}|mail=${home(user)}/Maildir|uid=${MAIL.uid}|gid=${MAIL.gid}|_=`);
  make('userdbshadow', (user, hash) => `${user}\tsystempw=${hash}`);
}

/** Courier IMAP: personal folders below "INBOX.", Maildirs, no LMTP. Needs root. */
export async function startCourier({ folder, certificate, users }: Ground): Promise<ImapServer> {
  const at = (...path: string[]) => join(folder, 'courier', ...path);
  const tree = at('tree');
  const unpackedTree = unpacked('courier', [
    'courier-imap',
    'courier-base',
    'courier-authlib',
    'courier-authlib-userdb',
    'gamin',
    'libgamin0',
  ]);
  const [imap, imaps] = (await freePorts(2)) as [number, number];
  for (const path of ['tree', 'mail', 'run/courier/authdaemon']) mkdirSync(at(path), { recursive: true });
  writeFileSync(at('tls.pem'), `${certificate.key}\n${certificate.cert}`);
  // Where STARTTLS is asked for, its TLS program becomes the package's own user.
  const etc = etcOf(at(), [`courier:x:${MAIL.uid}:${MAIL.gid}::/:/bin/false`]);
  const home = (user: string) => at('mail', user);
  const maildir = (user: User) => join(home(user.user), 'Maildir');
  mkdirSync(join(etc, 'courier/shared'), { recursive: true });
  writeFileSync(
    join(etc, 'courier/authdaemonrc'),
    'authmodulelist="authuserdb"\nauthmodulelistorig="authuserdb"\ndaemons=5\n' +
      'authdaemonvar=/run/courier/authdaemon\nDEBUG_LOGIN=0\nDEFAULTOPTIONS=""\nLOGGEROPTS=""\n',
  );
  const passwords = new Map(users.map(({ user, password }) => [user, password]));
  writeUsers(join(etc, 'courier'), unpackedTree, passwords, home);
  for (const user of users) {
    makeMaildir(maildir(user));
    for (const name of FOLDERS) {
      makeMaildir(join(maildir(user), `.${name}`));
      appendFileSync(join(maildir(user), `.${name}`, 'maildirfolder'), '');
    }
    writeFileSync(join(maildir(user), 'courierimapsubscribed'), FOLDERS.map(name => `INBOX.${name}\n`).join(''));
  }
  give(at('mail'), MAIL);
  give(at('run'), MAIL);
  chownSync(at('tls.pem'), MAIL.uid, MAIL.gid);
  chmodSync(at('tls.pem'), 0o600);
  const server = (port: number, tls: boolean) =>
    `${tls ? 'env IMAP_TLS=1 ' : ''}${tree}/usr/sbin/couriertcpd -address=127.0.0.1 -maxprocs=300 -maxperip=300 ` +
    `-nodnslookup -noidentlookup ${port} ${tls ? `${tree}/usr/bin/couriertls -server -tcpd ` : ''}${tree}/usr/lib/courier/courier/imaplogin ` +
    `${tree}/usr/bin/imapd Maildir`;
  let running: Enclosed | undefined;
  const back = async () => {
    rmSync(at('run/courier/authdaemon/socket'), { force: true });
    running = enclose(
      [server(imap, false), server(imaps, true), `${tree}/usr/lib/courier/courier-authlib/authdaemond`],
      {
        // Its helper for news of folders is looked for in one place only.
        binds: [
          [unpackedTree, tree],
          [join(unpackedTree, 'usr/libexec'), '/usr/libexec'],
          [at('run'), '/run'],
          [etc, '/etc'],
        ],
        env: settings(tree, at('tls.pem')),
        log: at('courier.log'),
      },
    );
    await listening(imap, true, at('courier.log'));
    await listening(imaps);
    for (let i = 0; !existsSync(at('run/courier/authdaemon/socket')); i++) {
      if (i > 200)
        throw new Error(`authdaemond did not start: ${readFileSync(at('courier.log'), 'utf8').slice(-1000)}`);
      await new Promise(resolve => setTimeout(resolve, 25));
    }
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
    prefix: 'INBOX.',
    delimiter: '.',
    maildir,
    async deliver(user, bytes) {
      deliverFile(maildir(user), bytes);
    },
    async fill(user, count, bytes) {
      fillMaildir(maildir(user), count, bytes, MAIL);
    },
    async setPassword({ user }, password) {
      passwords.set(user, password);
      writeUsers(join(etc, 'courier'), unpackedTree, passwords, home);
    },
    async poison(user) {
      chmodSync(newestOf(maildir(user)), 0);
    },
    async renumber(user) {
      // It writes its list only for a client that opens the folder for writing.
      const phone = await phoneOf(imap, { user: user.user, password: passwords.get(user.user)! });
      await phone.mailboxOpen('INBOX');
      await phone.logout();
      // The first line of its list of UIDs: version, UIDVALIDITY, next UID.
      const file = join(maildir(user), 'courierimapuiddb');
      const lines = readFileSync(file, 'utf8').split('\n');
      const [, validity, next] = /^\S+ (\d+) (\d+)/.exec(lines[0]!)!;
      writeFileSync(
        file,
        [lines[0]!.replace(` ${validity} ${next}`, ` ${Number(validity) + 7} ${next}`), ...lines.slice(1)].join('\n'),
      );
    },
    away,
    back,
    close: away,
  };
}
