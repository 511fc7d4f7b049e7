import * as vscode from 'vscode';

/**
 * Makes a document one that was changed while it was being saved, without changing a letter of it: its first letter is
 * put in its own place. VS Code keeps such a document as unsaved when the save is over. False where that could not be
 * done.
 */
export async function keepChanged(document: vscode.TextDocument): Promise<boolean> {
  const [first] = document.getText();
  const before = document.version;
  if (first === undefined) return false;
  const range = new vscode.Range(document.positionAt(0), document.positionAt(first.length));
  const editor = vscode.window.visibleTextEditors.find(one => one.document === document);
  // In an editor it can be part of the edit before it, so that Undo takes back what the user did last.
  if (editor)
    await editor.edit(builder => builder.replace(range, first), { undoStopBefore: false, undoStopAfter: false });
  else {
    const edit = new vscode.WorkspaceEdit();
    edit.replace(document.uri, range, first);
    await vscode.workspace.applyEdit(edit);
  }
  return document.version !== before;
}
