import { attributesOf, relatedId } from '../../codecs/jsonApi.js';
import { choice, list, text } from '../../fields.js';
import { path } from '../../url.js';
import { map } from '../../pages.js';
import { operation, type Operations } from '../../provider.js';
import type { Native } from '../../vocabulary.js';
import { api, DOCS as REFERENCE, id } from './api.js';
import { collection } from './collection.js';

const DOCS = `${REFERENCE}Mailing`;
const TIMES = {
  createdAt: 'Created',
  updatedAt: 'Updated',
  scheduledAt: 'Scheduled',
  deliveredAt: 'Delivered',
  openedAt: 'Opened',
  clickedAt: 'Clicked',
  repliedAt: 'Replied',
  bouncedAt: 'Bounced',
  unsubscribedAt: 'Unsubscribed',
  retryAt: 'Retry',
  stateChangedAt: 'State Changed',
  notifyThreadScheduledAt: 'Notify Thread Scheduled',
};
const STATES = {
  bounced: 'Bounced',
  delivered: 'Delivered',
  delivering: 'Delivering',
  drafted: 'Drafted',
  failed: 'Failed',
  opened: 'Opened',
  placeholder: 'Placeholder',
  queued: 'Queued',
  replied: 'Replied',
  scheduled: 'Scheduled',
};
const READABLE = {
  ...Object.fromEntries(Object.entries(TIMES).map(([name, label]) => [name, `${label} At`])),
  bodyHtml: 'Body HTML',
  bodyText: 'Body Text',
  clickCount: 'Click Count',
  errorBacktrace: 'Error Backtrace',
  errorReason: 'Error Reason',
  followUpTaskScheduledAt: 'Follow-Up Task Scheduled At',
  followUpTaskType: 'Follow-Up Task Type',
  mailboxAddress: 'Mailbox Address',
  mailingType: 'Mailing Type',
  markedAsSpamAt: 'Marked as Spam At',
  messageId: 'Message ID',
  notifyThreadCondition: 'Notify Thread Condition',
  notifyThreadStatus: 'Notify Thread Status',
  openCount: 'Open Count',
  overrideSafetySettings: 'Override Safety Settings',
  references: 'References',
  retryCount: 'Retry Count',
  retryInterval: 'Retry Interval',
  state: 'State',
  subject: 'Subject',
  trackLinks: 'Track Links',
  trackOpens: 'Track Opens',
};
const RELATED = {
  mailbox: 'Mailbox',
  user: 'User',
  prospect: 'Prospect',
  sequence: 'Sequence',
  sequenceState: 'Sequence State',
  sequenceStep: 'Sequence Step',
  template: 'Template',
  task: 'Task',
  opportunity: 'Opportunity',
  followUpSequence: 'Follow-Up Sequence',
};
type Related = keyof typeof RELATED;
/** A message sent, or to be sent, by Outreach through a mailbox, with the ids of what it belongs to. */
export type Mailing = { id: string; subject?: string; state?: string; native: Native } & { [K in Related]?: string };

const toMailing = (native: Native): Mailing => {
  const { subject, state } = attributesOf(native);
  return {
    id: String(native.id),
    ...(typeof subject === 'string' ? { subject } : {}),
    ...(typeof state === 'string' ? { state } : {}),
    ...Object.fromEntries(
      Object.keys(RELATED)
        .map(name => [name, relatedId(native, name)])
        .filter(([, related]) => related !== undefined),
    ),
    native,
  };
};
const listed = collection({
  type: 'mailing',
  readable: READABLE,
  times: TIMES,
  authorization: true,
  sorts: {
    state: 'State',
    mailingType: 'Mailing Type',
    messageId: 'Message ID',
    notifyThreadStatus: 'Notify Thread Status',
  },
  filters: {
    ...(Object.fromEntries(
      Object.entries(RELATED).map(([name, label]) => [
        name,
        id(label, {
          as: `[${name}][id]`,
          ...(name === 'mailbox' || name === 'user' ? { ref: name } : {}),
          help: `Only the mailings of this ${label.toLowerCase()}.`,
        }),
      ]),
    ) as Record<Related, ReturnType<typeof id>>),
    state: list('States', choice('State', STATES), {
      help: 'Only mailings in one of these states.',
      wire: (states: string[]) => states.join(','),
    }),
    mailingType: choice('Mailing Type', { sequence: 'Sequence', single: 'Single', campaign: 'Campaign' }),
    notifyThreadStatus: choice('Notify Thread Status', { pending: 'Pending', sent: 'Sent', skipped: 'Skipped' }),
    messageId: text('Message ID', {
      maxLength: 998,
      pattern: '^[^,]*$',
      example: '<1@example.com>',
      help: 'Only the mailing with this Message-ID, which may not contain a comma.',
    }),
  },
});

export const mailings = {
  'mailing.list': operation({
    summary: 'List mailings',
    effect: 'read',
    docs: DOCS,
    doubt:
      "Large pages are reported to fail at the provider's gateway because each mailing holds its HTML; the page is halved then, " +
      'and Fields makes it small from the start.',
    input: listed.input,
    run: (ctx, input) => map(api(ctx).pages('/mailings', listed.parameters(input)), toMailing),
  }),
  'mailing.get': operation({
    summary: 'Get a mailing',
    effect: 'read',
    docs: DOCS,
    input: {
      mailing: id('Mailing', { required: true, ref: 'mailing', help: 'The ID of the mailing.' }),
      ...listed.one,
    },
    run: async (ctx, input) => toMailing(await api(ctx).get(path`/mailings/${input.mailing}`, listed.shape(input))),
  }),
} satisfies Operations;
