import assert from 'node:assert/strict';
import { differences, firstOf, isAsShown, left, notPulled, planOf } from '../../extension/settings/plan.js';
import type * as Folder from '../../extension/settings/folder.js';
import type { SettingsChange } from '../../shared/index.js';
import { withVscode } from './host.js';

const change = (more: Partial<SettingsChange>): SettingsChange => ({
  path: 'mailbox/ann.mailroom',
  resource: 'mailbox',
  label: 'ann',
  values: [{ name: 'name', label: 'Name', server: 'Ann', file: null }],
  state: 'change',
  ...more,
});

describe('settings as files: what is shown', () => {
  it('a plan names each change, and selects none that would overwrite others', () => {
    const plan = planOf([
      change({}),
      change({ state: 'conflict', label: 'bob' }),
      change({ state: 'same' }),
      change({ state: 'missing' }),
      change({ state: 'invalid' }),
    ]);
    assert.deepEqual(
      plan.map(({ label, description, detail, picked }) => [label, description, detail, picked]),
      [
        ['ann', 'Mailbox', 'Name: “Ann” on the server, not set in the file', true],
        ['bob', 'Mailbox · changed on the server too', 'Name: “Ann” on the server, not set in the file', false],
      ],
    );
  });
  it('entries of a list are added and removed, switches are words, and long texts are cut', () => {
    const values = [
      { name: 'entries', label: 'Add', server: null, file: 'a.example' },
      { name: 'entries', label: 'Remove', server: 'b.example', file: null },
      { name: 'on', label: 'On', server: true, file: false },
      { name: 'text', label: 'Text', server: 'x'.repeat(5000), file: ['a', 'b'] },
    ];
    const said = differences(change({ values }));
    assert.deepEqual(said.slice(0, 3), [
      'Add “a.example”',
      'Remove “b.example”',
      'On: Yes on the server, No in the file',
    ]);
    assert.ok(said[3]!.length < 300 && said[3]!.endsWith('a, b in the file'));
  });
  it('letters that nobody sees or that turn others around are in no row', () => {
    const [row] = planOf([
      change({ label: 'a\u202eb\u0000', values: [{ name: 'n', label: 'N', server: '\u202e$(trash)', file: 'x\ny' }] }),
    ]);
    assert.doesNotMatch(`${row!.label}${row!.detail}`, /[\u202e\p{Cc}]/u);
  });
  it('what differs from what was shown is nothing that anybody agreed to', () => {
    const shown = change({});
    assert.ok(isAsShown(change({}), shown));
    for (const now of [change({ state: 'conflict' }), change({ values: [{ ...shown.values[0]!, server: 'Bob' }] })])
      assert.ok(!isAsShown(now, shown));
    assert.ok(!isAsShown(change({ values: [{ ...shown.values[0]!, file: 'Bob' }] }), shown));
    assert.ok(!isAsShown(shown, undefined));
  });
  it('a question holds ten lines, and says how many more there are', () => {
    const lines = (count: number) => Array.from({ length: count }, (_, at) => `${at}`);
    assert.deepEqual(firstOf(lines(10)), lines(10));
    assert.deepEqual(firstOf(lines(13)).slice(9), ['9', 'and 3 more']);
  });
  it('each document that was not applied or written has its sentence', () => {
    const { failures, skipped } = left(
      (['same', 'applied', 'change', 'failed', 'invalid', 'conflict', 'missing', 'gone'] as const).map(state =>
        change({ state, message: 'Why.' }),
      ),
    );
    assert.deepEqual([failures.length, skipped.length], [2, 4]);
    assert.match(skipped.join(), /Nothing was deleted/);
    assert.deepEqual(
      notPulled(
        (['written', 'same', 'kept', 'gone', 'failed'] as const).map(state => ({ path: 'a', state, message: 'Why.' })),
      ),
      { failures: ['a: Why.'], skipped: ['a: kept, because you changed the file.', 'a: no longer on the server.'] },
    );
  });
});

describe('settings as files: where they are', () => {
  it('accounts whose names no path can hold have folders of their own', async () => {
    const { folderName } = await withVscode<typeof Folder>('settings/folder.ts', {});
    assert.equal(folderName('Ann at Work'), 'Ann at Work');
    const names = ['a/b', 'a:b', 'a_b', '..', '.', '_', 'con', '_con', 'Ann ', 'a\u202eb', 'ab'];
    assert.equal(new Set(names.map(folderName)).size, names.length);
    for (const name of names) assert.doesNotMatch(folderName(name), /[/\\:\u202e]|^\.|^con$| $/);
  });
  it('what is open and not saved in the folder is saved first, and nothing else', async () => {
    const saved: string[] = [];
    const open = (path: string, { isDirty = true, scheme = 'file', saves = true } = {}) => ({
      uri: { path, scheme, authority: '' },
      isDirty,
      save: async () => {
        saved.push(path);
        return saves;
      },
    });
    const textDocuments = [
      open('/w/One/a.mailroom'),
      open('/w/One/b.mailroom'),
      open('/w/One/clean.mailroom', { isDirty: false }),
      open('/w/Onerous/a.mailroom'),
      open('/w/One/a.mailroom', { scheme: 'mailroom' }),
    ];
    const { saveIn } = await withVscode<typeof Folder>('settings/folder.ts', { workspace: { textDocuments } });
    const root = { path: '/w/One', scheme: 'file', authority: '' } as never;
    await saveIn(root, 'a.mailroom');
    assert.deepEqual(saved.splice(0), ['/w/One/a.mailroom']);
    await saveIn(root);
    assert.deepEqual(saved, ['/w/One/a.mailroom', '/w/One/b.mailroom']);
    textDocuments.push(open('/w/One/c.mailroom', { saves: false }));
    await assert.rejects(saveIn(root), /c\.mailroom could not be saved/);
  });
  it('the folder of a file is the nearest above it that something was pulled into, not too far up', async () => {
    const pulled = new Set(['/w/mailroom/One/mailroom.json']);
    class Uri {
      constructor(readonly path: string) {}
      with({ path }: { path: string }) {
        return new Uri(path);
      }
    }
    const vscode = {
      Uri: { joinPath: ({ path }: Uri, name: string) => new Uri(`${path}/${name}`) },
      workspace: {
        fs: {
          stat: async ({ path }: Uri) => {
            if (!pulled.has(path)) throw new Error('none');
          },
        },
      },
    };
    const { rootOf } = await withVscode<typeof Folder>('settings/folder.ts', vscode);
    const of = async (path: string) => {
      const found = await rootOf(new Uri(path) as never);
      return found && [found.root.path, found.path];
    };
    assert.deepEqual(await of('/w/mailroom/One/mailbox/ann.mailroom'), ['/w/mailroom/One', 'mailbox/ann.mailroom']);
    assert.deepEqual(await of('/w/mailroom/One'), ['/w/mailroom/One', '']);
    assert.equal(await of('/w/other/ann.mailroom'), undefined);
    assert.equal(await of('/w/mailroom/One/1/2/3/4/5/6/ann.mailroom'), undefined);
  });
});
