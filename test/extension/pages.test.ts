import assert from 'node:assert/strict';
import fc from 'fast-check';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import {
  accountFields,
  providerById,
  providers,
  readRedirect,
  type Fields,
  type Operation,
} from '../../shared/index.js';
import { PAGE_WORDS, readKept, readToHost, SHAPES, type Kind } from '../../extension/webview/messages.js';
import { control, render } from '../../extension/form/render.js';
import { bodyFields, htmlOf } from '../../extension/mail/body.js';
import { cell, columnsOf, csvRow, csvTable, jsonTable } from '../../extension/fields/csv.js';
import { policyOf } from '../../extension/webview/policy.js';
import { createRedirects } from '../../extension/accountForm/redirects.js';
import { createRequestLog } from '../../extension/requests/log.js';

const root = join(__dirname, '../..');
/** What runs in pages: the folder `page` of each room. */
const pageFiles = readdirSync(join(root, 'extension'), { recursive: true, encoding: 'utf8' }).filter(name =>
  /(?:^|[\\/])page[\\/].*\.ts$/.test(name),
);

describe('messages between page and host', () => {
  it('are taken in their exact shape', () => {
    assert.ok(readToHost({ type: 'ready' }));
    assert.ok(readToHost({ type: 'ask', id: 1, ask: { do: 'edit', field: 'name', value: 'x' } }));
    assert.ok(readToHost({ type: 'ask', id: 2, ask: { do: 'reload' } }));
    for (const bad of [
      null,
      1,
      'x',
      [],
      {},
      { type: 'ask' },
      { type: 'ask', id: '1', ask: { do: 'cancel' } },
      { type: 'ask', id: 1, ask: { do: 'exec', command: 'x' } },
      { type: 'ask', id: 1, ask: { do: 'constructor' } },
      { type: 'ask', id: 1, ask: { do: 'edit', field: 1, value: 'x' } },
      { type: 'ask', id: 1, ask: { do: 'edit', field: 'a', value: { deep: 1 } } },
      { type: 'ask', id: 1, ask: { do: 'cancel', more: 1 } },
      { type: 'ask', id: 1, ask: { do: 'mail', message: 'm', what: 'format' } },
      { type: 'ask', id: 1, ask: { do: 'add', column: 'c', values: [1] } },
    ])
      assert.equal(readToHost(bad), undefined, JSON.stringify(bad));
  });
  const read = (ask: object) => readToHost({ type: 'ask', id: 1, ask });
  const holes: string[] = [];
  holes[3] = 'x';
  const huge = 'x'.repeat(2_000_001);
  const lists = [holes, Array(10_001).fill('x'), Array(3).fill('x'.repeat(700_000)), [1], {}, 'x', null, undefined];
  const WRONG: { readonly [K in Extract<Kind, string>]: readonly unknown[] } = {
    string: [1, null, undefined, ['x'], {}, huge],
    'string?': [1, null, ['x'], huge],
    number: [1.5, NaN, Infinity, '1', undefined, 2 ** 53],
    strings: lists,
    any: [{}, Infinity, NaN, Symbol('x'), () => 1, huge, holes, [1], [['x']]],
    values: [
      'x',
      ['x'],
      null,
      undefined,
      { a: {} },
      { a: holes },
      { a: huge },
      { a: 'x'.repeat(1_500_000), b: 'x'.repeat(1_500_000) },
      { ['k'.repeat(201)]: 1 },
      JSON.parse('{"__proto__":"x"}'),
      Object.fromEntries(Array.from({ length: 501 }, (_, i) => [i, 'x'])),
    ],
  };
  const RIGHT: { readonly [K in Extract<Kind, string>]: unknown } = {
    string: 'x',
    'string?': undefined,
    number: 3,
    strings: ['x', 'y'],
    any: ['x'],
    values: { a: 'x', b: 1, c: ['y'], d: null, e: true },
  };
  for (const [what, shape] of Object.entries(SHAPES) as [string, Readonly<Record<string, Kind>>][]) {
    it(`"${what}" is taken when all of it is right, and dropped when anything of it is wrong`, () => {
      const good = {
        do: what,
        ...Object.fromEntries(
          Object.entries(shape).map(([key, kind]) => [key, typeof kind === 'string' ? RIGHT[kind] : kind[0]]),
        ),
      };
      assert.ok(read(good));
      for (const [key, kind] of Object.entries(shape))
        for (const wrong of typeof kind === 'string' ? WRONG[kind] : ['other', '', 0, undefined, [kind[0]]])
          assert.equal(read({ ...good, [key]: wrong }), undefined, `${key}: ${String(wrong).slice(0, 40)}`);
      assert.equal(read({ ...good, more: 1 }), undefined);
      assert.equal(read(Object.create(good)), undefined, 'nothing is inherited');
      for (const id of [undefined, '1', 1.5, NaN, 2 ** 53])
        assert.equal(readToHost({ type: 'ask', id, ask: good }), undefined, `id ${String(id)}`);
    });
  }
  it('nothing of a message is inherited', () => {
    assert.equal(readToHost(Object.create({ type: 'ready' })), undefined);
    assert.equal(readToHost(Object.assign(Object.create({ id: 1 }), { type: 'ask', ask: { do: 'save' } })), undefined);
  });
  it('anything else is dropped without a sound (property)', () => {
    fc.assert(
      fc.property(fc.anything(), one => {
        const read = readToHost(one);
        assert.ok(read === undefined || read.type === 'ready' || read.type === 'ask');
      }),
    );
  });
  it('what a tab comes back from is taken in its exact shape', () => {
    assert.deepEqual(readKept({ keep: { place: 'x', label: 'y' }, scroll: 5 }), { place: 'x', label: 'y' });
    for (const bad of [
      undefined,
      null,
      'x',
      {},
      { keep: 1 },
      { keep: [] },
      { keep: { place: 1 } },
      { keep: { place: { deep: 'x' } } },
      { keep: { place: 'x'.repeat(30_000) } },
    ])
      assert.equal(readKept(bad), undefined);
  });
  it('every text of a page is in the list that the host translates', () => {
    const known = new Set<string>(PAGE_WORDS);
    for (const file of pageFiles) {
      for (const [, text] of readFileSync(join(root, 'extension', file), 'utf8').matchAll(/\bw\('([^']+)'/g))
        assert.ok(known.has(text!), `${file}: "${text}"`);
    }
  });
  it('every text in that list is one of a page', () => {
    const pages = pageFiles.map(file => readFileSync(join(root, 'extension', file), 'utf8')).join('\n');
    assert.deepEqual(
      PAGE_WORDS.filter(text => !pages.includes(`'${text}'`)),
      [],
    );
  });
});

describe('the policy of a page', () => {
  it('lets run what has the nonce, and nothing load but our style; mail may have styles and, when asked, pictures', () => {
    const rest = "base-uri 'none'; form-action 'none'";
    const start = "default-src 'none'; script-src 'nonce-N'; style-src SOURCE";
    for (const page of ['form', 'lists', 'requests'] as const)
      for (const images of [true, false]) assert.equal(policyOf(page, images, 'N', 'SOURCE'), `${start}; ${rest}`);
    assert.equal(
      policyOf('overview', true, 'N', 'SOURCE'),
      `${start} 'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='; ${rest}`,
    );
    assert.equal(policyOf('reader', false, 'N', 'SOURCE'), `${start} 'unsafe-inline'; img-src data:; ${rest}`);
    assert.equal(
      policyOf('reader', true, 'N', 'SOURCE'),
      `${start} 'unsafe-inline'; img-src data: https: http:; ${rest}`,
    );
  });
});

describe('forms', () => {
  for (const provider of providers) {
    it(`${provider.name}: every field of every operation has a control with a label`, () => {
      const look = (fields: Fields) => {
        const shown = render(fields).flatMap(group => group.controls);
        assert.deepEqual(shown.map(one => one.name).sort(), Object.keys(fields).sort());
        for (const one of shown) assert.ok(one.label, one.name);
      };
      look(accountFields(provider));
      for (const operation of Object.values(provider.operations as Record<string, Operation>)) look(operation.input);
    });
  }
  it('secrets are password boxes, whatever their length', () =>
    assert.equal(control('p', { type: 'text', label: 'P', secret: true, lines: 5 }).kind, 'secret'));
  it('required ones come first in their group, groups in the order of the table', () => {
    const groups = render({
      a: { type: 'text', label: 'A', group: 'One' },
      b: { type: 'text', label: 'B', group: 'Two' },
      c: { type: 'text', label: 'C', group: 'One', required: true },
    });
    assert.deepEqual(
      groups.map(group => [group.title, group.controls.map(one => one.name)]),
      [
        ['One', ['c', 'a']],
        ['Two', ['b']],
      ],
    );
  });
});

describe('the composer', () => {
  it('finds the body fields of every provider that sends', () => {
    for (const provider of providers) {
      for (const name of ['message.send', 'message.reply', 'message.forward', 'message.sendFrom']) {
        const operation = (provider.operations as Record<string, Operation>)[name];
        if (!operation) continue;
        const body = bodyFields(operation.input);
        assert.ok(body.text ?? body.html, `${provider.id} ${name}`);
        if (operation.input[body.html ?? '']?.required) assert.ok(body.made, `${provider.id} ${name} wants HTML`);
      }
    }
  });
  it('makes HTML of plain text in which nothing of the text is markup', () =>
    assert.equal(htmlOf('a <b>\nc\n\n"d" & e'), '<p>a &#60;b&#62;<br>c</p>\n<p>&#34;d&#34; &#38; e</p>'));
});

describe('exports', () => {
  it('quote what must be quoted and disarm what a spreadsheet would run', () => {
    assert.equal(cell('a,"b"\n'), '"a,""b""\n"');
    for (const formula of ['=1+1', '+cmd', '-2+3', '@SUM(A1)', ' =1+1', '\t=1', '\u200b=1', '＝1+1', '=1,2'])
      assert.ok(cell(formula).startsWith("'") || cell(formula).startsWith('"\''), formula);
    assert.equal(cell(-5), '-5');
    assert.equal(cell('-5.2'), '-5.2');
  });
  it("have the shared columns first, then the vendor's own", () => {
    const rows = [
      { id: '1', native: { b: 2 } },
      { id: '2', email: 'x@x.example', native: { attributes: { c: 3 } } },
    ];
    const columns = columnsOf(rows);
    assert.deepEqual(columns, ['id', 'email', 'native.b', 'native.c']);
    assert.equal(csvRow(rows[1]!, columns), '2,x@x.example,,3\r\n');
  });
  it('disarm a formula that is the name of a column', () => {
    const table = csvTable();
    assert.equal(table.row({ '=1+1': 'x' }) + table.end(), "\ufeff'=1+1\r\nx\r\n");
  });
  it('lose nothing of a row that has more than those before it', () => {
    const table = csvTable(2);
    const text =
      ['1', '2'].map(id => table.row({ id })).join('') +
      table.row({ id: '3', late: 'x', native: { own: 1 } }) +
      table.row({ id: '4' }) +
      table.end();
    assert.equal(text, '\ufeffid,others\r\n1,\r\n2,\r\n3,"{""late"":""x"",""native.own"":1}"\r\n4,\r\n');
  });
  it('come back as they went in, formulas with their apostrophe (property)', () => {
    const value = fc.oneof(
      fc.string(),
      fc.constantFrom('=1', 'a,b', '"', '\r\n', '', ' +x'),
      fc.integer(),
      fc.boolean(),
    );
    fc.assert(
      fc.property(fc.array(fc.record({ a: value, b: value }), { maxLength: 5 }), rows => {
        const table = csvTable();
        const text = rows.map(row => table.row(row)).join('') + table.end();
        const read = parseCsv(text.slice(1))
          .slice(1)
          .map(([a, b]) => ({ a, b }));
        assert.deepEqual(
          read.map(({ a, b }) => [a, b]),
          rows.map(({ a, b }) =>
            [a, b].map(one =>
              cell(one).startsWith("'") || cell(one).startsWith(`"'`)
                ? typeof one === 'string' && one.startsWith("'")
                  ? one
                  : `'${String(one)}`
                : String(one),
            ),
          ),
        );
      }),
    );
  });
  it('as JSON are whole wherever they end', () => {
    for (const count of [0, 1, 3]) {
      const table = jsonTable();
      const rows = Array.from({ length: count }, (_, i) => ({ i }));
      assert.deepEqual(JSON.parse(rows.map(row => table.row(row)).join('') + table.end()), rows);
    }
  });
});

/** A reader of CSV by the letter of RFC 4180. */
function parseCsv(text: string): string[][] {
  const rows: string[][] = [];
  let row: string[] = [];
  let at = 0;
  while (at < text.length) {
    const found = /^(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n|$)/.exec(text.slice(at));
    assert.ok(found, `no CSV at ${at}`);
    row.push(found[1]?.replaceAll('""', '"') ?? found[2]!);
    at += found[0].length;
    if (found[3] !== ',') {
      rows.push(row);
      row = [];
    }
  }
  return rows;
}

describe('coming back from a sign-in', () => {
  const outreachAccount = { provider: providerById('outreach'), account: { baseUrl: 'https://api.outreach.io' } };
  it('goes to the one that was started here, once; any other is told apart and ends nothing', async () => {
    const returns = createRedirects();
    const got: string[] = [];
    const forget = returns.expect('mine', address => got.push(address));
    for (const bad of ['', 'state=', 'state=other&code=x', 'code=x']) assert.equal(returns.arrived(bad), false, bad);
    assert.deepEqual(got, []);
    assert.equal(returns.arrived('state=mine&code=a%2Fb'), true);
    assert.equal(await readRedirect(got[0]!, 'mine', outreachAccount), 'a/b');
    forget();
    assert.equal(returns.arrived('state=mine&code=again'), false);
  });
  it('keeps a plus of the code, whether or not its percent sign was taken out on the way', async () => {
    for (const query of ['state=s&code=a%2Bb%3D%3D', 'state=s&code=a+b==']) {
      let got = '';
      const returns = createRedirects();
      returns.expect('s', address => {
        got = address;
      });
      returns.arrived(query);
      assert.equal(await readRedirect(got, 's', outreachAccount), 'a+b==');
    }
  });
  it('a refusal is handed on with its reason', async () => {
    let got = '';
    const returns = createRedirects();
    returns.expect('s', address => {
      got = address;
    });
    returns.arrived('state=s&error=access_denied&error_description=not+today');
    await assert.rejects(readRedirect(got, 's', outreachAccount), {
      code: 'forbidden',
      message: /access_denied: not today/,
    });
  });
});

describe('the request log', () => {
  const quiet = { info() {}, warn() {} };
  it('shows no query, whatever is in it, and counts the tries of a read', () => {
    const said: string[] = [];
    const log = createRequestLog({
      info: (line: string) => said.push(line),
      warn: (line: string) => said.push(line),
    } as never);
    log.observe('Mine', { method: 'GET', url: 'https://x.example/a?key=secret', status: 503, ms: 1 });
    log.observe('Mine', { method: 'GET', url: 'https://x.example/a?key=secret', status: 200, ms: 1, attempt: 2 });
    assert.ok(!said.join().includes('secret'));
    assert.deepEqual(
      log.lines().map(line => [line.path, line.attempt]),
      [
        ['/a', 1],
        ['/a', 2],
      ],
    );
    assert.match(said[1]!, /try 2/);
  });
  it('forgets the oldest', () => {
    const log = createRequestLog(quiet as never);
    for (let i = 0; i < 500; i++)
      log.observe('Mine', { method: 'GET', url: `https://x.example/${i}`, status: 200, ms: 1 });
    assert.equal(log.lines().length, 200);
    assert.equal(log.lines().at(-1)!.path, '/499');
  });
});
