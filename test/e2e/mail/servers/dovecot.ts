import { spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { freePorts, phoneOf, type User } from '../lab.js';
import { DOVEADM, DOVECOT, installServers, root } from './debian.js';
import { give, idOf, listening, start } from './process.js';
import { fillMaildir, lmtpClient, type Ground, type ImapServer } from './server.js';

/** What Dovecot asks about an access token (RFC 7662, in Dovecot's own spelling). */
async function startJudge(tokens: ReadonlyMap<string, string>): Promise<{ port: number; close(): void }> {
  const server = createServer((request, response) => {
    const user = tokens.get(decodeURIComponent(/token=([^&]*)/.exec(request.url ?? '')?.[1] ?? ''));
    response
      .writeHead(200, { 'content-type': 'application/json' })
      .end(JSON.stringify(user ? { email: user, active: true } : { email: 'nobody', active: false }));
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  server.unref();
  return {
    port: (server.address() as AddressInfo).port,
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}

interface Settings {
  at(...path: string[]): string;
  owner: string;
  ports: { imap: number; imaps: number; lmtp: number; sasl: number; sieve: number };
  bare: boolean;
  outgoing: number | undefined;
}

/** The whole of dovecot.conf. */
function configuration({ at, owner, ports, bare, outgoing }: Settings): string {
  const special = ['Sent', 'Drafts', 'Trash', 'Junk', 'Archive']
    .map(name => `  mailbox ${name} {\n    auto = subscribe\n    special_use = \\${name}\n  }\n`)
    .join('');
  const group = spawnSync('id', ['-gn', owner], { encoding: 'utf8' }).stdout.trim();
  return `
base_dir = ${at('run')}
state_dir = ${at('state')}
log_path = ${at('dovecot.log')}
default_internal_user = ${owner}
default_internal_group = ${group}
default_login_user = ${owner}
default_client_limit = 3000
default_process_limit = 300
listen = 127.0.0.1
protocols = imap lmtp sieve
ssl = yes
ssl_cert = <${at('tls/cert.pem')}
ssl_key = <${at('tls/key.pem')}
disable_plaintext_auth = no
auth_mechanisms = plain login${bare ? '' : ' xoauth2 oauthbearer'}
auth_failure_delay = 0
first_valid_uid = 1
first_valid_gid = 1
mail_location = maildir:~/maildir
mail_max_userip_connections = 50
mail_fsync = never
mailbox_list_index = yes
${
  bare
    ? '# Without a + before it this replaces the whole list.\nimap_capability = IMAP4rev1'
    : `passdb {
  driver = oauth2
  mechanisms = xoauth2 oauthbearer
  args = ${at('oauth2.conf')}
}`
}
passdb {
  driver = passwd-file
  args = username_format=%u ${at('users')}
}
userdb {
  driver = passwd-file
  args = username_format=%u ${at('users')}
}
namespace inbox {
  inbox = yes
  separator = ${bare ? '.\n  prefix = INBOX.' : '/'}
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
    port = ${ports.imap}
  }
  inet_listener imaps {
    port = ${ports.imaps}
    ssl = yes
  }
}
service lmtp {
  inet_listener lmtp {
    address = 127.0.0.1
    port = ${ports.lmtp}
  }
}
service auth {
  inet_listener sasl {
    address = 127.0.0.1
    port = ${ports.sasl}
  }
}
service managesieve-login {
  chroot =
  inet_listener sieve {
    port = ${ports.sieve}
  }
}
protocol lmtp {
  postmaster_address = postmaster@test.local
  mail_plugins = sieve
}
${outgoing === undefined ? '' : `submission_host = 127.0.0.1:${outgoing}\n`}plugin {
  sieve = file:~/sieve;active=~/active.sieve
${bare ? '  sieve_extensions = -include\n' : ''}}
`;
}

/**
 * Dovecot as packaged, or `bare`: with every optional capability off, personal folders below "INBOX." and no "include"
 * in Sieve. Does not need root. Users whose name begins with `single` may hold one connection.
 */
export async function startDovecot(
  { folder, certificate, users, outgoing }: Ground,
  { bare = false } = {},
): Promise<ImapServer> {
  installServers();
  const own = userInfo();
  // Dovecot refuses to open mail as root; its package, there only now, brings a user that owns nothing else.
  const owner = root
    ? { name: 'dovenull', uid: idOf('-u', 'dovenull'), gid: idOf('-g', 'dovenull') }
    : { name: own.username, uid: own.uid, gid: own.gid };
  const at = (...path: string[]) => join(folder, 'dovecot', ...path);
  const [imap, imaps, lmtp, sasl, sieve] = (await freePorts(5)) as [number, number, number, number, number];
  for (const path of ['run', 'state', 'mail', 'tls']) mkdirSync(at(path), { recursive: true });
  writeFileSync(at('tls/cert.pem'), certificate.cert);
  writeFileSync(at('tls/key.pem'), certificate.key);
  const tokens = new Map<string, string>();
  const judge = await startJudge(tokens);
  writeFileSync(
    at('oauth2.conf'),
    'introspection_mode = get\nusername_attribute = email\nactive_attribute = active\nactive_value = true\n' +
      `introspection_url = http://127.0.0.1:${judge.port}/?token=\n`,
  );
  const passwords = new Map(users.map(({ user, password }) => [user, password]));
  const writeUsers = () =>
    writeFileSync(
      at('users'),
      [...passwords]
        .map(
          ([user, password]) =>
            `${user}:{PLAIN}${password}:${owner.uid}:${owner.gid}::${at('mail', user)}::` +
            `${user.startsWith('single') ? 'userdb_mail_max_userip_connections=1' : ''}\n`,
        )
        .join(''),
    );
  writeUsers();
  writeFileSync(
    at('dovecot.conf'),
    configuration({ at, owner: owner.name, ports: { imap, imaps, lmtp, sasl, sieve }, bare, outgoing }),
  );
  if (root) give(at(), owner);
  const asOwner = root ? { uid: owner.uid, gid: owner.gid } : {};
  let dovecot: ChildProcess | undefined;
  const back = async () => {
    dovecot = start(DOVECOT, ['-F', '-c', at('dovecot.conf')], asOwner);
    await listening(imap);
    await listening(lmtp);
    await listening(sieve);
  };
  const away = async () => {
    if (dovecot && dovecot.exitCode === null) {
      const ended = once(dovecot, 'exit');
      dovecot.kill('SIGTERM');
      await ended;
    }
    await listening(imap, false);
  };
  await back();
  const delivering = lmtpClient(lmtp);
  const inbox = (user: User) => at('mail', user.user, 'maildir');
  const phone = (user: User) => phoneOf(imap, { user: user.user, password: passwords.get(user.user)! });
  return {
    imapPort: imap,
    imapTlsPort: imaps,
    lmtpPort: lmtp,
    saslPort: sasl,
    sievePort: sieve,
    prefix: bare ? 'INBOX.' : '',
    delimiter: bare ? '.' : '/',
    deliver: ({ user }, bytes) => delivering.deliver(user, bytes),
    async fill(user, count, bytes) {
      // The folder exists once it was opened; a maildir takes any file, in the order of the names' times.
      const client = await phone(user);
      await client.mailboxOpen('INBOX');
      await client.logout();
      fillMaildir(inbox(user), count, bytes, root ? owner : undefined);
    },
    async setPassword({ user }, password) {
      passwords.set(user, password);
      writeUsers();
      // Dovecot looks at the file's time, in whole seconds.
      await new Promise(resolve => setTimeout(resolve, 1_100));
    },
    async poison(user) {
      const files = ['new', 'cur'].flatMap(sub => {
        const path = join(inbox(user), sub);
        return existsSync(path)
          ? readdirSync(path).map(name => ({
              path: join(path, name),
              at: /^(\d+)\.M(\d+)/.exec(name)!.slice(1).map(Number),
            }))
          : [];
      });
      files.sort((one, other) => one.at[0]! - other.at[0]! || one.at[1]! - other.at[1]!);
      // Dovecot closes the connection when it cannot open the file of a message.
      chmodSync(files.at(-1)!.path, 0);
    },
    async renumber(user) {
      const client = await phone(user);
      const status = await client.status('INBOX', { uidValidity: true });
      const uidValidity = status && status.uidValidity;
      await client.logout();
      const command = [
        'mailbox',
        'update',
        '--uid-validity',
        String(Number(uidValidity) + 7),
        '-u',
        user.user,
        'INBOX',
      ];
      const done = spawnSync(DOVEADM, ['-c', at('dovecot.conf'), ...command], { ...asOwner, encoding: 'utf8' });
      if (done.status !== 0) throw new Error(done.stderr);
    },
    ...(bare
      ? {}
      : {
          token({ user }: User) {
            for (const [token, name] of tokens) if (name === user) tokens.delete(token);
            const token = `token-${user}-${tokens.size}-${Math.random().toString(36).slice(2)}`;
            tokens.set(token, user);
            return token;
          },
        }),
    away,
    back,
    async close() {
      delivering.close();
      await away();
      judge.close();
    },
  };
}
