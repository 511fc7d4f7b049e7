import type { Issue } from '../../errors.js';
import { choice, flag, number, onWire, text, type Fields } from '../../fields.js';
import { map } from '../../pages.js';
import { operation, type Operations } from '../../provider.js';
import { idOf, type Mailbox, type MailboxStatus, type Native, type Receipt } from '../../vocabulary.js';
import { api, DOCS, inMailbox, inTenant, isObject, mailbox, moment, once, refuse, tenant, words } from './api.js';

const PAGES = `${DOCS}/operations/email-configs/`;

/**
 * The states of the earlier and the later documents (schemas/emailconfigdto.html). Others are shown as unknown, never
 * guessed.
 */
const STATUS: Record<string, MailboxStatus> = {
  Active: 'active',
  PendingOAuthSetup: 'pending',
  OAuthFailed: 'error',
  OAuthExpired: 'error',
  ConnectionError: 'error',
  Deleting: 'deleting',
  Deleted: 'deleting',
};

/** The common part of an email configuration. */
export const toMailbox = (native: Native): Mailbox => {
  const [email, name] = [native.fromEmail, native.fromName].map(words);
  const [createdAt, updatedAt] = [native.createdDate, native.updatedDate].map(moment);
  return {
    id: idOf(native, 'code'),
    ...(email ? { email } : {}),
    ...(name ? { name } : {}),
    ...(createdAt ? { createdAt } : {}),
    ...(updatedAt ? { updatedAt } : {}),
    status: STATUS[String(native.status)] ?? 'unknown',
    native,
  };
};

const smtp = {
  host: text('Host', { format: 'host', group: 'SMTP', example: 'smtp.example.com' }),
  port: number('Port', { min: 1, max: 65535, group: 'SMTP', example: '587' }),
  encryption: choice(
    'Encryption',
    { None: 'None', StartTls: 'STARTTLS', SslTls: 'SSL/TLS' },
    {
      open: true,
      group: 'SMTP',
      help: 'The possible values are not documented. You can enter one that is not offered.',
    },
  ),
  requiresAuthentication: flag('Requires Authentication', {
    group: 'SMTP',
    suggest: true,
    help: 'Whether the server asks for a user name and password.',
  }),
  username: text('User Name', { group: 'SMTP', clearable: true }),
  password: text('Password', { secret: true, group: 'SMTP', help: 'It is never shown again.' }),
};
const oauth = {
  returnUrl: text('Return URL', {
    format: 'uri',
    group: 'OAuth',
    help: 'Where the browser goes after the mailbox was authorized. To start, open authorisationUrl of the result.',
  }),
  allowSend: flag('Allow Send', { group: 'OAuth', suggest: true, help: 'Whether mail may be sent. Left out, it may.' }),
  allowRead: flag('Allow Read', {
    group: 'OAuth',
    suggest: true,
    help: 'Whether mail may be read. Left out, it may not, and no messages can be listed.',
  }),
};
const common = {
  fromName: text('From Name', { clearable: true }),
  isDefault: flag('Is Default', {
    help: 'Whether the tenant sends from here when no mailbox is named. A default mailbox must be shared.',
  }),
  isShared: flag('Is Shared', { help: 'Whether every user of the tenant may use it.' }),
};

const strangers = (fields: Fields, input: Readonly<Record<string, unknown>>, kind: string): Issue[] =>
  Object.keys(onWire(fields, input)).map(field => ({
    field,
    message: `${fields[field]!.label} does not belong to a configuration of the kind ${kind}.`,
  }));
const isOAuth = (providerType: unknown) => providerType === 'Microsoft365' || providerType === 'Google';
const shareFirst: Issue = { field: 'isShared', message: 'A default mailbox must be shared: set Is Shared too.' };

export const mailboxes = {
  'mailbox.list': operation({
    summary: "List the email configurations of a tenant that are the user's own or shared",
    effect: 'read',
    docs: PAGES,
    input: { tenant },
    run: (ctx, input) =>
      map(
        api(ctx).list(`${inTenant(ctx, input)}/email-configs`, {}, row => idOf(row, 'code')),
        toMailbox,
      ),
  }),
  'mailbox.get': operation({
    summary: 'Get an email configuration',
    effect: 'read',
    docs: PAGES,
    input: { tenant, mailbox },
    run: async (ctx, input) => toMailbox(await api(ctx).get(inMailbox(ctx, input))),
  }),
  'mailbox.create': operation({
    summary: 'Create an email configuration',
    effect: 'write',
    docs: PAGES,
    doubt:
      'The values of Encryption and the name of the password member are not documented; password is assumed. ' +
      'What SendGrid needs is not documented either.',
    input: {
      tenant,
      providerType: choice(
        'Provider Type',
        { Smtp: 'SMTP', SendGrid: 'SendGrid', Microsoft365: 'Microsoft 365', Google: 'Google' },
        { required: true },
      ),
      fromEmail: text('From Email', { required: true, format: 'email' }),
      ...common,
      ...smtp,
      ...oauth,
    },
    async run(ctx, input) {
      const { providerType, fromEmail, fromName, isDefault, isShared } = input;
      const issues: Issue[] = [];
      if (isDefault && !isShared) issues.push(shareFirst);
      if (providerType !== 'Smtp') issues.push(...strangers(smtp, input, providerType));
      else if (!input.host) issues.push({ field: 'host', message: 'Host is required for SMTP.' });
      if (!isOAuth(providerType)) issues.push(...strangers(oauth, input, providerType));
      else if (!input.returnUrl)
        issues.push({ field: 'returnUrl', message: `Return URL is required for ${providerType}.` });
      if (issues.length) refuse(...issues);
      const settings =
        providerType === 'Smtp'
          ? { smtpSettings: onWire(smtp, input) }
          : isOAuth(providerType)
            ? { oAuthSettings: onWire(oauth, input) }
            : {};
      return toMailbox(
        await once(
          'The configuration may or may not have been made: look at List Mailboxes before you run this again.',
          () =>
            api(ctx).write('POST', `${inTenant(ctx, input)}/email-configs`, {
              providerType,
              fromEmail,
              fromName,
              isDefault,
              isShared,
              ...settings,
            }),
        ),
      );
    },
  }),
  'mailbox.update': operation({
    summary: 'Change an email configuration',
    effect: 'write',
    docs: PAGES,
    doubt:
      'Whether a PUT without a member keeps or resets it is documented for the From Name only, so the configuration is read first and its flags ' +
      'and settings are sent along. Whether the SMTP password stays when it is not sent is not documented.',
    input: { tenant, mailbox, fromEmail: text('From Email', { format: 'email' }), ...common, ...smtp, ...oauth },
    async run(ctx, input) {
      const address = inMailbox(ctx, input);
      const now = await api(ctx).get(address);
      const kind = idOf(now, 'providerType');
      const { fromEmail, fromName, isDefault = now.isDefault, isShared = now.isShared } = input;
      const host = onWire(smtp, input);
      const grant = onWire(oauth, input);
      const issues: Issue[] = [];
      if (isDefault && !isShared && (input.isDefault || input.isShared === false)) issues.push(shareFirst);
      if (kind !== 'Smtp') issues.push(...strangers(smtp, input, kind));
      if (!isOAuth(kind)) issues.push(...strangers(oauth, input, kind));
      else if (Object.keys(grant).length && !input.returnUrl)
        issues.push({ field: 'returnUrl', message: 'Return URL is required with Allow Send and Allow Read.' });
      if (issues.length) refuse(...issues);
      return toMailbox(
        await api(ctx).write('PUT', address, {
          fromEmail,
          fromName,
          isDefault,
          isShared,
          ...(Object.keys(host).length
            ? { smtpSettings: { ...(isObject(now.smtpSettings) ? now.smtpSettings : {}), ...host } }
            : {}),
          ...(Object.keys(grant).length
            ? { oAuthSettings: { allowSend: now.sendEnabled, allowRead: now.readEnabled, ...grant } }
            : {}),
        }),
      );
    },
  }),
  'mailbox.delete': operation({
    summary: 'Delete an email configuration',
    effect: 'destroy',
    docs: PAGES,
    doubt: "The page was not available; the provider refuses to delete the tenant's default while there are others.",
    input: { tenant, mailbox },
    run: async (ctx, input): Promise<Receipt> => ({
      id: input.mailbox,
      native: await api(ctx).act('DELETE', inMailbox(ctx, input)),
    }),
  }),
  'mailbox.test': operation({
    summary: 'Send one test mail through an email configuration',
    effect: 'write',
    docs: PAGES,
    doubt: 'What the answer holds is not documented; any answer that is not an error counts as sent.',
    input: {
      tenant,
      mailbox,
      recipientEmail: text('Recipient Email', { required: true, format: 'email' }),
      recipientName: text('Recipient Name'),
      subject: text('Subject', { help: 'Left empty, the subject is “Test Email - Configuration Verification”.' }),
      htmlBody: text('HTML Body', { format: 'html', lines: 6 }),
      plainTextBody: text('Plain Text Body', { lines: 6 }),
    },
    run: async (ctx, { tenant: code, mailbox: id, ...body }): Promise<Receipt> => {
      const address = `${inMailbox(ctx, { tenant: code, mailbox: id })}/test`;
      return {
        id,
        outcome: 'done',
        native: await once('The test mail may or may not have been sent.', () => api(ctx).act('POST', address, body)),
      };
    },
  }),
  'mailbox.reconnect': operation({
    summary: 'Authorize an OAuth email configuration again',
    effect: 'write',
    docs: PAGES,
    doubt: 'Whether the answer is the whole configuration or only its OAuth status is not documented; both are read.',
    input: { tenant, mailbox, returnUrl: { ...oauth.returnUrl, group: undefined, required: true } },
    run: async (ctx, { returnUrl, ...input }): Promise<{ id: string; authorisationUrl: string; native: Native }> => {
      const native = await api(ctx).act('POST', `${inMailbox(ctx, input)}/reconnect`, { returnUrl });
      const authorisationUrl =
        words(native.authorisationUrl) ??
        words((isObject(native.oAuthStatus) ? native.oAuthStatus : {}).authorisationUrl) ??
        words(native.value) ??
        idOf(native, 'authorisationUrl');
      return { id: input.mailbox, authorisationUrl, native };
    },
  }),
  'sync.start': operation({
    summary: 'Synchronize a mailbox now',
    effect: 'write',
    docs: `${DOCS}/operations/email-mailbox/triggermailboxsync.html`,
    orders: ['Trigger Mailbox Sync'],
    input: { tenant, mailbox },
    run: async (ctx, input): Promise<Receipt> => ({
      id: input.mailbox,
      outcome: 'queued',
      native: await api(ctx).act('POST', `${inMailbox(ctx, input)}/sync`),
    }),
  }),
} satisfies Operations;
