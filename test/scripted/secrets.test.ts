import assert from 'node:assert/strict';
import { inspect } from 'node:util';
import fc from 'fast-check';
import { connect, providerById, take, type Exchange } from '../../shared/index.js';
import { closeConnections } from '../../shared/providers/imap/session/imapPool.js';
import { closeSieve } from '../../shared/providers/imap/sieve/session.js';
import { startSieve } from '../sandbox/sieve.js';
import { secretText, seenIn, SPELLINGS } from '../core/spellings.js';
import { startImap } from './imap.js';
import { startSmtp } from './smtp.js';
import { idOf } from './with.js';

type Any = any;
const USER = 'u0@test.local';
/** What a server says of a login that no encoder of a vendor makes: the login's own bytes, on one line. */
const LOGINS: Record<string, (secret: string) => string> = {
  ...SPELLINGS,
  'base64 of AUTHENTICATE PLAIN': secret => Buffer.from(`\0${USER}\0${secret}`).toString('base64'),
  'base64 of XOAUTH2': secret => Buffer.from(`user=${USER}\x01auth=Bearer ${secret}\x01\x01`).toString('base64'),
  'a LOGIN command': secret => `LOGIN ${USER} "${secret.replace(/["\\]/g, '\\$&')}"`,
};
const onOneLine = (text: string) => text.replace(/\r?\n/g, ' ').replace(/…/g, '.');

/** Where an IMAP server says it; § stands for what is said. */
const IMAP: Record<string, string> = {
  'the greeting': 'S: * OK §',
  'a greeting that sends away': 'S: * BYE §',
  'a greeting that is none': 'S: §\nS: <close>',
  'a greeting without a star': 'S: + §\nS: <close>',
  'a refused login': 'C: AUTHENTICATE …\nS: $ NO [AUTHENTICATIONFAILED] §\nC: LOGIN …\nS: $ NO §',
  'a login that is not understood': 'C: AUTHENTICATE …\nS: $ BAD §\nC: LOGIN …\nS: $ BAD §',
  'a login that is not let in now': 'C: AUTHENTICATE …\nS: $ NO [UNAVAILABLE] §\nC: LOGIN …\nS: $ NO [LIMIT] §',
  'a goodbye at the login': 'C: AUTHENTICATE …\nS: * BYE §\nS: <close>\nC: LOGIN …\nS: * BYE §\nS: <close>',
  'an untagged answer at the login':
    'C: LOGIN …\nS: * NO [ALERT] §\nS: $ NO no\nC: AUTHENTICATE …\nS: * OK §\nS: $ NO no',
  'a response code': 'C: LOGIN …\nS: $ NO [X §] no\nC: AUTHENTICATE …\nS: $ NO [X §] no',
  'a refused folder': 'C: SELECT …\nS: $ NO §\nC: EXAMINE …\nS: $ NO §',
  'a folder that is gone': 'C: SELECT …\nS: $ NO [NONEXISTENT] §\nC: EXAMINE …\nS: $ NO [NONEXISTENT] §',
  'a folder that is not understood': 'C: SELECT …\nS: $ BAD §\nC: EXAMINE …\nS: $ BAD §',
  'a goodbye at a folder': 'C: SELECT …\nS: * BYE §\nS: <close>\nC: EXAMINE …\nS: * BYE §\nS: <close>',
  'an answer that is none': 'C: EXAMINE …\nS: §\nS: $ OK done\nC: SELECT …\nS: §\nS: $ OK done',
  'a row that cannot be read':
    'C: UID FETCH …\nS: * 1 FETCH (§\nS: $ OK done\nC: FETCH …\nS: * 1 FETCH (§\nS: $ OK done',
  'refused rows': 'C: UID FETCH …\nS: $ NO §\nC: FETCH …\nS: $ NO §',
  'rows that are not understood': 'C: UID FETCH …\nS: $ BAD §\nC: FETCH …\nS: $ BAD §',
  'a refused search': 'C: UID SEARCH …\nS: $ NO §',
  'a refused list': 'C: LIST …\nS: $ NO §\nC: CREATE …\nS: $ NO §\nC: UID STORE …\nS: $ NO §',
};
const SMTP: Record<string, string> = {
  'the greeting': 'S: 220 §',
  'a greeting that sends away': 'S: 554 §',
  'a greeting that is none': 'S: §',
  'a refused hello': 'C: EHLO …\nS: 550 §\nC: HELO …\nS: 550 §',
  'a word of what it can do': 'C: EHLO …\nS: 250-scripted.test\nS: 250-X §\nS: 250 AUTH PLAIN LOGIN',
  'a refused login': 'C: AUTH …\nS: 535 5.7.8 §',
  'a login that is not let in now': 'C: AUTH …\nS: 454 4.7.0 §',
  'a login that is not understood': 'C: AUTH …\nS: 500 §',
  'a challenge': 'C: AUTH …\nS: 334 §\nS: 535 no',
  'a goodbye at the login': 'C: AUTH …\nS: 421 §\nS: <close>',
  'a refused sender': 'C: MAIL …\nS: 550 §',
  'a refused recipient': 'C: RCPT …\nS: 550 §',
  'some lines': 'C: RCPT …\nS: 550-§\nS: 550-§\nS: 550 §',
  'a refused message': 'C: DATA\nS: 554 §',
  'the end of a message': 'C: .\nS: 554 §',
  'a message taken': 'C: .\nS: 250 2.0.0 §',
};
const quoted = (text: string) => `"${text.replace(/["\\]/g, '\\$&')}"`;
const literal = (text: string) => [`{${Buffer.byteLength(text)}}`, text];
/** Where a ManageSieve server says it: by how the command begins, what is answered. */
const SIEVE: Record<string, (said: string) => Record<string, readonly string[]>> = {
  'a refused login': said => ({ AUTHENTICATE: [`NO ${quoted(said)}`] }),
  'a refused login, in a literal': said => ({ AUTHENTICATE: [`NO ${literal(said)[0]}`, literal(said)[1]!] }),
  'a login that is not let in now': said => ({ AUTHENTICATE: [`NO (TRYLATER) ${quoted(said)}`] }),
  'a goodbye at the login': said => ({ AUTHENTICATE: [`BYE ${quoted(said)}`] }),
  'another server': said => ({ AUTHENTICATE: [`BYE (REFERRAL ${quoted(said)}) "go there"`] }),
  'a challenge': said => ({ AUTHENTICATE: [quoted(said), 'NO "no"'] }),
  'an answer that is none': said => ({ AUTHENTICATE: [said, 'NO "no"'] }),
  'a refused list': said => ({ LISTSCRIPTS: [`NO ${quoted(said)}`] }),
  'a response code': said => ({ LISTSCRIPTS: [`NO (X-${said.replace(/[^\w]/g, '')}) "no"`] }),
  'a list that cannot be read': said => ({ LISTSCRIPTS: [said, 'OK'] }),
  'a refused script': said => ({ PUTSCRIPT: [`NO ${quoted(said)}`], CHECKSCRIPT: [`NO ${quoted(said)}`] }),
  'a warning': said => ({
    PUTSCRIPT: [`OK (WARNINGS) ${quoted(said)}`],
    CHECKSCRIPT: [`OK (WARNINGS) ${quoted(said)}`],
  }),
  'no room': said => ({ PUTSCRIPT: [`NO (QUOTA/MAXSIZE) ${quoted(said)}`] }),
  'a goodbye at a script': said => ({ PUTSCRIPT: [`BYE ${quoted(said)}`] }),
};

/** What a server was told and what of it came out again, in a run of some operations. */
interface Run {
  secret: string;
  said: string;
  place: string;
}
/** One draw: a secret, how it is spelled and where, how many words stand before it, and whether it is a token. */
const drawn = (places: readonly string[]) =>
  fc.record({
    secret: secretText(8),
    spelling: fc.constantFrom(...Object.keys(LOGINS)),
    place: fc.constantFrom(...places),
    before: fc.nat(1_600),
    token: fc.boolean(),
  });
/** Runs operations of an account and keeps all that a host, a log or a person can see. */
async function seenOf(account: object, token: string | undefined, work: ((client: Any) => Promise<unknown>)[]) {
  const seen: unknown[] = [];
  const told: Exchange[] = [];
  const client = connect(
    providerById('imap'),
    { user: USER, smtpSecurity: 'none', imapSecurity: 'none', sieveSecurity: 'none', ...account },
    {
      observe: exchange => told.push(exchange),
      wire: true,
      patience: 0,
      ...(token === undefined ? {} : { token: async () => token }),
    },
  );
  for (const one of work) {
    try {
      seen.push(await one(client));
    } catch (error) {
      seen.push(error);
    }
  }
  // Whoever opens a request sees what was said over it.
  const talks = told.map(({ wire }) => wire!.text());
  assert.ok(talks.length || seen.some(one => one instanceof Error));
  return [...seen, ...told, ...talks];
}
/** Nothing of a secret is seen, not even a part. */
function assertUnseen(seen: unknown[], { secret, said, place }: Run): void {
  for (const one of seen) {
    const what = () => `${place}: ${said}\n${inspect(one, { depth: 30 })}`;
    assert.deepEqual(seenIn(one, secret), [], what());
    const printed = inspect(one, { depth: 30, maxStringLength: Infinity });
    for (let i = 0; i + 6 <= secret.length; i++)
      // Blanks stand everywhere.
      assert.ok(
        /\s{3}/.test(secret.slice(i, i + 6)) || !printed.includes(secret.slice(i, i + 6)),
        `${secret.slice(i, i + 6)} of ${secret} in ${what()}`,
      );
  }
}
/** Draws so many logins; `serve` runs the operations against a server that says what is drawn. */
const property = (
  places: readonly string[],
  runs: number,
  serve: (place: string, said: string, login: object, token: string | undefined) => Promise<unknown[]>,
) =>
  fc.assert(
    fc.asyncProperty(drawn(places), async ({ secret, spelling, place, before, token }) => {
      const said = onOneLine(`${'word '.repeat(before / 5)}login=${LOGINS[spelling]!(secret)}, so no`);
      // A response code ends at a bracket, and is parted at blanks and quotes (RFC 9051 section 9, resp-text-code).
      if (place === 'a response code' && /[\]\s"\\(){}[]/.test(secret)) return;
      // Before a login no server knows a token.
      if (token && /greeting|hello|what it can do/.test(place)) return;
      const login = token ? { authentication: 'oauth2' } : { password: secret };
      assertUnseen(await serve(place, said, login, token ? secret : undefined), { secret, said, place });
    }),
    {
      numRuns: runs,
      // Blanks that are made one, and the places where words are cut.
      examples: [0, 280, 285, 1_480, 1_485].map(before => [
        { secret: 'pass  word-1234', spelling: 'as it is', place: 'a refused login', before, token: false },
      ]),
    },
  );

describe('what a mail server says of a login, in any spelling and any place, is seen nowhere', function () {
  this.timeout(120_000);
  const script = (places: Record<string, string>, place: string, said: string) =>
    places[place]!.replace(/§/g, () => said);
  afterEach(() => {
    closeConnections();
    closeSieve();
  });

  it('IMAP', () =>
    property(Object.keys(IMAP), 60, async (place, said, login, token) => {
      const server = await startImap(script(IMAP, place, said), {
        capabilities: 'IMAP4rev1 IDLE UIDPLUS NAMESPACE ID MOVE AUTH=XOAUTH2 AUTH=PLAIN SASL-IR',
      });
      try {
        const work: ((client: Any) => Promise<unknown>)[] = [
          client => client.call('account.check', {}),
          client => take(client.call('message.list', {}), 5),
          client => client.call('message.get', { message: idOf(1) }),
          client => client.call('folder.create', { name: 'New' }),
          client => client.since('messageReceived', { folders: ['INBOX'] }),
        ];
        return await seenOf({ imapHost: '127.0.0.1', imapPort: server.port, ...login }, token, [
          work[/greeting|login|response code/.test(place) ? 0 : said.length % work.length]!,
        ]);
      } finally {
        closeConnections();
        await server.close();
      }
    }));
  it('SMTP', () =>
    property(Object.keys(SMTP), 80, async (place, said, login, token) => {
      const server = await startSmtp(script(SMTP, place, said), { ehlo: ['AUTH PLAIN LOGIN XOAUTH2', '8BITMIME'] });
      try {
        return await seenOf({ smtpHost: '127.0.0.1', smtpPort: server.port, ...login }, token, [
          /greeting|hello|login|challenge/.test(place)
            ? client => client.call('account.check', {})
            : client => client.call('message.send', { to: ['a@b.example'], subject: 'x', text: 'y' }),
        ]);
      } finally {
        closeConnections();
        await server.close();
      }
    }));
  it('ManageSieve', () =>
    property(Object.keys(SIEVE), 80, async (place, said, login, token) => {
      const told = SIEVE[place]!(said);
      const tokens = new Map(token === undefined ? [] : [[token, 4e12]]);
      const server = await startSieve({
        accounts: new Map([[USER, { password: (login as { password?: string }).password ?? '', tokens }]]),
        sasl: 'PLAIN LOGIN XOAUTH2',
        answer: line => Object.entries(told).find(([begins]) => line.toUpperCase().startsWith(begins))?.[1],
      });
      const account = { sieveHost: '127.0.0.1', sievePort: server.port, smtpHost: '127.0.0.1', ...login };
      try {
        return await seenOf(account, token, [
          'PUTSCRIPT' in told
            ? client => client.call('script.put', { script: 'a', text: 'keep;' })
            : client => take(client.call('script.list', {}), 5),
        ]);
      } finally {
        closeSieve();
        await server.close();
      }
    }));
});
