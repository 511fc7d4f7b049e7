import { build } from 'esbuild';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import * as text from '../../extension/host/text.js';
import * as core from '../../shared/index.js';

const root = join(__dirname, '../..');

/**
 * A module of the extension over a pretended VS Code. Each call has modules of its own, so that no test finds the
 * panels of another.
 */
export async function withVscode<T>(module: string, vscode: object): Promise<T> {
  const { outputFiles } = await build({
    entryPoints: [join(root, 'extension', module)],
    bundle: true,
    write: false,
    platform: 'node',
    format: 'cjs',
    target: 'node20',
    external: ['vscode'],
    mainFields: ['module', 'main'],
    plugins: [
      {
        name: 'core',
        setup: at => {
          at.onResolve({ filter: /\/shared\/index\.js$|\/text\.js$/ }, ({ path }) => ({
            path: path.endsWith('text.js') ? 'text' : 'core',
            external: true,
          }));
        },
      },
    ],
  });
  const made = { exports: {} as T };
  const outside = createRequire(join(root, 'package.json'));
  new Function('module', 'exports', 'require', '__dirname', outputFiles[0]!.text)(
    made,
    made.exports,
    (name: string) => (name === 'vscode' ? vscode : name === 'text' ? text : name === 'core' ? core : outside(name)),
    root,
  );
  return made.exports;
}

type Heard = (given: unknown) => unknown;
interface Panel {
  type: string;
  title: string;
  html: string;
  options: unknown;
  shown: { enableFindWidget?: boolean; retainContextWhenHidden?: boolean };
  closed: boolean;
  posted: { type: string; [key: string]: unknown }[];
  hear: Heard;
  close(): void;
}

/**
 * As much of VS Code as the panels need: what they post and show is kept, and questions are answered by `answers`, by
 * the beginning of their text.
 */
export function pretended(answers: Record<string, unknown> = {}) {
  const panels: Panel[] = [];
  const said: string[] = [];
  const proposed: string[] = [];
  const opened: string[] = [];
  const progress: { reports: number; cancel(): void; at?(report: number): void } = { reports: 0, cancel() {} };
  const ask = async (text: string) => {
    said.push(text);
    return Object.entries(answers).find(([begin]) => text.startsWith(begin))?.[1];
  };
  const uri = (path: string) => ({ path, scheme: 'file', fsPath: path, toString: () => `file://${path}` });
  const vscode = {
    Uri: {
      joinPath: (base: { path: string }, ...parts: string[]) => uri(join(base.path, ...parts)),
      file: uri,
      parse: (text: string) => uri(text.replace('file://', '')),
    },
    ThemeIcon: class {},
    CancellationError: class extends Error {
      override name = 'Canceled';
    },
    ViewColumn: { Active: -1 },
    ProgressLocation: { Notification: 15 },
    env: {
      language: 'en',
      uiKind: 1,
      openExternal: async (at: { path: string }) => {
        opened.push(at.path);
        return true;
      },
    },
    commands: { executeCommand: async () => undefined },
    workspace: { getConfiguration: () => ({ get: (_: string, usual: unknown) => usual }) },
    UIKind: { Desktop: 1, Web: 2 },
    window: {
      showSaveDialog: async (given: { defaultUri?: { path: string } }) => {
        proposed.push(given.defaultUri?.path ?? '');
        return answers.save ? uri(String(answers.save)) : undefined;
      },
      withProgress: (_: unknown, work: (progress: object, token: object) => unknown) =>
        work(
          {
            report() {
              progress.reports++;
              progress.at?.(progress.reports);
            },
          },
          {
            isCancellationRequested: false,
            onCancellationRequested: (hear: () => void) => {
              progress.cancel = hear;
              return { dispose() {} };
            },
          },
        ),
      showWarningMessage: ask,
      showInformationMessage: ask,
      showErrorMessage: ask,
      createWebviewPanel(type: string, title: string, _: unknown, shown: Panel['shown']) {
        const gone: (() => void)[] = [];
        const one: Panel = {
          type,
          title,
          html: '',
          options: undefined,
          shown,
          closed: false,
          posted: [],
          hear: () => {},
          close: () => {
            if (!one.closed) {
              one.closed = true;
              for (const tell of [...gone]) tell();
            }
          },
        };
        panels.push(one);
        return {
          webview: {
            cspSource: 'https://pages.example',
            asWebviewUri: (at: { path: string }) => `https://pages.example${at.path}`,
            postMessage: async (message: never) => one.posted.push(message),
            onDidReceiveMessage: (hear: Heard) => {
              one.hear = hear;
              return {
                dispose: () => {
                  one.hear = () => {};
                },
              };
            },
            set options(given: unknown) {
              one.options = given;
            },
            set html(text: string) {
              one.html = text;
            },
          },
          onDidDispose: (tell: () => void) => {
            gone.push(tell);
            return { dispose() {} };
          },
          reveal() {},
          dispose: () => one.close(),
          set title(text: string) {
            one.title = text;
          },
        };
      },
    },
  };
  let asked = 0;
  return {
    vscode,
    panels,
    said,
    proposed,
    opened,
    progress,
    extension: uri('/extension'),
    /** Asks as a page does, and gives the reply. */
    async ask(
      panel: Panel,
      ask: object,
    ): Promise<{ ok: boolean; message?: string; value?: unknown; issues?: { field?: string }[] } | undefined> {
      const id = ++asked;
      await panel.hear({ type: 'ask', id, ask });
      return panel.posted.find(one => one.type === 'reply' && one.id === id) as never;
    },
  };
}
