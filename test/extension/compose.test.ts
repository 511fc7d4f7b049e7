import assert from 'node:assert/strict';
import { MailError, providers } from '../../shared/index.js';
import type { createComposer } from '../../extension/mail/composer.js';
import { NOTHING_BOUND } from '../../extension/fields/tables.js';
import { pretended, withVscode } from './host.js';

/** The provider that says most of what became of a message. */
const provider = providers.find(({ auth }) => auth.oauth2Choice)!;
const DRAFT = /^draft one message\.send /;

async function composing(
  answer: (input: Record<string, unknown>) => unknown,
  answers: Record<string, unknown> = {},
  operation = 'message.send',
) {
  const host = pretended(answers);
  const state = new Map<string, unknown>();
  const calls: Record<string, unknown>[] = [];
  const seen = { sent: 0, there: true };
  const { createComposer: make } = await withVscode<{ createComposer: typeof createComposer }>(
    'mail/composer.ts',
    host.vscode,
  );
  const account = { id: 'one', name: 'One', provider, values: {} };
  make({
    extension: host.extension as never,
    operator: {} as never,
    log: { info() {} } as never,
    sent: () => {
      seen.sent++;
    },
    accounts: {
      list: () => (seen.there ? [account] : []),
      open: async () => ({
        call: async (_: string, input: Record<string, unknown>) => {
          calls.push(input);
          return answer(input);
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
  })({ account, resource: 'message', binding: { ...NOTHING_BOUND, refs: { message: 'm1' } }, label: '' }, operation);
  const panel = host.panels[0]!;
  await panel.hear({ type: 'ready' });
  return {
    ...host,
    panel,
    calls,
    seen,
    draft: () => [...state].find(([key]) => DRAFT.test(key))?.[1] as { values: { text: string } } | undefined,
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
