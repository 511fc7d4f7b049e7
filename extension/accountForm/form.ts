import * as vscode from 'vscode';
import {
  authorization,
  exchangeCode,
  isMailError,
  MailError,
  readRedirect,
  validate,
  type Fields,
  type OAuth2Tokens,
  type Provider,
  type Send,
} from '../../shared/index.js';
import { startSandbox } from '../accounts/sandbox.js';
import {
  fieldsOf,
  grantOf,
  OAUTH_FIELDS,
  parted,
  readSandboxLine,
  signsInAgain,
  type Accounts,
  type Remember,
  type Secrets,
  type StoredAccount,
} from '../accounts/store.js';
import { isThere, readExport, trustedBy, writeExport } from '../accounts/transfer.js';
import { localizedProviders } from '../fields/localized.js';
import { check, firstValues, isSecretField } from '../fields/values.js';
import { openForm } from '../form/ask.js';
import { openInBrowser } from '../host/browser.js';
import { defaultFile } from '../host/fileNames.js';
import { t } from '../host/text.js';
import { window } from '../host/window.js';
import type { Values } from '../webview/messages.js';
import { createRedirects } from './redirects.js';

/** Asks for the secrets of an account that does not have them, one box each. Undefined when the user gives up. */
export async function askSecrets(account: StoredAccount, send?: Send): Promise<Secrets | undefined> {
  const provider = localizedProviders().find(({ id }) => id === account.provider);
  if (!provider) return undefined;
  if (grantOf(provider, account.values)) {
    // The app's own secret was not remembered either; and no browser opens unasked.
    const clientSecret = await window.showInputBox({
      title: t('{0} needs a sign-in in the browser.', account.name),
      prompt: [t(OAUTH_FIELDS.clientSecret.label), t(OAUTH_FIELDS.clientSecret.help)].join('. '),
      password: true,
      ignoreFocusOut: true,
    });
    if (clientSecret === undefined) return undefined;
    const signed = await signIn(provider, account, clientSecret || undefined, send);
    return signed && { ...signed, ...(clientSecret ? { clientSecret } : {}) };
  }
  const fields = fieldsOf(provider);
  const secret: Secrets = {};
  const wanted = Object.entries(fields).filter(
    ([name, field]) => isSecretField(fields, name) && (field.required || name === 'password'),
  );
  for (const [i, [name, field]] of wanted.entries()) {
    const given = await window.showInputBox({
      title: wanted.length > 1 ? `${account.name} (${i + 1}/${wanted.length})` : account.name,
      prompt: [field.label, field.help].filter(Boolean).join('. '),
      password: true,
      ignoreFocusOut: true,
      validateInput: value => check(fields, name, value),
    });
    if (given === undefined) return undefined;
    secret[name] = given;
  }
  return wanted.length ? secret : undefined;
}

const returns = createRedirects();
let warned: Thenable<unknown> | undefined;
export const uriHandler: vscode.UriHandler = {
  handleUri(uri) {
    // One harmless path, and only for a sign-in that was started here.
    if (uri.path !== '/oauth' || returns.arrived(uri.query) || warned) return;
    warned = window
      .showWarningMessage(t('This window did not start that sign-in, or it has ended. Nothing was saved.'))
      .then(() => {
        warned = undefined;
      });
  },
};
let extensionId = 'mailroom.mailroom';
export const setExtensionId = (id: string): void => {
  extensionId = id;
};
const inBrowser = (): boolean => vscode.env.uiKind === vscode.UIKind.Web;
const ownRedirect = (): string => `${vscode.env.uriScheme}://${extensionId}/oauth`;
/**
 * Where the browser comes back to. On the desktop always the same address, because vendors want it registered letter by
 * letter and the one that VS Code makes names the window; in a browser only the one that VS Code makes finds its tab.
 */
const redirectFor = async (account: StoredAccount): Promise<string> =>
  account.values.redirectUri
    ? String(account.values.redirectUri)
    : inBrowser()
      ? (await vscode.env.asExternalUri(vscode.Uri.parse(ownRedirect()))).toString(true)
      : ownRedirect();

/** A sign-in that nobody finishes is over after this long, in milliseconds. */
const PATIENCE = 15 * 60_000;

/**
 * The grant in the browser. The address it comes back to is ours, or pasted by the user where no link reaches this
 * window. Undefined when the user gives up.
 */
export async function signIn(
  of: Provider,
  account: StoredAccount,
  clientSecret: string | undefined,
  send?: Send,
): Promise<{ tokens: OAuth2Tokens; signedInAt: string } | undefined> {
  const provider = grantOf(of, account.values) ?? of;
  const redirectUri = await redirectFor(account);
  const app = {
    clientId: String(account.values.clientId ?? ''),
    redirectUri,
    ...(clientSecret ? { clientSecret } : {}),
  };
  const { url, state, verifier } = await authorization({ provider, account: account.values, app });
  // Expected before the browser opens: one that is signed in already comes back at once.
  let end: (address: string | undefined) => void = () => {};
  const came = new Promise<string | undefined>(resolve => {
    end = resolve;
  });
  const forget = returns.expect(state, address => end(address));
  try {
    if (!(await openInBrowser(url))) {
      const copy = t('Copy URL');
      if (
        (await window.showWarningMessage(t('Your browser did not open. Open the sign-in URL yourself.'), copy)) !== copy
      )
        return undefined;
      await vscode.env.clipboard.writeText(url);
    }
    const address = await window.withProgress(
      {
        location: vscode.ProgressLocation.Notification,
        title: t('Waiting for the sign-in at {0}…', provider.name),
        cancellable: true,
      },
      async (_, token) => {
        const box = window.createInputBox();
        const timer = setTimeout(() => end(undefined), PATIENCE);
        let over = false;
        token.onCancellationRequested(() => end(undefined));
        box.title = t('Sign in at {0}', provider.name);
        box.placeholder = t('Final URL');
        box.prompt = t('Continue in your browser. If VS Code doesn’t take over, paste the final URL here.');
        box.ignoreFocusOut = true;
        box.onDidAccept(async () => {
          const address = box.value.trim();
          const complaint = await notOurs(address, state, { provider, account: account.values });
          if (complaint === undefined) end(address);
          else box.validationMessage = complaint;
        });
        // Another box, or Escape, takes this one away; the sign-in goes on, and so does the way to paste.
        box.onDidHide(() => {
          if (over) return;
          const paste = t('Paste URL…');
          void window
            .showInformationMessage(t('The sign-in at {0} is still waiting for your browser.', provider.name), paste)
            .then(picked => {
              if (picked && !over) box.show();
            });
        });
        box.show();
        try {
          return await came;
        } finally {
          over = true;
          clearTimeout(timer);
          box.dispose();
        }
      },
    );
    return address === undefined ? undefined : await exchanged(address);
  } finally {
    forget();
  }

  async function exchanged(address: string): Promise<{ tokens: OAuth2Tokens; signedInAt: string }> {
    const tokens = await exchangeCode({
      provider,
      account: account.values,
      app,
      ...(send ? { send } : {}),
      verifier,
      code: await readRedirect(address, state, { provider, account: account.values }),
    });
    return { tokens, signedInAt: redirectUri };
  }
}
/** Why a pasted address does not belong to this sign-in. That consent was refused is an answer like any other. */
async function notOurs(
  address: string,
  state: string,
  asked: Parameters<typeof readRedirect>[2],
): Promise<string | undefined> {
  if (!URL.canParse(address)) return t('This is not a URL. Copy the whole URL from your browser.');
  try {
    await readRedirect(address, state, asked);
  } catch (error) {
    if (!isMailError(error) || error.code !== 'forbidden') return (error as Error).message;
  }
  return undefined;
}

const REMEMBER = (): Fields => ({
  accountName: {
    type: 'text',
    label: t('Name of the Account'),
    maxLength: 80,
    group: t('This Account'),
    help: t('The name shown in the tree. Leave empty to use the provider’s name.'),
  },
  remember: {
    type: 'choice',
    label: t('Remember Secrets'),
    required: true,
    default: 'keep',
    group: t('This Account'),
    choices: {
      keep: t('Keep in the secret store'),
      session: t('For this session'),
      never: t('Never, and ask again after ten idle minutes'),
    },
    help: t('Secrets are kept in VS Code’s encrypted store only, never in settings or files.'),
  },
});

/**
 * The form of an account, new or there already: fields from the table, checked against the vendor before it is stored.
 */
export function openAccountForm(
  extension: vscode.Uri,
  accounts: Accounts,
  provider: Provider,
  before?: StoredAccount,
  log?: vscode.LogOutputChannel,
): void {
  const own = fieldsOf(provider);
  const extra = REMEMBER();
  // A secret that is stored already need not be given again.
  const fields: Fields = {
    ...Object.fromEntries(
      Object.entries(own).map(([name, field]) => [
        name,
        before && isSecretField(own, name) ? { ...field, required: false } : field,
      ]),
    ),
    ...extra,
  };
  const shown: Values = Object.fromEntries(
    Object.entries(own)
      .filter(([name]) => !isSecretField(own, name))
      .map(([name, field]) => [
        name,
        before ? (before.values[name] ?? field.default ?? null) : (firstValues(own, true)[name] ?? null),
      ]),
  );
  openForm({
    extension,
    identity: `account ${before?.id ?? provider.id}`,
    icon: 'account',
    title: before ? t('Edit {0}', before.name) : t('Add {0} Account', provider.name),
    subtitle: before ? provider.name : t('The account is checked before it is added.'),
    ...(provider.notice
      ? { notice: provider.notice }
      : provider.auth.oauth2
        ? {
            notice: inBrowser()
              ? t(
                  'In a browser, each sign-in returns to a different URL. If the provider needs a fixed one, enter it as Redirect Address.',
                )
              : t('Register this redirect URL with the provider: {0}', ownRedirect()),
          }
        : {}),
    fields,
    values: { ...shown, accountName: before?.name ?? null, remember: before?.remember ?? 'keep' },
    submit: before ? t('Check and Save') : provider.auth.oauth2 ? t('Sign In and Add') : t('Check and Add'),
    general: t('Access'),
    keepsSecrets: before !== undefined,
    groups: groups =>
      groups.map(group =>
        group.title === t('Pace') || (group.title === t('OAuth 2') && !provider.auth.oauth2)
          ? { ...group, folded: true }
          : group,
      ),
    run: given => save({ accounts, provider, before, log }, given),
  });
}

/** Where an account of the form goes to, and what it was before. */
interface Saving {
  accounts: Accounts;
  provider: Provider;
  before: StoredAccount | undefined;
  log: vscode.LogOutputChannel | undefined;
}
/** Signs in where that is needed, checks the account at its provider, and stores it. */
async function save({ accounts, provider, before, log }: Saving, given: Values): Promise<boolean> {
  const own = fieldsOf(provider);
  const { accountName, remember, ...values } = given;
  const known = before ? ((await accounts.secretsOf(before.id)) ?? {}) : {};
  const { open, secret } = parted(own, values);
  validate(own, { ...without(known, 'tokens', 'signedInAt'), ...open, ...secret });
  const wanted = typeof accountName === 'string' ? accountName.trim() : '';
  const account: StoredAccount = {
    id: before?.id ?? accounts.newId(),
    name: wanted || freeName(accounts, provider.name, before?.id),
    provider: provider.id,
    values: open,
    remember: remember as Remember,
  };
  let secrets: Secrets = { ...known, ...secret };
  let signed: Awaited<ReturnType<typeof signIn>>;
  if (grantOf(provider, open)) {
    if (!open.clientId) {
      const message = t('Client ID is required for OAuth 2.');
      throw new MailError('invalid_input', message, { issues: [{ field: 'clientId', message }] });
    }
    if (!before || !secrets.tokens || signsInAgain(provider, before.values, open)) {
      signed = await signIn(provider, account, secrets.clientSecret as string | undefined, accounts.sender());
      if (!signed) throw new MailError('unauthorized', t('The sign-in did not finish. Nothing was saved.'));
      secrets = { ...secrets, ...signed };
    }
  }
  try {
    secrets = await accounts.check(account, secrets, signed !== undefined);
  } catch (error) {
    log?.warn(`${account.name}: ${(error as Error).message}`);
    if (isMailError(error) && error.details.issues?.length) throw error;
    if (!(await savesAnyway(error as Error))) throw error;
  }
  if (!before) await accounts.add(account, secrets);
  else {
    // Tokens may have been renewed since they were read here, and the older ones are dead then.
    const { tokens, signedInAt } = signed ?? (await accounts.secretsOf(before.id)) ?? {};
    const fresh = { ...(tokens ? { tokens } : {}), ...(signedInAt ? { signedInAt } : {}) };
    await accounts.update(
      before.id,
      { name: account.name, values: open, remember: account.remember },
      { ...secrets, ...fresh },
    );
  }
  window.setStatusBarMessage('check', t('Saved {0}.', account.name), 5000);
  return true;
}
async function savesAnyway(error: Error): Promise<boolean> {
  const back = t('Back to the Form');
  const anyway = t('Save Anyway');
  // The first button is the one that Enter presses.
  return (
    (await window.showWarningMessage(
      t('The account check failed.'),
      { modal: true, detail: error.message },
      back,
      anyway,
    )) === anyway
  );
}
const without = (values: Values, ...names: string[]): Values =>
  Object.fromEntries(Object.entries(values).filter(([key]) => !names.includes(key)));
/** A name that no other account has. */
function freeName(accounts: Accounts, wanted: string, except?: string): string {
  const taken = new Set(
    accounts
      .all()
      .filter(({ id }) => id !== except)
      .map(({ name }) => name),
  );
  for (let i = 1; ; i++) {
    const name = i === 1 ? wanted : `${wanted} ${i}`;
    if (!taken.has(name)) return name;
  }
}

/** Picks a provider, then shows its form. */
export async function addAccount(
  extension: vscode.Uri,
  accounts: Accounts,
  log: vscode.LogOutputChannel,
): Promise<void> {
  const picked = await window.showQuickPick(
    localizedProviders().map(provider => ({
      label: provider.name,
      provider,
      description: provider.auth.oauth2 ? 'OAuth 2' : '',
      detail: provider.notice ?? '',
      iconPath: {
        light: vscode.Uri.joinPath(extension, 'dist', 'icons', `${provider.id}.svg`),
        dark: vscode.Uri.joinPath(extension, 'dist', 'icons', `${provider.id}.dark.svg`),
      },
    })),
    { title: t('Add Account'), placeHolder: t('Where are the mailboxes?'), matchOnDetail: true, ignoreFocusOut: true },
  );
  if (picked) openAccountForm(extension, accounts, picked.provider, undefined, log);
}

/** Adds accounts of the sandbox: the pretended providers that come with the extension, or one of `npm run sandbox`. */
export async function addSandboxAccount(accounts: Accounts): Promise<void> {
  const picked = await window.showQuickPick(
    [
      {
        iconPath: new vscode.ThemeIcon('beaker'),
        label: t('All sandbox providers'),
        detail: t('They run inside VS Code until you close the window. Nothing leaves this machine.'),
        all: true,
      },
      {
        iconPath: new vscode.ThemeIcon('clippy'),
        label: t('A line of “npm run sandbox”…'),
        detail: t('Your own sandbox, which you can make fail on purpose.'),
        all: false,
      },
    ],
    { title: t('Add Sandbox Account'), ignoreFocusOut: true },
  );
  if (!picked) return;
  if (picked.all) {
    const { lines } = await window.withProgress({ location: { viewId: 'mailroom.accounts' } }, startSandbox);
    const added = accounts.lend(lines);
    await vscode.commands.executeCommand('mailroom.accounts.focus');
    window.setStatusBarMessage(
      'check',
      added ? t('Added {0} sandbox accounts', added) : t('You already have the sandbox accounts.'),
      6000,
    );
    return;
  }
  const given = await window.showInputBox({
    title: t('Add Sandbox Account'),
    ignoreFocusOut: true,
    placeHolder: '{"id":"…","account":{…}}',
    prompt: t(
      'Run “npm run sandbox” in a clone of Mailroom and paste one of the lines it prints. Nothing real is touched.',
    ),
    validateInput: value =>
      !value || readSandboxLine(value) ? undefined : t('This is not a line from “npm run sandbox”.'),
  });
  const read = given ? readSandboxLine(given) : undefined;
  if (!read) return;
  await accounts.add(
    { ...read.account, id: accounts.newId(), name: freeName(accounts, read.account.name) },
    read.secrets,
  );
}

/** Imports the accounts of a file, each for itself; `show` is for what became of each where one was refused. */
export async function importAccounts(accounts: Accounts, show: (results: string[]) => Promise<void>): Promise<void> {
  const [file] =
    (await vscode.window.showOpenDialog({
      title: t('Import Accounts'),
      filters: { JSON: ['json'] },
      openLabel: t('Import'),
    })) ?? [];
  if (!file) return;
  const results: string[] = [];
  const entries = readExport(Buffer.from(await vscode.workspace.fs.readFile(file)).toString('utf8'));
  if (!(await trusted(entries))) return;
  let done = 0;
  let withSecrets = 0;
  for (const { label, account, secrets, refused } of entries) {
    if (!account) {
      results.push(t('{0}: refused. {1}', label, refused ?? ''));
      continue;
    }
    if (isThere(accounts.all(), account)) {
      results.push(t('{0}: refused. It already exists.', label));
      continue;
    }
    const name = freeName(accounts, account.name);
    await accounts.add({ ...account, name }, secrets);
    done++;
    if (secrets) withSecrets++;
    results.push(
      secrets
        ? t('{0}: imported with its secrets.', name)
        : t('{0}: imported. Its secrets are asked for when it is opened.', name),
    );
  }
  const refused = results.length - done;
  const said = [
    done === 1 ? t('One account was imported.') : t('{0} accounts were imported.', done),
    ...(refused ? [t('{0} refused.', refused)] : []),
    withSecrets
      ? t('Delete the file. It contains secrets.')
      : done && !refused
        ? t('You are asked for secrets when you open an account.')
        : '',
  ]
    .filter(Boolean)
    .join(' ');
  const picked = refused ? await window.showWarningMessage(said, t('Show')) : await window.showInformationMessage(said);
  if (picked) await show(results);
}
/**
 * Asks about servers that a file names, and what it lets pass on the way to them, before anybody types a secret for
 * them.
 */
async function trusted(entries: ReturnType<typeof readExport>): Promise<boolean> {
  const named = entries.flatMap(({ label, account }) =>
    (account ? trustedBy(account) : []).map(({ label: what, value }) => t('{0}: {1} {2}', label, what, value)),
  );
  if (!named.length) return true;
  const button = t('Import');
  return (
    (await window.showWarningMessage(
      t('Do you trust these servers and settings with your mail?'),
      {
        modal: true,
        detail: `${named.join('\n')}\n\n${t('The file says where these accounts sign in and how their connections are protected. Import it only if you know all of this, because your passwords go there.')}`,
      },
      button,
    )) === button
  );
}
export async function exportAccounts(accounts: Accounts): Promise<void> {
  const own = accounts.all().filter(({ id }) => !accounts.isLent(id));
  if (!own.length) {
    void window.showInformationMessage(
      accounts.all().length
        ? t('Sandbox accounts last until you close this window, so they are not exported.')
        : t('You have no accounts to export.'),
    );
    return;
  }
  const where = await vscode.window.showSaveDialog({
    title: t('Export Accounts'),
    filters: { JSON: ['json'] },
    saveLabel: t('Export'),
    ...defaultFile('mailroom-accounts.json'),
  });
  if (!where) return;
  await vscode.workspace.fs.writeFile(where, Buffer.from(writeExport(own)));
  void window.showInformationMessage(t('The accounts were exported without their secrets.'));
}
