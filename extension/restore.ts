import * as vscode from 'vscode';
import { isLentId, type Accounts } from './accounts/store.js';
import { isSending, NOTHING_BOUND, operationOf } from './fields/tables.js';
import { unpackPlace } from './fields/values.js';
import { t } from './host/text.js';
import { COMPOSER } from './mail/composer.js';
import type { Target } from './operations/target.js';
import { readKept, type Kept } from './webview/messages.js';
import { connectPage, type Back } from './webview/panel.js';
import type { Page } from './webview/policy.js';

interface RestoreOptions {
  extension: vscode.Uri;
  accounts: Accounts;
  read(target: Target, back: Back): Promise<void>;
  editLists(target: Target, resource: string, back: Back): void;
  compose(target: Target, operation: string, back: Back & { to?: string; all?: boolean }): void;
  overview(target: Target, back: Back): void;
  requests(back: Back): void;
}

/**
 * Tabs that were open when the window closed. Only a tab that is in sight is filled, and none asks for a secret by
 * itself: it says what is missing and waits for a click.
 */
export function restoreTabs({
  extension,
  accounts,
  read,
  editLists,
  compose,
  overview,
  requests,
}: RestoreOptions): vscode.Disposable {
  const info = (id: string | undefined) => accounts.list().find(one => one.id === id);
  const back = (panel: vscode.WebviewPanel, account: string): Back => ({
    panel,
    hold: async () => {
      if (await accounts.ready(account)) return undefined;
      // The button asks, also soon after the user gave up elsewhere.
      accounts.askAgain(account);
      return { message: t('Sign in to {0} to show this again.', info(account)?.name ?? ''), button: t('Sign In') };
    },
  });
  /** A tab whose account or object cannot be named any more. */
  const gone = (panel: vscode.WebviewPanel, page: Page, keep: Kept | undefined) => {
    const id = unpackPlace(keep?.place ?? '')?.account ?? keep?.account ?? '';
    const sandbox = isLentId(id);
    void connectPage(panel.webview, panel.onDidDispose, {
      page,
      extension,
      answer: () => undefined,
      async ready(again) {
        if (again) await vscode.commands.executeCommand(sandbox ? 'mailroom.addSandboxAccount' : 'mailroom.addAccount');
      },
      hold: async () =>
        keep
          ? {
              message: t(
                'This tab belongs to an account that no longer exists. Add the account, then open this again from the tree.',
              ),
              button: sandbox ? t('Add Sandbox Account') : t('Add Account'),
            }
          : { message: t('VS Code closed before this tab was saved. Open it again from the tree.') },
    });
  };
  const target = (keep: Kept | undefined): Target | undefined => {
    const place = unpackPlace(keep?.place ?? '');
    const account = info(place?.account);
    return place && account
      ? {
          account,
          resource: place.resource,
          binding: { refs: place.refs, choices: place.choices ?? {} },
          label: keep?.label ?? '',
        }
      : undefined;
  };
  const serve = (type: string, page: Page, show: (panel: vscode.WebviewPanel, keep: Kept) => boolean) =>
    vscode.window.registerWebviewPanelSerializer(type, {
      async deserializeWebviewPanel(panel, state: unknown) {
        const keep = readKept(state);
        if (!keep || !show(panel, keep)) gone(panel, page, keep);
      },
    });
  return vscode.Disposable.from(
    serve('mailroom.reader', 'reader', (panel, keep) => {
      const one = target(keep);
      if (one) void read(one, back(panel, one.account.id));
      return one !== undefined;
    }),
    serve('mailroom.lists', 'lists', (panel, keep) => {
      const one = target(keep);
      const list = keep.list ?? '';
      if (
        !one ||
        !operationOf(one.account.provider, `${list}.list`) ||
        !operationOf(one.account.provider, `${list}.add`)
      )
        return false;
      editLists(one, list, back(panel, one.account.id));
      return true;
    }),
    serve(COMPOSER, 'form', (panel, keep) => {
      const one = target(keep);
      const operation = keep.operation ?? '';
      if (!one || !isSending(operation) || !operationOf(one.account.provider, operation)) return false;
      // Writing needs no account yet; sending asks for what it needs.
      compose(one, operation, { panel, ...(keep.to ? { to: keep.to } : {}), all: keep.all === 'yes' });
      return true;
    }),
    serve('mailroom.overview', 'overview', (panel, keep) => {
      const account = info(keep.account);
      const one = target(keep) ?? (account && { account, resource: '', binding: NOTHING_BOUND, label: account.name });
      if (one) overview(one, back(panel, one.account.id));
      return one !== undefined;
    }),
    serve('mailroom.requests', 'requests', panel => {
      requests({ panel });
      return true;
    }),
  );
}
