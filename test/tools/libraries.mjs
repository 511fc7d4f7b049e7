// What the build changes in the libraries it bundles: parts that no call of ours leads to are left out, and tables that
// Node has are not shipped again. Each change is a function with its reason, and throws when the library no longer has
// what it changes.
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { basename } from 'node:path';

const requireBuilt = createRequire(new URL('../../package.json', import.meta.url));

/**
 * A module whose parts throw when they are called: `what` says what is missing then, `names` are the names it must
 * export beside its default.
 */
const never = (what, names) =>
  `const never = () => { throw new Error(${JSON.stringify(`${what} is not part of this build.`)}); };\nexport default never;\n` +
  names.map(name => `export { never as ${name} };\n`).join('');

/** The text of a library's file after changes that have to find their place. */
const replaced = (text, path, ...changes) =>
  changes.reduce((before, [from, to]) => {
    const after = before.replace(from, to);
    if (after === before)
      throw new Error(`${path} has no ${from} any more: look at what test/tools/libraries.mjs changes there.`);
    return after;
  }, text);

/** Gives the modules under these names other contents, whoever imports them. */
function insteadOf(contents) {
  return b => {
    b.onResolve({ filter: new RegExp(`^(${Object.keys(contents).join('|')})$`) }, ({ path }) => ({
      path,
      namespace: 'spared',
    }));
    b.onLoad({ filter: /./, namespace: 'spared' }, ({ path }) => ({ contents: contents[path] }));
  };
}

/**
 * Whole libraries that others bring along. The IMAP client is given a logger, so none is made. Japanese charsets are
 * built into Node: their tables would take 14 MB of memory. Proxies by SOCKS, markup made of a parsed page and XML that
 * is written: no call of ours leads there.
 */
const unused = insteadOf({
  pino: 'export default () => { throw new Error("A logger must be given."); };',
  'encoding-japanese':
    'exports.convert = (bytes, { from }) => new TextDecoder(/^euc/i.test(from) ? "euc-jp" : "iso-2022-jp").decode(bytes);',
  socks: never('SOCKS', ['SocksClient']),
  'dom-serializer': never('Writing HTML', ['render']),
  'fast-xml-builder': never('Writing XML', []),
});

/** The SMTP server's own example key is never used here, and no key belongs into a package. */
function withoutExampleKey(b) {
  b.onLoad({ filter: /smtp-server.*[\\/]tls-options\.js$/ }, async ({ path }) => ({
    contents: (await readFile(path, 'utf8')).replace(/-----BEGIN [\s\S]*?-----END [A-Z ]+-----/g, ''),
  }));
}

/** The types of files by their names stand in two libraries. The longer list, that of libmime, serves both. */
function oneListOfFileTypes(b) {
  b.onLoad({ filter: /nodemailer[\\/].*[\\/]mime-types\.js$/ }, () => ({
    contents: `import { parse } from 'node:path';
const types = require('./libmime.js');
export const detectMimeType = name => { const { ext, name: whole } = parse(name || ''); return types.detectMimeType((ext.slice(1) || whole).split('?')[0].trim()); };
export const detectExtension = type => types.detectExtension(type);`,
  }));
}

/**
 * To know the codecs of two bytes a charset, libmime builds one of them, tables and all, when it is loaded. They are
 * also those that have the tables.
 */
function noTableWhenLoaded(b) {
  b.onLoad({ filter: /libmime[\\/].*[\\/]charset\.js$/ }, async ({ path }) => ({
    contents: replaced(
      await readFile(path, 'utf8'),
      path,
      [/const DBCS_DECODER = .*;/, ''],
      ['codec.decoder === DBCS_DECODER', 'codec.decodeTables !== undefined'],
    ),
  }));
}

// This function is also part of the bundle, as its text.
const typesByEnd = list => {
  const found = {};
  for (const [type, ends] of Object.entries(list))
    for (const end of [ends].flat()) found[end] = found[end] ? [found[end], type].flat() : type;
  return found;
};
/**
 * Each end of a file's name has its types, and each type its ends: the one is made of the other, but for what differs.
 */
function fileTypesOnce(b) {
  const same = (one, other) => JSON.stringify(one) === JSON.stringify(other);
  b.onLoad({ filter: /libmime[\\/].*[\\/]mimetypes\.js$/ }, ({ path }) => {
    const { list, extensions } = requireBuilt(path),
      made = typesByEnd(list);
    const ends = [...new Set([...Object.keys(extensions), ...Object.keys(made)])];
    const others = Object.fromEntries(
      ends.filter(end => !same(made[end], extensions[end])).map(end => [end, extensions[end] ?? null]),
    );
    return {
      contents:
        `exports.list = ${JSON.stringify(list)};\nexports.extensions = (${typesByEnd})(exports.list);\n` +
        `for (const [end, types] of Object.entries(${JSON.stringify(others)})) if (types) exports.extensions[end] = types; else delete exports.extensions[end];\n` +
        'exports.default = { list: exports.list, extensions: exports.extensions };',
    };
  });
}

/** The library's names of its tables of two-byte charsets, and Node's names of the same charsets. */
const TABLES_OF_NODE = { cp936: 'gbk', cp950: 'big5', eucjp: 'euc-jp', shiftjis: 'shift_jis' };
// This function is also part of the bundle, as its text: it fills `rows`, the rows of one byte, with those of two and
// three that Node knows.
const tableOfNode = (label, rows, prefixes, isKnown) => {
  const decoder = new TextDecoder(label);
  for (const prefix of prefixes) {
    for (let lead = 0x81; lead <= 0xfe; lead++) {
      const bytes = [];
      for (let trail = 0x40; trail <= 0xfe; trail++) bytes.push(...prefix, lead, trail, 10);
      let last;
      decoder
        .decode(Uint8Array.from(bytes))
        .split('\n')
        .forEach((character, i) => {
          const at = Buffer.from([...prefix, lead, 0x40 + i]).toString('hex');
          if ([...character].length !== 1 || character === '\ufffd' || !isKnown(at, character)) return;
          if (i - 1 === last) rows[rows.length - 1][1] += character;
          else rows.push([at, character]);
          last = i;
        });
    }
  }
  return rows;
};
/**
 * The module that makes one table by Node's decoder. What Node alone knows is left out: private characters, and the few
 * found here.
 */
function madeTable(file) {
  const rows = requireBuilt(file),
    name = basename(file, '.json'),
    iconv = requireBuilt('iconv-lite');
  const hasPrivate = /\p{Co}/u.test(JSON.stringify(rows)),
    left = [];
  const given = [
    TABLES_OF_NODE[name],
    rows.filter(([at]) => at.length < 3),
    rows.some(([at]) => at.length > 4) ? [[], [0x8f]] : [[]],
  ];
  tableOfNode(...structuredClone(given), (at, character) => {
    if ((hasPrivate || !/\p{Co}/u.test(character)) && iconv.decode(Buffer.from(at, 'hex'), name) !== character)
      left.push(at);
    return true;
  });
  const isKnown = `(at, character) => !${JSON.stringify(left)}.includes(at)${hasPrivate ? '' : ' && !/\\p{Co}/u.test(character)'}`;
  return `module.exports = (${tableOfNode})(${given.map(one => JSON.stringify(one)).join()}, ${isKnown});`;
}
/**
 * Node knows the characters of the two-byte charsets, so the library's tables of them are made by its decoder when one
 * is first asked for. Electron has these four as well: its ICU is Chromium's, which is built with them, and it passes
 * Node's own test of them (script/node-disabled-tests.json of Electron does not name it).
 */
function charsetsOfNode(b) {
  b.onLoad(
    {
      filter: new RegExp(
        `iconv-lite[\\\\/]encodings[\\\\/]tables[\\\\/](?:${Object.keys(TABLES_OF_NODE).join('|')})\\.json$`,
      ),
    },
    ({ path }) => ({ contents: madeTable(path), loader: 'js' }),
  );
}

/** The IMAP client goes through no proxy of its own. */
function noProxyOfItsOwn(b) {
  b.onLoad({ filter: /imapflow[\\/].*[\\/]proxy-connection\.js$/ }, () => ({
    contents: `${never('A proxy', ['proxyConnection'])}export const detachEarlyErrorHandler = () => {};`,
  }));
}

/** Mail is composed of what is at hand: nothing is fetched for it from an address. */
function nothingFetched(b) {
  b.onResolve({ filter: /\/fetch\/index\.js$/ }, ({ path, importer }) =>
    /nodemailer/.test(importer) ? { path, namespace: 'not fetched' } : undefined,
  );
  b.onLoad({ filter: /./, namespace: 'not fetched' }, () => ({
    contents: never('Fetching the parts of a message', []),
  }));
}

/** The reader of HTTP comes compiled twice. The one for older processors runs on all of them. */
function oneReaderOfHttp(b) {
  b.onLoad({ filter: /llhttp_simd-wasm\.js$/ }, () => ({ contents: 'throw new Error("The plain one is used.");' }));
}

/**
 * What is left out of, or put in the place of, parts of the libraries of mail and of others that the core loads on
 * first use.
 */
export const spare = {
  name: 'spare',
  setup(b) {
    for (const change of [
      unused,
      withoutExampleKey,
      oneListOfFileTypes,
      noTableWhenLoaded,
      fileTypesOnce,
      charsetsOfNode,
      noProxyOfItsOwn,
      nothingFetched,
      oneReaderOfHttp,
    ])
      change(b);
  },
};

/**
 * What the HTTP client has beyond requests (fetch, WebSocket, caches, mocks) is more than half of it, and nothing here
 * names it.
 */
export const requestsOnly = {
  name: 'requests only',
  setup(b) {
    b.onResolve({ filter: /^\.\/lib\/(?:web|mock|interceptor|cache)\// }, ({ path, importer }) =>
      /[\\/]undici[\\/]index\.js$/.test(importer) ? { path, namespace: 'left out' } : undefined,
    );
    // It is offered to no server, so none can choose it.
    b.onLoad({ filter: /undici[\\/]lib[\\/]dispatcher[\\/]client-h2\.js$/ }, () => ({
      contents: 'module.exports = () => { throw new Error("HTTP/2 is not part of this build."); };',
    }));
    // Proxies and further tries are our own, and SOCKS is refused.
    b.onLoad(
      {
        filter:
          /undici[\\/]lib[\\/](?:dispatcher[\\/](?:socks5-proxy|proxy|env-http-proxy)-agent|handler[\\/](?:retry|redirect)-handler)\.js$/,
      },
      () => ({
        contents:
          'module.exports = class { constructor() { throw new Error("This part of the HTTP client is not part of this build."); } };',
      }),
    );
    b.onLoad({ filter: /./, namespace: 'left out' }, () => ({ contents: 'exports.CacheStorage = class {};' }));
  },
};

/**
 * Packages that others bring along as well: each is a file of its own that all of them share, and stays the CommonJS it
 * is for them.
 */
export const SHARED = ['libmime', 'iconv-lite', '@zone-eu/mailsplit'];
export const share = {
  name: 'share',
  setup(b) {
    b.onResolve({ filter: new RegExp(`^(${SHARED.join('|')})$`) }, ({ path, importer }) =>
      !importer.includes('node_modules') ? undefined : { path: `./${basename(path)}.js`, external: true },
    );
  },
};

/** The JSON language service brings the schemas of schemas, and none of ours is one. */
export const withoutDrafts = {
  name: 'without drafts',
  setup(b) {
    b.onLoad({ filter: /[\\/]schemas[\\/]draft-[\d-]+-flat\.js$/ }, () => ({ contents: 'export default {};' }));
  },
};

/** Of 2,231 names for letters, the simulated providers read those that mail programs write. */
export const fewEntities = {
  name: 'few entities',
  setup(b) {
    b.onLoad({ filter: /postal-mime.*[\\/]html-entities\.js$/ }, () => ({
      contents: `export const htmlEntities = { '&amp;': '&', '&lt;': '<', '&gt;': '>', '&quot;': '"', '&apos;': "'", '&nbsp;': ' ' };`,
    }));
  },
};
