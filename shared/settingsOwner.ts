import { createHash } from 'node:crypto';
import type { Client } from './client.js';
import { connect } from './connect.js';
import { MailError } from './errors.js';
import type { Fields } from './fields.js';
import type { Provider } from './provider.js';
import { providerById } from './registry.js';
import { INDEX, type SettingsIndex } from './settingsFolder.js';
import { isSecretText } from './values.js';

type Values = Readonly<Record<string, unknown>>;
/** Whose settings they are: a provider's id or a client, with the values of the account. */
export type WhoseSettings = { provider: string; account: Values } | { client: Client; account: Values };

export const opened = (whose: WhoseSettings, signal?: AbortSignal): { client: Client; account: Values } => ({
  client:
    'client' in whose ? whose.client : connect(providerById(whose.provider), whose.account, signal ? { signal } : {}),
  account: whose.account,
});

/** The open fields that say whose account it is; the others say how it is reached. */
const TELLING = ['baseUrl', 'preset', 'imapHost', 'user', 'tenant', 'customer', 'consumerKey'];
/**
 * Names the owner of an account in a file that others may read: the same account under another key has the same name.
 * Providers whose accounts are told apart by a secret alone have one name for all accounts at one address.
 */
export function settingsOwner(provider: Provider, account: Values): string {
  const fields = provider.auth.fields as Fields;
  const told = TELLING.filter(name => fields[name] && !isSecretText(fields[name])).map(name => [
    name,
    String(account[name] ?? fields[name]!.default ?? '')
      .trim()
      .replace(/\/+$/, '')
      .toLowerCase(),
  ]);
  // Without a number, only the open half of the key says which customer it is.
  if (fields.customer && (account.customer ?? fields.customer.default) === fields.customer.default)
    told.push(['userKey', String(account.userKey ?? '')]);
  return createHash('sha256')
    .update(JSON.stringify([provider.id, told]))
    .digest('base64url')
    .slice(0, 22);
}

/** Whether an index was pulled from an account, as far as it says. */
export const isOwner = (
  index: Pick<SettingsIndex, 'provider' | 'owner'>,
  provider: Provider,
  account: Values,
): boolean =>
  index.provider === provider.id &&
  (index.owner ?? settingsOwner(provider, account)) === settingsOwner(provider, account);

/** The index, where it is of the account. Throws `invalid_input` for that of another. */
export function owned(index: SettingsIndex, { provider }: Client, account: Values): SettingsIndex {
  if (isOwner(index, provider, account)) return { ...index, owner: settingsOwner(provider, account) };
  throw new MailError(
    'invalid_input',
    index.provider === provider.id
      ? `This folder was pulled from another account at ${provider.name}. Choose another folder or account. If it is the same account, take the line "owner" out of ${INDEX} and try again.`
      : `This folder was pulled from ${index.provider}, and the account is at ${provider.name}. Choose another folder or account.`,
  );
}
