import * as vscode from 'vscode';
import { isCancel } from '../host/problems.js';
import { t } from '../host/text.js';
import { window } from '../host/window.js';

/** How many objects of a selection are worked on at once. */
const AT_A_TIME = 4;

/**
 * What became of work on many things: how many were done, which were under way when it was cancelled, and which were
 * not begun.
 */
export interface Outcome {
  done: number;
  unknown: string[];
  left: string[];
}
/** Work on many things: so many at once, with a progress that can be cancelled. */
export async function inBulk<T extends { label: string }>(
  what: string,
  things: readonly T[],
  work: (thing: T, signal: AbortSignal) => Promise<void>,
  failed: (thing: T, error: unknown) => void,
): Promise<Outcome> {
  let done = 0;
  const queue = [...things];
  const unknown: string[] = [];
  await window.withProgress(
    { location: vscode.ProgressLocation.Notification, title: what, cancellable: true },
    async (progress, token) => {
      const stop = new AbortController();
      const listening = token.onCancellationRequested(() => stop.abort());
      let begun = 0;
      const worker = async () => {
        for (
          let thing = stop.signal.aborted ? undefined : queue.shift();
          thing;
          thing = stop.signal.aborted ? undefined : queue.shift()
        ) {
          progress.report({ message: `${thing.label} (${++begun}/${things.length})`, increment: 100 / things.length });
          try {
            await work(thing, stop.signal);
            done++;
          } catch (error) {
            if (stop.signal.aborted || isCancel(error)) unknown.push(thing.label);
            else failed(thing, error);
          }
        }
      };
      await Promise.all(Array.from({ length: Math.min(AT_A_TIME, things.length) }, worker));
      listening.dispose();
    },
  );
  return { done, unknown, left: queue.map(({ label }) => label) };
}

/** Shows a value as JSON. */
type ShowJson = (label: string, value: unknown) => Promise<void>;
/**
 * Ends work on many things: how many were done, which failed and why, what a cancellation left, and what it was not
 * for.
 */
export function summarize(
  showJson: ShowJson,
  what: string,
  { done, left, unknown }: Outcome,
  failures: readonly string[],
  skipped: readonly string[] = [],
  next?: { label: string; run(): void },
): void {
  const cut = [
    ...unknown.map(label => t('{0}: cancelled while it was running. Check before you try again.', label)),
    ...left.map(label => t('{0}: not started, because you cancelled.', label)),
  ];
  const said = [
    t('{0}: {1} done', what, done),
    ...(failures.length ? [t('{0} failed', failures.length)] : []),
    ...(cut.length ? [t('{0} cancelled', cut.length)] : []),
    ...(skipped.length ? [t('{0} skipped', skipped.length)] : []),
  ].join(', ');
  const details = [...failures, ...cut, ...skipped];
  const show = t('Show');
  const tell = failures.length || cut.length ? window.showWarningMessage : window.showInformationMessage;
  void tell(`${said}.`, ...(next ? [next.label] : []), ...(details.length ? [show] : [])).then(picked =>
    picked === show ? showJson(what, details) : picked === undefined ? undefined : next?.run(),
  );
}
