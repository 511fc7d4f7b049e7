import * as vscode from 'vscode';
import { isLentId, type Accounts } from './accounts/store.js';
import { isSending, NOTHING_BOUND, operationOf } from './fields/tables.js';
import { unpackPlace } from './fields/values.js';
import { t } from './host/text.js';
import { COMPOSER, type Compose } from './mail/composer.js';
import type { Target } from './operations/target.js';
import { readKept, type Kept } from './webview/messages.js';
import { connectPage, type Back } from './webview/panel.js';
import type { Page } from './webview/policy.js';

interface RestoreOptions {
  extension: vscode.Uri;
  accounts: Accounts;
  read(target: Target, back: Back): Promise<void>;
  editLists(target: Target, resource: string, back: Back): void;
  compose: Compose;
  overview(target: Target, back: Back): void;
  requests(back: Back): void;
}

/** The account of this id, if it is still there. */
const accountOf = (accounts: Accounts, id: string | undefined) => accounts.list().find(one => one.id === id);

/** What a tab is shown in; it waits for its account where that has to be asked for its secret. */
const backIn = (accounts: Accounts, panel: vscode.WebviewPanel, account: string): Back => ({
  panel,
  hold: async () => {
    if (await accounts.ready(account)) return undefined;
    // The button asks, also soon after the user gave up elsewhere.
    accounts.askAgain(account);
    const name = accountOf(accounts, account)?.name ?? '';
    return { message: t('Sign in to {0} to show this again.', name), button: t('Sign In') };
  },
});

/** What a tab was about; undefined where its account is gone. */
function targetOf(accounts: Accounts, keep: Kept | undefined): Target | undefined {
  const place = unpackPlace(keep?.place ?? '');
  const account = accountOf(accounts, place?.account);
  return place && account
    ? {
        account,
        resource: place.resource,
        binding: { refs: place.refs, choices: place.choices ?? {} },
        label: keep?.label ?? '',
      }
    : undefined;
}

/** A tab whose account or object cannot be named any more. */
function showGone(extension: vscode.Uri, panel: vscode.WebviewPanel, page: Page, keep: Kept | undefined): void {
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
  const serve = (type: string, page: Page, show: (panel: vscode.WebviewPanel, keep: Kept) => boolean) =>
    vscode.window.registerWebviewPanelSerializer(type, {
      async deserializeWebviewPanel(panel, state: unknown) {
        const keep = readKept(state);
        if (!keep || !show(panel, keep)) showGone(extension, panel, page, keep);
      },
    });
  return vscode.Disposable.from(
    serve('mailroom.reader', 'reader', (panel, keep) => {
      const one = targetOf(accounts, keep);
      if (one) void read(one, backIn(accounts, panel, one.account.id));
      return one !== undefined;
    }),
    serve('mailroom.lists', 'lists', (panel, keep) => {
      const one = targetOf(accounts, keep);
      const list = keep.list ?? '';
      const offers = (verb: string) => one && operationOf(one.account.provider, `${list}.${verb}`) !== undefined;
      if (!one || !offers('list') || !offers('add')) return false;
      editLists(one, list, backIn(accounts, panel, one.account.id));
      return true;
    }),
    serve(COMPOSER, 'form', (panel, keep) => {
      const one = targetOf(accounts, keep);
      const operation = keep.operation ?? '';
      const as = keep.as === 'draft' || keep.as === 'again' ? keep.as : undefined;
      const writes = as === 'draft' ? operation === 'draft.create' : isSending(operation);
      if (!one || !writes || !operationOf(one.account.provider, operation)) return false;
      // Writing needs no account yet; sending asks for what it needs. What is read first needs one.
      const back = as ? backIn(accounts, panel, one.account.id) : { panel };
      compose(one, operation, { ...back, ...(keep.to ? { to: keep.to } : {}), all: keep.all === 'yes', as });
      return true;
    }),
    serve('mailroom.overview', 'overview', (panel, keep) => {
      const account = accountOf(accounts, keep.account);
      const whole = account && { account, resource: '', binding: NOTHING_BOUND, label: account.name };
      const one = targetOf(accounts, keep) ?? whole;
      if (one) overview(one, backIn(accounts, panel, one.account.id));
      return one !== undefined;
    }),
    serve('mailroom.requests', 'requests', panel => {
      requests({ panel });
      return true;
    }),
  );
}
