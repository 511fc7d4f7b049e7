import assert from 'node:assert/strict';
import { MailError, providers, type Client, type Provider } from '../../shared/index.js';
import {
  contextOf,
  createModel,
  describe as words,
  type BranchNode,
  type ItemNode,
  type Node,
  type NoteNode,
} from '../../extension/tree/model.js';
import {
  actionsOn,
  bind,
  branchesAt,
  inputFrom,
  nodeFor,
  NOTHING_BOUND,
  operationOf,
  singlesAt,
  tableOf,
} from '../../extension/fields/tables.js';
import { ownerOf } from '../../nodes/lib/owner.js';
import { n8nNodes } from '../../extension/tree/n8nNodes.js';
import type { AccountInfo } from '../../extension/accounts/store.js';

/** A provider made up for these tests, so that nothing depends on a real table. */
const text = (label: string, more: object = {}) => ({ type: 'text', label, ...more });
const op = (input: object, effect = 'read') => ({
  summary: 'Does it',
  effect,
  docs: 'https://example.com',
  input,
  run: () => undefined,
});
const mailbox = text('Mailbox', { required: true, ref: 'mailbox' });
const provider = {
  id: 'made',
  name: 'Made',
  docs: '',
  auth: { fields: {} },
  pace: { concurrent: 1, perMinute: 60 },
  feeds: {},
  operations: {
    'account.check': op({}),
    'mailbox.list': op({ search: text('Search') }),
    'mailbox.get': op({ mailbox }),
    'mailbox.update': op({ mailbox, name: text('Name'), owner: text('Owner', { ref: 'user' }) }, 'write'),
    'mailbox.delete': op({ mailbox }, 'destroy'),
    'mailbox.restore': op({ mailbox }, 'write'),
    'user.list': op({}),
    'alias.list': op({ mailbox: { ...mailbox, required: false } }),
    'alias.delete': op({ alias: text('Alias', { required: true, ref: 'alias' }) }, 'destroy'),
    'entry.list': op({
      mailbox,
      list: { type: 'choice', label: 'List', required: true, choices: { blocked: 'Blocked', allowed: 'Allowed' } },
    }),
    'entry.add': op(
      { mailbox, list: text('List', { required: true }), value: text('Value', { required: true }) },
      'write',
    ),
    'entry.remove': op(
      { mailbox, list: text('List', { required: true }), value: text('Value', { required: true }) },
      'write',
    ),
    'settings.get': op({ mailbox }),
    'settings.update': op({ mailbox, level: text('Level') }, 'write'),
  },
} as unknown as Provider;
const account: AccountInfo = { id: 'a', name: 'Mine', provider, values: {} };

interface Fake {
  calls: [string, Record<string, unknown>][];
  stopped: number;
  signals: AbortSignal[];
  lists: Record<string, () => AsyncGenerator<unknown>>;
}
function harness(lists: Fake['lists'], page = 3) {
  const fake: Fake = { calls: [], stopped: 0, signals: [], lists };
  const fired: (Node | undefined)[] = [];
  const client = {
    call(name: string, input: Record<string, unknown>) {
      fake.calls.push([name, input]);
      return lists[name]!();
    },
  } as unknown as Client;
  const accounts = [account];
  const model = createModel({
    accounts: () => accounts,
    open: async (_, signal) => {
      fake.signals.push(signal);
      return client;
    },
    changed: node => fired.push(node),
    page,
  });
  const child = async (node: Node | undefined, label: string) => {
    const found = (await model.children(node)).find(one => one.label === label);
    assert.ok(found, `no row "${label}"`);
    return found;
  };
  return { model, fake, fired, accounts, child };
}
const boxes = (count: number) =>
  async function* () {
    for (let i = 0; i < count; i++) yield { id: `m${i}`, email: `box${i}@example.com`, status: 'active', native: {} };
  };
const notes = (rows: readonly Node[]) =>
  rows.filter((row): row is NoteNode => row.kind === 'note').map(row => row.note);

describe('the tree', () => {
  it('is derived from the table: lists without targets at the account, limited ones below an object, choices as branches, single objects as rows', async () => {
    const { model, child } = harness({ 'mailbox.list': boxes(1) });
    assert.deepEqual(
      (await model.children(await child(undefined, 'Mine'))).map(node => node.label),
      ['Mailboxes', 'Users', 'Aliases'],
    );
    const box = await child(await child(await child(undefined, 'Mine'), 'Mailboxes'), 'box0@example.com');
    assert.deepEqual(
      (await model.children(box)).map(node => [node.kind, node.label]),
      [
        ['branch', 'Aliases'],
        ['choice', 'Entries'],
        ['single', 'Settings'],
      ],
    );
    assert.deepEqual(
      (await model.children(await child(box, 'Entries'))).map(node => node.label),
      ['Blocked', 'Allowed'],
    );
  });
  it('shows of an account whose server has less than its provider can offer what the server has, at every level', async () => {
    const { model, child, accounts } = harness({ 'mailbox.list': boxes(1) });
    accounts[0] = { ...account, has: ['mailbox', 'alias'] };
    assert.deepEqual(
      (await model.children(await child(undefined, 'Mine'))).map(node => node.label),
      ['Mailboxes', 'Aliases'],
    );
    const box = await child(await child(await child(undefined, 'Mine'), 'Mailboxes'), 'box0@example.com');
    assert.deepEqual(
      (await model.children(box)).map(node => node.label),
      ['Aliases'],
    );
  });
  it('asks for no list before it is opened, and for one page only', async () => {
    let read = 0;
    const { model, fake, child } = harness({
      'mailbox.list': async function* () {
        for (;;) {
          read++;
          yield { id: `m${read}`, email: `b${read}@x.example` };
        }
      },
    });
    const branch = await child(await child(undefined, 'Mine'), 'Mailboxes');
    assert.equal(fake.calls.length, 0);
    const rows = await model.children(branch);
    assert.equal(read, 3);
    assert.deepEqual(notes(rows), ['more']);
  });
  it('cancelled, ends the request under way, keeps what was read, and can go on', async () => {
    let round = 0;
    let asked = () => {};
    const under = new Promise<void>(resolve => {
      asked = resolve;
    });
    const { model, fake, child } = harness({
      'mailbox.list': async function* () {
        const own = round++;
        const signal = fake.signals.at(-1)!;
        for (let i = 0; i < 7; i++) {
          if (own === 0 && i === 4)
            await new Promise((_, reject) => {
              asked();
              signal.addEventListener('abort', () => reject(new MailError('unavailable', 'aborted')), { once: true });
            });
          yield { id: `m${i}`, email: `box${i}@example.com` };
        }
      },
    });
    const branch = (await child(await child(undefined, 'Mine'), 'Mailboxes')) as BranchNode;
    const [first] = await model.children(branch);
    model.cancel(branch);
    assert.equal(fake.signals[0]!.aborted, false, 'nothing is waited for');
    const more = model.more(branch, 'quiet');
    await under;
    model.cancel(branch);
    await more;
    assert.deepEqual([notes(await model.children(branch)), branch.rows?.length, words(branch)], [['more'], 4, '4+']);
    await model.more(branch);
    await model.more(branch);
    const rows = await model.children(branch);
    assert.deepEqual([rows.length, notes(rows), rows[0] === first], [7, [], true]);
  });
  it('a renamed account keeps what was read, and all of its rows carry the name; another address is read again', async () => {
    const { model, fake, fired, accounts, child } = harness({ 'mailbox.list': boxes(2) });
    const root = await child(undefined, 'Mine');
    const branch = (await child(root, 'Mailboxes')) as BranchNode;
    const [row] = await model.children(branch);
    accounts[0] = { ...account, name: 'Renamed' };
    await model.renew('a', false);
    assert.deepEqual(
      [fired, root.label, row!.account.name, branch.rows?.length, fake.calls.length],
      [[root], 'Renamed', 'Renamed', 2, 1],
    );
    await model.renew('a', true);
    assert.equal(branch.rows, undefined);
    await model.renew('nobody', true);
    assert.deepEqual(fired, [root, root, undefined]);
  });
  it('loads more without asking for the first page again, and fires only the branch', async () => {
    const { model, fake, fired, child } = harness({ 'mailbox.list': boxes(7) });
    const branch = (await child(await child(undefined, 'Mine'), 'Mailboxes')) as BranchNode;
    const first = await model.children(branch);
    await model.more(branch);
    const then = await model.children(branch);
    assert.equal(then.filter(row => row.kind === 'item').length, 6);
    assert.equal(fake.calls.length, 1);
    assert.deepEqual(fired, [branch]);
    assert.equal(then[0], first[0], 'rows keep their identity');
    await model.more(branch);
    assert.deepEqual(notes(await model.children(branch)), []);
  });
  it('refreshes as many pages as were loaded, and keeps the objects of rows that stay', async () => {
    let names = ['a', 'b', 'c', 'd', 'e', 'f', 'g'];
    const { model, child } = harness({
      'mailbox.list': async function* () {
        for (const name of names) yield { id: name, email: `${name}@x.example` };
      },
    });
    const branch = (await child(await child(undefined, 'Mine'), 'Mailboxes')) as BranchNode;
    const before = await model.children(branch);
    await model.more(branch);
    names = ['a', 'b', 'c2', 'd', 'e', 'f', 'g'];
    await model.refresh(branch);
    const after = await model.children(branch);
    assert.equal(after.filter(row => row.kind === 'item').length, 6, 'the list did not shrink');
    assert.equal(after[0], before[0]);
    assert.equal(model.find(`${branch.id}/c`), undefined, 'what is gone is forgotten');
  });
  it('shows a failure as rows and does not try again by itself', async () => {
    let tries = 0;
    const { model, child } = harness({
      'mailbox.list': async function* () {
        tries++;
        throw new MailError('unavailable', 'The server is down.');
      },
    });
    const branch = (await child(await child(undefined, 'Mine'), 'Mailboxes')) as BranchNode;
    assert.deepEqual(notes(await model.children(branch)), ['problem', 'retry', 'edit', 'log']);
    await model.children(branch);
    await model.children(branch);
    assert.equal(tries, 1);
    await model.refresh(branch);
    assert.equal(tries, 2);
  });
  it('keeps what was read when a later page fails', async () => {
    const { model, child } = harness({
      'mailbox.list': async function* () {
        yield* boxes(4)();
        throw new MailError('rate_limited', 'Too fast.');
      },
    });
    const branch = (await child(await child(undefined, 'Mine'), 'Mailboxes')) as BranchNode;
    await model.children(branch);
    await model.more(branch);
    const rows = await model.children(branch);
    assert.equal(rows.filter(row => row.kind === 'item').length, 4);
    assert.deepEqual(notes(rows), ['problem', 'retry', 'edit', 'log']);
  });
  it('says that a list is empty', async () => {
    const { model, child } = harness({ 'mailbox.list': boxes(0) });
    assert.deepEqual(notes(await model.children(await child(await child(undefined, 'Mine'), 'Mailboxes'))), ['empty']);
  });
  it('has ids that differ everywhere and do not depend on labels', async () => {
    const { model, child } = harness({
      'mailbox.list': boxes(3),
      'alias.list': async function* () {
        yield { id: 'x', email: 'same@x.example' };
        yield { id: 'y', email: 'same@x.example' };
      },
    });
    const root = await child(undefined, 'Mine');
    const seen: string[] = [root.id];
    const walk = async (node: Node, depth: number): Promise<void> => {
      for (const one of await model.children(node)) {
        seen.push(one.id);
        if (depth < 4 && model.expandable(one) && one.label !== 'Users' && one.kind !== 'choice')
          await walk(one, depth + 1);
      }
    };
    await walk(root, 0);
    assert.equal(new Set(seen).size, seen.length);
  });
  it('a row that a vendor gives twice is shown once', async () => {
    const { model, child } = harness({
      'mailbox.list': async function* () {
        yield { id: '1', email: 'a@x.example' };
        yield { id: '1', email: 'a@x.example' };
      },
    });
    assert.equal((await model.children(await child(await child(undefined, 'Mine'), 'Mailboxes'))).length, 1);
  });
  it('searches at the server where the list can, else among what it reads', async () => {
    const { model, fake, child } = harness({
      'mailbox.list': boxes(2),
      'user.list': async function* () {
        for (const name of ['Ann', 'Ben', 'Anna']) yield { id: name, name };
      },
    });
    const root = await child(undefined, 'Mine');
    const branch = (await child(root, 'Mailboxes')) as BranchNode;
    const users = (await child(root, 'Users')) as BranchNode;
    await model.filter(branch, { text: 'box1' });
    assert.deepEqual(fake.calls.at(-1), ['mailbox.list', { search: 'box1' }]);
    await model.filter(users, { text: 'ann' });
    assert.deepEqual(
      (await model.children(users)).map(row => row.label),
      ['Ann', 'Anna'],
    );
    assert.match(words(users), /“ann”/);
  });
  it('a refresh makes an older reading void', async () => {
    let release: () => void = () => {};
    let round = 0;
    const { model, child } = harness({
      'mailbox.list': async function* () {
        if (++round === 1) {
          await new Promise<void>(resolve => {
            release = resolve;
          });
          yield { id: 'old', email: 'old@x.example' };
        } else yield { id: 'new', email: 'new@x.example' };
      },
    });
    const branch = (await child(await child(undefined, 'Mine'), 'Mailboxes')) as BranchNode;
    const slow = model.children(branch);
    await new Promise(resolve => setImmediate(resolve));
    const fresh = model.refresh(branch);
    release();
    await Promise.all([slow, fresh]);
    assert.deepEqual(
      (await model.children(branch)).map(row => row.label),
      ['new@x.example'],
    );
  });
  it('an account that is removed takes its rows along', async () => {
    const { model, accounts, child } = harness({ 'mailbox.list': boxes(3) });
    await model.children(await child(await child(undefined, 'Mine'), 'Mailboxes'));
    accounts.pop();
    await model.children(undefined);
    assert.equal(model.size, 0);
  });
  it('50,000 mailboxes: rows stay cheap and the order right', async () => {
    const { model, child } = harness({ 'mailbox.list': boxes(50_000) }, 100);
    const branch = (await child(await child(undefined, 'Mine'), 'Mailboxes')) as BranchNode;
    await model.children(branch);
    const before = process.memoryUsage().heapUsed;
    while (branch.rest) {
      branch.pages = 500;
      await model.more(branch, 'quiet');
    }
    const started = performance.now();
    const rows = await model.children(branch);
    assert.equal(rows.length, 50_000);
    assert.ok(performance.now() - started < 1500, 'sorted in time');
    assert.ok(process.memoryUsage().heapUsed - before < 120_000_000, 'under 2.4 KB a row');
  }).timeout(30_000);

  it('menus are chosen by words, one for each thing that can be done', async () => {
    const { child } = harness({ 'mailbox.list': boxes(1) });
    const box = (await child(await child(await child(undefined, 'Mine'), 'Mailboxes'), 'box0@example.com')) as ItemNode;
    const context = contextOf(box).split(';');
    for (const word of ['item', 'mailbox', 'can.delete', 'can.update', 'can.editEntries', 'has.actions'])
      assert.ok(context.includes(word), word);
    assert.ok(!context.includes('can.restore'), 'an active mailbox needs no restoring');
    assert.ok(
      contextOf({ ...box, item: { ...box.item, status: 'deleting' } })
        .split(';')
        .includes('can.restore'),
    );
  });
});

describe('what the tables say', () => {
  it('a place is filled in, a change never is', () => {
    const binding = bind(provider, { refs: { user: 'u1' }, choices: {} }, 'mailbox', { id: 'm1' });
    assert.deepEqual(inputFrom(provider, 'mailbox.update', binding), { mailbox: 'm1' });
    assert.deepEqual(
      inputFrom(
        provider,
        'entry.remove',
        bind(provider, { ...binding, choices: { list: 'blocked' } }, 'entry', {
          list: 'blocked',
          value: 'spam@x.example',
        }),
      ),
      { mailbox: 'm1', list: 'blocked', value: 'spam@x.example' },
    );
  });
  for (const one of providers) {
    it(`${one.name}: every action of a row can be run from it, or asks only for what a person knows`, () => {
      const look = (resource: string | undefined, binding = NOTHING_BOUND, depth = 0): void => {
        for (const branch of branchesAt(one, { tenant: 'x' }, resource, binding)) {
          const below = { ...binding, refs: { ...binding.refs, [branch.resource]: 'id' }, item: { id: 'id' } };
          for (const name of actionsOn(one, branch.resource, below)) {
            const input = inputFrom(one, name, below);
            for (const [key, field] of Object.entries(operationOf(one, name)!.input)) {
              if (field.required && input[key] === undefined && field.ref !== undefined)
                assert.ok(operationOf(one, `${field.ref}.list`), `${name} wants ${key}, which nothing lists`);
            }
          }
          if (depth < 3) look(branch.resource, below, depth + 1);
        }
        for (const single of singlesAt(one, resource, binding))
          assert.deepEqual(
            Object.keys(inputFrom(one, single.operation, binding)).filter(
              key => tableOf(one)[single.operation]!.input[key] === undefined,
            ),
            [],
          );
      };
      look(undefined);
    });
    it(`${one.name}: rows are copied as the node that offers them in n8n`, () => {
      for (const name of Object.keys(one.operations))
        if (name !== 'account.check') assert.equal(nodeFor(name), ownerOf(name), name);
    });
  }
  it('an object that stands in for another brings the values that go with it', () => {
    const other = { ...mailbox, also: { otherBox: { service: 'second' } } };
    const service = {
      type: 'choice',
      label: 'Service',
      choices: { first: 'First', second: 'Second' },
      default: 'first',
    };
    const wide = {
      ...provider,
      operations: {
        ...provider.operations,
        'otherBox.list': op({}),
        'entry.list': op({ mailbox: other, service }),
        'entry.add': op({ mailbox: other, service, value: text('Value', { required: true }) }, 'write'),
      },
    } as unknown as Provider;
    const below = bind(wide, NOTHING_BOUND, 'otherBox', { id: 'o1' });
    assert.deepEqual(
      branchesAt(wide, {}, 'otherBox', below).map(branch => branch.resource),
      ['entry'],
    );
    assert.deepEqual(inputFrom(wide, 'entry.list', below), { mailbox: 'o1', service: 'second' });
    assert.deepEqual(inputFrom(wide, 'entry.list', bind(wide, NOTHING_BOUND, 'mailbox', { id: 'm1' })), {
      mailbox: 'm1',
    });
    assert.ok(actionsOn(wide, 'otherBox', below).includes('entry.add'));
  });
  it('every kind of mailbox that a provider keeps spam lists for has them in the tree', () => {
    for (const one of providers) {
      for (const name of Object.keys(one.operations)) {
        const [resource, verb] = name.split('.') as [string, string];
        if (
          verb !== 'list' ||
          !/^mailbox$|Mailbox$/.test(resource) ||
          !Object.keys(one.operations).some(other => /spam.*List\.list$/i.test(other) && !other.startsWith('domain'))
        )
          continue;
        const below = bind(one, NOTHING_BOUND, resource, { id: 'a@x.example' });
        assert.ok(
          branchesAt(one, {}, resource, below).some(
            branch => /spam/i.test(branch.resource) && branch.choice !== undefined,
          ),
          `${one.id} ${resource}`,
        );
      }
    }
  });
  it('a copied row is a node that n8n takes', () => {
    const binding = { refs: { mailbox: 'm1' }, choices: {} };
    const row = {
      kind: 'item',
      id: 'x',
      account,
      label: 'box',
      resource: 'mailbox',
      item: { id: 'm1' },
      binding,
      list: 'mailbox.list',
    } as ItemNode;
    assert.deepEqual(n8nNodes([row]), {
      nodes: [
        {
          parameters: {
            provider: 'made',
            resource: 'mailbox',
            operation: 'get',
            mailbox: { __rl: true, mode: 'id', value: 'm1' },
          },
          type: 'n8n-nodes-mailroom.mailbox',
          typeVersion: 1,
          position: [0, 0],
          name: 'Mailbox box',
        },
      ],
      connections: {},
    });
  });
});
