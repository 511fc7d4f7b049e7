import assert from 'node:assert/strict';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { inspect } from 'node:util';
import fc from 'fast-check';
import { connect, hiding, MailError, providerById, providers, redact, withoutSecrets } from '../../shared/index.js';
import { layersOf } from '../../shared/layers.js';
import { speaksHttp } from '../contract/suite.js';
import { secretText, seenIn, SPELLINGS } from './spellings.js';

describe('secrets', () => {
  for (const [name, spell] of Object.entries(SPELLINGS)) {
    it(`are hidden whole where they are spelled ${name}`, () => {
      fc.assert(
        fc.property(secretText(4), secret => {
          assert.equal(hiding([secret])(`could not read § ${spell(secret)} § of it`), 'could not read § *** § of it');
        }),
        {
          numRuns: 60,
          examples: [
            ['Ab,Cdef-ghij1'],
            ['R&D-department7'],
            ['it\'s\\My"Secret'],
            ['\\\\\\\\'],
            ['pass word'],
            ['$1$&$`x'],
            ['(((((((('],
            ['äöüß'],
          ],
        },
      );
    });
  }
  it('are hidden where they are spelled in one way within another, and that in a third', () => {
    // Those that lose letters, or are known by their letters alone, are found by themselves.
    const spelling = fc.constantFrom(
      ...Object.keys(SPELLINGS).filter(
        name => !/^(?:quotes doubled|in ASCII|bytes that|lost letters|UTF-8 read)|UTF-16/.test(name),
      ),
    );
    fc.assert(
      fc.property(
        secretText(8),
        spelling,
        spelling,
        fc.constantFrom('as it is', 'JSON', 'percent', 'as a form', 'entities by name', 'base64'),
        (secret, inner, outer, outmost) => {
          const said = SPELLINGS[outmost]!(SPELLINGS[outer]!(SPELLINGS[inner]!(secret)));
          const shown = hiding([secret])(`could not read § ${said} § of it`);
          assert.ok(shown.includes('***') && !shown.includes(said), `${inner}, ${outer}, ${outmost}: ${said}`);
        },
      ),
      {
        numRuns: 800,
        examples: [
          ['it\'s\\My"Secret', 'JSON', 'percent', 'as it is'],
          ['it\'s\\My"Secret', 'JSON', 'entities by name', 'as it is'],
          ['R&D-department7', 'as a form', 'base64', 'JSON'],
          ['pass word+1', 'JSON', 'base64 of user:password', 'percent'],
          ['R&D-department7', 'entities by name', 'JSON', 'percent'],
        ],
      },
    );
  }).timeout(30_000);
  it('are hidden in the fifth of five spellings round each other, and a sixth is not taken off', () => {
    const deep = (text: string, times: number): string =>
      times ? deep(Buffer.from(text).toString('base64'), times - 1) : text;
    const named = Object.entries(SPELLINGS).filter(([name]) => !/base64|hex|numbers/.test(name));
    for (const secret of ['it\'s\\My"Secret', 'R&D-department7', 'Grüße an <b>/é$1', '\t\r\n\b\f12', '😀 for €5'])
      for (const [name, spell] of [...named, ['as escape writes it', escape] as const]) {
        const said = deep(`password=${spell(secret)}!`, 4);
        assert.ok(!hiding([secret])(`could not read § ${said} § of it`).includes(said), `${name}: ${secret}`);
      }
    const broken = deep('pass=\nword=\r\n-12', 4);
    assert.equal(hiding(['password-12'])(broken), '***');
    const six = deep('password=hunter-12', 6);
    assert.equal(hiding(['hunter-12'])(six), six);
  }).timeout(30_000);
  it('are hidden where they begin with a blank, whatever stands for that', () => {
    for (const said of [
      ' pass word',
      '+pass+word',
      '_pass_word',
      '\u00a0pass\u00a0word',
      '%20pass%20word',
      '&nbsp;pass&nbsp;word',
    ])
      assert.equal(hiding([' pass word'])(`could not read §${said}§ of it`), 'could not read §***§ of it');
    assert.equal(hiding(['pass word'])('pass+word, passed+words'), '***, passed+words');
  });
  it('are hidden among bytes that are no text, in hex and in base64 however those are broken into lines', () => {
    const noise = Buffer.from(Array.from({ length: 160 }, (_, i) => (i % 2 ? 0x80 + (i % 31) : 1 + (i % 7))));
    const secret = 'sésame-1234';
    const said: string[] = [];
    for (const encoding of ['utf8', 'latin1', 'utf16le'] as const)
      for (const before of [0, 1, 2]) {
        const bytes = Buffer.concat([noise, Buffer.alloc(before, 0x81), Buffer.from(secret, encoding), noise]);
        const hex = bytes.toString('hex');
        said.push(hex, `f${hex}`, hex.toUpperCase());
        for (const between of [' ', ':', ',', '-', '\n']) said.push(hex.replace(/..(?!$)/g, `$&${between}`));
        const base64 = bytes.toString('base64');
        said.push(
          base64,
          encodeURIComponent(base64),
          bytes.toString('base64url'),
          JSON.stringify(base64).replace(/\//g, '\\/'),
        );
        for (const between of ['\n', '\r\n', '\\n', '\\r\\n', '=\n', '=\r\n', '\n   ', ' \t'])
          for (const width of [7, 64, 76]) said.push(base64.replace(new RegExp(`.{${width}}`, 'g'), `$&${between}`));
      }
    for (const one of said) assert.ok(hiding([secret])(`§ ${one} §`).includes('***'), one);
  });
  it('cost no word of a text that is searched whole', () => {
    // Each of four spellings is taken off, in any order: fifteen texts.
    const long = `${'word '.repeat(8000)} %41 &amp; \\u0041 =41`;
    assert.equal(hiding(['hunter-12'])(long), long);
  });
  it('are looked for in the whole of a text of 32 KB', () => {
    const text = `${'x '.repeat(16 * 1024 - 7)}hunter-1234567`;
    assert.equal(text.length, 32 * 1024);
    const { message } = withoutSecrets(new Error(text), ['hunter-1234567']) as Error;
    assert.equal(message, text.replace('hunter-1234567', '***'));
  });
  it('take the words before and behind them along only where those are spelled together with them', () => {
    const json = JSON.stringify({ name: 'ann', password: 'R&D"s', size: 5 });
    assert.equal(
      hiding(['R&D"s'])(`before ${encodeURIComponent(json)} behind`),
      `before ${encodeURIComponent(json).replace(encodeURIComponent('R&D\\"s'), '***')} behind`,
    );
    assert.equal(hiding(['R&D"s'])(`before ${Buffer.from(json).toString('base64')} behind`), 'before *** behind');
  });
  it('are hidden before any pattern, so that no half of one is left', () => {
    const body = '{"password":"Ab,Cdef-ghij1"}';
    assert.equal(redact(hiding(['Ab,Cdef-ghij1'])(body)), '{"password":"***"}');
  });
  it('a shorter one within a longer one leaves nothing of it', () => {
    assert.equal(hiding(['secret', 'secret-and-more'])('is secret-and-more, was secret'), 'is ***, was ***');
  });
  it('take no time where a text is made to be slow', () => {
    // Processor time: on a busy machine the clock runs on without us.
    const started = process.cpuUsage();
    hiding(['\\\\\\a', '&&&&&b', 'aaaaaaaaaaab'])(`${'\\'.repeat(20_000)}${'&amp;'.repeat(5000)}${'a'.repeat(50_000)}`);
    const { user, system } = process.cpuUsage(started);
    assert.ok((user + system) / 1000 < 20_000);
  }).timeout(120_000);
  for (const said of [
    'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
    'MAILBOX_NOT_FOUND_IN_TENANT_CONFIGURATION',
    'InvalidMailboxConfigurationForTenantException',
    'mailbox-configuration-could-not-be-saved',
    'domain 11111111-2222-4333-8444-555555555555 was not found',
    'no such path /v1/customers/me/domains/example/mailboxes/settings',
    'Basic authentication is switched off',
    'Basic auth is not supported',
    'Bearer realm="mail", error="invalid_token"',
    'a Bearer token is required',
    'the token: expired',
    'key: mailbox_already_exists',
    '{"password":"must be longer"}',
    'Password: too short',
    'request id: 0af7651916cd43dd8448eb211c80319c',
    'Message-ID <0af7651916cd43dd8448eb211c80319c@mail.example>',
  ])
    it(`codes, IDs and sentences are no secrets: ${said}`, () => assert.equal(redact(said), said));
  for (const [said, shown] of [
    [`x ${'a1'.repeat(20)}`, 'x ***'],
    ['d41d8cd98f00b204e9800998ecf8427e', '***'],
    ['Authorization: Basic YW5uOnNlc2FtZQ==', 'Authorization: *** ***'],
    ['a Bearer abcdefgh', 'a Bearer ***'],
    ['basic dXNlcjpwYXNz', 'basic ***'],
    ['proxy http://ann:sesame@proxy:80/', 'proxy http://ann:***@proxy:80/'],
    ['password: hunter-two', 'password: ***'],
    ['secret=some_word_here', 'secret=***'],
    ['eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.dozjgNryP4J3jVm', '***'],
    ['key: abcdef', 'key: ***'],
    ['<0af7651916cd43dd8448eb211c80319c>', '<***>'],
  ] as const)
    it(`what looks like one is hidden: ${said}`, () => assert.equal(redact(said), shown));
  it('what is drawn by lot is hidden, in each alphabet that keys have', () => {
    const drawn = (letters: string) =>
      fc.array(fc.constantFrom(...letters), { minLength: 32, maxLength: 64 }).map(list => list.join(''));
    const upper = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ';
    const lower = upper.toLowerCase();
    for (const alphabet of [
      '0123456789abcdef',
      `${upper}234567`,
      `${upper}${lower}0123456789`,
      `${upper}${lower}0123456789-_`,
      `${lower}0123456789`,
      `${upper}${lower}`,
    ]) {
      fc.assert(
        fc.property(drawn(alphabet), key => {
          assert.ok(!redact(`it is ${key}.`).includes(key.slice(0, 32)));
        }),
        { numRuns: 500 },
      );
    }
  });

  it('leave an error and all that can be reached from it', () => {
    const secret = 'Ab,"Cdef"-ghij1';
    const looped: Record<string, unknown> = { list: [secret, { [secret]: secret }] };
    looped.self = looped;
    const cause = Object.assign(new TypeError(`inner ${secret}`), {
      code: 'EX',
      request: { headers: { authorization: `Basic ${Buffer.from(`ann:${secret}`).toString('base64')}` } },
      buffer: Buffer.from(secret),
      map: new Map([['a', secret]]),
    });
    const many = new AggregateError([new Error(secret), cause], secret);
    const error = new MailError('rejected', secret, {
      native: looped,
      cause: Object.freeze(new Error('outer', { cause: many })),
      issues: [{ field: 'password', message: secret }],
    });
    const clean = withoutSecrets(error, [secret]) as MailError;
    assert.equal(clean, error);
    assert.deepEqual(seenIn(clean, secret), []);
    assert.equal((clean.cause as Error).message, 'outer');
    assert.match(inspect(clean, { depth: 20 }), /TypeError: inner \*\*\*/);
    assert.equal(cause.message, `inner ${secret}`, 'what belongs to somebody else is not changed');
  });
  it('leave an object of a class of its own also where they stand far down a list, and lists stay lists', () => {
    const secret = 'sesame-1234';
    const list = (length: number) => Array.from({ length }, (_, i) => (i === length - 1 ? secret : 'item'));
    for (const length of [150, 20_000]) {
      const native = new Map([['items', list(length)]]);
      const { details } = withoutSecrets(new MailError('rejected', 'no', { native }), [secret]) as MailError;
      assert.equal(details.native, '***', String(length));
    }
    const harmless = new Map([['items', Array.from({ length: 150 }, () => 'item')]]);
    const kept = withoutSecrets(new MailError('rejected', 'no', { native: harmless }), [secret]) as MailError;
    assert.equal(kept.details.native, harmless);
    const numbered = Array.from({ length: 1300 }, (_, i) => `n${i}`);
    const many = withoutSecrets(new MailError('rejected', 'no', { native: numbered }), ['1234']) as MailError;
    assert.equal((many.details.native as string[]).length, 1300);
    assert.deepEqual(
      Object.keys(many.details.native as string[]).filter(name => !/^\d+$/.test(name)),
      [],
    );
  });
  it('are looked for at the beginning of a long text alone, and what is left out may be half of one', () => {
    const secret = 'Ab,Cdef-ghij1';
    for (let before = 32 * 1024 - secret.length; before < 32 * 1024; before += 3) {
      const { message } = withoutSecrets(
        new Error(`${'x '.repeat(before).slice(0, before)}${secret}${' y'.repeat(1e5)}`),
        [secret],
      ) as Error;
      assert.match(message, /^[x ]{20000,32767}$/);
    }
  });
  it('are not shown where a text has more layers than are looked at: what was not searched is cut', () => {
    const secret = 'Ab,Cdef-ghij1';
    const deep = (text: string, times: number): string =>
      times ? deep(Buffer.from(text).toString('base64'), times - 1) : text;
    const inner = deep(`password ${secret} and more`, 4);
    // One letter in four spellings, each to be taken off in any order, and words of base64 in base64.
    const noise = Array.from(
      { length: 2000 },
      (_, i) => `%2541%253D41 &amp;amp;#65; \\\\u0041 =3D41 0x41 42 43 44 45 ${deep(`%41 &amp; word number ${i}`, 3)}`,
    ).join(' ');
    assert.ok(!hiding([secret])(`the vendor said ${inner}`).includes(inner), 'it is found');
    assert.ok(!hiding([secret])(`${noise} ${inner}`).includes(inner), 'it is cut');
    assert.match(hiding(['another-secret'])(noise), /\*\*\*/, 'so is what holds none');
  });
});

describe('secrets in layers: what stands in a text in another spelling', () => {
  const texts = (text: string) => layersOf(text).map(layer => layer.text);
  it('is read letter by letter, and the text around stays', () => {
    for (const [text, layer] of [
      ['x%41b', 'xAb'],
      ['x%c3%A9b', 'xéb'],
      ['x%e9b', 'xéb'],
      ['x%41%00%42%00b', 'xABb'],
      ['x=41b', 'xAb'],
      ['x=\nb', 'xb'],
      ['x=\r\nb', 'xb'],
      ['x\\x41b', 'xAb'],
      ['x\\\\X41\\x42b', 'xABb'],
      ['x\\u0041b', 'xAb'],
      ['x\\\\\\U00e9b', 'xéb'],
      ['x\\101b', 'xAb'],
      ['x\\303\\251b', 'xéb'],
      ['x\\nb', 'x\nb'],
      ['x\\rb', 'x\rb'],
      ['x\\tb', 'x\tb'],
      ['x\\bb', 'x\bb'],
      ['x\\fb', 'x\fb'],
      ['x\\"b', 'x"b'],
      ['x&#65;b', 'xAb'],
      ['x&#65 b', 'xA b'],
      ['x&#x41;b', 'xAb'],
      ['x&#X1f600;b', 'x😀b'],
      ['x&#1114111;b', 'x\u{10ffff}b'],
    ] as const)
      assert.ok(texts(text).includes(layer), `${text}: ${JSON.stringify(texts(text))}`);
    const names =
      'amp& lt< gt> quot" apos\' nbsp  excl! num# dollar$ percnt% lpar( rpar) plus+ comma, sol/ colon: semi; equals= quest? commat@ lsqb[ bsol\\ rsqb] lowbar_ lcub{ rcub} verbar|';
    for (const [, name, char] of names.matchAll(/([a-z]+)([^a-z]) ?/g)) {
      assert.deepEqual(texts(`x&${name};b`), [`x${char}b`]);
      assert.deepEqual(texts(`x&${name!.toUpperCase()} b`), [`x${char} b`]);
    }
    for (const plain of ['x&nosuch;b', 'x&#0;b', 'x&#1114112;b', 'x%4', 'x=4', 'x\\401', 'x\\wb', 'x b'])
      assert.deepEqual(texts(plain), [], plain);
  });
  it('is read in whole where bytes were packed, each beside the others', () => {
    const packed = Buffer.from('hello world').toString('base64');
    const other = Buffer.from('other words').toString('base64');
    for (const [text, layer] of [
      [`x ${packed} b`, 'hello world\n'],
      [`x ${packed} ${other}`, 'hello world\nother words\n'],
      [`aGVsbG8\ngd29ybGQ=`, 'hello world\n'],
      [`aGVsbG8\r\ngd29ybGQ=`, 'hello world\n'],
      [`x${packed}`, 'hello world\n'],
      [`xy${packed}`, 'hello world\n'],
      [`xyz${packed}`, 'hello world\n'],
      [Buffer.from('hélloo', 'latin1').toString('base64'), 'hélloo\n'],
      [Buffer.from('hello', 'utf16le').toString('base64'), 'hello\n'],
      ['x 68656c6c6f b', 'hello\n'],
      ['0x68, 0x65, 0x6C, 0x6c', 'hell\n'],
      ['68:65:6c:6c', 'hell\n'],
      ['68 65 6c 6c', 'hell\n'],
      ['104,101, 108;108', 'hell\n'],
      ['195, 169, 195, 169', 'éé\n'],
    ] as const)
      assert.ok(texts(text).includes(layer), `${text}: ${JSON.stringify(texts(text))}`);
    for (const plain of ['aGVsbA=', 'aGVsbG8', '68 65 6c', '104,101,108', '1,2,3,4', `${'/'.repeat(12)}`])
      assert.ok(!texts(plain).some(text => /hel/.test(text)), plain);
    assert.deepEqual(texts('1,2,3,4'), [], 'most of it is no text');
    assert.deepEqual(texts('1,104,101,108'), ['\x01hel\n'], 'most of it is');
  });
  it('says where it stood: a letter for itself, a packed run as a whole', () => {
    const place = (text: string, layer: string, found: string) => {
      const { outer } = layersOf(text).find(one => one.text === layer)!;
      const from = layer.indexOf(found);
      const [start, end] = outer([from, from + found.length]);
      return text.slice(start, end);
    };
    const letters = 'ab%41cd%42%43ef';
    for (const [found, stood] of [
      ['ab', 'ab'],
      ['bA', 'b%41'],
      ['A', '%41'],
      ['Ac', '%41c'],
      ['cd', 'cd'],
      ['B', '%42%43'],
      ['dB', 'd%42%43'],
      ['Ce', '%42%43e'],
      ['f', 'f'],
      ['bAcdBCe', 'b%41cd%42%43e'],
    ] as const)
      assert.equal(place(letters, 'abAcdBCef', found), stood, found);
    const runs = `x ${Buffer.from('hello world').toString('base64')} y ${Buffer.from('other words').toString('base64')} z`;
    const layer = 'hello world\nother words\n';
    assert.equal(place(runs, layer, 'ello'), Buffer.from('hello world').toString('base64'));
    assert.equal(place(runs, layer, 'word'), Buffer.from('other words').toString('base64'));
    assert.equal(place(runs, layer, 'world\no'), runs.slice(2, -2));
  });
});

/** One write of each vendor that takes a password, and the form that its refusals have. */
const VENDORS: Record<
  string,
  { account: Record<string, unknown>; operation: string; input: Record<string, unknown>; body(said: string): string }
> = {
  outreach: {
    account: {},
    operation: 'mailbox.create',
    input: { email: 'ann@example.com' },
    body: said =>
      JSON.stringify({
        errors: [
          { id: 'validationError', title: said, detail: said, source: { pointer: '/data/attributes/password' } },
        ],
      }),
  },
  sodium: {
    account: { apiKey: 'x-api-key-1234', tenant: 't' },
    operation: 'mailbox.create',
    input: { providerType: 'Smtp', fromEmail: 'ann@example.com', host: 'mail.example.com' },
    body: said => JSON.stringify({ message: said, errors: { Password: [said] } }),
  },
  scaleway: {
    account: { secretKey: '11111111-2222-4333-8444-555555555555' },
    operation: 'mailbox.create',
    input: { domain_id: '234daf08-1557-45a3-9b38-443e4823e640', local_part: 'ann', subscription_period: 'monthly' },
    body: said =>
      JSON.stringify({
        type: 'invalid_arguments',
        message: said,
        details: [{ argument_name: 'password', help_message: said, reason: 'constraint' }],
      }),
  },
  migadu: {
    account: { user: 'admin@example.com', apiKey: 'api-key-1234' },
    operation: 'mailbox.create',
    input: { mailbox: 'ann@example.com', name: 'Ann' },
    body: said => JSON.stringify({ error: said, errors: { password: [said] } }),
  },
  contextIo: {
    account: { consumerKey: 'k', consumerSecret: 'consumer-secret-1' },
    operation: 'source.update',
    input: { mailbox: 'a1b2c3d4e5f6a7b8c9d0e1f2', source: '0' },
    body: said => JSON.stringify({ type: 'error', value: said, feedback_code: said, connectionLog: said }),
  },
  rackspace: {
    account: { userKey: 'u', secretKey: 'secret-key-1' },
    operation: 'rsMailbox.update',
    input: { mailbox: 'ann@example.com' },
    body: said =>
      `<badRequestFault><code>400</code><message>${said.replace(/[&<>\x00-\x1f]/g, char => `&#${char.charCodeAt(0)};`)}</message></badRequestFault>`,
  },
};

describe('secrets of an input in refusals of a vendor', () => {
  let server: Server;
  let url: string;
  let refuse: (answer: ServerResponse) => void;
  let refused = 0;
  before(async () => {
    server = createServer((request, answer) => {
      request.resume();
      request.on('end', () => {
        refused++;
        refuse(answer);
      });
    });
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  after(() => {
    server.closeAllConnections();
    server.close();
  });

  const kinds: Record<string, (answer: ServerResponse, said: string, body: (said: string) => string) => void> = {
    ...Object.fromEntries(
      [400, 401, 403, 404, 409, 412, 422, 500, 503].map(status => [
        `status ${status}`,
        (answer: ServerResponse, said: string, body: (said: string) => string) => {
          answer.writeHead(status, { 'content-type': 'text/plain' });
          answer.end(body(said));
        },
      ]),
    ),
    'plain words': (answer, said) => {
      answer.writeHead(400);
      answer.end(said);
    },
    'a page': (answer, said) => {
      answer.writeHead(502, { 'content-type': 'text/html' });
      answer.end(`<html><h1>Error</h1><p title="${said}">${said}</p>`);
    },
    'no JSON in a good answer': (answer, said) => {
      answer.writeHead(200);
      answer.end(`<<< ${said}`);
    },
    'a redirect': (answer, said) => {
      answer.writeHead(302, { location: `https://x.example/?p=${encodeURIComponent(said)}` });
      answer.end(said);
    },
    'a header': (answer, said) => {
      answer.writeHead(400, { 'x-error-message': said.replace(/[^\x20-\x7e]/g, '?') });
      answer.end();
    },
    'half of an answer': (answer, said) => {
      answer.writeHead(400, { 'content-length': '100000' });
      answer.write(said, () => answer.destroy());
    },
  };
  it('are tried at every provider over HTTP', () => {
    assert.deepEqual(
      Object.keys(VENDORS).sort(),
      providers
        .filter(speaksHttp)
        .map(({ id }) => id)
        .sort(),
    );
  });
  it('tokens are secrets from when they are given out, and so is the pair of Basic authentication whatever is in it', async () => {
    const pair = Buffer.from('admin@example.com:k1').toString('base64');
    for (const [id, account, secret] of [
      ['outreach', {}, 'given-out-1234'],
      ['migadu', { user: 'admin@example.com', apiKey: 'k1' }, pair],
    ] as const) {
      const { operation, input, body } = VENDORS[id]!;
      refuse = answer => {
        answer.writeHead(400);
        answer.end(body(`this was sent: ${secret}, and more`));
      };
      const client = connect(
        providerById(id),
        { baseUrl: url, ...account },
        id === 'outreach' ? { token: async () => secret } : {},
      );
      await assert.rejects(
        async () => client.call(operation, { ...input, password: 'Ab,Cdef-ghij1' }),
        (error: MailError) => {
          assert.deepEqual(seenIn(error, secret), []);
          assert.match(error.message, /this was sent: \*\*\*, and more/);
          return true;
        },
      );
    }
  });
  for (const [id, { account, operation, input, body }] of Object.entries(VENDORS)) {
    it(`${id}: none is seen, whatever its letters, its spelling, its place and the failure`, async () => {
      const client = connect(
        providerById(id),
        { baseUrl: url, ...account, perMinute: 60_000, concurrent: 50 },
        { ...(providerById(id).auth.oauth2 ? { token: async () => 'access-token-1' } : {}) },
      );
      await fc.assert(
        fc.asyncProperty(
          // What vendors want of a password stands at its end.
          secretText(8).map(drawn => `${drawn.slice(0, 36)}aA1!`),
          fc.constantFrom(...Object.keys(SPELLINGS)),
          fc.constantFrom(...Object.keys(kinds)),
          fc.nat(600),
          async (password, spelling, kind, before) => {
            refuse = answer =>
              kinds[kind]!(
                answer,
                `${'word '.repeat(before / 5)}password=${SPELLINGS[spelling]!(password)}, so no`,
                body,
              );
            let failed: unknown;
            const earlier = refused;
            try {
              await client.call(operation, { ...input, password });
            } catch (error) {
              failed = error;
            }
            assert.ok(refused > earlier, 'it was sent');
            if (failed === undefined) return;
            assert.deepEqual(seenIn(failed, password), []);
            // Not even a part of it.
            const printed = inspect(failed, { depth: 30 });
            for (let i = 0; i + 6 <= password.length; i++)
              assert.ok(
                !printed.includes(password.slice(i, i + 6)),
                `${password.slice(i, i + 6)} of ${password} in ${printed}`,
              );
          },
        ),
        { numRuns: 60 },
      );
    }).timeout(60_000);
  }
});
