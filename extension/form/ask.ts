import { createReadStream } from 'node:fs';
import * as vscode from 'vscode';
import { fileOf, type Fields, type FileValue } from '../../shared/index.js';
import { check, isSecretField } from '../fields/values.js';
import { userFolder } from '../host/fileNames.js';
import { t } from '../host/text.js';
import type { FormIssue, Group, Kept, Picked, Values } from '../webview/messages.js';
import { closePanel, openPanel, type Back } from '../webview/panel.js';
import { render } from './render.js';

interface AskFormOptions {
  extension: vscode.Uri; identity: string; title: string; subtitle?: string; notice?: string; icon?: string;
  fields: Fields; values?: Values; submit: string; general?: string;
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
  keep?: Kept; type?: string; back?: Back | undefined;
  /** Further buttons. */
  actions?: { id: string; label: string; run(values: Values): Promise<void> }[];
  issues?: FormIssue[];
  /** Resolves true when the form is done with; what it throws marks the fields. */
  run(values: Values): Promise<boolean>;
}

/** Where the files of the last choice lay: VS Code itself would begin where a file was opened last, be it a temporary one. */
let lastFolder: vscode.Uri | undefined;

/** A form in a panel of its own, for what is asked at once and sent with a button. Only host and vendor see what is typed; nothing is stored here. */
export function openForm(options: AskFormOptions): void {
  const files = new Map<string, Chosen[]>();
  // A hidden page is thrown away and built anew: what was typed is kept here, but for secrets, which go one way only.
  const lost: string[] = [], picked: Picked[] = [];
  let now: Values = { ...options.values }, attaching: Promise<void> | undefined, submitting: Promise<void> | undefined;
  const attach = async (): Promise<void> => {
    for (const [field, list] of Object.entries(options.attached ?? {})) {
      if (!Object.hasOwn(options.fields, field)) continue;
      const found = await Promise.all(list.map(async uri => {
        try { return await chosenAt(vscode.Uri.parse(uri, true)); } catch { lost.push(uri.split('/').at(-1) ?? uri); return undefined; }
      }));
      files.set(field, found.filter(one => one !== undefined));
    }
  };
  const drafted = () => options.draft?.(now, Object.fromEntries([...files].map(([field, list]) => [field, list.map(({ uri }) => uri)])));
  const pickable = options.pickable ?? (() => false);
  const groups = render(options.fields, { pickable, ...(options.general ? { general: options.general } : {}) });
  const made = openPanel({
    page: 'form', type: options.type ?? 'mailroom.ask', ...(options.keep ? { keep: options.keep } : {}), ...options.back,
    extension: options.extension, identity: options.identity, title: options.title, icon: options.icon ?? 'edit',
    ready: async () => { await (attaching ??= attach()); made?.connected.post({ type: 'form', form: {
      mode: 'ask', title: options.title, ...(options.subtitle ? { subtitle: options.subtitle } : {}),
      ...(options.notice || lost.length
        ? { notice: [options.notice, lost.length ? t('Removed from the draft because they no longer exist: {0}', lost.join(', ')) : ''].filter(Boolean).join(' ') }
        : {}),
      groups: options.groups?.(groups) ?? groups, values: { ...now, ...names() }, issues: options.issues ?? [], picked,
      submit: options.submit,
      actions: [...(options.keepsSecrets ? [{ id: 'keeps', label: '' }] : []), ...(options.actions ?? []).map(({ id, label }) => ({ id, label }))],
    } }); },
    async answer(ask) {
      switch (ask.do) {
        // A page that was built anew meanwhile knows nothing of what it sent before: it hears how that ended.
        case 'submit': return submitting ??= submit(ask.values).finally(() => { submitting = undefined; });
        case 'cancel': closePanel(options.identity); return undefined;
        case 'check': return ask.fields.filter(name => own(name) && !fileField(name)).flatMap(field => {
          const message = check(options.fields, field, ask.values[field] ?? undefined);
          return message === undefined ? [] : [{ field, message }];
        });
        case 'draft': now = { ...now, ...open(ask.values) }; drafted(); return undefined;
        case 'pick': {
          const one = await options.pick?.(ask.field, ask.values);
          if (one) picked.push(one);
          return one;
        }
        case 'action': await options.actions?.find(({ id }) => id === ask.action)?.run({}); return undefined;
        case 'files': {
          const field = fileField(ask.field), many = field?.type === 'list';
          if (!field) return undefined;
          const selected = await vscode.window.showOpenDialog({ canSelectMany: many, title: field.label, openLabel: t('Attach'), defaultUri: lastFolder ?? userFolder() });
          if (selected?.[0]) lastFolder = vscode.Uri.joinPath(selected[0], '..');
          const chosen = await Promise.all((selected ?? []).map(chosenAt));
          files.set(ask.field, many ? [...files.get(ask.field) ?? [], ...chosen] : chosen.length ? chosen : files.get(ask.field) ?? []);
          drafted();
          return names()[ask.field] ?? [];
        }
        case 'unfile': if (!fileField(ask.field)) return undefined; files.set(ask.field, (files.get(ask.field) ?? []).filter((_, i) => i !== ask.index)); drafted(); return names()[ask.field] ?? [];
        default: return undefined;
      }
    },
  });
  const own = (name: string) => Object.hasOwn(options.fields, name) ? options.fields[name] : undefined;
  const fileField = (name: string) => { const field = own(name); return field?.type === 'file' || (field?.type === 'list' && field.of.type === 'file') ? field : undefined; };
  /** What may be written down: the values of fields, but for secrets. */
  const open = (values: Values): Values => Object.fromEntries(Object.entries(values)
    .filter(([name]) => own(name) && !fileField(name) && !isSecretField(options.fields, name)));
  async function submit(values: Values): Promise<void> { if (await options.run(filled(values))) closePanel(options.identity); }
  const names = (): Values => Object.fromEntries([...files].map(([field, list]) =>
    [field, list.map(({ file: { name, size } }) => size === undefined ? name : `${name} (${bytes(size)})`)]));
  function filled(values: Values): Values {
    const out: Values = Object.fromEntries(Object.entries(values)
      .filter(([name, value]) => value !== null && value !== undefined && Object.hasOwn(options.fields, name)));
    for (const [name, list] of files) if (list.length) out[name] = options.fields[name]?.type === 'list' ? list.map(({ file }) => file) : list[0]!.file;
    return out;
  }
}

/** A file that was chosen, with its address for the draft. */
interface Chosen { uri: string; file: FileValue }
const chosenAt = async (uri: vscode.Uri): Promise<Chosen> => ({ uri: uri.toString(), file: await fileAt(uri) });

/** A file of the user as the core wants it: read when it is sent, as often as needed. */
async function fileAt(uri: vscode.Uri): Promise<FileValue> {
  const name = uri.path.split('/').at(-1) ?? 'file', type = typeOf(name);
  if (uri.scheme !== 'file') return fileOf(name, type, await vscode.workspace.fs.readFile(uri));
  const { size } = await vscode.workspace.fs.stat(uri);
  return { name, type, size, open: () => createReadStream(uri.fsPath) as AsyncIterable<Uint8Array> };
}
const TYPES: Readonly<Record<string, string>> = {
  txt: 'text/plain', md: 'text/markdown', csv: 'text/csv', html: 'text/html', json: 'application/json', pdf: 'application/pdf',
  png: 'image/png', jpg: 'image/jpeg', jpeg: 'image/jpeg', gif: 'image/gif',
  svg: 'image/svg+xml', webp: 'image/webp', zip: 'application/zip', ics: 'text/calendar', eml: 'message/rfc822',
  doc: 'application/msword', docx: 'application/vnd.openxmlformats-officedocument.wordprocessingml.document',
  xls: 'application/vnd.ms-excel', xlsx: 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet',
};
function typeOf(name: string): string {
  const ending = name.split('.').at(-1)!.toLowerCase();
  return Object.hasOwn(TYPES, ending) ? TYPES[ending]! : 'application/octet-stream';
}
/** A size for a person: 1.2 MB. */
const bytes = (size: number): string =>
  size < 1024 ? `${size} B` : size < 1048576 ? `${(size / 1024).toFixed(0)} KB` : `${(size / 1048576).toFixed(1)} MB`;
