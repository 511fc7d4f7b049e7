import type * as vscode from 'vscode';
import { t } from '../host/text.js';
import { window } from '../host/window.js';

/**
 * Says in the status bar that an account waits before it tries again, and counts the seconds down: the longest wait
 * where there are several.
 */
export function createRetryStatus(
  now: () => number = Date.now,
): vscode.Disposable & { wait(account: string, seconds: number): void } {
  const item = window.createStatusBarItem('clock');
  const until = new Map<string, number>();
  let timer: NodeJS.Timeout | undefined;
  const draw = () => {
    for (const [account, end] of until) if (end <= now()) until.delete(account);
    const [first] = [...until].sort(([, a], [, b]) => b - a);
    if (first) {
      item.show(t('{0}: retrying in {1} s', first[0], Math.ceil((first[1] - now()) / 1000)));
      timer ??= setInterval(draw, 1000);
    } else {
      item.hide();
      clearInterval(timer);
      timer = undefined;
    }
  };
  return {
    /** What is over in less than a second is not worth a word. */
    wait(account, seconds) {
      if (seconds >= 1) {
        until.set(account, Math.max(until.get(account) ?? 0, now() + seconds * 1000));
        draw();
      }
    },
    dispose() {
      clearInterval(timer);
      item.dispose();
    },
  };
}
