import * as vscode from 'vscode';
import { t } from '../host/text.js';
import { window } from '../host/window.js';
import { openPanel, type Back } from '../webview/panel.js';
import { commandLine, programOf } from './commandLine.js';
import type { RequestLog } from './log.js';

/** The inspector of the last exchanges, which follows along while it is open. */
export function openRequests(extension: vscode.Uri, requests: RequestLog, back?: Back): void {
  const post = () => made?.connected.post({ type: 'requests', lines: [...requests.lines()] });
  let timer: NodeJS.Timeout | undefined;
  const stop = requests.listen(() => {
    timer ??= setTimeout(() => {
      timer = undefined;
      post();
    }, 300);
  });
  const made = openPanel({
    page: 'requests',
    extension,
    ...back,
    keep: {},
    identity: 'requests',
    title: t('Mailroom Requests'),
    icon: 'pulse',
    ready: post,
    onClosed: () => {
      stop();
      clearTimeout(timer);
    },
    async answer(ask) {
      const line = ask.do === 'copyRequest' ? requests.lines().find(({ id }) => id === ask.request) : undefined;
      if (line) {
        await vscode.env.clipboard.writeText(commandLine(line));
        window.setStatusBarMessage(
          'check',
          t(
            'Copied for {0}, without secrets and without what was sent. The quotes are those of POSIX shells.',
            programOf(line),
          ),
          5000,
        );
      }
      if (ask.do === 'wire') return requests.wire(ask.request);
      if (ask.do === 'sendAgain') await requests.again(ask.request);
      if (ask.do === 'clear') requests.clear();
      post();
      return undefined;
    },
  });
  if (!made) stop();
}
