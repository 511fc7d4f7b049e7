import * as vscode from 'vscode';

/**
 * Opens an address in the browser, letter by letter. Given a `Uri`, VS Code forgets which signs were escaped, and an
 * address that carries another one breaks (microsoft/vscode#85930); given text, it opens what it was given.
 */
export const openInBrowser = (address: string): Thenable<boolean> =>
  vscode.env.openExternal(address as unknown as vscode.Uri);
