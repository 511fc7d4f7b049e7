import assert from 'node:assert/strict';
import { MailError, providers } from '../../shared/index.js';
import type { createReader } from '../../extension/mail/reader.js';
import type { MailView, ReaderModel } from '../../extension/webview/messages.js';
import { NOTHING_BOUND } from '../../extension/fields/tables.js';
import { pretended, withVscode } from './host.js';

const operations = (id: { has: string }) => providers.find(provider => Object.hasOwn(provider.operations, id.has))!;
/** A provider with conversations whose tasks are linked and unlinked. */
const provider = operations({ has: 'conversation.unlinkTask' });
const letter = (id: string, more: object = {}) => ({
  id,
  subject: `Subject ${id}`,
  from: { name: 'Grace', email: 'grace@x.example' },
  to: [],
  cc: [],
  date: '2026-11-24T21:05:00Z',
  text: `Text of ${id}`,
  ...more,
});

async function reading(
  call: (name: string, input: Record<string, unknown>) => unknown,
  {
    resource = 'conversation',
    answers = {},
    from = provider,
  }: { resource?: string; answers?: Record<string, unknown>; from?: typeof provider } = {},
) {
  const host = pretended(answers);
  const ran: { target: object; name: string; values?: object }[] = [];
  const texts: string[] = [];
  const composed: unknown[] = [];
  const { createReader: make } = await withVscode<{ createReader: typeof createReader }>('mail/reader.ts', host.vscode);
  const account = { id: 'one', name: 'One', provider: from, values: {} };
  const reader = make({
    extension: host.extension as never,
    accounts: {
      open: async () => ({ call: async (name: string, input: Record<string, unknown>) => call(name, input) }),
    } as never,
    operator: {
      run: async (target: object, name: string, values?: object) => {
        ran.push({ target, name, ...(values ? { values } : {}) });
        return true;
      },
    } as never,
    showJson: async () => {},
    showText: async (_, __, text) => {
      texts.push(await text());
    },
    compose: (_, operation, { all = false, as } = {}) => {
      composed.push([operation, as ?? all]);
    },
    beside: (target, way) =>
      way === 'next'
        ? { ...target, binding: { ...NOTHING_BOUND, refs: { [resource]: 'c2' } }, label: 'Other' }
        : undefined,
  });
  const open = () =>
    reader.read({ account, resource, binding: { ...NOTHING_BOUND, refs: { [resource]: 'c1' } }, label: 'Talk' });
  await open();
  const panel = host.panels[0]!;
  const shown = () => panel.posted.findLast(one => one.type === 'reader')!.reader as ReaderModel;
  return { ...host, reader, open, panel, shown, ran, texts, composed };
}

describe('the reader', () => {
  it('says at once that it is loading', async () => {
    let release = (): void => {};
    const waiting = new Promise<void>(resolve => {
      release = resolve;
    });
    const { panel, shown } = await reading(async () => {
      await waiting;
      return { messages: [letter('m1')] };
    });
    const filling = panel.hear({ type: 'ready' });
    await new Promise(resolve => setImmediate(resolve));
    assert.deepEqual([shown().title, shown().busy], ['Talk', true]);
    release();
    await filling;
    assert.deepEqual([shown().busy, shown().messages.length], [undefined, 1]);
  });
  it('can try again after a failure, by its button and by the row', async () => {
    let broken = true;
    let asked = 0;
    const { panel, shown, ask, open } = await reading(() => {
      asked++;
      if (broken) throw new MailError('unavailable', 'Nobody answers.');
      return { messages: [letter('m1')] };
    });
    await panel.hear({ type: 'ready' });
    assert.equal(shown().problem, 'Nobody answers.');
    await ask(panel, { do: 'reload' });
    assert.equal(shown().problem, 'Nobody answers.');
    broken = false;
    await open();
    for (let i = 0; i < 1000 && (shown().busy || shown().problem); i++)
      await new Promise(resolve => setImmediate(resolve));
    assert.equal(shown().messages.length, 1);
    const before = asked;
    await panel.hear({ type: 'ready' });
    assert.equal(asked, before, 'a page that was hidden is filled from what was read');
  });
  it('a message that could not be read can be asked for again', async () => {
    let broken = true;
    const { panel, shown, ask } = await reading(name => {
      if (name === 'message.get' && broken) throw new MailError('unavailable', 'Nobody answers.');
      return name === 'message.get' ? letter('m1') : { messages: [letter('m1', { text: undefined })] };
    });
    await panel.hear({ type: 'ready' });
    const first = shown().messages[0]!;
    assert.deepEqual([first.loaded, first.problem], [false, 'Nobody answers.']);
    broken = false;
    await ask(panel, { do: 'read', message: 'm1' });
    const mail = panel.posted.findLast(one => one.type === 'mail')!.mail as { loaded: boolean; problem?: string };
    assert.deepEqual([mail.loaded, mail.problem], [true, undefined]);
  });
  it('the pictures a message brings are fetched where its HTML shows them, percent-encoded or not, and a text made from it is known as such', async () => {
    const fetched: unknown[] = [];
    const picture = (id: string, contentId?: string) => ({
      id,
      name: `${id}.png`,
      type: 'image/png',
      size: 3,
      ...(contentId ? { contentId } : {}),
    });
    const { panel, shown } = await reading((name, input) => {
      if (name === 'attachment.get') {
        fetched.push(input.attachment);
        return {
          name: 'p.png',
          type: 'image/png',
          open: async function* () {
            yield Buffer.from('png');
          },
        };
      }
      return name === 'message.get'
        ? letter('m1', {
            text: 'made',
            textFromHtml: true,
            html: '<img src="cid:a%40b.c"><img src=cid:d@e.f>',
            attachments: [
              { ...picture('1', 'a@b.c'), note: 'Something is packed into it.' },
              picture('2', '<d@e.f>'),
              picture('3', 'not@shown'),
              picture('4'),
            ],
          })
        : { messages: [letter('m1', { text: undefined })] };
    });
    await panel.hear({ type: 'ready' });
    const [mail] = shown().messages;
    assert.deepEqual([fetched, Object.keys(mail!.inline), mail!.textFromHtml], [['1', '2'], ['a@b.c', 'd@e.f'], true]);
    assert.deepEqual(
      mail!.attachments.map(one => (one as { note?: string }).note),
      ['Something is packed into it.', undefined, undefined, undefined],
    );
  });
  it('heads alone go to the page until a message is opened; dates have their time and zone', async () => {
    const { panel, shown } = await reading(name =>
      name === 'message.get' ? letter('m2') : { messages: [letter('m1'), letter('m2')] },
    );
    await panel.hear({ type: 'ready' });
    const [head, last] = shown().messages;
    assert.deepEqual([head!.text, head!.loaded, last!.text], [undefined, false, 'Text of m2']);
    assert.match(head!.date!, /2026.*\d\d:\d\d.*[A-Z]/);
  });
  it('what is moved or deleted in a conversation leaves it once that is done, and the last closes the tab', async () => {
    const { panel, shown, ask, ran, reader } = await reading(name =>
      name === 'message.get' ? letter('m2') : { messages: [letter('m1'), letter('m2')] },
    );
    await panel.hear({ type: 'ready' });
    await ask(panel, { do: 'mail', message: 'm1', what: 'move' });
    assert.equal(shown().messages.length, 2, 'a form may be open still');
    reader.done(ran[0]!.target as never);
    assert.deepEqual(
      shown().messages.map(({ id }) => id),
      ['m2'],
    );
    await ask(panel, { do: 'mail', message: 'm2', what: 'delete' });
    reader.done(ran[1]!.target as never);
    assert.ok(panel.closed);
  });
  it('read again, it shows what came and went, and keeps what was opened', async () => {
    let messages = [letter('m1'), letter('m2')];
    const { panel, shown, ask } = await reading((name, { message }) =>
      name === 'message.get' ? letter(String(message)) : { messages },
    );
    await panel.hear({ type: 'ready' });
    messages = [letter('m2'), letter('m3')];
    await ask(panel, { do: 'reload' });
    assert.deepEqual(
      shown().messages.map(({ id, loaded }) => [id, loaded]),
      [
        ['m2', true],
        ['m3', true],
      ],
    );
  });
  it('offers to unlink a task where the vendor can', async () => {
    const { panel, shown, ask, ran } = await reading(() => ({ messages: [letter('m1')] }));
    await panel.hear({ type: 'ready' });
    assert.ok(shown().can.unlink);
    await ask(panel, { do: 'mail', message: 'm1', what: 'unlinkTask' });
    assert.equal(ran[0]!.name, 'conversation.unlinkTask');
  });
  it('names are cut to what a title can show, and marks piled on a letter are cut down', async () => {
    const { panel, shown } = await reading(() => ({
      messages: [letter('m1', { subject: `a${'\u0301'.repeat(5000)}${'x'.repeat(5000)}` })],
    }));
    await panel.hear({ type: 'ready' });
    assert.ok(shown().messages[0]!.subject!.length <= 200);
    assert.ok(!/\p{M}{17}/u.test(shown().messages[0]!.subject!));
    assert.ok(panel.title.length <= 41);
  });
  it('a source that is too long for an editor is cut, and says so', async () => {
    for (const [megabytes, cut] of [
      [4, false],
      [6, true],
    ] as const) {
      let given = 0;
      const { panel, ask, texts } = await reading(
        name =>
          name === 'message.source'
            ? {
                name: 'm.eml',
                type: 'message/rfc822',
                open: async function* () {
                  for (let i = 0; i < megabytes * 10; i++) {
                    given++;
                    yield Buffer.from(`${i ? '' : 'x'}${'é'.repeat(50_000)}`);
                  }
                },
              }
            : letter('m1'),
        { resource: 'message', from: operations({ has: 'message.source' }) },
      );
      await panel.hear({ type: 'ready' });
      await ask(panel, { do: 'mail', message: 'c1', what: 'source' });
      await ask(panel, { do: 'mail', message: 'm1', what: 'source' });
      const text = texts[0]!;
      assert.equal(/Only the first 5 MB of the message are shown/.test(text), cut);
      assert.ok(!text.includes('\ufffd') && text.startsWith('xé'), 'no letter is broken by the cut');
      assert.ok(given <= 51, 'what is not shown is not fetched');
    }
  });
  it('is looked into by its headers alone where a provider gives no source', async () => {
    const from = {
      ...operations({ has: 'message.get' }),
      operations: { 'message.get': operations({ has: 'message.get' }).operations['message.get'] },
    } as never;
    const { panel, shown, ask } = await reading(
      () =>
        letter('c1', {
          native: {
            headers: {
              Received: ['by b; Fri, 15 Feb 2002 18:00:09 +0000', 'by a; Fri, 15 Feb 2002 18:00:00 +0000'],
              'X-One': 'two',
            },
          },
        }),
      { resource: 'message', from },
    );
    await panel.hear({ type: 'ready' });
    assert.deepEqual([shown().can.inspect, shown().can.save], [true, false]);
    await ask(panel, { do: 'mail', message: shown().messages[0]!.id, what: 'inspect' });
    const { inspection } = panel.posted.findLast(one => one.type === 'mail')!.mail as MailView;
    assert.deepEqual(
      [inspection!.parts, inspection!.hops.map(({ by, delay }) => [by, delay]), inspection!.headers.at(-1)],
      [
        [],
        [
          ['a', ''],
          ['b', '9 s'],
        ],
        { name: 'X-One', value: 'two' },
      ],
    );
  });
  it('answers to one and to all, passes on, flags, and copies the address of the sender', async () => {
    const { panel, shown, ask, composed, ran, vscode } = await reading(() => letter('c1', { flags: ['\\Flagged'] }), {
      resource: 'message',
      from: operations({ has: 'message.flag' }),
    });
    const copied: string[] = [];
    Object.assign(vscode.env, {
      clipboard: {
        writeText: async (text: string) => {
          copied.push(text);
        },
      },
    });
    Object.assign(vscode.window, { setStatusBarMessage: () => ({ dispose() {} }) });
    await panel.hear({ type: 'ready' });
    const {
      can,
      messages: [mail],
    } = shown();
    assert.deepEqual([can.replyAll, can.forward, can.flag, mail!.flagged], [true, true, true, true]);
    for (const what of ['reply', 'replyAll', 'forward', 'resend', 'unflag', 'copyAddress'])
      await ask(panel, { do: 'mail', message: 'c1', what });
    assert.deepEqual(composed, [
      ['message.reply', false],
      ['message.reply', true],
      ['message.forward', false],
      ['message.send', 'again'],
    ]);
    assert.deepEqual(
      [ran.map(({ name, values }) => [name, values]), copied],
      [[['message.flag', { flags: ['Flagged'], change: 'remove' }]], ['grace@x.example']],
    );
    assert.equal((panel.posted.findLast(one => one.type === 'mail')!.mail as MailView).flagged, false);
  });
  it('goes to the next of the list in place of this one, and says where the list ends', async () => {
    const said: string[] = [];
    const { panel, panels, ask, vscode } = await reading(() => letter('c1'), {
      resource: 'message',
      from: operations({ has: 'message.flag' }),
    });
    Object.assign(vscode.window, {
      setStatusBarMessage: (text: string) => {
        said.push(text);
        return { dispose() {} };
      },
    });
    await panel.hear({ type: 'ready' });
    await ask(panel, { do: 'mail', message: 'c1', what: 'previous' });
    assert.deepEqual([panel.closed, panels.length], [false, 1]);
    assert.match(said[0]!, /first message of the list/);
    await ask(panel, { do: 'mail', message: 'c1', what: 'next' });
    assert.deepEqual([panel.closed, panels.length, panels[1]!.title], [true, 2, 'Other']);
  });
  it('begins with HTML where the setting says so', async () => {
    for (const view of ['text', 'html']) {
      const { panel, shown, vscode } = await reading(() => ({ messages: [letter('m1')] }));
      vscode.workspace.getConfiguration = () => ({ get: () => view });
      await panel.hear({ type: 'ready' });
      assert.equal(shown().preferHtml, view === 'html');
    }
  });
  for (const [address, said] of [
    ['javascript:alert(1)', /does not lead to a web page/],
    ['file:///etc/passwd', /does not lead to a web page/],
    ['command:mailroom.delete', /does not lead to a web page/],
  ] as const) {
    it(`does not follow ${address}`, async () => {
      const {
        panel,
        ask,
        said: told,
        opened,
      } = await reading(() => ({ messages: [] }), { answers: { 'Open this link': 'Open Link' } });
      await ask(panel, { do: 'link', url: address });
      assert.match(told.join(), said);
      assert.deepEqual(opened, []);
    });
  }
  it('opens a link only when that was answered, and shows the host that it goes to, not who it pretends to be', async () => {
    const details: string[] = [];
    for (const answer of [undefined, 'Open Link']) {
      const { panel, ask, vscode, opened } = await reading(() => ({ messages: [] }));
      vscode.window.showWarningMessage = (async (_: string, { detail }: { detail: string }) => {
        details.push(detail);
        return answer;
      }) as never;
      await ask(panel, { do: 'link', url: 'https://bank.example@evil.example/login' });
      assert.equal(opened.length, answer ? 1 : 0);
    }
    assert.ok(details.length === 2 && details.every(one => one.startsWith('https://evil.example/login')));
  });
  it('says where the letters of a host are of another script, and only there', async () => {
    const details: string[] = [];
    for (const url of [
      'https://www.b\u0430nk.example/',
      'https://xn--bnk-5cd.example/',
      'https://shop.xn--80ak6aa92e.example/',
      'https://bank.example/xn--x',
      'https://axn--x.example/',
    ]) {
      const { panel, ask, vscode } = await reading(() => ({ messages: [] }));
      vscode.window.showWarningMessage = (async (_: string, { detail }: { detail: string }) => {
        details.push(detail);
        return undefined;
      }) as never;
      await ask(panel, { do: 'link', url });
    }
    assert.deepEqual(
      details.map(one => /another script/.test(one)),
      [true, true, true, false, false],
    );
  });
  it('tells the links of a message with where they really lead, and its codes; none of them can turn letters around', async () => {
    const { panel, shown } = await reading(
      name =>
        name === 'message.get'
          ? letter('m1', {
              text: 'Your code is 492817.',
              html: '<a href="https://real.example/x\u202egpj.exe">https://bank.example</a><a href="javascript:alert(1)">no</a>',
            })
          : { messages: [letter('m1', { text: undefined })] },
      { from: operations({ has: 'message.get' }) },
    );
    await panel.hear({ type: 'ready' });
    const [mail] = shown().messages;
    assert.deepEqual(
      [mail!.links, mail!.codes],
      [[{ text: 'https://bank.example', url: 'https://real.example/xgpj.exe' }], ['492817']],
    );
  });
});
