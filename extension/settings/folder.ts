import * as vscode from 'vscode';
import type { SettingsFolder } from '../../shared/index.js';

/** The file that marks a folder of documents. */
const MARK = 'mailroom.json';

/** A folder of the workspace, wherever that is. */
export const settingsFolder = (root: vscode.Uri): SettingsFolder => ({
  async read(path) {
    try {
      return Buffer.from(await vscode.workspace.fs.readFile(vscode.Uri.joinPath(root, path))).toString('utf8');
    } catch (error) {
      if (error instanceof vscode.FileSystemError && error.code === 'FileNotFound') return undefined;
      throw error;
    }
  },
  write: async (path, text) => vscode.workspace.fs.writeFile(vscode.Uri.joinPath(root, path), Buffer.from(text)),
});

/** Whether something was pulled into a folder. */
export const isPulled = async (root: vscode.Uri): Promise<boolean> =>
  vscode.workspace.fs.stat(vscode.Uri.joinPath(root, MARK)).then(
    () => true,
    () => false,
  );

/** The folder of documents that a file belongs to, and its path there; undefined outside of any. */
export async function rootOf(file: vscode.Uri): Promise<{ root: vscode.Uri; path: string } | undefined> {
  const parts = file.path.split('/');
  // Documents lie four parts deep at most, below the account, a kind, a domain and an object.
  for (let up = 0; up <= 5 && parts.length - up > 1; up++) {
    const root = file.with({ path: parts.slice(0, parts.length - up).join('/') || '/', query: '', fragment: '' });
    if (await isPulled(root)) return { root, path: parts.slice(parts.length - up).join('/') };
  }
  return undefined;
}
