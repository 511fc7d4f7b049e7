import * as vscode from 'vscode';
import { withoutMarkup } from './text.js';

/**
 * The one door for what is told and asked outside of our own pages. VS Code reads links, also such as run commands, in
 * notifications, progress and input boxes, and icons in the status bar and in lists. The words of a mail, a vendor or a
 * server must form neither, so all text is cleaned here, whoever wrote it; icons of our own have parameters of their
 * own. A test keeps everybody else away from VS Code's functions.
 */
type Options = Omit<vscode.MessageOptions, 'detail'> & { detail?: string };
type Show = (text: string, options: vscode.MessageOptions, ...buttons: string[]) => Thenable<string | undefined>;

async function show(
  kind: 'showErrorMessage' | 'showWarningMessage' | 'showInformationMessage',
  text: string,
  rest: readonly (string | Options)[],
) {
  const options = rest.filter(one => typeof one !== 'string').map(one => cleaned(one, ['detail']));
  const buttons = rest.filter(one => typeof one === 'string');
  const titles = buttons.map(withoutMarkup);
  const picked = await (vscode.window[kind] as (...given: unknown[]) => ReturnType<Show>)(
    withoutMarkup(text),
    ...options,
    ...titles,
  );
  return picked === undefined ? undefined : buttons[titles.indexOf(picked)];
}
/** The same object with some of its texts made plain. */
function cleaned<T extends object>(given: T, texts: readonly string[]): T {
  return Object.fromEntries(
    Object.entries(given).map(([key, value]) => [
      key,
      texts.includes(key) && typeof value === 'string' ? withoutMarkup(value) : value,
    ]),
  ) as T;
}
const INPUT = ['title', 'prompt', 'placeHolder', 'placeholder', 'validationMessage'];
const ITEM = ['label', 'description', 'detail'];
const item = <T extends vscode.QuickPickItem>(one: T): T => cleaned(one, ITEM);

type Complaint = string | vscode.InputBoxValidationMessage | undefined | null;
const complaint = (said: Complaint): Complaint =>
  typeof said === 'string' ? withoutMarkup(said) : said && cleaned(said, ['message']);

/** A box whose texts are made plain as they are set. */
function guarded<B extends vscode.InputBox | vscode.QuickPick<vscode.QuickPickItem>>(box: B): B {
  return new Proxy(box, {
    // The object itself is asked, not the guard around it: what it keeps private only it can reach.
    get(target, key) {
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === 'function' ? (value as () => unknown).bind(target) : value;
    },
    set(target, key, value: unknown) {
      const given =
        key === 'items'
          ? (value as vscode.QuickPickItem[]).map(item)
          : INPUT.includes(String(key)) && typeof value === 'string'
            ? withoutMarkup(value)
            : value;
      return Reflect.set(target, key, given, target);
    },
  });
}

export const window = {
  showErrorMessage: (text: string, ...rest: (string | Options)[]) => show('showErrorMessage', text, rest),
  showWarningMessage: (text: string, ...rest: (string | Options)[]) => show('showWarningMessage', text, rest),
  showInformationMessage: (text: string, ...rest: (string | Options)[]) => show('showInformationMessage', text, rest),
  /** A sentence in the status bar after an icon of ours, for so many milliseconds. */
  setStatusBarMessage: (icon: string, text: string, ms: number): vscode.Disposable =>
    vscode.window.setStatusBarMessage(`$(${icon}) ${withoutMarkup(text)}`, ms),
  createStatusBarItem(icon: string) {
    const made = vscode.window.createStatusBarItem(vscode.StatusBarAlignment.Left);
    return {
      show(text: string): void {
        made.text = `$(${icon}) ${withoutMarkup(text)}`;
        made.show();
      },
      hide: () => made.hide(),
      dispose: () => made.dispose(),
    };
  },
  showInputBox: ({ validateInput, ...options }: vscode.InputBoxOptions): Thenable<string | undefined> =>
    vscode.window.showInputBox({
      ...cleaned(options, INPUT),
      ...(validateInput ? { validateInput: async (value: string) => complaint(await validateInput(value)) } : {}),
    }),
  createInputBox: (): vscode.InputBox => guarded(vscode.window.createInputBox()),
  showQuickPick: ((items: readonly vscode.QuickPickItem[], options: vscode.QuickPickOptions = {}) =>
    vscode.window.showQuickPick(items.map(item), cleaned(options, INPUT))) as {
    <T extends vscode.QuickPickItem>(
      items: readonly T[],
      options: vscode.QuickPickOptions & { canPickMany: true },
    ): Thenable<T[] | undefined>;
    <T extends vscode.QuickPickItem>(items: readonly T[], options?: vscode.QuickPickOptions): Thenable<T | undefined>;
  },
  createQuickPick: <T extends vscode.QuickPickItem>(): vscode.QuickPick<T> =>
    guarded(vscode.window.createQuickPick<T>()),
  withProgress: <T>(
    options: vscode.ProgressOptions,
    work: (
      progress: vscode.Progress<{ message?: string; increment?: number }>,
      token: vscode.CancellationToken,
    ) => Thenable<T>,
  ): Thenable<T> =>
    vscode.window.withProgress(cleaned(options, ['title']), (progress, token) =>
      work({ report: step => progress.report(cleaned(step, ['message'])) }, token),
    ),
};

/**
 * A text inside Markdown: signs are written as numbers, so that they make neither links, also without brackets, nor
 * anything else.
 */
export const inMarkdown = (text: string): string =>
  withoutMarkup(text).replace(/[^\p{L}\p{N} ]/gu, sign => `&#${sign.codePointAt(0)};`);
