import { chmodSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { freePorts } from '../lab.js';
import { librariesOf, saslOf, unpacked } from './debian.js';
import { enclose, etcOf, give, listening, MAIL, type Enclosed } from './process.js';
import { lmtpClient, type Ground, type ImapServer } from './server.js';

/**
 * Answers what Cyrus asks about passwords, as saslauthd does: four texts, each after its length in two bytes, and one
 * back. The realm is left out: Cyrus takes away its own.
 */
async function startAuthority(path: string, passwords: ReadonlyMap<string, string>): Promise<Server> {
  const server = createServer(socket => {
    let got = Buffer.alloc(0);
    socket
      .on('error', () => {})
      .on('data', (data: Buffer) => {
        got = Buffer.concat([got, data]);
        const texts: string[] = [];
        for (let at = 0; at + 2 <= got.length && texts.length < 4;) {
          const length = got.readUInt16BE(at);
          if (at + 2 + length > got.length) return;
          texts.push(got.toString('utf8', at + 2, at + 2 + length));
          at += 2 + length;
        }
        if (texts.length < 4) return;
        const [user, password] = texts as [string, string];
        const answer = passwords.get(user.includes('@') ? user : `${user}@test.local`) === password ? 'OK' : 'NO';
        socket.end(Buffer.concat([Buffer.from([0, answer.length]), Buffer.from(answer)]));
      });
  });
  await new Promise<void>(resolve => server.listen(path, resolve));
  chmodSync(path, 0o777);
  server.unref();
  return server;
}

const configuration = (at: (...path: string[]) => string, outgoing: number | undefined) => `
configdirectory: ${at('conf')}
defaultpartition: default
partition-default: ${at('spool')}
sievedir: ${at('sieve')}
cyrus_user: ${MAIL.name}
cyrus_group: ${MAIL.name}
servername: localhost
virtdomains: userid
defaultdomain: test.local
unixhierarchysep: yes
altnamespace: off
sasl_pwcheck_method: saslauthd
sasl_saslauthd_path: ${at('run/authority')}
sasl_mech_list: PLAIN LOGIN
allowplaintext: yes
tls_server_cert: ${at('tls/cert.pem')}
tls_server_key: ${at('tls/key.pem')}
tls_session_timeout: 0
autocreate_quota: 0
autocreate_post: yes
autocreate_inbox_folders: Sent | Drafts | Trash | Junk | Archive
autocreate_subscribe_folders: Sent | Drafts | Trash | Junk | Archive
xlist-sent: Sent
xlist-drafts: Drafts
xlist-trash: Trash
xlist-junk: Junk
xlist-archive: Archive
# Messages with equal Message-IDs are different messages here.
duplicatesuppression: no
reject8bit: no
munge8bit: no
lmtp_downcase_rcpt: yes
idlesocket: ${at('run/idle')}
lmtpsocket: ${at('run/lmtp')}
notifysocket: ${at('run/notify')}
proc_path: ${at('run/proc')}
mboxname_lockpath: ${at('run/lock')}
temp_path: ${at('run')}
imapidlepoll: 60
skiplist_unsafe: yes
sync_log: no
${outgoing === undefined ? '' : `smtp_backend: host\nsmtp_host: 127.0.0.1:${outgoing}/noauth\n`}`;

/** Cyrus IMAP with personal folders below "INBOX/", other users' below "user/" and the rest beside them. Needs root. */
export async function startCyrus({ folder, certificate, users, outgoing }: Ground): Promise<ImapServer> {
  const at = (...path: string[]) => join(folder, 'cyrus', ...path);
  const tree = at('tree');
  const programs = at('tree/usr/lib/cyrus/bin');
  const unpackedTree = unpacked('cyrus', ['cyrus-imapd', 'cyrus-common', 'libsasl2-modules']);
  const [imap, imaps, lmtp, sieve] = (await freePorts(4)) as [number, number, number, number];
  for (const path of [
    'tree',
    'conf/socket',
    'conf/db',
    'conf/log',
    'conf/proc',
    'spool',
    'sieve',
    'run/proc',
    'run/lock',
    'tls',
  ])
    mkdirSync(at(path), { recursive: true });
  writeFileSync(at('tls/cert.pem'), certificate.cert);
  writeFileSync(at('tls/key.pem'), certificate.key);
  writeFileSync(at('imapd.conf'), configuration(at, outgoing));
  const service = (name: string, program: string, port: number, prefork: number) =>
    `  ${name} cmd="${programs}/${program}" listen="127.0.0.1:${port}" proto="tcp4" prefork=${prefork} maxchild=200 maxforkrate=1000`;
  writeFileSync(
    at('cyrus.conf'),
    [
      'START {',
      `  recover cmd="${programs}/ctl_cyrusdb -C ${at('imapd.conf')} -r"`,
      '}',
      'DAEMON {',
      `  idled cmd="${programs}/idled -C ${at('imapd.conf')}"`,
      '}',
      'SERVICES {',
      service('imap', `imapd -C ${at('imapd.conf')} -U 30`, imap, 1),
      service('imaps', `imapd -C ${at('imapd.conf')} -s -U 30`, imaps, 0),
      service('lmtp', `lmtpd -C ${at('imapd.conf')} -a`, lmtp, 1),
      service('sieve', `timsieved -C ${at('imapd.conf')}`, sieve, 0),
      '}',
      'EVENTS {',
      `  checkpoint cmd="${programs}/ctl_cyrusdb -C ${at('imapd.conf')} -c" period=30`,
      '}',
      '',
    ].join('\n'),
  );
  give(at(), MAIL);
  const passwords = new Map(users.map(({ user, password }) => [user, password]));
  const authority = await startAuthority(at('run/authority'), passwords);
  const etc = etcOf(at());
  let running: Enclosed | undefined;
  const back = async () => {
    rmSync(at('run/master.pid'), { force: true });
    running = enclose([`${programs}/master -C ${at('imapd.conf')} -M ${at('cyrus.conf')} -p ${at('run/master.pid')}`], {
      binds: [
        [unpackedTree, tree],
        [etc, '/etc'],
      ],
      log: at('cyrus.log'),
      env: { LD_LIBRARY_PATH: librariesOf(tree), SASL_PATH: saslOf(tree) },
    });
    await listening(imap, true, at('cyrus.log'));
    await listening(lmtp);
    await listening(sieve);
  };
  const away = async () => {
    await running?.end();
    running = undefined;
    await listening(imap, false);
  };
  await back();
  const delivering = lmtpClient(lmtp);
  return {
    imapPort: imap,
    imapTlsPort: imaps,
    lmtpPort: lmtp,
    sievePort: sieve,
    prefix: 'INBOX/',
    delimiter: '/',
    deliver: ({ user }, bytes) => delivering.deliver(user, bytes),
    async fill({ user }, count, bytes) {
      for (let i = 0; i < count; i++) await delivering.deliver(user, bytes(i));
    },
    async setPassword({ user }, password) {
      passwords.set(user, password);
    },
    away,
    back,
    async close() {
      delivering.close();
      await away();
      authority.close();
    },
  };
}
