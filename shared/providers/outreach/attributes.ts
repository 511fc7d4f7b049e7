import { choice, flag, number, same, text, time, type Field, type Fields } from '../../fields.js';

/** `rw` read and written, `ro` set by the vendor alone, `wo` accepted but never returned. */
export type Access = 'rw' | 'ro' | 'wo';

const rw = <const F extends Field>(field: F) => ({ access: 'rw' as const, field });
const ro = <const F extends Field>(field: F) => ({ access: 'ro' as const, field });
const wo = <const F extends Field>(field: F) => ({ access: 'wo' as const, field });
/** An empty text takes the value away. JSON:API spells that null; the vendor calls every attribute nullable. */
const emptied = { clearable: true, wire: (value: string) => (value === '' ? null : value) } as const;

const IDENTITY = { group: 'Identity' } as const;
const IMAP = { group: 'IMAP' } as const;
const SMTP = { group: 'SMTP' } as const;
const EXCHANGE = { group: 'Exchange' } as const;
const SENDGRID = { group: 'SendGrid' } as const;
const LIMITS = { group: 'Limits' } as const;
const SYNC = { group: 'Sync' } as const;
const SIGNATURE = { group: 'Signature and Opt-Out' } as const;
const STATUS = { group: 'Status' } as const;
const port = { min: 1, max: 65_535 } as const;
const whole = { min: 0 } as const;

/**
 * All fifty attributes of a mailbox in the vendor's names, in the order and groups of our forms. Types, lengths and
 * marks are those of the vendor's reference (tag Mailbox) and of its machine-readable schema; lengths are characters,
 * periods and frequencies seconds.
 */
export const attributes = {
  email: rw(text('Email', { ...IDENTITY, format: 'email', maxLength: 255, help: 'The address of the mailbox.' })),
  username: rw(
    text('Username', {
      ...IDENTITY,
      maxLength: 255,
      ...emptied,
      help: 'Usually the address itself. Most providers that do not use OAuth need it.',
    }),
  ),
  password: wo(
    text('Password', {
      ...IDENTITY,
      secret: true,
      maxLength: 65_535,
      help: 'The password of the mailbox. It is never shown again.',
    }),
  ),
  emailProvider: rw(
    choice(
      'Email Provider',
      {
        exchange_online: 'Exchange Online',
        exchange_server: 'Exchange Server',
        gmail: 'Gmail',
        gmail_api: 'Gmail API',
        google_oauth2: 'Google OAuth 2',
        intermedia: 'Intermedia',
        office365_oauth2: 'Office 365 OAuth 2',
        microsoft_hma_oauth2: 'Microsoft HMA OAuth 2',
        office_365: 'Office 365',
        rackspace: 'Rackspace',
      },
      {
        ...IDENTITY,
        open: true,
        ...emptied,
        help: 'You can enter another value. Left empty, sending and syncing are guessed from the EWS, IMAP and SMTP values.',
      },
    ),
  ),
  authId: rw(
    number('Auth ID', {
      ...IDENTITY,
      ...whole,
      help: 'The ID of the authorization behind the mailbox. Outreach sets it itself. Change it only when its support says so.',
    }),
  ),
  emailHash: rw(
    text('Email Hash', {
      ...IDENTITY,
      maxLength: 255,
      help: 'The hash of the address. Outreach sets it itself. Change it only when its support says so.',
    }),
  ),

  imapHost: rw(
    text('IMAP Host', {
      ...IMAP,
      format: 'host',
      maxLength: 255,
      example: 'imap.gmail.com',
      ...emptied,
      help: 'The server for syncing.',
    }),
  ),
  imapPort: rw(number('IMAP Port', { ...IMAP, ...port, example: '993' })),
  imapSsl: rw(flag('IMAP SSL', { ...IMAP, suggest: true, help: 'Whether the IMAP connection uses TLS.' })),

  smtpHost: rw(
    text('SMTP Host', {
      ...SMTP,
      format: 'host',
      maxLength: 255,
      example: 'smtp.gmail.com',
      ...emptied,
      help: 'The server for sending.',
    }),
  ),
  smtpPort: rw(number('SMTP Port', { ...SMTP, ...port, example: '587' })),
  smtpSsl: rw(flag('SMTP SSL', { ...SMTP, suggest: true, help: 'Whether the SMTP connection uses TLS.' })),
  smtpUsername: rw(
    text('SMTP Username', {
      ...SMTP,
      maxLength: 255,
      ...emptied,
      help: 'Only for a separate SMTP account. Otherwise leave it empty.',
    }),
  ),
  smtpPassword: wo(
    text('SMTP Password', {
      ...SMTP,
      secret: true,
      maxLength: 65_535,
      help: 'Only for a separate SMTP account. It is never shown again.',
    }),
  ),

  ewsEndpoint: rw(
    text('EWS Endpoint', {
      ...EXCHANGE,
      format: 'uri',
      maxLength: 255,
      example: 'https://mail.example.com/EWS/Exchange.asmx',
      ...emptied,
      help: 'The address of Exchange Web Services.',
    }),
  ),
  ewsSslVerifyMode: rw(
    choice(
      'EWS SSL Verify Mode',
      { '0': 'None', '1': 'Verify Peer', '2': 'Fail if There Is No Peer Certificate', '4': 'Verify Client Once' },
      { ...EXCHANGE, wire: Number, help: 'How certificates of the EWS connection are checked.' },
    ),
  ),
  exchangeVersion: rw(
    choice(
      'Exchange Version',
      same(
        'Exchange2007',
        'Exchange2007_SP1',
        'Exchange2010',
        'Exchange2010_SP1',
        'Exchange2010_SP2',
        'Exchange2013',
        'Exchange2013_SP1',
      ),
      EXCHANGE,
    ),
  ),

  sendgridApiKey: wo(
    text('SendGrid API Key', {
      ...SENDGRID,
      secret: true,
      maxLength: 65_535,
      help: 'The key of the SendGrid account used for sending. It is never shown again.',
    }),
  ),
  sendgridWebhookUrl: ro(
    text('SendGrid Webhook URL', {
      ...SENDGRID,
      help: 'Enter it in the settings of the SendGrid account, so that bounces and spam reports are counted.',
    }),
  ),

  sendThreshold: rw(
    number('Send Threshold', {
      ...LIMITS,
      ...whole,
      example: '2',
      help: 'How many messages may be sent per Send Period. 2 is recommended.',
    }),
  ),
  sendPeriod: rw(
    number('Send Period', {
      ...LIMITS,
      ...whole,
      example: '60',
      help: 'In seconds, for Send Threshold. 60 is recommended.',
    }),
  ),
  sendMaxRetries: rw(
    number('Send Max Retries', { ...LIMITS, ...whole, help: 'How often a failed delivery is tried again.' }),
  ),
  maxMailingsPerDay: rw(
    number('Max Mailings per Day', {
      ...LIMITS,
      ...whole,
      example: '500',
      help: 'How many messages Outreach may send in a day. 500 is recommended.',
    }),
  ),
  maxMailingsPerWeek: rw(
    number('Max Mailings per Week', {
      ...LIMITS,
      ...whole,
      example: '5000',
      help: 'How many messages Outreach may send in a week. 5000 is recommended.',
    }),
  ),
  maxEmailsPerDay: rw(
    number('Max Emails per Day', { ...LIMITS, ...whole, help: 'How many messages may come in and go out in a day.' }),
  ),

  sendMethod: rw(
    choice(
      'Send Method',
      { ews: 'EWS', sendgrid: 'SendGrid', smtp: 'SMTP' },
      { ...SYNC, help: 'How messages are sent.' },
    ),
  ),
  sendDisabled: rw(flag('Send Disabled', { ...SYNC, help: 'Whether sending is switched off.' })),
  sendRequiresSync: rw(
    flag('Send Requires Sync', { ...SYNC, help: 'Whether the mailbox must have synced recently before it sends.' }),
  ),
  syncMethod: rw(
    choice(
      'Sync Method',
      { ews: 'EWS', gmail_api: 'Gmail API', imap: 'IMAP' },
      { ...SYNC, help: 'How messages are synced.' },
    ),
  ),
  syncDisabled: rw(flag('Sync Disabled', { ...SYNC, help: 'Whether syncing is switched off.' })),
  syncActiveFrequency: rw(
    number('Sync Active Frequency', {
      ...SYNC,
      ...whole,
      help: 'Seconds between syncs while the user is at work in Outreach.',
    }),
  ),
  syncPassiveFrequency: rw(
    number('Sync Passive Frequency', { ...SYNC, ...whole, help: 'Seconds between syncs while the user is away.' }),
  ),
  syncOutreachFolder: rw(
    flag('Sync Outreach Folder', {
      ...SYNC,
      help: 'Whether the folder “Outreach” is synced instead of the inbox. Only Exchange2007_SP1 allows it.',
    }),
  ),
  prospectEmailExclusions: rw(
    text('Prospect Email Exclusions', {
      ...SYNC,
      lines: 6,
      maxLength: 65_535,
      example: '*@example.com',
      ...emptied,
      help: 'Patterns of addresses that are kept out of syncing, one a line.',
    }),
  ),
  validateSend: wo(
    flag('Validate Send', {
      ...SYNC,
      suggest: true,
      help: 'Whether to save only if the mailbox can send with these settings.',
    }),
  ),
  validateSync: wo(
    flag('Validate Sync', {
      ...SYNC,
      suggest: true,
      help: 'Whether to save only if the mailbox can sync with these settings.',
    }),
  ),

  emailSignature: rw(
    text('Email Signature', {
      ...SIGNATURE,
      format: 'html',
      lines: 8,
      maxLength: 65_535,
      ...emptied,
      help: 'The HTML at the end of each message.',
    }),
  ),
  optOutMessage: rw(
    text('Opt-Out Message', {
      ...SIGNATURE,
      lines: 3,
      maxLength: 512,
      ...emptied,
      help: 'What the page says that a reader sees after the unsubscribe link.',
    }),
  ),
  optOutSignature: rw(
    text('Opt-Out Signature', {
      ...SIGNATURE,
      format: 'html',
      lines: 3,
      maxLength: 512,
      ...emptied,
      help: 'The HTML below the signature. %unsubscribe_url% stands for the link.',
    }),
  ),

  userId: ro(number('User ID', { ...STATUS, help: 'The ID of the owner, who is changed through User.' })),
  editable: ro(flag('Editable', { ...STATUS, help: 'Whether this account may change the mailbox.' })),
  providerId: ro(number('Provider ID', STATUS)),
  providerType: ro(text('Provider Type', { ...STATUS, maxLength: 255 })),
  sendSuccessAt: ro(time('Send Success At', { ...STATUS, help: 'When sending last worked.' })),
  sendErroredAt: ro(time('Send Errored At', { ...STATUS, help: 'When sending last failed.' })),
  syncSuccessAt: ro(time('Sync Success At', { ...STATUS, help: 'When syncing last worked.' })),
  syncErroredAt: ro(time('Sync Errored At', { ...STATUS, help: 'When syncing last failed.' })),
  syncFinishedAt: ro(time('Sync Finished At', { ...STATUS, help: 'When a sync last ended.' })),
  createdAt: ro(time('Created At', STATUS)),
  updatedAt: ro(time('Updated At', STATUS)),
} satisfies Record<string, { access: Access; field: Field }>;

type Table = typeof attributes;
type Writable = { [K in keyof Table as Table[K]['access'] extends 'ro' ? never : K]: Table[K]['field'] };

/** The fields of a write: everything but what the vendor sets itself. */
export const writable = Object.fromEntries(
  Object.entries(attributes)
    .filter(([, { access }]) => access !== 'ro')
    .map(([name, { field }]) => [name, field]),
) as unknown as Writable & Fields;

/** Name and label of what can be read. */
export const readable: Readonly<Record<string, string>> = Object.fromEntries(
  Object.entries(attributes)
    .filter(([, { access }]) => access !== 'wo')
    .map(([name, { field }]) => [name, field.label]),
);
