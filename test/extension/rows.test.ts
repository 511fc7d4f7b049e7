import { vscode } from './fakeVscode.js';
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { MailError, providers, type Client, type Provider } from '../../shared/index.js';
import { readMailboxes } from '../../extension/tree/readMailboxes.js';
import {
  actionsOf,
  contextOf,
  createModel,
  isFor,
  needsAttention,
  stateOf,
  type BranchNode,
  type ItemNode,
  type Model,
  type Node,
} from '../../extension/tree/model.js';
import { n8nNodes } from '../../extension/tree/n8nNodes.js';
import { createOperator } from '../../extension/operations/run.js';
import { settle } from '../../extension/operations/afterWrite.js';
import {
  bind,
  branchesAt,
  inputFrom,
  NOTHING_BOUND,
  operationOf,
  tableOf,
  type Binding,
} from '../../extension/fields/tables.js';
import type { Values } from '../../extension/webview/messages.js';
import type { AccountInfo } from '../../extension/accounts/store.js';
import { targetOf, type Written } from '../../extension/operations/target.js';

const text = (label: string, more: object = {}) => ({ type: 'text', label, ...more });
const op = (input: object, effect = 'read', summary = 'Does it') => ({
  summary,
  effect,
  docs: 'https://example.com',
  input,
  run: () => undefined,
});
const of = (ref: string, more: object = {}) => text(ref, { required: true, ref, ...more });
const provider = {
  id: 'made',
  name: 'Made',
  docs: '',
  auth: { fields: {} },
  pace: { concurrent: 1, perMinute: 60 },
  feeds: {},
  operations: {
    'domain.list': op({}),
    'domain.delete': op({ domain: of('domain') }, 'destroy', 'Delete a domain'),
    'mailbox.list': op({ domain: of('domain', { required: false }) }),
    'mailbox.get': op({ mailbox: of('mailbox') }),
    'mailbox.update': op({ mailbox: of('mailbox'), limit: text('Limit') }, 'write', 'Change a mailbox'),
    'mailbox.delete': op({ mailbox: of('mailbox') }, 'destroy', 'Delete a mailbox'),
    'mailbox.restore': op({ mailbox: of('mailbox') }, 'write', 'Restore a mailbox'),
    'folder.list': op({}),
    'message.list': op({}),
    'message.delete': op({ message: of('message') }, 'destroy', 'Delete a message'),
    // As IMAP has it: one message or several, and a choice that nobody must make.
    'message.move': op(
      {
        message: of('message', { required: false }),
        messages: { type: 'list', label: 'Messages', of: text('Message', { ref: 'message' }) },
        target: of('folder'),
        createFolder: { type: 'flag', label: 'Create Folder', default: false },
      },
      'write',
      'Move a message',
    ),
    'message.mark': op({ message: of('message'), read: text('Read', { required: true }) }, 'write', 'Mark a message'),
    'service.list': op({ domain: of('domain') }),
    'service.add': op({ mailbox: of('mailbox') }, 'write', 'Attach it'),
    'service.delete': op({ mailbox: of('mailbox') }, 'destroy', 'Detach it'),
  },
} as unknown as Provider;
const account: AccountInfo = { id: 'a', name: 'Mine', provider, values: {} };
type Lists = Record<string, (input: Values) => readonly object[] | AsyncGenerator<object>>;

function harness(lists: Lists, page = 3, of = provider) {
  const account = { id: 'a', name: 'Mine', provider: of, values: {} };
  const calls: [string, Values][] = [];
  const client = {
    provider: of,
    call(name: string, input: Values) {
      calls.push([name, input]);
      const given = lists[name]?.(input);
      if (!name.endsWith('.list')) return Promise.resolve(given ?? { native: {} });
      return Array.isArray(given)
        ? (async function* () {
            yield* given as object[];
          })()
        : given;
    },
  } as unknown as Client;
  const model = createModel({ accounts: () => [account], open: async () => client, changed() {}, page });
  const at = async (...labels: string[]): Promise<Node> => {
    let node: Node | undefined;
    for (const label of ['Mine', ...labels]) {
      const found: Node | undefined = (await model.children(node)).find(one => one.label === label);
      assert.ok(found, `no row "${label}"`);
      node = found;
    }
    return node!;
  };
  const lists_ = (name: string) => calls.filter(([one]) => one === name).length;
  return { model, client, calls, at, count: lists_ };
}
const box = (id: string, more: object = {}) => ({
  id,
  email: `${id}@x.example`,
  status: 'active',
  native: {},
  ...more,
});
const many = (count: number) => Array.from({ length: count }, (_, i) => box(`m${i}`));
const attention = (model: Model) =>
  model
    .loaded()
    .filter(needsAttention)
    .map(({ label }) => label);

describe('lists that change', () => {
  it('a refresh of the account keeps as many pages of every list', async () => {
    const { model, at } = harness({ 'mailbox.list': () => many(12) });
    const branch = (await at('Mailboxes')) as BranchNode;
    const [first] = await model.children(branch);
    await model.more(branch);
    await model.more(branch);
    await model.refresh(await at());
    await model.refresh(await at());
    const rows = await model.children(branch);
    assert.deepEqual([rows.length, rows[0] === first], [10, true], 'nine rows and one for more, the same objects');
  });
  for (const [how, again] of [
    ['a refresh', (model: Model, _: Node, root: Node) => model.refresh(root)],
    ['a filter', (model: Model, branch: Node) => model.filter(branch as BranchNode, { text: '@' })],
  ] as const) {
    it(`after ${how}, a mailbox that is gone from the server needs no attention, and is forgotten`, async () => {
      let now = [box('m1', { status: 'error' }), box('m2', { status: 'deleting' }), box('m3')];
      const { model, at } = harness({ 'mailbox.list': () => now });
      const branch = await at('Mailboxes');
      const [gone] = await model.children(branch);
      assert.deepEqual(attention(model), ['m1@x.example', 'm2@x.example']);
      now = now.slice(1);
      await again(model, branch, await at());
      assert.ok(!attention(model).includes('m1@x.example'), 'also before it is read again');
      await model.children(branch);
      assert.deepEqual([attention(model), model.find(gone!.id)], [['m2@x.example'], undefined]);
    });
  }
  for (const [who, search] of [
    ['here', {}],
    ['by the server', { search: text('Search') }],
  ] as const) {
    it(`what a filter hides, compared ${who}, still needs attention, and is changed and removed like any other row`, async () => {
      const now = [box('m1', { status: 'error' }), box('m2', { status: 'deleting' }), box('m3')];
      const made = {
        ...provider,
        operations: { ...provider.operations, 'mailbox.list': op(search) },
      } as unknown as Provider;
      const { model, at } = harness(
        { 'mailbox.list': input => now.filter(({ email }) => !input.search || email.includes(String(input.search))) },
        3,
        made,
      );
      const branch = (await at('Mailboxes')) as BranchNode;
      const [first] = (await model.children(branch)) as ItemNode[];
      await model.filter(branch, { text: 'm3' });
      assert.deepEqual(
        (await model.children(branch)).map(({ label }) => label),
        ['m3@x.example'],
      );
      assert.deepEqual(attention(model), ['m1@x.example', 'm2@x.example']);
      model.update(first!, box('m1'));
      assert.deepEqual(attention(model), ['m2@x.example']);
      model.remove(model.loaded().find(({ label }) => label.startsWith('m2'))!);
      assert.deepEqual(attention(model), []);
      await model.filter(branch, undefined);
      assert.equal((await model.children(branch))[0], first, 'it comes back as the same object');
    });
  }
  it('a reading that fails takes nothing away: the rows of before stand below the reason, until it succeeds', async () => {
    let down = false;
    const { model, at } = harness(
      {
        'mailbox.list': async function* () {
          if (down) throw new MailError('unavailable', 'Nobody answers.');
          yield* many(3);
        },
      },
      9,
    );
    const branch = (await at('Mailboxes')) as BranchNode;
    const rows = await model.children(branch);
    for (const node of [branch, await at()]) {
      down = true;
      await model.refresh(node);
      assert.deepEqual(
        (await model.children(branch)).map(one => (one.kind === 'note' ? one.note : one.label)),
        ['problem', 'retry', 'edit', 'log', ...rows.map(({ label }) => label)],
      );
      down = false;
      await model.refresh(node);
      assert.deepEqual(await model.children(branch), rows);
    }
    down = true;
    await model.filter(branch, { text: 'm1' });
    assert.ok(
      (await model.children(branch)).every(({ kind }) => kind === 'note'),
      'rows of another filter are not shown as if they matched',
    );
  });
  it('a row that is deleted while more are loaded does not come back', async () => {
    let go = () => {};
    let asked = () => {};
    const waiting = new Promise<void>(resolve => {
      go = resolve;
    });
    const under = new Promise<void>(resolve => {
      asked = resolve;
    });
    const { model, at } = harness({
      'mailbox.list': async function* () {
        yield* many(3);
        asked();
        await waiting;
        yield* many(6).slice(3);
      },
    });
    const branch = (await at('Mailboxes')) as BranchNode;
    const [first] = (await model.children(branch)) as ItemNode[];
    const more = model.more(branch);
    await under;
    model.remove(first!);
    go();
    await more;
    assert.ok(!(await model.children(branch)).some(({ label }) => label === first!.label));
  });
  it('lists stand by name, whatever the order of the server, and mail as it comes', async () => {
    const { model, at } = harness(
      {
        'mailbox.list': () => ['b10', 'B2', 'a'].map(id => box(id)),
        'message.list': () => [
          { id: '1', subject: 'b' },
          { id: '2', subject: 'a' },
        ],
      },
      9,
    );
    assert.deepEqual(
      (await model.children(await at('Mailboxes'))).map(({ label }) => label),
      ['a@x.example', 'B2@x.example', 'b10@x.example'],
    );
    assert.deepEqual(
      (await model.children(await at('Messages'))).map(({ label }) => label),
      ['b', 'a'],
    );
  });
  it('an export reads what the filter shows', async () => {
    const { model, at } = harness({ 'mailbox.list': () => many(12) });
    const branch = (await at('Mailboxes')) as BranchNode;
    const found: unknown[] = [];
    await model.filter(branch, { text: 'm1' });
    for await (const item of model.listed(branch, new AbortController().signal)) found.push(item.id);
    assert.deepEqual(found, ['m1', 'm10', 'm11']);
  });
});

describe('what needs the user', () => {
  const row = (more: object, own: object = {}): ItemNode => ({
    kind: 'item',
    id: 'x',
    account: { ...account, provider: { ...provider, operations: { ...provider.operations, ...own } } },
    label: 'x',
    resource: 'mailbox',
    item: box('x', more),
    binding: NOTHING_BOUND,
    list: 'mailbox.list',
  });
  const NOW = Date.parse('2026-11-20T12:00:00Z');
  const reconnect = { 'mailbox.reconnect': op({ mailbox: of('mailbox') }, 'write') };
  it('is what failed, what is about to be deleted, and what waits to be signed in', () => {
    for (const status of ['error', 'deleting']) assert.ok(needsAttention(row({ status })), status);
    for (const status of ['active', 'pending', 'disabled', 'unknown'])
      assert.ok(!needsAttention(row({ status })), status);
    assert.ok(needsAttention(row({ status: 'pending' }, reconnect)));
    assert.equal(stateOf(row({ status: 'pending' }, reconnect), NOW), 'reconnect required');
  });
  it('says when it is deleted, where the vendor says so', () => {
    const due = (at: unknown) => stateOf(row({ status: 'deleting', native: { deletion_scheduled_at: at } }), NOW);
    assert.equal(due('2026-11-23T11:00:00Z'), 'deleting in 3 days');
    assert.match(due('2026-11-20T12:10:00Z'), /^deletion scheduled for .*:10/);
    assert.equal(due(null), 'deletion scheduled');
  });
  it('a look reads every list anew, and names those that could not be read', async () => {
    let now = [box('m1')];
    let down = false;
    const { model, at } = harness({
      'domain.list': () => [{ id: 'd1', name: 'one.example' }],
      'mailbox.list': ({ domain }) => {
        if (domain && down) throw new MailError('unavailable', 'Down.');
        return domain ? [] : now;
      },
    });
    const look = () => readMailboxes(model, 'a', { stopped: () => false, at() {}, reading: () => ({ dispose() {} }) });
    assert.deepEqual(await look(), [], 'also before the tree was drawn');
    assert.deepEqual(
      model.loaded().map(({ label }) => label),
      ['one.example', 'm1@x.example'],
    );
    now = [box('m1', { status: 'error' })];
    down = true;
    assert.deepEqual(
      (await look()).map(({ id }) => id),
      [(await at('Domains', 'one.example', 'Mailboxes')).id],
    );
    assert.deepEqual(attention(model), ['m1@x.example']);
  });
});

/** Every kind of row that a provider's tree has, with what is known there. */
function rowsOf(one: Provider): { path: string; resource: string; binding: Binding }[] {
  const found: { path: string; resource: string; binding: Binding }[] = [];
  const look = (resource: string | undefined, binding: Binding, path: string, depth: number): void => {
    for (const branch of branchesAt(one, { tenant: 'x' }, resource, binding)) {
      // The shared words of these say whose they are.
      const whose = /^(alias|message|conversation)$/.test(branch.resource) ? { mailbox: 'its mailbox' } : {};
      const item = {
        ...whose,
        id: `${branch.resource} of ${path}`,
        email: 'a@x.example',
        value: 'v',
        pattern: 'p',
        address: 'a',
      };
      const at = `${path}/${branch.resource}`;
      const below = bind(
        one,
        branch.choice ? { ...binding, choices: { ...binding.choices, [branch.choice]: 'blockedSenders' } } : binding,
        branch.resource,
        item,
      );
      found.push({ path: at, resource: branch.resource, binding: below });
      if (depth < 3) look(branch.resource, below, at, depth + 1);
    }
  };
  look(undefined, NOTHING_BOUND, '', 0);
  return found;
}
const rowAs = (one: Provider, { path, resource, binding }: ReturnType<typeof rowsOf>[number]): ItemNode => ({
  kind: 'item',
  id: path,
  account: { ...account, provider: one },
  label: path,
  resource,
  item: {},
  binding,
  list: `${resource}.list`,
});

describe('a selection of rows', () => {
  const { menus } = (
    JSON.parse(readFileSync(join(__dirname, '../../package.json'), 'utf8')) as {
      contributes: { menus: Record<string, { command: string; when: string; group?: string }[]> };
    }
  ).contributes;
  /** Whether a condition of the manifest holds for what a row says of itself. */
  const holds = (when: string, context: string) =>
    when.split(' || ').some(some =>
      some.split(' && ').every(part => {
        const [, what, pattern] = /^([\w.]+) =~ \/(.*)\/$/.exec(part) ?? [];
        return what === 'viewItem' || what === 'mailroom.row'
          ? new RegExp(pattern!).test(context)
          : /^view (==|=~) /.test(part);
      }),
    );
  for (const one of providers) {
    it(`${one.name}: a row's menu has each command once, and the palette offers the same for it`, () => {
      const contexts = new Set([
        'account',
        'account;can.overview',
        'account;can.send;can.signIn',
        ...rowsOf(one).flatMap(row => [
          contextOf(rowAs(one, row)),
          contextOf({
            kind: 'branch',
            id: row.path,
            account: { ...account, provider: one },
            label: '',
            branch: { operation: `${row.resource}.list`, resource: row.resource, label: '' },
            binding: row.binding,
            pages: 1,
            generation: 0,
          }),
        ]),
      ]);
      for (const context of contexts) {
        const menu = menus['view/item/context']!.filter(
          ({ when, group }) => !group!.startsWith('inline') && holds(when, context),
        ).map(({ command }) => command);
        assert.deepEqual(menu, [...new Set(menu)], context);
        for (const { command, when } of menus.commandPalette!.filter(({ when: text_ }) =>
          text_.includes('mailroom.row'),
        )) {
          // An account's Delete has a menu entry of its own.
          if (command === 'mailroom.delete' && context.startsWith('account')) continue;
          assert.equal(holds(when, context), menu.includes(command), `${command} for ${context}`);
        }
      }
    });
  }
  it('a list is copied as what lists it, and so is what cannot be got by itself, once for all of it', async () => {
    const { model, at } = harness({
      'mailbox.list': () => many(1),
      'message.list': () => [
        { id: '1', subject: 'one' },
        { id: '2', subject: 'two' },
      ],
    });
    const rows = [
      await at('Mailboxes'),
      ...(await model.children(await at('Messages'))),
      await at('Mailboxes', 'm0@x.example'),
    ] as ItemNode[];
    const { nodes } = n8nNodes(rows) as { nodes: { parameters: Values }[] };
    assert.deepEqual(
      nodes.map(({ parameters: { resource, operation } }) => `${String(resource)}.${String(operation)}`),
      ['mailbox.list', 'message.list', 'mailbox.get'],
    );
  });
  for (const one of providers) {
    const rows = rowsOf(one);
    it(`${one.name}: what destroys objects of one kind is never run on rows of another because they stand below one`, () => {
      for (const clicked of rows)
        for (const other of rows) {
          if (other.resource === clicked.resource) continue;
          for (const name of actionsOf(rowAs(one, clicked)))
            assert.ok(
              !isFor(name, rowAs(one, clicked), rowAs(one, other)),
              `${name} chosen on ${clicked.path} runs on ${other.path}`,
            );
        }
      for (const row of rows)
        for (const name of actionsOf(rowAs(one, row))) {
          const [of_] = name.split('.');
          if (operationOf(one, name)!.effect !== 'destroy' || of_ === row.resource) continue;
          const named = Object.values(inputFrom(one, name, row.binding)).flat();
          assert.ok(
            named.includes(row.binding.refs[row.resource]),
            `${name} on ${row.path} is about ${JSON.stringify(named)}`,
          );
        }
    });
    it(`${one.name}: no row has to ask what its own deletion is about`, () => {
      for (const { path, resource, binding } of rows)
        for (const verb of ['delete', 'remove']) {
          const name = `${resource}.${verb}`;
          const operation = tableOf(one)[name];
          if (!operation) continue;
          const input = inputFrom(one, name, binding);
          assert.deepEqual(
            Object.entries(operation.input)
              .filter(([key, field]) => field.required && input[key] === undefined)
              .map(([key]) => key),
            [],
            `${name} on ${path}`,
          );
        }
    });
  }
  it("services that have a mailbox's id stand below it, and are only its own", async () => {
    const { model, at } = harness({
      'domain.list': () => [{ id: 'd1', name: 'one.example' }],
      'mailbox.list': () => many(3),
      'service.list': () => [{ id: 'm0' }, { id: 'm2' }].map(one => ({ ...one, native: {} })),
    });
    const rows = (await model.children(
      await at('Domains', 'one.example', 'Mailboxes', 'm2@x.example', 'Services'),
    )) as ItemNode[];
    assert.deepEqual(
      rows.map(({ label }) => label),
      ['m2'],
    );
    assert.deepEqual(inputFrom(provider, 'service.delete', rows[0]!.binding), { mailbox: 'm2' });
    const all = (await model.children(await at('Domains', 'one.example', 'Services'))) as ItemNode[];
    assert.deepEqual(
      all.map(({ binding }) => inputFrom(provider, 'service.delete', binding)),
      [{ mailbox: 'm0' }, { mailbox: 'm2' }],
    );
  });
});

describe('after a write', () => {
  const written = (rows: readonly Node[]): Written[] =>
    rows.map(node => ({ target: targetOf(node), answer: { native: {} } }));
  it('the row of an owner stays when something below it went', async () => {
    const { model, at, count } = harness({
      'domain.list': () => [{ id: 'd1', name: 'one.example' }],
      'mailbox.list': () => many(2),
      'service.list': () => [{ id: 'm0' }],
    });
    const owner = await at('Domains', 'one.example', 'Mailboxes', 'm0@x.example');
    await model.children(await at('Domains', 'one.example', 'Services'));
    await settle(model, 'service.delete', written([owner]));
    assert.deepEqual([model.find(owner.id), count('service.list')], [owner, 2]);
    assert.ok(((await at('Domains', 'one.example', 'Mailboxes')) as BranchNode).rows!.includes(owner as ItemNode));
  });
  it('a list is read again once, however many of its rows were written', async () => {
    const { model, at, count } = harness(
      {
        'message.list': () => Array.from({ length: 20 }, (_, i) => ({ id: `${i}`, subject: `${i}` })),
        'mailbox.list': () => many(20),
      },
      100,
    );
    await settle(model, 'message.mark', written(await model.children(await at('Messages'))));
    assert.equal(count('message.list'), 2);
    await settle(model, 'mailbox.delete', written(await model.children(await at('Mailboxes'))));
    assert.equal(count('mailbox.list'), 2);
  });
  it('what was deleted for good goes from every list that shows it, without a request', async () => {
    const { model, at, calls } = harness({
      'domain.list': () => [
        { id: 'd1', name: 'one.example' },
        { id: 'd2', name: 'two.example' },
      ],
      'message.list': () => [
        { id: '1', subject: 'one' },
        { id: '2', subject: 'two' },
      ],
    });
    const [first] = await model.children(await at('Messages'));
    const before = calls.length;
    await settle(model, 'message.delete', written([first!]));
    assert.deepEqual(
      (await model.children(await at('Messages'))).map(({ label }) => label),
      ['two'],
    );
    assert.equal(calls.length, before);
  });
});

describe('an operation on several rows', () => {
  interface Said {
    text: string;
    detail?: string;
    buttons: string[];
  }
  async function operator(
    lists: Lists,
    answers: { box?: string; dialog?: string; pick?: string; toast?: string } = {},
  ) {
    const made = harness(lists, 100);
    const said: Said[] = [];
    const prompts: string[] = [];
    const written: [string, number][] = [];
    const shown: unknown[] = [];
    const signals: (AbortSignal | undefined)[] = [];
    const message = async (words: string, ...rest: (string | { modal?: boolean; detail?: string })[]) => {
      const options = typeof rest[0] === 'object' ? (rest.shift() as { modal?: boolean; detail?: string }) : undefined;
      said.push({ text: words, buttons: rest as string[], ...(options?.detail ? { detail: options.detail } : {}) });
      return options?.modal ? answers.dialog : rest.includes(answers.toast ?? '') ? answers.toast : undefined;
    };
    vscode.workspace.getConfiguration = () => ({ get: (_: string, other: unknown) => other });
    Object.assign(vscode.window, {
      showWarningMessage: message,
      showInformationMessage: message,
      showErrorMessage: message,
      setStatusBarMessage() {},
      showInputBox: async ({ prompt }: { prompt: string }) => {
        prompts.push(prompt);
        return answers.box;
      },
      withProgress: (_: unknown, work: (progress: object, token: object) => unknown) =>
        work({ report() {} }, { onCancellationRequested: () => ({ dispose() {} }) }),
      createQuickPick() {
        let accept = () => {};
        let hidden = () => {};
        const box = {
          selectedItems: [] as object[],
          set items(list: { id: string }[]) {
            const one = list.find(({ id }) => id === answers.pick);
            if (one) {
              box.selectedItems = [one];
              accept();
            }
          },
          get items() {
            return [];
          },
          onDidChangeValue() {},
          onDidAccept(run: () => void) {
            accept = run;
          },
          onDidHide(run: () => void) {
            hidden = run;
          },
          show() {},
          dispose() {},
          hide() {
            hidden();
          },
        };
        return box;
      },
    });
    const made_ = createOperator({
      extension: {} as never,
      accounts: {
        open: async (_: string, signal?: AbortSignal) => {
          signals.push(signal);
          return made.client;
        },
      } as never,
      problems: { tell: async () => {} } as never,
      showJson: async (_, value) => {
        shown.push(value);
      },
      done: (name, all) => written.push([name, all.length]),
    });
    return {
      ...made,
      said,
      prompts,
      written,
      shown,
      signals,
      run: (rows: readonly Node[], name: string, extra?: Values) => made_.runMany(rows.map(targetOf), name, extra),
    };
  }
  const writes = (calls: [string, Values][]) => calls.filter(([name]) => !name.endsWith('.list'));

  it('leaves out what it is not for, and says so: a mailbox is not its domain', async () => {
    const { at, run, calls, said, shown } = await operator(
      {
        'domain.list': () => [
          { id: 'd1', name: 'one.example' },
          { id: 'd2', name: 'two.example' },
        ],
        'mailbox.list': () => many(1),
      },
      { box: '1', toast: 'Show' },
    );
    const domain = await at('Domains', 'one.example');
    const mailbox = await at('Domains', 'two.example', 'Mailboxes', 'm0@x.example');
    await run([domain, mailbox], 'domain.delete');
    assert.deepEqual(writes(calls), [], 'the name was not typed');
    const again = await operator(
      {
        'domain.list': () => [
          { id: 'd1', name: 'one.example' },
          { id: 'd2', name: 'two.example' },
        ],
        'mailbox.list': () => many(1),
      },
      { box: 'one.example', toast: 'Show' },
    );
    await again.run(
      [await again.at('Domains', 'one.example'), await again.at('Domains', 'two.example', 'Mailboxes', 'm0@x.example')],
      'domain.delete',
    );
    assert.deepEqual(writes(again.calls), [['domain.delete', { domain: 'd1' }]]);
    assert.equal(again.said[0]!.text, 'Delete a domain: 1 done, 1 skipped.');
    assert.deepEqual(again.shown, [['m0@x.example: skipped, because this only works for domains.']]);
    assert.deepEqual([said, shown], [[], []]);
  });
  it('on a row that does not offer it does nothing and says so', async () => {
    const { at, run, calls, said } = await operator({ 'mailbox.list': () => many(1) });
    await run([await at('Mailboxes', 'm0@x.example')], 'domain.delete');
    assert.deepEqual([writes(calls), said[0]!.text], [[], 'Made does not offer this for “m0@x.example”.']);
  });
  it('several mailboxes are deleted after their number was typed; the question says what is lost, the summary offers to restore all', async () => {
    const { model, at, run, calls, prompts, said, written } = await operator(
      { 'mailbox.list': () => many(3) },
      { box: '3', toast: 'Restore' },
    );
    await run(await model.children(await at('Mailboxes')), 'mailbox.delete');
    await new Promise(resolve => setImmediate(resolve));
    assert.match(
      prompts[0]!,
      /^Type 3 to confirm\. Mail and settings that Made keeps .* lost with it\. They can be restored .*\nm0@x\.example, m1@x\.example, m2@x\.example$/,
    );
    assert.deepEqual(
      writes(calls).map(([name]) => name),
      [...Array<string>(3).fill('mailbox.delete'), ...Array<string>(3).fill('mailbox.restore')],
    );
    assert.equal(said[0]!.text, 'Delete a mailbox: 3 done.');
    assert.deepEqual(
      written,
      [
        ['mailbox.delete', 3],
        ['mailbox.restore', 3],
      ],
      'what is shown is told once for all',
    );
    const wrong = await operator({ 'mailbox.list': () => many(3) }, { box: '2' });
    await wrong.run(await wrong.model.children(await wrong.at('Mailboxes')), 'mailbox.delete');
    assert.deepEqual(writes(wrong.calls), []);
  });
  it('other objects are asked for with a button that counts them', async () => {
    const { model, at, run, said, calls } = await operator(
      { 'message.list': () => ['1', '2'].map(id => ({ id, subject: id })) },
      { dialog: 'Delete 2 messages' },
    );
    await run(await model.children(await at('Messages')), 'message.delete');
    assert.deepEqual(
      [said[0]!.text, said[0]!.buttons, writes(calls).length],
      ['Delete 2 messages?', ['Delete 2 messages'], 2],
    );
    assert.match(said[0]!.detail!, /cannot be undone/);
  });
  it('asks once for what all of them need', async () => {
    const { model, at, run, calls, said, count, signals } = await operator(
      {
        'message.list': () => ['1', '2', '3'].map(id => ({ id, subject: id })),
        'folder.list': () => [{ id: 'f1', name: 'Archive' }],
      },
      { pick: 'f1' },
    );
    await run(await model.children(await at('Messages')), 'message.move');
    assert.deepEqual(
      writes(calls),
      ['1', '2', '3'].map(message => ['message.move', { message, target: 'f1' }]),
    );
    assert.deepEqual([said[0]!.text, count('folder.list')], ['Move a message: 3 done.', 1]);
    assert.equal(signals[0]?.aborted, true, 'a list that is read for a box ends with the box');
  });
});
