import assert from 'node:assert/strict';
import { fileOf, MailError, providers, type Provider } from '../../shared/index.js';
import type { createComposer } from '../../extension/mail/composer.js';
import { NOTHING_BOUND } from '../../extension/fields/tables.js';
import { pretended, withVscode } from './host.js';

/** The provider that says most of what became of a message. */
const provider = providers.find(({ auth }) => auth.oauth2Choice)!;
const DRAFT = /^draft one message\.send /;

async function composing(
  answer: (input: Record<string, unknown>, name: string) => unknown,
  answers: Record<string, unknown> = {},
  operation = 'message.send',
  opening: Parameters<ReturnType<typeof createComposer>>[2] = undefined,
  from = provider,
  values = {},
) {
  const host = pretended(answers);
  const state = new Map<string, unknown>();
  const calls: Record<string, unknown>[] = [];
  const names: string[] = [];
  const seen = { sent: 0, there: true };
  const { createComposer: make } = await withVscode<{ createComposer: typeof createComposer }>(
    'mail/composer.ts',
    host.vscode,
  );
  const account = { id: 'one', name: 'One', provider: from, values };
  make({
    extension: host.extension as never,
    operator: {} as never,
    log: { info() {} } as never,
    sent: () => {
      seen.sent++;
    },
    drafted() {},
    people: { add() {}, find: () => [] },
    accounts: {
      list: () => (seen.there ? [account] : []),
      open: async () => ({
        call: async (name: string, input: Record<string, unknown>) => {
          calls.push(input);
          names.push(name);
          return answer(input, name);
        },
      }),
    } as never,
    state: {
      get: (key: string) => state.get(key),
      update: async (key: string, value: unknown) => {
        if (value === undefined) state.delete(key);
        else state.set(key, value);
      },
    } as never,
  })(
    { account, resource: 'message', binding: { ...NOTHING_BOUND, refs: { message: 'm1' } }, label: '' },
    operation,
    opening,
  );
  const panel = host.panels[0]!;
  await panel.hear({ type: 'ready' });
  return {
    ...host,
    panel,
    calls,
    names,
    state,
    seen,
    draft: () =>
      [...state].find(([key]) => DRAFT.test(key))?.[1] as { values: { text: string; subject: string } } | undefined,
  };
}
const LETTER = { to: ['ann@x.example'], subject: 'Hello', text: 'Are you there?' };
const WROTE = { do: 'draft', values: LETTER };
const SEND = { do: 'submit', values: LETTER };

describe('the composer', () => {
  it('sends once, however often it is told to', async () => {
    let release = (): void => {};
    const waiting = new Promise<void>(resolve => {
      release = resolve;
    });
    const { panel, ask, calls } = await composing(async () => {
      await waiting;
      return { outcome: 'done' };
    });
    const both = [ask(panel, SEND), ask(panel, SEND)];
    await new Promise(resolve => setImmediate(resolve));
    release();
    await Promise.all(both);
    assert.equal(calls.length, 1);
    assert.ok(panel.closed);
  });
  it('says that it was sent, and forgets the draft', async () => {
    const { panel, ask, said, draft, seen } = await composing(() => ({
      outcome: 'done',
      native: { rejected: [], savedToSent: true },
    }));
    await ask(panel, WROTE);
    assert.equal(draft()?.values.text, LETTER.text);
    await ask(panel, SEND);
    assert.deepEqual([said, draft(), panel.closed, seen.sent], [['The message was sent.'], undefined, true, 1]);
  });
  it('names recipients that were refused, and says that no copy was saved', async () => {
    const rejected = [{ address: 'bob@x.example', words: '550 no such user' }];
    const { panel, ask, said } = await composing(() => ({
      outcome: 'done',
      native: { rejected, savedToSent: false, sentError: 'The folder is full.' },
    }));
    await ask(panel, SEND);
    assert.deepEqual(said, [
      'The message was sent. The server refused these recipients: bob@x.example (550 no such user). No copy was saved in Sent: The folder is full.',
    ]);
  });
  it('keeps text, draft and tab of a message that nobody knows whether it left', async () => {
    const { panel, ask, draft, seen } = await composing(() => ({ outcome: 'unknown', native: {} }));
    await ask(panel, WROTE);
    const reply = await ask(panel, SEND);
    assert.match(reply!.message!, /Check Sent before you send it again/);
    assert.deepEqual([draft()?.values.text, panel.closed, seen.sent], [LETTER.text, false, 0]);
    assert.equal((await ask(panel, SEND))!.ok, false, 'it can be tried again');
  });
  it('keeps them of one that failed, too', async () => {
    const { panel, ask, draft } = await composing(() => {
      throw new MailError('unavailable', 'Not now.');
    });
    await ask(panel, WROTE);
    assert.equal((await ask(panel, SEND))!.message, 'Not now.');
    assert.ok(draft() && !panel.closed);
  });
  it('lets no message leave that has no text', async () => {
    const { panel, ask, calls } = await composing(() => ({ outcome: 'done' }));
    const reply = await ask(panel, { do: 'submit', values: { ...LETTER, text: null } });
    assert.deepEqual(
      reply!.issues!.map(({ field }) => field),
      ['text'],
    );
    assert.equal(calls.length, 0);
  });
  it('leaves no draft of nothing, of a discarded message, or of an account that is gone', async () => {
    const { panel, ask, draft, said } = await composing(() => ({}), { 'Discard this draft?': 'Discard Draft' });
    const form = panel.posted.find(({ type }) => type === 'form')!.form as { values: object };
    await ask(panel, { do: 'draft', values: { ...form.values, to: null, text: '' } });
    assert.equal(draft(), undefined);
    await ask(panel, WROTE);
    assert.ok(draft());
    const { hear } = panel;
    await ask(panel, { do: 'action', action: 'discard' });
    await hear({ type: 'ask', id: 99, ask: WROTE });
    assert.deepEqual([draft(), panel.closed, said], [undefined, true, ['Discard this draft?']]);
    const other = await composing(() => ({}));
    other.seen.there = false;
    await other.ask(other.panel, WROTE);
    assert.equal(other.draft(), undefined);
  });
  it('asks before it discards, and keeps the draft where it is told so', async () => {
    const { panel, ask, draft } = await composing(() => ({}));
    await ask(panel, WROTE);
    await ask(panel, { do: 'action', action: 'discard' });
    assert.ok(draft() && !panel.closed);
  });
  it('an answer begins with what is to be said', async () => {
    const { panel } = await composing(() => ({}), {}, 'message.reply');
    const { groups } = panel.posted.find(({ type }) => type === 'form')!.form as {
      groups: { title?: string; folded?: boolean; controls: { name: string }[] }[];
    };
    assert.equal(groups[0]!.controls[0]!.name, 'text');
    assert.ok(groups.some(({ folded, controls }) => folded && controls.some(({ name }) => name === 'cc')));
  });
});

describe('a draft at the server', () => {
  const SAVE = { do: 'action', action: 'save' };
  const stored =
    (more: Record<string, unknown> = {}) =>
    (input: Record<string, unknown>, name: string): unknown =>
      name === 'draft.create'
        ? { id: `d${input.replaces ? 2 : 1}`, folder: 'Drafts', ...more }
        : name === 'message.get'
          ? {
              id: input.message,
              to: [{ email: 'ann@x.example', name: 'Lee, Ann' }],
              subject: 'Hello',
              text: 'Are you\r\nthere?',
              native: {},
              attachments: [{ id: '2', name: 'a.txt', type: 'text/plain' }],
            }
          : name === 'message.source'
            ? fileOf('m.eml', 'message/rfc822', Buffer.from('Bcc: Bob <bob@x.example>, eve@x.example\r\n\r\n'))
            : { outcome: 'done', native: {} };
  it('is made from what is written, and saved again takes the place of the one before', async () => {
    const { panel, ask, calls, names, draft } = await composing(stored());
    await ask(panel, WROTE);
    const first = await ask(panel, SAVE);
    assert.deepEqual(
      [first!.value, calls[0]!.kind, calls[0]!.text, calls[0]!.replaces, panel.closed],
      [{ said: 'Saved in Drafts.', files: {} }, 'new', LETTER.text, undefined, false],
    );
    await ask(panel, { do: 'draft', values: { ...LETTER, text: 'More' } });
    await ask(panel, SAVE);
    assert.deepEqual([names, calls[1]!.replaces, calls[1]!.text], [['draft.create', 'draft.create'], 'd1', 'More']);
    assert.ok(draft(), 'it comes back with the window');
    panel.close();
    assert.equal(draft(), undefined, 'what the server has is not kept here too');
  });
  it('is kept here where it was changed since, and takes the place of the one at the server later', async () => {
    const { panel, ask, state } = await composing(stored());
    await ask(panel, WROTE);
    await ask(panel, SAVE);
    await ask(panel, { do: 'draft', values: { ...LETTER, text: 'More' } });
    panel.close();
    assert.deepEqual(
      [...state.values()].map(one => (one as { saved: string }).saved),
      ['d1'],
    );
  });
  it('is deleted once the message has left', async () => {
    const { panel, ask, calls, names, said } = await composing(stored());
    await ask(panel, WROTE);
    await ask(panel, SAVE);
    await ask(panel, SEND);
    assert.deepEqual(names, ['draft.create', 'message.send', 'message.delete']);
    assert.deepEqual([calls[2], said], [{ message: 'd1', forever: true }, ['The message was sent.']]);
  });
  it('that cannot be deleted after the message has left is told, and the message is not sent again', async () => {
    const { panel, ask, said } = await composing((input, name) => {
      if (name === 'message.delete') throw new MailError('unavailable', 'Not now.');
      return stored()(input, name);
    });
    await ask(panel, WROTE);
    await ask(panel, SAVE);
    await ask(panel, SEND);
    assert.deepEqual([said, panel.closed], [['The message was sent. Its draft could not be deleted: Not now.'], true]);
  });
  it('says where the earlier one is still there', async () => {
    const { panel, ask } = await composing(stored({ draftRemoved: false, draftError: 'The folder is read-only.' }));
    await ask(panel, WROTE);
    assert.match(
      ((await ask(panel, SAVE))!.value as { said: string }).said,
      /^Saved in Drafts\. The earlier draft is still there: The folder is read-only\.$/,
    );
  });
  it('keeps text and tab where it cannot be saved, and says what to do without a folder for drafts', async () => {
    const { panel, ask, draft } = await composing(() => {
      throw new MailError('not_found', 'none', { issues: [{ field: 'folder', message: 'x' }] });
    });
    await ask(panel, WROTE);
    assert.match((await ask(panel, SAVE))!.message!, /no folder for drafts\. Create a folder named Drafts/);
    assert.ok(draft() && !panel.closed);
  });
  it('of an answer is an answer at the server', async () => {
    const { panel, ask, calls } = await composing(stored(), {}, 'message.reply', { all: true });
    await ask(panel, { do: 'draft', values: { text: 'Yes.', quote: true } });
    await ask(panel, SAVE);
    assert.deepEqual(
      [calls[0]!.kind, calls[0]!.message, calls[0]!.quote, calls[0]!.replyAll],
      ['replyAll', 'm1', true, undefined],
    );
  });
  it('is plainly refused where a provider keeps none, and stays here', async () => {
    const sodium = providers.find(
      ({ operations }) => 'message.send' in operations && !('draft.create' in operations),
    ) as Provider;
    const { panel, ask, names, draft } = await composing(() => ({}), {}, 'message.send', undefined, sodium);
    await ask(panel, WROTE);
    assert.equal(
      ((await ask(panel, SAVE))!.value as { said: string }).said,
      `${sodium.name} keeps no drafts. This one stays in VS Code until you send or discard it.`,
    );
    assert.deepEqual([names, draft()?.values.subject], [[], LETTER.subject]);
  });

  const opened = (answer = stored()) => composing(answer, {}, 'draft.create', { as: 'draft' });
  const formOf = (panel: Awaited<ReturnType<typeof opened>>['panel']) =>
    panel.posted.find(({ type }) => type === 'form')!.form as { values: Record<string, unknown> };
  it('is opened again with all that is in it, and sent from where it lies', async () => {
    const { panel, ask, names, calls, state } = await opened();
    const { values } = formOf(panel);
    assert.deepEqual(
      [values.to, values.bcc, values.subject, values.text, values.attachments],
      [
        ['"Lee, Ann" <ann@x.example>'],
        ['Bob <bob@x.example>', 'eve@x.example'],
        'Hello',
        'Are you\r\nthere?',
        ['a.txt'],
      ],
    );
    await ask(panel, { do: 'submit', values: { ...values, attachments: null, text: 'Are you\nthere?' } });
    assert.deepEqual(names, ['message.get', 'message.source', 'draft.send']);
    assert.deepEqual([calls[2]!.message, panel.closed, state.size], ['m1', true, 0]);
  });
  it('that was changed is saved before it is sent, with the files it has, and both by their present names', async () => {
    const { panel, ask, names, calls } = await opened();
    const values = { ...formOf(panel).values, text: 'Other' };
    await ask(panel, { do: 'draft', values });
    await ask(panel, { do: 'submit', values });
    assert.deepEqual(names, [
      'message.get',
      'message.source',
      'draft.create',
      'message.get',
      'message.source',
      'draft.send',
    ]);
    assert.deepEqual(
      [calls[2]!.replaces, (calls[2]!.attachments as { name: string }[])[0]!.name, calls[5]!.message],
      ['m1', 'a.txt', 'd2'],
    );
  });
  it('is sent with the words that were typed last, though nobody had told of them yet', async () => {
    const { panel, ask, names, calls } = await opened();
    await ask(panel, { do: 'submit', values: { ...formOf(panel).values, text: 'Other' } });
    assert.deepEqual([names[2], calls[2]!.text, names.at(-1)], ['draft.create', 'Other', 'draft.send']);
  });
  it('that is saved twice at once keeps what is typed behind the second', async () => {
    const gates: (() => void)[] = [];
    const { panel, ask, calls, names, state } = await composing(async (input, name) => {
      if (name === 'draft.create') await new Promise<void>(resolve => gates.push(resolve));
      return stored()(input, name);
    }, {});
    const type = (text: string) => ask(panel, { do: 'draft', values: { ...LETTER, text } });
    await type('x');
    const first = ask(panel, SAVE);
    await type('xy');
    const second = ask(panel, SAVE);
    await type('xyz');
    for (const saving of [first, second]) {
      while (!gates.length) await new Promise(setImmediate);
      gates.shift()!();
      await saving;
    }
    const saved = calls.filter((_, i) => names[i] === 'draft.create').map(({ text }) => text);
    panel.close();
    const kept = [...state.values()].map(one => (one as { values: { text: string } }).values.text);
    assert.deepEqual([saved, kept], [['x', 'xy'], ['xyz']]);
  });
  it('that somebody else sent or deleted meanwhile is saved, and not sent before it is asked for again', async () => {
    const { panel, ask, names } = await opened(stored({ draftRemoved: false, draftError: 'It is gone.' }));
    const values = { ...formOf(panel).values, text: 'Other' };
    await ask(panel, { do: 'draft', values });
    const reply = await ask(panel, { do: 'submit', values });
    assert.match(reply!.message!, /saved, but not sent: It is gone\./);
    assert.deepEqual([names.includes('draft.send'), panel.closed], [false, false]);
    await ask(panel, { do: 'submit', values });
    assert.deepEqual([names.at(-1), panel.closed], ['draft.send', true]);
  });
  it('whose text the server gave only in part is not opened, since a save would lose the rest', async () => {
    const { panel } = await opened((input, name) =>
      name === 'message.get' ? { id: 'm1', text: 'x', native: { textCut: true } } : stored()(input, name),
    );
    assert.match(String(panel.posted.find(({ type }) => type === 'held')!.message), /too long to be changed here/);
  });
  it('is deleted where it lies when it is discarded', async () => {
    const { panel, ask, names, calls } = await composing(
      stored(),
      { 'Discard this draft?': 'Discard Draft' },
      'draft.create',
      { as: 'draft' },
    );
    await ask(panel, { do: 'action', action: 'discard' });
    assert.deepEqual([names.at(-1), calls.at(-1)!.message, panel.closed], ['message.delete', 'm1', true]);
  });
});

describe('a message that is sent again', () => {
  const answer = (_: Record<string, unknown>, name: string): unknown =>
    name === 'message.get'
      ? {
          id: 'm1',
          from: { email: 'me@x.example', name: 'Me' },
          to: [{ email: 'ann@x.example' }],
          subject: 'Hello',
          messageId: '<first@x.example>',
          text: 'Are you there?',
          html: '<b>Are you there?</b>',
          native: {},
          attachments: [
            { id: '2', name: 'a.txt', type: 'text/plain', size: 4 },
            { id: '3', name: 'b.png', type: 'image/png', inline: true, contentId: 'b' },
          ],
        }
      : name === 'message.source'
        ? fileOf('m.eml', 'message/rfc822', Buffer.from('Subject: Hello\r\n\r\n'))
        : name === 'attachment.get'
          ? fileOf('a.txt', 'text/plain', Buffer.from('file'))
          : { outcome: 'done', native: {} };
  it('begins with the same people, words and files, as a message of its own, and waits for the button', async () => {
    const { panel, ask, names, calls } = await composing(answer, {}, 'message.send', { as: 'again' });
    const form = panel.posted.find(({ type }) => type === 'form')!.form as {
      values: Record<string, unknown>;
      notice: string;
    };
    assert.deepEqual(names, ['message.get', 'message.source']);
    const { to, subject, text, html, attachments, inlineImages, from, messageId } = form.values;
    assert.deepEqual(
      [to, subject, text, html, attachments, inlineImages, from, messageId],
      [
        ['ann@x.example'],
        'Hello',
        'Are you there?',
        '<b>Are you there?</b>',
        ['a.txt (4 B)'],
        ['b.png'],
        undefined,
        undefined,
      ],
    );
    assert.match(form.notice, /HTML text/);
    await ask(panel, { do: 'submit', values: form.values });
    assert.deepEqual(names.slice(2), ['message.send']);
    const sent = calls[2]!.attachments as { name: string; open(): AsyncIterable<Uint8Array> }[];
    const bytes: Uint8Array[] = [];
    for await (const piece of sent[0]!.open()) bytes.push(piece);
    assert.deepEqual([sent[0]!.name, Buffer.concat(bytes).toString()], ['a.txt', 'file']);
  });
  it('is from the same address where that is one of the account’s own', async () => {
    const { panel } = await composing(
      (input, name) =>
        name === 'message.get'
          ? { ...(answer(input, name) as object), from: { email: 'ME@x.example' } }
          : answer(input, name),
      {},
      'message.send',
      { as: 'again' },
      provider,
      { ownAddresses: ['me@x.example'] },
    );
    const form = panel.posted.find(({ type }) => type === 'form')!.form as { values: Record<string, unknown> };
    assert.equal(form.values.from, 'ME@x.example');
  });
});
