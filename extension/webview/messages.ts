/** One control of a form, as the page needs it; made from a field by `render.ts`. */
export interface Control {
  name: string;
  label: string;
  kind: 'text' | 'area' | 'number' | 'flag' | 'choice' | 'choices' | 'time' | 'lines' | 'json' | 'secret' | 'files';
  help?: string;
  example?: string;
  required?: boolean;
  clearable?: boolean;
  options?: { value: string; label: string }[];
  open?: boolean;
  rows?: number;
  min?: number;
  max?: number;
  fraction?: boolean;
  maxLength?: number;
  many?: boolean;
  /** Its lines are addresses, which are parted by commas and semicolons too. */
  addresses?: boolean;
  /** A button beside it offers a list to pick from. */
  pick?: boolean;
}
export interface Group {
  title?: string;
  controls: Control[];
  folded?: boolean;
}
export type Values = Record<string, unknown>;
export interface FormIssue {
  field?: string;
  message: string;
}
export interface Action {
  id: string;
  label: string;
  primary?: boolean;
}
/** An object that was chosen for a field, with the name that people know it by. */
export interface Picked {
  id: string;
  label: string;
}
/**
 * A form as the page shows it. `document`: every change is an edit of a document; `ask`: everything goes at once, with
 * a button.
 */
export interface FormModel {
  mode: 'document' | 'ask';
  title: string;
  subtitle?: string;
  notice?: string;
  groups: Group[];
  values: Values;
  issues: FormIssue[];
  actions: Action[];
  submit?: string;
  readonly?: string;
  /** What was chosen before this page was built, so that it is shown by its name. */
  picked?: readonly Picked[];
  /** What was read, in documents: values that differ are marked. */
  base?: Values;
}

interface MailPart {
  id: string;
  name: string;
  type: string;
  size?: number;
  inline?: boolean;
  note?: string;
}
/**
 * A message as a developer looks at it: its parts in order with their depth, the stops on its way, what its headers say
 * of its sender, all headers.
 */
export interface Inspection {
  parts: { depth: number; type: string; name: string; size?: number; about: string }[];
  hops: { from: string; by: string; with: string; at: string; delay: string }[];
  claims: { what: string; result: string; of: string; by: string }[];
  headers: { name: string; value: string }[];
  /** What its maker should know. */
  hints: string[];
  /** So many headers are not here; and only the beginning of the message was looked at. */
  more?: number;
  cut?: boolean;
}
/** A message as the reader shows it; without `loaded` only its head is known. */
export interface MailView {
  id: string;
  from?: string;
  to: string[];
  cc: string[];
  subject?: string;
  date?: string;
  read?: boolean;
  flagged?: boolean;
  loaded: boolean;
  text?: string;
  html?: string;
  inline: Record<string, string>;
  attachments: MailPart[];
  images: boolean;
  problem?: string;
  /** There is more of it than is given here. */
  textCut?: boolean;
  htmlCut?: boolean;
  /** The text was made from the HTML, which is what the sender wrote. */
  textFromHtml?: boolean;
  /** The links of it with where they really lead, and the codes it tells. */
  links?: { text: string; url: string }[];
  codes?: string[];
  inspection?: Inspection;
  /** What its maker should know. */
  hints?: string[];
}
/** So many characters of a message's text are shown: more takes seconds to lay out. */
export const SHOWN = 500_000;
export interface ReaderModel {
  title: string;
  facts: { label: string; value: string }[];
  messages: MailView[];
  preferHtml: boolean;
  /** Being read just now; and why that failed. */
  busy?: boolean;
  problem?: string;
  can: {
    reply: boolean;
    mark: boolean;
    source: boolean;
    headers: boolean;
    attachments: boolean;
    remove: boolean;
    move: boolean;
    link: boolean;
    unlink: boolean;
    /** A test can wait for messages of this account. */
    test?: boolean;
    /** Its source or its headers can be had, so it can be looked into; and it can be saved as a file. */
    inspect?: boolean;
    save?: boolean;
    replyAll?: boolean;
    forward?: boolean;
    flag?: boolean;
    resend?: boolean;
    /** There is a list around it. */
    walk?: boolean;
    /** It can be put into the local inbox. */
    deliver?: boolean;
  };
}

export interface ListColumn {
  id: string;
  label: string;
  entries: string[];
  loading: boolean;
  problem?: string;
  more?: boolean;
}
export interface EntryResult {
  value: string;
  message?: string;
}
export interface ListsModel {
  title: string;
  subtitle?: string;
  columns: ListColumn[];
  example?: string;
  help?: string;
  canCopy: boolean;
}

export interface Bar {
  label: string;
  value: number;
  tone: 'good' | 'warn' | 'bad' | 'plain';
}
export interface Chart {
  title: string;
  note?: string;
  bars: Bar[];
  total?: string;
}
export interface OverviewModel {
  title: string;
  subtitle: string;
  charts: Chart[];
  rows: { label: string; status: string; tone: Bar['tone']; detail: string }[];
  busy: boolean;
  note?: string;
}
/**
 * One request as the log and the inspector show it: no query, no body, no header. `wait`: after how many seconds it was
 * tried again.
 */
export interface RequestLine {
  id: number;
  at: number;
  account: string;
  method: string;
  origin: string;
  /** How a connection of mail is protected, which its address says of TLS from the start only. */
  security?: 'tls' | 'starttls' | 'none';
  path: string;
  status?: number;
  error?: string;
  ms: number;
  attempt: number;
  wait?: number;
  /** What went and came can be asked for; and it is a read that can be sent again. */
  wire?: boolean;
  again?: boolean;
}

/** What went and came with a request: of HTTP two texts, of mail what client and server said in turns. */
export type RequestContent = { tls?: RequestTls } & (
  { sent: string; answer?: string } | { turns: RequestTurn[]; together?: boolean }
);
/** What one side said until the other did; `left` counts the bytes behind it that are not shown. */
export interface RequestTurn {
  by: 'client' | 'server';
  text: string;
  left?: number;
}
/** How TLS protected the connection, and the certificate that the server showed. `validTo` is ISO 8601. */
export interface RequestTls {
  protocol: string;
  cipher: string;
  subject: string;
  names: string;
  issuer: string;
  validTo: string;
  fingerprint: string;
}

/** What the host tells a page. */
export type ToPage =
  | { type: 'words'; words: Record<string, string>; keep?: Record<string, string> }
  | { type: 'held'; message: string; button?: string; title?: string }
  | { type: 'form'; form: FormModel }
  /**
   * `typing`: what is still being written is not complained about. `refused`: a save was just refused, which is said.
   */
  | {
      type: 'values';
      values: Values;
      base?: Values;
      issues: FormIssue[];
      readonly?: string;
      typing?: boolean;
      refused?: boolean;
    }
  | { type: 'reader'; reader: ReaderModel }
  | { type: 'mail'; mail: MailView }
  | { type: 'lists'; lists: ListsModel }
  | { type: 'column'; column: ListColumn }
  | { type: 'overview'; overview: OverviewModel }
  | { type: 'requests'; lines: RequestLine[] }
  | { type: 'reply'; id: number; ok: true; value?: unknown }
  | { type: 'reply'; id: number; ok: false; message: string; issues?: FormIssue[] };

/** What can be done with a message that is read. */
const MAIL_ACTIONS = [
  'reply',
  'markRead',
  'markUnread',
  'delete',
  'move',
  'source',
  'headers',
  'linkTask',
  'unlinkTask',
  'json',
  'test',
  'inspect',
  'uninspect',
  'save',
  'replyAll',
  'forward',
  'resend',
  'flag',
  'unflag',
  'copyAddress',
  'next',
  'previous',
  'deliver',
] as const;
export type MailAction = (typeof MAIL_ACTIONS)[number];

export type Kind = 'string' | 'number' | 'strings' | 'values' | 'any' | 'string?' | readonly string[];
/**
 * What a page may ask of the host, what belongs to each request, and of which kind that is. The check and the types are
 * made of it.
 */
export const SHAPES = {
  edit: { field: 'string', value: 'any' },
  save: {},
  submit: { values: 'values' },
  draft: { values: 'values' },
  check: { values: 'values', fields: 'strings' },
  cancel: {},
  suggest: { text: 'string' },
  action: { action: 'string' },
  pick: { field: 'string', values: 'values' },
  files: { field: 'string' },
  unfile: { field: 'string', index: 'number' },
  read: { message: 'string' },
  images: { message: 'string' },
  link: { url: 'string' },
  attachment: { message: 'string', attachment: 'string', how: ['save', 'open', 'preview'] },
  mail: { message: 'string', what: MAIL_ACTIONS },
  add: { column: 'string', values: 'strings' },
  remove: { column: 'string', values: 'strings' },
  copy: { column: 'string', values: 'strings' },
  reload: { column: 'string?' },
  clear: {},
  again: {},
  copyRequest: { request: 'number' },
  wire: { request: 'number' },
  sendAgain: { request: 'number' },
} as const satisfies Readonly<Record<string, Readonly<Record<string, Kind>>>>;
type Shapes = typeof SHAPES;
/** The values of a kind. */
type Of<K> = K extends readonly (infer One)[] ? One : K extends keyof Kinds ? Kinds[K] : never;
interface Kinds {
  string: string;
  'string?': string;
  number: number;
  strings: string[];
  values: Values;
  any: unknown;
}
type Given<S> = { [K in keyof S as S[K] extends 'string?' ? never : K]: Of<S[K]> } & {
  [K in keyof S as S[K] extends 'string?' ? K : never]?: Of<S[K]>;
};
/** What a page may ask of the host. */
export type Ask = { [D in keyof Shapes]: { do: D } & Given<Shapes[D]> }[keyof Shapes];
/** What a page is shown from again after a restart: ids and labels, no secret and no mail. */
export type Kept = Record<string, string>;
/**
 * What was kept, in the state of a page; undefined unless it has exactly that shape, because it comes back from a page.
 */
export function readKept(state: unknown): Kept | undefined {
  const keep = isObject(state) ? state.keep : undefined;
  return isObject(keep) && Object.values(keep).every(value => typeof value === 'string' && value.length <= 20_000)
    ? (keep as Kept)
    : undefined;
}
/** What a page sends: that it is ready, or a request with its number. */
export type ToHost = { type: 'ready' } | { type: 'ask'; id: number; ask: Ask };

/**
 * All texts of one message together are no longer, in characters; and so many entries in a list, so many values in a
 * form, with so long names.
 */
const LONGEST = 2_000_000;
const ENTRIES = 10_000;
const FIELDS = 500;
const NAME = 200;

/** The message if it has exactly the shape of one, else undefined: a page is input, not a friend. */
export function readToHost(given: unknown): ToHost | undefined {
  if (!isObject(given)) return undefined;
  const type = ownOf(given, 'type');
  const id = ownOf(given, 'id');
  const ask = ownOf(given, 'ask');
  if (type === 'ready') return { type };
  if (type !== 'ask' || !Number.isSafeInteger(id) || !isObject(ask)) return undefined;
  const what = ownOf(ask, 'do');
  if (typeof what !== 'string' || !Object.hasOwn(SHAPES, what)) return undefined;
  const shape: Readonly<Record<string, Kind>> = SHAPES[what as Ask['do']];
  if (Object.keys(ask).some(key => key !== 'do' && !Object.hasOwn(shape, key))) return undefined;
  const size = Object.entries(shape).reduce((sum, [key, kind]) => sum + sizeOf(ownOf(ask, key), kind), 0);
  return size <= LONGEST ? { type, id: id as number, ask: ask as unknown as Ask } : undefined;
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const ownOf = (object: Record<string, unknown>, key: string): unknown =>
  Object.hasOwn(object, key) ? object[key] : undefined;
/** How many characters there are in a value of a kind; no end of them in what is not of that kind. */
function sizeOf(value: unknown, kind: Kind): number {
  if (typeof kind !== 'string') return typeof value === 'string' && kind.includes(value) ? 0 : Infinity;
  switch (kind) {
    case 'string':
      return typeof value === 'string' ? value.length : Infinity;
    case 'string?':
      return value === undefined ? 0 : sizeOf(value, 'string');
    case 'number':
      return Number.isSafeInteger(value) ? 0 : Infinity;
    // An array's own iterator, because its methods leave holes out.
    case 'strings':
      return Array.isArray(value) && value.length <= ENTRIES
        ? Array.from(value).reduce<number>((sum, one) => sum + sizeOf(one, 'string'), 0)
        : Infinity;
    case 'values': {
      const keys = isObject(value) ? Object.keys(value) : [];
      if (!isObject(value) || keys.length > FIELDS || keys.some(key => key.length > NAME || key === '__proto__'))
        return Infinity;
      return keys.reduce((sum, key) => sum + sizeOf(value[key], 'any'), 0);
    }
    case 'any':
      if (
        value === null ||
        value === undefined ||
        typeof value === 'boolean' ||
        (typeof value === 'number' && Number.isFinite(value))
      )
        return 0;
      return sizeOf(value, Array.isArray(value) ? 'strings' : 'string');
  }
}

/** Every text that pages show by themselves; the host sends them in the user's language. */
export const PAGE_WORDS = [
  'Cancel',
  'One per line, or separated by commas',
  'Choose…',
  'Choose Files…',
  'Remove',
  'required',
  'not set',
  'One per line',
  'Search settings',
  'No matching settings',
  'Working…',
  'Done',
  'More',
  'To',
  'Cc',
  'Plain text',
  'HTML',
  'Reply',
  'Mark as Read',
  'Mark as Unread',
  'Delete…',
  'Move…',
  'Source',
  'Headers',
  'Link Task…',
  'Open as JSON',
  'Copy as Test…',
  'Links',
  'Codes',
  'Hints',
  'No hints. Nothing stands out.',
  'Send to Local Inbox',
  'Reply All',
  'Forward',
  'Send Again…',
  'Flag',
  'Remove Flag',
  'Copy Address',
  'Next',
  'Previous',
  'Flagged',
  'Key: {0}',
  'Flag removed',
  'Details',
  'Hide Details',
  'Save as .eml…',
  'Parts',
  'Type',
  'Name',
  'Size',
  'Path of the Message',
  'From',
  'By',
  'With',
  'Delay',
  'Authentication',
  'This is what the headers say. Mailroom did not verify it, and a sender can write such headers too.',
  'Result',
  'Said by',
  'All Headers',
  'Value',
  '{0} more are in the source.',
  'The message is too large to show all of its parts.',
  'Width',
  'Full Width',
  'Phone',
  'Desktop',
  'Background',
  'Light',
  'Dark',
  'Remote images are blocked to protect your privacy.',
  'Load Images',
  'Save As…',
  'Preview',
  'Attachments',
  'This message has no text.',
  'This message is too long to show in full.',
  'Loading…',
  'Message text',
  'Message from {0}',
  'Unread',
  'Show message',
  'Try Again',
  'Unlink Task…',
  'Open',
  'Marked as read',
  'Marked as unread',
  'Message shown',
  'Add',
  'Add to {0}',
  'Paste one entry per line',
  'Filter',
  'Filter entries of {0}',
  'Select all',
  'Remove Selected',
  'Copy To…',
  'No entries',
  'No matching entries',
  '{0} entries',
  '{0} of {1} entries',
  'Show More',
  'Only the first {0} entries were read; there are more.',
  '{0} added',
  '{0} removed',
  '{0} added, {1} refused',
  '{0} removed, {1} refused',
  'Reload',
  'Refresh',
  'Clear',
  'Time',
  'Account',
  'Method',
  'Path',
  'Status',
  'Milliseconds',
  'Try',
  'No requests yet. Expand an account, and they appear here.',
  'Filter requests',
  'No matching requests.',
  'Show',
  'All',
  'Failed',
  'Copy as cURL',
  'Copy as swaks',
  'Send Again',
  'Request',
  'Answer',
  'No answer came.',
  'Client and server',
  '… {0} more bytes',
  'Other commands were running at the same time. Answers that name no command stand with the oldest of them.',
  'Encryption',
  'None',
  'Certificate',
  'Issued by',
  'Valid until',
  'Fingerprint (SHA-256)',
  'failed',
  'Finished',
  'Address',
  'Retried after {0} s',
  '{0} ms',
  'Details of {0}',
  'Needs attention',
  'Nothing needs attention.',
  'Mailbox',
  'State',
  'Requests',
  'Leave empty to keep the current one',
  'changed',
] as const;
/** A text that the host translates. Pages show no other by themselves, which the compiler sees to. */
export type PageWord = (typeof PAGE_WORDS)[number];
