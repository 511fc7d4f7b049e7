import { randomUUID } from 'node:crypto';
import * as vscode from 'vscode';
import { t } from './text.js';

/**
 * Texts shown as read-only documents, which VS Code searches, copies and compares: raw messages, headers, objects as
 * JSON.
 */
const SCHEME = 'mailroom-text';
/** So many texts are kept at once; what was closed is forgotten. */
const KEPT = 50;

export function createReadOnly() {
  const texts = new Map<string, string>();
  const registered = [
    vscode.workspace.registerTextDocumentContentProvider(SCHEME, {
      provideTextDocumentContent: uri =>
        texts.get(uri.query) ?? t('This text is no longer available. Open it again from where you opened it.'),
    }),
    vscode.workspace.onDidCloseTextDocument(({ uri }) => {
      if (uri.scheme === SCHEME) texts.delete(uri.query);
    }),
  ];
  return {
    async show(name: string, language: string, text: () => Promise<string>): Promise<void> {
      // A tab of an earlier session must never show a text of this one.
      const key = randomUUID();
      texts.set(key, await text());
      if (texts.size > KEPT) texts.delete(texts.keys().next().value!);
      const uri = vscode.Uri.from({
        scheme: SCHEME,
        path: `/${name.replace(/[/\\?#\p{Cc}]/gu, '_').slice(0, 80) || 'text'}`,
        query: key,
      });
      try {
        const document = await vscode.workspace.openTextDocument(uri);
        await vscode.languages.setTextDocumentLanguage(document, language).then(undefined, () => {});
        await vscode.window.showTextDocument(document, { preview: true });
      } catch (error) {
        texts.delete(key);
        throw error;
      }
    },
    dispose() {
      for (const one of registered) one.dispose();
      texts.clear();
    },
  };
}
