import { MailError } from '../../errors.js';
import { choice, flag, list, onWire, text, time } from '../../fields.js';
import type { Native } from '../../vocabulary.js';
import { moment, objects } from './api.js';

/**
 * The filters that conversations and messages share and the vendor applies (listmailboxconversations.html,
 * listmailboxmessages.html).
 */
export const asked = {
  mailbox: list('Mailboxes', text('Mailbox', { ref: 'mailbox' }), {
    as: 'configCode',
    help: 'Only these email configurations. Left empty, all that may be read are searched.',
  }),
  direction: choice(
    'Direction',
    { Inbound: 'Received', Outbound: 'Sent' },
    { help: 'Servers that sort mail into folders know no direction. Filter by Folder there.' },
  ),
  search: text('Search', { help: "Matches the subject and the sender's name and address." }),
  participantEmail: list('Participant Emails', text('Participant Email', { format: 'email' }), {
    help: 'From, To or Cc is one of these addresses.',
  }),
  participantDomain: list('Participant Domains', text('Participant Domain', { format: 'host' }), {
    help: 'From, To or Cc is in one of these domains.',
  }),
};
/** The filters for which no parameter of the vendor is known: applied here, to the rows as they come. */
export const own = {
  folder: text('Folder', {
    ref: 'folder',
    help: 'The ID or path of a folder. Not possible with servers that do not tell the folders of messages.',
  }),
  after: time('After', {
    help: 'Only mail of this time or later. Compared here: with the newest first, reading stops at the first older one.',
  }),
  before: time('Before', { help: 'Only mail before this time. Compared here, row by row.' }),
};
export const sortDesc = flag('Sort Descending', {
  help: 'Whether to sort from the last to the first. Left empty, times come newest first and names from A to Z.',
});

type Wanted = {
  folder?: string;
  after?: string;
  before?: string;
  direction?: string;
  sortDesc?: boolean;
  sortBy?: string;
};

/** The query of a list. The vendor's own order is ascending; news comes first here. */
export function queryOf(input: Readonly<Record<string, unknown>> & Wanted, byDate: string): Record<string, unknown> {
  const sortBy = input.sortBy ?? byDate;
  return { ...onWire(asked, input), sortBy, sortDesc: input.sortDesc ?? sortBy === byDate };
}

/**
 * The rows that the vendor's own filters cannot choose. `date` and `direction` are the names of the members of a row.
 * Throws `unsupported` where a filter cannot be answered because rows lack what it compares: a guess would show mail
 * that was not asked for.
 */
export async function* chosen(
  rows: AsyncIterable<Native>,
  input: Wanted,
  byDate: string,
  date: string,
  direction: string,
): AsyncGenerator<Native> {
  const from = input.after === undefined ? -Infinity : Date.parse(input.after);
  const until = input.before === undefined ? Infinity : Date.parse(input.before);
  const dated = from !== -Infinity || until !== Infinity;
  const inOrder = (input.sortBy ?? byDate) === byDate;
  const descending = input.sortDesc ?? inOrder;
  for await (const row of rows) {
    // Later documents have no direction any more; a server of theirs ignores the parameter and would answer with
    // everything.
    if (input.direction !== undefined && row[direction] === undefined) {
      throw new MailError(
        'unsupported',
        'This Sodium server does not say which mail was received and which was sent, so it cannot be filtered by direction; filter by folder.',
      );
    }
    if (input.folder !== undefined && !Array.isArray(row.folders)) {
      throw new MailError(
        'unsupported',
        'This Sodium server does not say in which folder its mail is, so it cannot be filtered by folder.',
      );
    }
    if (dated) {
      const at = Date.parse(moment(row[date]) ?? '');
      if (inOrder && (descending ? at < from : at >= until)) return;
      if (!(at >= from && at < until)) continue;
    }
    if (
      input.folder !== undefined &&
      !objects(row.folders).some(({ code, name }) => code === input.folder || name === input.folder)
    )
      continue;
    yield row;
  }
}
