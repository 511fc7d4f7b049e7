// Builds the core once, then the front ends with the core external. Whatever the core imports dynamically becomes a file of its own under
// dist/shared/lazy, because esbuild splits no CommonJS: so the mail libraries, the HTTP client and the XML parser load on first use only.
import { build } from 'esbuild';
import { cp, glob, mkdir, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { basename, dirname, join, resolve } from 'node:path';

const root = import.meta.dirname;
const common = { bundle: true, platform: 'node', format: 'cjs', target: 'node20', minifySyntax: true, minifyWhitespace: true, legalComments: 'none', logLevel: 'warning', absWorkingDir: root, mainFields: ['module', 'main'] };
const all = async pattern => Array.fromAsync(glob(pattern, { cwd: root }));

await rm(join(root, 'dist'), { recursive: true, force: true });

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
await build({ ...common, entryPoints: ['shared/index.ts'], outfile: 'dist/shared/index.js', plugins: [splitLazy], supported: { 'dynamic-import': false } });
for (const [name, entry] of lazy) await build({ ...common, stdin: { contents: `export * from ${JSON.stringify(entry)}`, resolveDir: root }, outfile: `dist/shared/lazy/${name}` });

// The n8n front end. The compiled tree mirrors the source, so an import of the core keeps its path.
const outside = { name: 'outside', setup: b => b.onResolve({ filter: /(shared|lib)\/index\.js$/ }, args => args.kind === 'entry-point' ? undefined : { path: args.path, external: true }) };
const nodes = await all('nodes/*/*.node.ts'), credentials = await all('credentials/*.credentials.ts');
await build({ ...common, entryPoints: [...nodes, ...credentials, 'nodes/lib/index.ts'], outbase: '.', outdir: 'dist', external: ['n8n-workflow'], plugins: [outside], keepNames: true });
for (const codex of await all('nodes/*/*.node.json')) await cp(join(root, codex), join(root, 'dist', codex));
await cp(join(root, 'icons'), join(root, 'dist/icons'), { recursive: true });

// What n8n reads instead of evaluating our code when it starts (its lazy package loader).
const require = createRequire(join(root, 'dist/'));
const known = { nodes: {}, credentials: {} }, types = { nodes: [], credentials: [] };
const icon = (value, from) => typeof value === 'string' ? `icons/n8n-nodes-mailroom/${join(dirname(from), value.replace('file:', ''))}` : { light: icon(value.light, from), dark: icon(value.dark, from) };
for (const file of credentials.sort()) {
  const path = `dist/${file.replace('.ts', '.js')}`, className = basename(file, '.credentials.ts'), made = new (require(join(root, path))[className])();
  const used = [];
  for (const node of nodes) {
    const name = basename(node, '.node.ts'), { description } = new (require(join(root, `dist/${node.replace('.ts', '.js')}`))[name])();
    if (description.credentials?.some(c => c.name === made.name)) used.push(description.name);
  }
  known.credentials[made.name] = { className, sourcePath: path, ...(made.extends ? { extends: made.extends } : {}), supportedNodes: used };
  const { icon: picture, ...rest } = made;
  types.credentials.push({ ...rest, ...(picture ? { iconUrl: icon(picture, path) } : {}), supportedNodes: used });
}
for (const file of nodes.sort()) {
  const path = `dist/${file.replace('.ts', '.js')}`, className = basename(file, '.node.ts'), { description } = new (require(join(root, path))[className])();
  known.nodes[description.name] = { className, sourcePath: path };
  const { icon: picture, ...rest } = description;
  types.nodes.push({ ...rest, iconUrl: icon(picture, path) });
}
void known; void types; void mkdir; void writeFile;
