import { createReadStream } from 'node:fs';
import * as vscode from 'vscode';
import { fileOf, type Fields, type FileValue } from '../shared/index.js';
import type { FormIssue, Group, Values } from './form/messages.js';
import { render } from './form/render.js';
import { closePanel, openPanel } from './panels.js';
import { t } from './words.js';

export interface AskFormOptions {
  extension: vscode.Uri; identity: string; title: string; subtitle?: string; notice?: string; icon?: string;
  fields: Fields; values?: Values; submit: string; general?: string;
  /** Arranges the groups differently from the table. */
  groups?(groups: Group[]): Group[];
  pickable?(ref: string): boolean;
  pick?(field: string, values: Values): Promise<string | undefined>;
  /** Password boxes that stay empty keep what is there. */
  keepsSecrets?: boolean;
  /** Kept while the user writes, secrets never. */
  draft?(values: Values): void;
  /** Further buttons. */
  actions?: { id: string; label: string; run(values: Values): Promise<void> }[];
  issues?: FormIssue[];
  /** Resolves true when the form is done with; what it throws marks the fields. */
  run(values: Values): Promise<boolean>;
}

/** A form in a panel of its own, for what is asked at once and sent with a button. Only host and vendor see what is typed; nothing is stored here. */
export function openForm(options: AskFormOptions): void {
  const files = new Map<string, FileValue[]>();
  const pickable = options.pickable ?? (() => false);
  const groups = render(options.fields, { pickable, ...(options.general ? { general: options.general } : {}) });
  const made = openPanel({
    page: 'form', extension: options.extension, identity: options.identity, title: options.title, icon: options.icon ?? 'edit',
    ready: () => made?.connected.post({ type: 'form', form: {
      mode: 'ask', title: options.title, ...(options.subtitle ? { subtitle: options.subtitle } : {}), ...(options.notice ? { notice: options.notice } : {}),
      groups: options.groups?.(groups) ?? groups, values: { ...options.values, ...names() }, issues: options.issues ?? [], submit: options.submit,
      actions: [...(options.keepsSecrets ? [{ id: 'keeps', label: '' }] : []), ...(options.draft ? [{ id: 'draft', label: '' }] : []), ...(options.actions ?? []).map(({ id, label }) => ({ id, label }))],
    } }),
    async answer(ask) {
      switch (ask.do) {
        case 'submit': if (await options.run(filled(ask.values))) closePanel(options.identity); return undefined;
        case 'cancel': closePanel(options.identity); return undefined;
        case 'draft': options.draft?.(ask.values); return undefined;
        case 'pick': return options.pick?.(ask.field, ask.values);
        case 'action': await options.actions?.find(({ id }) => id === ask.action)?.run({}); return undefined;
        case 'files': {
          const field = options.fields[ask.field], many = field?.type === 'list';
          const picked = await vscode.window.showOpenDialog({ canSelectMany: many, title: field?.label ?? '', openLabel: t('Attach') });
          const chosen = await Promise.all((picked ?? []).map(fileAt));
          files.set(ask.field, many ? [...files.get(ask.field) ?? [], ...chosen] : chosen.length ? chosen : files.get(ask.field) ?? []);
          return names()[ask.field] ?? [];
        }
        case 'unfile': files.set(ask.field, (files.get(ask.field) ?? []).filter((_, i) => i !== ask.index)); return names()[ask.field] ?? [];
        default: return undefined;
      }
    },
  });
  const names = (): Values => Object.fromEntries([...files].map(([field, list]) => [field, list.map(({ name, size }) => size === undefined ? name : `${name} (${bytes(size)})`)]));
  function filled(values: Values): Values {
    const out: Values = Object.fromEntries(Object.entries(values).filter(([name, value]) => value !== null && value !== undefined && Object.hasOwn(options.fields, name)));
    for (const [name, list] of files) if (list.length) out[name] = options.fields[name]?.type === 'list' ? list : list[0];
    return out;
  }
}

/** A file of the user as the core wants it: read when it is sent, as often as needed. */
export async function fileAt(uri: vscode.Uri): Promise<FileValue> {
  const name = uri.path.split('/').at(-1) ?? 'file', type = typeOf(name);
  if (uri.scheme !== 'file') return fileOf(name, type, await vscode.workspace.fs.readFile(uri));
  const { size } = await vscode.workspace.fs.stat(uri);
  return { name, type, size, open: () => createReadStream(uri.fsPath) as AsyncIterable<Uint8Array> };
}
const TYPES: Readonly<Record<string, string>> = {
  txt: 'text/plain', md: 'text/markdown', csv: 'text/csv', html: 'text/html', json: 'application/json', pdf: 'application/pdf', png: 'image/png', jpg: 'image/jpeg', jpeg: 'image/jpeg', gif: 'image/gif',
  svg: 'image/svg+xml', webp: 'image/webp', zip: 'application/zip', ics: 'text/calendar', eml: 'message/rfc822', doc: 'application/msword', docx: 'application/vnd.openxmlformats-officedocument.wordprocessingml.document',
  xls: 'application/vnd.ms-excel', xlsx: 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet',
};
export const typeOf = (name: string): string => TYPES[name.split('.').at(-1)?.toLowerCase() ?? ''] ?? 'application/octet-stream';
/** A size for a person: 1.2 MB. */
export const bytes = (size: number): string => size < 1024 ? `${size} B` : size < 1048576 ? `${(size / 1024).toFixed(0)} KB` : `${(size / 1048576).toFixed(1)} MB`;
