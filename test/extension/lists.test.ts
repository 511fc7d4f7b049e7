import assert from 'node:assert/strict';
import { MailError, providers } from '../../shared/index.js';
import type { createListsEditor } from '../../extension/spamLists/editor.js';
import type * as Places from '../../extension/fields/values.js';
import type { EntryResult, ListColumn } from '../../extension/webview/messages.js';
import { NOTHING_BOUND } from '../../extension/fields/tables.js';
import { pretended, withVscode } from './host.js';

/** The provider whose lists stand side by side. */
const provider = providers.find(({ operations }) => Object.hasOwn(operations, 'spamList.add'))!;

async function editing({
  entries = 0,
  refuse = () => undefined,
  resource = 'spamList',
  sure = true,
}: { entries?: number; refuse?: (value: string) => string | undefined; resource?: string; sure?: boolean } = {}) {
  const host = pretended();
  const sent: { name: string; value: unknown }[] = [];
  const signals: (AbortSignal | undefined)[] = [];
  const summaries: unknown[] = [];
  const { createListsEditor: make } = await withVscode<{ createListsEditor: typeof createListsEditor }>(
    'spamLists/editor.ts',
    host.vscode,
  );
  const account = { id: 'one', name: 'One', provider, values: {} };
  const call = (name: string, input: Record<string, unknown>) => {
    if (name.endsWith('.list'))
      return (async function* () {
        for (let i = 0; i < entries; i++) yield { value: `entry${i}.example` };
      })();
    sent.push({ name, value: input.value });
    const why = refuse(String(input.value));
    return why ? Promise.reject(new MailError('rejected', why)) : Promise.resolve({});
  };
  make({
    extension: host.extension as never,
    changed() {},
    operator: { summary: (...given: unknown[]) => summaries.push(given), confirm: async () => sure } as never,
    accounts: {
      open: async (_: string, signal?: AbortSignal) => {
        signals.push(signal);
        return { call };
      },
    } as never,
  })(
    {
      account,
      resource: 'mailbox',
      binding: { ...NOTHING_BOUND, refs: { domain: 'x.example', mailbox: 'ann' } },
      label: 'ann',
    },
    resource,
  );
  const panel = host.panels[0]!;
  await panel.hear({ type: 'ready' });
  const column = () => panel.posted.findLast(one => one.type === 'column')!.column as ListColumn;
  const change = async (verb: 'add' | 'remove', values: string[]) =>
    (await host.ask(panel, { do: verb, column: column().id, values }))!.value as EntryResult[];
  return { ...host, panel, column, change, sent, signals, summaries };
}

describe('the lists editor', () => {
  it('says that a list goes on where it does not read on', async () => {
    assert.equal((await editing({ entries: 20_000 })).column().more, false);
    const { column } = await editing({ entries: 20_001 });
    assert.deepEqual([column().more, column().entries.length], [true, 20_000]);
  });
  it('ends its requests with its tab', async () => {
    const { panel, signals } = await editing();
    assert.ok(signals.length && signals.every(signal => signal && !signal.aborted));
    panel.close();
    assert.ok(signals.every(signal => signal!.aborted));
  });
  it('adds a few quietly, and a column with a progress and a summary', async () => {
    const { change, progress, summaries, sent } = await editing({
      refuse: value => (value === 'b.example' ? 'Not this one.' : undefined),
    });
    assert.deepEqual(await change('add', ['a.example', 'b.example', ' a.example ']), [
      { value: 'a.example' },
      { value: 'b.example', message: 'Not this one.' },
    ]);
    assert.deepEqual([progress.reports, sent.length], [0, 2]);
    await change('add', ['c.example', 'd.example', 'e.example', 'f.example', 'b.example']);
    assert.deepEqual([progress.reports, summaries.length], [5, 1]);
  });
  it('what a cancellation left is told entry by entry, and stays where it was', async () => {
    const { change, progress, column, sent } = await editing({ entries: 100 });
    progress.at = report => {
      if (report === 20) progress.cancel();
    };
    const values = column().entries.slice(0, 50);
    const done = await change('remove', values);
    const left = done.filter(one => one.message !== undefined);
    assert.ok(sent.length < 30 && left.length >= 20);
    assert.match(left.at(-1)!.message!, /because you cancelled/);
    assert.ok(
      left.every(
        ({ value }) =>
          column().entries.includes(value) ||
          /while it was running/.test(done.find(one => one.value === value)!.message!),
      ),
    );
  });
  it('lists of an account as a whole are opened, and come back with the window', async () => {
    const host = pretended();
    const called: [string, unknown][] = [];
    const { createListsEditor: make } = await withVscode<{ createListsEditor: typeof createListsEditor }>(
      'spamLists/editor.ts',
      host.vscode,
    );
    const alone = providers.find(
      ({ operations }) => Object.hasOwn(operations, 'spamList.add') && !Object.hasOwn(operations, 'mailbox.list'),
    )!;
    const call = (name: string, input: unknown) => {
      called.push([name, input]);
      return name.endsWith('.list') ? (async function* () {})() : Promise.resolve({});
    };
    make({
      extension: host.extension as never,
      changed() {},
      operator: {} as never,
      accounts: { open: async () => ({ call }) } as never,
    })(
      {
        account: { id: 'one', name: 'One', provider: alone, values: {} },
        resource: '',
        binding: NOTHING_BOUND,
        label: 'One',
      },
      'spamList',
    );
    const panel = host.panels[0]!;
    await panel.hear({ type: 'ready' });
    const columns = panel.posted.find(one => one.type === 'lists')!.lists as {
      columns: ListColumn[];
      subtitle: string;
    };
    assert.deepEqual(
      columns.columns.map(({ id }) => id),
      ['blockedSenders', 'blockedIps', 'allowedSenders'],
    );
    assert.equal(columns.subtitle, 'One');
    await host.ask(panel, { do: 'add', column: 'blockedSenders', values: ['bad@one.example'] });
    assert.deepEqual(called.at(-1), ['spamList.add', { list: 'blockedSenders', value: 'bad@one.example' }]);
    const { packPlace, unpackPlace } = await withVscode<typeof Places>('fields/values.ts', host.vscode);
    assert.deepEqual(unpackPlace(packPlace({ account: 'one', resource: '', refs: {} })), {
      account: 'one',
      resource: '',
      refs: {},
    });
  });
  it('asks before it removes what cannot simply be added again', async () => {
    const resource = Object.entries(provider.operations as Record<string, { effect: string }>)
      .find(
        ([name, { effect }]) =>
          name.endsWith('.remove') &&
          effect === 'destroy' &&
          Object.hasOwn(provider.operations, name.replace('.remove', '.add')) &&
          Object.hasOwn(provider.operations, name.replace('.remove', '.list')),
      )![0]
      .split('.')[0]!;
    const { sent, ask, panel, column } = await editing({ resource, sure: false });
    await ask(panel, { do: 'remove', column: column().id, values: ['x@x.example'] });
    assert.deepEqual(sent, []);
  });
});
