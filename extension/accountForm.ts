import * as vscode from 'vscode';
import { providers, validate, type Fields } from '../shared/index.js';
import { fieldsOf, isSecretField, type Secrets, type StoredAccount } from './accounts.js';
import { t } from './words.js';

/** Asks for the secrets of an account that does not remember them, one box each. Undefined when the user gives up. */
export async function askSecrets(account: StoredAccount): Promise<Secrets | undefined> {
  const provider = providers.find(({ id }) => id === account.provider);
  if (!provider) return undefined;
  const fields = fieldsOf(provider), secret: Secrets = {};
  const wanted = Object.entries(fields).filter(([name, field]) => isSecretField(fields, name) && (field.required || name === 'password'));
  for (const [i, [name, field]] of wanted.entries()) {
    const given = await vscode.window.showInputBox({
      title: `${account.name} (${i + 1}/${wanted.length})`, prompt: [field.label, field.help].filter(Boolean).join('. '), password: true, ignoreFocusOut: true,
      validateInput: value => check(fields, name, value),
    });
    if (given === undefined) return undefined;
    secret[name] = given;
  }
  return wanted.length ? secret : undefined;
}

/** What is wrong with one value, in a sentence; undefined where nothing is. */
export function check(fields: Fields, name: string, value: unknown): string | undefined {
  try { validate({ [name]: fields[name]! }, { [name]: value }); return undefined; } catch (error) { return (error as Error).message || t('This value is not accepted.'); }
}
