import assert from 'node:assert/strict';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import fc from 'fast-check';
import type { ICredentialTestFunctions, ICredentialsDecrypted } from 'n8n-workflow';
import { credentialTests } from '../../nodes/lib/host.js';
import { isProtected, publicAddress } from '../../nodes/lib/privateAddress.js';
import { isMailError } from '../../shared/index.js';

const BANNER = 'INTERNAL-SERVICE v4.2 secret-banner';
const SSRF = 'N8N_SSRF_PROTECTION_ENABLED';

describe("n8n's test of an IMAP and SMTP credential", () => {
  const sockets = new Set<Socket>();
  let server: Server;
  let port: number;
  let connections = 0;
  let answer: (line: string) => string;
  before(done => {
    server = createServer(socket => {
      connections++;
      sockets.add(socket);
      socket.on('error', () => {}).on('data', data => socket.write(answer(String(data))));
      socket.write(answer(''));
    }).listen(0, '127.0.0.1', () => {
      port = (server.address() as AddressInfo).port;
      done();
    });
  });
  after(done => {
    for (const socket of sockets) socket.destroy();
    server.close(done);
  });
  beforeEach(() => {
    connections = 0;
    answer = () => `${BANNER}\r\n`;
  });
  afterEach(() => {
    delete process.env[SSRF];
  });

  const check = async (data: Record<string, unknown>, helpers: object = {}) => {
    const ctx = { helpers, logger: console } as unknown as ICredentialTestFunctions;
    const credential = {
      id: '1',
      name: 'x',
      type: 'imapApi',
      data: { user: 'ann@example.com', password: 'pass-word', ...data },
    } as unknown as ICredentialsDecrypted;
    return credentialTests.checkAccount.call(ctx, credential);
  };
  const sides = (host: string) => [
    { imapHost: host, imapPort: port, imapSecurity: host === '127.0.0.1' ? 'none' : 'tls' },
    { imapHost: host, imapPort: port, imapSecurity: 'starttls' },
    { smtpHost: host, smtpPort: port, smtpSecurity: 'tls' },
    { smtpHost: host, smtpPort: port, smtpSecurity: 'starttls' },
  ];

  it('asks the filter where n8n gives it one, and opens nothing that it forbids', async () => {
    const asked: string[] = [];
    const no = () => Promise.resolve({ ok: false, error: new Error('blocked by policy') });
    const filter = {
      validateUrl: (url: string) => {
        asked.push(url);
        return no();
      },
      createSecureLookup: () => (_h: string, _o: object, done: (e: Error) => void) => done(new Error('blocked')),
    };
    for (const data of sides('127.0.0.1'))
      assert.match(
        (await check(data, { getSecureEgressFilter: () => filter })).message,
        /n8n's network rules forbid 127\.0\.0\.1: blocked by policy/,
      );
    assert.equal(connections, 0);
    assert.ok(asked.length >= 4 && asked.every(url => url === 'https://127.0.0.1'), asked.join(' '));
  });
  it('opens nothing inside the network while the protection is on, whatever a name is called', async () => {
    process.env[SSRF] = 'true';
    for (const host of ['127.0.0.1', 'localhost', '2130706433']) {
      for (const data of sides(host)) {
        const { status, message } = await check(data);
        assert.equal(status, 'Error');
        assert.match(message, /n8n's network rules forbid|has no address/, host);
      }
    }
    assert.equal(connections, 0);
  });
  it('never repeats what something says that is no mail server', async () => {
    for (const greeting of [
      `${BANNER}\r\n`,
      `220 ${BANNER}\r\n`,
      `* OK ${BANNER}\r\n`,
      `* BYE ${BANNER}\r\n`,
      `554 ${BANNER}\r\n`,
      `-ERR ${BANNER}\r\n`,
    ]) {
      answer = line => (line === '' ? greeting : `530 ${BANNER}\r\n`);
      for (const data of [
        { imapHost: '127.0.0.1', imapPort: port, imapSecurity: 'none' },
        { smtpHost: '127.0.0.1', smtpPort: port, smtpSecurity: 'none' },
      ]) {
        const stop = setTimeout(() => {
          for (const socket of sockets) socket.destroy();
        }, 3000);
        const { status, message } = await check(data);
        clearTimeout(stop);
        assert.equal(status, 'Error');
        assert.ok(!/secret|banner|v4\.2/i.test(message), `${greeting}: ${message}`);
        assert.match(message, /no mail server answered properly|did not answer|closed/, greeting);
      }
    }
  });
  it('still says what helps: nothing listens, no such name', async () => {
    const closed = await check({ imapHost: '127.0.0.1', imapPort: 1, imapSecurity: 'none' });
    assert.match(closed.message, /ECONNREFUSED/);
  });
});

describe('addresses inside the network', () => {
  const to =
    (...addresses: string[]) =>
    () =>
      Promise.resolve(addresses.map(address => ({ address })));
  const verdict = (host: string, environment: Record<string, string> = {}, find = to()) =>
    publicAddress(host, environment, find).then(
      address => address,
      (error: unknown) => {
        assert.ok(isMailError(error));
        return error.code;
      },
    );

  for (const address of [
    '127.0.0.1',
    '127.9.9.9',
    '10.1.2.3',
    '172.31.0.1',
    '192.168.1.1',
    '169.254.169.254',
    '0.0.0.0',
    '100.64.0.1',
    '255.255.255.255',
    '::1',
    '::',
    'fe80::1',
    'fe80::1%eth0',
    'fc00::1',
    'fd12::1',
    '::ffff:127.0.0.1',
    '::ffff:7f00:1',
    '::ffff:a9fe:a9fe',
    '0:0:0:0:0:ffff:a00:1',
    '64:ff9b::7f00:1',
    '2002:7f00:1::1',
  ]) {
    it(`${address} is refused, as it stands and behind a name`, async () => {
      assert.deepEqual(
        [
          await verdict(address),
          await verdict('mail.example.com', {}, to(address)),
          await verdict('mail.example.com', {}, to('8.8.8.8', address)),
        ],
        ['forbidden', 'forbidden', 'forbidden'],
      );
    });
  }
  it('other addresses are given, the first of several', async () => {
    for (const address of ['8.8.8.8', '2001:4860:4860::8888', '::ffff:8.8.8.8', '172.32.0.1', '11.0.0.1'])
      assert.equal(await verdict(address), address);
    assert.equal(await verdict('mail.example.com', {}, to('8.8.4.4', '8.8.8.8')), '8.8.4.4');
  });
  it("n8n's own settings count: ranges and names that are allowed or blocked", async () => {
    assert.equal(await verdict('10.1.2.3', { N8N_SSRF_ALLOWED_IP_RANGES: '192.168.0.0/16, 10.1.0.0/16' }), '10.1.2.3');
    assert.equal(
      await verdict('mail.lan.example', { N8N_SSRF_ALLOWED_HOSTNAMES: '*.lan.example' }, to('10.0.0.1')),
      '10.0.0.1',
    );
    assert.equal(
      await verdict('lan.example', { N8N_SSRF_ALLOWED_HOSTNAMES: '*.lan.example' }, to('10.0.0.1')),
      'forbidden',
    );
    assert.equal(await verdict('8.8.8.8', { N8N_SSRF_BLOCKED_IP_RANGES: 'default,8.0.0.0/8' }), 'forbidden');
    assert.equal(
      await verdict('mail.example.com', { N8N_SSRF_BLOCKED_HOSTNAMES: 'mail.example.com' }, to('8.8.8.8')),
      'forbidden',
    );
    assert.equal(
      await verdict('Mail.example.com.', { N8N_SSRF_BLOCKED_HOSTNAMES: 'mail.example.com' }, to('8.8.8.8')),
      'forbidden',
      'a dot at the end names the same host',
    );
    assert.equal(
      await verdict('mail.example.com', {}, to('fe80::1%eth0')),
      'forbidden',
      'a zone is no part of an address',
    );
    assert.equal(
      await verdict('8.8.8.8', { N8N_SSRF_BLOCKED_IP_RANGES: 'nonsense', N8N_SSRF_ALLOWED_IP_RANGES: '/' }),
      '8.8.8.8',
    );
  });
  for (const [first, last, beyond] of [
    ['10.0.0.0', '10.255.255.255', '11.0.0.0'],
    ['172.16.0.0', '172.31.255.255', '172.32.0.0'],
    ['192.168.0.0', '192.168.255.255', '192.169.0.0'],
    ['127.0.0.0', '127.255.255.255', '128.0.0.0'],
    ['169.254.0.0', '169.254.255.255', '169.255.0.0'],
    ['0.0.0.0', '0.255.255.255', '1.0.0.0'],
    ['100.64.0.0', '100.127.255.255', '100.128.0.0'],
    ['192.0.0.0', '192.0.0.255', '192.0.1.0'],
    ['192.0.2.0', '192.0.2.255', '192.0.3.0'],
    ['198.18.0.0', '198.19.255.255', '198.20.0.0'],
    ['198.51.100.0', '198.51.100.255', '198.51.101.0'],
    ['203.0.113.0', '203.0.113.255', '203.0.114.0'],
    ['224.0.0.0', '239.255.255.255', '223.255.255.255'],
    ['240.0.0.0', '255.255.255.255', '223.255.255.255'],
    ['::', '::1', '::2'],
    ['fe80::', 'febf:ffff::1', 'fe7f::1'],
    ['fec0::', 'feff:ffff::1', 'fe7f::1'],
    ['fc00::', 'fdff:ffff::1', 'fe00::1'],
    ['ff00::', 'ffff:ffff::1', 'fe00::1'],
    ['64:ff9b::', '64:ff9b::ffff:ffff', '64:ff9b:2::1'],
    ['64:ff9b:1::', '64:ff9b:1:ffff::1', '64:ff9b:2::1'],
    ['2002::', '2002:ffff::1', '2003::1'],
    ['2001::', '2001:0:ffff::1', '2001:1::1'],
  ] as const)
    it(`the range ${first} to ${last} is refused, and what stands beside it is not`, async () => {
      assert.deepEqual(
        [await verdict(first), await verdict(last), await verdict(beyond)],
        ['forbidden', 'forbidden', beyond],
      );
    });
  it("n8n's own settings may name single addresses, in both families, and names in any letters", async () => {
    for (const one of ['8.8.8.8', '2001:4860:4860::8888']) {
      assert.equal(await verdict(one, { N8N_SSRF_BLOCKED_IP_RANGES: one }), 'forbidden');
      assert.equal(await verdict('9.9.9.9', { N8N_SSRF_BLOCKED_IP_RANGES: one }), '9.9.9.9');
    }
    for (const one of ['10.1.2.3', 'fd00::7']) {
      assert.equal(await verdict(one, { N8N_SSRF_ALLOWED_IP_RANGES: one }), one);
      assert.equal(await verdict('10.1.2.4', { N8N_SSRF_ALLOWED_IP_RANGES: one }), 'forbidden');
    }
    assert.equal(await verdict('fd00::7', { N8N_SSRF_ALLOWED_IP_RANGES: 'FD00::/16' }), 'fd00::7');
    assert.equal(
      await verdict('mail.example.com', { N8N_SSRF_BLOCKED_HOSTNAMES: 'a.example, Mail.Example.COM' }, to('8.8.8.8')),
      'forbidden',
    );
  });
  it("n8n's own settings allow and block whole names: none that only ends or begins alike, and none that is empty", async () => {
    const settings = {
      N8N_SSRF_ALLOWED_HOSTNAMES: '*.lan.example,nas.example',
      N8N_SSRF_BLOCKED_HOSTNAMES: '*.bad.example',
    };
    for (const host of ['evil-lan.example', 'x.nas.example', 'nas.example.evil', 'mail.lan.example.evil', '.'])
      assert.equal(await verdict(host, settings, to('10.0.0.1')), 'forbidden', host);
    assert.equal(await verdict('.', {}, to('10.0.0.1')), 'forbidden');
    for (const host of ['nas.example', 'NAS.example', 'a.b.lan.example'])
      assert.equal(await verdict(host, settings, to('10.0.0.1')), '10.0.0.1', host);
    assert.equal(await verdict('x.bad.example', settings, to('8.8.8.8')), 'forbidden');
    assert.equal(await verdict('very-bad.example', settings, to('8.8.8.8')), '8.8.8.8');
    // What is both allowed and blocked is allowed, as n8n reads it.
    assert.equal(
      await verdict('nas.example', { ...settings, N8N_SSRF_BLOCKED_HOSTNAMES: 'nas.example' }, to('10.0.0.1')),
      '10.0.0.1',
    );
  });
  it('what is refused is told by its name, and a name without an address is not', async () => {
    const said = (host: string, environment: Record<string, string>, find = to()) =>
      publicAddress(host, environment, find).then(assert.fail, (error: Error) => error.message);
    assert.equal(
      await said('nas.example', {}, to('10.0.0.1')),
      "n8n's network rules forbid nas.example: it is, or leads to, a private address.",
    );
    assert.equal(
      await said('nas.example', { N8N_SSRF_BLOCKED_HOSTNAMES: 'nas.example' }, to('8.8.8.8')),
      "n8n's network rules forbid nas.example.",
    );
    assert.equal(await said('nas.example', {}), 'nas.example has no address to connect to.');
    assert.equal(await verdict('nas.example'), 'unavailable');
  });
  it('are refused while n8n says that its protection is on, in the two words that it has for that', () => {
    for (const on of ['true', 'TRUE', '1']) assert.ok(isProtected({ N8N_SSRF_PROTECTION_ENABLED: on }), on);
    for (const off of ['', 'false', '0', '11', 'untrue', 'truely'])
      assert.ok(!isProtected({ N8N_SSRF_PROTECTION_ENABLED: off }), off);
    assert.ok(!isProtected({}));
  });
  it('no spelling of a private IPv4 address passes', () =>
    fc.assert(
      fc.asyncProperty(
        fc.constantFrom([10], [127], [192, 168], [169, 254]),
        fc.array(fc.nat(255), { minLength: 4, maxLength: 4 }),
        async (start, rest) => {
          const bytes = [...start, ...rest].slice(0, 4);
          const hex = (at: number) => (bytes[at]! * 256 + bytes[at + 1]!).toString(16);
          for (const one of [
            bytes.join('.'),
            `::ffff:${bytes.join('.')}`,
            `::ffff:${hex(0)}:${hex(2)}`,
            `64:ff9b::${hex(0)}:${hex(2)}`,
          ])
            assert.equal(await verdict(one), 'forbidden', one);
        },
      ),
    ));
});
