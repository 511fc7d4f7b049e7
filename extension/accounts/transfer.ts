import { randomUUID } from 'node:crypto';
import { accountFields, MailError, providers, validate } from '../../shared/index.js';
import { isSecretField } from '../fields/values.js';
import { t } from '../host/text.js';
import { fieldsOf, parted, type Secrets, type StoredAccount } from './store.js';

/**
 * What became of one account of a file: the account, with the secrets that somebody wrote into the file, or why it was
 * refused.
 */
interface Entry {
  label: string;
  account?: StoredAccount;
  secrets?: Secrets;
  refused?: string;
}
/**
 * The accounts of a file, each checked for itself, so that one that is wrong does not keep the others out. Throws
 * `invalid_input` where the file is none.
 */
export function readExport(text: string): Entry[] {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    throw new MailError('invalid_input', t('The file is not JSON.'));
  }
  const list = (parsed as { accounts?: unknown } | null)?.accounts;
  if (!Array.isArray(list)) throw new MailError('invalid_input', t('The file has no list of accounts.'));
  return list.map((one: Record<string, unknown> | null, i) => {
    const provider = providers.find(({ id }) => id === one?.provider);
    const name = typeof one?.name === 'string' && visible(one.name) ? visible(one.name).slice(0, 80) : provider?.name;
    const label = name ?? t('Account {0}', i + 1);
    if (!provider) return { label, refused: t('Mailroom does not know its provider.') };
    const fields = fieldsOf(provider);
    const values =
      typeof one!.values === 'object' && one!.values !== null ? (one!.values as Record<string, unknown>) : {};
    // Older files say whether PKCE is used; it always is now.
    const { pkce: _, ...given } = values;
    // Secrets are asked for when the account is opened; all else is checked now.
    const now = Object.fromEntries(
      Object.entries(fields).map(([key, field]) => [
        key,
        isSecretField(fields, key) ? { ...field, required: false } : field,
      ]),
    );
    try {
      const { open, secret } = parted(fields, validate(now, given));
      const account: StoredAccount = {
        id: randomUUID(),
        name: name!,
        provider: provider.id,
        values: open,
        remember: one!.remember === 'session' || one!.remember === 'never' ? one!.remember : 'keep',
      };
      return { label, account, ...(Object.keys(secret).length ? { secrets: secret } : {}) };
    } catch (error) {
      return { label, refused: (error as Error).message };
    }
  });
}
/**
 * A name without letters that nobody sees or that turn others around: with them one account could look like another.
 */
const visible = (name: string): string => name.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, '').trim();
/**
 * What an account says of where its secrets go and how they are kept on the way, other than the provider does itself:
 * servers, certificates that are accepted beside the trusted ones, and connections that anybody can read. Each with the
 * words of its field.
 */
export function trustedBy(account: StoredAccount): { label: string; value: string }[] {
  const provider = providers.find(({ id }) => id === account.provider);
  if (!provider) return [];
  // Groups of the fields that are shown are in the language of the person.
  const groups = accountFields(provider);
  return Object.entries(fieldsOf(provider)).flatMap(([name, field]) => {
    const value = account.values[name];
    if (value === undefined || value === '' || value === field.default) return [];
    if (field.type === 'text' && (field.format === 'host' || field.format === 'uri'))
      return [{ label: field.label, value: String(value) }];
    if (field.type === 'choice' && value === 'none')
      return [{ label: field.label, value: field.choices[value] ?? value }];
    if (groups[name]?.group !== 'Security' || value === false) return [];
    return [{ label: field.label, value: value === true ? t('Yes') : short(String(value)) }];
  });
}
/** A certificate may be a page of text. */
const short = (text: string): string => {
  const line = text.replace(/\s+/g, ' ').trim();
  return line.length > 100 ? `${line.slice(0, 100)}…` : line;
};
/** Whether an account of a file is there already: the same provider and name, and open values that mean the same. */
export function isThere(all: readonly StoredAccount[], one: StoredAccount): boolean {
  const provider = providers.find(({ id }) => id === one.provider);
  const known = provider ? fieldsOf(provider) : {};
  const fields = Object.entries(known).filter(([name]) => !isSecretField(known, name));
  const meant = (account: StoredAccount) =>
    JSON.stringify(fields.map(([name, field]) => account.values[name] ?? field.default ?? null));
  return all.some(other => other.provider === one.provider && other.name === one.name && meant(other) === meant(one));
}
/** The text of an export: everything but ids and secrets. */
export const writeExport = (accounts: readonly StoredAccount[]): string =>
  `${JSON.stringify(
    {
      mailroom: 1,
      accounts: accounts.map(account => {
        const provider = providers.find(({ id }) => id === account.provider);
        return {
          name: account.name,
          provider: account.provider,
          remember: account.remember,
          values: provider ? parted(fieldsOf(provider), account.values).open : {},
        };
      }),
    },
    null,
    2,
  )}\n`;
