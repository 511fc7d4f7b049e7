import { isDeepStrictEqual } from 'node:util';
import * as vscode from 'vscode';
import { splitName } from '../shared/index.js';
import { askSecrets, setExtensionId, uriHandler } from './accountForm/form.js';
import { onProxySettings, proxySettings } from './accounts/proxies.js';
import { stopSandbox } from './accounts/sandbox.js';
import { createAccounts, grantOf, type Accounts, type StoredAccount } from './accounts/store.js';
import { registerCommands } from './commands.js';
import { idOfItem, isDraft, isMessage, labelOf, operationOf, removes } from './fields/tables.js';
import { labelOfDocument, type Place } from './fields/values.js';
import { createProblems, explainTo, type Problems } from './host/problems.js';
import { createReadOnly } from './host/readOnlyDocuments.js';
import { t, translateWith } from './host/text.js';
import { window } from './host/window.js';
import { createLocalMail, LOCAL_MAIL, type LocalMail } from './localMail/server.js';
import { createComposer } from './mail/composer.js';
import { createEmlEditor } from './mail/emlEditor.js';
import { People } from './mail/people.js';
import { previewMail } from './mail/preview.js';
import { createReader } from './mail/reader.js';
import { Documents } from './objects/documents.js';
import { createEditor } from './objects/editor.js';
import { registerJsonHelp } from './objects/jsonHelp.js';
import { createPlaces, SCHEME } from './objects/places.js';
import { settle } from './operations/afterWrite.js';
import { createDrag } from './operations/order.js';
import { createOperator, type Operator } from './operations/run.js';
import { targetOf, type Target, type Written } from './operations/target.js';
import { openOverview } from './overview/panel.js';
import { openRequests } from './requests/inspector.js';
import { createRequestLog } from './requests/log.js';
import { createRetryStatus } from './requests/retryStatus.js';
import { restoreTabs } from './restore.js';
import { createScripts, nameOf, ON_SERVER, SCRIPTS, type Scripts } from './scripts/files.js';
import { SETTING_ON_SERVER, settingOnServer } from './settings/commands.js';
import { createSearchView } from './search/view.js';
import { createSettingsEditor } from './settings/editor.js';
import { createListsEditor } from './spamLists/editor.js';
import { createLive, type Live } from './tree/live.js';
import { contextOf, createModel, type BranchNode, type ItemNode, type Model, type Node } from './tree/model.js';
import { createAttention, createTree, stateDecorations } from './tree/rows.js';
import { Watch } from './tree/watch.js';

/**
 * What is drawn anew by itself waits for so much quiet, and what is counted is counted so much later, in milliseconds.
 */
const CALM = 300;
const TOGETHER = 100;

/** Wires the parts together and registers them; nothing is fetched, read or asked here. */
export function activate(context: vscode.ExtensionContext): void {
  translateWith((message, ...args) => vscode.l10n.t(message, ...args), vscode.l10n.bundle !== undefined);
  setExtensionId(context.extension.id);
  new Wiring(context).start();
}

const withoutNode = ({ target: { node: _, ...target }, answer }: Written): Written => ({ target, answer });

/** Ticks a step of the walkthrough off. */
const reached = (step: 'added' | 'saved' | 'listed' | 'sent') =>
  void vscode.commands.executeCommand('setContext', `mailroom.${step}`, true);

/**
 * The parts of the extension in the order they are made in. Each is told of the others by what it needs of them; what
 * is told later may come later.
 */
class Wiring {
  private readonly extension: vscode.Uri;
  private readonly log: vscode.LogOutputChannel;
  private readonly requests: ReturnType<typeof createRequestLog>;
  private readonly waits: ReturnType<typeof createRetryStatus>;
  private readonly accounts: Accounts;
  private readonly problems: Problems;
  private readonly model: Model;
  private readonly live: Live;
  private readonly watch: Watch;
  private readonly people: People;
  private readonly localMail: LocalMail;
  private readonly tree: ReturnType<typeof createTree>;
  private readonly attention: ReturnType<typeof createAttention>;
  private readonly view: vscode.TreeView<Node>;
  private readonly attentionView: vscode.TreeView<Node>;
  private readonly readOnly: ReturnType<typeof createReadOnly>;
  private readonly documents: Documents;
  private readonly scripts: Scripts;
  private readonly operator: Operator;
  private readonly compose: ReturnType<typeof createComposer>;
  private readonly reader: ReturnType<typeof createReader>;
  private readonly found: ReturnType<typeof createSearchView>;
  private readonly editLists: ReturnType<typeof createListsEditor>;
  /**
   * The accounts as they were drawn last: in another window some may have come, gone or been changed, which is told to
   * nobody.
   */
  private drawn: readonly StoredAccount[] | undefined;
  /** The rows that were selected last, in whichever view. */
  private selection: readonly Node[] = [];
  private readonly redrawing = new Map<string, NodeJS.Timeout>();
  private counting: NodeJS.Timeout | undefined;
  private readonly context: vscode.ExtensionContext;

  constructor(context: vscode.ExtensionContext) {
    this.context = context;
    this.extension = context.extensionUri;
    this.log = this.own(vscode.window.createOutputChannel('Mailroom', { log: true }));
    explainTo(this.log);
    this.requests = createRequestLog(this.log);
    this.waits = this.own(createRetryStatus());
    this.accounts = this.own(this.makeAccounts());
    this.problems = createProblems({ account: id => this.nameOf(id) });
    this.model = createModel({
      accounts: () => this.accounts.list(),
      open: (id, signal) => this.accounts.open(id, signal),
      changed: node => {
        this.tree.fire(node);
        this.counted();
      },
      loaded: () => {
        this.counted();
        this.live.sync();
      },
    });
    this.live = this.own(this.makeLive());
    this.watch = this.own(this.makeWatch());
    this.localMail = this.own(
      createLocalMail({
        accounts: this.accounts,
        folder: vscode.Uri.joinPath(context.globalStorageUri, 'localMail').fsPath,
        state: context.workspaceState,
        log: this.log,
      }),
    );
    this.tree = this.own(
      createTree({
        model: this.model,
        icon: provider => this.icon(provider),
        stateOf: id => this.accounts.stateOf(id),
        shown: () => {
          this.drawn = this.snapshot();
          this.accounts.warm();
          this.localMail.resume();
          // When the rows are drawn: they are asked for here.
          setTimeout(() => this.watch.resume(), 0);
        },
      }),
    );
    this.attention = this.own(createAttention(this.model));
    this.view = this.own(
      vscode.window.createTreeView<Node>('mailroom.accounts', {
        treeDataProvider: this.tree.provider,
        canSelectMany: true,
        showCollapseAll: true,
        dragAndDropController: createDrag(() => this.operator),
      }),
    );
    this.attentionView = this.own(
      vscode.window.createTreeView('mailroom.attention', {
        treeDataProvider: this.attention.provider,
        canSelectMany: true,
      }),
    );
    this.readOnly = this.own(createReadOnly());
    this.documents = this.own(this.makeDocuments());
    this.scripts = this.own(this.makeScripts());
    this.operator = createOperator({
      extension: this.extension,
      accounts: this.accounts,
      problems: this.problems,
      showJson: this.showJson,
      done: (name, written) => this.done(name, written),
    });
    this.people = new People(context.workspaceState);
    this.compose = createComposer({
      extension: this.extension,
      accounts: this.accounts,
      operator: this.operator,
      state: context.globalState,
      log: this.log,
      sent: () => reached('sent'),
      people: this.people,
      drafted: (account, folder) => this.drafted(account, folder),
    });
    this.reader = this.makeReader();
    this.found = this.own(this.makeFound());
    this.editLists = createListsEditor({
      extension: this.extension,
      accounts: this.accounts,
      operator: this.operator,
      changed: (target, resource) => this.listed(target, resource),
    });
  }

  /** Registers everything and begins to listen. */
  start(): void {
    this.own(onProxySettings(() => this.accounts.renewNetwork()));
    this.own(
      vscode.window.onDidChangeWindowState(({ focused }) => {
        if (focused) this.drawOthers();
      }),
    );
    this.watchViews();
    this.registerContents();
    this.registerEditors();
    this.own(vscode.window.registerUriHandler(uriHandler));
    this.own({
      dispose: () => {
        clearTimeout(this.counting);
        for (const one of this.redrawing.values()) clearTimeout(one);
        void stopSandbox();
      },
    });
    const {
      extension,
      accounts,
      compose,
      editLists,
      requests,
      reader: { read },
    } = this;
    this.own(
      restoreTabs({
        extension,
        accounts,
        read,
        editLists,
        compose,
        requests: back => openRequests(extension, requests, back),
        overview: ({ account, resource, binding, label }, back) =>
          openOverview(extension, accounts, account, resource ? { within: binding, resource, label } : undefined, back),
      }),
    );
    this.registerCommands();
  }

  private own<D extends vscode.Disposable>(one: D): D {
    this.context.subscriptions.push(one);
    return one;
  }
  private icon(provider: string): { light: vscode.Uri; dark: vscode.Uri } {
    const file = (name: string) => vscode.Uri.joinPath(this.extension, 'dist', 'icons', name);
    return { light: file(`${provider}.svg`), dark: file(`${provider}.dark.svg`) };
  }
  private nameOf(id: string): { name: string; signsIn: boolean } | undefined {
    const info = this.accounts.list().find(one => one.id === id);
    return (
      info && {
        name: info.name,
        signsIn: this.accounts.find(id).remember !== 'keep' || grantOf(info.provider, info.values) !== undefined,
      }
    );
  }
  private readonly showJson = (label: string, value: unknown): Promise<void> =>
    this.readOnly.show(
      `${label}.json`,
      'json',
      async () => `${JSON.stringify(value, (_, one: unknown) => (typeof one === 'function' ? undefined : one), 2)}\n`,
    );
  private readonly showText = (name: string, language: string, text: () => Promise<string>): Promise<void> =>
    this.readOnly.show(name, language, text);

  private makeAccounts(): Accounts {
    const { context, log } = this;
    return createAccounts({
      state: context.globalState,
      secrets: context.secrets,
      sandbox: process.env.MAILROOM_SANDBOX,
      ask: askSecrets,
      proxies: proxySettings,
      changed: (account, named) => {
        this.drawn = this.snapshot();
        if (account !== undefined) {
          void this.model.renew(account, !named);
          return;
        }
        this.tree.fire(undefined);
        this.counted();
        if (this.drawn.length) reached('added');
      },
      observe: (account, seen) => {
        this.requests.observe(account.name, seen);
        if (seen.wait !== undefined) this.waits.wait(account.name, seen.wait);
        else if (seen.status === 429 && seen.method !== 'GET') {
          window.setStatusBarMessage('clock', t('The provider asked {0} to slow down.', account.name), 15_000);
        }
      },
      refused: (account, error) => this.problems.refused(account.id, error),
      stateChanged: id => this.redraw(id),
      notDeleted: (account, error) => {
        log.error(`${account.name}: the secret was not deleted`, String(error));
        void window.showWarningMessage(
          t(
            'The secret of {0} could not be deleted and may still be in the secret store. Delete it there, or revoke it at the provider.',
            account.name,
          ),
        );
      },
      storeFailed: error => {
        log.error(t('The secret store is not responding.'), String(error));
        void window
          .showWarningMessage(
            t('The system’s secret store is not responding, so secrets are kept for this session only.'),
            t('Learn More'),
          )
          .then(picked =>
            picked === undefined
              ? undefined
              : vscode.env.openExternal(
                  vscode.Uri.parse(
                    'https://code.visualstudio.com/docs/configure/settings-sync#_troubleshooting-keychain-issues',
                  ),
                ),
          );
      },
    });
  }
  private makeDocuments(): Documents {
    return new Documents({
      accounts: this.accounts,
      places: createPlaces(this.context.workspaceState),
      refused: (uri, account, error) =>
        this.problems.tell(t('Save'), error, { on: labelOfDocument(uri), account, write: true }),
      saved: (place, answer) => this.saved(place, answer),
      overwrite: async (uri, fields) => {
        const compare = t('Compare');
        const button = t('Overwrite');
        const picked = await window.showWarningMessage(
          t('Overwrite what someone else changed in {0}?', labelOfDocument(uri)),
          {
            modal: true,
            detail: fields
              .map(({ label, theirs, ours }) => t('{0}: {1} on the server, {2} here.', label, theirs, ours))
              .join('\n'),
          },
          compare,
          button,
        );
        if (picked === compare) void vscode.commands.executeCommand('mailroom.compareServer', uri);
        return picked === button;
      },
    });
  }
  private makeScripts(): Scripts {
    const { model } = this;
    return createScripts({
      accounts: this.accounts,
      placeOf: uri => this.documents.placeOf(uri),
      refused: (uri, account, error) => this.problems.tell(t('Save'), error, { on: nameOf(uri), account, write: true }),
      saved: ({ account, resource }) => {
        for (const one of model.branches())
          if (one.rows && one.account.id === account && one.branch.resource === resource) void model.refresh(one);
      },
    });
  }
  private makeReader(): ReturnType<typeof createReader> {
    return createReader({
      extension: this.extension,
      accounts: this.accounts,
      operator: this.operator,
      showJson: this.showJson,
      showText: this.showText,
      compose: (...given) => this.compose(...given),
      seen: (...people) => this.people.add(...people),
      beside(target, way) {
        const { node } = target;
        const rows = node?.parent?.kind === 'branch' ? node.parent.rows : undefined;
        const at = rows?.findIndex(({ id }) => id === node?.id) ?? -1;
        const other = at < 0 ? undefined : rows![at + (way === 'next' ? 1 : -1)];
        return other && targetOf(other);
      },
    });
  }

  private makeLive(): Live {
    return createLive({
      accounts: this.accounts,
      model: this.model,
      failed: (account, error) => this.log.warn(`${account}: news are not heard for now`, String(error)),
      watched: id => this.watch.has(id),
      came: (inbox, rows) => this.watch.came(inbox, rows),
    });
  }
  private makeWatch(): Watch {
    const { accounts, model, context } = this;
    const open = t('Open');
    const notice = (text: string, rows: readonly ItemNode[], inbox: BranchNode) =>
      void window.showInformationMessage(text, open).then(picked => {
        if (picked === undefined) return;
        const [first] = rows;
        if (rows.length === 1) void vscode.commands.executeCommand('mailroom.open', first);
        else void this.view.reveal(inbox, { expand: true, focus: true });
      });
    return new Watch({
      accounts,
      model,
      state: context.workspaceState,
      changed: id => {
        this.live.sync();
        this.redraw(id);
      },
      notify: () =>
        vscode.workspace.getConfiguration('mailroom').get<boolean>('watch.notify', false) ? notice : undefined,
    });
  }
  private makeFound(): ReturnType<typeof createSearchView> {
    return createSearchView({
      accounts: this.accounts,
      model: this.model,
      icon: provider => this.icon(provider),
      rowOf: node => this.tree.provider.getTreeItem(node) as vscode.TreeItem,
      selected: rows => {
        this.selection = rows;
        this.offer();
      },
    });
  }

  private snapshot(): StoredAccount[] {
    return structuredClone([...this.accounts.all()]);
  }
  /** Draws what became of the accounts in another window. */
  private drawOthers(): void {
    const before = this.drawn;
    if (before === undefined || isDeepStrictEqual(before, this.accounts.all())) return;
    const drawn = (this.drawn = this.snapshot());
    this.tree.fire(undefined);
    this.counted();
    for (const now of drawn) {
      const old = before.find(({ id }) => id === now.id);
      if (old && !isDeepStrictEqual({ ...old, name: '' }, { ...now, name: '' })) void this.model.renew(now.id, true);
    }
  }
  private watchViews(): void {
    const { view, attentionView, live } = this;
    const selected = (event: vscode.TreeViewSelectionChangeEvent<Node>) => {
      this.selection = event.selection;
      this.offer();
    };
    this.own(view.onDidChangeSelection(selected));
    this.own(attentionView.onDidChangeSelection(selected));
    this.own(view.onDidChangeVisibility(({ visible }) => live.seen(visible)));
    this.own(view.onDidExpandElement(({ element }) => live.opened(element)));
    this.own(view.onDidCollapseElement(({ element }) => live.closed(element)));
    live.seen(view.visible);
    this.own(vscode.window.registerFileDecorationProvider(stateDecorations()));
  }
  /** The palette offers what the selected row's menu does. */
  private offer(): void {
    void vscode.commands.executeCommand(
      'setContext',
      'mailroom.row',
      this.selection[0] ? contextOf(this.selection[0]) : '',
    );
  }
  /**
   * Draws the row of an account anew, a moment after nothing below it is being read any more: with it VS Code asks for
   * all that is open below, and older versions lose what was still on its way.
   */
  private redraw(id: string): void {
    clearTimeout(this.redrawing.get(id));
    this.redrawing.set(
      id,
      setTimeout(() => {
        const root = this.model.find(id);
        if (root && this.model.branches().some(one => one.account.id === id && one.loading !== undefined))
          this.redraw(id);
        else if (root) this.tree.fire(root);
      }, CALM),
    );
  }
  /** Shows in a moment how many mailboxes need attention: the badge counts only what needs the user. */
  private counted(): void {
    const { attention, attentionView, model, view } = this;
    this.counting ??= setTimeout(() => {
      this.counting = undefined;
      this.watch.keep();
      const unread = this.watch.unread();
      view.badge = unread ? { value: unread, tooltip: t('{0} unread in watched accounts', unread) } : undefined;
      const count = attention.rows().length;
      attentionView.badge = count
        ? {
            value: count,
            tooltip: count === 1 ? t('One mailbox needs attention') : t('{0} mailboxes need attention', count),
          }
        : undefined;
      attentionView.message = count ? undefined : t('Nothing needs attention among the mailboxes loaded so far.');
      attention.fire();
      const filtered = [
        ...new Set(
          model
            .branches()
            .filter(one => one.filter)
            .map(({ label }) => label),
        ),
      ];
      view.message = filtered.length ? t('Filtered: {0}', filtered.join(', ')) : undefined;
      this.offer();
    }, TOGETHER);
  }

  /** An object was saved: its rows show it. */
  private saved(place: Place, answer: unknown): void {
    const { model } = this;
    reached('saved');
    if (typeof answer !== 'object' || answer === null) return;
    const item = answer as Record<string, unknown>;
    for (const one of model.loaded()) {
      if (
        one.account.id !== place.account ||
        one.resource !== place.resource ||
        idOfItem(one.item) !== place.refs[place.resource]
      )
        continue;
      if (idOfItem(item) !== idOfItem(one.item)) continue;
      // A receipt names the object and says nothing of it.
      if (labelOf(one.resource, item) === idOfItem(item) && one.parent?.kind === 'branch')
        void model.refresh(one.parent);
      else model.update(one, item);
    }
  }
  /** Entries of lists were changed: those of the target, or with a resource all of its kind in the account. */
  private listed(target: Target, resource?: string): void {
    reached('listed');
    for (const branch of this.model.branches()) {
      if (
        branch.rows &&
        branch.account.id === target.account.id &&
        (resource ? branch.branch.resource === resource : target.node && branch.id.startsWith(`${target.node.id}/`))
      ) {
        void this.model.refresh(branch);
      }
    }
  }
  /** Drafts of an account came or went: lists that are read and hold such are read again. */
  private drafted(account: string, folder: string | undefined): void {
    for (const one of this.model.branches()) {
      const { rows, binding, branch } = one;
      if (!rows || one.account.id !== account || !isMessage(branch.resource)) continue;
      if (binding.refs.folder === folder || rows.some(({ item }) => isDraft(item)))
        void this.model.freshen(one).catch((error: unknown) => this.log.warn(`${one.label}`, String(error)));
    }
  }
  /** An operation was done: what it changed is shown. */
  private done(name: string, written: readonly Written[]): void {
    for (const { target } of written) {
      this.log.info(`${target.account.name}: ${name} done`);
      this.reader.done(target);
    }
    const changed = written.filter(({ target }) => operationOf(target.account.provider, name)?.effect !== 'read');
    for (const { target } of changed) {
      void this.documents.acted(
        target,
        splitName(name)[0] === target.resource && removes(target.account.provider, name),
      );
    }
    for (const id of new Set(changed.map(({ target }) => target.account.id))) void this.scripts.renew(id);
    // The tree shows what became of a message that was found; its own list is no list of the tree.
    const settled = changed.map(one => (this.found.search.has(one.target.node) ? withoutNode(one) : one));
    for (const { target } of changed)
      if (['delete', 'move'].includes(splitName(name)[1])) this.found.search.gone(target.node);
    void settle(this.model, name, settled);
  }

  private registerContents(): void {
    const { documents, scripts } = this;
    this.own(vscode.workspace.registerFileSystemProvider(SCHEME, documents.provider, { isCaseSensitive: true }));
    this.own(vscode.workspace.registerFileSystemProvider(SCRIPTS, scripts.provider, { isCaseSensitive: true }));
    this.own(
      vscode.workspace.registerTextDocumentContentProvider(ON_SERVER, {
        provideTextDocumentContent: uri => scripts.serverText(uri),
      }),
    );
    this.own(vscode.workspace.registerTextDocumentContentProvider(SETTING_ON_SERVER, settingOnServer(this.accounts)));
    this.own(registerJsonHelp(documents));
    this.own(
      vscode.workspace.registerTextDocumentContentProvider('mailroom-server', {
        provideTextDocumentContent: uri => documents.serverText(uri),
      }),
    );
  }
  private registerEditors(): void {
    const { extension, accounts, documents, operator, showJson, showText } = this;
    const objects = createEditor({
      extension,
      accounts,
      documents,
      act: async (uri, action) => {
        await vscode.commands.executeCommand('mailroom.documentAction', uri, action);
      },
      pick: async (one, field, values) => {
        const account = accounts.list().find(({ id }) => id === one.place.account);
        return account
          ? operator.pickFor(
              { account, resource: one.place.resource, binding: one.binding, label: '' },
              one.editing.fields[field]!,
              values,
            )
          : undefined;
      },
    });
    const files = createSettingsEditor({ extension });
    this.own(
      vscode.window.registerCustomEditorProvider(
        'mailroom.form',
        {
          resolveCustomTextEditor: (document, ...rest) =>
            (document.uri.scheme === SCHEME ? objects : files).resolveCustomTextEditor(document, ...rest),
        },
        { supportsMultipleEditorsPerDocument: true },
      ),
    );
    this.own(
      vscode.window.registerCustomEditorProvider('mailroom.eml', createEmlEditor({ extension, showJson, showText }), {
        webviewOptions: { enableFindWidget: true },
      }),
    );
  }
  private registerCommands(): void {
    const {
      context,
      log,
      problems,
      accounts,
      model,
      tree,
      attention,
      operator,
      documents,
      localMail,
      compose,
      editLists,
    } = this;
    const { showJson, showText, extension } = this;
    registerCommands({
      context,
      log,
      problems,
      accounts,
      model,
      tree,
      attention,
      operator,
      documents,
      localMail,
      people: this.people,
      watch: this.watch,
      found: this.found,
      compose,
      read: this.reader.read,
      editLists,
      showJson,
      selection: () => this.selection,
      inAccounts: () => this.view.selection,
      showRequests: () => openRequests(extension, this.requests),
      showLocalMail: () => this.showLocalMail(),
      preview: file =>
        previewMail(
          {
            extension,
            showJson,
            showText,
            async deliver(message) {
              await localMail.begin();
              await (
                await accounts.open(LOCAL_MAIL)
              ).call('message.send', {
                from: 'preview@example.com',
                to: ['inbox@example.com'],
                saveToSent: 'no',
                ...message,
              });
            },
          },
          file,
        ),
    });
  }
  private async showLocalMail(): Promise<void> {
    const { model } = this;
    const root = (await model.children()).find(({ id }) => id === LOCAL_MAIL);
    const list =
      root && (await model.children(root)).find(one => one.kind === 'branch' && isMessage(one.branch.resource));
    if (list) await this.view.reveal(list, { expand: true, select: false });
  }
}
