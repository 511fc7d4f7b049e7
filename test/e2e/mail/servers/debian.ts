import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Whether this process may run servers that change their user, and give them a view of the file system of their own.
 */
export const root = process.getuid?.() === 0;

/**
 * Debian's packages of the servers that are installed; `apt-get install -y --no-install-recommends` of these is all the
 * preparation there is.
 */
export const PACKAGES = [
  'dovecot-core',
  'dovecot-imapd',
  'dovecot-lmtpd',
  'dovecot-sieve',
  'dovecot-managesieved',
  'postfix',
];
/** Programs of those packages. */
export const DOVECOT = '/usr/sbin/dovecot';
export const DOVEADM = '/usr/bin/doveadm';
export const POSTFIX = '/usr/sbin/postfix';
const LMTPD = '/usr/lib/dovecot/lmtp';
const IMAPD = '/usr/lib/dovecot/imap';
const SIEVED = '/usr/lib/dovecot/managesieve';

const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C' };
/**
 * Runs apt-get; brings its lists up to date and tries again where that fails, as on a machine that has none. Throws
 * what it said.
 */
function aptGet(args: string[], cwd?: string): string {
  const once = () => spawnSync('apt-get', args, { env, cwd, encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 });
  let done = once();
  if (done.status !== 0) {
    spawnSync('apt-get', ['update'], { env });
    done = once();
  }
  if (done.status !== 0)
    throw new Error(`apt-get ${args.join(' ')} failed:\n${done.stdout.slice(-1000)}\n${done.stderr.slice(-1000)}`);
  return done.stdout;
}

/**
 * Installs Dovecot and Postfix where they are missing, without starting a system service. Throws what to type where it
 * may not.
 */
export function installServers(): void {
  if ([DOVECOT, POSTFIX, LMTPD, IMAPD, SIEVED].every(existsSync)) return;
  const command = ['install', '-y', '--no-install-recommends', ...PACKAGES];
  if (!root || !existsSync('/usr/bin/apt-get'))
    throw new Error(`The real mail servers are missing. As root: apt-get ${command.join(' ')}`);
  console.error(`Installing ${PACKAGES.join(', ')} (once) ...`);
  // Debian asks this program whether a package may start its service; 101 is no (invoke-rc.d(8)).
  const policy = '/usr/sbin/policy-rc.d';
  const own = !existsSync(policy);
  if (own) writeFileSync(policy, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  try {
    spawnSync('debconf-set-selections', { input: 'postfix postfix/main_mailer_type select No configuration\n', env });
    aptGet(command);
  } finally {
    if (own) rmSync(policy);
  }
}

const CACHE = join(import.meta.dirname, '../../../../.cache/mail-servers');

/**
 * Downloads packages with all they depend on that is not installed, and unpacks them into a folder of their own;
 * nothing is installed, because Debian lets a machine have one IMAP server and one SMTP server only. Gives the folder;
 * the second time it is there at once.
 */
export function unpacked(name: string, packages: readonly string[]): string {
  const tree = join(CACHE, name);
  const fresh = `${tree}.${process.pid}`;
  if (existsSync(tree)) return tree;
  console.error(`Unpacking ${packages.join(', ')} (once) ...`);
  mkdirSync(join(fresh, '.packages'), { recursive: true });
  // Only what would be new: "Inst name (version ...". Those with "[old version]" are there already, and good enough.
  const missing = [
    ...aptGet(['install', '-s', '-y', '--no-install-recommends', ...packages]).matchAll(/^Inst (\S+) \(/gm),
  ].map(([, one]) => one!);
  aptGet(
    ['download', '-o', 'APT::Sandbox::User=root', ...new Set([...missing, ...packages])],
    join(fresh, '.packages'),
  );
  for (const file of readdirSync(join(fresh, '.packages'))) {
    const done = spawnSync('dpkg', ['-x', join(fresh, '.packages', file), fresh], { encoding: 'utf8' });
    if (done.status !== 0) throw new Error(`${file} cannot be unpacked: ${done.stderr}`);
  }
  rmSync(join(fresh, '.packages'), { recursive: true });
  renameSync(fresh, tree);
  return tree;
}

const MULTIARCH = `${{ x64: 'x86_64', arm64: 'aarch64' }[process.arch as string] ?? process.arch}-linux-gnu`;
/** Where the libraries of an unpacked tree lie, as LD_LIBRARY_PATH takes it. */
export const librariesOf = (tree: string, ...more: string[]): string =>
  [`usr/lib/${MULTIARCH}`, `lib/${MULTIARCH}`, ...more].map(path => join(tree, path)).join(':');
/** Where SASL's mechanisms lie, unpacked or installed. */
export const saslOf = (tree: string): string =>
  [join(tree, `usr/lib/${MULTIARCH}/sasl2`), `/usr/lib/${MULTIARCH}/sasl2`].join(':');
