import * as vscode from 'vscode';
import {
  codesIn,
  inspectMail,
  linksIn,
  type Address,
  type Attachment,
  type Client,
  type FileValue,
} from '../../shared/index.js';
import type { Accounts } from '../accounts/store.js';
import { bind, inputFrom, isConversation, labelOf, operationOf, type Binding } from '../fields/tables.js';
import { safeName } from '../host/fileNames.js';
import { explain } from '../host/problems.js';
import { brief, plain, t } from '../host/text.js';
import type { Target } from '../operations/target.js';
import { SHOWN, type MailView, type ReaderModel, type Values } from '../webview/messages.js';
import { inspection } from './inspection.js';
import { beginningOf, fileIn, headerLines, headersOf } from './source.js';

/** Pictures inside a message are fetched up to this size each, in bytes, and so many. */
const INLINE_SIZE = 3_000_000;
const INLINE_COUNT = 20;
/** A message is looked into to this length, in bytes. */
const LONGEST_INSPECTED = 10_000_000;
/** HTML is looked at to this length, in characters: what is shown of it can be a small part. */
const LONGEST_HTML = 6_000_000;

/** A message of a tab: how it is shown, its row in the list, and the whole of it once it was read. */
export interface Mail {
  view: MailView;
  binding: Binding;
  item: Values;
  full?: Values;
}
interface MailsOptions {
  accounts: Pick<Accounts, 'open'>;
  hints?: (() => Promise<string[]>) | undefined;
  /** Told who is named by a message that was read. */
  seen?: ((...people: unknown[]) => void) | undefined;
}

/** The messages of a tab as far as they were read: one, or those of a conversation. */
export class Mails {
  heading: string;
  facts: ReaderModel['facts'] = [];
  /** The ids of the messages that are shown, in order. */
  readonly order: string[] = [];
  private readonly target: Target;
  private readonly options: MailsOptions;
  private readonly mails = new Map<string, Mail>();
  private readonly fetchFile: ReturnType<typeof attachmentOperation>;

  constructor(target: Target, options: MailsOptions) {
    this.target = target;
    this.options = options;
    this.heading = brief(target.label) || t('(no subject)');
    this.fetchFile = attachmentOperation(target.account.provider.operations);
  }

  get canFetchFiles(): boolean {
    return this.fetchFile !== undefined;
  }
  get(id: string): Mail | undefined {
    return this.mails.get(id);
  }
  has(operation: string): boolean {
    return operationOf(this.target.account.provider, operation) !== undefined;
  }
  hasHeaders(): boolean {
    return this.has('message.headers') || this.order.some(id => headersOf(this.mails.get(id)!.full) !== undefined);
  }
  client(signal?: AbortSignal): Promise<Client> {
    return this.options.accounts.open(this.target.account.id, signal);
  }
  /** What operations on one of the messages are about. */
  targetOf(id: string): Target {
    const { account, resource, node } = this.target;
    const mail = this.mails.get(id)!;
    return {
      account,
      resource: 'message',
      label: labelOf('message', mail.full ?? mail.item) || t('(no subject)'),
      binding: mail.binding,
      ...(node && !isConversation(resource) ? { node } : {}),
    };
  }

  /** Reads what is there, and the latest message whole. `anew`: also what was read before. */
  async load(anew: boolean): Promise<void> {
    const { target, order } = this;
    const { resource } = target;
    const client = await this.client();
    // What was read stays: a message does not change, but others come and go.
    order.length = 0;
    if (anew) this.mails.clear();
    if (isConversation(resource)) await this.loadConversation(client);
    else {
      this.keep((target.node as { item?: Values } | undefined)?.item ?? { id: target.binding.refs[resource] }, {
        ...target.binding,
        refs: { ...target.binding.refs, message: target.binding.refs[resource] ?? '' },
      });
    }
    const last = order.at(-1);
    if (last) await this.read(client, last);
    // What was opened without its row has no name yet.
    if (last && !target.label) this.heading = labelOf('message', this.mails.get(last)?.full ?? {}) || this.heading;
  }
  private async loadConversation(client: Client): Promise<void> {
    const { target } = this;
    const { resource, binding } = target;
    const get = [`${resource}.get`, 'thread.get', 'conversation.get'].find(name => this.has(name));
    const whole = get
      ? ((await client.call(get, {
          ...inputFrom(
            target.account.provider,
            get,
            get.startsWith(`${resource}.`)
              ? binding
              : { ...binding, refs: { ...binding.refs, [get.split('.')[0]!]: binding.refs[resource] ?? '' } },
          ),
          ...this.bodies(get),
        })) as Values)
      : {};
    for (const one of (Array.isArray(whole.messages) ? whole.messages : []) as Values[]) this.keep(one, binding);
    this.heading =
      labelOf(resource, whole) || labelOf('message', this.mails.get(this.order[0] ?? '')?.item ?? {}) || this.heading;
    this.facts = [
      [t('Participants'), whole.participants],
      [t('Clients'), names(whole.clients)],
      [t('Tasks'), names(whole.tasks)],
    ].flatMap(([label, value]) =>
      Array.isArray(value) && value.length ? [{ label: String(label), value: value.join(', ') }] : [],
    );
  }
  private keep(item: Values, above: Binding): void {
    const id = String(item.id ?? '');
    if (!id || this.order.includes(id)) return;
    this.order.push(id);
    const there = this.mails.get(id);
    if (!there)
      this.mails.set(id, {
        item,
        binding: bind(this.target.account.provider, above, 'message', item),
        view: head(item),
      });
    else if (typeof item.read === 'boolean') there.view.read = item.read;
  }
  private bodies(operation: string): Values {
    return operationOf(this.target.account.provider, operation)?.input.include_body?.type === 'flag'
      ? { include_body: true }
      : {};
  }

  /** Reads a message whole, once. */
  async read(client: Client, id: string): Promise<void> {
    const mail = this.mails.get(id);
    const { provider } = this.target.account;
    if (!mail || mail.view.loaded) return;
    try {
      const full = this.has('message.get')
        ? ((await client.call('message.get', {
            ...inputFrom(provider, 'message.get', mail.binding),
            ...this.bodies('message.get'),
          })) as unknown as Values)
        : mail.item;
      mail.full = { ...mail.item, ...full };
      this.options.seen?.(mail.full.from, mail.full.to, mail.full.cc);
      const inline = await this.inlineOf(client, mail.full, mail.binding);
      // Why a message could not be read, or not all of it, as its provider says.
      const said = mail.full.error;
      const problem = typeof said === 'string' && said ? { problem: plain(said) } : {};
      mail.view = {
        ...head(mail.full),
        ...texts(mail.full),
        ...(await toldBy(mail.full)),
        loaded: true,
        inline,
        images: mail.view.images,
        ...problem,
        ...(this.options.hints ? { hints: await this.options.hints() } : {}),
      };
    } catch (error) {
      mail.view = { ...mail.view, problem: explain('reader', error) ?? t('Cancelled.') };
    }
  }
  /** The pictures a message brings with itself, by their Content-ID. */
  private async inlineOf(client: Client, full: Values, binding: Binding): Promise<Record<string, string>> {
    const found: Record<string, string> = {};
    const shown = cidsIn(typeof full.html === 'string' ? full.html : '');
    for (const one of ((full.attachments ?? []) as Attachment[]).slice(0, 100)) {
      const cid = one.contentId?.replace(/^<|>$/g, '');
      if (
        !cid ||
        !shown.has(cid) ||
        Object.keys(found).length >= INLINE_COUNT ||
        (one.size ?? 0) > INLINE_SIZE ||
        !/^image\/(png|jpe?g|gif|webp)$/i.test(one.type)
      )
        continue;
      const data = await this.dataUri(client, binding, one.id, one.type).catch(() => undefined);
      if (data) found[cid] = data;
    }
    return found;
  }
  async fileOf(client: Client, binding: Binding, attachment: string): Promise<FileValue | undefined> {
    const { fetchFile } = this;
    if (!fetchFile) return undefined;
    const input = inputFrom(this.target.account.provider, fetchFile.name, {
      ...binding,
      refs: { ...binding.refs, [fetchFile.ref]: attachment },
    });
    return fileIn(await client.call(fetchFile.name, { ...input, [fetchFile.field]: attachment }));
  }
  /** An attachment as an address that holds it; undefined where it is larger than a page bears. */
  async dataUri(client: Client, binding: Binding, attachment: string, type: string): Promise<string | undefined> {
    const file = await this.fileOf(client, binding, attachment);
    if (!file) return undefined;
    const parts: Uint8Array[] = [];
    let size = 0;
    for await (const part of file.open()) {
      size += part.byteLength;
      if (size > INLINE_SIZE) return undefined;
      parts.push(part);
    }
    return `data:${type.toLowerCase()};base64,${Buffer.concat(parts).toString('base64')}`;
  }
  /** The source of a message, as a file. */
  async sourceOf({ binding }: Pick<Mail, 'binding'>, signal?: AbortSignal): Promise<unknown> {
    return (await this.client(signal)).call(
      'message.source',
      inputFrom(this.target.account.provider, 'message.source', binding),
    );
  }
  /** The headers of a message as lines. */
  async headersOf({ full, binding }: Pick<Mail, 'full' | 'binding'>): Promise<string> {
    const own = headersOf(full);
    return headerLines(
      own ??
        (await (
          await this.client()
        ).call('message.headers', { ...inputFrom(this.target.account.provider, 'message.headers', binding) })),
    );
  }
  /** The parts, the way and the claims of a message: of its source, or of its headers where no more can be had. */
  async inspect(mail: Pick<Mail, 'full' | 'binding'>): Promise<NonNullable<MailView['inspection']>> {
    if (this.has('message.source')) {
      const file = fileIn(await this.sourceOf(mail));
      const { bytes, cut } = file ? await beginningOf(file, LONGEST_INSPECTED) : { bytes: Buffer.alloc(0), cut: false };
      return { ...inspection(await inspectMail(bytes), vscode.env.language), ...(cut ? { cut } : {}) };
    }
    const lines = await this.headersOf(mail);
    return {
      ...inspection(
        await inspectMail(Buffer.from(`${lines.slice(0, LONGEST_INSPECTED)}\r\n\r\n`)),
        vscode.env.language,
      ),
      parts: [],
    };
  }
}

/** What is known of a message before it is read. */
function head(item: Values): MailView {
  const people = (value: unknown) =>
    (Array.isArray(value) ? value : []).map(one => person(one as Address)).filter(Boolean);
  const attachments = (Array.isArray(item.attachments) ? item.attachments : []) as Attachment[];
  return {
    id: String(item.id),
    to: people(item.to),
    cc: people(item.cc),
    loaded: false,
    inline: {},
    images: false,
    attachments: attachments.map(({ id, name, type, size, inline, note }) => ({
      id: String(id),
      name: brief(safeName(plain(name || t('attachment')))),
      type: type || '',
      ...(size === undefined ? {} : { size }),
      ...(inline ? { inline } : {}),
      ...(note ? { note } : {}),
    })),
    ...(item.from ? { from: person(item.from as Address) } : {}),
    ...(typeof item.subject === 'string' ? { subject: brief(item.subject) } : {}),
    ...(item.date ? { date: fullDate(item.date) } : {}),
    ...(typeof item.read === 'boolean' ? { read: item.read } : {}),
    ...(Array.isArray(item.flags) ? { flagged: item.flags.includes('\\Flagged') } : {}),
  };
}
const texts = (item: Values): Pick<MailView, 'text' | 'html' | 'textCut' | 'htmlCut' | 'textFromHtml'> => ({
  ...(item.textFromHtml === true ? { textFromHtml: true } : {}),
  ...(typeof item.text === 'string' && item.text.trim() ? { text: item.text.slice(0, SHOWN) } : {}),
  ...(typeof item.html === 'string' && item.html.trim() ? { html: item.html.slice(0, LONGEST_HTML) } : {}),
  ...(isLonger(item.text, SHOWN) || isCut(item, 'textCut') ? { textCut: true } : {}),
  ...(isLonger(item.html, LONGEST_HTML) || isCut(item, 'htmlCut') ? { htmlCut: true } : {}),
});
const isCut = (item: Values, what: 'textCut' | 'htmlCut') => (item.native as Values | undefined)?.[what] === true;
/** Links and codes as they are shown: bare letters, in lengths that a row bears. */
async function toldBy(item: Values): Promise<Pick<MailView, 'links' | 'codes'>> {
  const links = (await linksIn(item)).map(({ text, url }) => ({ text: brief(text), url: plain(url) }));
  const codes = codesIn(item);
  return { ...(links.length ? { links } : {}), ...(codes.length ? { codes } : {}) };
}

const isLonger = (value: unknown, length: number): boolean => typeof value === 'string' && value.length > length;
/** Day and time with the zone, as a letter has them. */
function fullDate(value: unknown): string {
  const at = new Date(String(value));
  return Number.isNaN(at.getTime())
    ? ''
    : at.toLocaleString(vscode.env.language, {
        weekday: 'short',
        year: 'numeric',
        month: 'short',
        day: 'numeric',
        hour: '2-digit',
        minute: '2-digit',
        timeZoneName: 'short',
      });
}

const person = ({ name, email }: Address): string =>
  brief(name && name !== email ? `${name} <${email}>` : (email ?? ''));
const names = (value: unknown): string[] =>
  (Array.isArray(value) ? value : []).map(one => String((one as Values).name ?? (one as Values).id ?? ''));

/**
 * The operation that downloads what a message carries: the one named for attachments, or the one that gives a file's
 * content.
 */
export function attachmentOperation(operations: object): { name: string; field: string; ref: string } | undefined {
  for (const [name, ref] of [
    ['attachment.get', 'attachment'],
    ['file.content', 'file'],
  ] as const) {
    if (Object.hasOwn(operations, name)) return { name, field: ref, ref };
  }
  return undefined;
}

/** The Content-IDs that an HTML text shows. In a link they may be percent-encoded (RFC 2392 section 2). */
function cidsIn(html: string): Set<string> {
  const found = new Set<string>();
  for (const [, said] of html.matchAll(/\bcid:([^"'\s<>)]{1,500})/gi)) {
    found.add(said!);
    try {
      found.add(decodeURIComponent(said!));
    } catch {
      /* it is as it is */
    }
    if (found.size > MOST_CIDS) break;
  }
  return found;
}
/** More are no pictures of a mail. */
const MOST_CIDS = 1_000;
