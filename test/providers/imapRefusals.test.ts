import assert from 'node:assert/strict';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { connect, nextStep, providerById, type Client, type MailError } from '../../shared/index.js';
import { closeConnections } from '../../shared/providers/imap/session/imapPool.js';
import { noAnswer } from '../../shared/providers/imap/session/noAnswer.js';
import { loginAdvice } from '../../shared/providers/imap/session/loginAdvice.js';
import { passing, waitIn } from '../../shared/providers/imap/session/refusal.js';
import { closePools } from '../../shared/providers/imap/session/smtpPool.js';
import { selfSigned } from '../../shared/mailServer/imap/certificate.js';
import { startImap, type ScriptedImap } from '../scripted/imap.js';
import { startSmtp, type ScriptedSmtp } from '../scripted/smtp.js';
import { accountOf } from '../scripted/with.js';

const failureOf = async (work: unknown): Promise<MailError> => {
  try {
    await work;
  } catch (error) {
    return error as MailError;
  }
  throw new assert.AssertionError({ message: 'it was not refused' });
};
const MAIL = { to: 'u1@test.local', subject: 's', text: 't', saveToSent: 'no' };

/** What servers answer to a login over IMAP, and what it means; each with where it was seen. */
const IMAP_LOGINS: [answer: string, code: string, source: string][] = [
  [
    'NO [ALERT] Too many simultaneous connections. (Failure)',
    'rate_limited',
    'Gmail, https://github.com/zone-eu/wildduck/issues/35',
  ],
  [
    'NO [UNAVAILABLE] Maximum number of connections from user+IP exceeded (mail_max_userip_connections=16)',
    'rate_limited',
    'Rackspace, https://github.com/mscdex/node-imap/issues/606',
  ],
  [
    'NO Authentication rate limit from one source exceeded',
    'rate_limited',
    'Mailu, https://github.com/Mailu/Mailu/issues/1251',
  ],
  [
    'NO [OVERQUOTA] Account exceeded command or bandwidth limits. (Failure)',
    'rate_limited',
    'Gmail, https://github.com/ljmerza/ha-email-sensor/issues/16',
  ],
  ['NO [LIMIT] Rate limit hit', 'rate_limited', 'RFC 5530 section 3'],
  ['NO [INUSE] Mailbox in use', 'rate_limited', 'RFC 5530 section 3'],
  [
    'BAD User is authenticated but not connected.',
    'unavailable',
    'Office 365, https://github.com/atc0005/check-mail/issues/183',
  ],
  ['NO Server Unavailable. 15', 'unavailable', 'Exchange, https://github.com/lefcha/imapfilter/issues/146'],
  [
    'NO [UNAVAILABLE] LOGIN Service is temporarily not available',
    'unavailable',
    'Yahoo, https://github.com/LukeSmithxyz/mutt-wizard/issues/764',
  ],
  [
    'NO [UNAVAILABLE] Temporary authentication failure. [mail:2026-11-28 10:00:00]',
    'unavailable',
    'Dovecot, https://github.com/chatmail/relay/issues/59',
  ],
  [
    'NO LOGIN Server error - Please try again later',
    'unavailable',
    'Yahoo, https://github.com/joeyates/imap-backup/issues/218',
  ],
  ['NO [OVERQUOTA] Mailbox is over quota', 'unavailable', 'RFC 5530 section 3'],
  [
    'NO [AUTHENTICATIONFAILED] Authentication failed.',
    'unauthorized',
    'Dovecot, https://github.com/jstedfast/MailKit/issues/1923',
  ],
  ['NO [AUTHENTICATIONFAILED] Invalid credentials (Failure)', 'unauthorized', 'Gmail, RFC 5530 section 3'],
  ['NO LOGIN failed.', 'unauthorized', 'Exchange, https://github.com/jstedfast/MailKit/issues/483'],
  [
    'NO Temporary authentication failure (rate-limit)',
    'rate_limited',
    'Mailu, https://github.com/Mailu/Mailu/issues/2283',
  ],
  ['NO too many login attempts', 'rate_limited', 'Proton Mail Bridge, https://github.com/ProtonMail/gluon/pull/349'],
  [
    'NO Incorrect login credentials. Please try again',
    'unauthorized',
    'Proton Mail Bridge, https://github.com/ProtonMail/gluon/pull/349',
  ],
  [
    'NO Incorrect username or password.',
    'unauthorized',
    'Fastmail, https://github.com/Foundry376/Mailspring/issues/2217',
  ],
  [
    'NO [AUTHENTICATIONFAILED] LOGIN Invalid credentials',
    'unauthorized',
    'Yahoo, https://github.com/Enough-Software/enough_mail/issues/245',
  ],
  ['NO Authentication credentials invalid', 'unauthorized', 'Mailu, https://github.com/Mailu/Mailu/issues/2283'],
  ['NO Invalid login or password, please try again', 'unauthorized', 'the words of many'],
];

/** Refused logins that say, or whose host tells, what to do about them. */
const ADVICE: [side: 'imap' | 'smtp', answer: string, code: string, advice: RegExp, source: string][] = [
  [
    'imap',
    'NO [ALERT] Application-specific password required: https://support.google.com/accounts/answer/185833 (Failure)',
    'unauthorized',
    /app password/,
    'Gmail, https://github.com/LukeSmithxyz/mutt-wizard/issues/831',
  ],
  [
    'smtp',
    '534 5.7.9 Application-specific password required. For more information, go to https://support.google.com/mail/?p=InvalidSecondFactor x - gsmtp',
    'unauthorized',
    /app password/,
    'Gmail, https://github.com/bberkay/openmail/issues/1',
  ],
  [
    'imap',
    'NO [ALERT] Please log in via your web browser: https://support.google.com/mail/accounts/answer/78754 (Failure)',
    'forbidden',
    /web site/,
    'Gmail, https://github.com/lovelysystems/robotframework-imaplibrary/issues/23',
  ],
  [
    'imap',
    'NO [ALERT] Your account is not enabled for IMAP use. Please visit your Gmail settings page and enable your account for IMAP access. (Failure)',
    'forbidden',
    /Switch IMAP on/,
    'Gmail, a guess: no public report was at hand',
  ],
  [
    'imap',
    'NO [ALERT] You are yet to enable IMAP for your account. Please contact your administrator (Failure)',
    'forbidden',
    /Switch IMAP on/,
    'Zoho, a guess: no public report was at hand',
  ],
  [
    'imap',
    'NO [AUTHENTICATIONFAILED] LOGIN invalid credentials or IMAP is disabled sc=cYXlpv732Cg1_010534_2-1e59ad28a72c',
    'unauthorized',
    /switch IMAP on/,
    'Yandex, https://github.com/Foundry376/Mailspring/issues/2111',
  ],
  [
    'imap',
    'NO [AUTHENTICATIONFAILED] NEOBHODIM parol prilozheniya https://help.mail.ru/mail/security/protection/external / Aplication password is REQUIRED',
    'unauthorized',
    /app password/,
    'Mail.ru, https://github.com/thunderbird/thunderbird-android/issues/9069',
  ],
  [
    'smtp',
    '535 5.7.0 NEOBHODIM parol prilozheniya https://help.mail.ru/mail/security/protection/external / Application password is REQUIRED',
    'unauthorized',
    /app password/,
    'Mail.ru, https://github.com/lmanukyan/print-designer/issues/5',
  ],
  [
    'smtp',
    '535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant. Visit https://aka.ms/smtp_auth_disabled for more information.',
    'forbidden',
    /administrator/,
    'Microsoft 365, https://github.com/simonrob/email-oauth2-proxy/issues/193',
  ],
  [
    'smtp',
    '535 5.7.139 Authentication unsuccessful, basic authentication is disabled.',
    'unauthorized',
    /OAuth 2/,
    'Outlook.com, https://github.com/nodemailer/nodemailer/issues/1714',
  ],
  [
    'smtp',
    '535 5.7.0 (#AUTH005) Too many bad auth attempts.',
    'unauthorized',
    /prolongs the lock/,
    'Yahoo, https://github.com/PHPMailer/PHPMailer/issues/2034',
  ],
];

/** The same over SMTP, by step. */
const SMTP_REFUSALS: [script: string, code: string, words: RegExp, source: string][] = [
  ['S: 554 5.7.1 You are not welcome here', 'rejected', /refused the connection: 554/, 'RFC 5321 section 3.1'],
  [
    'S: 451 ESMTP MailEnable Service temporarily refused connection because the server is too busy.',
    'unavailable',
    /does not let/,
    'https://github.com/maildev/maildev/issues/96',
  ],
  [
    'S: 421 Too many concurrent SMTP connections; please try again later.',
    'rate_limited',
    /does not let/,
    'Exim, https://github.com/PHPMailer/PHPMailer/issues/2070',
  ],
  [
    'C: AUTH …\nS: 454 4.7.0 Too many login attempts, please try again later. x - gsmtp',
    'rate_limited',
    /does not let/,
    'Gmail, https://github.com/nodemailer/nodemailer/issues/1388',
  ],
  [
    'C: AUTH …\nS: 454 4.7.0 Temporary authentication failure: Connection lost to authentication server',
    'unavailable',
    /does not let/,
    'Postfix, https://github.com/chatmail/relay/issues/441',
  ],
  [
    'C: AUTH …\nS: 535 5.7.8 Username and Password not accepted. Learn more at https://support.google.com/mail/?p=BadCredentials x - gsmtp',
    'unauthorized',
    /refused the login/,
    'Gmail, https://github.com/gophish/gophish/issues/1869',
  ],
  [
    'C: AUTH …\nS: 504 5.7.4 Unrecognized Authentication Type',
    'unauthorized',
    /refused the login/,
    'Gmail, https://github.com/corecode/dma/issues/72',
  ],
  [
    'C: .\nS: 550 5.4.5 Daily user sending quota exceeded. x - gsmtp',
    'rate_limited',
    /cannot take the message now/,
    'Gmail, https://github.com/gen-smtp/gen_smtp/issues/140',
  ],
  [
    'C: .\nS: 552 Message would take you over your relay quota of 500 Current quota used: 487',
    'rate_limited',
    /cannot take the message now/,
    'https://github.com/WWBN/AVideo/issues/7527',
  ],
  [
    'C: .\nS: 552 5.3.4 Message size exceeds fixed limit',
    'rejected',
    /refused the message/,
    'Postfix, RFC 1870 section 6.1',
  ],
  [
    'C: .\nS: 432 4.3.2 Concurrent connections limit exceeded. Visit https://aka.ms/concurrent_sending for more information.',
    'rate_limited',
    /cannot take the message now/,
    'Microsoft 365, https://github.com/sabuhish/fastapi-mail/issues/75',
  ],
  [
    'C: .\nS: 554 5.2.0 STOREDRV.Submission.Exception:SubmissionQuotaExceededException',
    'rate_limited',
    /cannot take the message now/,
    'Microsoft 365, https://github.com/MicrosoftDocs/OfficeDocs-Support/issues/1150',
  ],
  [
    'C: .\nS: 550 5.4.6 Unusual sending activity detected. To unblock click here.',
    'rejected',
    /refused the message/,
    'Zoho, https://github.com/cachethq/cachet/issues/3052',
  ],
  ['C: RCPT …\nS: 552 5.2.2 Mailbox quota exceeded', 'rejected', /quota exceeded/, 'RFC 3463 section 3.3'],
  ['C: MAIL …\nS: 554 5.7.1 Sender address rejected', 'rejected', /refused the message/, 'Postfix'],
];

describe('IMAP and SMTP: refusals', function () {
  this.timeout(60_000);
  const servers: Server[] = [];
  const sockets = new Set<Socket>();
  const listening = async <T extends Server>(server: T): Promise<number> => {
    servers.push(server);
    server.on('connection', socket => {
      sockets.add(socket);
      socket.on('error', () => {}).on('close', () => sockets.delete(socket));
    });
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
    return (server.address() as AddressInfo).port;
  };
  afterEach(async () => {
    closePools();
    closeConnections();
    for (const socket of sockets) socket.destroy();
    await Promise.all(servers.splice(0).map(server => new Promise(resolve => server.close(resolve))));
  });

  for (const [answer, code, source] of IMAP_LOGINS) {
    it(`a login over IMAP answered with ${answer.slice(0, 60)} is ${code} (${source})`, async () => {
      const server = await startImap(`C: LOGIN …\nS: $ ${answer}\nC: AUTHENTICATE …\nS: $ ${answer}`);
      try {
        const error = await failureOf(accountOf(server).call('account.check', {}));
        assert.equal(error.code, code, error.message);
        assert.match(error.message, /^IMAP at 127\.0\.0\.1:\d+ /);
        assert.equal(error.details.retryAfter !== undefined, code !== 'unauthorized');
        assert.equal(server.connections, 1);
      } finally {
        await server.close();
      }
    });
  }

  for (const [script, code, words, source] of SMTP_REFUSALS) {
    it(`SMTP, ${script.split('\n').at(-1)!.slice(3, 60)} is ${code} (${source})`, async () => {
      const server = await startSmtp(script);
      try {
        const login = /AUTH|^S:/.test(script);
        const error = await failureOf(
          login
            ? accountOf(undefined, server).call('account.check', {})
            : accountOf(undefined, server).call('message.send', MAIL),
        );
        assert.equal(error.code, code, error.message);
        assert.match(error.message, words);
        if (login) assert.doesNotMatch(error.message, /the message/);
        assert.equal(server.mails.length, /C: \./.test(script) ? server.mails.length : 0);
      } finally {
        await server.close();
      }
    });
  }

  for (const [side, answer, code, advice, source] of ADVICE) {
    it(`a login answered with ${answer.slice(0, 60)} says what to do (${source})`, async () => {
      const server =
        side === 'imap'
          ? await startImap(`C: LOGIN …\nS: $ ${answer}\nC: AUTHENTICATE …\nS: $ ${answer}`)
          : await startSmtp(`C: AUTH …\nS: ${answer}`);
      try {
        const error = await failureOf(
          (side === 'imap' ? accountOf(server as ScriptedImap) : accountOf(undefined, server as ScriptedSmtp)).call(
            'account.check',
            {},
          ),
        );
        assert.equal(error.code, code, error.message);
        assert.match(nextStep(error), advice);
        assert.equal(server.connections, 1);
      } finally {
        await server.close();
      }
    });
  }
  it('providers that say no more than that a login is refused are known by their hosts', () => {
    const step = (host: string, words: string, oauth2 = false) =>
      loginAdvice(words, { side: 'IMAP', host, port: 993, security: 'tls', user: 'u', password: 'p', oauth2 });
    for (const host of [
      'imap.gmail.com',
      'imap.mail.yahoo.com',
      'imap.mail.me.com',
      'imap.fastmail.com',
      'imap.aol.com',
      'imap.mail.ru',
    ]) {
      assert.match(step(host, 'Invalid credentials').advice!, /app password/, host);
    }
    // https://github.com/jens-maus/yam/issues/638
    for (const host of ['imap.gmx.net', 'imap.web.de'])
      assert.match(step(host, 'authentication failed').advice!, /switched on/, host);
    assert.equal(step('imap.gmail.com', 'Invalid credentials', true).advice, undefined);
    assert.equal(step('mail.example.com', 'Invalid credentials').advice, undefined);
  });

  it('a wait that the server names is the wait', () => {
    assert.equal(waitIn('Suggested Backoff Time: 299876 milliseconds'), 300);
    assert.equal(waitIn('Too many logins, try again in 5 minutes'), 300);
    assert.equal(waitIn('please retry after 30 sec.'), 30);
    assert.equal(waitIn('Locked for 2 hours'), 7200);
    assert.equal(waitIn('Locked for 999999999 hours'), 86_400);
    assert.equal(waitIn('try again later'), undefined);
    assert.equal(passing('Too many connections, wait 20 seconds')?.retryAfter, 20);
  });

  it('nothing passes by itself in a password that is wrong, a message that is too large, or a recipient that is unknown', () => {
    for (const words of [
      '535 5.7.8 Error: authentication failed: ',
      '535 5.7.139 Authentication unsuccessful, basic authentication is disabled.',
      'Application-specific password required',
      '552 5.3.4 Message size exceeds limit',
      '550 5.1.1 Recipient address rejected: User unknown',
      '550 Too many invalid recipients',
      'Mailbox already exists',
      '554 5.7.1 Message rejected as spam',
    ]) {
      assert.equal(passing(words), undefined, words);
    }
  });

  describe('two ways of logging in', () => {
    it('IMAP: the second is tried on the same connection, and is the first the next time', async () => {
      // iCloud, https://github.com/LogicLabs-OU/OpenArchiver/issues/319
      const server = await startImap('C: AUTHENTICATE PLAIN\nS: $ NO [AUTHENTICATIONFAILED] Authentication Failed', {
        capabilities: 'IMAP4rev1 AUTH=ATOKEN AUTH=PLAIN UIDPLUS',
      });
      try {
        const client = accountOf(server);
        await client.call('account.check', {});
        assert.deepEqual(
          [server.heard('AUTHENTICATE').length, server.heard('LOGIN').length, server.connections],
          [1, 1, 1],
        );
        closeConnections();
        await client.call('account.check', {});
        assert.deepEqual(
          [server.heard('AUTHENTICATE').length, server.heard('LOGIN').length, server.connections],
          [1, 2, 2],
        );
      } finally {
        await server.close();
      }
    });

    it('IMAP: a wrong password is tried in two ways and no more, on one connection, and the first refusal is told', async () => {
      const server = await startImap(
        'C: AUTHENTICATE …\nS: $ NO [AUTHENTICATIONFAILED] Wrong, says PLAIN\nC: LOGIN …\nS: $ NO [AUTHENTICATIONFAILED] Wrong, says LOGIN',
        { capabilities: 'IMAP4rev1 AUTH=PLAIN AUTH=LOGIN' },
      );
      try {
        const error = await failureOf(accountOf(server).call('account.check', {}));
        assert.equal(error.code, 'unauthorized');
        assert.match(error.message, /says PLAIN/);
        assert.deepEqual(
          [server.heard('AUTHENTICATE').length, server.heard('LOGIN').length, server.connections],
          [1, 1, 1],
        );
      } finally {
        await server.close();
      }
    });

    // Migadu's proxy, https://github.com/pimalaya/himalaya/issues/625; others say why before they close,
    // https://github.com/thunderbird/thunderbird-android/pull/2144
    for (const [what, answer] of [
      ['without a word', 'S: <close>'],
      ['behind its refusal', 'S: $ NO [AUTHENTICATIONFAILED] no\nS: * BYE bye\nS: <close>'],
    ] as const) {
      it(`IMAP: the second is tried on another connection where the server ends the first ${what}, and is the first the next time`, async () => {
        const server = await startImap(`C: AUTHENTICATE …\n${answer}`, { capabilities: 'IMAP4rev1 AUTH=PLAIN' });
        try {
          const client = accountOf(server);
          await client.call('account.check', {});
          assert.deepEqual(
            [server.heard('AUTHENTICATE').length, server.heard('LOGIN').length, server.connections],
            [1, 1, 2],
          );
          closeConnections();
          await client.call('account.check', {});
          assert.deepEqual(
            [server.heard('AUTHENTICATE').length, server.heard('LOGIN').length, server.connections],
            [1, 2, 3],
          );
        } finally {
          await server.close();
        }
      });
    }
    it('IMAP: a server that ends the connection at every login is tried twice and no more', async () => {
      const server = await startImap(
        'C: AUTHENTICATE …\nS: <close>\nC: LOGIN …\nS: $ NO [AUTHENTICATIONFAILED] Wrong\nS: <close>',
        { capabilities: 'IMAP4rev1 AUTH=PLAIN' },
      );
      try {
        assert.equal((await failureOf(accountOf(server).call('account.check', {}))).code, 'unauthorized');
        assert.deepEqual(
          [server.heard('AUTHENTICATE').length, server.heard('LOGIN').length, server.connections],
          [1, 1, 2],
        );
      } finally {
        await server.close();
      }
    });
    it('IMAP: one that ends it because there are too many is not tried again', async () => {
      const server = await startImap('C: AUTHENTICATE …\nS: * BYE Too many connections\nS: <close>', {
        capabilities: 'IMAP4rev1 AUTH=PLAIN',
      });
      try {
        assert.equal((await failureOf(accountOf(server).call('account.check', {}))).code, 'rate_limited');
        assert.equal(server.connections, 1);
      } finally {
        await server.close();
      }
    });

    it('IMAP: where the command is switched off, the mechanisms are tried in the order of the server', async () => {
      const server = await startImap('C: AUTHENTICATE LOGIN\nS: $ NO not this way', {
        capabilities: 'IMAP4rev1 LOGINDISABLED AUTH=LOGIN AUTH=PLAIN',
      });
      try {
        await accountOf(server).call('account.check', {});
        assert.deepEqual(server.heard('AUTHENTICATE'), ['AUTHENTICATE LOGIN', 'AUTHENTICATE PLAIN']);
        assert.equal(server.heard('LOGIN').length, 0);
      } finally {
        await server.close();
      }
    });

    // https://github.com/hkdb/aerion/issues/355; Naver refuses with 553, https://github.com/andris9/simplesmtp/pull/7
    for (const [what, answer] of [
      ['without a word', 'S: <close>'],
      ['behind its refusal', 'S: 553 5.3.0 Auth failure\nS: <close>'],
    ] as const) {
      it(`SMTP: the second is tried on another connection where the server ends the first ${what}`, async () => {
        const server = await startSmtp(`C: AUTH PLAIN…\n${answer}`, { ehlo: ['AUTH PLAIN LOGIN'] });
        try {
          await accountOf(undefined, server).call('message.send', MAIL);
          const tried = server.log.filter(line => line.startsWith('C: AUTH')).map(line => line.split(' ')[2]);
          assert.deepEqual([tried, server.connections, server.mails.length], [['PLAIN', 'LOGIN'], 2, 1]);
        } finally {
          await server.close();
        }
      });
    }
    it('SMTP: a server that ends the connection at every login is tried twice and no more', async () => {
      const server = await startSmtp('C: AUTH …\nS: 535 5.7.8 Wrong\nS: <close>', { ehlo: ['AUTH PLAIN LOGIN'] });
      try {
        assert.equal((await failureOf(accountOf(undefined, server).call('message.send', MAIL))).code, 'unauthorized');
        assert.deepEqual(
          server.log.filter(line => line.startsWith('C: AUTH')).map(line => line.split(' ')[2]),
          ['PLAIN', 'LOGIN'],
        );
      } finally {
        await server.close();
      }
    });

    for (const [offer, first, second] of [
      ['AUTH PLAIN LOGIN', 'PLAIN', 'LOGIN'],
      ['AUTH LOGIN CRAM-MD5 PLAIN', 'LOGIN', 'PLAIN'],
    ] as const) {
      it(`SMTP: ${second} where ${first} is refused`, async () => {
        const server = await startSmtp(`C: AUTH ${first}…\nS: 535 5.7.8 Not this way`, { ehlo: [offer] });
        try {
          const client = accountOf(undefined, server);
          await client.call('message.send', MAIL);
          const tried = () => server.log.filter(line => line.startsWith('C: AUTH')).map(line => line.split(' ')[2]);
          assert.deepEqual([tried(), server.connections, server.mails.length], [[first, second], 1, 1]);
          closePools();
          await client.call('message.send', MAIL);
          assert.deepEqual(tried(), [first, second, second]);
        } finally {
          await server.close();
        }
      });
    }
  });

  describe('TLS and clear text taken for each other', () => {
    const client = (side: 'imap' | 'smtp', port: number, security: string): Client =>
      connect(
        providerById('imap'),
        {
          user: 'u0@test.local',
          password: 'pass0',
          [`${side}Host`]: 'localhost',
          [`${side}Port`]: port,
          [`${side}Security`]: security,
        },
        { resolve: async () => '127.0.0.1' },
      );

    it('is told with the setting to change, and never in words of OpenSSL', async () => {
      const { cert, key } = selfSigned();
      const tls = createTlsServer({ cert, key });
      tls.on('tlsClientError', () => {});
      const secure = await listening(tls);
      const imap = await startImap('');
      const smtp = await startSmtp();
      try {
        const cases: ['imap' | 'smtp', number, string, RegExp][] = [
          ['imap', imap.port, 'tls', /does not speak TLS from the start.*Set IMAP Security to STARTTLS/],
          ['imap', imap.port, 'starttls', /does not offer STARTTLS/],
          ['smtp', smtp.port, 'tls', /does not speak TLS from the start.*Set SMTP Security to STARTTLS/],
          ['smtp', smtp.port, 'starttls', /does not offer STARTTLS/],
          ['imap', secure, 'starttls', /expects TLS from the start.*Set IMAP Security to TLS/],
          ['imap', secure, 'none', /expects TLS from the start/],
          ['smtp', secure, 'starttls', /expects TLS from the start.*Set SMTP Security to TLS/],
          ['smtp', secure, 'none', /expects TLS from the start/],
        ];
        const errors = await Promise.all(
          cases.map(([side, port, security]) => failureOf(client(side, port, security).call('account.check', {}))),
        );
        errors.forEach((error, i) => {
          assert.equal(error.code, 'unavailable');
          assert.match(error.message, cases[i]![3]);
          assert.doesNotMatch(error.message, /SSL|routines|wrong version|ESOCKET|GREETING_TIMEOUT/);
        });
        assert.doesNotMatch(
          [...imap.log, ...smtp.log].filter(line => line.startsWith('C: ')).join('\n'),
          /C: AUTH|LOGIN|pass0/,
        );
      } finally {
        await Promise.all([imap.close(), smtp.close()]);
      }
    });
  });

  it('a connection that is refused is told once, on both sides', async () => {
    const port = await listening(createServer(() => {}));
    await new Promise(resolve => {
      servers.pop()!.close(resolve);
    });
    for (const side of ['imap', 'smtp'] as const) {
      const { code, message } = await failureOf(
        connect(
          providerById('imap'),
          {
            user: 'u0@test.local',
            password: 'pass0',
            [`${side}Host`]: 'localhost',
            [`${side}Port`]: port,
            [`${side}Security`]: 'none',
          },
          { resolve: async () => '127.0.0.1' },
        ).call('account.check', {}) as Promise<unknown>,
      );
      assert.equal(code, 'unavailable');
      assert.equal(message, `${side.toUpperCase()} at localhost:${port} refuses connections (ECONNREFUSED).`);
    }
  });

  // The names are those of imapflow's errors.js and of nodemailer's smtp-connection.
  for (const [code, message, said] of [
    [
      'GREETING_TIMEOUT',
      'Failed to receive greeting from server in required time. Maybe should use TLS?',
      'IMAP at h:1 took the connection, but sent no greeting in time. Check the port and the security.',
    ],
    [
      'ETIMEDOUT',
      'Greeting never received',
      'IMAP at h:1 took the connection, but sent no greeting in time. Check the port and the security.',
    ],
    ['CONNECT_TIMEOUT', 'Failed to establish connection in required time', 'IMAP at h:1 took no connection in time.'],
    [
      'UPGRADE_TIMEOUT',
      'Failed to upgrade connection in required time',
      'IMAP at h:1 did not begin TLS in time. Check the port and the security.',
    ],
    ['ETIMEOUT', 'Socket timeout', 'IMAP at h:1 went silent.'],
    ['NoConnection', 'Connection not available', 'IMAP at h:1 closed the connection.'],
    ['ECONNECTION', 'Connection closed unexpectedly', 'IMAP at h:1 closed the connection (ECONNECTION).'],
    ['ECONNRESET', 'read ECONNRESET', 'IMAP at h:1 closed the connection (ECONNRESET).'],
    ['ESOCKET', 'getaddrinfo ENOTFOUND h', 'The name h was not found (ENOTFOUND).'],
    ['ESOCKET', 'connect EHOSTUNREACH 10.0.0.1:1', 'There is no way to IMAP at h:1 (EHOSTUNREACH).'],
    ['ENEW', 'something else', 'IMAP at h:1 did not answer: ENEW, something else.'],
  ] as const)
    it(`${code}, "${message}" is told in plain words`, () =>
      assert.equal(noAnswer('IMAP at h:1', 'h', { code, message }), said));

  describe('giving up', () => {
    const silent = () => listening(createServer(() => {}));
    const within = async (run: (signal: AbortSignal) => Promise<unknown>, reached: () => Promise<void>) => {
      const over = new AbortController();
      const work = failureOf(run(over.signal));
      await reached();
      const at = performance.now();
      over.abort(new Error('enough'));
      assert.match((await work).message, /enough/);
      assert.ok(performance.now() - at < 1000, `${performance.now() - at} ms`);
    };
    const connection = () =>
      new Promise<void>(resolve => servers.at(-1)!.once('connection', () => setImmediate(resolve)));
    const run =
      (side: 'imap' | 'smtp', port: number, security: string, resolve: () => Promise<string>, more = {}) =>
      (signal: AbortSignal) =>
        connect(
          providerById('imap'),
          {
            user: 'u0@test.local',
            password: 'pass0',
            [`${side}Host`]: 'localhost',
            [`${side}Port`]: port,
            [`${side}Security`]: security,
            ...more,
          },
          { resolve, signal },
        ).call('account.check', {}) as Promise<unknown>;

    for (const side of ['imap', 'smtp'] as const) {
      it(`${side}: is felt within a second while a name is looked up`, async () => {
        let asked!: () => void;
        const looked = new Promise<void>(resolve => {
          asked = resolve;
        });
        await within(
          run(side, 1, 'tls', () => {
            asked();
            return new Promise(() => {});
          }),
          () => looked,
        );
      });
      for (const [what, security, greeting] of [
        ['connecting', 'none', ''],
        ['the TLS handshake', 'tls', ''],
        ['STARTTLS', 'starttls', side === 'imap' ? '* OK [CAPABILITY IMAP4rev1 STARTTLS] hi\r\n' : '220 hi\r\n'],
      ] as const) {
        it(`${side}: is felt within a second during ${what}`, async () => {
          let reached: () => Promise<void> = connection;
          let port;
          if (greeting) {
            let heard!: () => void;
            const upgrading = new Promise<void>(resolve => {
              heard = resolve;
            });
            // Says yes to STARTTLS, and nothing more.
            port = await listening(
              createServer(socket => {
                socket.write(greeting);
                socket.on('data', data => {
                  const text = data.toString('latin1');
                  if (/^EHLO/.test(text)) socket.write('250-x\r\n250 STARTTLS\r\n');
                  else if (/^STARTTLS/.test(text)) {
                    socket.write('220 go\r\n');
                    heard();
                  } else if (/ STARTTLS/i.test(text)) {
                    socket.write(`${text.split(' ')[0]} OK go\r\n`);
                    heard();
                  } else if (/ CAPABILITY/i.test(text))
                    socket.write(`* CAPABILITY IMAP4rev1 STARTTLS\r\n${text.split(' ')[0]} OK\r\n`);
                });
              }),
            );
            reached = () => upgrading;
          } else port = await silent();
          await within(
            run(side, port, security, async () => '127.0.0.1'),
            reached,
          );
        });
      }
      it(`${side}: is felt within a second while the certificate is looked at beforehand`, async () => {
        const port = await silent();
        await within(
          run(side, port, 'tls', async () => '127.0.0.1', { allowedCertificate: 'ab'.repeat(32) }),
          connection,
        );
      });
    }
  });
});
