import { createHmac, timingSafeEqual } from 'node:crypto';
import { attributesOf } from '../../codecs/jsonApi.js';
import { MailError } from '../../errors.js';
import { choice, flag, onWire, text } from '../../fields.js';
import { path } from '../../url.js';
import { map } from '../../pages.js';
import { operation, type Operations } from '../../provider.js';
import type { Native } from '../../vocabulary.js';
import { api, DOCS as REFERENCE, id } from './api.js';
import { collection } from './collection.js';

const DOCS = `${REFERENCE}Webhook`;
const GUIDE = 'https://developers.outreach.io/api/webhooks';
/** A webhook; `event` is resource and action as the deliveries name them, such as `mailing.bounced`. */
export interface Webhook {
  id: string;
  event: string;
  url?: string;
  active?: boolean;
  native: Native;
}

const toWebhook = (native: Native): Webhook => {
  const { resource, action, url, active } = attributesOf(native);
  return {
    id: String(native.id),
    event: `${String(resource ?? '*')}.${String(action ?? '*')}`,
    ...(typeof url === 'string' ? { url } : {}),
    ...(typeof active === 'boolean' ? { active } : {}),
    native,
  };
};

// The guide's table. Mailboxes and aliases are not in it: their changes have to be asked for.
const eventResource = choice(
  'Event Resource',
  {
    '*': 'All',
    account: 'Account',
    call: 'Call',
    emailAddress: 'Email Address',
    import: 'Import',
    kaiaRecording: 'Kaia Recording',
    mailing: 'Mailing',
    opportunity: 'Opportunity',
    opportunityProspectRole: 'Opportunity Prospect Role',
    prospect: 'Prospect',
    sequence: 'Sequence',
    sequenceState: 'Sequence State',
    task: 'Task',
    user: 'User',
  },
  { open: true, as: 'resource', help: 'What is watched. Outreach has no events for mailboxes and aliases.' },
);
const eventAction = choice(
  'Event Action',
  {
    '*': 'All',
    advanced: 'Advanced',
    bounced: 'Bounced',
    completed: 'Completed',
    created: 'Created',
    delivered: 'Delivered',
    destroyed: 'Destroyed',
    finished: 'Finished',
    opened: 'Opened',
    replied: 'Replied',
    updated: 'Updated',
  },
  { open: true, as: 'action', help: "Not every resource has every action. Outreach's guide lists them." },
);
const webhook = id('Webhook', { required: true, ref: 'webhook', help: 'The ID of the webhook.' });
const settings = {
  eventResource,
  eventAction,
  url: text('URL', {
    // The vendor delivers over HTTPS only; plain HTTP is let through to this machine, for those who test against a
    // pretend vendor.
    format: 'uri',
    maxLength: 1024,
    pattern: '^(?:https://|http://(?:127\\.0\\.0\\.1|localhost)(?:[:/]|$))',
    example: 'https://example.com/hook',
    help: 'Where events are delivered. Any HTTP status counts as received, so the receiver must not fail.',
  }),
  secret: text('Secret', {
    secret: true,
    maxLength: 255,
    help: 'The key that signs deliveries. Left empty, they are not signed.',
  }),
  active: flag('Active', { suggest: true, help: 'Whether events are delivered.' }),
  payloadVersion: choice(
    'Payload Version',
    { '1': 'Version 1', '2': 'Version 2, with Values Before the Change' },
    { wire: Number },
  ),
};
const listed = collection({
  type: 'webhook',
  open: true,
  readable: {
    action: 'Action',
    active: 'Active',
    createdAt: 'Created At',
    disabledReason: 'Disabled Reason',
    disabledSince: 'Disabled Since',
    disabledUntil: 'Disabled Until',
    payloadVersion: 'Payload Version',
    resource: 'Resource',
    updatedAt: 'Updated At',
    url: 'URL',
  },
  filters: {
    eventResource: { ...eventResource, as: '[resource]' },
    eventAction: { ...eventAction, as: '[action]' },
    active: flag('Active', {
      help: 'Whether to list only those that are active (true) or only those that are not (false).',
    }),
    creator: id('Creator', { ref: 'user', knownBy: 'email', as: '[creator][id]' }),
    updater: id('Updater', { ref: 'user', knownBy: 'email', as: '[updater][id]' }),
  },
  times: {},
  sorts: { resource: 'Resource', action: 'Action', active: 'Active' },
});

/**
 * True when a delivery came from the vendor: `signature` is its header `Outreach-Webhook-Signature`, the lower-case hex
 * HMAC-SHA256 of the body exactly as it arrived, keyed by the webhook's secret (guide "Webhooks"). Compared in constant
 * time.
 */
export function verifySignature(body: string | Uint8Array, signature: string | undefined, secret: string): boolean {
  if (!signature || !secret) return false;
  const right = Buffer.from(createHmac('sha256', secret).update(body).digest('hex'));
  const given = Buffer.from(signature.trim());
  return given.length === right.length && timingSafeEqual(given, right);
}

export const webhooks = {
  'webhook.list': operation({
    summary: 'List webhooks',
    effect: 'read',
    docs: DOCS,
    input: listed.input,
    run: (ctx, input) => map(api(ctx).pages('/webhooks', listed.parameters(input)), toWebhook),
  }),
  'webhook.get': operation({
    summary: 'Get a webhook',
    effect: 'read',
    docs: DOCS,
    input: { webhook },
    run: async (ctx, input) => toWebhook(await api(ctx).get(path`/webhooks/${input.webhook}`)),
  }),
  'webhook.create': operation({
    summary: 'Create a webhook',
    effect: 'write',
    docs: DOCS,
    doubt:
      'Resources and actions beyond those listed pass unchecked; the provider tells mailboxes and aliases through no webhook.',
    input: { ...settings, url: { ...settings.url, required: true } },
    run: async (ctx, input) =>
      toWebhook(await api(ctx).create('/webhooks', 'webhook', { attributes: onWire(settings, input) })),
  }),
  'webhook.update': operation({
    summary: 'Change a webhook',
    effect: 'write',
    docs: DOCS,
    doubt: 'Any change also wakes a webhook that the provider had put to sleep after failed deliveries.',
    input: { webhook, ...settings },
    async run(ctx, { webhook: of, ...values }) {
      const changes = onWire(settings, values);
      if (!Object.keys(changes).length)
        throw new MailError('invalid_input', 'There is nothing to change: give at least one setting.');
      return toWebhook(await api(ctx).update(path`/webhooks/${of}`, 'webhook', of, { attributes: changes }));
    },
  }),
  'webhook.delete': operation({
    summary: 'Delete a webhook',
    effect: 'destroy',
    docs: DOCS,
    input: { webhook },
    run: async (ctx, input) => {
      await api(ctx).delete(path`/webhooks/${input.webhook}`);
      return { id: input.webhook, native: {} };
    },
  }),
  'webhook.verify': operation({
    summary: 'Check the signature of a delivery',
    effect: 'read',
    plain: true,
    docs: GUIDE,
    doubt: 'No request is made: body and signature must be given exactly as they arrived.',
    input: {
      body: text('Body', { required: true, lines: 6, help: 'The body as it arrived, before anything parsed it.' }),
      signature: text('Signature', { required: true, help: 'The header Outreach-Webhook-Signature.' }),
      secret: text('Secret', {
        required: true,
        secret: true,
        maxLength: 255,
        help: 'The secret the webhook was created with.',
      }),
    },
    run: async (_, input) => ({ valid: verifySignature(input.body, input.signature, input.secret) }),
  }),
} satisfies Operations;
