import { choice, flag, list, onWire, text } from '../../fields.js';
import { MailError, isMailError } from '../../errors.js';
import { path, query } from '../../url.js';
import { map } from '../../pages.js';
import { operation, type Operations } from '../../provider.js';
import { idOf, type Message, type Native, type Receipt } from '../../vocabulary.js';
import { api, connected, inMailbox, inTenant, mailbox, moment, objects, tenant, words } from './api.js';
import { asked, chosen, own, queryOf, sortDesc } from './filter.js';
import { PAGES, toMessage } from './message.js';

/** A thread as lists show it. The id holds for its mailbox only. `date` is that of the latest message. */
export interface Conversation {
  id: string;
  mailbox?: string;
  subject?: string;
  date?: string;
  messages?: number;
  unread?: number;
  native: Native;
}
/** A thread with its messages, oldest first, which have no text here, and with whom and what it is linked to. */
export interface WholeConversation {
  id: string;
  mailbox: string;
  messages: Message[];
  participants: string[];
  clients: { id: string; name: string }[];
  tasks: { id: string; name: string }[];
  native: Native;
}
/** A folder of a mailbox; `path` says where it is. */
export interface Folder {
  id: string;
  mailbox?: string;
  name: string;
  path?: string;
  kind?: string;
  native: Native;
}

const toConversation = (native: Native): Conversation => {
  const [code, subject, date] = [words(native.configCode), words(native.subject), moment(native.latestMessageDate)];
  return {
    id: idOf(native, 'conversationId'),
    ...(code ? { mailbox: code } : {}),
    ...(subject ? { subject } : {}),
    ...(date ? { date } : {}),
    ...(typeof native.messageCount === 'number' ? { messages: native.messageCount } : {}),
    ...(typeof native.unreadCount === 'number' ? { unread: native.unreadCount } : {}),
    native,
  };
};
const named = (value: unknown, id: string, name: string) =>
  objects(value).map(one => ({ id: idOf(one, id), name: words(one[name]) ?? idOf(one, id) }));

export const toFolder = (native: Native): Folder => {
  const [code, where, kind] = [native.configCode, native.path, native.systemFolderType].map(words);
  return {
    id: idOf(native, 'uniqueId'),
    ...(code ? { mailbox: code } : {}),
    name: words(native.name) ?? where ?? idOf(native, 'uniqueId'),
    ...(where ? { path: where } : {}),
    ...(kind ? { kind } : {}),
    native,
  };
};

const conversation = text('Conversation', {
  required: true,
  ref: 'conversation',
  help: 'The ID of the conversation, as lists and messages give it.',
});
const task = text('Task', { required: true, ref: 'task', knownBy: 'name', help: 'The code of the task.' });
const filters = {
  ...asked,
  ...own,
  sortBy: choice('Sort By', {
    LatestMessageDate: 'Latest Message',
    Subject: 'Subject',
    MessageCount: 'Number of Messages',
  }),
  sortDesc,
};
const where = {
  mailbox: list('Mailboxes', text('Mailbox', { ref: 'mailbox' }), {
    as: 'configCode',
    help: 'Only the folders of these email configurations.',
  }),
  systemFoldersOnly: flag('System Folders Only', { help: 'Whether to leave out the folders that users made.' }),
};

export const conversations = {
  'conversation.list': operation({
    summary: 'List conversations, the one with the latest message first unless told otherwise',
    effect: 'read',
    docs: `${PAGES}/listmailboxconversations.html`,
    orders: ['List Conversations'],
    doubt:
      'The values of Sort By are inferred from another list of the same rows. No parameter for folder or dates is documented, so these are compared here, ' +
      'with the latest message. A conversation that gets a message while it is listed moves to the front and may be missed.',
    input: { tenant, ...filters },
    run: (ctx, input) =>
      map(
        chosen(
          api(ctx).list(
            `${inTenant(ctx, input)}/mailbox/conversations`,
            queryOf(input, 'LatestMessageDate'),
            row => `${words(row.configCode) ?? ''}/${idOf(row, 'conversationId')}`,
          ),
          input,
          'LatestMessageDate',
          'latestMessageDate',
          'latestDirection',
        ),
        toConversation,
      ),
  }),
  'conversation.get': operation({
    summary: 'Get a conversation: its messages, participants, clients and tasks',
    effect: 'read',
    docs: `${PAGES}/getmailboxconversation.html`,
    orders: ['Get Conversation'],
    input: { tenant, mailbox, conversation },
    async run(ctx, input): Promise<WholeConversation> {
      const native = connected(
        await api(ctx).get(inMailbox(ctx, input) + path`/conversations/${input.conversation}`),
        input.mailbox,
        'The conversation was not read',
      );
      if (native.messages !== null && !Array.isArray(native.messages))
        throw new MailError('protocol', 'Sodium\'s answer has no "messages" where a conversation was expected.', {
          native,
        });
      return {
        id: input.conversation,
        mailbox: input.mailbox,
        messages: objects(native.messages).map(row => toMessage(row, input.mailbox)),
        participants: Array.isArray(native.participantEmails)
          ? native.participantEmails.filter((one): one is string => typeof one === 'string')
          : [],
        clients: named(native.clientAssociations, 'clientCode', 'clientName'),
        tasks: named(native.taskAssociations, 'code', 'name'),
        native,
      };
    },
  }),
  'conversation.linkTask': operation({
    summary: 'Link a task to a conversation',
    effect: 'write',
    docs: `${PAGES}/`,
    orders: ['Link Task to Conversation'],
    doubt:
      'Neither body nor status is documented; {"taskCode": "…"} is assumed. Linking twice is taken to change nothing.',
    input: { tenant, mailbox, conversation, task },
    run: async (ctx, input): Promise<Receipt> => ({
      id: input.task,
      native: await api(ctx).act('POST', inMailbox(ctx, input) + path`/conversations/${input.conversation}/tasks`, {
        taskCode: input.task,
      }),
    }),
  }),
  'conversation.unlinkTask': operation({
    summary: 'Remove the link between a task and a conversation',
    effect: 'destroy',
    docs: `${PAGES}/`,
    orders: ['Unlink Task from Conversation'],
    doubt: 'The statuses are not documented; 404 is taken to mean that there was no such link.',
    input: { tenant, mailbox, conversation, task },
    run: async (ctx, input): Promise<Receipt> => ({
      id: input.task,
      native: await api(ctx).act(
        'DELETE',
        inMailbox(ctx, input) + path`/conversations/${input.conversation}/tasks/${input.task}`,
      ),
    }),
  }),
  'folder.list': operation({
    summary: 'List the folders of the mailboxes',
    effect: 'read',
    docs: `${PAGES}/listmailboxfolders.html`,
    doubt:
      'Only the later documents have folders; a server of the earlier ones answers "not found". ' +
      'Whether the answer is a bare list or an envelope is not documented; both are read.',
    input: { tenant, ...where },
    async *run(ctx, input): AsyncGenerator<Folder> {
      try {
        yield* map(api(ctx).whole(`${inTenant(ctx, input)}/mailbox/folders${query(onWire(where, input))}`), toFolder);
      } catch (error) {
        if (!isMailError(error) || error.code !== 'not_found') throw error;
        throw new MailError(
          'not_found',
          `${error.message} Either the tenant or mailbox is not there, or this Sodium server does not have folders yet.`,
          { ...error.details, cause: error },
        );
      }
    },
  }),
} satisfies Operations;
