import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { dirname, join, relative, resolve } from 'node:path';
import ts from 'typescript';
import { credentialTypes } from '../nodes/lib/index.js';
import { providers, splitName, type Field, type Fields, type Operation, type Provider } from '../shared/index.js';
import { speaksHttp } from './contract/suite.js';
import { ORDERS } from './tools/orders.js';
import { fulfilling, stale } from './tools/reference.js';
import { drawing, mayImport, roomsOf } from './tools/rooms.js';

const ROOT = join(__dirname, '..');
const filesBelow = (folder: string, end = '.ts'): string[] =>
  existsSync(join(ROOT, folder))
    ? readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
        .filter(entry => entry.isFile() && entry.name.endsWith(end) && !entry.parentPath.includes('node_modules'))
        .map(entry => relative(ROOT, join(entry.parentPath, entry.name)).replaceAll('\\', '/'))
        .sort()
    : [];
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');
const builtin = new Set(builtinModules.flatMap(name => [name, `node:${name}`]));

/** What a file imports, dynamically too: packages by name, files by their path from the root. */
function imports(path: string): string[] {
  return ts.preProcessFile(read(path), true, true).importedFiles.map(({ fileName }) =>
    fileName.startsWith('.')
      ? relative(ROOT, resolve(ROOT, dirname(path), fileName))
          .replaceAll('\\', '/')
          .replace(/\.js$/, '.ts')
      : fileName,
  );
}

describe('architecture', () => {
  it('the package has the name n8n looks for, and no dependency that would be installed with it', () => {
    const manifest = JSON.parse(read('package.json')) as { name: string; dependencies?: object; overrides?: object };
    assert.match(manifest.name, /^n8n-nodes-[a-z0-9-]+$/);
    assert.deepEqual(Object.keys(manifest.dependencies ?? {}), []);
    assert.equal(manifest.overrides, undefined);
  });

  const sources = ['shared', 'nodes', 'credentials', 'extension'].flatMap(folder => filesBelow(folder));

  for (const path of sources) {
    it(`${path} imports only what it may`, () => {
      const [room, ...more] = roomsOf(path);
      assert.ok(
        room && !more.length,
        `it is in the rooms ${[room, ...more].map(one => one?.name).join(', ')}, and should be in one`,
      );
      const free = (name: string) => builtin.has(name) && !path.includes('/page/');
      assert.deepEqual(
        imports(path).filter(name => !free(name) && !mayImport(room, path, name)),
        [],
        room.why,
      );
    });
  }

  it('CONTRIBUTING draws the rooms as they are held', () =>
    assert.ok(read('CONTRIBUTING.md').includes(drawing()), '`npm run golden` draws them anew'));

  it('no file imports itself by way of others', () => {
    const own = new Set(sources);
    const done = new Set<string>();
    const circles: string[] = [];
    const visit = (path: string, above: readonly string[]): void => {
      if (above.includes(path)) {
        circles.push([...above.slice(above.indexOf(path)), path].join(' > '));
        return;
      }
      if (done.has(path)) return;
      for (const next of imports(path)) if (own.has(next)) visit(next, [...above, path]);
      done.add(path);
    };
    for (const path of own) visit(path, []);
    assert.deepEqual(circles, []);
    assert.ok(own.size > 250, `${own.size} files were looked at`);
  });

  it('the maps name files that are there', () => {
    const sections = read('docs/maps.md').split(/^## /m).slice(1);
    const below = ['shared/providers/imap', 'nodes/lib', 'extension'];
    assert.equal(sections.length, below.length);
    sections.forEach((section, i) => {
      const named = [...section.matchAll(/`([\w/]+\.(?:ts|mjs))`/g)].map(([, path]) => path!);
      const known = filesBelow(below[i]!);
      assert.ok(named.length > 10);
      assert.deepEqual(
        named.filter(path => !existsSync(join(ROOT, path)) && !known.some(one => one.endsWith(`/${path}`))),
        [],
      );
    });
  });

  it('the mail libraries, the HTTP client and the parsers of XML and HTML are loaded on first use', () => {
    for (const path of sources) {
      const file = ts.createSourceFile(path, read(path), ts.ScriptTarget.Latest);
      for (const statement of file.statements) {
        if (!ts.isImportDeclaration(statement) || statement.importClause?.isTypeOnly) continue;
        assert.doesNotMatch(
          (statement.moduleSpecifier as ts.StringLiteral).text,
          /^(?:undici|fast-xml-parser|html-to-text|oauth4webapi|imapflow|nodemailer|libmime|libbase64|iconv-lite|@zone-eu\/mailsplit)(?:\/|$)/,
          `${path} loads it at once`,
        );
      }
    }
  });

  it('whatever is type-checked imports only what `npm test` installs: a fresh clone has nothing else', () => {
    const { devDependencies, peerDependencies } = JSON.parse(read('package.json')) as Record<string, object>;
    // The engine's own parts come with it; its lockfile names them.
    const lock = JSON.parse(read('test/engine/package-lock.json')) as { packages: object };
    const everywhere = Object.keys({ ...devDependencies, ...peerDependencies, vscode: {} });
    const engine = Object.keys(lock.packages).map(name => name.replace(/^node_modules\//, ''));
    const packageOf = (name: string) =>
      name
        .split('/')
        .slice(0, name.startsWith('@') ? 2 : 1)
        .join('/');
    const isOwn = (name: string) => /\.\w+$|^(?:shared|nodes|credentials|extension|test)\//.test(name);
    const missing = [...sources, ...filesBelow('test')].flatMap(path =>
      imports(path)
        .filter(
          name =>
            !isOwn(name) &&
            !builtin.has(name) &&
            ![...everywhere, ...(path.startsWith('test/engine/') ? engine : [])].includes(packageOf(name)),
        )
        .map(name => `${path} imports ${name}`),
    );
    assert.deepEqual(missing, []);
  });

  it('nothing but tables names a provider: no front end asks which one it has', () => {
    for (const path of filesBelow('nodes')) {
      for (const { id } of providers)
        assert.ok(!read(path).includes(`'${id}'`) || /\.node\.ts$/.test(path), `${path} names ${id}`);
    }
  });

  it('every folder of a provider is in the registry, and the ids are those of the folders', () => {
    const folders = readdirSync(join(ROOT, 'shared/providers'), { withFileTypes: true })
      .filter(entry => entry.isDirectory())
      .map(entry => entry.name);
    assert.deepEqual(providers.map(({ id }) => id).sort(), folders.sort());
  });

  for (const provider of providers) {
    describe(`${provider.name} has all its pieces`, () => {
      const { id } = provider;
      const { type } = credentialTypes(id)[0]!;
      const file = `${type[0]!.toUpperCase()}${type.slice(1)}`;
      it('a folder with index and reference page', () => {
        for (const part of ['index.ts', 'REFERENCE.md'])
          assert.ok(existsSync(join(ROOT, 'shared/providers', id, part)), `shared/providers/${id}/${part}`);
      });
      it('a credential class, listed in package.json', () => {
        assert.ok(existsSync(join(ROOT, `credentials/${file}.credentials.ts`)), `credentials/${file}.credentials.ts`);
        const listed = (JSON.parse(read('package.json')) as { n8n: { credentials: string[] } }).n8n.credentials;
        assert.ok(
          listed.includes(`dist/credentials/${file}.credentials.js`),
          `package.json lists no dist/credentials/${file}.credentials.js`,
        );
      });
      it('two icons that differ', () => {
        const light = read(`icons/${id}.svg`);
        const dark = read(`icons/${id}.dark.svg`);
        assert.notEqual(light, dark);
        for (const icon of [light, dark]) assert.match(icon, /^<svg [^>]*viewBox="0 0 (\d+) \1"/, 'a square SVG');
      });
      it('a sandbox', () => {
        assert.ok(
          filesBelow('test/sandbox').some(path => path.startsWith(`test/sandbox/${id}`)),
          `test/sandbox/${id}.ts`,
        );
      });
      it('tests of its own, and a case for the contract suite if it speaks HTTP', () => {
        const own = filesBelow('test/providers').filter(path => path.startsWith(`test/providers/${id}`));
        assert.ok(
          own.some(path => path.endsWith('.test.ts')),
          `test/providers/${id}.test.ts`,
        );
        assert.equal(own.includes(`test/providers/${id}.case.ts`), speaksHttp(provider));
      });
    });
  }

  describe('tables', () => {
    const named = (provider: Provider): [string, Fields][] => [
      ['account', provider.auth.fields as Fields],
      ...Object.entries(provider.operations as Readonly<Record<string, Operation>>).map(
        ([name, op]): [string, Fields] => [name, op.input],
      ),
      ...Object.entries(provider.feeds).map(([name, feed]): [string, Fields] => [name, feed.input as Fields]),
    ];
    for (const provider of providers) {
      it(`${provider.name}: labels are in Title Case, help is sentences, flags begin with Whether`, () => {
        const wrong: string[] = [];
        const look = (where: string, field: Field) => {
          if (!/^[A-Z0-9]/.test(field.label)) wrong.push(`${where}: label "${field.label}"`);
          if (field.help !== undefined && !/^[A-Z0-9"<`].*[.!?]$/s.test(field.help))
            wrong.push(`${where}: help "${field.help}"`);
          if (field.type === 'flag' && field.help !== undefined && !field.help.startsWith('Whether '))
            wrong.push(`${where}: help "${field.help}" does not begin with Whether`);
          if (field.type === 'choice')
            for (const label of Object.values(field.choices))
              if (!label.trim()) wrong.push(`${where}: an empty choice`);
          if (field.type === 'list') look(where, field.of);
        };
        for (const [name, fields] of named(provider))
          for (const [key, field] of Object.entries(fields)) look(`${name} ${key}`, field);
        assert.deepEqual(wrong, []);
      });
      it(`${provider.name}: every operation says what it follows`, () => {
        for (const [name, op] of Object.entries(provider.operations as Readonly<Record<string, Operation>>)) {
          assert.match(name, /^[a-z]\w*\.[a-z]\w*$/);
          assert.match(op.docs, /^(?:https:\/\/\S+|RFC \d+[^.]*(?:\.\d[^.]*)*)$/, name);
          assert.match(op.summary, /^[A-Z].*[^.]$/, name);
          if (op.doubt !== undefined) assert.match(op.doubt, /^\S.*\.$/s, `${name}: a doubt is a sentence`);
          if (splitName(name)[1] === 'delete') assert.equal(op.effect, 'destroy', `${name} asks first`);
          for (const order of op.orders ?? [])
            assert.ok(
              (ORDERS as Record<string, readonly string[]>)[provider.id]?.includes(order),
              `${name}: nobody ordered "${order}"`,
            );
        }
        assert.equal(
          (provider.operations as Record<string, unknown>)['account.check'] === undefined,
          false,
          'every account can be checked',
        );
      });
    }
  });

  describe('orders', () => {
    for (const [id, names] of Object.entries(ORDERS)) {
      it(`everything ordered at ${id} is done by an operation`, () => {
        const provider = providers.find(one => one.id === id);
        assert.deepEqual(
          names.filter(order => fulfilling(provider, order).length === 0),
          [],
        );
      });
    }
  });

  it('the reference pages say what the tables say (npm run golden writes them)', () => assert.deepEqual(stale(), []));

  it('no test is skipped, and none runs alone', function () {
    // Every test is parsed for it, which takes a while on a busy machine.
    this.timeout(60_000);
    const found = filesBelow('test').flatMap(path => {
      const file = ts.createSourceFile(path, read(path), ts.ScriptTarget.Latest, true);
      const hits: string[] = [];
      const visit = (node: ts.Node): void => {
        if (
          ts.isPropertyAccessExpression(node) &&
          /^(?:it|test|describe|context|suite|specify|this)$/.test(node.expression.getText(file)) &&
          /^(?:only|skip)$/.test(node.name.text)
        )
          hits.push(`${path}: ${node.getText(file)}`);
        if (
          ts.isCallExpression(node) &&
          ts.isIdentifier(node.expression) &&
          /^x(?:it|describe|context|specify)$/.test(node.expression.text)
        )
          hits.push(`${path}: ${node.expression.text}`);
        if (
          ts.isCallExpression(node) &&
          ts.isIdentifier(node.expression) &&
          node.expression.text === 'it' &&
          node.arguments.length === 1
        )
          hits.push(`${path}: a test without a body: ${node.getText(file)}`);
        ts.forEachChild(node, visit);
      };
      visit(file);
      return hits;
    });
    assert.deepEqual(found, []);
  });
});
