import { chmodSync, chownSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePorts } from '../lab.js';
import { librariesOf, unpacked } from './debian.js';
import { enclose, etcOf, give, listening, MAIL } from './process.js';
import type { Ground, ImapServer, SmtpServer } from './server.js';

/** Hands messages on by LMTP, or writes them into Maildirs where the IMAP server has no LMTP. */
const transportOf = ({ lmtpPort }: ImapServer, maildirs: string) =>
  lmtpPort
    ? `  driver = smtp\n  protocol = lmtp\n  hosts_try_auth =\n  hosts_avoid_tls = *\n  allow_localhost\n  port = ${lmtpPort}`
    : `  driver = appendfile\n  maildir_format\n  directory = \${lookup{$local_part@$domain}lsearch{${maildirs}}}\n  user = ${MAIL.name}\n  group = ${MAIL.name}`;

/** Exim with STARTTLS; it keeps the passwords itself. Needs root. */
export async function startExim({ folder, certificate, users }: Ground, imap: ImapServer): Promise<SmtpServer> {
  const at = (...path: string[]) => join(folder, 'exim', ...path);
  const tree = at('tree');
  const unpackedTree = unpacked('exim', ['exim4-daemon-light', 'exim4-base']);
  const [port] = (await freePorts(1)) as [number];
  for (const path of ['tree', 'spool', 'log']) mkdirSync(at(path), { recursive: true });
  writeFileSync(at('cert.pem'), certificate.cert);
  writeFileSync(at('key.pem'), certificate.key);
  writeFileSync(at('passwords'), users.map(({ user, password }) => `${user}: ${password}\n`).join(''));
  // Exim writes to no path that a sender had a hand in; one that was looked up is fine.
  if (imap.maildir) writeFileSync(at('maildirs'), users.map(user => `${user.user}: ${imap.maildir!(user)}\n`).join(''));
  const password = (user: string, given: string) =>
    `\${if eq{${given}}{\${lookup{${user}}lsearch{${at('passwords')}}}}}`;
  writeFileSync(
    at('exim.conf'),
    `
exim_path = ${tree}/usr/sbin/exim4
exim_user = ${MAIL.name}
exim_group = ${MAIL.name}
spool_directory = ${at('spool')}
log_file_path = ${at('log/%slog')}
pid_file_path = ${at('exim.pid')}
primary_hostname = localhost
local_interfaces = 127.0.0.1
daemon_smtp_ports = ${port}
tls_advertise_hosts = *
tls_certificate = ${at('cert.pem')}
tls_privatekey = ${at('key.pem')}
auth_advertise_hosts = \${if eq{$tls_in_cipher}{}{:}{*}}
host_lookup =
rfc1413_query_timeout = 0s
smtp_accept_max = 200
smtp_accept_queue_per_connection = 0
message_size_limit = 100M
never_users =
keep_environment =
accept_8bitmime = true
acl_smtp_rcpt = check_rcpt
acl_smtp_data = accept
begin acl
check_rcpt:
  deny !domains = test.local
       message = only test.local is delivered here
  deny !local_parts = ^m[0-9]+\\$ : ^m[0-9]+\\\\+.*\\$
       message = 5.1.1 no such user
  accept authenticated = *
  deny message = authentication required
begin routers
all:
${imap.lmtpPort ? '  driver = manualroute\n  route_list = * 127.0.0.1\n  self = send' : '  driver = accept'}
  domains = test.local
  transport = hand_over
begin transports
hand_over:
${transportOf(imap, at('maildirs'))}
begin retry
* * F,1h,10s
begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = ${password('$auth2', '$auth3')}
  server_set_id = $auth2
login:
  driver = plaintext
  public_name = LOGIN
  server_prompts = Username:: : Password::
  server_condition = ${password('$auth1', '$auth2')}
  server_set_id = $auth1
`,
  );
  give(at(), MAIL);
  chownSync(at('exim.conf'), 0, 0);
  chmodSync(at('exim.conf'), 0o644);
  // The name of Exim's own user is compiled in and must exist, whatever exim_user says.
  const etc = etcOf(at(), [`Debian-exim:x:${MAIL.uid}:${MAIL.gid}::/:/bin/false`]);
  // It starts itself anew for each message and with set user id, where only the system's list of libraries counts.
  writeFileSync(join(etc, 'ld.so.conf'), librariesOf(tree).split(':').join('\n'));
  const running = enclose([`{ ldconfig -X; exec ${tree}/usr/sbin/exim4 -C ${at('exim.conf')} -bdf -q10s; }`], {
    binds: [
      [unpackedTree, tree],
      [etc, '/etc'],
    ],
    env: {},
    log: at('start.log'),
  });
  await listening(port, true, at('start.log'));
  return { port, security: 'starttls', close: () => running.end() };
}
