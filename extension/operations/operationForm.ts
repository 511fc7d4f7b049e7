import type { Uri } from 'vscode';
import { splitName, validate } from '../../shared/index.js';
import type { Accounts } from '../accounts/store.js';
import { isSaid, operationOf } from '../fields/tables.js';
import { firstValues } from '../fields/values.js';
import { openForm } from '../form/ask.js';
import { t, title } from '../host/text.js';
import type { Values } from '../webview/messages.js';
import { pickFor } from './pick.js';
import { operationFor, type Target } from './target.js';

interface OperationForm {
  extension: Uri;
  accounts: Accounts;
  /** What the operation runs on; the first gives the form its choices. */
  targets: readonly Target[];
  /** The operation. */
  name: string;
  /** What is not asked for, because it is known. */
  known: Values;
  /** Gets what the form gave, for one target together with what was known. Throws what the form is to show. */
  send(input: Values): Promise<boolean>;
}

/** A form with everything an operation takes beyond what the place says, asked once for all that it is for. */
export function openOperationForm({ extension, accounts, targets, name, known, send }: OperationForm): void {
  const target = targets[0]!;
  const operation = operationFor(target, name);
  const verb = splitName(name)[1];
  const fields = Object.fromEntries(
    Object.entries(operation.input).filter(([key]) => known[key] === undefined && !isSaid(operation, key, known)),
  );
  openForm({
    extension,
    identity: identityOf(targets, name, known),
    title: operation.summary,
    subtitle: subtitleOf(targets),
    fields,
    values: firstValues(fields, ['create', 'createMany'].includes(verb)),
    submit: submitLabel(verb),
    general: t('General'),
    pickable: ref => operationOf(target.account.provider, `${ref}.list`) !== undefined,
    pick: (field, now) => pickFor(accounts, target, fields[field]!, { ...known, ...now }),
    run: async given => {
      const input = { ...known, ...given };
      validate(operation.input, input);
      return send(targets.length > 1 ? given : input);
    },
  });
}

/** Forms of one identity are one panel. */
function identityOf([first, ...others]: readonly Target[], name: string, known: Values): string {
  const ids = others.map(({ node }) => node?.id).join(' ');
  return `form ${first!.account.id} ${name} ${JSON.stringify(known)} ${ids}`;
}

function subtitleOf([first, ...others]: readonly Target[]): string {
  const { label, account } = first!;
  const parts = [others.length ? `${label} ${t('and {0} more', others.length)}` : label, account.name];
  return [...new Set(parts)].filter(Boolean).join(' · ');
}

function submitLabel(verb: string): string {
  if (verb === 'create' || verb === 'createMany') return t('Create');
  if (verb === 'add' || verb === 'append') return t('Add');
  if (/^send|reply|forward/.test(verb)) return t('Send');
  return title(verb);
}
