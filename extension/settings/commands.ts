import * as vscode from 'vscode';
import {
  applySettings,
  isSettingsOwner,
  pullSettings,
  readSetting,
  readSettingsIndex,
  SETTINGS_INDEX,
  settingsOf,
  usualSettings,
  type SettingsChange,
} from '../../shared/index.js';
import type { AccountInfo, Accounts } from '../accounts/store.js';
import type { Register } from '../host/commands.js';
import { plural, t } from '../host/text.js';
import { window } from '../host/window.js';
import { summarize } from '../operations/bulk.js';
import type { Chosen } from '../tree/chosen.js';
import { folderName, isPulled, rootOf, saveIn, settingsFolder } from './folder.js';
import { differences, firstOf, isAsShown, left, notPulled, planOf } from './plan.js';

/** The scheme under which the server's side of a comparison is read. */
export const SETTING_ON_SERVER = 'mailroom-setting';

interface Parts {
  register: Register;
  chosen: Chosen;
  accounts: Accounts;
  showJson(label: string, value: unknown): Promise<void>;
  /** Told that objects of an account were changed. */
  applied(account: string): void;
}
/** Where something is pulled to, applied from, or looked at; `only` where it is one document. */
interface Place {
  account: AccountInfo;
  root: vscode.Uri;
  only?: string;
}
const able = ({ provider }: AccountInfo): boolean => settingsOf(provider).length > 0;

/** The commands for settings as files. */
export function registerSettingsCommands({ register, chosen, accounts, showJson, applied }: Parts): void {
  const accountOf = async (node: unknown): Promise<AccountInfo | undefined> => {
    const id = await chosen.account(node, able);
    const account = accounts.list().find(one => one.id === id);
    if (account && !able(account))
      void window.showInformationMessage(t('{0} has no settings that can be files.', account.provider.name));
    return account && able(account) ? account : undefined;
  };
  register('pullSettings', async (node: unknown) => {
    const account = await accountOf(node);
    const root = account && (await rootFor(account));
    if (root) await pull(accounts, account, root, showJson);
  });
  register('applySettings', async (on: unknown) => {
    const place = on instanceof vscode.Uri ? await placeOf(accounts, on) : await placeIn(await accountOf(on));
    if (place && (await apply(accounts, place, showJson))) applied(place.account.id);
  });
  register('compareSettings', async (on: unknown) => {
    const file =
      on instanceof vscode.Uri
        ? on
        : (vscode.window.tabGroups.activeTabGroup.activeTab?.input as { uri?: vscode.Uri } | undefined)?.uri;
    const place = file && (await placeOf(accounts, file));
    if (!file || !place?.only) return;
    const query = new URLSearchParams({
      account: place.account.id,
      root: place.root.toString(),
      path: place.only,
    }).toString();
    const server = vscode.Uri.from({
      scheme: SETTING_ON_SERVER,
      path: `/${place.only}`,
      query,
      fragment: String(Date.now()),
    });
    await vscode.commands.executeCommand(
      'vscode.diff',
      server,
      file,
      t('{0}: Server ↔ File', file.path.split('/').at(-1)!),
      { preview: false, override: false },
    );
  });
}

/** The text that the server has for a document that is compared. */
export const settingOnServer = (accounts: Accounts): vscode.TextDocumentContentProvider => ({
  async provideTextDocumentContent({ query }) {
    const given = new URLSearchParams(query);
    const root = vscode.Uri.parse(given.get('root') ?? '', true);
    const account = given.get('account') ?? '';
    return readSetting(
      { client: await accounts.open(account), account: accounts.find(account).values },
      { folder: settingsFolder(root), path: given.get('path') ?? '' },
    );
  },
});

/** The folder for an account in the workspace. */
async function rootFor({ name }: AccountInfo): Promise<vscode.Uri | undefined> {
  const { workspaceFolders: open = [] } = vscode.workspace;
  if (!open.length) {
    const button = t('Open Folder');
    const picked = await window.showInformationMessage(t('Open a folder first. The files are written there.'), button);
    if (picked) await vscode.commands.executeCommand('workbench.action.files.openFolder');
    return undefined;
  }
  const folder = open.length === 1 ? open[0] : await vscode.window.showWorkspaceFolderPick();
  return folder && vscode.Uri.joinPath(folder.uri, 'mailroom', folderName(name));
}
async function placeIn(account: AccountInfo | undefined): Promise<Place | undefined> {
  const root = account && (await rootFor(account));
  if (!account || !root) return undefined;
  if (await isPulled(root)) return { account, root };
  const button = t('Pull Settings');
  const picked = await window.showInformationMessage(
    t('The settings of {0} are not in this folder yet.', account.name),
    button,
  );
  if (picked) await vscode.commands.executeCommand('mailroom.pullSettings', account.id);
  return undefined;
}
/** Which account a file belongs to: one that it was pulled from, by its folder's name, else the user says which. */
async function placeOf(accounts: Accounts, file: vscode.Uri): Promise<Place | undefined> {
  const found = await rootOf(file);
  if (!found) {
    void window.showInformationMessage(t('This file was not pulled from an account.'));
    return undefined;
  }
  const name = found.root.path.split('/').at(-1);
  const index = await readSettingsIndex(settingsFolder(found.root));
  const all = accounts.list().filter(one => able(one) && index && isSettingsOwner(index, one.provider, one.values));
  if (!all.length) {
    void window.showInformationMessage(
      t('This file was pulled from an account that is not here. Add the account first.'),
    );
    return undefined;
  }
  const named = all.length === 1 ? all : all.filter(one => folderName(one.name) === name);
  const account =
    named.length === 1
      ? named[0]
      : (
          await window.showQuickPick(
            all.map(one => ({ label: one.name, description: one.provider.name, one })),
            { placeHolder: t('Which account?') },
          )
        )?.one;
  const only = found.path.endsWith('.mailroom') ? { only: found.path } : {};
  return account && { account, root: found.root, ...only };
}

/** Work with a progress that names each document and can be cancelled; undefined when it was. */
async function withProgress<T>(
  title: string,
  work: (signal: AbortSignal, seen: (path: string) => void) => Promise<T>,
): Promise<T | undefined> {
  return window.withProgress(
    { location: vscode.ProgressLocation.Notification, title, cancellable: true },
    async (progress, token) => {
      const stop = new AbortController();
      const listening = token.onCancellationRequested(() => stop.abort());
      let count = 0;
      try {
        return await work(stop.signal, path => progress.report({ message: `${path} (${++count})` }));
      } catch (error) {
        if (stop.signal.aborted) return undefined;
        throw error;
      } finally {
        listening.dispose();
      }
    },
  );
}

type ShowJson = Parts['showJson'];
async function pull(accounts: Accounts, account: AccountInfo, root: vscode.Uri, showJson: ShowJson): Promise<void> {
  const kinds = settingsOf(account.provider);
  const usual = usualSettings(account.provider);
  const what = t('Pull settings of {0}', account.name);
  const picked =
    kinds.length === 1
      ? [{ resource: kinds[0]! }]
      : await window.showQuickPick(
          kinds.map(kind => ({ label: plural(kind), resource: kind, picked: usual.includes(kind) })),
          { title: what, placeHolder: t('What should be files?'), canPickMany: true, ignoreFocusOut: true },
        );
  if (!picked?.length) return;
  // What is being written is a change, and kept like one.
  await saveIn(root);
  const pulled = await withProgress(what, async (signal, seen) =>
    pullSettings(
      { client: await accounts.open(account.id, signal), account: account.values },
      { folder: settingsFolder(root), resources: picked.map(({ resource }) => resource), signal, seen },
    ),
  );
  if (!pulled) return;
  const { failures, skipped } = notPulled(pulled);
  const done = pulled.filter(({ state }) => state === 'written' || state === 'same').length;
  summarize(showJson, what, { done, unknown: [], left: [] }, failures, skipped, {
    label: t('Show Files'),
    run: () => void vscode.commands.executeCommand('revealInExplorer', vscode.Uri.joinPath(root, SETTINGS_INDEX)),
  });
}

/** Compares, shows what would be done, and does what was selected. Says whether anything was done. */
async function apply(accounts: Accounts, { account, root, only }: Place, showJson: ShowJson): Promise<boolean> {
  const what = t('Apply settings to {0}', account.name);
  const folder = settingsFolder(root);
  await saveIn(root, only);
  const run = async (
    signal: AbortSignal,
    seen: (path: string) => void,
    more: Partial<Parameters<typeof applySettings>[1]>,
  ) =>
    applySettings(
      { client: await accounts.open(account.id, signal), account: account.values },
      { folder, signal, seen, ...(only ? { only: [only] } : {}), ...more },
    );
  const compared = await withProgress(t('Comparing with {0}', account.name), (signal, seen) =>
    run(signal, seen, { dryRun: true }),
  );
  if (!compared) return false;
  const plan = planOf(compared);
  const others = left(compared.filter(({ state }) => state !== 'conflict' && state !== 'change'));
  if (!plan.length) {
    if (others.failures.length + others.skipped.length)
      summarize(showJson, what, { done: 0, unknown: [], left: [] }, others.failures, others.skipped);
    else void window.showInformationMessage(t('The files and {0} are the same. Nothing to apply.', account.name));
    return false;
  }
  const picked = await window.showQuickPick(plan, {
    title: what,
    placeHolder: t('What is to be changed on the server? Nothing was changed yet.'),
    canPickMany: true,
    ignoreFocusOut: true,
    matchOnDetail: true,
  });
  if (
    !picked?.length ||
    !(await mayOverwrite(picked.map(({ change }) => change).filter(({ state }) => state === 'conflict')))
  )
    return false;
  const chosen = new Map(picked.map(({ change }) => [change.path, change]));
  let cancelled: AbortSignal | undefined;
  const done = await withProgress(what, (signal, seen) =>
    run((cancelled = signal), seen, {
      only: [...chosen.keys()],
      overwrite: true,
      approve: now => isAsShown(now, chosen.get(now.path)),
    }),
  );
  // Cancelled before anything was sent.
  if (!done) return false;
  const { failures, skipped } = left(done);
  const rest = [...chosen.keys()].filter(path => !done.some(one => one.path === path));
  const pathsOf = (...states: SettingsChange['state'][]) =>
    done.filter(({ state }) => states.includes(state)).map(({ path }) => path);
  summarize(
    showJson,
    what,
    { done: pathsOf('applied').length, unknown: pathsOf('unknown'), left: cancelled?.aborted ? rest : [] },
    [
      ...others.failures,
      ...failures,
      ...(cancelled?.aborted ? [] : rest.map(path => t('{0}: not tried after that.', path))),
    ],
    [...others.skipped, ...skipped],
  );
  return pathsOf('applied', 'unknown', 'failed').length > 0;
}
async function mayOverwrite(conflicts: readonly SettingsChange[]): Promise<boolean> {
  if (!conflicts.length) return true;
  const button = t('Overwrite');
  return (
    (await window.showWarningMessage(
      t('Overwrite what someone else changed in {0}?', firstOf(conflicts.map(({ label }) => label)).join(', ')),
      {
        modal: true,
        detail: firstOf(conflicts.flatMap(one => differences(one).map(line => `${one.label}: ${line}`))).join('\n'),
      },
      button,
    )) === button
  );
}
