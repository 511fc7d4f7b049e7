import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import type { openFile, saveFile } from '../../extension/operations/files.js';
import { pretended, withVscode } from './host.js';
import type { safeName } from '../../extension/host/fileNames.js';

interface Files {
  openFile: typeof openFile;
  saveFile: typeof saveFile;
}
const parts =
  (...texts: string[]) =>
  async () => ({
    name: 'x',
    type: 'text/plain',
    open: async function* () {
      for (const text of texts) yield Buffer.from(text);
    },
  });

describe('files of messages', () => {
  let folder = '';
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'mailroom-test-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it("are saved as they come in, under a name proposed in the user's folder", async () => {
    const host = pretended({ save: join(folder, 'figures.csv') });
    const { saveFile } = await withVscode<Files>('operations/files.ts', host.vscode);
    await saveFile('figures.csv', parts('a', 'b'));
    assert.equal(readFileSync(join(folder, 'figures.csv'), 'utf8'), 'ab');
    assert.deepEqual(host.proposed, [join(homedir(), 'figures.csv')]);
    assert.deepEqual(readdirSync(folder), ['figures.csv']);
  });
  it('leave nothing behind when they break off, and what was there before stays', async () => {
    const host = pretended({ save: join(folder, 'figures.csv') });
    const { saveFile } = await withVscode<Files>('operations/files.ts', host.vscode);
    await saveFile('figures.csv', parts('before'));
    const broken = async () => ({
      name: 'x',
      type: '',
      open: async function* () {
        yield Buffer.from('half');
        throw new Error('The line went dead.');
      },
    });
    await assert.rejects(saveFile('figures.csv', broken), /The line went dead/);
    assert.deepEqual(
      [readdirSync(folder), readFileSync(join(folder, 'figures.csv'), 'utf8')],
      [['figures.csv'], 'before'],
    );
  });
  it('are cancelled in the middle of a wait, at the provider too', async () => {
    const host = pretended({ save: join(folder, 'figures.csv') });
    const { saveFile } = await withVscode<Files>('operations/files.ts', host.vscode);
    let signal: AbortSignal | undefined;
    const saving = saveFile('figures.csv', async given => {
      signal = given;
      return {
        name: 'x',
        type: '',
        open: async function* () {
          yield Buffer.from('half');
          setImmediate(() => host.progress.cancel());
          await new Promise(() => {});
        },
      };
    });
    await assert.rejects(saving, { name: 'AbortError' });
    assert.ok(signal?.aborted);
    assert.deepEqual(readdirSync(folder), []);
  });
  it('are opened after a question that names file and kind; what can run is told apart', async () => {
    const details: string[] = [];
    const host = pretended({ Open: 'Open' });
    const ask = host.vscode.window.showWarningMessage;
    host.vscode.window.showWarningMessage = (async (text: string, options: { detail: string }) => {
      details.push(options.detail);
      return ask(text);
    }) as never;
    const { openFile } = await withVscode<Files>('operations/files.ts', host.vscode);
    await openFile('plan.pdf', 'application/pdf', parts('x'));
    await openFile('plan.pdf.exe', 'application/pdf', parts('x'));
    assert.deepEqual(host.said, ['Open “plan.pdf” (application/pdf)?', 'Open “plan.pdf.exe” (application/pdf)?']);
    assert.ok(!/run programs/.test(details[0]!) && /run programs/.test(details[1]!));
    assert.deepEqual(
      host.opened.map(path => path.split('/').at(-1)),
      ['plan.pdf', 'plan.pdf.exe'],
    );
    for (const path of host.opened) rmSync(path);
  });
  it('are neither fetched nor opened unless that was said', async () => {
    const host = pretended();
    const { openFile } = await withVscode<Files>('operations/files.ts', host.vscode);
    await openFile('plan.pdf', 'application/pdf', async () => {
      throw new Error('fetched');
    });
    assert.deepEqual(host.opened, []);
  });
  it('what was saved and can run is not started by the button alone', async () => {
    const host = pretended({ save: join(folder, 'tool.exe'), Saved: 'Open' });
    const { saveFile } = await withVscode<Files>('operations/files.ts', host.vscode);
    await saveFile('tool.exe', parts('x'));
    await new Promise(resolve => setImmediate(resolve));
    assert.deepEqual([host.said, host.opened], [['Saved tool.exe.', 'Open “tool.exe”?'], []]);
    assert.ok(existsSync(join(folder, 'tool.exe')));
  });
  it('have names that every file system takes, with their endings', async () => {
    const { safeName: device } = await withVscode<{ safeName: typeof safeName }>(
      'host/fileNames.ts',
      pretended().vscode,
    );
    for (const name of ['CON', 'con.txt', 'nul .pdf', 'LPT1.tar.gz', 'com\u00b9', 'CONOUT$'])
      assert.match(device(name), /^_/, name);
    for (const name of ['console.txt', 'com10', 'nullable', 'a.con']) assert.equal(device(name), name);
    const { safeName: safe } = await withVscode<{ safeName: typeof safeName }>('host/fileNames.ts', pretended().vscode);
    assert.equal(safe('a/b\\c:d\u202ee.pdf'), 'a_b_c_d_e.pdf');
    assert.deepEqual(['..', '', '.profile', 'x. .'].map(safe), ['_', 'file', '_profile', 'x']);
    for (const name of [`${'x'.repeat(500)}.pdf`, `${'é'.repeat(500)}.pdf`, `${'📎'.repeat(500)}.tar.gz`]) {
      const made = safe(name);
      assert.ok(Buffer.byteLength(made) <= 200 && Buffer.byteLength(made) > 190, made);
      assert.match(made, /\.(pdf|gz)$/);
      assert.ok(
        !/[\ud800-\udfff]/.test(made.replace(/[\ud800-\udbff][\udc00-\udfff]/g, '')),
        'no letter is cut in two',
      );
    }
  });
});
