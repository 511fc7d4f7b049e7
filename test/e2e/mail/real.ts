import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import SMTPConnection from 'nodemailer/lib/smtp-connection/index.js';
import { selfSigned } from '../../sandbox/imap/certificate.js';
import { freePorts, phoneOf, type Lab, type User } from './lab.js';

/** Debian's packages; `apt-get install -y --no-install-recommends` of these is all the preparation there is. */
export const PACKAGES = ['dovecot-core', 'dovecot-imapd', 'dovecot-lmtpd', 'postfix'];
const DOVECOT = '/usr/sbin/dovecot', DOVEADM = '/usr/bin/doveadm', POSTFIX = '/usr/sbin/postfix', LMTPD = '/usr/lib/dovecot/lmtp', IMAPD = '/usr/lib/dovecot/imap';

/** Installs the servers where they are missing, without starting any system service. Throws what to type where that is not possible. */
export function installServers(): void {
  if ([DOVECOT, POSTFIX, LMTPD, IMAPD].every(existsSync)) return;
  const command = `apt-get install -y --no-install-recommends ${PACKAGES.join(' ')}`;
  if (process.getuid?.() !== 0 || !existsSync('/usr/bin/apt-get')) throw new Error(`The real mail servers are missing. As root: ${command}`);
  console.error(`Installing ${PACKAGES.join(', ')} (once) ...`);
  // Debian asks this program whether a package may start its service; 101 is no (invoke-rc.d(8)).
  const policy = '/usr/sbin/policy-rc.d', own = !existsSync(policy);
  if (own) writeFileSync(policy, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  try {
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
    spawnSync('debconf-set-selections', { input: 'postfix postfix/main_mailer_type select No configuration\n', env });
    const install = () => spawnSync('sh', ['-c', command], { env, encoding: 'utf8' });
    let done = install();
    if (done.status !== 0) { spawnSync('apt-get', ['update'], { env }); done = install(); }
    if (done.status !== 0) throw new Error(`"${command}" failed:\n${done.stdout.slice(-1000)}\n${done.stderr.slice(-1000)}`);
  } finally {
    if (own) rmSync(policy);
  }
}

const idOf = (flag: '-u' | '-g', name: string) => Number(spawnSync('id', [flag, name], { encoding: 'utf8' }).stdout);

const children = new Set<ChildProcess>();
let masterPid: string | undefined;
const folders = new Set<string>();
// A signal that ends the process ends it in order, so that the servers go with it.
for (const signal of ['SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(1));
process.on('exit', () => {
  for (const child of children) child.kill('SIGTERM');
  if (masterPid && existsSync(masterPid)) try { process.kill(Number(readFileSync(masterPid, 'utf8'))); } catch { /* it has ended */ }
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});
function start(program: string, args: string[], options: object = {}): ChildProcess {
  const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'], ...options });
  let said = '';
  child.stderr!.on('data', data => { said = (said + String(data)).slice(-2000); });
  children.add(child);
  child.on('exit', code => { children.delete(child); if (code && code !== 143) console.error(`${program} ended with ${code}: ${said}`); });
  return child;
}
async function listening(port: number, wanted = true) {
  const there = () => new Promise<boolean>(resolve => { const socket = connect(port, '127.0.0.1', () => { socket.destroy(); resolve(true); }); socket.on('error', () => resolve(false)); });
  for (let i = 0; await there() !== wanted; i++) {
    if (i > 300) throw new Error(`Nothing ${wanted ? 'listens' : 'stops listening'} on port ${port}.`);
    await new Promise(resolve => setTimeout(resolve, 50));
  }
}

/**
 * Dovecot and Postfix on free ports, everything they keep in a folder of its own that goes with them. Postfix needs root and is left out without.
 * Users `m0@test.local` … hold as many connections as they like, `single0@test.local` … one.
 */
export async function realLab(): Promise<Lab> {
  installServers();
  const root = process.getuid?.() === 0, own = userInfo();
  // Dovecot refuses to open mail as root; its package, there only now, brings a user that owns nothing else.
  const mailUser = root ? { name: 'dovenull', uid: idOf('-u', 'dovenull'), gid: idOf('-g', 'dovenull') } : { name: own.username, uid: own.uid, gid: own.gid };
  const folder = mkdtempSync(join(tmpdir(), 'mailroom-servers-')), at = (...path: string[]) => join(folder, ...path);
  folders.add(folder);
  chmodSync(folder, 0o755);
  const [imapPort, imapsPort, lmtpPort, saslPort, smtpPort] = await freePorts(5) as [number, number, number, number, number];
  const certificate = selfSigned();
  for (const path of ['run', 'state', 'mail', 'tls']) mkdirSync(at('dovecot', path), { recursive: true });
  writeFileSync(at('dovecot/tls/cert.pem'), certificate.cert);
  writeFileSync(at('dovecot/tls/key.pem'), certificate.key);

  const tokens = new Map<string, string>();
  // What Dovecot asks about an access token (RFC 7662, in Dovecot's own spelling).
  const judge = createHttpServer((request, response) => {
    const user = tokens.get(decodeURIComponent(/token=([^&]*)/.exec(request.url ?? '')?.[1] ?? ''));
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(user ? { email: user, active: true } : { email: 'nobody', active: false }));
  });
  await new Promise<void>(resolve => judge.listen(0, '127.0.0.1', resolve));
  judge.unref();
  writeFileSync(at('dovecot/oauth2.conf'), `introspection_mode = get\nintrospection_url = http://127.0.0.1:${(judge.address() as AddressInfo).port}/?token=\nusername_attribute = email\nactive_attribute = active\nactive_value = true\n`);

  const users: User[] = Array.from({ length: 80 }, (_, i) => ({ user: `m${i}@test.local`, password: `pass${i}` }));
  const singles: User[] = Array.from({ length: 8 }, (_, i) => ({ user: `single${i}@test.local`, password: `pass${i}` }));
  const passwords = new Map([...users, ...singles].map(({ user, password }) => [user, password]));
  const writeUsers = () => {
    writeFileSync(at('dovecot/users'), [...passwords].map(([user, password]) =>
      `${user}:{PLAIN}${password}:${mailUser.uid}:${mailUser.gid}::${at('dovecot/mail', user)}::${user.startsWith('single') ? 'userdb_mail_max_userip_connections=1' : ''}\n`).join(''));
  };
  writeUsers();
  const special = ['Sent', 'Drafts', 'Trash', 'Junk', 'Archive'].map(name => `  mailbox ${name} {\n    auto = subscribe\n    special_use = \\${name}\n  }\n`).join('');
  writeFileSync(at('dovecot/dovecot.conf'), `
base_dir = ${at('dovecot/run')}
state_dir = ${at('dovecot/state')}
log_path = ${at('dovecot/dovecot.log')}
default_internal_user = ${mailUser.name}
default_internal_group = ${spawnSync('id', ['-gn', mailUser.name], { encoding: 'utf8' }).stdout.trim()}
default_login_user = ${mailUser.name}
default_client_limit = 3000
default_process_limit = 300
listen = 127.0.0.1
protocols = imap lmtp
ssl = yes
ssl_cert = <${at('dovecot/tls/cert.pem')}
ssl_key = <${at('dovecot/tls/key.pem')}
disable_plaintext_auth = no
auth_mechanisms = plain login xoauth2 oauthbearer
auth_failure_delay = 0
first_valid_uid = 1
first_valid_gid = 1
mail_location = maildir:~/maildir
mail_max_userip_connections = 50
mail_fsync = never
mailbox_list_index = yes
passdb {
  driver = oauth2
  mechanisms = xoauth2 oauthbearer
  args = ${at('dovecot/oauth2.conf')}
}
passdb {
  driver = passwd-file
  args = username_format=%u ${at('dovecot/users')}
}
userdb {
  driver = passwd-file
  args = username_format=%u ${at('dovecot/users')}
}
namespace inbox {
  inbox = yes
  separator = /
${special}}
service anvil {
  chroot =
}
service stats {
  chroot =
}
service imap-login {
  chroot =
  service_count = 0
  inet_listener imap {
    port = ${imapPort}
  }
  inet_listener imaps {
    port = ${imapsPort}
    ssl = yes
  }
}
service lmtp {
  inet_listener lmtp {
    address = 127.0.0.1
    port = ${lmtpPort}
  }
}
service auth {
  inet_listener sasl {
    address = 127.0.0.1
    port = ${saslPort}
  }
}
protocol lmtp {
  postmaster_address = postmaster@test.local
}
`);
  const owned = (path: string) => { chownSync(path, mailUser.uid, mailUser.gid); for (const entry of readdirSync(path, { withFileTypes: true })) if (entry.isDirectory()) owned(join(path, entry.name)); else chownSync(join(path, entry.name), mailUser.uid, mailUser.gid); };
  if (root) owned(at('dovecot'));
  const asMailUser = root ? { uid: mailUser.uid, gid: mailUser.gid } : {};

  let dovecot: ChildProcess | undefined;
  const back = async () => {
    dovecot = start(DOVECOT, ['-F', '-c', at('dovecot/dovecot.conf')], asMailUser);
    await listening(imapPort);
    await listening(lmtpPort);
  };
  const away = async () => {
    if (dovecot && dovecot.exitCode === null) { const ended = once(dovecot, 'exit'); dovecot.kill('SIGTERM'); await ended; }
    await listening(imapPort, false);
  };
  await back();

  let postfix: ChildProcess | undefined;
  if (root) {
    for (const path of ['queue', 'data']) mkdirSync(at('postfix', path), { recursive: true });
    chownSync(at('postfix/data'), idOf('-u', 'postfix'), idOf('-g', 'postfix'));
    writeFileSync(at('postfix/mailboxes'), '/^(m|single)[0-9]+(\\+.*)?@test\\.local$/ ok\n');
    writeFileSync(at('postfix/main.cf'), `
compatibility_level = 3.6
queue_directory = ${at('postfix/queue')}
data_directory = ${at('postfix/data')}
maillog_file = ${at('postfix/postfix.log')}
maillog_file_prefixes = ${folder}
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = localhost
mydestination =
alias_maps =
local_recipient_maps =
virtual_mailbox_domains = test.local
virtual_mailbox_maps = regexp:${at('postfix/mailboxes')}
virtual_transport = lmtp:inet:127.0.0.1:${lmtpPort}
default_transport = error:only test.local is delivered here
message_size_limit = 104857600
mailbox_size_limit = 0
virtual_mailbox_limit = 0
in_flow_delay = 0
smtpd_client_connection_count_limit = 0
smtpd_peername_lookup = no
smtpd_relay_restrictions = permit_sasl_authenticated, reject_unauth_destination
smtpd_sasl_type = dovecot
smtpd_sasl_path = inet:127.0.0.1:${saslPort}
smtpd_sasl_auth_enable = yes
smtpd_tls_cert_file = ${at('dovecot/tls/cert.pem')}
smtpd_tls_key_file = ${at('dovecot/tls/key.pem')}
smtpd_tls_security_level = may
smtputf8_enable = no
`);
    const services = ['pickup unix n - n 60 1 pickup', 'qmgr unix n - n 300 1 qmgr', 'cleanup unix n - n - 0 cleanup', 'tlsmgr unix - - n 1000? 1 tlsmgr', 'rewrite unix - - n - - trivial-rewrite',
      ...['bounce', 'defer', 'trace'].map(name => `${name} unix - - n - 0 bounce`), 'verify unix - - n - 1 verify', 'flush unix n - n 1000? 0 flush', 'proxymap unix - - n - - proxymap',
      'proxywrite unix - - n - 1 proxymap', 'smtp unix - - n - - smtp', 'relay unix - - n - - smtp', 'showq unix n - n - - showq', 'error unix - - n - - error', 'retry unix - - n - - error',
      'discard unix - - n - - discard', 'lmtp unix - - n - - lmtp', 'anvil unix - - n - 1 anvil', 'scache unix - - n - 1 scache', 'postlog unix-dgram n - n - 1 postlogd'];
    writeFileSync(at('postfix/master.cf'), `127.0.0.1:${smtpPort} inet n - n - 100 smtpd\n  -o smtpd_tls_wrappermode=yes\n  -o smtpd_recipient_restrictions=permit_sasl_authenticated,reject\n${services.join('\n')}\n`);
    postfix = start(POSTFIX, ['-c', at('postfix'), 'start-fg']);
    await listening(smtpPort);
    masterPid = at('postfix/queue/pid/master.pid');
  }

  // One delivering connection, used in turn.
  let lmtp: SMTPConnection | undefined, line: Promise<unknown> = Promise.resolve();
  const connected = () => new Promise<SMTPConnection>((resolve, reject) => {
    const connection = new SMTPConnection({ host: '127.0.0.1', port: lmtpPort, lmtp: true, ignoreTLS: true } as SMTPConnection.Options);
    connection.on('error', error => { lmtp = undefined; reject(error); }).on('end', () => { if (lmtp === connection) lmtp = undefined; });
    connection.connect(() => resolve(connection));
  });
  const deliver = (to: string, bytes: Buffer) => {
    const done = line.then(async () => {
      lmtp ??= await connected();
      await new Promise<void>((resolve, reject) => lmtp!.send({ from: 'sender@gen.test.local', to: [to] }, bytes, error => error ? reject(error) : resolve()));
    });
    line = done.catch(() => {});
    return done;
  };
  const inbox = (user: User) => at('dovecot/mail', user.user, 'maildir');
  let nextUser = 0, nextSingle = 0;
  const lab: Lab = {
    name: 'Dovecot and Postfix', imapPort, imapTlsPort: imapsPort, smtpPort, ca: certificate.cert,
    user: kind => kind === 'single' ? singles[nextSingle++]! : users[nextUser++]!,
    deliver: ({ user }, bytes) => deliver(user, bytes),
    async fill(user, count, bytes) {
      // The folder exists once something was delivered; a maildir takes any file, in the order of the names' times.
      const phone = await phoneOf(imapPort, user);
      await phone.mailboxOpen('INBOX');
      await phone.logout();
      for (let i = 0; i < count; i++) {
        const path = join(inbox(user), 'cur', `${1_700_000_000 + i}.M${i}P1.test:2,`);
        writeFileSync(path, Buffer.from(bytes(i).toString('latin1').replace(/\r\n/g, '\n'), 'latin1'));
        if (root) chownSync(path, mailUser.uid, mailUser.gid);
      }
    },
    phone: user => phoneOf(imapPort, { user: user.user, password: passwords.get(user.user)! }),
    async setPassword({ user }, password) { 
      passwords.set(user, password);
      writeUsers();
      // Dovecot looks at the file's time, in whole seconds.
      await new Promise(resolve => setTimeout(resolve, 1_100));
    },
    async poison(user) {
      const files = ['new', 'cur'].flatMap(sub => { const path = join(inbox(user), sub); return existsSync(path) ? readdirSync(path).map(name => join(path, name)) : []; });
      // Dovecot closes the connection when it cannot open the file of a message.
      chmodSync(files.sort((a, b) => Number(/\/(\d+)\.M(\d+)/.exec(a)?.[1]) - Number(/\/(\d+)\.M(\d+)/.exec(b)?.[1]) || Number(/M(\d+)/.exec(a)?.[1]) - Number(/M(\d+)/.exec(b)?.[1])).at(-1)!, 0);
    },
    async renumber(user) {
      const phone = await lab.phone(user);
      const status = await phone.status('INBOX', { uidValidity: true }), uidValidity = status && status.uidValidity;
      await phone.logout();
      const done = spawnSync(DOVEADM, ['-c', at('dovecot/dovecot.conf'), 'mailbox', 'update', '--uid-validity', String(Number(uidValidity) + 7), '-u', user.user, 'INBOX'], { ...asMailUser, encoding: 'utf8' });
      if (done.status !== 0) throw new Error(done.stderr);
    },
    token({ user }) {
      for (const [token, owner] of tokens) if (owner === user) tokens.delete(token);
      const token = `token-${user}-${tokens.size}-${Math.random().toString(36).slice(2)}`;
      tokens.set(token, user);
      return token;
    },
    away, back,
    async close() {
      lmtp?.close();
      await away();
      if (postfix) {
        const ended = once(postfix, 'exit');
        spawnSync(POSTFIX, ['-c', at('postfix'), 'stop'], { stdio: 'ignore' });
        await ended;
        masterPid = undefined;
      }
      judge.closeAllConnections();
      judge.close();
      rmSync(folder, { recursive: true, force: true });
      folders.delete(folder);
    },
  };
  return lab;
}
