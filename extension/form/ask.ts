import { createReadStream } from 'node:fs';
import * as vscode from 'vscode';
import { fileOf, type Field, type Fields, type FileValue } from '../../shared/index.js';
import { check, isSecretField } from '../fields/values.js';
import { userFolder } from '../host/fileNames.js';
import { t } from '../host/text.js';
import type { Ask, FormIssue, FormModel, Group, Kept, Picked, Values } from '../webview/messages.js';
import { closePanel, openPanel, type Back } from '../webview/panel.js';
import { render } from './render.js';

interface AskFormOptions {
  extension: vscode.Uri;
  identity: string;
  title: string;
  subtitle?: string;
  notice?: string;
  icon?: string;
  fields: Fields;
  values?: Values;
  submit: string;
  general?: string;
  /** Arranges the groups differently from the table. */
  groups?(groups: Group[]): Group[];
  pickable?(ref: string): boolean;
  pick?(field: string, values: Values): Promise<Picked | undefined>;
  /** Password boxes that stay empty keep what is there. */
  keepsSecrets?: boolean;
  /** Told while the user writes, secrets never; files by their addresses, for each field. */
  draft?(values: Values, files: Readonly<Record<string, readonly string[]>>): void;
  /** Files of a draft, by their addresses. What is no longer there is left out, and said. */
  attached?: Readonly<Record<string, readonly string[]>>;
  /** What the form is shown from again after a restart, and the kind of its panel; other forms do not come back. */
  keep?: Kept;
  type?: string;
  back?: Back | undefined;
  /** What the form begins with, where it has to be read first; it is read once. */
  load?(): Promise<Pick<AskFormOptions, 'values' | 'attached' | 'notice'>>;
  /** What is offered to whoever types an address. */
  suggest?(text: string): string[];
  /** A file that is none of the user's, by its address; undefined for one that is. */
  fileAt?(address: string): FileValue | undefined;
  /** Further buttons: each is given what is filled in, and may say in a sentence what it did. */
  actions?: { id: string; label: string; run(values: Values, attach: Attach): Promise<string | void> }[];
  issues?: FormIssue[];
  /** Resolves true when the form is done with; what it throws marks the fields. */
  run(values: Values, attach: Attach): Promise<boolean>;
  /** Told when the form was closed. */
  closed?(): void;
}
/** Puts other files in the place of those that are attached, by their addresses. */
export type Attach = (attached: Readonly<Record<string, readonly string[]>>) => Promise<void>;

/**
 * Where the files of the last choice lay: VS Code itself would begin where a file was opened last, be it a temporary
 * one.
 */
let lastFolder: vscode.Uri | undefined;

/**
 * A form in a panel of its own, for what is asked at once and sent with a button. Only host and vendor see what is
 * typed; nothing is stored here.
 */
export function openForm(options: AskFormOptions): void {
  new AskForm(options).open();
}

class AskForm {
  private readonly options: AskFormOptions;
  private readonly files = new Map<string, Chosen[]>();
  /** Files of the draft that are no longer there, by their names. */
  private readonly lost: string[] = [];
  private readonly picked: Picked[] = [];
  /**
   * A hidden page is thrown away and built anew: what was typed is kept here, but for secrets, which go one way only.
   */
  private now: Values;
  private attaching: Promise<void> | undefined;
  private submitting: Promise<void> | undefined;
  private made: ReturnType<typeof openPanel>;

  constructor(options: AskFormOptions) {
    this.options = options;
    this.now = { ...options.values };
  }

  open(): void {
    const { options } = this;
    this.made = openPanel({
      page: 'form',
      type: options.type ?? 'mailroom.ask',
      ...(options.keep ? { keep: options.keep } : {}),
      ...options.back,
      extension: options.extension,
      identity: options.identity,
      title: options.title,
      icon: options.icon ?? 'edit',
      onClosed: () => options.closed?.(),
      ready: async () => {
        await (this.attaching ??= this.begin().catch((error: unknown) => {
          this.attaching = undefined;
          throw error;
        }));
        this.made?.connected.post({ type: 'form', form: this.model() });
      },
      answer: ask => this.answer(ask),
    });
  }
  private model(): FormModel {
    const { options, lost, now, picked } = this;
    const groups = render(options.fields, {
      pickable: options.pickable ?? (() => false),
      ...(options.general ? { general: options.general } : {}),
    });
    return {
      mode: 'ask',
      title: options.title,
      ...(options.subtitle ? { subtitle: options.subtitle } : {}),
      ...(options.notice || lost.length
        ? {
            notice: [
              options.notice,
              lost.length ? t('Removed from the draft because they no longer exist: {0}', lost.join(', ')) : '',
            ]
              .filter(Boolean)
              .join(' '),
          }
        : {}),
      groups: options.groups?.(groups) ?? groups,
      values: { ...now, ...this.names() },
      issues: options.issues ?? [],
      picked,
      submit: options.submit,
      actions: [
        ...(options.keepsSecrets ? [{ id: 'keeps', label: '' }] : []),
        ...(options.actions ?? []).map(({ id, label }) => ({ id, label })),
      ],
    };
  }
  private async answer(ask: Ask): Promise<unknown> {
    const { options } = this;
    switch (ask.do) {
      // A page that was built anew meanwhile knows nothing of what it sent before: it hears how that ended.
      case 'submit':
        if (!this.submitting) this.heard(ask.values);
        return (this.submitting ??= this.submit(ask.values).finally(() => {
          this.submitting = undefined;
        }));
      case 'cancel':
        closePanel(options.identity);
        return undefined;
      case 'suggest':
        return options.suggest?.(ask.text) ?? [];
      case 'check':
        return this.check(ask.fields, ask.values);
      case 'draft':
        this.heard(ask.values);
        return undefined;
      case 'pick': {
        const one = await options.pick?.(ask.field, ask.values);
        if (one) this.picked.push(one);
        return one;
      }
      case 'action':
        return this.act(ask.action);
      case 'files':
        return this.chooseFiles(ask.field);
      case 'unfile':
        return this.removeFile(ask.field, ask.index);
      default:
        return undefined;
    }
  }
  /** What stands in the form now. The last words come with what is submitted: nobody waits for them by themselves. */
  private heard(values: Values): void {
    this.now = { ...this.now, ...this.withoutSecrets(values) };
    this.drafted();
  }
  private check(fields: readonly string[], values: Values): FormIssue[] {
    return fields
      .filter(name => this.own(name) && !this.fileField(name))
      .flatMap(field => {
        const message = check(this.options.fields, field, values[field] ?? undefined);
        return message === undefined ? [] : [{ field, message }];
      });
  }
  private async submit(values: Values): Promise<void> {
    if (await this.options.run(this.filled(values), this.replace)) closePanel(this.options.identity);
  }

  private async act(action: string): Promise<unknown> {
    const one = this.options.actions?.find(({ id }) => id === action);
    const said = await one?.run(this.filled(this.now), this.replace);
    return { said: said ?? '', files: this.names() };
  }
  private readonly replace: Attach = async attached => {
    for (const field of this.files.keys()) this.files.set(field, []);
    await this.attach(attached);
    this.drafted();
  };

  private async begin(): Promise<void> {
    const { options } = this;
    const loaded = await options.load?.();
    if (loaded?.notice) options.notice = loaded.notice;
    this.now = { ...this.now, ...loaded?.values };
    await this.attach({ ...options.attached, ...loaded?.attached });
  }
  private async attach(attached: Readonly<Record<string, readonly string[]>>): Promise<void> {
    for (const [field, list] of Object.entries(attached)) {
      if (!Object.hasOwn(this.options.fields, field)) continue;
      const found = await Promise.all(
        list.map(async uri => {
          try {
            const file = this.options.fileAt?.(uri);
            return file ? { uri, file } : await chosenAt(vscode.Uri.parse(uri, true));
          } catch {
            this.lost.push(uri.split('/').at(-1) ?? uri);
            return undefined;
          }
        }),
      );
      this.files.set(
        field,
        found.filter(one => one !== undefined),
      );
    }
  }
  private async chooseFiles(name: string): Promise<unknown> {
    const { files } = this;
    const field = this.fileField(name);
    const many = field?.type === 'list';
    if (!field) return undefined;
    const selected = await vscode.window.showOpenDialog({
      canSelectMany: many,
      title: field.label,
      openLabel: t('Attach'),
      defaultUri: lastFolder ?? userFolder(),
    });
    if (selected?.[0]) lastFolder = vscode.Uri.joinPath(selected[0], '..');
    const chosen = await Promise.all((selected ?? []).map(chosenAt));
    files.set(name, many ? [...(files.get(name) ?? []), ...chosen] : chosen.length ? chosen : (files.get(name) ?? []));
    this.drafted();
    return this.names()[name] ?? [];
  }
  private removeFile(name: string, index: number): unknown {
    if (!this.fileField(name)) return undefined;
    this.files.set(
      name,
      (this.files.get(name) ?? []).filter((_, i) => i !== index),
    );
    this.drafted();
    return this.names()[name] ?? [];
  }
  private drafted(): void {
    this.options.draft?.(
      this.now,
      Object.fromEntries([...this.files].map(([field, list]) => [field, list.map(({ uri }) => uri)])),
    );
  }

  private own(name: string): Field | undefined {
    return Object.hasOwn(this.options.fields, name) ? this.options.fields[name] : undefined;
  }
  private fileField(name: string): Field | undefined {
    const field = this.own(name);
    return field?.type === 'file' || (field?.type === 'list' && field.of.type === 'file') ? field : undefined;
  }
  /** What may be written down: the values of fields, but for secrets. */
  private withoutSecrets(values: Values): Values {
    return Object.fromEntries(
      Object.entries(values).filter(
        ([name]) => this.own(name) && !this.fileField(name) && !isSecretField(this.options.fields, name),
      ),
    );
  }
  private names(): Values {
    return Object.fromEntries(
      [...this.files].map(([field, list]) => [
        field,
        list.map(({ file: { name, size } }) => (size === undefined ? name : `${name} (${bytes(size)})`)),
      ]),
    );
  }
  private filled(values: Values): Values {
    const {
      options: { fields },
      files,
    } = this;
    const out: Values = Object.fromEntries(
      Object.entries(values).filter(
        ([name, value]) => value !== null && value !== undefined && Object.hasOwn(fields, name),
      ),
    );
    for (const [name, list] of files)
      if (list.length) out[name] = fields[name]?.type === 'list' ? list.map(({ file }) => file) : list[0]!.file;
    return out;
  }
}

/** A file that was chosen, with its address for the draft. */
interface Chosen {
  uri: string;
  file: FileValue;
}
const chosenAt = async (uri: vscode.Uri): Promise<Chosen> => ({ uri: uri.toString(), file: await fileAt(uri) });

/** A file of the user as the core wants it: read when it is sent, as often as needed. */
async function fileAt(uri: vscode.Uri): Promise<FileValue> {
  const name = uri.path.split('/').at(-1) ?? 'file';
  const type = typeOf(name);
  if (uri.scheme !== 'file') return fileOf(name, type, await vscode.workspace.fs.readFile(uri));
  const { size } = await vscode.workspace.fs.stat(uri);
  return { name, type, size, open: () => createReadStream(uri.fsPath) as AsyncIterable<Uint8Array> };
}
const TYPES: Readonly<Record<string, string>> = {
  txt: 'text/plain',
  md: 'text/markdown',
  csv: 'text/csv',
  html: 'text/html',
  json: 'application/json',
  pdf: 'application/pdf',
  png: 'image/png',
  jpg: 'image/jpeg',
  jpeg: 'image/jpeg',
  gif: 'image/gif',
  svg: 'image/svg+xml',
  webp: 'image/webp',
  zip: 'application/zip',
  ics: 'text/calendar',
  eml: 'message/rfc822',
  doc: 'application/msword',
  docx: 'application/vnd.openxmlformats-officedocument.wordprocessingml.document',
  xls: 'application/vnd.ms-excel',
  xlsx: 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet',
};
function typeOf(name: string): string {
  const ending = name.split('.').at(-1)!.toLowerCase();
  return Object.hasOwn(TYPES, ending) ? TYPES[ending]! : 'application/octet-stream';
}
/** A size for a person: 1.2 MB. */
const bytes = (size: number): string =>
  size < 1024 ? `${size} B` : size < 1048576 ? `${(size / 1024).toFixed(0)} KB` : `${(size / 1048576).toFixed(1)} MB`;
