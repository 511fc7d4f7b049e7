import { MailError } from '../../errors.js';
import { onWire, text, time } from '../../fields.js';
import { path } from '../../url.js';
import { map } from '../../pages.js';
import { operation, type Operations } from '../../provider.js';
import type { Native } from '../../vocabulary.js';
import { api } from './api.js';
import { folder, includes, indexFilters, mailbox, peopleFilters, seconds, subject } from './fields.js';
import { wholeThread } from './message.js';

const DOCS = 'https://context.io/docs/2.0/accounts/threads';
const thread = text('Thread', {
  required: true,
  ref: 'thread',
  help: 'The ID of the thread: gm- and the Gmail thread ID.',
});

/** The vendor lists threads as addresses; the id is the last part (the vendor's documents of API 2.0). */
export function threadOf(entry: unknown, account: string): { id: string; mailbox: string; native: Native } {
  const native: Native = typeof entry === 'string' ? { resource_url: entry } : ((entry ?? {}) as Native);
  const last =
    typeof native.resource_url === 'string'
      ? native.resource_url
          .replace(/[?#].*$/, '')
          .replace(/\/+$/, '')
          .split('/')
          .at(-1)
      : undefined;
  if (!last) throw new MailError('protocol', 'The list of threads holds something that is no address.');
  return { id: decoded(last), mailbox: account, native };
}
const decoded = (part: string) => {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
};
export const threadName = (entry: unknown): string => threadOf(entry, '').id;

const filters = {
  subject,
  ...peopleFilters,
  folder: { ...folder, required: undefined },
  ...indexFilters,
  active_before: time('Active Before', { ...seconds, help: 'Threads whose last message is older.' }),
  active_after: time('Active After', { ...seconds, help: 'Threads whose last message is younger.' }),
  started_before: time('Started Before', { ...seconds, help: 'Threads whose first message is older.' }),
  started_after: time('Started After', { ...seconds, help: 'Threads whose first message is younger.' }),
};

export const threads = {
  'thread.list': operation({
    summary: 'List the Gmail threads of an account',
    effect: 'read',
    docs: DOCS,
    doubt: 'Only Gmail mail has thread ids; for other mail get the thread of a message.',
    input: { mailbox, ...filters },
    run: (ctx, { mailbox: account, ...rest }) =>
      map(api(ctx).pages<unknown>(path`/accounts/${account}/threads`, onWire(filters, rest), threadName), entry =>
        threadOf(entry, account),
      ),
  }),
  'thread.get': operation({
    summary: 'Get a thread with its messages',
    effect: 'read',
    docs: DOCS,
    input: { mailbox, thread, ...includes },
    run: (ctx, { mailbox: account, thread: id, ...rest }) =>
      wholeThread(ctx, path`/accounts/${account}/threads/${id}`, onWire(includes, rest), id, account),
  }),
  'thread.folders': operation({
    summary: 'List the folders that hold a thread',
    effect: 'read',
    plain: true,
    docs: DOCS,
    doubt: 'Only late servers know this.',
    input: { mailbox, thread },
    run: (ctx, input) => api(ctx).list(path`/accounts/${input.mailbox}/threads/${input.thread}/folders`),
  }),
  'thread.delete': operation({
    summary: 'Delete all messages of a thread',
    effect: 'destroy',
    docs: DOCS,
    doubt: 'Only late servers know this.',
    input: { mailbox, thread },
    run: async (ctx, input) => ({
      id: input.thread,
      native: await api(ctx).write('DELETE', path`/accounts/${input.mailbox}/threads/${input.thread}`),
    }),
  }),
} satisfies Operations;
