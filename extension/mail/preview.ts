import * as vscode from 'vscode';
import { wordsOfHtml, type Client } from '../../shared/index.js';
import type { AccountInfo } from '../accounts/store.js';
import { t } from '../host/text.js';
import { window } from '../host/window.js';
import { fileProvider } from './emlEditor.js';
import { hintsOf, titleOf } from './hints.js';
import { createReader } from './reader.js';

interface PreviewOptions {
  extension: vscode.Uri;
  showJson(label: string, value: unknown): Promise<void>;
  showText(name: string, language: string, text: () => Promise<string>): Promise<void>;
  /** Puts a message into the mail server of this window, which it starts where it does not run. */
  deliver(message: { subject: string; html: string; text: string }): Promise<void>;
}
/** A larger file is no mail, in bytes. */
const LARGEST = 10_000_000;

/**
 * Shows an HTML file as the mail that it becomes, again with each save; says what mail programs will not do with it.
 * Nothing is fetched.
 */
export async function previewMail(
  { extension, showJson, showText, deliver }: PreviewOptions,
  file: vscode.Uri,
): Promise<void> {
  const name = file.path.slice(file.path.lastIndexOf('/') + 1);
  const textFile = file.with({ path: file.path.replace(/\.html?$/i, '.txt') });
  const read = async () => {
    const bytes = await vscode.workspace.fs.readFile(file);
    const html = new TextDecoder().decode(bytes.subarray(0, LARGEST));
    const own =
      textFile.path === file.path
        ? undefined
        : await vscode.workspace.fs.readFile(textFile).then(
            text => new TextDecoder().decode(text.subarray(0, LARGEST)),
            () => undefined,
          );
    return { subject: titleOf(html) ?? name, html, text: own ?? (await wordsOfHtml(html)), hasText: own !== undefined };
  };
  /** What is shown; the hints are told of it. */
  let shown: ReturnType<typeof read> | undefined;
  const call = async () => {
    const { subject, html, text, hasText } = await (shown = read());
    return { id: 'message', to: [], subject, html, text, ...(hasText ? {} : { textFromHtml: true }), native: {} };
  };
  const changed = new vscode.EventEmitter<void>();
  const saved = vscode.workspace.onDidSaveTextDocument(({ uri }) => {
    if ([file.toString(), textFile.toString()].includes(uri.toString())) changed.fire();
  });
  const account: AccountInfo = { id: file.toString(), name: '', provider: fileProvider('message.get'), values: {} };
  const reader = createReader({
    extension,
    showJson,
    showText,
    compose() {},
    type: 'mailroom.preview',
    changed: changed.event,
    preferHtml: true,
    closed: () => {
      saved.dispose();
      changed.dispose();
    },
    accounts: { open: async () => ({ provider: account.provider, call }) as unknown as Client },
    operator: { run: async () => false },
    hints: async () => {
      const { html, hasText } = await (shown ?? read());
      return hintsOf(html, { hasText });
    },
    async deliver() {
      const { subject, html, text } = await read();
      await deliver({ subject, html, text });
      window.setStatusBarMessage('check', t('Sent to the local inbox: {0}', subject), 5000);
    },
  });
  await reader.read({
    account,
    resource: 'message',
    binding: { refs: { message: 'message' }, choices: {} },
    label: '',
  });
}
