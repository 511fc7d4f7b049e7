import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePorts } from '../lab.js';
import { librariesOf, unpacked } from './debian.js';
import { enclose, etcOf, listening } from './process.js';
import type { Ground, ImapServer, SmtpServer } from './server.js';

/**
 * OpenSMTPD in clear text and without passwords, which it takes over TLS only. The TLS of Debian 12's package cannot be
 * used: the process that speaks it has no private key and asks another one for each signature, a detour that OpenSSL 3
 * does not take ("missing private key"). Needs root.
 */
export async function startOpensmtpd({ folder }: Ground, { lmtpPort }: ImapServer): Promise<SmtpServer> {
  const at = (...path: string[]) => join(folder, 'opensmtpd', ...path);
  const tree = at('tree');
  const unpackedTree = unpacked('opensmtpd', ['opensmtpd']);
  const [port] = (await freePorts(1)) as [number];
  for (const path of ['tree', 'run', 'spool/smtpd', 'lib/opensmtpd/empty']) mkdirSync(at(path), { recursive: true });
  writeFileSync(
    at('smtpd.conf'),
    `
smtp max-message-size 100M
listen on 127.0.0.1 port ${port} hostname localhost
action "hand over" relay host "lmtp://127.0.0.1:${lmtpPort}"
match from any for domain "test.local" action "hand over"
`,
  );
  for (const path of ['spool/smtpd', 'lib/opensmtpd/empty']) chmodSync(at(path), 0o711);
  const etc = etcOf(
    at(),
    ['opensmtpd', 'opensmtpq'].map(
      (name, i) => `${name}:x:${26_991 + i}:${26_991 + i}::/var/lib/opensmtpd/empty:/bin/false`,
    ),
  );
  const running = enclose([`${tree}/usr/sbin/smtpd -d -f ${at('smtpd.conf')}`], {
    binds: [
      [unpackedTree, tree],
      [join(unpackedTree, 'usr/libexec'), '/usr/libexec'],
      [at('run'), '/run'],
      [at('spool'), '/var/spool'],
      [at('lib'), '/var/lib'],
      [etc, '/etc'],
    ],
    env: { LD_LIBRARY_PATH: librariesOf(tree) },
    log: at('smtpd.log'),
  });
  await listening(port, true, at('smtpd.log'));
  return { port, security: 'none', close: () => running.end() };
}
