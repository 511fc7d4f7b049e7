import { createHash } from 'node:crypto';
import { isIP } from 'node:net';
import { parseAddress } from '../../../address.js';
import { invalidField, MailError } from '../../../errors.js';
import { choice, list, number, text, type Values } from '../../../fields.js';
import { auth, type Context } from '../../../provider.js';
import type { Hide } from '../../../secrets.js';

type Security = 'tls' | 'starttls' | 'none';
const SECURITY = { tls: 'TLS from the Start', starttls: 'STARTTLS', none: 'None (This Machine Only)' } as const;

interface Side {
  host: string;
  port: number;
  security: Security;
}
interface Preset {
  imap?: Side;
  smtp: Side;
  savesSent?: boolean;
  anyPassword?: boolean;
}
const tls = (host: string, port: number): Side => ({ host, port, security: 'tls' });
const inClear = (port: number): Side => ({ host: '127.0.0.1', port, security: 'none' });
const starttls = (host: string): Side => ({ host, port: 587, security: 'starttls' });

/**
 * Hosts and ports as the makers publish them. `savesSent`: the server itself keeps a copy of what is sent (Gmail,
 * Exchange Online). Microsoft offers no implicit TLS for submission; the others do (RFC 8314 section 3.3).
 * `anyPassword`: a program for tests on this machine, which asks for no password or takes any.
 */
const PRESETS = {
  rackspace: { imap: tls('secure.emailsrvr.com', 993), smtp: tls('secure.emailsrvr.com', 465) },
  gmail: { imap: tls('imap.gmail.com', 993), smtp: tls('smtp.gmail.com', 465), savesSent: true },
  microsoft365: { imap: tls('outlook.office365.com', 993), smtp: starttls('smtp.office365.com'), savesSent: true },
  yahoo: { imap: tls('imap.mail.yahoo.com', 993), smtp: tls('smtp.mail.yahoo.com', 465) },
  icloud: { imap: tls('imap.mail.me.com', 993), smtp: starttls('smtp.mail.me.com') },
  fastmail: { imap: tls('imap.fastmail.com', 993), smtp: tls('smtp.fastmail.com', 465) },
  scaleway: { imap: tls('imap.mailbox.scw.eu', 993), smtp: tls('smtp.mailbox.scw.eu', 465) },
  // Neither has IMAP: https://mailpit.axllent.org/docs/configuration/smtp/ and
  // https://github.com/mailhog/MailHog/blob/master/docs/CONFIG.md
  mailpit: { smtp: inClear(1025), anyPassword: true },
  mailhog: { smtp: inClear(1025), anyPassword: true },
  // https://greenmail-mail-test.github.io/greenmail/#deploy_docker_standalone: its ports for tests are the usual ones
  // and 3000.
  greenmail: { imap: inClear(3143), smtp: inClear(3025) },
  // https://github.com/rnwood/smtp4dev/wiki/Configuration: 25 and 143, where it may have them.
  smtp4dev: { imap: inClear(143), smtp: inClear(25), anyPassword: true },
} as const satisfies Record<string, Preset>;

/**
 * Domains whose mail is with one of them alone, as their makers say. Microsoft's are not here: what its personal
 * accounts take is no password.
 */
const DOMAINS: Readonly<Record<string, keyof typeof PRESETS>> = {
  'gmail.com': 'gmail',
  'googlemail.com': 'gmail',
  'yahoo.com': 'yahoo',
  'ymail.com': 'yahoo',
  'rocketmail.com': 'yahoo',
  'icloud.com': 'icloud',
  'me.com': 'icloud',
  'mac.com': 'icloud',
  'fastmail.com': 'fastmail',
  'fastmail.fm': 'fastmail',
};
/** What is chosen, or, where no host was given, what the address says. */
function presetOf({ preset, user, imapHost, smtpHost }: Values<typeof account.fields>): Preset | undefined {
  if (preset !== 'custom') return PRESETS[preset];
  const domain = user.slice(user.lastIndexOf('@') + 1).toLowerCase();
  return imapHost || smtpHost || !Object.hasOwn(DOMAINS, domain) ? undefined : PRESETS[DOMAINS[domain]!];
}

/** Hosts that keep a copy by themselves, where no preset was chosen. */
const SAVES_SENT = /(^|\.)(gmail\.com|googlemail\.com|office365\.com|outlook\.com)$/i;

/** What an account is asked for. */
export const account = auth({
  fields: {
    preset: choice(
      'Provider',
      {
        custom: 'Other',
        rackspace: 'Rackspace Email',
        gmail: 'Gmail',
        microsoft365: 'Microsoft 365',
        yahoo: 'Yahoo Mail',
        icloud: 'iCloud Mail',
        fastmail: 'Fastmail',
        scaleway: 'Scaleway Mailbox',
        mailpit: 'Mailpit (This Machine)',
        mailhog: 'MailHog (This Machine)',
        greenmail: 'GreenMail (This Machine)',
        smtp4dev: 'smtp4dev (This Machine)',
      },
      {
        default: 'custom',
        help:
          'Fills in hosts and ports wherever they are left empty. With Other and no host, the address of the user tells ' +
          'them for Gmail, Yahoo, iCloud and Fastmail.',
      },
    ),
    user: text('User', {
      required: true,
      maxLength: 320,
      example: 'ann@example.com',
      help: 'The login name, for most providers the whole address.',
    }),
    authentication: choice('Authentication', { password: 'Password', oauth2: 'OAuth 2' }, { default: 'password' }),
    password: text('Password', {
      secret: true,
      maxLength: 1000,
      help: 'For Gmail, Yahoo and iCloud this is an app password.',
    }),
    imapHost: text('IMAP Host', {
      format: 'host',
      group: 'IMAP',
      example: 'imap.example.com',
      help: 'Leave it empty for an account that only sends.',
    }),
    imapPort: number('IMAP Port', {
      min: 1,
      max: 65535,
      group: 'IMAP',
      help: 'Usually 993 with TLS and 143 with STARTTLS.',
    }),
    imapSecurity: choice('IMAP Security', SECURITY, {
      group: 'IMAP',
      help: 'Left empty, STARTTLS on port 143 and TLS on other ports, unless the provider uses another.',
    }),
    smtpHost: text('SMTP Host', {
      format: 'host',
      group: 'SMTP',
      example: 'smtp.example.com',
      help: 'Leave it empty for an account that only reads.',
    }),
    smtpPort: number('SMTP Port', {
      min: 1,
      max: 65535,
      group: 'SMTP',
      help: 'Usually 465 with TLS and 587 with STARTTLS.',
    }),
    smtpSecurity: choice('SMTP Security', SECURITY, {
      group: 'SMTP',
      help: 'Left empty, STARTTLS on ports 587 and 25 and TLS on other ports, unless the provider uses another.',
    }),
    smtpUser: text('SMTP User', {
      maxLength: 320,
      group: 'SMTP',
      help: 'Only where sending needs another login than reading.',
    }),
    smtpPassword: text('SMTP Password', {
      secret: true,
      maxLength: 1000,
      group: 'SMTP',
      help: 'Only where sending needs another login than reading.',
    }),
    sieveHost: text('Sieve Host', {
      format: 'host',
      group: 'Sieve',
      example: 'imap.example.com',
      help: 'Where the rules on the server are kept (ManageSieve). Left empty, it is the IMAP host, where no provider is chosen above.',
    }),
    sievePort: number('Sieve Port', { min: 1, max: 65535, group: 'Sieve', help: 'Usually 4190.' }),
    sieveSecurity: choice('Sieve Security', SECURITY, { group: 'Sieve', help: 'Usually STARTTLS.' }),
    // No protocol of such an account tells its other addresses: not IMAP, SMTP or ManageSieve, and the access tokens
    // are for mail alone. What the server delivered a message for is read from the message, besides
    // (messages/parent.ts).
    ownAddresses: list('Own Addresses', text('Address', { maxLength: 320, pattern: '^[^\\s@]*@[^\\s@]+$' }), {
      maxItems: 500,
      group: 'Addresses',
      example: 'support@example.com, @example.net',
      help: 'Other addresses that bring mail to this account, such as aliases. @example.net stands for a whole domain. Replies never go to them.',
    }),
    allowedCertificate: text('Allowed Certificate', {
      lines: 6,
      maxLength: 20_000,
      group: 'Security',
      help: 'A certificate to accept beside those the system trusts, as PEM text or as its SHA-256 fingerprint.',
    }),
  },
  oauth2Choice: {
    field: 'authentication',
    value: 'oauth2',
    by: 'preset',
    grants: {
      // https://developers.google.com/workspace/gmail/imap/xoauth2-protocol; offline access is what brings a refresh
      // token.
      gmail: {
        authorizeUrl: 'https://accounts.google.com/o/oauth2/v2/auth',
        tokenUrl: 'https://oauth2.googleapis.com/token',
        scopes: ['https://mail.google.com/'],
        parameters: 'access_type=offline&prompt=consent',
      },
      // https://learn.microsoft.com/exchange/client-developer/legacy-protocols/how-to-authenticate-an-imap-pop-smtp-application-by-using-oauth
      microsoft365: {
        authorizeUrl: 'https://login.microsoftonline.com/common/oauth2/v2.0/authorize',
        tokenUrl: 'https://login.microsoftonline.com/common/oauth2/v2.0/token',
        scopes: [
          'https://outlook.office.com/IMAP.AccessAsUser.All',
          'https://outlook.office.com/SMTP.Send',
          'offline_access',
        ],
      },
    },
  },
});

/** One side of an account, ready to connect. */
export interface Endpoint extends Side {
  side: 'IMAP' | 'SMTP' | 'Sieve';
  user: string;
  password: string;
  oauth2: boolean;
  allowed?: Allowed;
  /** Takes the secrets of the account out of a server's words. */
  hide?: Hide;
}
/** A certificate the user vouches for: its SHA-256 fingerprint in lower-case hex, and its PEM where that was given. */
interface Allowed {
  fingerprint?: string;
  pem?: string;
}
/**
 * An account as the operations use it. `key` names it for shared connections: it changes with every secret and reveals
 * none.
 */
interface Settings {
  key: string;
  user: string;
  imap?: Endpoint;
  smtp?: Endpoint;
  sieve?: Endpoint;
  savesSent: boolean;
  address?: string;
  /** The addresses of the account as far as they are known; one that begins with `@` is a whole domain. */
  own: string[];
}

const known = new WeakMap<object, Settings>();

/** Reads and checks the account. Throws `invalid_input` before anything is sent. */
export function settingsOf(ctx: Context): Settings {
  const found = known.get(ctx.account);
  if (found) return found;
  const values = ctx.account as Values<typeof account.fields>;
  const preset = presetOf(values);
  const refuse = (field: string, message: string) => {
    throw invalidField(field, message);
  };
  const allowed = allowedOf(values.allowedCertificate, refuse);
  const oauth2 = values.authentication === 'oauth2';
  const side = (name: 'IMAP' | 'SMTP'): Endpoint | undefined => {
    const own =
      name === 'IMAP'
        ? { host: values.imapHost, port: values.imapPort, security: values.imapSecurity }
        : { host: values.smtpHost, port: values.smtpPort, security: values.smtpSecurity };
    const given = preset?.[name === 'IMAP' ? 'imap' : 'smtp'];
    const host = own.host ?? given?.host;
    if (!host) return undefined;
    const from = own.host ? undefined : given;
    const security =
      own.security ?? from?.security ?? (own.port === 143 || own.port === 587 || own.port === 25 ? 'starttls' : 'tls');
    const port =
      own.port ?? from?.port ?? (name === 'IMAP' ? (security === 'tls' ? 993 : 143) : security === 'tls' ? 465 : 587);
    if (security === 'none' && !isLoopback(host)) {
      refuse(
        name === 'IMAP' ? 'imapSecurity' : 'smtpSecurity',
        `Without TLS the password would cross the network readable, so ${name} may only be used that way on this machine (localhost), not with ${host}.`,
      );
    }
    const user = name === 'SMTP' && values.smtpUser ? values.smtpUser : values.user;
    const password =
      (name === 'SMTP' && values.smtpPassword ? values.smtpPassword : values.password) ??
      (preset?.anyPassword ? 'any' : '');
    const own2 = oauth2 && !(name === 'SMTP' && values.smtpPassword);
    if (!own2 && password === '') refuse('password', 'Password is required unless OAuth 2 is chosen.');
    return { side: name, host, port, security, user, password, oauth2: own2, ...(allowed ? { allowed } : {}) };
  };
  const imap = side('IMAP');
  const smtp = side('SMTP');
  const sieve = sieveSide(values, imap, allowed, refuse);
  const { hide } = ctx;
  if (hide) for (const end of [imap, smtp, sieve]) if (end) end.hide = hide;
  if (!imap && !smtp) refuse('imapHost', 'The account has neither an IMAP host nor an SMTP host.');
  // Everything that makes a login different is in the key, so a changed password never meets a connection made with the
  // old one, and nobody's token one made with another's.
  const key = createHash('sha256')
    .update(JSON.stringify([imap, smtp, ...(oauth2 ? [ctx.key] : [])]))
    .digest('base64url');
  const own = [values.user, values.smtpUser, ...(values.ownAddresses ?? [])].filter(
    one => one !== undefined && (one.startsWith('@') || parseAddress(one)?.email === one),
  ) as string[];
  const address = own.find(one => !one.startsWith('@'));
  const settings: Settings = {
    key,
    user: values.user,
    own,
    savesSent: preset?.savesSent ?? SAVES_SENT.test(smtp?.host ?? ''),
    ...(imap ? { imap } : {}),
    ...(smtp ? { smtp } : {}),
    ...(sieve ? { sieve } : {}),
    ...(address ? { address } : {}),
  };
  known.set(ctx.account, settings);
  return settings;
}

/**
 * Where the rules are kept: at the host given, else at an IMAP host that was given, over STARTTLS as RFC 5804 has it.
 * The makers whose hosts are known here offer no ManageSieve.
 */
function sieveSide(
  values: Values<typeof account.fields>,
  imap: Endpoint | undefined,
  allowed: Allowed | undefined,
  refuse: (field: string, message: string) => void,
): Endpoint | undefined {
  const host = values.sieveHost ?? values.imapHost;
  if (!host) return undefined;
  // An account that reads in clear text on this machine does the same here.
  const security = values.sieveSecurity ?? (!values.sieveHost && imap?.security === 'none' ? 'none' : 'starttls');
  if (security === 'none' && !isLoopback(host))
    refuse(
      'sieveSecurity',
      'Without TLS the password would cross the network readable, ' +
        `so Sieve may only be used that way on this machine (localhost), not with ${host}.`,
    );
  const oauth2 = values.authentication === 'oauth2';
  const password = values.password ?? '';
  if (!oauth2 && password === '') refuse('password', 'Password is required unless OAuth 2 is chosen.');
  return {
    side: 'Sieve',
    host,
    port: values.sievePort ?? 4190,
    security,
    user: values.user,
    password,
    oauth2,
    ...(allowed ? { allowed } : {}),
  };
}

/** The side of the account an operation needs. Throws `invalid_input` where the account has none. */
export function endpoint(ctx: Context, side: 'imap' | 'smtp' | 'sieve'): Endpoint {
  const found = settingsOf(ctx)[side];
  if (!found && side === 'sieve') {
    throw new MailError(
      'unsupported',
      'The account has no Sieve host: its provider is not known to offer rules by ManageSieve.',
      { advice: 'Give Sieve Host in the account if your provider names one.' },
    );
  }
  if (!found) {
    const name = side.toUpperCase();
    throw new MailError(
      'invalid_input',
      `The account has no ${name} host, so it cannot ${side === 'imap' ? 'read' : 'send'} mail.`,
      { issues: [{ field: `${side}Host`, message: `${name} Host is required for this.` }] },
    );
  }
  return found;
}

const isLoopback = (host: string) =>
  host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));

function allowedOf(given: string | undefined, refuse: (field: string, message: string) => void): Allowed | undefined {
  const value = given?.trim();
  if (!value) return undefined;
  if (value.includes('-----BEGIN CERTIFICATE-----')) return { pem: value };
  const hex = value
    .replace(/^sha-?256[:=/ ]*/i, '')
    .replace(/[\s:]/g, '')
    .toLowerCase();
  if (/^[0-9a-f]{64}$/.test(hex)) return { fingerprint: hex };
  refuse(
    'allowedCertificate',
    'Allowed Certificate must be PEM text or a SHA-256 fingerprint of 64 hexadecimal digits.',
  );
  return undefined;
}
