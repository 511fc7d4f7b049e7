import { open } from 'node:fs/promises';
import * as vscode from 'vscode';
import { csvTable, jsonTable } from '../fields/csv.js';
import { defaultFile } from '../host/fileNames.js';
import { explain } from '../host/problems.js';
import { t } from '../host/text.js';
import { window } from '../host/window.js';
import type { Values } from '../webview/messages.js';

/** Written at once, in characters. */
const CHUNK = 256 * 1024;

/**
 * Writes a list into a file as it comes, with a progress that can be cancelled and a summary. What was written so far
 * is readable, however it ends.
 */
export async function exportList(what: string, rows: (signal: AbortSignal) => AsyncIterable<Values>): Promise<void> {
  const where = await vscode.window.showSaveDialog({
    title: t('Export {0}', what),
    filters: { CSV: ['csv'], JSON: ['json'] },
    saveLabel: t('Export'),
    ...defaultFile(`${what}.csv`),
  });
  if (!where) return;
  const { written, cancelled, failed } = await window.withProgress(
    { location: vscode.ProgressLocation.Notification, title: t('Exporting {0}', what), cancellable: true },
    async (progress, token) => {
      const stop = new AbortController();
      const listening = token.onCancellationRequested(() => stop.abort());
      const table = /\.json$/i.test(where.path) ? jsonTable() : csvTable();
      const sink = where.scheme === 'file' ? await fileSink(where.fsPath) : memorySink(where);
      let count = 0;
      let failed: string | undefined;
      try {
        for await (const item of rows(stop.signal)) {
          if (stop.signal.aborted) break;
          await sink.write(table.row(item));
          if (++count % 100 === 0) progress.report({ message: t('{0} so far', count) });
        }
      } catch (error) {
        failed = stop.signal.aborted ? undefined : explain(t('Exporting {0}', what), error);
      } finally {
        listening.dispose();
      }
      await sink.end(table.end());
      return { written: count, cancelled: stop.signal.aborted, failed };
    },
  );
  const open = t('Open');
  const show = (picked: string | undefined) =>
    picked ? vscode.commands.executeCommand('vscode.open', where) : undefined;
  if (failed !== undefined) {
    void window
      .showErrorMessage(t('The export stopped after {0} rows, so the file is incomplete. {1}', written, failed), open)
      .then(show);
  } else if (cancelled) {
    void window
      .showWarningMessage(t('You cancelled the export after {0} rows, so the file is incomplete.', written), open)
      .then(show);
  } else void window.showInformationMessage(t('{0} rows were exported.', written), open).then(show);
}

interface Sink {
  write(text: string): Promise<void>;
  end(text: string): Promise<void>;
}
async function fileSink(path: string): Promise<Sink> {
  const file = await open(path, 'w');
  let parts: string[] = [];
  let size = 0;
  const flush = async () => {
    const text = parts.join('');
    parts = [];
    size = 0;
    if (text) await file.writeFile(text);
  };
  return {
    async write(text) {
      parts.push(text);
      size += text.length;
      if (size >= CHUNK) await flush();
    },
    async end(text) {
      try {
        parts.push(text);
        await flush();
      } finally {
        await file.close();
      }
    },
  };
}
const memorySink = (where: vscode.Uri): Sink => {
  const parts: string[] = [];
  return {
    async write(text) {
      parts.push(text);
    },
    async end(text) {
      await vscode.workspace.fs.writeFile(where, Buffer.from([...parts, text].join('')));
    },
  };
};
