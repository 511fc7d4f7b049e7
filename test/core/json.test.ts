import assert from 'node:assert/strict';
import fc from 'fast-check';
import { parseExactly, parseJson } from '../../shared/codecs/json.js';
import { parseXml } from '../../shared/codecs/xml.js';
import { connect, isMailError, providerById, take, textOf } from '../../shared/index.js';
import { startVendor } from '../sandbox/vendor.js';

const where = { provider: 'Acme', operation: 'mailbox.get' };
const utf16 = (text: string, order: 'le' | 'be') =>
  order === 'le' ? Buffer.from(text, 'utf16le') : Buffer.from(text, 'utf16le').swap16();

describe('JSON', () => {
  it("__proto__ of an answer becomes nobody's prototype, at any depth, and is no property either", () => {
    for (const text of [
      '{"__proto__":{"admin":true},"a":1}',
      '{"b":[{"__proto__":{"admin":true},"a":1}],"a":1}',
      '{"\\u005f_proto__":{"admin":true},"a":1}',
      '{"__proto__":null,"big":9007199254740993,"a":1}',
    ]) {
      const read = parseExactly(text) as Record<string, any>;
      const copy = Object.assign({}, read, read.b?.[0]);
      assert.equal(copy.admin, undefined, text);
      assert.equal(copy.a, 1);
      assert.ok(!Object.hasOwn(read, '__proto__') && !Object.hasOwn(read.b?.[0] ?? {}, '__proto__'), text);
    }
  });
  it('whole numbers that would lose digits are texts, everything else is what it was', () => {
    assert.deepEqual(
      parseExactly(
        '{"id":9007199254740993,"n":[-9007199254740993,18446744073709551615],"safe":9007199254740991,"f":0.12345678901234567,"e":1e20,"huge":1e400}',
      ),
      {
        id: '9007199254740993',
        n: ['-9007199254740993', '18446744073709551615'],
        safe: 9007199254740991,
        f: 0.12345678901234567,
        e: 1e20,
        huge: '1e400',
      },
    );
  });
  it('what is read by a short way is what the long way reads: numbers, names and bytes of any kind', () => {
    const number = fc.oneof(
      fc.bigInt().map(String),
      fc.double({ noNaN: true, noDefaultInfinity: true }).map(String),
      fc.constantFrom('1e400', '-1E+999', '1e23', '123456789012345e299', '0.1234567890123456789'),
    );
    const name = fc.constantFrom(
      'a',
      '__proto__',
      '\\u005f_proto__',
      '__pr\\u006Fto__',
      '\\u00e4',
      '1e999',
      '12345678901234567890',
      'id-7e123',
    );
    const exactly = (text: string): unknown =>
      JSON.parse(
        text.replace(/("(?:[^"\\]|\\.)*")|(-?\d[\d.eE+-]*)/g, (whole, quoted?: string, digits?: string) =>
          (quoted ??
          (/^-?\d+$/.test(digits!) ? !Number.isSafeInteger(Number(digits)) : !Number.isFinite(Number(digits))))
            ? (quoted ?? `"${digits!}"`)
            : whole,
        ),
        (key, value: unknown) => (key === '__proto__' ? undefined : value),
      );
    fc.assert(
      fc.property(fc.array(fc.tuple(name, number, name, fc.constantFrom('', ' ', '\n\t'))), members => {
        const text = `{"all":[${members.map(([key, digits, word, blank]) => `${blank}{${blank}"${key}":${blank}${digits},"w":["${word}",${blank}${digits}]}`).join(',')}]}`;
        assert.deepEqual(parseExactly(text), exactly(text));
      }),
      { numRuns: 500 },
    );
    fc.assert(
      fc.property(
        fc.constantFrom('{"', 'ab', '  ', '<?', '\ufeff{', '1'),
        fc.uint8Array({ maxLength: 60 }),
        fc.constantFrom('', 'application/json', 'application/json; charset=UTF-8', 'text/x;charset="utf-8"'),
        (start, rest, type) => {
          const body = Buffer.concat([Buffer.from(start), rest]);
          // Two zeros among the first letters are two bytes a letter, which is another promise.
          if (body.subarray(0, 2).includes(0)) return;
          assert.equal(textOf({ headers: type ? { 'content-type': type } : {}, body }), new TextDecoder().decode(body));
        },
      ),
      { numRuns: 1_000 },
    );
  });
  it('digits inside texts and names are no numbers, whatever is escaped around them', () => {
    for (const value of [
      { 'a"12345678901234567890': '\\"12345678901234567890,' },
      ['\\', 1, '\\\\"1e999'],
      { text: '"12345678901234567890"' },
    ]) {
      assert.deepEqual(parseExactly(JSON.stringify(value)), value);
    }
  });
  it('a long text costs no stack and no time to speak of', () => {
    const text = `\\"${'x'.repeat(20_000_000)}`;
    assert.deepEqual(parseExactly(`{"text":${JSON.stringify(text)},"id":12345678901234567890}`), {
      text,
      id: '12345678901234567890',
    });
  });
  it('gives back any value, with its long numbers as written', () => {
    const { tree } = fc.letrec(tie => ({
      tree: fc.oneof(
        { maxDepth: 4 },
        fc.string({ unit: fc.constantFrom(...'a"\\1234567890,:{}[]') }),
        fc.integer(),
        fc.boolean(),
        fc.constant(null),
        fc.bigInt({ min: -(2n ** 80n), max: 2n ** 80n }),
        fc.array(tie('tree')),
        fc.dictionary(fc.string({ unit: fc.constantFrom(...'a"\\12345678') }), tie('tree')),
      ),
    }));
    const written = (value: unknown): string =>
      typeof value === 'bigint'
        ? String(value)
        : Array.isArray(value)
          ? `[${value.map(written).join(',')}]`
          : typeof value === 'object' && value !== null
            ? `{${Object.entries(value)
                .map(([name, one]) => `${JSON.stringify(name)}: ${written(one)}`)
                .join(',')}}`
            : JSON.stringify(value);
    const meant = (value: unknown): unknown =>
      typeof value === 'bigint'
        ? BigInt(Number(value)) === value && Number.isSafeInteger(Number(value))
          ? Number(value)
          : String(value)
        : Array.isArray(value)
          ? value.map(meant)
          : typeof value === 'object' && value !== null
            ? Object.fromEntries(Object.entries(value).map(([name, one]) => [name, meant(one)]))
            : value;
    fc.assert(fc.property(tree, value => assert.deepEqual(parseExactly(written(value)), meant(value))));
  });
  for (const wrong of [
    '{12345678901234567890: 1}',
    '[012345678901234567890]',
    '[12345678901234567890',
    '[1234567890123456789.]',
  ]) {
    it(`${wrong} is still no JSON`, () => assert.throws(() => parseExactly(wrong), SyntaxError));
  }
});

describe('encodings of answers', () => {
  const json = '{"name":"Grüße €"}';
  const document = '<a><name>Grüße €</name></a>';
  const CASES: [what: string, body: (text: string) => Buffer, type?: string][] = [
    ['UTF-8', text => Buffer.from(text)],
    ['UTF-8 with a mark', text => Buffer.from(`\uFEFF${text}`)],
    ['UTF-16 with a mark', text => utf16(`\uFEFF${text}`, 'le')],
    ['UTF-16, the other order, with a mark', text => utf16(`\uFEFF${text}`, 'be')],
    ['UTF-16 without a mark', text => utf16(text, 'le')],
    ['UTF-16, the other order, without a mark', text => utf16(text, 'be')],
    ['a mark against what the head says', text => Buffer.from(`\uFEFF${text}`), 'application/json; charset=utf-16'],
    ['UTF-8 under the name of UTF-16', text => Buffer.from(text), 'text/xml; charset="utf-16"'],
    [
      'windows-1252, in the head',
      text => Buffer.from(text.replace('€', '\x80'), 'latin1'),
      'text/plain; charset=Windows-1252',
    ],
    ['a charset nobody knows', text => Buffer.from(text), 'text/plain; charset=x-nobody'],
  ];
  for (const [what, body, type] of CASES) {
    it(what, async () => {
      const answer = (text: string) => ({
        status: 200,
        headers: type ? { 'content-type': type } : ({} as Record<string, string>),
        body: body(text),
      });
      assert.deepEqual(parseJson(where, answer(json)), { name: 'Grüße €' });
      assert.deepEqual((await parseXml(where, answer(document))).value, { name: 'Grüße €' });
    });
  }
  it('an encoding declared in XML, also one that is not what stands there', async () => {
    const read = async (body: Buffer) =>
      (await parseXml(where, { status: 200, headers: { 'content-type': 'text/xml' }, body })).value;
    const declared = (name: string) => `<?xml version="1.0" encoding="${name}"?>${document}`;
    assert.deepEqual(await read(Buffer.from(declared('windows-1252').replace('€', '\x80'), 'latin1')), {
      name: 'Grüße €',
    });
    // What .NET's StringWriter declares, whatever the text is encoded in later:
    // https://learn.microsoft.com/dotnet/api/system.io.stringwriter.encoding
    assert.deepEqual(await read(Buffer.from(declared('utf-16'))), { name: 'Grüße €' });
    assert.deepEqual(await read(utf16(declared('utf-16'), 'le')), { name: 'Grüße €' });
  });
  it('what cannot be read is shown in letters', () => {
    assert.throws(
      () => parseJson(where, { status: 200, headers: {}, body: utf16('\uFEFFService offline', 'le') }),
      /: "Service offline"/,
    );
  });
  it('Rackspace tells XML in two bytes a letter from JSON', async () => {
    const body = utf16('\uFEFF<?xml version="1.0" encoding="utf-16"?><mailbox><name>alex</name></mailbox>', 'le');
    const vendor = await startVendor({
      id: 'rackspace',
      account: baseUrl => ({ baseUrl, userKey: 'a', secretKey: 'b' }),
      throttled: () => ({ status: 403 }),
      handle: () => ({ status: 200, headers: { 'content-type': 'text/xml' }, body }),
    });
    try {
      const { native } = await connect(providerById('rackspace'), vendor.account).call('mailbox.get', {
        mailbox: 'alex@example.com',
      });
      assert.equal(native.name, 'alex');
    } finally {
      await vendor.close();
    }
  });
});

describe('null for an empty list', () => {
  const LISTS: [
    provider: string,
    account: Record<string, unknown>,
    operation: string,
    input: Record<string, unknown>,
    answer: unknown,
  ][] = [
    [
      'scaleway',
      { secretKey: '11111111-2222-4333-8444-555555555555' },
      'mailbox.list',
      {},
      { mailboxes: null, total_count: 0 },
    ],
    [
      'rackspace',
      { userKey: 'a', secretKey: 'b' },
      'mailbox.list',
      { domain: 'example.com' },
      { offset: 0, size: 50, total: 0, mailboxes: null },
    ],
    [
      'rackspace',
      { userKey: 'a', secretKey: 'b' },
      'spamList.list',
      { mailbox: 'a@example.com', list: 'blockedIps' },
      { addresses: null },
    ],
    [
      'rackspace',
      { userKey: 'a', secretKey: 'b' },
      'emailAddress.list',
      { mailbox: 'a@example.com' },
      { name: 'a', emailAddressList: null },
    ],
    ['sodium', { apiKey: 'key', tenant: 'ACME' }, 'mailbox.list', {}, { data: null, totalCount: 0, hasMore: false }],
    ['sodium', { apiKey: 'key', tenant: 'ACME' }, 'mailbox.list', {}, null],
    ['contextIo', { consumerKey: 'key', consumerSecret: 'secret' }, 'mailbox.list', {}, null],
  ];
  for (const [id, account, operation, input, answer] of LISTS) {
    it(`${id} ${operation}: ${JSON.stringify(answer)}`, async () => {
      const vendor = await startVendor({
        id,
        account: baseUrl => ({ baseUrl, ...account }),
        throttled: () => ({ status: 429 }),
        handle: () => ({ status: 200, headers: { 'content-type': 'application/json' }, body: JSON.stringify(answer) }),
      });
      try {
        assert.deepEqual(
          await take(connect(providerById(id), vendor.account).call(operation, input) as AsyncIterable<unknown>),
          [],
        );
      } finally {
        await vendor.close();
      }
    });
  }
  it('Outreach: "data" is null', async () => {
    const vendor = await startVendor({
      id: 'outreach',
      account: baseUrl => ({ baseUrl }),
      throttled: () => ({ status: 429 }),
      handle: () => ({ status: 200, headers: { 'content-type': 'application/vnd.api+json' }, body: '{"data":null}' }),
    });
    try {
      const client = connect(providerById('outreach'), vendor.account, { token: async () => 'token' });
      assert.deepEqual(await take(client.call('mailbox.list', {})), []);
    } finally {
      await vendor.close();
    }
  });
  it('a list that is missing is no empty list', async () => {
    const vendor = await startVendor({
      id: 'scaleway',
      account: baseUrl => ({ baseUrl, secretKey: '11111111-2222-4333-8444-555555555555' }),
      throttled: () => ({ status: 429 }),
      handle: () => ({ status: 200, headers: { 'content-type': 'application/json' }, body: '{"total_count":0}' }),
    });
    try {
      await assert.rejects(
        take(connect(providerById('scaleway'), vendor.account).call('mailbox.list', {})),
        error => isMailError(error) && error.code === 'protocol',
      );
    } finally {
      await vendor.close();
    }
  });
});

describe('an answer that cannot be read', () => {
  it('shows no half of a secret, however many of them stand before it', () => {
    const secret = 'correct horse '.repeat(71);
    const hide = (text: string) => text.replaceAll(secret, '***');
    for (const encoding of ['utf8', 'utf16le'] as const) {
      const body = Buffer.from(`no ${secret.repeat(20)}`, encoding);
      const headers = {};
      assert.throws(
        () => parseJson({ ...where, hide }, { status: 200, headers, body } as never),
        (error: Error) => /\*\*\*/.test(error.message) && !/horse/.test(error.message),
        encoding,
      );
    }
  });
});

describe('ids beyond 2^53', () => {
  it('Outreach: an id is listed, asked for and written with all of its digits', async () => {
    const id = '9007199254740993';
    const resource = `{"type":"mailbox","id":${id},"attributes":{"email":"a@example.com"},"relationships":{"user":{"data":{"type":"user","id":9007199254740995}}}}`;
    const vendor = await startVendor({
      id: 'outreach',
      account: baseUrl => ({ baseUrl }),
      throttled: () => ({ status: 429 }),
      handle: request => ({
        status: 200,
        headers: { 'content-type': 'application/vnd.api+json' },
        body: `{"data":${/mailboxes$/.test(request.url.pathname) ? `[${resource}]` : resource}}`,
      }),
    });
    try {
      const client = connect(providerById('outreach'), vendor.account, { token: async () => 'token' });
      const [listed] = (await take(client.call('mailbox.list', {}))) as { id: string; user?: string }[];
      assert.deepEqual([listed!.id, listed!.user], [id, '9007199254740995']);
      await client.call('mailbox.get', { mailbox: listed!.id });
      assert.match(vendor.seen.at(-1)!.path, /\/mailboxes\/9007199254740993/);
      await client.call('mailbox.update', { mailbox: listed!.id, sendDisabled: true });
      assert.equal((JSON.parse(vendor.seen.at(-1)!.body.toString()) as { data: { id: unknown } }).data.id, id);
    } finally {
      await vendor.close();
    }
  });
});
