// Builds the core once, then the front ends with the core external. Whatever the core imports dynamically becomes a file of its own under
// dist/shared/lazy, because esbuild splits no CommonJS: so the mail libraries, the HTTP client and the XML parser load on first use only.
import { build as bundle } from 'esbuild';
import { readFileSync } from 'node:fs';
import { cp, glob, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { basename, dirname, join, resolve } from 'node:path';

const root = import.meta.dirname, requireBuilt = createRequire(join(root, 'package.json'));
const common = { bundle: true, platform: 'node', format: 'cjs', target: 'node20', minifySyntax: true, minifyWhitespace: true, legalComments: 'none', logLevel: 'warning', absWorkingDir: root, mainFields: ['module', 'main'] };
const all = async pattern => Array.fromAsync(glob(pattern, { cwd: root }));

await rm(join(root, 'dist'), { recursive: true, force: true });

// What each product is bundled from, for its licences and its bill of materials (test/materials.ts). Both products contain the core.
const bundled = { core: [], n8n: [], vscode: [] };
const build = product => async options => { bundled[product].push((await bundle({ ...options, metafile: true })).metafile); };
const [buildCore, buildN8n, buildVscode] = ['core', 'n8n', 'vscode'].map(build);

// The core and its lazy parts.
const lazy = new Map();
const splitLazy = {
  name: 'lazy',
  setup(b) {
    b.onResolve({ filter: /./ }, args => {
      if (args.kind !== 'dynamic-import' || args.path.startsWith('node:')) return undefined;
      const name = `${basename(args.path).replace(/\.[jt]s$/, '')}.js`;
      lazy.set(name, args.path.startsWith('.') ? resolve(args.resolveDir, args.path.replace(/\.js$/, '.ts')) : args.path);
      return { path: `./lazy/${name}`, external: true };
    });
  },
};
// A native import() of a bundled CommonJS library (undici) would see its default export only, so the lazy parts are required.
await buildCore({ ...common, entryPoints: ['shared/index.ts'], outfile: 'dist/shared/index.js', plugins: [splitLazy], minifyIdentifiers: true, supported: { 'dynamic-import': false } });
// `export *` leaves the default export out, which is all that a CommonJS module made of one class has.
const whole = entry => `export * from ${JSON.stringify(entry)}; import * as all from ${JSON.stringify(entry)}; export default all.default ?? all;`;
// What libraries bring along without a call that needs it here. A logger (the IMAP client is given one), tables of Japanese charsets, which Node
// has built in: 14 MB of memory. Proxies by SOCKS, markup made of a parsed page, XML that is written: no call of ours leads there.
const never = (what, names) => `const never = () => { throw new Error(${JSON.stringify(`${what} is not part of this build.`)}); };\nexport default never;\n`
  + names.map(name => `export { never as ${name} };\n`).join('');
const spared = {
  pino: 'export default () => { throw new Error("A logger must be given."); };',
  'encoding-japanese': 'exports.convert = (bytes, { from }) => new TextDecoder(/^euc/i.test(from) ? "euc-jp" : "iso-2022-jp").decode(bytes);',
  socks: never('SOCKS', ['SocksClient']),
  'dom-serializer': never('Writing HTML', ['render']),
  'fast-xml-builder': never('Writing XML', []),
};
// The types of files by their names stand in two libraries. The longer list serves both.
const fileTypes = `import { parse } from 'node:path';
const types = require('./libmime.js');
export const detectMimeType = name => { const { ext, name: whole } = parse(name || ''); return types.detectMimeType((ext.slice(1) || whole).split('?')[0].trim()); };
export const detectExtension = type => types.detectExtension(type);`;
const typesByEnd = list => { const found = {}; for (const [type, ends] of Object.entries(list)) for (const end of [ends].flat()) found[end] = found[end] ? [found[end], type].flat() : type; return found; };
const typesOnce = ({ list, extensions }) => {
  const made = typesByEnd(list), same = (one, other) => JSON.stringify(one) === JSON.stringify(other);
  const others = Object.fromEntries([...new Set([...Object.keys(extensions), ...Object.keys(made)])].filter(end => !same(made[end], extensions[end])).map(end => [end, extensions[end] ?? null]));
  return `exports.list = ${JSON.stringify(list)};\nexports.extensions = (${typesByEnd})(exports.list);\n`
    + `for (const [end, types] of Object.entries(${JSON.stringify(others)})) if (types) exports.extensions[end] = types; else delete exports.extensions[end];\n`
    + 'exports.default = { list: exports.list, extensions: exports.extensions };';
};
// Node knows the characters of the two-byte charsets, so the library's tables of them are made by its decoder when one is first asked for. What
// Node alone knows is left out: private characters, and the few that the build finds. Electron has these four as well: its ICU is Chromium's, which
// is built with them, and it passes Node's own test of them (script/node-disabled-tests.json of Electron does not name it).
const tablesOfNode = { cp936: 'gbk', cp950: 'big5', eucjp: 'euc-jp', shiftjis: 'shift_jis' };
const tableOfNode = (label, rows, prefixes, isKnown) => {
  const decoder = new TextDecoder(label);
  for (const prefix of prefixes) {
    for (let lead = 0x81; lead <= 0xfe; lead++) {
      const bytes = [];
      for (let trail = 0x40; trail <= 0xfe; trail++) bytes.push(...prefix, lead, trail, 10);
      let last;
      decoder.decode(Uint8Array.from(bytes)).split('\n').forEach((character, i) => {
        const at = Buffer.from([...prefix, lead, 0x40 + i]).toString('hex');
        if ([...character].length !== 1 || character === '\ufffd' || !isKnown(at, character)) return;
        if (i - 1 === last) rows[rows.length - 1][1] += character; else rows.push([at, character]);
        last = i;
      });
    }
  }
  return rows;
};
const madeTable = file => {
  const rows = requireBuilt(file), name = basename(file, '.json'), iconv = requireBuilt('iconv-lite');
  const hasPrivate = /\p{Co}/u.test(JSON.stringify(rows)), left = [];
  const given = [tablesOfNode[name], rows.filter(([at]) => at.length < 3), rows.some(([at]) => at.length > 4) ? [[], [0x8f]] : [[]]];
  tableOfNode(...structuredClone(given), (at, character) => {
    if ((hasPrivate || !/\p{Co}/u.test(character)) && iconv.decode(Buffer.from(at, 'hex'), name) !== character) left.push(at);
    return true;
  });
  return `module.exports = (${tableOfNode})(${given.map(one => JSON.stringify(one)).join()}, (at, character) => !${JSON.stringify(left)}.includes(at)${hasPrivate ? '' : ' && !/\\p{Co}/u.test(character)'});`;
};
const replaced = (text, path, ...changes) => changes.reduce((before, [from, to]) => {
  const after = before.replace(from, to);
  if (after === before) throw new Error(`${path} has no ${from} any more: look at what esbuild.mjs changes there.`);
  return after;
}, text);
const spare = {
  name: 'spare',
  setup(b) {
    b.onResolve({ filter: new RegExp(`^(${Object.keys(spared).join('|')})$`) }, ({ path }) => ({ path, namespace: 'spared' }));
    b.onLoad({ filter: /./, namespace: 'spared' }, ({ path }) => ({ contents: spared[path] }));
    // The library's own example key is never used here, and no key belongs into a package.
    b.onLoad({ filter: /smtp-server.*[\\/]tls-options\.js$/ }, async ({ path }) => ({ contents: (await readFile(path, 'utf8')).replace(/-----BEGIN [\s\S]*?-----END [A-Z ]+-----/g, '') }));
    b.onLoad({ filter: /nodemailer[\\/].*[\\/]mime-types\.js$/ }, () => ({ contents: fileTypes }));
    // To know the codecs of two bytes a charset, it builds one of them, tables and all, when it is loaded. They are also those that have the tables.
    b.onLoad({ filter: /libmime[\\/].*[\\/]charset\.js$/ }, async ({ path }) => ({ contents: replaced(await readFile(path, 'utf8'), path,
      [/const DBCS_DECODER = .*;/, ''], ['codec.decoder === DBCS_DECODER', 'codec.decodeTables !== undefined']) }));
    // Each end of a file's name has its types, and each type its ends: the one is made of the other, but for what differs.
    b.onLoad({ filter: /libmime[\\/].*[\\/]mimetypes\.js$/ }, ({ path }) => ({ contents: typesOnce(requireBuilt(path)) }));
    b.onLoad({ filter: new RegExp(`iconv-lite[\\\\/]encodings[\\\\/]tables[\\\\/](?:${Object.keys(tablesOfNode).join('|')})\\.json$`) }, ({ path }) => ({ contents: madeTable(path), loader: 'js' }));
    // The IMAP client goes through no proxy of its own.
    b.onLoad({ filter: /imapflow[\\/].*[\\/]proxy-connection\.js$/ }, () => ({ contents: `${never('A proxy', ['proxyConnection'])}export const detachEarlyErrorHandler = () => {};` }));
    // Mail is composed of what is at hand: nothing is fetched for it from an address.
    b.onResolve({ filter: /\/fetch\/index\.js$/ }, ({ path, importer }) => /nodemailer/.test(importer) ? { path, namespace: 'not fetched' } : undefined);
    b.onLoad({ filter: /./, namespace: 'not fetched' }, () => ({ contents: never('Fetching the parts of a message', []) }));
    // The reader of HTTP comes compiled twice. The one for older processors runs on all of them.
    b.onLoad({ filter: /llhttp_simd-wasm\.js$/ }, () => ({ contents: 'throw new Error("The plain one is used.");' }));
  },
};
// What the HTTP client has beyond requests (fetch, WebSocket, caches, mocks) is more than half of it; nothing here names it.
const requestsOnly = {
  name: 'requests only',
  setup(b) {
    b.onResolve({ filter: /^\.\/lib\/(?:web|mock|interceptor|cache)\// }, ({ path, importer }) =>
      /[\\/]undici[\\/]index\.js$/.test(importer) ? { path, namespace: 'left out' } : undefined);
    // It is offered to no server, so none can choose it.
    b.onLoad({ filter: /undici[\\/]lib[\\/]dispatcher[\\/]client-h2\.js$/ }, () => ({ contents: 'module.exports = () => { throw new Error("HTTP/2 is not part of this build."); };' }));
    // Proxies and further tries are our own, and SOCKS is refused.
    b.onLoad({ filter: /undici[\\/]lib[\\/](?:dispatcher[\\/](?:socks5-proxy|proxy|env-http-proxy)-agent|handler[\\/](?:retry|redirect)-handler)\.js$/ },
      () => ({ contents: 'module.exports = class { constructor() { throw new Error("This part of the HTTP client is not part of this build."); } };' }));
    b.onLoad({ filter: /./, namespace: 'left out' }, () => ({ contents: 'exports.CacheStorage = class {};' }));
  },
};
// Packages that others bring along as well: each is a file of its own that all of them share, and stays the CommonJS it is for them.
const shared = ['libmime', 'iconv-lite', '@zone-eu/mailsplit'];
const share = {
  name: 'share',
  setup(b) {
    b.onResolve({ filter: new RegExp(`^(${shared.join('|')})$`) }, ({ path, importer }) =>
      !importer.includes('node_modules') ? undefined : { path: `./${basename(path)}.js`, external: true });
  },
};
// A package is bundled once: what else is imported of it stands in the file of the package, and a file of its own only points there.
const partOf = entry => [...lazy.values()].find(other => entry.startsWith(`${other}/`));
for (const [name, entry] of lazy) {
  const within = partOf(entry);
  if (within) { await mkdir(join(root, 'dist/shared/lazy'), { recursive: true }); await writeFile(join(root, 'dist/shared/lazy', name), `module.exports={...require("./${basename(within)}.js")[${JSON.stringify(entry)}],__esModule:true};\n`); continue; }
  const parts = [...lazy.values()].filter(other => partOf(other) === entry).map((other, i) => `import * as part${i} from ${JSON.stringify(other)}; export { part${i} as ${JSON.stringify(other)} };`);
  await buildCore({ ...common, logOverride: { 'import-is-undefined': 'silent' }, stdin: { contents: shared.includes(entry) ? `module.exports = require(${JSON.stringify(entry)});` : [whole(entry), ...parts].join('\n'), resolveDir: root }, outfile: `dist/shared/lazy/${name}`, plugins: [spare, share, requestsOnly], external: ['./libmime.js'], minifyIdentifiers: true });
}

// The n8n front end. The compiled tree mirrors the source, so an import of the core keeps its path.
const outside = { name: 'outside', setup: b => b.onResolve({ filter: /(shared|lib)\/index\.js$/ }, args => args.kind === 'entry-point' ? undefined : { path: args.path, external: true }) };
const nodes = await all('nodes/*/*.node.ts'), credentials = await all('credentials/*.credentials.ts');
await buildN8n({ ...common, entryPoints: [...nodes, ...credentials, 'nodes/lib/index.ts'], outbase: '.', outdir: 'dist', external: ['n8n-workflow'], plugins: [outside], keepNames: true });
// n8n evaluates every credential class when it starts, lazy loader or not. So the class it gets holds its values as they are, and the one that
// computes them from the core's tables stands beside it, for the first signature.
for (const file of credentials) {
  const built = join(root, 'dist', file.replace(/\.ts$/, '.js')), name = basename(built).split('.')[0], full = built.replace('.credentials.js', '.full.js');
  await rename(built, full);
  const made = new (requireBuilt(full)[name])(), functions = Object.keys(made).filter(key => typeof made[key] === 'function');
  await writeFile(built, `"use strict";exports.${name}=class ${name}{constructor(){Object.assign(this,${JSON.stringify(made)});`
    + `${functions.map(key => `this.${key}=(...given)=>new(require("./${basename(full)}").${name})().${key}(...given);`).join('')}}};\n`);
}
for (const codex of await all('nodes/*/*.node.json')) await cp(join(root, codex), join(root, 'dist', codex));
await cp(join(root, 'icons'), join(root, 'dist/icons'), { recursive: true });

// What n8n reads instead of evaluating our code when it starts (its lazy package loader). A test compares it with n8n's own generator.
const require = requireBuilt;
const made = file => { const path = `dist/${file.replace(/\.ts$/, '.js')}`, className = basename(path).split('.')[0]; return { path, className, type: new (require(`./${path}`)[className])() }; };
const iconUrl = (icon, path) => typeof icon === 'string' ? `icons/n8n-nodes-mailroom/${join(dirname(path), icon.replace('file:', ''))}` : { light: iconUrl(icon.light, path), dark: iconUrl(icon.dark, path) };
const withIcon = ({ icon, ...rest }, path) => ({ ...rest, iconUrl: iconUrl(icon, path) });
const codexOf = file => JSON.parse(readFileSync(join(root, file.replace(/\.ts$/, '.json')), 'utf8'));
const manifest = require('./package.json').n8n;
const order = (files, listed) => files.sort((a, b) => listed.indexOf(`dist/${a.replace(/\.ts$/, '.js')}`) - listed.indexOf(`dist/${b.replace(/\.ts$/, '.js')}`));
const builtNodes = order(nodes, manifest.nodes).map(file => ({ file, ...made(file) })), builtCredentials = order(credentials, manifest.credentials).map(made);
const supported = name => builtNodes.filter(({ type }) => type.description.credentials?.some(c => c.name === name)).map(({ type }) => type.description.name);
const codexed = (description, file) => {
  const { categories, subcategories, resources: { primaryDocumentation, credentialDocumentation }, alias } = codexOf(file);
  return { ...description, codex: { ...(categories ? { categories } : {}), ...(subcategories ? { subcategories } : {}), resources: { primaryDocumentation, credentialDocumentation }, ...(alias ? { alias } : {}) } };
};
const json = (name, value) => writeFile(join(root, 'dist', name), JSON.stringify(value));
await mkdir(join(root, 'dist/known'), { recursive: true });
await mkdir(join(root, 'dist/types'), { recursive: true });
await json('known/nodes.json', Object.fromEntries(builtNodes.map(({ type, className, path }) => [type.description.name, { className, sourcePath: path }])));
await json('known/credentials.json', Object.fromEntries(builtCredentials.map(({ type, className, path }) =>
  [type.name, { className, sourcePath: path, ...(type.extends ? { extends: type.extends } : {}), supportedNodes: supported(type.name) }])));
await json('types/nodes.json', builtNodes.map(({ type, path, file }) => ({ ...withIcon(codexed(type.description, file), path), communityNodePackageVersion: require('./package.json').version })));
await json('types/credentials.json', builtCredentials.map(({ type, path }) => ({ ...withIcon(type, path), ...(type.authenticate ? { authenticate: {} } : {}), supportedNodes: supported(type.name) })));

// The VS Code front end: one bundle for the host, with the core outside as for the nodes, and one for each page. What it loads on first use
// only (the pages' hosts) stays in the bundle, which is small; the heavy parts are the core's own lazy files.
const coreBeside = { name: 'core beside', setup: b => b.onResolve({ filter: /shared\/index\.js$/ }, () => ({ path: '../shared/index.js', external: true })) };
// The JSON language service is for those who open an object as JSON, and for them only.
await buildVscode({ ...common, entryPoints: ['extension/extension.ts'], outfile: 'dist/extension/extension.js', external: ['vscode', './json.js'], plugins: [coreBeside], minifyIdentifiers: true, supported: { 'dynamic-import': false } });
// Schemas of schemas are none of ours.
const withoutDrafts = { name: 'without drafts', setup: b => b.onLoad({ filter: /[\\/]schemas[\\/]draft-[\d-]+-flat\.js$/ }, () => ({ contents: 'export default {};' })) };
await buildVscode({ ...common, entryPoints: ['extension/objects/json.ts'], outfile: 'dist/extension/json.js', plugins: [withoutDrafts], minifyIdentifiers: true });
// The bundler copies what a namespace import brings, five hundred names of VS Code's for each module that imports them: ten milliseconds of the
// start. Names are only read from it, which the object itself serves.
const host = join(root, 'dist/extension/extension.js');
const copying = await readFile(host, 'utf8'), plainly = copying.replace(/[\w$]+\((require\("vscode"\))\)/g, '$1');
if (plainly === copying) throw new Error('The bundler imports "vscode" in another way now: look at dist/extension/extension.js.');
// The core, three times the size of all else, comes with the first name that is read from it: to register commands and views takes none.
const theCore = 'require("../shared/index.js")', [strict, ...parts] = plainly.split(theCore);
if (parts.length < 2 || !strict.startsWith('"use strict";')) throw new Error('The bundler imports the core in another way now: look at dist/extension/extension.js.');
await writeFile(host, `"use strict";var theCore,core=new Proxy({},{get:(_,name)=>(theCore??=${theCore})[name]});${[strict.slice(13), ...parts].join('core')}`);
const pageFiles = await all('extension/*/page/*.page.ts');
if (pageFiles.length) {
  await buildVscode({
    bundle: true, platform: 'browser', format: 'iife', target: 'chrome128', minify: true, legalComments: 'none', logLevel: 'warning', absWorkingDir: root,
    entryPoints: [...pageFiles, 'extension/webview/page/style.css'], outdir: 'dist/extension/pages', outbase: 'extension', entryNames: '[name]',
  });
}

// What the extension's sandbox accounts are on: the pretend vendors of the tests, in a file that is read only when somebody asks for them.
const cases = (await all('test/providers/*.case.ts')).sort();
const besideCore = { name: 'beside core', setup: b => {
  // Of 2,231 names for letters, the simulated providers read those that mail programs write.
  b.onLoad({ filter: /postal-mime.*[\\/]html-entities\.js$/ }, () => ({
    contents: `export const htmlEntities = { '&amp;': '&', '&lt;': '<', '&gt;': '>', '&quot;': '"', '&apos;': "'", '&nbsp;': ' ' };`,
  }));
  b.onLoad({ filter: /./, namespace: 'provider' }, ({ path }) => ({ contents: `export const ${path} = require('../shared/index.js').providerById('${path}');` }));
  b.onResolve({ filter: /./ }, ({ kind, path }) => {
    const name = `${basename(path).replace(/\.[jt]s$/, '')}.js`;
    if (/shared\/index\.js$/.test(path)) return { path: '../shared/index.js', external: true };
    // A provider is the core's own.
    const [, id] = /shared\/providers\/(\w+)\/index\.js$/.exec(path) ?? [];
    if (id) return { path: id, namespace: 'provider' };
    // The mail servers are those of the core.
    if (/shared\/mailServer\//.test(path)) return { path: '../shared/lazy/mailServer.js', external: true };
    return kind === 'dynamic-import' && lazy.has(name) ? { path: `../shared/lazy/${name}`, external: true } : undefined;
  });
} };
if (pageFiles.length && cases.length) {
  const contents = [...cases.map((file, i) => `import * as case${i} from ${JSON.stringify(`./${file}`)};`), "import { startSealed } from './test/sandbox/builtin.ts';",
    `const cases = [${cases.map((_, i) => `case${i}`).join()}].map(file => Object.values(file).find(one => typeof one?.start === 'function' && 'examples' in one));`, 'export const start = () => startSealed(cases);'];
  await buildVscode({ ...common, stdin: { contents: contents.join('\n'), resolveDir: root }, outfile: 'dist/extension/sandbox.js', minifyIdentifiers: true, plugins: [besideCore], supported: { 'dynamic-import': false } });
}

const merged = (...files) => ({ inputs: Object.assign({}, ...files.map(file => file.inputs)), outputs: Object.assign({}, ...files.map(file => file.outputs)) });
await mkdir(join(root, 'dist/.metafiles'));
for (const product of ['n8n', 'vscode']) await json(`.metafiles/${product}.json`, merged(...bundled.core, ...bundled[product]));
