import { vscode } from './fakeVscode.js';
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { execFileSync } from 'node:child_process';
import { commandLine } from '../../extension/requests/commandLine.js';
import { createRequestLog } from '../../extension/requests/log.js';
import { createRetryStatus } from '../../extension/requests/retryStatus.js';
import { connect, isStream, providers, type Exchange } from '../../shared/index.js';
import { observed } from '../../shared/providers/imap/session/observe.js';
import { startMail } from '../sandbox/mail.js';

const harness = () => {
  const said: string[] = [];
  return {
    said,
    log: createRequestLog({ info: (text: string) => said.push(text), warn: (text: string) => said.push(`! ${text}`) }),
  };
};
/** Runs an operation to its end. */
async function run(client: ReturnType<typeof connect>, name: string, input: Record<string, unknown>): Promise<void> {
  const result = client.call(name, input);
  if (isStream(result)) {
    for await (const _ of result) {
      /* only the requests count */
    }
  } else await result;
}

describe('requests', () => {
  it('become commands for curl and swaks that a shell takes apart as they were meant, with variables where secrets stand', () => {
    const line = (method: string, origin: string, path: string, security?: 'tls' | 'starttls' | 'none') =>
      commandLine({
        id: 1,
        at: 0,
        account: 'A',
        method,
        origin,
        path,
        ms: 1,
        attempt: 1,
        ...(security ? { security } : {}),
      });
    // The shell itself says which words it sees.
    const words = (command: string) =>
      execFileSync('sh', ['-c', `set -- ${command}; for one; do printf '%s\\n' "$one"; done`], {
        encoding: 'utf8',
        env: {
          AUTHORIZATION: 'auth',
          BODY: 'body',
          MAIL_USER: 'ann',
          MAIL_PASSWORD: 'p w',
          MAIL_FROM: 'f',
          MAIL_TO: 't',
        },
      })
        .trimEnd()
        .split('\n');
    assert.deepEqual(words(line('GET', 'https://api.example', "/a/$(touch x)'`y`/b")), [
      'curl',
      '--request',
      'GET',
      '--header',
      'Authorization: auth',
      "https://api.example/a/$(touch x)'`y`/b",
    ]);
    assert.deepEqual(words(line('PATCH', 'https://api.example', '/a')).slice(-3), [
      '--data',
      'body',
      'https://api.example/a',
    ]);
    assert.deepEqual(words(line('DATA', 'smtps://mail.example:465', '/')), [
      'swaks',
      '--server',
      'mail.example',
      '--port',
      '465',
      '--tls-on-connect',
      '--auth-user',
      'ann',
      '--auth-password',
      'p w',
      '--from',
      'f',
      '--to',
      't',
    ]);
    assert.deepEqual(words(line('FETCH', 'imaps://mail.example:993', '/Sent Items')), [
      'curl',
      '--user',
      'ann:p w',
      'imaps://mail.example:993/Sent%20Items',
    ]);
    // Nothing goes in the clear where the account says STARTTLS.
    assert.equal(words(line('FETCH', 'imap://mail.example:143', '/', 'starttls'))[1], '--ssl-reqd');
    assert.ok(words(line('DATA', 'smtp://mail.example:587', '/', 'starttls')).includes('--tls'));
    assert.ok(!words(line('DATA', 'smtp://127.0.0.1:25', '/', 'none')).some(one => /tls/.test(one)));
    assert.ok(!words(line('FETCH', 'imaps://mail.example:993', '/', 'tls')).includes('--ssl-reqd'));
    // Brackets are letters of the address, not a range of addresses.
    assert.equal(words(line('GET', 'https://api.example', '/a[1]'))[1], '--globoff');
    assert.ok(words(line('FETCH', 'imap://[::1]:143', '/', 'none')).includes('--globoff'));
  });
  it('of a vendor are told with the number of the try, and with the wait before the next', async () => {
    const answers = [{ status: 429, after: '1' }, { status: 200 }];
    const seen: Exchange[] = [];
    const server = createServer((_, reply) => {
      const { status, after } = answers.shift()!;
      reply.writeHead(status, after ? { 'retry-after': after } : {}).end('{}');
    });
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
    const provider = providers.find(({ auth }) => auth.oauth2)!;
    const baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    await run(
      connect(provider, { baseUrl }, { token: async () => 'token', observe: one => seen.push(one) }),
      'account.check',
      {},
    ).catch(() => {});
    server.closeAllConnections();
    server.close();
    assert.deepEqual(
      seen.map(({ status, attempt, wait }) => [status, attempt, wait]),
      [
        [429, 1, undefined],
        [undefined, 1, 1],
        [200, 2, undefined],
      ],
    );
    const { said, log } = harness();
    for (const one of seen) log.observe('Sales', one);
    assert.deepEqual(
      said.map(line => line.replace(/\d+ ms/, 'ms')),
      [
        '! Sales: GET /api/v2/mailboxes 429 ms',
        'Sales: GET /api/v2/mailboxes is tried again in 1 s',
        'Sales: GET /api/v2/mailboxes 200 ms (try 2)',
      ],
    );
    assert.deepEqual(
      log.lines().map(({ attempt, wait }) => [attempt, wait]),
      [
        [1, 1],
        [2, undefined],
      ],
    );
  });
  it('keep what went and came within a bound: the oldest goes first, and a sentence says so', async () => {
    const { log } = harness();
    const text = { sent: 'GET /a', answer: '200' };
    let again = 0;
    const one = (size: number) =>
      log.observe('Sales', {
        method: 'GET',
        url: 'https://x.example/a',
        status: 200,
        ms: 1,
        wire: { size, text: () => text },
        again: async () => {
          again++;
        },
      });
    for (let i = 0; i < 4; i++) one(3 * 1024 * 1024);
    const ids = log.lines().map(({ id }) => id);
    assert.deepEqual(
      ids.map(id => typeof log.wire(id)),
      ['string', 'string', 'object', 'object'],
    );
    assert.match(String(log.wire(ids[0]!)), /no longer kept/);
    await log.again(ids[3]!);
    await log.again(ids[0]!);
    assert.equal(again, 1);
    for (let i = 0; i < 200; i++) one(1);
    assert.equal(typeof log.wire(ids[3]!), 'string');
    log.clear();
    assert.equal(typeof log.wire(ids[3]! + 100), 'string');
  });
  it('are one line of the log each, whatever a server calls its folders', async () => {
    const { said, log } = harness();
    const seen: Exchange[] = [];
    const end = { side: 'IMAP', security: 'starttls', host: 'mail.example', port: 143 } as never;
    const ctx = { observe: (one: Exchange) => seen.push(one) } as never;
    for (const folder of ['a\r\n2026 [info] Mail: forged', 'half \ud83d']) {
      await observed(ctx, end, 'SELECT', folder, Promise.resolve());
      await new Promise(resolve => setImmediate(resolve));
    }
    for (const one of seen) log.observe('Mail', one);
    assert.equal(said.length, 2);
    assert.ok(
      said.every(line => !/[\r\n]/.test(line)),
      said.join('|'),
    );
    assert.deepEqual(
      log.lines().map(({ origin, path, security }) => [origin, path, security]),
      [
        ['imap://mail.example:143', '/a2026 [info] Mail: forged', 'starttls'],
        ['imap://mail.example:143', '/half \ufffd', 'starttls'],
      ],
    );
  });
  it('that are tried again are those of the same server', () => {
    const { log } = harness();
    const one = { method: 'GET', ms: 1, attempt: 1 };
    log.observe('Sales', { ...one, url: 'https://a.example/x', status: 503 });
    log.observe('Sales', { ...one, url: 'https://b.example/x', status: 200 });
    log.observe('Sales', { ...one, url: 'https://a.example/x', wait: 3 });
    assert.deepEqual(
      log.lines().map(({ wait }) => wait),
      [3, undefined],
    );
  });
  it('two reads of the same address are two requests, not two tries', () => {
    const { log } = harness();
    for (const status of [503, 200])
      log.observe('Sales', { method: 'GET', url: 'https://x.example/a', status, ms: 1, attempt: 1 });
    assert.deepEqual(
      log.lines().map(({ attempt }) => attempt),
      [1, 1],
    );
  });
  it('show no token that stands in their path', async () => {
    const seen: string[] = [];
    const provider = providers.find(({ operations }) => 'connectToken.get' in operations)!;
    const account = Object.fromEntries(
      Object.entries(provider.auth.fields as Record<string, { required?: boolean; default?: unknown }>)
        .filter(([, field]) => field.required && field.default === undefined)
        .map(([name]) => [name, 'value']),
    );
    await run(
      connect(provider, { ...account, baseUrl: 'http://127.0.0.1:9' }, { observe: one => seen.push(one.url) }),
      'connectToken.get',
      { connectToken: 'sesame123' },
    ).catch(error => assert.equal(error.code, 'unavailable', String(error)));
    assert.ok(seen.length);
    assert.match(seen[0]!, /connect_tokens\/\*\*\*/);
    assert.ok(!seen.join().includes('sesame123'));
  }).timeout(10_000);
  it('of a mail host are told too: command and folder, neither words searched for, subjects, addresses nor secrets', async () => {
    const mail = await startMail({ users: 2 });
    const seen: Exchange[] = [];
    try {
      const provider = providers.find(({ auth }) => auth.oauth2Choice)!;
      const client = connect(
        provider,
        {
          user: 'u0@test.local',
          password: 'pass0',
          imapHost: 'localhost',
          imapPort: mail.imap.port,
          imapSecurity: 'none',
          smtpHost: 'localhost',
          smtpPort: mail.smtp.port,
          smtpSecurity: 'none',
        },
        { observe: one => seen.push(one) },
      );
      await run(client, 'message.send', {
        from: 'u0@test.local',
        to: ['u1@test.local'],
        subject: 'Subject-of-mine',
        text: 'Text-of-mine',
      });
      await run(client, 'message.list', { folder: 'Sent', subject: 'Subject-of-mine' });
      await assert.rejects(run(client, 'message.list', { folder: 'Nowhere' }));
    } finally {
      await mail.close();
    }
    const { said, log } = harness();
    for (const one of seen) log.observe('Mail', one);
    for (const wanted of [
      /^Mail: AUTH \/ OK/,
      /^Mail: DATA \/ 250/,
      /^Mail: APPEND \/Sent OK/,
      /^Mail: (UID )?SEARCH \/Sent OK/,
      /^Mail: (UID )?FETCH \/Sent OK/,
      /^! Mail: (SELECT|EXAMINE) \/Nowhere NO/,
    ])
      assert.ok(
        said.some(line => wanted.test(line)),
        `${wanted} in\n${said.join('\n')}`,
      );
    assert.doesNotMatch(JSON.stringify([said, log.lines()]), /of-mine|test\.local|pass0/);
  }).timeout(20_000);
});

describe('a wait', () => {
  it('is counted down in the status bar, and gone when it is over', () => {
    const item = {
      text: '',
      shown: false,
      show() {
        item.shown = true;
      },
      hide() {
        item.shown = false;
      },
      dispose() {},
    };
    vscode.window.createStatusBarItem = () => item;
    const real = { set: globalThis.setInterval, clear: globalThis.clearInterval };
    let now = 0;
    let tick = () => {};
    globalThis.setInterval = ((run: () => void) => {
      tick = run;
      return 1;
    }) as never;
    globalThis.clearInterval = (() => {
      tick = () => {};
    }) as never;
    try {
      const waits = createRetryStatus(() => now);
      waits.wait('Sales', 0.4);
      assert.equal(item.shown, false);
      waits.wait('Sales', 20);
      assert.match(item.text, /Sales: retrying in 20 s/);
      // A second request of the account that waits a shorter time ends no longer wait.
      waits.wait('Sales', 3);
      assert.match(item.text, /Sales: retrying in 20 s/);
      now = 5_000;
      tick();
      assert.match(item.text, /in 15 s/);
      now = 20_000;
      tick();
      assert.equal(item.shown, false);
      waits.dispose();
    } finally {
      globalThis.setInterval = real.set;
      globalThis.clearInterval = real.clear;
    }
  });
});
