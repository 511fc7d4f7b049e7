import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePorts } from '../lab.js';
import { POSTFIX } from './debian.js';
import { endsWithUs, idOf, listening, start } from './process.js';
import type { Ground, ImapServer, SmtpServer } from './server.js';

const SERVICES = [
  'pickup unix n - n 60 1 pickup',
  'qmgr unix n - n 300 1 qmgr',
  'cleanup unix n - n - 0 cleanup',
  'tlsmgr unix - - n 1000? 1 tlsmgr',
  'rewrite unix - - n - - trivial-rewrite',
  ...['bounce', 'defer', 'trace'].map(name => `${name} unix - - n - 0 bounce`),
  'verify unix - - n - 1 verify',
  'flush unix n - n 1000? 0 flush',
  'proxymap unix - - n - - proxymap',
  'proxywrite unix - - n - 1 proxymap',
  'smtp unix - - n - - smtp',
  'relay unix - - n - - smtp',
  'showq unix n - n - - showq',
  'error unix - - n - - error',
  'retry unix - - n - - error',
  'discard unix - - n - - discard',
  'lmtp unix - - n - - lmtp',
  'anvil unix - - n - 1 anvil',
  'scache unix - - n - 1 scache',
  'postlog unix-dgram n - n - 1 postlogd',
];

/** Postfix with TLS from the first byte; it asks Dovecot about passwords and hands messages to it. Needs root. */
export async function startPostfix(
  { folder, certificate }: Ground,
  { lmtpPort, saslPort }: ImapServer,
): Promise<SmtpServer> {
  const at = (...path: string[]) => join(folder, 'postfix', ...path);
  const [port] = (await freePorts(1)) as [number];
  for (const path of ['queue', 'data', 'tls']) mkdirSync(at(path), { recursive: true });
  chownSync(at('data'), idOf('-u', 'postfix'), idOf('-g', 'postfix'));
  writeFileSync(at('tls/cert.pem'), certificate.cert);
  writeFileSync(at('tls/key.pem'), certificate.key, { mode: 0o600 });
  writeFileSync(at('mailboxes'), '/^(m|single)[0-9]+(\\+.*)?@test\\.local$/ ok\n');
  writeFileSync(
    at('main.cf'),
    `
compatibility_level = 3.6
queue_directory = ${at('queue')}
data_directory = ${at('data')}
maillog_file = ${at('postfix.log')}
maillog_file_prefixes = ${folder}
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = localhost
mydestination =
alias_maps =
local_recipient_maps =
virtual_mailbox_domains = test.local
virtual_mailbox_maps = regexp:${at('mailboxes')}
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
smtpd_tls_cert_file = ${at('tls/cert.pem')}
smtpd_tls_key_file = ${at('tls/key.pem')}
smtpd_tls_security_level = may
smtputf8_enable = no
`,
  );
  writeFileSync(
    at('master.cf'),
    `127.0.0.1:${port} inet n - n - 100 smtpd\n  -o smtpd_tls_wrappermode=yes\n` +
      `  -o smtpd_recipient_restrictions=permit_sasl_authenticated,reject\n${SERVICES.join('\n')}\n`,
  );
  const postfix = start(POSTFIX, ['-c', at(), 'start-fg']);
  endsWithUs(at('queue/pid/master.pid'));
  await listening(port);
  return {
    port,
    security: 'tls',
    async close() {
      const ended = once(postfix, 'exit');
      spawnSync(POSTFIX, ['-c', at(), 'stop'], { stdio: 'ignore' });
      await ended;
    },
  };
}
