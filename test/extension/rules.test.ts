import assert from 'node:assert/strict';
import type * as ListsEditor from '../../extension/spamLists/editor.js';
import type * as Order from '../../extension/operations/order.js';
import type * as Files from '../../extension/scripts/files.js';
import { actionsOn, branchesAt, inputFrom, NOTHING_BOUND, singlesAt, sourceOf } from '../../extension/fields/tables.js';
import { editingOf, valuesOf, wholeOf } from '../../extension/fields/values.js';
import { connect, providerById } from '../../shared/index.js';
import { closeSieve } from '../../shared/providers/imap/sieve/session.js';
import { accountOf } from '../providers/imapAccount.js';
import { startMail, type Mail } from '../sandbox/mail.js';
import { pretended, withVscode } from './host.js';

type Any = any;
const provider = providerById('imap');

describe('rules on a server, in the extension', () => {
  let mail: Mail;
  let user = 0;
  before(async () => {
    mail = await startMail({ users: 20 });
  });
  afterEach(() => {
    mail.sieve.options.answer = mail.sieve.options.check = undefined;
  });
  after(async () => {
    closeSieve();
    await mail.close();
  });

  /** An account on the embedded servers, as the store of accounts gives it. */
  function account() {
    const values = accountOf(mail, user);
    const client: Any = connect(provider, values);
    const name = `u${user++}@test.local`;
    const info = { id: 'mine', name: 'Mine', provider, values };
    return {
      client,
      name,
      scripts: mail.sieve.of(name),
      info,
      accounts: { list: () => [info], find: () => info, open: async () => client, ready: async () => true },
    };
  }

  it('lists of rules and scripts, the spam lists, and a form for the answer and for forwarding stand at the account', () => {
    const { info } = account();
    const places = branchesAt(provider, info.values, undefined, NOTHING_BOUND);
    assert.deepEqual(
      places
        .filter(({ operation }) => /^(rule|script|spamList)\./.test(operation))
        .map(({ operation, choice }) => [operation, choice]),
      [
        ['spamList.list', 'list'],
        ['rule.list', undefined],
        ['script.list', undefined],
      ],
    );
    // A thread is read from a message and is no place of the account.
    assert.deepEqual(
      singlesAt(provider, undefined, NOTHING_BOUND).map(({ operation }) => operation),
      ['quota.get', 'autoReply.get', 'forwarding.get'],
    );
    assert.deepEqual(actionsOn(provider, 'autoReply', NOTHING_BOUND), ['autoReply.clear']);
    assert.deepEqual(sourceOf(provider, 'script'), { field: 'text', language: 'sieve' });
    assert.equal(sourceOf(provider, 'rule'), undefined);
    assert.deepEqual(inputFrom(provider, 'rule.move', { refs: { rule: 'a' }, choices: {} }), { rule: 'a' });
  });

  it('an answer is set as a whole: what was emptied is taken away, what was not touched stays, and nothing is sent without a change', async () => {
    const { client, scripts } = account();
    const editing = editingOf(provider, 'autoReply', NOTHING_BOUND)!;
    const { fields } = editing;
    assert.deepEqual([editing.operation, editing.whole], ['autoReply.set', true]);
    const none = valuesOf(fields, await client.call('autoReply.get', {}));
    assert.throws(() => wholeOf(fields, none, { ...none, subject: 'Away' }), /Text/);
    await client.call(
      'autoReply.set',
      wholeOf(fields, none, { ...none, text: 'I am away.', subject: 'Away', days: 3 }),
    );
    const set = valuesOf(fields, await client.call('autoReply.get', {}));
    assert.deepEqual([set.text, set.subject, set.days], ['I am away.', 'Away', 3]);
    assert.deepEqual(wholeOf(fields, set, { ...set }), {});
    await client.call('autoReply.set', wholeOf(fields, set, { ...set, subject: null, text: 'Back on Monday.' }));
    const now = valuesOf(fields, await client.call('autoReply.get', {}));
    assert.deepEqual([now.text, now.subject, now.days], ['Back on Monday.', null, 3]);
    assert.ok(scripts.texts.get('mailroom')!.includes('vacation :days 3'));
  });

  it('the page of spam lists: three lists side by side, filled, added to and taken from', async () => {
    const { client, accounts, info, scripts } = account();
    await client.call('spamList.add', { list: 'blockedSenders', value: 'bad@one.example' });
    const { vscode, panels, ask, extension } = pretended();
    const { createListsEditor } = await withVscode<typeof ListsEditor>('spamLists/editor.ts', vscode);
    const open = createListsEditor({
      extension,
      accounts,
      operator: { confirm: async () => true, summary() {} },
      changed() {},
    } as never);
    open({ account: info, resource: '', binding: NOTHING_BOUND, label: 'Mine' } as never, 'spamList');
    const [panel] = panels;
    await panel!.hear({ type: 'ready' });
    const columns = () =>
      Object.fromEntries(
        (panel!.posted.filter(one => one.type === 'column') as Any[]).map(({ column }) => [
          column.id,
          column.problem ?? column.entries,
        ]),
      );
    for (
      const end = Date.now() + 20_000;
      (Object.values(columns()) as unknown[][]).some(one => one.length) === false ||
      panel!.posted.filter((one: Any) => one.type === 'column' && !one.column.loading).length < 3;
    ) {
      assert.ok(Date.now() < end, JSON.stringify(panel!.posted));
      await new Promise(resolve => setTimeout(resolve, 20));
    }
    assert.deepEqual(columns(), { blockedSenders: ['bad@one.example'], blockedIps: [], allowedSenders: [] });
    const added = await ask(panel!, { do: 'add', column: 'blockedIps', values: ['192.0.2.7', 'nonsense'] });
    assert.deepEqual(
      (added!.value as Any[]).map(({ value, message }) => [value, /not an IP address/.test(message ?? '')]),
      [
        ['192.0.2.7', false],
        ['nonsense', true],
      ],
    );
    await ask(panel!, { do: 'remove', column: 'blockedSenders', values: ['bad@one.example'] });
    assert.deepEqual(columns(), { blockedSenders: [], blockedIps: ['192.0.2.7'], allowedSenders: [] });
    const text = scripts.texts.get('mailroom')!;
    assert.ok(text.includes('[192.0.2.7]') && !text.includes('bad@one.example'));
  });

  describe('the order of rules', () => {
    async function ordered() {
      const { client, info } = account();
      const ids: string[] = [];
      for (const name of ['a', 'b', 'c'])
        ids.push((await client.call('rule.create', { name, from: [name], discard: true })).id);
      const { createDrag, isOrdered, moveBy } = await withVscode<typeof Order>('operations/order.ts', {
        ...pretended().vscode,
        DataTransferItem: class {
          constructor(readonly value: unknown) {}
        },
      });
      const rules = async () => {
        const out: Any[] = [];
        for await (const one of client.call('rule.list', {})) out.push(one);
        return out;
      };
      const branch: Any = { kind: 'branch', account: info, branch: { resource: 'rule' } };
      branch.rows = (await rules()).map(item => ({
        kind: 'item',
        account: info,
        resource: 'rule',
        item,
        label: item.name,
        parent: branch,
        binding: { refs: { rule: item.id }, choices: {} },
      }));
      const operator: Any = {
        run: async (target: Any, name: string, input: object) => {
          await client.call(name, { rule: target.binding.refs.rule, ...input });
          return true;
        },
      };
      return {
        createDrag,
        isOrdered,
        moveBy,
        branch,
        operator,
        names: async () => (await rules()).map(({ name }) => name).join(''),
      };
    }
    it('a rule moves up and down, and stays where it is at the ends', async () => {
      const { moveBy, isOrdered, branch, operator, names } = await ordered();
      const [a, , c] = branch.rows;
      assert.ok(isOrdered(a) && !isOrdered(branch));
      await moveBy(operator, c, -1);
      assert.equal(await names(), 'acb');
      await moveBy(operator, a, -1);
      assert.equal(await names(), 'acb');
      await moveBy(operator, a, 1);
      assert.equal(await names(), 'cab');
    });
    it('a rule is dragged onto another one, which it takes the place of; elsewhere nothing happens', async () => {
      const { createDrag, branch, operator, names } = await ordered();
      const [a, b, c] = branch.rows;
      const drag = createDrag(() => operator);
      const drop = async (node: Any, onto: Any) => {
        const carried = new Map<string, Any>();
        drag.handleDrag!([node], carried as Any, undefined as Any);
        await drag.handleDrop!(onto, carried as Any, undefined as Any);
      };
      await drop(a, c);
      assert.equal(await names(), 'bca');
      [b, c, a].forEach((one, at) => {
        one.item.position = at + 1;
      });
      await drop(c, b);
      assert.equal(await names(), 'cba');
      [c, b, a].forEach((one, at) => {
        one.item.position = at + 1;
      });
      await drop(c, branch);
      assert.equal(await names(), 'bac');
      for (const onto of [undefined, { ...a, parent: {} }, c]) await drop(c, onto);
      await drop(branch, a);
      assert.equal(await names(), 'bac');
    });
  });

  describe('a script as a document', () => {
    const KEEP = 'require ["fileinto"];\r\nfileinto "Archive";\r\n';
    async function opened(answers: Record<string, unknown> = {}) {
      const { accounts, client, scripts, info } = account();
      scripts.texts.set('main', KEEP);
      const marks = new Map<string, Any[]>();
      const heard: Record<string, Any> = {};
      const changed: string[] = [];
      const ran: unknown[][] = [];
      const textDocuments: Any[] = [];
      const { vscode, said } = pretended(answers);
      const full = {
        ...vscode,
        window: { ...vscode.window, visibleTextEditors: [] },
        EventEmitter: class {
          event = () => ({ dispose() {} });
          fire(events: Any[]) {
            for (const { uri } of events) changed.push(String(uri));
          }
          dispose() {}
        },
        Range: class {
          readonly at: unknown[];
          constructor(...at: unknown[]) {
            this.at = at;
          }
        },
        FileType: { File: 1 },
        FileChangeType: { Changed: 1 },
        DiagnosticSeverity: { Error: 0, Warning: 1 },
        Diagnostic: class {
          constructor(
            readonly range: { at: unknown[] },
            readonly message: string,
            readonly severity: number,
          ) {}
        },
        Disposable: class {},
        FileSystemError: { NoPermissions: (text: string) => new Error(text) },
        commands: {
          executeCommand: async (...args: unknown[]) => {
            ran.push(args);
          },
        },
        TextDocumentSaveReason: { Manual: 1, AfterDelay: 2 },
        workspace: {
          textDocuments,
          ...Object.fromEntries(
            ['onDidCloseTextDocument', 'onWillSaveTextDocument', 'onDidChangeTextDocument'].map(name => [
              name,
              (hear: Any) => {
                heard[name] = hear;
                return { dispose() {} };
              },
            ]),
          ),
          applyEdit: async () => {
            textDocuments[0].version++;
            return true;
          },
        },
        WorkspaceEdit: class {
          replace() {}
        },
        languages: {
          createDiagnosticCollection: () => ({
            has: (at: unknown) => marks.has(String(at)),
            set: (at: unknown, all: Any[]) => marks.set(String(at), all),
            delete: (at: unknown) => marks.delete(String(at)),
            dispose() {},
          }),
        },
      };
      const saved: unknown[] = [];
      const refusals: Error[] = [];
      const { createScripts } = await withVscode<typeof Files>('scripts/files.ts', full);
      const uri: Any = {
        scheme: 'mailroom-script',
        path: '/Mine/Script/main.sieve',
        query: 'q',
        toString: () => 'main.sieve',
      };
      const files = createScripts({
        accounts: accounts as never,
        placeOf: () => ({ account: info.id, resource: 'script', refs: { script: 'main' } }),
        saved: place => saved.push(place),
        refused: (_, __, error) => refusals.push(error as Error),
      });
      return {
        files,
        uri,
        heard,
        refusals,
        scripts,
        client,
        marks,
        changed,
        ran,
        saved,
        textDocuments,
        said,
        told: () =>
          (marks.get('main.sieve') ?? []).map(({ range, message, severity }) => [range.at, message, severity]),
        text: async () => Buffer.from(await files.provider.readFile(uri)).toString(),
        write: async (text: string) =>
          files.provider.writeFile(uri, Buffer.from(text), { create: false, overwrite: true }),
      };
    }

    it('is read, checked and stored; what the server does not take is marked at its line, and the script stays as it was', async () => {
      const { write, text, scripts, told, saved, uri, files } = await opened();
      assert.equal(await text(), KEEP);
      const { mtime } = await files.provider.stat(uri);
      await assert.rejects(
        write('require ["fileinto"];\r\n\r\n  fileintro "x";\r\n'),
        (error: Error) => /line 3: error: unknown command 'fileintro'/.test(error.message) && error.name === '',
      );
      assert.deepEqual(told(), [
        [[2, 2, 2, 16], "unknown command 'fileintro' (only reported once at first occurrence).", 0],
      ]);
      assert.deepEqual([scripts.texts.get('main'), saved.length], [KEEP, 0]);
      await write(`${KEEP}stop;\r\n`);
      assert.deepEqual([told(), scripts.texts.get('main'), saved.length], [[], `${KEEP}stop;\r\n`, 1]);
      assert.ok((await files.provider.stat(uri)).mtime > mtime);
      assert.equal(await files.serverText(uri), `${KEEP}stop;\r\n`);
    });

    it('a save by hand that is refused is told in our words, and the text stays unsaved; what was marked is checked again as it is corrected', async () => {
      const { write, text, uri, files, scripts, textDocuments, heard, refusals, told, marks, changed } = await opened();
      await text();
      let now = 'discad;';
      const document = (textDocuments[0] = {
        uri,
        isDirty: false,
        version: 1,
        getText: () => now,
        positionAt: (at: number) => at,
      });
      heard.onWillSaveTextDocument({ document, reason: 1 });
      await write(now);
      assert.match(refusals[0]!.message, /does not accept the script. line 1: error: unknown command 'discad'/);
      assert.deepEqual([refusals.length, told().length, scripts.texts.get('main')], [1, 1, KEEP]);
      scripts.texts.set('main', 'stop;');
      await files.renew('mine');
      assert.deepEqual(changed, []);
      now = 'discard;';
      heard.onDidChangeTextDocument({ document, contentChanges: [1] });
      for (const end = Date.now() + 20_000; marks.has('main.sieve');) {
        assert.ok(Date.now() < end);
        await new Promise(resolve => setTimeout(resolve, 50));
      }
      assert.equal(scripts.texts.get('main'), 'stop;');
    });

    it('warnings are marked as warnings, words without a line at the first one', async () => {
      const { write, told } = await opened();
      mail.sieve.options.answer = line =>
        line.startsWith('CHECKSCRIPT') ? ['OK (WARNINGS) {34}', 'line 2: redirect limit is 4, sorry'] : undefined;
      await write(`${KEEP}stop;`);
      assert.deepEqual(told(), [[[1, 0, 1, 19], 'redirect limit is 4, sorry', 1]]);
      mail.sieve.options.answer = undefined;
      mail.sieve.options.check = () => 'No scripts on Sundays.';
      await assert.rejects(write(KEEP), /No scripts on Sundays/);
      assert.deepEqual(
        told().map(([at, message]) => [(at as number[])[0], /Sundays/.test(String(message))]),
        [[0, true]],
      );
    });

    it('what somebody else stored meanwhile is not overwritten unless the user says so, and can be compared', async () => {
      for (const [picked, stored] of [
        [undefined, 'discard;'],
        ['Compare', 'discard;'],
        ['Overwrite', 'stop;'],
      ] as const) {
        const { write, text, scripts, said, ran } = await opened({
          'Overwrite what someone else changed in main.sieve?': picked,
        });
        await text();
        scripts.texts.set('main', 'discard;');
        await write('stop;').then(
          () => assert.equal(picked, 'Overwrite'),
          error => assert.equal(error.name, ''),
        );
        assert.deepEqual(
          [scripts.texts.get('main'), said.length, ran.map(([name]) => name)],
          [stored, 1, picked === 'Compare' ? ['mailroom.compareScript'] : []],
        );
      }
    });

    it('an open script without changes shows what became of it elsewhere, one with changes keeps them', async () => {
      const { files, uri, text, scripts, changed, textDocuments } = await opened();
      await text();
      for (const [isDirty, seen] of [
        [true, KEEP],
        [false, 'stop;'],
      ] as const) {
        textDocuments[0] = { uri, isDirty, version: 1 };
        scripts.texts.set('main', 'stop;');
        await files.renew('mine');
        assert.deepEqual([await text(), changed.length], [seen, isDirty ? 0 : 1]);
      }
    });
  });
});
