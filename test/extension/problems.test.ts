import { vscode } from './fakeVscode.js';
import assert from 'node:assert/strict';
import { connectPage } from '../../extension/webview/panel.js';
import { createProblems, explain, explainTo } from '../../extension/host/problems.js';
import { MailError } from '../../shared/index.js';

function harness() {
  const shown: { text: string; buttons: string[]; press(button?: string): void }[] = [];
  const lines: string[] = [];
  const ran: unknown[][] = [];
  const clock = { now: 0 };
  // A message is open until somebody closes it.
  vscode.window.showErrorMessage = (text: string, ...buttons: string[]) =>
    new Promise(resolve => shown.push({ text, buttons, press: resolve }));
  vscode.commands.executeCommand = async (...args: unknown[]) => {
    ran.push(args);
  };
  explainTo({
    info: (...said: unknown[]) => lines.push(`info ${said.join(' ')}`),
    error: (...said: unknown[]) => lines.push(`error ${said.join(' ')}`),
    show() {},
  });
  const problems = createProblems({
    account: id => (id === 'gone' ? undefined : { name: `Account ${id}`, signsIn: id === 'oauth' }),
    now: () => clock.now,
  });
  return { problems, shown, lines, ran, clock };
}
const down = () =>
  new MailError('unavailable', 'Nobody answers.', { status: 503, provider: 'Acme', operation: 'mailbox.get' });

describe('errors', () => {
  it('nobody waits for a message to be closed', () => {
    const { problems, shown } = harness();
    assert.equal(problems.tell('Test Account', down()), undefined);
    assert.equal(shown.length, 1);
  });
  it('what was asked for is answered each time, and the second time within a minute says so', () => {
    const { problems, shown, clock } = harness();
    for (const at of [0, 1000, 59_000, 61_000]) {
      clock.now = at;
      problems.tell('Test Account', down(), { on: 'Support' });
    }
    assert.deepEqual(
      shown.map(({ text }) => text.match(/\((\d) times/)?.[1]),
      [undefined, '2', '3', undefined],
    );
    assert.match(shown[0]!.text, /^Test Account · Support: Nobody answers\./);
  });
  it('what may have been done is not offered to be done again, nor advised; what was surely not done is', () => {
    const { problems, shown } = harness();
    const retry = () => {};
    const limited = new MailError('rate_limited', 'Too many.');
    problems.tell('Read', down(), { retry });
    problems.tell('Create', down(), { retry, write: true });
    problems.tell('Create', limited, { retry, write: true });
    problems.tell('Create', new MailError('conflict', 'There already.'), { retry, write: true });
    assert.deepEqual(
      shown.map(({ buttons }) => buttons.includes('Retry')),
      [true, false, true, false],
    );
    assert.match(shown[0]!.text, /try again later/);
    assert.doesNotMatch(shown[1]!.text, /again/);
  });
  it('a button does what it says', async () => {
    const { problems, shown } = harness();
    let again = 0;
    problems.tell('Read', down(), {
      retry: () => {
        again++;
      },
    });
    shown[0]!.press('Retry');
    await new Promise(setImmediate);
    assert.equal(again, 1);
  });
  it('an account that is not let in has one message, whoever says it, with its own way in', async () => {
    const { problems, shown, ran } = harness();
    const no = new MailError('unauthorized', 'Wrong key.');
    problems.tell('Test Account', no, { account: 'key' });
    void problems.refused('key', no);
    void problems.refused('oauth', no);
    void problems.refused('gone', no);
    assert.deepEqual(
      shown.map(({ text, buttons }) => [text, buttons[0]]),
      [
        ['Account key: Wrong key.', 'Edit Account'],
        ['Account key: Wrong key.', 'Edit Account'],
        ['Account oauth: Wrong key.', 'Sign In'],
      ],
    );
    shown[2]!.press('Sign In');
    await new Promise(setImmediate);
    assert.deepEqual(ran, [['mailroom.signIn', 'oauth']]);
  });
  it('every error is logged with where it happened, a cancellation with one line and no message; what it was done on stays out', () => {
    const { problems, shown, lines } = harness();
    problems.tell('Delete', down(), { on: 'Subject of a letter' });
    problems.tell('Delete', new Error('stopped', { cause: new vscode.CancellationError() }));
    assert.equal(explain('page', new vscode.CancellationError()), undefined);
    assert.deepEqual(lines, [
      'error Delete: Nobody answers. unavailable 503 Acme mailbox.get',
      'info Delete: cancelled',
      'info page: cancelled',
    ]);
    assert.equal(shown.length, 1);
  });
  it('what was typed wrong is not written into the log', () => {
    const { lines } = harness();
    assert.equal(
      explain('form', new MailError('invalid_input', '"pa55word" is too short.')),
      '"pa55word" is too short.',
    );
    assert.deepEqual(lines, ['info form: invalid_input']);
  });
});

describe('a page of ours', () => {
  function page(options: {
    hold?: () => Promise<{ message: string } | undefined>;
    ready?: () => void;
    answer?: () => unknown;
  }) {
    const { lines } = harness();
    const posted: Record<string, unknown>[] = [];
    let tell: (message: unknown) => Promise<void> = async () => {};
    const webview = {
      cspSource: 'self',
      asWebviewUri: String,
      postMessage: async (message: Record<string, unknown>) => posted.push(message),
      onDidReceiveMessage: (listen: typeof tell) => {
        tell = listen;
        return { dispose() {} };
      },
    };
    connectPage(webview as never, (() => ({ dispose() {} })) as never, {
      page: 'reader',
      extension: 'x' as never,
      ready() {},
      answer: () => undefined,
      ...options,
    });
    return { lines, posted, tell: (message: unknown) => tell(message), last: () => posted.at(-1) };
  }
  it('that cannot be filled says why, and offers to try again', async () => {
    for (const broken of [
      {
        hold: async () => {
          throw new Error('The account went.');
        },
      },
      {
        ready: () => {
          throw new Error('The account went.');
        },
      },
    ]) {
      const { lines, tell, last } = page(broken);
      await tell({ type: 'ready' });
      assert.deepEqual(last(), { type: 'held', message: 'The account went.', button: 'Retry' });
      assert.match(lines[0]!, /error reader: The account went/);
    }
  });
  it('is told an error, which is logged; what the user cancelled is no error', async () => {
    let error: unknown = down();
    const { lines, tell, last } = page({
      answer: () => {
        throw error;
      },
    });
    await tell({ type: 'ready' });
    await tell({ type: 'ask', id: 1, ask: { do: 'cancel' } });
    assert.deepEqual(last(), { type: 'reply', id: 1, ok: false, message: 'Nobody answers.' });
    error = new vscode.CancellationError();
    await tell({ type: 'ask', id: 2, ask: { do: 'cancel' } });
    assert.deepEqual(last(), { type: 'reply', id: 2, ok: true });
    assert.deepEqual(
      lines.map(line => line.split(':')[0]),
      ['error reader', 'info reader'],
    );
  });
});
