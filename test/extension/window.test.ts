import { vscode } from './fakeVscode.js';
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { inMarkdown, window } from '../../extension/host/window.js';
import { withoutMarkup } from '../../extension/host/text.js';

const root = join(__dirname, '../../extension');
/**
 * What VS Code reads as a link in notifications, progress and input boxes (src/vs/base/common/linkedText.ts), after it
 * joined the lines.
 */
const LINK = /\[([^\]]+)\]\(((?:https?:\/\/|command:|file:)[^)\s]+)(?: (["'])(.+?)(\3))?\)/i;
/** And as an icon (src/vs/base/common/iconLabels.ts). */
const ICON = /\$\([a-z0-9-]+(?:~[a-z]+)?\)/i;
const COMMAND = 'command:workbench.action.terminal.sendSequence?%7B%22text%22%3A%22id%5Cu000D%22%7D';
const EVIL = `[Retry](${COMMAND}) $(check) [x]\u200e(https://evil.example) [y]\u0000(file:///etc/passwd) ok`;
const active = (text: string) => LINK.test(text.replace(/\r\n|\n|\r/g, ' ')) || ICON.test(text);

describe('what is told outside of our pages', () => {
  /** Every text that VS Code was given, wherever it stood. */
  const given: string[] = [];
  const texts = (value: unknown): string[] =>
    typeof value === 'string'
      ? [value]
      : typeof value === 'object' && value !== null
        ? Object.values(value).flatMap(texts)
        : [];
  const heard = (...all: unknown[]) => {
    given.push(...texts(all));
  };
  const before = { ...vscode.window };
  beforeEach(() => {
    given.length = 0;
    const answer = async (text: string, ...rest: unknown[]) => {
      heard(text, rest);
      return rest.filter(one => typeof one === 'string').at(-1);
    };
    Object.assign(vscode.window, {
      showErrorMessage: answer,
      showWarningMessage: answer,
      showInformationMessage: answer,
      setStatusBarMessage: (text: string) => {
        heard(text.replace(/^\$\(check\) /, ''));
        return { dispose() {} };
      },
      createStatusBarItem: () => ({
        set text(text: string) {
          heard(text.replace(/^\$\(clock\) /, ''));
        },
        show() {},
        hide() {},
        dispose() {},
      }),
      showInputBox: async (options: { validateInput?(value: string): Promise<unknown> }) => {
        heard(options, await options.validateInput?.(''));
        return 'typed';
      },
      createInputBox: () => new Box(),
      createQuickPick: () => new Box(),
      showQuickPick: async (items: unknown[], options: unknown) => {
        heard(items, options);
        return items[0];
      },
      withProgress: (options: unknown, work: (progress: object, token: object) => unknown) => {
        heard(options);
        return work({ report: heard }, {});
      },
    });
  });
  after(() => {
    Object.assign(vscode.window, before);
  });
  class Box {
    #title = '';
    placeholder = '';
    prompt = '';
    validationMessage: unknown = '';
    items: unknown[] = [];
    value = '';
    hidden = false;
    get title() {
      return this.#title;
    }
    set title(text: string) {
      this.#title = text;
    }
    hide() {
      this.hidden = true;
      heard(this.#title, this.placeholder, this.prompt, this.validationMessage, this.items);
    }
  }

  it('none of it is a link or an icon, whoever wrote it', async () => {
    assert.ok(active(EVIL), 'the words are what they are meant to be');
    for (const kind of ['showErrorMessage', 'showWarningMessage', 'showInformationMessage'] as const) {
      assert.equal(
        await window[kind](EVIL, { modal: true, detail: EVIL }, 'One', EVIL),
        EVIL,
        'the button that was pressed is the one that was given',
      );
    }
    window.setStatusBarMessage('check', EVIL, 1);
    window.createStatusBarItem('clock').show(EVIL);
    assert.equal(
      await window.showInputBox({ title: EVIL, prompt: EVIL, placeHolder: EVIL, validateInput: () => EVIL }),
      'typed',
    );
    await window.showInputBox({ validateInput: () => ({ message: EVIL, severity: 1 }) });
    const picked = await window.showQuickPick([{ label: EVIL, description: EVIL, detail: EVIL, id: EVIL.length }], {
      title: EVIL,
      placeHolder: EVIL,
    });
    assert.equal(picked?.id, EVIL.length, 'what belongs to an item stays with it');
    for (const make of [window.createInputBox, window.createQuickPick] as const) {
      const box = make() as ReturnType<typeof window.createQuickPick> & { prompt: string; validationMessage: string };
      Object.assign(box, {
        title: EVIL,
        placeholder: EVIL,
        prompt: EVIL,
        validationMessage: EVIL,
        items: [{ label: EVIL, description: EVIL, detail: EVIL }],
      });
      box.hide();
      assert.equal((box as unknown as Box).hidden, true);
    }
    await window.withProgress({ location: 15, title: EVIL }, async progress => {
      progress.report({ message: EVIL, increment: 1 });
    });
    assert.ok(given.length > 30);
    assert.deepEqual(given.filter(active), []);
    assert.deepEqual(
      given.filter(one => /Retry/.test(one) && !one.includes(COMMAND)),
      [],
      'nothing is hidden, either',
    );
  });
  it('however it is put together', () => {
    const part = fc.constantFrom(
      '[',
      ']',
      '(',
      ')',
      'a',
      '$',
      'check',
      'command:x',
      'https://e.example',
      ' ',
      '\n',
      '\u200e',
      '\u202e',
      '\u0000',
      '\u001b',
      '\u200b',
      '"',
      '\\',
    );
    fc.assert(
      fc.property(
        fc.array(part, { maxLength: 30 }).map(parts => parts.join('')),
        text => !active(withoutMarkup(text)),
      ),
      { numRuns: 5000 },
    );
  });
  it('no sign inside Markdown is left that could make a link, with brackets or by itself', () => {
    const sign = /[^\p{L}\p{N} &#;]/u;
    for (const text of [
      EVIL,
      'https://evil.example',
      'www.evil.example',
      'ann@evil.example',
      '<https://evil.example>',
      '**b** `c` ![i](x)',
    ]) {
      assert.doesNotMatch(inMarkdown(text), sign);
      assert.equal(
        inMarkdown(text).replace(/&#(\d+);/g, (_, code: string) => String.fromCodePoint(Number(code))),
        withoutMarkup(text),
        'it reads as it was',
      );
    }
  });
  it('nobody in the extension speaks past the one door', () => {
    const past =
      /vscode\.window\s*\.(?:show(?:Error|Warning|Information)Message|setStatusBarMessage|showInputBox|createInputBox|showQuickPick|createQuickPick|withProgress|createStatusBarItem)|appendText|\bwindow:|\{[^}]*\bwindow\b[^}]*\} = vscode/;
    const files = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter(
      name => name.endsWith('.ts') && !/^(?:.*\/)?window\.ts$/.test(name) && !/\.page\.ts$/.test(name),
    );
    assert.ok(files.length > 30);
    for (const name of files) assert.doesNotMatch(readFileSync(join(root, name), 'utf8'), past, name);
    const markdown = files.filter(name => readFileSync(join(root, name), 'utf8').includes('appendMarkdown'));
    for (const name of markdown) {
      for (const [, inside] of readFileSync(join(root, name), 'utf8').matchAll(/appendMarkdown\((.*)\)/g)) {
        assert.doesNotMatch(inside!.replace(/\$\{inMarkdown\([a-z]+\)\}/g, ''), /\$\{/, `${name}: ${inside}`);
      }
    }
  });
});
