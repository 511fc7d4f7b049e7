import { createWriteStream } from 'node:fs';
import { once } from 'node:events';
import { finished } from 'node:stream/promises';
import * as vscode from 'vscode';
import { cell, columnsOf, csvRow } from './csv.js';
import type { Values } from './form/messages.js';
import { t } from './words.js';

/** Writes a list into a file as it comes, with a progress that can be cancelled and a summary. */
export async function exportList(what: string, rows: (signal: AbortSignal) => AsyncIterable<Values>): Promise<void> {
  const where = await vscode.window.showSaveDialog({ title: t('Export {0}', what), filters: { CSV: ['csv'], JSON: ['json'] }, saveLabel: t('Export') });
  if (!where) return;
  const json = /\.json$/i.test(where.path);
  const count = await vscode.window.withProgress({ location: vscode.ProgressLocation.Notification, title: t('Exporting {0}', what), cancellable: true }, async (progress, token) => {
    const stop = new AbortController(), listening = token.onCancellationRequested(() => stop.abort());
    const sink = where.scheme === 'file' ? fileSink(where.fsPath) : memorySink(where);
    let written = 0, first: Values[] = [], columns: string[] | undefined;
    // The columns of a table are those of its first thousand rows: a vendor's objects are alike.
    const row = async (item: Values) => sink.write(json ? `${written === 0 ? '[\n' : ',\n'}${JSON.stringify(item)}` : csvRow(item, columns!));
    const begin = async () => { columns = columnsOf(first); if (!json) await sink.write(`\ufeff${columns.map(cell).join(',')}\r\n`); for (const item of first) { await row(item); written++; } first = []; };
    try {
      for await (const item of rows(stop.signal)) {
        if (stop.signal.aborted) break;
        if (!columns) { first.push(item); if (first.length >= 1000) await begin(); } else { await row(item); written++; }
        if ((written + first.length) % 200 === 0) progress.report({ message: t('{0} so far', written + first.length) });
      }
      if (!columns) await begin();
      if (json) await sink.write(written === 0 ? '[]\n' : '\n]\n');
    } catch (error) { if (!stop.signal.aborted) throw error; } finally { listening.dispose(); await sink.end(); }
    return stop.signal.aborted ? -written - 1 : written;
  });
  if (count < 0) { void vscode.window.showWarningMessage(t('The export was cancelled after {0} rows; the file is not complete.', -count - 1)); return; }
  void vscode.window.showInformationMessage(t('{0} rows were exported.', count), t('Open')).then(picked => picked ? vscode.commands.executeCommand('vscode.open', where) : undefined);
}
const fileSink = (path: string) => {
  const stream = createWriteStream(path);
  return { async write(text: string) { if (!stream.write(text)) await once(stream, 'drain'); }, async end() { stream.end(); await finished(stream); } };
};
const memorySink = (where: vscode.Uri) => {
  const parts: string[] = [];
  return { async write(text: string) { parts.push(text); }, async end() { await vscode.workspace.fs.writeFile(where, Buffer.from(parts.join(''))); } };
};
