import { createHash } from 'node:crypto';
import * as vscode from 'vscode';
import { pathPart, SETTINGS_INDEX, type SettingsFolder } from '../../shared/index.js';
import { t } from '../host/text.js';

/** The folder of an account's documents: one name for each account, also where a path cannot hold its own. */
export function folderName(account: string): string {
  const part = pathPart(account);
  return part === account ? part : `${part}~${createHash('sha256').update(account).digest('hex').slice(0, 6)}`;
}

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
  vscode.workspace.fs.stat(vscode.Uri.joinPath(root, SETTINGS_INDEX)).then(
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

/** Saves what is open and not saved in a folder, or one document of it: files are read and written, not editors. */
export async function saveIn(root: vscode.Uri, only?: string): Promise<void> {
  const at = only === undefined ? `${root.path}/` : `${root.path}/${only}`;
  for (const document of vscode.workspace.textDocuments) {
    const { uri } = document;
    const isIn = only === undefined ? uri.path.startsWith(at) : uri.path === at;
    if (!document.isDirty || !isIn || uri.scheme !== root.scheme || uri.authority !== root.authority) continue;
    if (!(await document.save()))
      throw new Error(t('{0} could not be saved. Save it, and try again.', uri.path.split('/').at(-1)!));
  }
}
