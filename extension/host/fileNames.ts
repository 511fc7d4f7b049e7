import { homedir } from 'node:os';
import * as vscode from 'vscode';

/**
 * A proposal for a save dialog: in the open folder, else in the user's own, with a name that every file system takes.
 */
export const defaultFile = (name: string): { defaultUri: vscode.Uri } => ({
  defaultUri: vscode.Uri.joinPath(userFolder(), safeName(name)),
});
/** The open folder, else the user's own. */
export const userFolder = (): vscode.Uri => vscode.workspace.workspaceFolders?.[0]?.uri ?? vscode.Uri.file(homedir());
/** The most of a name, in bytes: file systems take 255, and something may be put before it. */
const LONGEST_NAME = 200;
/** A name that every file system takes, with its ending however long it is. */
export function safeName(name: string): string {
  const clean = name
    .replace(/[\\/:*?"<>|\p{Cc}\p{Cf}]/gu, '_')
    .replace(/^\.+/, '_')
    .replace(/[. ]+$/, '');
  // Windows takes these for devices, whatever their ending (learn.microsoft.com/windows/win32/fileio/naming-a-file).
  if (/^(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9\u00b9\u00b2\u00b3])[ ]*(\.|$)/i.test(clean))
    return safeName(`_${clean}`);
  const ending = /.(\.[\p{L}\p{N}]{1,12})$/u.exec(clean)?.[1] ?? '';
  const stem = [...clean.slice(0, clean.length - ending.length).slice(0, LONGEST_NAME)];
  while (Buffer.byteLength(stem.join('')) + Buffer.byteLength(ending) > LONGEST_NAME) stem.pop();
  return stem.join('') + ending || 'file';
}
