import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { providers } from '../../shared/index.js';
import { spoken } from '../tools/l10n.js';

const root = join(__dirname, '../..');
const read = (path: string) => readFileSync(join(root, path), 'utf8');
const manifest = JSON.parse(read('package.json')) as {
  contributes: Record<string, any>;
  activationEvents: string[];
  engines: { vscode: string };
  devDependencies: Record<string, string>;
};
const sources = readdirSync(join(root, 'extension'), { recursive: true, encoding: 'utf8' })
  .filter(file => file.endsWith('.ts'))
  .map(file => `extension/${file.replaceAll('\\', '/')}`);

describe("the extension's manifest", () => {
  const declared = manifest.contributes.commands as { command: string; title: string; category: string }[];
  it('declares what is registered, and the other way round', () => {
    const code = sources
      .filter(path => /(?:^|\/)commands\.ts$/.test(path))
      .map(read)
      .join('\n');
    const registered = new Set([...code.matchAll(/register\(\s*'(\w+)'/g)].map(([, name]) => name!));
    for (const [, list] of read('extension/fields/tables.ts').matchAll(/const VERBS[^=]*= \{([\s\S]*?)\n\};/g))
      for (const [, name] of list!.matchAll(/(\w+): \[/g)) registered.add(name!);
    for (const name of ['markRead', 'markUnread']) registered.add(name);
    assert.ok(registered.size > 40);
    registered.delete('documentAction'); // the form's own, never shown
    assert.deepEqual([...registered].sort(), declared.map(one => one.command.replace('mailroom.', '')).sort());
  });
  it('every command has a category and a title that begins with a verb; every menu names a declared one', () => {
    const names = new Set(declared.map(one => one.command));
    for (const one of declared) {
      assert.equal(one.category, 'Mailroom');
      assert.match(one.title, /^%command\.\w+%$/);
    }
    for (const entries of Object.values(manifest.contributes.menus as Record<string, { command: string }[]>))
      for (const { command } of entries) assert.ok(names.has(command), command);
  });
  it('at most two inline actions meet in a row, and none destroys', () => {
    const inline = (manifest.contributes.menus['view/item/context'] as { command: string; group: string }[]).filter(
      one => one.group.startsWith('inline'),
    );
    for (const { command } of inline) assert.doesNotMatch(command, /delete|remove|restore/i);
    assert.ok(inline.every(one => /^inline@[12]$/.test(one.group)));
    const others = new Set(
      (manifest.contributes.menus['view/item/context'] as { command: string; group: string }[])
        .filter(one => !one.group.startsWith('inline'))
        .map(one => one.command),
    );
    for (const { command } of inline) assert.ok(others.has(command), `${command} is in the context menu too`);
  });
  it('every text is a key, and every key has its text and its use', () => {
    const texts = JSON.parse(read('package.nls.json')) as Record<string, string>;
    const used = new Set([...read('package.json').matchAll(/%([\w.]+)%/g)].map(([, key]) => key!));
    assert.deepEqual([...used].sort(), Object.keys(texts).sort());
  });
  it('every sentence of the code is in the bundle for translators', () => {
    assert.deepEqual(Object.keys(JSON.parse(read('l10n/bundle.l10n.json')) as object).sort(), spoken());
  });
  it('translations are complete and keep the placeholders', () => {
    const holes = (text: string) => [...text.matchAll(/\{\d\}/g)].map(String).sort().join();
    for (const [base, pattern] of [
      ['package.nls.json', /^package\.nls\.(\w+)\.json$/],
      ['l10n/bundle.l10n.json', /^bundle\.l10n\.(\w+)\.json$/],
    ] as const) {
      const english = JSON.parse(read(base)) as Record<string, string>;
      for (const file of readdirSync(join(root, base.includes('/') ? 'l10n' : '.')).filter(name =>
        pattern.test(name),
      )) {
        const other = JSON.parse(read(base.includes('/') ? `l10n/${file}` : file)) as Record<string, string>;
        assert.deepEqual(Object.keys(other).sort(), Object.keys(english).sort(), file);
        for (const [key, text] of Object.entries(other))
          assert.equal(holes(text), holes(english[key]!), `${file}: ${key}`);
      }
    }
  });
  it('activates for nothing that VS Code infers, and for no start', () => {
    for (const event of manifest.activationEvents)
      assert.match(event, /^on(Uri|FileSystem:mailroom(-script)?|WebviewPanel:.*)$/);
  });
  it('is compiled against the oldest version that it runs in', () =>
    assert.equal(manifest.engines.vscode.replace('^', ''), manifest.devDependencies['@types/vscode']));
  it('settings that could steer where secrets go are not for workspaces', () => {
    for (const [name, setting] of Object.entries(
      manifest.contributes.configuration.properties as Record<string, { scope?: string }>,
    ))
      assert.equal(setting.scope, 'application', name);
  });
  it('files it names are there', () => {
    for (const path of JSON.stringify(manifest.contributes).match(/(?:\.\/)?(?:extension\/media|icons)\/[\w.-]+/g) ??
      [])
      assert.ok(existsSync(join(root, path)), path);
  });
  it('nothing in the extension names a provider or puts data into markup', () => {
    for (const path of sources) {
      const code = read(path);
      for (const { id } of providers) assert.ok(!new RegExp(`['"\`]${id}['"\`]`).test(code), `${path} names ${id}`);
      if (!path.endsWith('sanitize.ts'))
        assert.doesNotMatch(code, /\.innerHTML\s*=|insertAdjacentHTML|document\.write/, path);
    }
  });
});
