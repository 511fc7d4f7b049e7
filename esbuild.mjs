// Writes dist/: the core once, then the two front ends with the core beside them. What the core imports dynamically
// becomes a file of its own under dist/shared/lazy, because esbuild splits no CommonJS: so the mail libraries, the HTTP
// client and the XML parser load on first use only. The steps stand below in the order they run. What is changed in
// libraries stands in test/tools/libraries.mjs.
import { build } from 'esbuild';
import { readFileSync } from 'node:fs';
import { cp, glob, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { basename, dirname, join, resolve } from 'node:path';
import { fewEntities, requestsOnly, share, SHARED, spare, withoutDrafts } from './test/tools/libraries.mjs';

const root = import.meta.dirname,
  requireBuilt = createRequire(join(root, 'package.json'));
const all = async pattern => Array.fromAsync(glob(pattern, { cwd: root }));
const json = (name, value) => writeFile(join(root, 'dist', name), JSON.stringify(value));
const toBuilt = file => file.replace(/\.ts$/, '.js');

const COMMON = { bundle: true, legalComments: 'none', logLevel: 'warning', absWorkingDir: root };
const NODE = {
  ...COMMON,
  platform: 'node',
  format: 'cjs',
  target: 'node20',
  minifySyntax: true,
  minifyWhitespace: true,
  mainFields: ['module', 'main'],
};
// A native import() of a bundled CommonJS library (undici) would see its default export only, so what is loaded on
// first use is required.
const REQUIRED = { minifyIdentifiers: true, supported: { 'dynamic-import': false } };

const nodes = await all('nodes/*/*.node.ts'),
  credentials = await all('credentials/*.credentials.ts');
const pages = await all('extension/*/page/*.page.ts'),
  cases = (await all('test/providers/*.case.ts')).sort();
/**
 * The parts of the core that load on first use: name of the file -> what is in it. Filled while the core is bundled.
 */
const lazy = new Map();

/**
 * Imports of the core by these addresses stay imports; `to` is where the file stands, as seen from the bundle, where
 * that is another place.
 */
const leaveOutside = (filter, to) => ({
  name: 'outside',
  setup: b =>
    b.onResolve({ filter }, ({ kind, path }) =>
      kind === 'entry-point' ? undefined : { path: to ?? path, external: true },
    ),
});

/**
 * Every bundle, by the product whose licences and bill of materials name what is in it (test/tools/materials.ts). Both
 * products contain the core.
 */
const BUNDLES = {
  core: {
    product: 'core',
    ...NODE,
    ...REQUIRED,
    entryPoints: ['shared/index.ts'],
    outfile: 'dist/shared/index.js',
    plugins: [collectLazy()],
  },
  // The compiled tree mirrors the source, so an import of the core keeps its path.
  n8n: {
    product: 'n8n',
    ...NODE,
    keepNames: true,
    entryPoints: [...nodes, ...credentials, 'nodes/lib/index.ts'],
    outbase: '.',
    outdir: 'dist',
    external: ['n8n-workflow'],
    plugins: [leaveOutside(/(shared|lib)\/index\.js$/)],
  },
  // What the host of the extension loads on first use only (the pages' hosts) stays in its bundle, which is small.
  extension: {
    product: 'vscode',
    ...NODE,
    ...REQUIRED,
    entryPoints: ['extension/extension.ts'],
    outfile: 'dist/extension/extension.js',
    external: ['vscode', './json.js'],
    plugins: [leaveOutside(/shared\/index\.js$/, '../shared/index.js')],
  },
  // The JSON language service is for those who open an object as JSON, and for them only.
  json: {
    product: 'vscode',
    ...NODE,
    minifyIdentifiers: true,
    entryPoints: ['extension/objects/json.ts'],
    outfile: 'dist/extension/json.js',
    plugins: [withoutDrafts],
  },
  pages: {
    product: 'vscode',
    ...COMMON,
    platform: 'browser',
    format: 'iife',
    target: 'chrome128',
    minify: true,
    entryPoints: [...pages, 'extension/webview/page/style.css'],
    outdir: 'dist/extension/pages',
    outbase: 'extension',
    entryNames: '[name]',
  },
  // What the extension's sandbox accounts are on: the pretend vendors of the tests, in a file that is read only when
  // somebody asks for them.
  sandbox: {
    product: 'vscode',
    ...NODE,
    ...REQUIRED,
    stdin: { contents: sandboxEntry(), resolveDir: root },
    outfile: 'dist/extension/sandbox.js',
    plugins: [fewEntities, besideCore()],
  },
};

const metafiles = { core: [], n8n: [], vscode: [] };
async function bundle({ product, ...options }) {
  metafiles[product].push((await build({ ...options, metafile: true })).metafile);
}

await rm(join(root, 'dist'), { recursive: true, force: true });
await bundle(BUNDLES.core);
await bundleLazyParts();
await bundle(BUNDLES.n8n);
await writeCredentialsOut();
await copyFilesOfNodes();
await writeWhatN8nReads();
await bundle(BUNDLES.extension);
await bundle(BUNDLES.json);
await shortenStart();
if (pages.length) await bundle(BUNDLES.pages);
if (pages.length && cases.length) await bundle(BUNDLES.sandbox);
await writeMetafiles();

/** Takes note of what the core imports dynamically, and leaves it outside. */
function collectLazy() {
  return {
    name: 'lazy',
    setup(b) {
      b.onResolve({ filter: /./ }, args => {
        if (args.kind !== 'dynamic-import' || args.path.startsWith('node:')) return undefined;
        const name = `${basename(args.path).replace(/\.[jt]s$/, '')}.js`;
        lazy.set(
          name,
          args.path.startsWith('.') ? resolve(args.resolveDir, args.path.replace(/\.js$/, '.ts')) : args.path,
        );
        return { path: `./lazy/${name}`, external: true };
      });
    },
  };
}

/**
 * A package is bundled once: what else is imported of it stands in the file of the package, and a file of its own only
 * points there.
 */
async function bundleLazyParts() {
  const partOf = entry => [...lazy.values()].find(other => entry.startsWith(`${other}/`));
  // `export *` leaves the default export out, which is all that a CommonJS module made of one class has.
  const whole = entry =>
    `export * from ${JSON.stringify(entry)}; import * as all from ${JSON.stringify(entry)}; export default all.default ?? all;`;
  for (const [name, entry] of lazy) {
    const within = partOf(entry);
    if (within) {
      await mkdir(join(root, 'dist/shared/lazy'), { recursive: true });
      const points = `module.exports={...require("./${basename(within)}.js")[${JSON.stringify(entry)}],__esModule:true};\n`;
      await writeFile(join(root, 'dist/shared/lazy', name), points);
      continue;
    }
    const parts = [...lazy.values()]
      .filter(other => partOf(other) === entry)
      .map(
        (other, i) =>
          `import * as part${i} from ${JSON.stringify(other)}; export { part${i} as ${JSON.stringify(other)} };`,
      );
    const contents = SHARED.includes(entry)
      ? `module.exports = require(${JSON.stringify(entry)});`
      : [whole(entry), ...parts].join('\n');
    await bundle({
      product: 'core',
      ...NODE,
      minifyIdentifiers: true,
      logOverride: { 'import-is-undefined': 'silent' },
      stdin: { contents, resolveDir: root },
      outfile: `dist/shared/lazy/${name}`,
      plugins: [spare, share, requestsOnly],
      external: ['./libmime.js'],
    });
  }
}

/**
 * n8n evaluates every credential class when it starts, lazy loader or not. So the class it gets holds its values as
 * they are, and the one that computes them from the core's tables stands beside it, for the first signature.
 */
async function writeCredentialsOut() {
  for (const file of credentials) {
    const built = join(root, 'dist', toBuilt(file)),
      name = basename(built).split('.')[0],
      full = built.replace('.credentials.js', '.full.js');
    await rename(built, full);
    const made = new (requireBuilt(full)[name])(),
      functions = Object.keys(made).filter(key => typeof made[key] === 'function');
    await writeFile(
      built,
      `"use strict";exports.${name}=class ${name}{constructor(){Object.assign(this,${JSON.stringify(made)});` +
        `${functions.map(key => `this.${key}=(...given)=>new(require("./${basename(full)}").${name})().${key}(...given);`).join('')}}};\n`,
    );
  }
}

/** What n8n finds a node by, and the icons. */
async function copyFilesOfNodes() {
  for (const codex of await all('nodes/*/*.node.json')) await cp(join(root, codex), join(root, 'dist', codex));
  await cp(join(root, 'icons'), join(root, 'dist/icons'), { recursive: true });
}

/**
 * What n8n reads instead of evaluating our code when it starts (its lazy package loader). A test compares it with n8n's
 * own generator.
 */
async function writeWhatN8nReads() {
  const { n8n, version } = requireBuilt('./package.json');
  const made = file => {
    const path = `dist/${toBuilt(file)}`,
      className = basename(path).split('.')[0];
    return { file, path, className, type: new (requireBuilt(`./${path}`)[className])() };
  };
  const inOrder = (files, listed) =>
    [...files].sort((a, b) => listed.indexOf(`dist/${toBuilt(a)}`) - listed.indexOf(`dist/${toBuilt(b)}`)).map(made);
  const builtNodes = inOrder(nodes, n8n.nodes),
    builtCredentials = inOrder(credentials, n8n.credentials);
  const iconUrl = (icon, path) =>
    typeof icon === 'string'
      ? `icons/n8n-nodes-mailroom/${join(dirname(path), icon.replace('file:', ''))}`
      : { light: iconUrl(icon.light, path), dark: iconUrl(icon.dark, path) };
  const withIcon = ({ icon, ...rest }, path) => ({ ...rest, iconUrl: iconUrl(icon, path) });
  const codexed = (description, file) => {
    const codex = JSON.parse(readFileSync(join(root, file.replace(/\.ts$/, '.json')), 'utf8'));
    const {
      categories,
      subcategories,
      resources: { primaryDocumentation, credentialDocumentation },
      alias,
    } = codex;
    return {
      ...description,
      codex: {
        ...(categories ? { categories } : {}),
        ...(subcategories ? { subcategories } : {}),
        resources: { primaryDocumentation, credentialDocumentation },
        ...(alias ? { alias } : {}),
      },
    };
  };
  const supportedNodes = name =>
    builtNodes
      .filter(({ type }) => type.description.credentials?.some(c => c.name === name))
      .map(({ type }) => type.description.name);

  await mkdir(join(root, 'dist/known'), { recursive: true });
  await mkdir(join(root, 'dist/types'), { recursive: true });
  await json(
    'known/nodes.json',
    Object.fromEntries(
      builtNodes.map(({ type, className, path }) => [type.description.name, { className, sourcePath: path }]),
    ),
  );
  await json(
    'known/credentials.json',
    Object.fromEntries(
      builtCredentials.map(({ type, className, path }) => [
        type.name,
        {
          className,
          sourcePath: path,
          ...(type.extends ? { extends: type.extends } : {}),
          supportedNodes: supportedNodes(type.name),
        },
      ]),
    ),
  );
  await json(
    'types/nodes.json',
    builtNodes.map(({ type, path, file }) => ({
      ...withIcon(codexed(type.description, file), path),
      communityNodePackageVersion: version,
    })),
  );
  await json(
    'types/credentials.json',
    builtCredentials.map(({ type, path }) => ({
      ...withIcon(type, path),
      ...(type.authenticate ? { authenticate: {} } : {}),
      supportedNodes: supportedNodes(type.name),
    })),
  );
}

/** Two changes to the host of the extension that its start is quicker by. */
async function shortenStart() {
  const host = join(root, 'dist/extension/extension.js'),
    text = await readFile(host, 'utf8');
  await writeFile(host, coreOnFirstUse(namesOfVscode(text)));
}

/**
 * The bundler copies what a namespace import brings, five hundred names of VS Code's for each module that imports them:
 * ten milliseconds of the start. Names are only read from it, which the object itself serves.
 */
function namesOfVscode(copying) {
  const plainly = copying.replace(/[\w$]+\((require\("vscode"\))\)/g, '$1');
  if (plainly === copying)
    throw new Error('The bundler imports "vscode" in another way now: look at dist/extension/extension.js.');
  return plainly;
}

/**
 * The core, three times the size of all else, comes with the first name that is read from it: to register commands and
 * views takes none.
 */
function coreOnFirstUse(plainly) {
  const theCore = 'require("../shared/index.js")',
    [strict, ...parts] = plainly.split(theCore);
  if (parts.length < 2 || !strict.startsWith('"use strict";'))
    throw new Error('The bundler imports the core in another way now: look at dist/extension/extension.js.');
  return `"use strict";var theCore,core=new Proxy({},{get:(_,name)=>(theCore??=${theCore})[name]});${[strict.slice(13), ...parts].join('core')}`;
}

/** The pretend vendors find the core, its providers and its mail servers beside them. */
function besideCore() {
  return {
    name: 'beside core',
    setup(b) {
      b.onLoad({ filter: /./, namespace: 'provider' }, ({ path }) => ({
        contents: `export const ${path} = require('../shared/index.js').providerById('${path}');`,
      }));
      b.onResolve({ filter: /./ }, ({ kind, path }) => {
        if (/shared\/index\.js$/.test(path)) return { path: '../shared/index.js', external: true };
        const [, id] = /shared\/providers\/(\w+)\/index\.js$/.exec(path) ?? [];
        if (id) return { path: id, namespace: 'provider' };
        if (/shared\/mailServer\//.test(path)) return { path: '../shared/lazy/mailServer.js', external: true };
        const name = `${basename(path).replace(/\.[jt]s$/, '')}.js`;
        return kind === 'dynamic-import' && lazy.has(name)
          ? { path: `../shared/lazy/${name}`, external: true }
          : undefined;
      });
    },
  };
}

/** A module that starts the pretend vendor of every case. */
function sandboxEntry() {
  return [
    ...cases.map((file, i) => `import * as case${i} from ${JSON.stringify(`./${file}`)};`),
    "import { startSealed } from './test/sandbox/builtin.ts';",
    `const cases = [${cases.map((_, i) => `case${i}`).join()}].map(file => Object.values(file).find(one => typeof one?.start === 'function' && 'examples' in one));`,
    'export const start = () => startSealed(cases);',
  ].join('\n');
}

/** What each product is made of, for its licences and its bill of materials. */
async function writeMetafiles() {
  const merged = files => ({
    inputs: Object.assign({}, ...files.map(file => file.inputs)),
    outputs: Object.assign({}, ...files.map(file => file.outputs)),
  });
  await mkdir(join(root, 'dist/.metafiles'));
  for (const product of ['n8n', 'vscode'])
    await json(`.metafiles/${product}.json`, merged([...metafiles.core, ...metafiles[product]]));
}
