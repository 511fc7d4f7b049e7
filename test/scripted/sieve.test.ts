import assert from 'node:assert/strict';
import { connect, providerById, take, type MailError } from '../../shared/index.js';
import { readScript } from '../../shared/providers/imap/sieve/scripts.js';
import { closeSieve } from '../../shared/providers/imap/sieve/session.js';
import { startSieve, type SieveServer } from '../sandbox/sieve.js';

type Any = any;
const accounts = new Map([['u@test.local', { password: 'pass', tokens: new Map<string, number>() }]]);
/** Answers that stand in the place of a plain server's, by how the command begins. */
type Told = Readonly<Record<string, readonly string[]>>;

async function against(told: Told, run: (client: Any, server: SieveServer) => Promise<void>): Promise<void> {
  const server = await startSieve({
    accounts,
    answer: line => Object.entries(told).find(([begins]) => line.toUpperCase().startsWith(begins))?.[1],
  });
  server.of('u@test.local').texts.set('a', 'keep;');
  const client = connect(providerById('imap'), {
    user: 'u@test.local',
    password: 'pass',
    sieveHost: '127.0.0.1',
    sievePort: server.port,
    sieveSecurity: 'none',
    smtpHost: '127.0.0.1',
    smtpSecurity: 'none',
  });
  try {
    await run(client, server);
  } finally {
    closeSieve();
    await server.close();
  }
}
const names = async (client: Any) =>
  (await take(client.call('script.list', {}) as AsyncIterable<Any>, 20_000)).map(one => [one.id, one.active]);
const refused = (code: string, words: RegExp, advice?: RegExp) => (error: unknown) => {
  const { code: is, message, details } = error as MailError;
  assert.equal(is, code, message);
  assert.match(message, words);
  if (advice) assert.match(details.advice ?? '', advice);
  return true;
};

describe('ManageSieve transcripts', () => {
  // RFC 5804 section 2.7, both examples.
  it('LISTSCRIPTS: names in quotes and as literals, ACTIVE in any letters', () =>
    against(
      { LISTSCRIPTS: ['"summer_script"', '"vacation_script"', '{13}', 'clever"script', '"main_script" active', 'OK'] },
      async client => {
        assert.deepEqual(await names(client), [
          ['summer_script', false],
          ['vacation_script', false],
          ['clever"script', false],
          ['main_script', true],
        ]);
      },
    ));
  // RFC 5804 section 2.9
  it('GETSCRIPT: a literal with lines that look like answers', () =>
    against(
      {
        LISTSCRIPTS: ['"a"', 'OK'],
        GETSCRIPT: ['{57}', '#this is my wonderful script', 'OK "no answer"', 'NO', 'reject;', 'OK'],
      },
      async client => {
        assert.equal(
          (await client.call('script.get', { script: 'a' })).text,
          '#this is my wonderful script\r\nOK "no answer"\r\nNO\r\nreject;',
        );
      },
    ));
  // RFC 5804 section 2.10: a response code, and words as a literal.
  it('a refusal whose words are a literal of several lines', () =>
    against({ CHECKSCRIPT: ['NO {49}', 'line 2: Syntax error', 'line 7: unknown command "x"', ''] }, async client => {
      assert.match(
        (await client.call('script.check', { text: 'x;' })).message,
        /line 2: Syntax error\r?\nline 7: unknown command "x"/,
      );
    }));
  // RFC 5804 section 2.6: "OK (WARNINGS)".
  it('a script that passes with warnings is stored, and the check tells them', () =>
    against(
      { CHECKSCRIPT: ['OK (WARNINGS) {58}', 'line 8: server redirect action limit is 2, this redirect w'] },
      async client => {
        const { valid, message } = await client.call('script.check', { text: 'keep;' });
        assert.deepEqual([valid, /redirect action limit is 2/.test(message)], [true, true]);
        await client.call('script.put', { script: 'a', text: 'stop;' });
      },
    ));
  // RFC 5804 section 1.3: the example of a referral at the greeting.
  it('a referral is refused: nothing is sent to the other server', () =>
    against(
      { '<GREETING>': ['BYE (REFERRAL "sieve://sieve.example.org") "Try sieve.example.org instead."'] },
      async (client, server) => {
        await assert.rejects(
          names(client),
          refused(
            'unavailable',
            /sends this account to another server, "sieve:\/\/sieve\.example\.org"\. Nothing was sent there/,
            /Sieve Host/,
          ),
        );
        assert.ok(!server.log.some(line => line.startsWith('AUTHENTICATE')));
      },
    ));
  // RFC 5804 section 1.3: TRYLATER; section 2.1: "AUTH-TOO-WEAK", "ENCRYPT-NEEDED".
  it('response codes of a login say what to do', async () => {
    await against({ AUTHENTICATE: ['NO (TRYLATER) "Server is down."'] }, client =>
      assert.rejects(names(client), refused('unavailable', /does not let this account in now/)),
    );
    await against({ AUTHENTICATE: ['NO (ENCRYPT-NEEDED) "TLS first"'] }, client =>
      assert.rejects(names(client), refused('unauthorized', /TLS first/)),
    );
    await against({ AUTHENTICATE: ['NO "Too many connections from your address"'] }, client =>
      assert.rejects(names(client), refused('rate_limited', /Too many connections/)),
    );
  });
  // RFC 5804 section 2.6 and 1.3
  it('quota codes are told as no room', () =>
    against({ PUTSCRIPT: ['NO (QUOTA/MAXSCRIPTS) "Quota exceeded"'] }, client =>
      assert.rejects(
        client.call('script.put', { script: 'b', text: 'keep;' }),
        refused('rejected', /no room for this script: Quota exceeded/, /delete scripts/),
      ),
    ));
  // Seen on Cyrus 3.6: the tag of a NOOP is a literal inside the code.
  it('a literal inside a response code', () =>
    against({ LISTSCRIPTS: ['"a"', 'OK (TAG {2}', 't1) "Done"'] }, async client =>
      assert.deepEqual(await names(client), [['a', false]]),
    ));
  it('a server that says goodbye in the middle, and one that speaks no ManageSieve', async () => {
    await against({ LISTSCRIPTS: ['BYE "Disconnected for inactivity."'] }, client =>
      assert.rejects(names(client), refused('unavailable', /closed the connection: Disconnected for inactivity/)),
    );
    await against({ '<GREETING>': ['"unterminated'] }, client =>
      assert.rejects(names(client), refused('protocol', /not ManageSieve: a string that does not end/)),
    );
  });
  it('lines, texts and answers without end are refused within their bounds', async () => {
    await against({ LISTSCRIPTS: ['x'.repeat(70_000)] }, client =>
      assert.rejects(names(client), refused('protocol', /a line of more than 65536 bytes/)),
    );
    await against({ LISTSCRIPTS: ['{4000000000}'] }, client =>
      assert.rejects(names(client), refused('protocol', /a text of 4000000000 bytes/)),
    );
    await against({ LISTSCRIPTS: [...Array.from({ length: 10_001 }, (_, i) => `"s${i}"`), 'OK'] }, client =>
      assert.rejects(names(client), refused('protocol', /more than 10000 lines/)),
    );
  });
  it('a script that is not UTF-8 is left alone', async () => {
    const server = {
      command: async () => ({ status: 'OK', text: '', lines: [[{ string: Buffer.from([0x22, 0xff]) }]] }),
    };
    await assert.rejects(
      readScript(server as never, 'a'),
      refused('protocol', /not text in UTF-8, so it is left alone/),
    );
  });
});
