import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

const root = join(__dirname, '../..');
const dist = join(root, 'dist');
/**
 * Starts the built extension in a process of its own, over a VS Code that takes everything, and prints what it read and
 * how long it took.
 */
const START = `
  const Module = require('node:module'), { join } = require('node:path'), { readFileSync } = require('node:fs');
  const any = new Proxy(function () {}, { get: (_, key) => key === Symbol.toPrimitive ? () => '' : key === 'then' ? undefined : any, apply: () => any, construct: () => any });
  const load = Module._load;
  Module._load = (name, ...rest) => name === 'vscode' ? any : load(name, ...rest);
  const state = { get: (_, usual) => usual, update: async () => {}, keys: () => [] };
  const packageJSON = JSON.parse(readFileSync(join(process.argv[1], '../package.json'), 'utf8')), began = process.cpuUsage();
  const { activate } = require(join(process.argv[1], 'extension/extension.js')), loaded = process.cpuUsage(began);
  const context = { subscriptions: [], extensionUri: any, extension: { id: 'mailroom.mailroom', packageJSON }, globalState: state, workspaceState: state, secrets: { get: async () => undefined, onDidChange: () => any } };
  activate(context);
  const active = process.cpuUsage(began), ms = ({ user, system }) => (user + system) / 1000;
  console.log(JSON.stringify({ files: Object.keys(require.cache), owned: context.subscriptions.length, loadMs: ms(loaded), activateMs: ms(active) - ms(loaded) }));`;

describe('starting the extension', () => {
  it('reads one file, no core and no library, and registers', function () {
    const { files, owned, loadMs, activateMs } = JSON.parse(
      execFileSync(process.execPath, ['-e', START, dist], { encoding: 'utf8' }),
    ) as { files: string[]; owned: number; loadMs: number; activateMs: number };
    const bytes = files.reduce((sum, file) => sum + statSync(file).size, 0);
    console.log(
      `      ${(bytes / 1024).toFixed(0)} kB read; processor time: ${loadMs.toFixed(1)} ms to load, ${activateMs.toFixed(1)} ms to activate`,
    );
    assert.deepEqual(
      files.map(file => file.slice(dist.length + 1).replaceAll('\\', '/')),
      ['extension/extension.js'],
    );
    assert.ok(bytes < 245_000, `${bytes} bytes`);
    assert.ok(owned > 50);
  });
  it('pages are small, and only the overview carries the widget toolkit', () => {
    const sizes = Object.fromEntries(
      ['form', 'lists', 'overview', 'reader', 'requests'].map(page => [
        page,
        statSync(join(dist, `extension/pages/${page}.page.js`)).size,
      ]),
    );
    console.log(
      `      ${Object.entries(sizes)
        .map(([page, size]) => `${page} ${(size / 1024).toFixed(0)} kB`)
        .join(', ')}`,
    );
    for (const [page, size] of Object.entries(sizes))
      assert.ok(size < ({ overview: 72_000, reader: 68_000, form: 24_000 }[page] ?? 16_000), `${page}: ${size}`);
    const carries = (page: string) =>
      readFileSync(join(dist, `extension/pages/${page}.page.js`), 'utf8').includes('FAST');
    assert.deepEqual(Object.keys(sizes).filter(carries), ['overview']);
  });
});
