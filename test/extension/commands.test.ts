import { vscode } from './fakeVscode.js';
import assert from 'node:assert/strict';
import { registerCommands } from '../../extension/commands.js';
import type { AccountNode, ItemNode, Node } from '../../extension/tree/model.js';
import { providers } from '../../shared/index.js';

/** The commands over as much of VS Code and of the other parts as they touch here. */
function harness(selected: readonly Node[] = [], answer?: string) {
  const commands = new Map<string, (...args: unknown[]) => Promise<unknown>>();
  const said: string[] = [];
  const composed: string[] = [];
  const removed: string[] = [];
  const ran: [string, number][] = [];
  let clipboard = 'kept';
  const say = async (text: string) => {
    said.push(text);
    return answer;
  };
  vscode.commands.registerCommand = (name: string, run: (...args: unknown[]) => Promise<unknown>) => {
    commands.set(name.replace('mailroom.', ''), run);
  };
  vscode.commands.executeCommand = async (name: string, ...args: unknown[]) =>
    commands.get(name.replace('mailroom.', ''))?.(...args);
  Object.assign(vscode.window, { showInformationMessage: say, showWarningMessage: say, setStatusBarMessage() {} });
  vscode.env.clipboard = {
    writeText: async (text: string) => {
      clipboard = text;
    },
  };
  registerCommands({
    context: { extensionUri: {}, subscriptions: [], extension: { packageJSON: { contributes: { commands: [] } } } },
    model: { children: () => [] },
    inAccounts: () => [],
    selection: () => selected,
    log: { debug() {} },
    problems: {
      tell: async (_: string, error: Error) => {
        said.push(error.message);
      },
    },
    accounts: {
      list: () => [],
      remove: async (id: string) => {
        removed.push(id);
      },
    },
    compose: (_: unknown, operation: string) => {
      composed.push(operation);
    },
    operator: {
      runMany: async (targets: readonly unknown[], name: string) => {
        ran.push([name, targets.length]);
      },
    },
  } as never);
  return {
    run: (name: string, ...args: unknown[]) => commands.get(name)!(...args),
    said,
    composed,
    removed,
    ran,
    clipboard: () => clipboard,
  };
}
const with_ = (operation: string, without?: string) =>
  providers.find(({ operations }) => operation in operations && !(without && without in operations))!;
const accountNode = (id: string): AccountNode => ({
  kind: 'account',
  id,
  label: id,
  account: { id, name: id, provider: with_('mailbox.delete'), values: {} },
});
const row = (resource: string, provider = with_(`${resource}.list`)): ItemNode => ({
  kind: 'item',
  id: resource,
  label: `a ${resource}`,
  account: { id: 'a', name: 'Mine', provider, values: {} },
  resource,
  item: { id: '7' },
  binding: { refs: { [resource]: '7' }, choices: {} },
  list: `${resource}.list`,
});
const ON_ROWS = [
  'open',
  'openJson',
  'copyId',
  'copyNode',
  'actions',
  'create',
  'delete',
  'restore',
  'testSend',
  'move',
  'syncNow',
  'markRead',
  'reply',
  'changePassword',
  'editLists',
  'loadAll',
  'filter',
  'clearFilter',
];

describe('commands from the palette', () => {
  it('without a row say what they need, and do nothing', async () => {
    for (const name of ON_ROWS) {
      const { run, said, clipboard } = harness();
      await run(name);
      assert.equal(said.length, 1, name);
      assert.match(said[0]!, /^Select a /, name);
      assert.equal(clipboard(), 'kept');
    }
  });
  it('on a row that they are not for say so, and do nothing', async () => {
    for (const name of [
      'create',
      'restore',
      'testSend',
      'move',
      'syncNow',
      'markRead',
      'reply',
      'changePassword',
      'editLists',
    ]) {
      const user = row('user');
      const { run, said, ran, composed } = harness([user]);
      await run(name);
      assert.deepEqual(
        [said, ran, composed],
        [[`${user.account.provider.name} does not offer this for “a user”.`], [], []],
        name,
      );
    }
  });
  it('take the rows selected last, in whichever view', async () => {
    const { run, clipboard, ran } = harness([row('mailbox')]);
    await run('copyId');
    await run('delete');
    assert.deepEqual([clipboard(), ran], ['7', [['mailbox.delete', 1]]]);
  });
  it('reply is for messages of those who can', async () => {
    const able = harness([row('message', with_('message.reply'))]);
    await able.run('reply');
    const unable = harness([row('message', with_('message.list', 'message.reply'))]);
    await unable.run('reply');
    assert.deepEqual([able.composed, unable.composed], [['message.reply'], []]);
  });
  it('several accounts are removed with one question', async () => {
    const two = [accountNode('one'), accountNode('two')];
    const yes = harness(two, 'Remove 2 Accounts');
    await yes.run('delete');
    const no = harness(two);
    await no.run('delete');
    assert.deepEqual([yes.said, yes.removed, no.removed], [['Remove 2 accounts from VS Code?'], ['one', 'two'], []]);
  });
});
