import * as vscode from 'vscode';
import type { Address } from '../../shared/index.js';
import type { Accounts } from '../accounts/store.js';
import { isConversation, operationOf, resends } from '../fields/tables.js';
import { packPlace } from '../fields/values.js';
import { t } from '../host/text.js';
import { window } from '../host/window.js';
import { openFile, saveFile } from '../operations/files.js';
import type { Operator } from '../operations/run.js';
import type { Target } from '../operations/target.js';
import type { Ask, MailAction, ReaderModel } from '../webview/messages.js';
import { openPanel, type Back, type Connected } from '../webview/panel.js';
import type { Compose } from './composer.js';
import { copyAsTest } from './copyAsTest.js';
import { followLink } from './links.js';
import { Mails, type Mail } from './mails.js';
import { fileIn, sourceText } from './source.js';

interface ReaderOptions {
  extension: vscode.Uri;
  accounts: Pick<Accounts, 'open'>;
  operator: Pick<Operator, 'run'>;
  /** False: the tab keeps the title that it has. */
  ownTitle?: boolean;
  /**
   * For what does not stay as it is, such as a file that is written: told when to read it anew; the kind of its panel;
   * that the panel was closed.
   */
  changed?: vscode.Event<void>;
  type?: string;
  closed?(): void;
  /** HTML is shown first, whatever the setting says. */
  preferHtml?: boolean;
  /** What is to be said to whoever made the message; and puts it into the local inbox. */
  hints?(): Promise<string[]>;
  deliver?(): Promise<void>;
  showJson(label: string, value: unknown): Promise<void>;
  /** Shows a text as a read-only document. */
  showText(name: string, language: string, text: () => Promise<string>): Promise<void>;
  compose: Compose;
  seen?(...people: unknown[]): void;
  /** The message after this one in its list, or before it. */
  beside?(target: Target, way: 'next' | 'previous'): Target | undefined;
}

/** Reads messages and conversations: heads first, then the text of the latest; others when they are opened. */
export function createReader(options: ReaderOptions) {
  /**
   * What becomes of the tab that shows a message which an operation takes away, once that is done: forms may be asked
   * in between.
   */
  const leaving: Leaving = new WeakMap();
  return {
    async read(target: Target, back?: Back): Promise<void> {
      new ReaderTab(options, leaving, target).open(back);
    },
    /** To be told after each write: a message that was moved or deleted leaves its tab. */
    done(target: Target): void {
      leaving.get(target)?.();
      leaving.delete(target);
    },
  };
}
type Leaving = WeakMap<Target, () => void>;

/** One tab with a message or a conversation. */
class ReaderTab {
  private readonly options: ReaderOptions;
  private readonly leaving: Leaving;
  private readonly target: Target;
  private readonly mails: Mails;
  private made: ReturnType<typeof openPanel>;
  private connected: Connected | undefined;
  private listening: vscode.Disposable | undefined;
  private loading: Promise<void> | undefined;
  private loaded = false;
  private problem: string | undefined;
  /** The page may load remote pictures. */
  private images = false;

  constructor(options: ReaderOptions, leaving: Leaving, target: Target) {
    this.options = options;
    this.leaving = leaving;
    this.target = target;
    this.mails = new Mails(target, { accounts: options.accounts, hints: options.hints, seen: options.seen });
  }

  open(back?: Back): void {
    const {
      options,
      target: { account, resource, binding },
      mails: { heading },
    } = this;
    this.made = openPanel({
      page: 'reader',
      extension: options.extension,
      ...back,
      keep: {
        place: packPlace({ account: account.id, resource, refs: { ...binding.refs }, choices: { ...binding.choices } }),
        label: heading,
      },
      identity: `reader ${account.id} ${resource} ${JSON.stringify(binding.refs)}`,
      title: tabTitle(heading),
      icon: 'mail-read',
      find: true,
      ready: () => {
        this.connected ??= this.made?.connected;
        return this.fill();
      },
      again: () => {
        if (this.problem || options.changed) void this.fill(true);
      },
      ...(options.type ? { type: options.type, column: vscode.ViewColumn.Beside } : {}),
      onClosed: () => {
        this.listening?.dispose();
        options.closed?.();
      },
      answer: ask => this.answer(ask),
    });
    this.connected = this.made?.connected;
    this.listening = this.made && options.changed?.(() => void this.fill(true));
    if (!this.made) options.closed?.();
  }

  /** Reads once, or again when asked to; what stands in the way is shown with a button that tries again. */
  private async fill(again = false): Promise<void> {
    if (again && (this.loaded || this.problem)) {
      this.loading = undefined;
      this.loaded = false;
      this.problem = undefined;
    }
    this.loading ??= this.mails.load(this.options.changed !== undefined).then(
      () => {
        this.loaded = true;
      },
      (error: unknown) => {
        this.problem = (error as Error).message;
        this.loaded = true;
      },
    );
    this.post();
    await this.loading;
    const { made } = this;
    const title = tabTitle(this.mails.heading);
    if (this.options.ownTitle !== false && made && title !== made.panel.title) made.panel.title = title;
    this.post();
  }
  private post(): void {
    this.connected?.post({ type: 'reader', reader: this.model() });
  }
  private postMail(mail: Mail): void {
    this.made?.connected.post({ type: 'mail', mail: mail.view });
  }
  private drop(id: string): void {
    const { order } = this.mails;
    order.splice(order.indexOf(id), 1);
    if (order.length) this.post();
    else this.made?.panel.dispose();
  }
  private model(): ReaderModel {
    const {
      mails,
      options,
      target: {
        account: { provider },
        node,
        resource,
      },
    } = this;
    const has = (name: string) => mails.has(name);
    return {
      title: mails.heading,
      facts: mails.facts,
      messages: mails.order.map(id => mails.get(id)!.view),
      ...(this.loading && !this.loaded ? { busy: true } : {}),
      ...(this.problem ? { problem: this.problem } : {}),
      preferHtml:
        options.preferHtml ??
        vscode.workspace.getConfiguration('mailroom').get<string>('reader.view', 'text') === 'html',
      can: {
        reply: has('message.reply'),
        replyAll: operationOf(provider, 'message.reply')?.input.replyAll !== undefined,
        forward: has('message.forward'),
        flag: has('message.flag'),
        resend: resends(provider, 'message', this.target.binding) !== undefined,
        walk: options.beside !== undefined && node !== undefined && !isConversation(resource),
        mark: has('message.mark'),
        source: has('message.source'),
        headers: mails.hasHeaders(),
        attachments: mails.canFetchFiles,
        remove: has('message.delete'),
        move: has('message.move'),
        deliver: options.deliver !== undefined,
        inspect: has('message.source') || mails.hasHeaders(),
        save: has('message.source'),
        test: Object.hasOwn(provider.feeds, 'messageReceived'),
        link: isConversation(resource) && has(`${resource}.linkTask`),
        unlink: isConversation(resource) && has(`${resource}.unlinkTask`),
      },
    };
  }

  private async answer(ask: Ask): Promise<unknown> {
    const { mails } = this;
    const mail = 'message' in ask ? mails.get(ask.message) : undefined;
    if (ask.do === 'reload') await this.fill(true);
    else if (ask.do === 'link') await followLink(ask.url);
    else if (!mail) return undefined;
    else if (ask.do === 'read') {
      await mails.read(await mails.client(), ask.message);
      this.postMail(mail);
    } else if (ask.do === 'images') this.showImages(mail);
    else if (ask.do === 'attachment') return this.attachment(mail, ask.attachment, ask.how);
    else if (ask.do === 'mail') await this.act(mail, ask.message, ask.what);
    return undefined;
  }
  private showImages(mail: Mail): void {
    mail.view.images = true;
    if (this.images) {
      this.postMail(mail);
      return;
    }
    // Another content policy needs another page; the one before is thrown away.
    this.images = true;
    this.made?.connected.render(true);
  }
  private async attachment(mail: Mail, id: string, how: 'save' | 'open' | 'preview'): Promise<unknown> {
    const { mails } = this;
    const about = mail.view.attachments.find(one => one.id === id);
    if (!about) return undefined;
    if (how === 'preview')
      return (await mails.dataUri(await mails.client(), mail.binding, about.id, about.type)) ?? null;
    const fetch = async (signal: AbortSignal) => mails.fileOf(await mails.client(signal), mail.binding, about.id);
    if (how === 'save') await saveFile(about.name, fetch);
    else await openFile(about.name, about.type || t('unknown type'), fetch);
    return undefined;
  }

  /** What the page's buttons and keys do with a message. */
  private async act(mail: Mail, id: string, what: MailAction): Promise<void> {
    const { options, target } = this;
    const { resource } = target;
    const it = this.mails.targetOf(id);
    switch (what) {
      case 'reply':
        options.compose(it, 'message.reply');
        return;
      case 'replyAll':
        options.compose(it, 'message.reply', { all: true });
        return;
      case 'forward':
        options.compose(it, 'message.forward');
        return;
      case 'resend':
        options.compose(it, resends(target.account.provider, 'message', it.binding) ?? 'message.send', { as: 'again' });
        return;
      case 'flag':
      case 'unflag':
        await this.flag(mail, it, what === 'flag');
        return;
      case 'markRead':
      case 'markUnread':
        await this.mark(mail, it, what === 'markRead');
        return;
      case 'copyAddress':
        await copyAddress(mail);
        return;
      case 'next':
      case 'previous':
        this.walk(what);
        return;
      case 'delete':
      case 'move':
        this.leaving.set(it, () => this.drop(id));
        await options.operator.run(it, `message.${what}`);
        return;
      case 'linkTask':
      case 'unlinkTask':
        await options.operator.run(target, `${resource}.${what}`);
        return;
      case 'deliver':
        await options.deliver?.();
        return;
      case 'test':
        await copyAsTest(target.account, mail.full ?? mail.item);
        return;
      case 'inspect':
      case 'uninspect':
      case 'save':
      case 'json':
      case 'source':
      case 'headers':
        await this.lookInto(mail, it.label, what);
        return;
    }
  }
  /** Shows what a message is made of. */
  private async lookInto(
    mail: Mail,
    label: string,
    what: 'inspect' | 'uninspect' | 'save' | 'json' | 'source' | 'headers',
  ): Promise<void> {
    const { options, mails } = this;
    switch (what) {
      case 'inspect':
      case 'uninspect':
        if (what === 'inspect') mail.view.inspection ??= await mails.inspect(mail);
        else delete mail.view.inspection;
        this.postMail(mail);
        return;
      case 'save':
        await saveFile(`${label}.eml`, async signal => fileIn(await mails.sourceOf(mail, signal)));
        return;
      case 'json':
        await options.showJson(label, mail.full ?? mail.item);
        return;
      case 'source':
        await options.showText(`${label}.eml`, 'plaintext', async () => sourceText(await mails.sourceOf(mail)));
        return;
      case 'headers':
        await options.showText(`${label}.headers`, 'plaintext', () => mails.headersOf(mail));
        return;
    }
  }
  private async flag(mail: Mail, it: Target, flagged: boolean): Promise<void> {
    if (
      !(await this.options.operator.run(it, 'message.flag', { flags: ['Flagged'], change: flagged ? 'add' : 'remove' }))
    )
      return;
    mail.view.flagged = flagged;
    this.postMail(mail);
  }
  private async mark(mail: Mail, it: Target, read: boolean): Promise<void> {
    if (!(await this.options.operator.run(it, 'message.mark', { read }))) return;
    mail.view.read = read;
    this.postMail(mail);
  }
  private walk(way: 'next' | 'previous'): void {
    const other = this.options.beside?.(this.target, way);
    if (!other) {
      window.setStatusBarMessage(
        'info',
        way === 'next' ? t('This is the last message of the list.') : t('This is the first message of the list.'),
        5000,
      );
      return;
    }
    // The other opens beside this one before this one goes, so that the focus stays here.
    new ReaderTab(this.options, this.leaving, other).open();
    this.made?.panel.dispose();
  }
}

async function copyAddress({ full, item }: Mail): Promise<void> {
  const { email } = ((full ?? item).from ?? {}) as Partial<Address>;
  if (!email) return;
  await vscode.env.clipboard.writeText(email);
  window.setStatusBarMessage('check', t('Copied {0}.', email), 5000);
}

/** A subject in a length that leaves room for other tabs. */
const tabTitle = (subject: string): string => (subject.length > 40 ? `${subject.slice(0, 39)}…` : subject);
