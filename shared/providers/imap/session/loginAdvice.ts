import type { Endpoint } from '../account/fields.js';

/**
 * What a refused login means beyond that it was refused, and what to do; `forbidden` where the password may well be
 * right.
 */
export interface LoginAdvice {
  code: 'unauthorized' | 'forbidden';
  advice?: string;
}

/** The words of servers, the most telling first; each stands in the tests with where it was seen. */
const SAID: [words: RegExp, advice: (end: Endpoint) => string, code: LoginAdvice['code']][] = [
  [
    /application.{0,3}specific password|app(lication)?[ -]?passwor[dt]|parol prilozheniya|InvalidSecondFactor/i,
    () =>
      'Make an app password (a password for one program alone) in the security settings of the mail account, and enter it in place of the usual one.',
    'unauthorized',
  ],
  [
    /invalid credentials or (imap|smtp|pop3?) is disabled/i,
    ({ side }) =>
      `Check the password, which may have to be an app password, and switch ${side} on ` +
      "in the settings of the mail account, at the provider's web site.",
    'unauthorized',
  ],
  [
    /basic auth(entication)? is (disabled|not)|basicauthblocked/i,
    () => 'The provider takes no passwords from programs any more: use an account with OAuth 2.',
    'unauthorized',
  ],
  [
    /smtpclientauthentication is disabled/i,
    () =>
      'An administrator of the organisation has to allow SMTP AUTH for this mailbox (https://aka.ms/smtp_auth_disabled).',
    'forbidden',
  ],
  [
    /(not|yet to be|yet to) enabled? (for )?(imap|smtp)|(imap|smtp)( access| service)? (is |has been )?(disabled|not (enabled|allowed|permitted|activated))/i,
    ({ side }) =>
      `Switch ${side} on in the settings of the mail account at the provider's web site, or ask its administrator.`,
    'forbidden',
  ],
  [
    /web ?browser|web ?login|webalert|unusual|to unblock|suspicious/i,
    () => "Sign in once at the provider's web site, follow what it says there, and try again.",
    'forbidden',
  ],
  [
    /account .{0,20}(locked|suspended|blocked|disabled|expired|inactive|closed)|user is disabled/i,
    () => 'The provider has locked the account: see its web site, or ask its administrator.',
    'forbidden',
  ],
  [
    /auth005|too many (bad|failed|invalid)/i,
    () =>
      'Wait before you try again, because each try prolongs the lock. The provider may want an app password in place of the usual one.',
    'unauthorized',
  ],
];
/** Providers that refuse the usual password, or every program until that was switched on, without saying so. */
const SILENT: [host: RegExp, advice: string][] = [
  [
    /(^|\.)(gmail|googlemail|yahoo|aol|me|icloud|fastmail|yandex|mail|zoho)\.(com|co\.jp|eu|in|ru|net)(\.\w+)?$/i,
    'Check user and password: this provider takes an app password from programs, not the usual one.',
  ],
  [
    /(^|\.)(gmx|web)\.(net|com|de|at|ch)$/i,
    'Check user and password, and whether access by POP3 and IMAP is switched on in the settings of the mail account.',
  ],
];

/** Reads a refused login. `words` are the server's. */
export function loginAdvice(words: string, end: Endpoint): LoginAdvice {
  const said = SAID.find(([one]) => one.test(words));
  if (said) return { code: said[2], advice: said[1](end) };
  const advice = SILENT.find(([host]) => host.test(end.host))?.[1];
  return { code: 'unauthorized', ...(advice && !end.oauth2 ? { advice } : {}) };
}
