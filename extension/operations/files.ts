import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { mkdir, open, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as vscode from 'vscode';
import { unlessAborted, type FileValue } from '../../shared/index.js';
import { defaultFile, safeName } from '../host/fileNames.js';
import { t } from '../host/text.js';
import { window } from '../host/window.js';

/** A file of a provider, fetched when it is known where it goes; undefined where there is none after all. */
type Fetch = (signal: AbortSignal) => Promise<FileValue | undefined>;

/** Saves a file where the user says, as it comes in. Nothing stands there under its name before it is whole. */
export async function saveFile(name: string, fetch: Fetch): Promise<void> {
  const safe = safeName(name);
  const where = await vscode.window.showSaveDialog({ saveLabel: t('Save'), ...defaultFile(safe) });
  if (!where || !(await written(safe, where, fetch))) return;
  void window.showInformationMessage(t('Saved {0}.', safe), t('Open')).then(async picked => {
    if (picked && (await mayOpen(safe))) await show(where);
  });
}

/** Opens a file with the program that the system has for it, after a question that names it. */
export async function openFile(name: string, type: string, fetch: Fetch): Promise<void> {
  const safe = safeName(name);
  if (!(await mayOpen(safe, type))) return;
  const folder = join(temporary(), randomUUID());
  await mkdir(folder, { mode: 0o700 });
  const where = vscode.Uri.file(join(folder, safe));
  if (await written(safe, where, fetch)) await show(where);
}

let folder: string | undefined;
/** What was opened lies here until the window closes: another program may look at it for as long. */
function temporary(): string {
  if (!folder) {
    const made = (folder = mkdtempSync(join(tmpdir(), 'mailroom-')));
    process.once('exit', () => rmSync(made, { recursive: true, force: true }));
  }
  return folder;
}

/** Kinds of file that are looked at, not run. */
const LOOKED_AT =
  /\.(pdf|png|jpe?g|gif|webp|bmp|tiff?|heic|txt|md|csv|tsv|log|json|xml|ya?ml|ics|vcf|eml|docx|xlsx|pptx|odt|ods|odp|rtf|mp3|m4a|wav|ogg|mp4|mov|webm)$/i;
async function mayOpen(name: string, type = ''): Promise<boolean> {
  const harmless = LOOKED_AT.test(name);
  // What the user saved himself needs no question, unless it may run.
  if (harmless && !type) return true;
  const button = t('Open');
  return (
    (await window.showWarningMessage(
      type ? t('Open “{0}” ({1})?', name, type) : t('Open “{0}”?', name),
      {
        modal: true,
        detail: harmless
          ? t(
              'This file came with a message. It is saved to a temporary folder and opened with your system’s default app.',
            )
          : t('This file came with a message and can run programs. Open it only if you expected it from this sender.'),
      },
      button,
    )) === button
  );
}
/** The system's own program where there is one: an editor in a browser, or far away, shows the file itself. */
const show = (where: vscode.Uri) =>
  vscode.env.uiKind === vscode.UIKind.Desktop && !vscode.env.remoteName
    ? vscode.env.openExternal(where)
    : vscode.commands.executeCommand('vscode.open', where);

const written = (name: string, where: vscode.Uri, fetch: Fetch): Thenable<boolean> =>
  window.withProgress(
    { location: vscode.ProgressLocation.Notification, title: t('Saving {0}', name), cancellable: true },
    async (_, token) => {
      const stop = new AbortController();
      const listening = token.onCancellationRequested(() => stop.abort());
      try {
        const file = await fetch(stop.signal);
        if (!file) return false;
        if (where.scheme === 'file') await toDisk(where.fsPath, chunks(file.open(), stop.signal));
        else {
          const parts: Uint8Array[] = [];
          for await (const part of chunks(file.open(), stop.signal)) parts.push(part);
          await vscode.workspace.fs.writeFile(where, Buffer.concat(parts));
        }
        return true;
      } finally {
        listening.dispose();
      }
    },
  );
async function toDisk(path: string, from: AsyncIterable<Uint8Array>): Promise<void> {
  const part = `${path}.${randomUUID().slice(0, 8)}.part`;
  const file = await open(part, 'wx');
  try {
    try {
      for await (const one of from) await file.writeFile(one);
    } finally {
      await file.close();
    }
    await rename(part, path);
  } catch (error) {
    await rm(part, { force: true });
    throw error;
  }
}
/** What comes in until it is cancelled: a source that stands still does not hold up whoever gave up waiting for it. */
async function* chunks(source: AsyncIterable<Uint8Array>, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  const iterator = source[Symbol.asyncIterator]();
  try {
    for (;;) {
      const { done, value } = await unlessAborted(iterator.next(), signal);
      if (done) return;
      yield value;
    }
  } finally {
    void iterator.return?.().catch(() => {});
  }
}
