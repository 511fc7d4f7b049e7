import { MailError } from '../../errors.js';
import { path } from '../../url.js';
import { operation, type Operations } from '../../provider.js';
import type { Native } from '../../vocabulary.js';
import { api } from './api.js';
import { iso, mailbox, source } from './fields.js';

const DOCS = 'https://context.io/docs/2.0/accounts/sync';
const input = {
  mailbox,
  source: { ...source, required: undefined, help: 'The label of the source. Left empty, all sources of the account.' },
};
const address = ({ mailbox: account, source: label }: { mailbox: string; source?: string }) =>
  label === undefined ? path`/accounts/${account}/sync` : path`/accounts/${account}/sources/${label}/sync`;

/** How far one folder has come; `imported` is whether its first import has ended. */
export interface FolderSync {
  source?: string;
  folder?: string;
  imported: boolean;
  startedAt?: string;
  stoppedAt?: string;
}
const isFolder = (value: unknown): value is Native =>
  typeof value === 'object' &&
  value !== null &&
  ('initial_import_finished' in value || 'last_sync_stop' in value || 'last_sync_start' in value);
const toState = (native: Native, source?: string, folder?: string): FolderSync => {
  const startedAt = iso(native.last_sync_start);
  const stoppedAt = iso(native.last_sync_stop);
  return {
    ...(source === undefined ? {} : { source }),
    ...(folder === undefined ? {} : { folder }),
    imported: native.initial_import_finished === true || native.initial_import_finished === 1,
    ...(startedAt ? { startedAt } : {}),
    ...(stoppedAt ? { stoppedAt } : {}),
  };
};

/**
 * Reads both spellings: by label and folder, or by folder alone. A label without a value has not begun (samples of the
 * vendor's clients).
 */
function states(native: Native, label: string | undefined): FolderSync[] {
  return Object.entries(native).flatMap(([name, value]) => {
    if (value === null) return [{ source: name, imported: false }];
    if (isFolder(value)) return [toState(value, label, name)];
    if (typeof value !== 'object')
      throw new MailError('protocol', 'The state of the synchronization was not understood.');
    const folders = Array.isArray(value) ? [] : Object.entries(value);
    return folders.length
      ? folders.map(([folder, one]) => toState((one ?? {}) as Native, name, folder))
      : [{ source: name, imported: false }];
  });
}

export const sync = {
  'sync.start': operation({
    summary: 'Have an account or a source synchronized now',
    effect: 'write',
    docs: DOCS,
    input,
    run: async (ctx, values) => ({
      id: values.source ?? values.mailbox,
      outcome: 'queued' as const,
      native: await api(ctx).write('POST', address(values)),
    }),
  }),
  'sync.status': operation({
    summary: 'See how far the synchronization has come',
    effect: 'read',
    docs: DOCS,
    doubt: 'The answer for a source is documented both by label and by folder; both are read.',
    input,
    async run(ctx, values) {
      const native = await api(ctx).get(address(values));
      const folders = states(native, values.source);
      return {
        id: values.source ?? values.mailbox,
        finished: folders.length > 0 && folders.every(one => one.imported),
        folders,
        native,
      };
    },
  }),
} satisfies Operations;
