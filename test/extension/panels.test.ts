import assert from 'node:assert/strict';
import { providers } from '../../shared/index.js';
import type { openForm } from '../../extension/form/ask.js';
import type { openOverview } from '../../extension/overview/panel.js';
import type { restoreTabs } from '../../extension/restore.js';
import { packPlace } from '../../extension/fields/values.js';
import { pretended, withVscode } from './host.js';

const provider = providers.find(
  ({ operations }) => Object.hasOwn(operations, 'mailbox.list') && Object.hasOwn(operations, 'message.send'),
)!;

describe("the overview's tab", () => {
  it('is drawn again from what was read, and reads again when asked', async () => {
    const host = pretended();
    let lists = 0;
    const { openOverview: open } = await withVscode<{ openOverview: typeof openOverview }>(
      'overview/panel.ts',
      host.vscode,
    );
    open(
      host.extension as never,
      {
        open: async () => ({
          provider,
          call: () =>
            (async function* () {
              lists++;
              yield { id: '1', email: 'a@x.example', status: 'active' };
            })(),
        }),
      } as never,
      { id: 'one', name: 'One', provider, values: {} },
    );
    const panel = host.panels[0]!;
    await panel.hear({ type: 'ready' });
    const once = lists;
    const drawn = panel.posted.filter(one => one.type === 'overview').at(-1);
    assert.ok(once > 0 && !(drawn as never as { overview: { busy: boolean } }).overview.busy);
    await panel.hear({ type: 'ready' });
    assert.deepEqual([lists, panel.posted.at(-1)], [once, drawn]);
    await host.ask(panel, { do: 'reload' });
    assert.equal(lists, once * 2);
  });
});

describe('forms', () => {
  it('write down what their fields take, and never a secret, whatever a page says', async () => {
    const host = pretended();
    const drafts: object[] = [];
    const { openForm: open } = await withVscode<{ openForm: typeof openForm }>('form/ask.ts', host.vscode);
    let ran: object | undefined;
    open({
      extension: host.extension as never,
      identity: 'f',
      title: 'F',
      submit: 'Go',
      run: async values => {
        ran = values;
        return false;
      },
      draft: (values, files) => drafts.push({ ...values, ...files }),
      fields: { name: { type: 'text', label: 'Name' }, password: { type: 'text', label: 'Password', secret: true } },
    });
    const panel = host.panels[0]!;
    await panel.hear({ type: 'ready' });
    await host.ask(panel, { do: 'draft', values: { name: 'n', password: 'p', other: 'o', constructor: 'c' } });
    await host.ask(panel, { do: 'unfile', field: 'password', index: 0 });
    await host.ask(panel, { do: 'files', field: 'constructor' });
    assert.deepEqual(drafts, [{ name: 'n' }]);
    await host.ask(panel, { do: 'submit', values: { name: 'n', password: 'p', other: 'o' } });
    assert.deepEqual(ran, { name: 'n', password: 'p' });
  });
});

describe('tabs that come back', () => {
  async function restoring(ready = true) {
    const host = pretended();
    const serializers = new Map<string, { deserializeWebviewPanel(panel: unknown, state: unknown): Promise<void> }>();
    const filled: string[] = [];
    const account = { id: 'one', name: 'One', provider, values: {} };
    const vscode = {
      ...host.vscode,
      Disposable: { from: () => ({}) },
      window: {
        ...host.vscode.window,
        registerWebviewPanelSerializer: (type: string, one: never) => {
          serializers.set(type, one);
          return {};
        },
      },
    };
    const { restoreTabs: restore } = await withVscode<{ restoreTabs: typeof restoreTabs }>('restore.ts', vscode);
    const fill = (name: string) => () => {
      filled.push(name);
    };
    let hold: (() => Promise<{ message: string; button?: string } | undefined>) | undefined;
    restore({
      extension: host.extension as never,
      accounts: { list: () => [account], ready: async () => ready, askAgain() {} } as never,
      read: async (_, back) => {
        hold = back.hold as never;
        filled.push('read');
      },
      editLists: fill('lists'),
      compose: fill('compose'),
      overview: fill('overview'),
      requests: fill('requests'),
    });
    const back = async (type: string, state: unknown) => {
      const webview = host.vscode.window.createWebviewPanel(type, '', -1, {});
      await serializers.get(type)!.deserializeWebviewPanel(webview, state);
      const panel = host.panels.at(-1)!;
      await panel.hear({ type: 'ready' });
      return panel.posted.find(one => one.type === 'held')?.message;
    };
    return { back, filled, hold: () => hold!() };
  }
  const place = (account: string) => packPlace({ account, resource: 'message', refs: { message: 'm' } });

  it('say what is the matter: nothing was noted, or the account is gone', async () => {
    const { back, filled } = await restoring();
    assert.match(String(await back('mailroom.reader', undefined)), /closed before this tab was saved/);
    assert.match(
      String(await back('mailroom.reader', { keep: { place: place('two') } })),
      /belongs to an account that no longer exists/,
    );
    assert.deepEqual(filled, []);
    await back('mailroom.reader', { keep: { place: place('one') } });
    assert.deepEqual(filled, ['read']);
  });
  it('a composer comes back for what sends only', async () => {
    const { back, filled } = await restoring();
    for (const operation of ['mailbox.delete', 'message.send', 'constructor'])
      await back('mailroom.composer', { keep: { place: place('one'), operation } });
    assert.deepEqual(filled, ['compose']);
  });
  it('wait for a click where a secret is missing', async () => {
    const { back, hold } = await restoring(false);
    await back('mailroom.reader', { keep: { place: place('one') } });
    assert.deepEqual(await hold(), { message: 'Sign in to One to show this again.', button: 'Sign In' });
  });
});
