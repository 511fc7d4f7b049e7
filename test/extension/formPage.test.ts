import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { JSDOM } from 'jsdom';
import type { FormModel, ToHost } from '../../extension/webview/messages.js';

type Any = any;
const SCRIPT = readFileSync(join(__dirname, '../../dist/extension/pages/form.page.js'), 'utf8');
const form = (values: object, more: Partial<FormModel> = {}): FormModel => ({
  mode: 'document',
  title: 'ann@acme.test',
  groups: [
    {
      controls: [
        { name: 'limit', label: 'Limit', kind: 'number' },
        { name: 'note', label: 'Note', kind: 'text' },
      ],
    },
  ],
  actions: [],
  values: { ...values },
  base: { ...values },
  issues: [],
  ...more,
});

/** The page of the form as it is shipped, in a document of Node's; the test is its host. */
describe('the page of a form', () => {
  /** Without types: those of a browser are not those of Node. */
  let window: Any;
  let told: ToHost[];
  beforeEach(() => {
    told = [];
    ({ window } = new JSDOM('<!doctype html><body></body>', {
      runScripts: 'outside-only',
      pretendToBeVisual: true,
      url: 'https://page.test/',
    }));
    Object.assign(window, {
      acquireVsCodeApi: () => ({
        postMessage: (message: ToHost) => told.push(message),
        getState: () => ({}),
        setState: () => {},
      }),
    });
    // The mark is for whoever measures, and this document has none.
    Object.assign(window.performance, { mark: () => undefined });
    window.eval(SCRIPT);
  });
  afterEach(() => window.close());
  const say = (data: object) => window.dispatchEvent(new window.MessageEvent('message', { data }));
  const input = (name: string) => window.document.querySelector(`[data-field=${name}] input`);
  const type = (name: string, text: string) => {
    const field = input(name);
    field.focus();
    field.value = text;
    field.dispatchEvent(new window.Event('input', { bubbles: true }));
  };
  const edits = () => told.filter(one => one.type === 'ask' && one.ask.do === 'edit');

  it('keeps field, caret and selection of whoever types on while a save comes back', () => {
    say({ type: 'form', form: form({ limit: 250, note: 'some words' }) });
    const field = input('note');
    field.focus();
    field.setSelectionRange(2, 5);
    say({ type: 'form', form: form({ limit: 251, note: 'some words' }) });
    assert.equal(input('note'), field, 'the field is the same');
    assert.deepEqual([field.selectionStart, field.selectionEnd], [2, 5]);
    assert.equal(input('limit').value, '251');
  });
  it('keeps them too where the form is drawn anew, as its title has changed', () => {
    say({ type: 'form', form: form({ note: 'some words' }) });
    input('note').focus();
    input('note').setSelectionRange(2, 5);
    say({ type: 'form', form: form({ note: 'some words' }, { title: 'bob@acme.test' }) });
    assert.equal(window.document.activeElement, input('note'));
    assert.deepEqual([input('note').selectionStart, input('note').selectionEnd], [2, 5]);
    assert.equal(window.document.querySelector('h1').textContent, 'bob@acme.test');
  });
  for (const [how, title] of [
    ['stays', 'ann@acme.test'],
    ['is drawn anew', 'bob@acme.test'],
  ])
    it(`keeps what was typed and is not in the document yet, where the form ${how}`, () => {
      say({ type: 'form', form: form({ note: 'old' }) });
      type('note', 'typed');
      // Not told yet: a pause in typing makes one edit.
      assert.equal(edits().length, 0);
      say({ type: 'form', form: form({ note: 'old' }, { title: title! }) });
      assert.equal(input('note').value, 'typed');
      // Told, and not confirmed: the document may still say what it said before.
      window.dispatchEvent(new window.Event('blur'));
      const [edit] = edits();
      // Objects of another realm are no equals of ours.
      assert.deepEqual(JSON.parse(JSON.stringify(edit)).ask, { do: 'edit', field: 'note', value: 'typed' });
      say({ type: 'values', values: { note: 'old' }, base: { note: 'old' }, issues: [] });
      assert.equal(input('note').value, 'typed');
      say({ type: 'form', form: form({ note: 'old' }, { title: `${title}!` }) });
      assert.equal(input('note').value, 'typed');
    });
  it('shows what the document says once an edit is confirmed', async () => {
    say({ type: 'form', form: form({ note: 'old' }) });
    type('note', 'typed');
    window.dispatchEvent(new window.Event('blur'));
    const [edit] = edits();
    say({ type: 'reply', id: edit!.type === 'ask' && edit!.id, ok: true, value: undefined });
    await new Promise(resolve => setImmediate(resolve));
    say({ type: 'values', values: { note: 'undone' }, base: { note: 'old' }, issues: [] });
    assert.equal(input('note').value, 'undone');
  });
});
