import * as vscode from 'vscode';
import { readText, same, textOf } from '../fields/values.js';
import { t } from '../host/text.js';

/** So often an edit is made that meets another one. */
const TRIES = 5;

/** The last edit of each document: two at once would be made of the same text, and the second refused. */
const edits = new WeakMap<vscode.TextDocument, Promise<unknown>>();
/** Does something with a document after all that was begun with it before. */
export function inTurn(document: vscode.TextDocument, work: () => Promise<void>): Promise<void> {
  const mine = (edits.get(document) ?? Promise.resolve()).then(work);
  edits.set(
    document,
    mine.catch(() => {}),
  );
  return mine;
}
/** Writes the value of a field into a document. */
export async function writeValue(document: vscode.TextDocument, field: string, value: unknown): Promise<void> {
  for (let tries = 1; ; tries++) {
    const now = readText(document.getText());
    const text = textOf({ ...now, [field]: value ?? null });
    if (same(now[field], value) || text === document.getText()) return;
    const change = new vscode.WorkspaceEdit();
    change.replace(document.uri, new vscode.Range(0, 0, document.lineCount, 0), text);
    if (await vscode.workspace.applyEdit(change)) return;
    // It was made of a text that was changed since, by the end of a save or in another editor.
    if (tries === TRIES) throw new Error(t('The change could not be applied.'));
  }
}
