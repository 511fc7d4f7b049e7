import * as vscode from 'vscode';
import { codesIn, inspectMail, isFile, linksIn, type Address, type Attachment, type Client, type FileValue } from '../../shared/index.js';
import type { Accounts } from '../accounts/store.js';
import { bind, inputFrom, isConversation, labelOf, operationOf, type Binding } from '../fields/tables.js';
import { packPlace } from '../fields/values.js';
import { openInBrowser } from '../host/browser.js';
import { safeName } from '../host/fileNames.js';
import { explain } from '../host/problems.js';
import { brief, plain, t } from '../host/text.js';
import { window } from '../host/window.js';
import { copyAsTest } from './copyAsTest.js';
import { inspection } from './inspection.js';
import { openFile, saveFile } from '../operations/files.js';
import type { Operator } from '../operations/run.js';
import type { Target } from '../operations/target.js';
import { SHOWN, type MailView, type ReaderModel, type Values } from '../webview/messages.js';
import { openPanel, type Back, type Connected } from '../webview/panel.js';

interface ReaderOptions {
  extension: vscode.Uri; accounts: Pick<Accounts, 'open'>; operator: Pick<Operator, 'run'>;
  /** False: the tab keeps the title that it has. */
  ownTitle?: boolean;
  /** For what does not stay as it is, such as a file that is written: told when to read it anew; the kind of its panel; that the panel was closed. */
  changed?: vscode.Event<void>; type?: string; closed?(): void;
  /** HTML is shown first, whatever the setting says. */
  preferHtml?: boolean;
  /** What is to be said to whoever made the message; and puts it into the local inbox. */
  hints?(): Promise<string[]>; deliver?(): Promise<void>;
  showJson(label: string, value: unknown): Promise<void>;
  /** Shows a text as a read-only document. */
  showText(name: string, language: string, text: () => Promise<string>): Promise<void>;
  /** Opens the composer; `all`: everyone who got the message is answered. */
  compose(target: Target, operation: string, all?: boolean): void;
  /** The message after this one in its list, or before it. */
  beside?(target: Target, way: 'next' | 'previous'): Target | undefined;
}
/** Pictures inside a message are fetched up to this size each, in bytes, and so many. */
const INLINE_SIZE = 3_000_000, INLINE_COUNT = 20;
/** The raw source of a message is shown to this length, in bytes: an editor bears no more. */
const LONGEST_SOURCE = 5_000_000;
/** A message is looked into to this length, in bytes. */
const LONGEST_INSPECTED = 10_000_000;
/** HTML is looked at to this length, in characters: what is shown of it can be a small part. */
const LONGEST_HTML = 6_000_000;

/** Reads messages and conversations: heads first, then the text of the latest; others when they are opened. */
export function createReader({ extension, accounts, operator, showJson, showText, compose, beside, ownTitle = true, ...more }: ReaderOptions) {
  /** What becomes of the tab that shows a message which an operation takes away, once that is done: forms may be asked in between. */
  const leaving = new WeakMap<Target, () => void>();
  const open = async (target: Target, back?: Back): Promise<void> => {
    const { account, resource } = target, { provider } = account;
    const mails = new Map<string, { view: MailView; binding: Binding; item: Values; full?: Values }>();
    const order: string[] = [];
    let heading = brief(target.label) || t('(no subject)'), facts: ReaderModel['facts'] = [], connected: Connected | undefined, images = false;
    const has = (name: string) => operationOf(provider, name) !== undefined;
    const fetchFile = attachmentOperation(provider.operations);

    function keep(item: Values, above: Binding): void {
      const id = String(item.id ?? '');
      if (!id || order.includes(id)) return;
      order.push(id);
      const there = mails.get(id);
      if (!there) mails.set(id, { item, binding: bind(provider, above, 'message', item), view: head(item) });
      else if (typeof item.read === 'boolean') there.view.read = item.read;
    }
    async function load(): Promise<void> {
      const client = await accounts.open(account.id);
      // What was read stays: a message does not change, but others come and go.
      order.length = 0;
      if (more.changed) mails.clear();
      if (isConversation(resource)) {
        const get = [`${resource}.get`, 'thread.get', 'conversation.get'].find(has);
        const whole = get ? await client.call(get, {
          ...inputFrom(provider, get, get.startsWith(`${resource}.`)
            ? target.binding
            : { ...target.binding, refs: { ...target.binding.refs, [get.split('.')[0]!]: target.binding.refs[resource] ?? '' } }),
          ...bodies(get),
        }) as Values : {};
        for (const one of (Array.isArray(whole.messages) ? whole.messages : []) as Values[]) keep(one, target.binding);
        heading = labelOf(resource, whole) || labelOf('message', mails.get(order[0] ?? '')?.item ?? {}) || heading;
        facts = [[t('Participants'), whole.participants], [t('Clients'), names(whole.clients)], [t('Tasks'), names(whole.tasks)]]
          .flatMap(([label, value]) => Array.isArray(value) && value.length ? [{ label: String(label), value: value.join(', ') }] : []);
      } else {
        keep((target.node as { item?: Values } | undefined)?.item ?? { id: target.binding.refs[resource] },
          { ...target.binding, refs: { ...target.binding.refs, message: target.binding.refs[resource] ?? '' } });
      }
      const last = order.at(-1);
      if (last) await read(client, last);
      // What was opened without its row has no name yet.
      if (last && !target.label) heading = labelOf('message', mails.get(last)?.full ?? {}) || heading;
    }
    const bodies = (operation: string): Values => operationOf(provider, operation)?.input.include_body?.type === 'flag' ? { include_body: true } : {};
    async function read(client: Client, id: string): Promise<void> {
      const mail = mails.get(id);
      if (!mail || mail.view.loaded) return;
      try {
        const full = has('message.get')
          ? await client.call('message.get', { ...inputFrom(provider, 'message.get', mail.binding), ...bodies('message.get') }) as unknown as Values
          : mail.item;
        mail.full = { ...mail.item, ...full };
        const inline = await inlineOf(client, mail.full, mail.binding);
        // Why a message could not be read, or not all of it, as its provider says.
        const said = mail.full.error, problem = typeof said === 'string' && said ? { problem: plain(said) } : {};
        mail.view = { ...head(mail.full), ...texts(mail.full), ...await toldBy(mail.full), loaded: true, inline, images: mail.view.images, ...problem,
          ...(more.hints ? { hints: await more.hints() } : {}) };
      } catch (error) { mail.view = { ...mail.view, problem: explain('reader', error) ?? t('Cancelled.') }; }
    }
    function head(item: Values): MailView {
      const people = (value: unknown) => (Array.isArray(value) ? value : []).map(one => person(one as Address)).filter(Boolean);
      const attachments = (Array.isArray(item.attachments) ? item.attachments : []) as Attachment[];
      return {
        id: String(item.id), to: people(item.to), cc: people(item.cc), loaded: false, inline: {}, images: false,
        attachments: attachments.map(({ id, name, type, size, inline, note }) => ({
          id: String(id), name: brief(safeName(plain(name || t('attachment')))), type: type || '',
          ...(size === undefined ? {} : { size }), ...(inline ? { inline } : {}), ...(note ? { note } : {}),
        })),
        ...(item.from ? { from: person(item.from as Address) } : {}), ...(typeof item.subject === 'string' ? { subject: brief(item.subject) } : {}),
        ...(item.date ? { date: fullDate(item.date) } : {}), ...(typeof item.read === 'boolean' ? { read: item.read } : {}),
        ...(Array.isArray(item.flags) ? { flagged: item.flags.includes('\\Flagged') } : {}),
      };
    }
    const cut = (item: Values, what: 'textCut' | 'htmlCut') => (item.native as Values | undefined)?.[what] === true;
    const texts = (item: Values): Pick<MailView, 'text' | 'html' | 'textCut' | 'htmlCut' | 'textFromHtml'> => ({
      ...(item.textFromHtml === true ? { textFromHtml: true } : {}),
      ...(typeof item.text === 'string' && item.text.trim() ? { text: item.text.slice(0, SHOWN) } : {}),
      ...(typeof item.html === 'string' && item.html.trim() ? { html: item.html.slice(0, LONGEST_HTML) } : {}),
      ...(isLonger(item.text, SHOWN) || cut(item, 'textCut') ? { textCut: true } : {}),
      ...(isLonger(item.html, LONGEST_HTML) || cut(item, 'htmlCut') ? { htmlCut: true } : {}),
    });
    /** The pictures a message brings with itself, by their Content-ID. */
    async function inlineOf(client: Client, full: Values, binding: Binding): Promise<Record<string, string>> {
      const found: Record<string, string> = {};
      const shown = cidsIn(typeof full.html === 'string' ? full.html : '');
      for (const one of ((full.attachments ?? []) as Attachment[]).slice(0, 100)) {
        const cid = one.contentId?.replace(/^<|>$/g, '');
        if (!cid || !shown.has(cid) || Object.keys(found).length >= INLINE_COUNT
          || (one.size ?? 0) > INLINE_SIZE || !/^image\/(png|jpe?g|gif|webp)$/i.test(one.type)) continue;
        const data = await dataUri(client, binding, one.id, one.type).catch(() => undefined);
        if (data) found[cid] = data;
      }
      return found;
    }
    async function fileOf(client: Client, binding: Binding, attachment: string): Promise<FileValue | undefined> {
      if (!fetchFile) return undefined;
      const input = inputFrom(provider, fetchFile.name, { ...binding, refs: { ...binding.refs, [fetchFile.ref]: attachment } });
      const answer = await client.call(fetchFile.name, { ...input, [fetchFile.field]: attachment });
      return fileIn(answer);
    }
    async function dataUri(client: Client, binding: Binding, attachment: string, type: string): Promise<string | undefined> {
      const file = await fileOf(client, binding, attachment);
      if (!file) return undefined;
      const parts: Uint8Array[] = [];
      let size = 0;
      for await (const part of file.open()) { size += part.byteLength; if (size > INLINE_SIZE) return undefined; parts.push(part); }
      return `data:${type.toLowerCase()};base64,${Buffer.concat(parts).toString('base64')}`;
    }
    const hasHeaders = () => has('message.headers') || order.some(id => headersOf(mails.get(id)!.full) !== undefined);
    const model = (): ReaderModel => ({
      title: heading, facts, messages: order.map(id => mails.get(id)!.view), ...(loading && !loaded ? { busy: true } : {}), ...(problem ? { problem } : {}),
      preferHtml: more.preferHtml ?? vscode.workspace.getConfiguration('mailroom').get<string>('reader.view', 'text') === 'html',
      can: {
        reply: has('message.reply'), replyAll: operationOf(provider, 'message.reply')?.input.replyAll !== undefined, forward: has('message.forward'),
        flag: has('message.flag'), walk: beside !== undefined && target.node !== undefined && !isConversation(resource), mark: has('message.mark'), source: has('message.source'),
        headers: hasHeaders(),
        attachments: fetchFile !== undefined, remove: has('message.delete'), move: has('message.move'),
        deliver: more.deliver !== undefined, inspect: has('message.source') || hasHeaders(), save: has('message.source'),
        test: Object.hasOwn(provider.feeds, 'messageReceived'), link: isConversation(resource) && has(`${resource}.linkTask`), unlink: isConversation(resource) && has(`${resource}.unlinkTask`),
      },
    });
    const one = (id: string): Target => ({
      account, resource: 'message', label: labelOf('message', mails.get(id)!.full ?? mails.get(id)!.item) || t('(no subject)'),
      binding: mails.get(id)!.binding, ...(target.node && !isConversation(resource) ? { node: target.node } : {}),
    });

    /** The parts, the way and the claims of a message: of its source, or of its headers where no more can be had. */
    async function inspect({ binding, full }: { binding: Binding; full?: Values }): Promise<MailView['inspection']> {
      const own = headersOf(full), client = await accounts.open(account.id);
      if (has('message.source')) {
        const file = fileIn(await client.call('message.source', inputFrom(provider, 'message.source', binding)));
        const { bytes, cut } = file ? await beginningOf(file, LONGEST_INSPECTED) : { bytes: Buffer.alloc(0), cut: false };
        return { ...inspection(await inspectMail(bytes), vscode.env.language), ...(cut ? { cut } : {}) };
      }
      const lines = headerLines(own ?? await client.call('message.headers', { ...inputFrom(provider, 'message.headers', binding) }));
      return { ...inspection(await inspectMail(Buffer.from(`${lines.slice(0, LONGEST_INSPECTED)}\r\n\r\n`)), vscode.env.language), parts: [] };
    }
    let loading: Promise<void> | undefined, loaded = false, problem: string | undefined;
    const post = () => connected?.post({ type: 'reader', reader: model() });
    /** Reads once, or again when asked to; what stands in the way is shown with a button that tries again. */
    async function fill(again = false): Promise<void> {
      if (again && (loaded || problem)) { loading = undefined; loaded = false; problem = undefined; }
      loading ??= load().then(() => { loaded = true; }, (error: unknown) => { problem = (error as Error).message; loaded = true; });
      post();
      await loading;
      if (ownTitle && made && tabTitle(heading) !== made.panel.title) made.panel.title = tabTitle(heading);
      post();
    }
    function drop(id: string): void {
      order.splice(order.indexOf(id), 1);
      if (order.length) post(); else made?.panel.dispose();
    }
    const made = openPanel({
      page: 'reader', extension, ...back,
      keep: { place: packPlace({ account: account.id, resource, refs: { ...target.binding.refs }, choices: { ...target.binding.choices } }), label: heading },
      identity: `reader ${account.id} ${resource} ${JSON.stringify(target.binding.refs)}`, title: tabTitle(heading), icon: 'mail-read', find: true,
      ready() { connected ??= made?.connected; return fill(); },
      again() { if (problem || more.changed) void fill(true); },
      ...(more.type ? { type: more.type, column: vscode.ViewColumn.Beside } : {}), onClosed() { listening?.dispose(); more.closed?.(); },
      async answer(ask) {
        const mail = 'message' in ask ? mails.get(ask.message) : undefined;
        switch (ask.do) {
          case 'reload': await fill(true); return undefined;
          case 'read':
            if (mail) { await read(await accounts.open(account.id), ask.message); made?.connected.post({ type: 'mail', mail: mail.view }); }
            return undefined;
          case 'images':
            if (!mail) return undefined;
            mail.view.images = true;
            // Another content policy needs another page; the one before is thrown away.
            if (!images) { images = true; made?.connected.render(true); } else made?.connected.post({ type: 'mail', mail: mail.view });
            return undefined;
          case 'link': await follow(ask.url); return undefined;
          case 'attachment': {
            if (!mail) return undefined;
            const about = mail.view.attachments.find(({ id }) => id === ask.attachment);
            if (!about) return undefined;
            if (ask.how === 'preview') return await dataUri(await accounts.open(account.id), mail.binding, about.id, about.type) ?? null;
            const fetch = async (signal: AbortSignal) => fileOf(await accounts.open(account.id, signal), mail.binding, about.id);
            if (ask.how === 'save') await saveFile(about.name, fetch); else await openFile(about.name, about.type || t('unknown type'), fetch);
            return undefined;
          }
          case 'mail': {
            if (!mail) return undefined;
            switch (ask.what) {
              case 'reply': compose(one(ask.message), 'message.reply'); return undefined;
              case 'replyAll': compose(one(ask.message), 'message.reply', true); return undefined;
              case 'forward': compose(one(ask.message), 'message.forward'); return undefined;
              case 'flag': case 'unflag': {
                const flagged = ask.what === 'flag';
                if (await operator.run(one(ask.message), 'message.flag', { flags: ['Flagged'], change: flagged ? 'add' : 'remove' })) {
                  mail.view.flagged = flagged;
                  made?.connected.post({ type: 'mail', mail: mail.view });
                }
                return undefined;
              }
              case 'copyAddress': {
                const { email } = ((mail.full ?? mail.item).from ?? {}) as Partial<Address>;
                if (email) { await vscode.env.clipboard.writeText(email); window.setStatusBarMessage('check', t('Copied {0}.', email), 5000); }
                return undefined;
              }
              case 'next': case 'previous': {
                const other = beside?.(target, ask.what);
                if (!other) { window.setStatusBarMessage('info', ask.what === 'next' ? t('This is the last message of the list.') : t('This is the first message of the list.'), 5000); return undefined; }
                // The other opens beside this one before this one goes, so that the focus stays here.
                await open(other);
                made?.panel.dispose();
                return undefined;
              }
              case 'markRead': case 'markUnread': {
                const read = ask.what === 'markRead';
                if (await operator.run(one(ask.message), 'message.mark', { read })) {
                  mail.view.read = read;
                  made?.connected.post({ type: 'mail', mail: mail.view });
                }
                return undefined;
              }
              case 'delete': case 'move': {
                const it = one(ask.message);
                leaving.set(it, () => drop(ask.message));
                await operator.run(it, `message.${ask.what}`);
                return undefined;
              }
              case 'linkTask': case 'unlinkTask': await operator.run(target, `${resource}.${ask.what}`); return undefined;
              case 'inspect': case 'uninspect': {
                if (ask.what === 'inspect') mail.view.inspection ??= await inspect(mail); else delete mail.view.inspection;
                made?.connected.post({ type: 'mail', mail: mail.view });
                return undefined;
              }
              case 'save':
                await saveFile(`${one(ask.message).label}.eml`, async signal =>
                  fileIn(await (await accounts.open(account.id, signal)).call('message.source', inputFrom(provider, 'message.source', mail.binding))));
                return undefined;
              case 'deliver': await more.deliver?.(); return undefined;
              case 'test': await copyAsTest(account, mail.full ?? mail.item); return undefined;
              case 'json': await showJson(one(ask.message).label, mail.full ?? mail.item); return undefined;
              case 'source':
                await showText(`${one(ask.message).label}.eml`, 'plaintext',
                  async () => sourceText(await (await accounts.open(account.id)).call('message.source', inputFrom(provider, 'message.source', mail.binding))));
                return undefined;
              case 'headers': await showText(`${one(ask.message).label}.headers`, 'plaintext', async () => {
                const own = headersOf(mail.full);
                if (own !== undefined) return headerLines(own);
                return headerLines(await (await accounts.open(account.id))
                  .call('message.headers', { ...inputFrom(provider, 'message.headers', mail.binding) }));
              }); return undefined;
            }
            return undefined;
          }
          default: return undefined;
        }
      },
    });
    connected = made?.connected;
    const listening = made && more.changed?.(() => void fill(true));
    if (!made) more.closed?.();
  };
  return {
    read: open,
    /** To be told after each write: a message that was moved or deleted leaves its tab. */
    done(target: Target): void { leaving.get(target)?.(); leaving.delete(target); },
  };
}

/** Links and codes as they are shown: bare letters, in lengths that a row bears. */
async function toldBy(item: Values): Promise<Pick<MailView, 'links' | 'codes'>> {
  const links = (await linksIn(item)).map(({ text, url }) => ({ text: brief(text), url: plain(url) })), codes = codesIn(item);
  return { ...(links.length ? { links } : {}), ...(codes.length ? { codes } : {}) };
}

/** A subject in a length that leaves room for other tabs. */
const tabTitle = (subject: string): string => subject.length > 40 ? `${subject.slice(0, 39)}…` : subject;
const isLonger = (value: unknown, length: number): boolean => typeof value === 'string' && value.length > length;
/** Day and time with the zone, as a letter has them. */
function fullDate(value: unknown): string {
  const at = new Date(String(value));
  return Number.isNaN(at.getTime()) ? '' : at.toLocaleString(vscode.env.language, {
    weekday: 'short', year: 'numeric', month: 'short', day: 'numeric', hour: '2-digit', minute: '2-digit', timeZoneName: 'short',
  });
}

const person = ({ name, email }: Address): string => brief(name && name !== email ? `${name} <${email}>` : email ?? '');
const names = (value: unknown): string[] => (Array.isArray(value) ? value : []).map(one => String((one as Values).name ?? (one as Values).id ?? ''));
/** The headers of a message where the answer brought them along. */
const headersOf = (full: Values | undefined): unknown => {
  const native = full?.native as Values | undefined;
  return native?.headers ?? native?.internetMessageHeaders;
};
function headerLines(headers: unknown): string {
  if (typeof headers === 'string') return headers;
  if (isFile(headers)) return '';
  if (Array.isArray(headers)) {
    return headers.map(one => typeof one === 'object' && one !== null
      ? `${String((one as Values).name ?? (one as Values).key ?? '')}: ${String((one as Values).value ?? '')}`
      : String(one)).join('\n');
  }
  const inner = (headers as Values | null)?.headers ?? (headers as Values | null)?.native ?? headers;
  return Object.entries(inner as Values)
    .flatMap(([name, value]) => (Array.isArray(value) ? value : [value])
      .map(one => `${name}: ${typeof one === 'object' ? JSON.stringify(one) : String(one)}`)).join('\n');
}
const fileIn = (answer: unknown): FileValue | undefined => isFile(answer) ? answer : Object.values(answer as Values).find(isFile);
/** A file to this length, in bytes; `cut` where there is more. */
async function beginningOf(file: FileValue, most: number): Promise<{ bytes: Buffer; cut: boolean }> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of file.open()) { parts.push(part); if ((size += part.byteLength) > most) break; }
  return { bytes: Buffer.concat(parts).subarray(0, most), cut: size > most };
}
async function sourceText(answer: unknown): Promise<string> {
  const file = fileIn(answer);
  if (!file) return typeof answer === 'string' ? answer : JSON.stringify(answer, null, 2);
  const { bytes, cut } = await beginningOf(file, LONGEST_SOURCE), text = bytes.toString('utf8');
  // Cut in the middle of a letter, the last one is broken.
  return (text.slice(0, -4).includes('\ufffd') ? bytes.toString('latin1') : text.replace(cut ? /\ufffd+$/ : /(?!)/, ''))
    + (cut ? `\n\n${t('Only the first {0} MB of the message are shown.', LONGEST_SOURCE / 1_000_000)}` : '');
}

/** The operation that downloads what a message carries: the one named for attachments, or the one that gives a file's content. */
function attachmentOperation(operations: object): { name: string; field: string; ref: string } | undefined {
  for (const [name, ref] of [['attachment.get', 'attachment'], ['file.content', 'file']] as const) {
    if (Object.hasOwn(operations, name)) return { name, field: ref, ref };
  }
  return undefined;
}

/** Opens a link of a message after its real address was shown. Only addresses of the web and of mail are opened at all. */
async function follow(address: string): Promise<void> {
  let url: URL;
  try { url = new URL(address); } catch { return; }
  if (!['http:', 'https:', 'mailto:'].includes(url.protocol)) {
    void window.showWarningMessage(t('This link does not lead to a web page, so it was not opened.'));
    return;
  }
  const shown = url.protocol === 'mailto:' ? url.href : `${url.protocol}//${url.host}${url.pathname}${url.search}${url.hash}`;
  const puny = /(^|\.)xn--/.test(url.hostname) ? `\n\n${t('The host name contains letters of another script that may imitate a known name.')}` : '';
  const button = t('Open Link');
  if (await window.showWarningMessage(
    t('Open this link of the message?'),
    { modal: true, detail: `${shown.length > 500 ? `${shown.slice(0, 500)}…` : shown}${puny}` },
    button,
  ) === button) await openInBrowser(url.href);
}

/** The Content-IDs that an HTML text shows. In a link they may be percent-encoded (RFC 2392 section 2). */
function cidsIn(html: string): Set<string> {
  const found = new Set<string>();
  for (const [, said] of html.matchAll(/\bcid:([^"'\s<>)]{1,500})/gi)) {
    found.add(said!);
    try { found.add(decodeURIComponent(said!)); } catch { /* it is as it is */ }
    if (found.size > MOST_CIDS) break;
  }
  return found;
}
/** More are no pictures of a mail. */
const MOST_CIDS = 1_000;
