import { splitName } from '../../shared/index.js';
import type { AccountInfo, Accounts } from '../accounts/store.js';
import { figuresAskedFor } from '../fields/figures.js';
import { bind, inputFrom, isPlace, labelOf, NOTHING_BOUND, operationOf, type Binding } from '../fields/tables.js';
import { mailboxLists } from '../tree/model.js';
import type { Values } from '../webview/messages.js';

export interface Looking {
  /** Only what is below this place, such as one domain. */
  within?: Binding | undefined;
  /** Told which of the places above the mailboxes is read now, and how many were before. */
  reading?(place: string, done: number): void;
}
/**
 * Every mailbox of an account, whatever stands between: lists that need no more, else those below each domain or
 * tenant.
 */
export async function* mailboxesOf(
  account: AccountInfo,
  accounts: Accounts,
  signal: AbortSignal,
  { within, reading }: Looking = {},
): AsyncGenerator<{ resource: string; item: Values; binding: Binding }> {
  const { provider } = account;
  const client = await accounts.open(account.id, signal);
  const lists = mailboxLists(provider).map(name => {
    const [resource] = splitName(name);
    const operation = operationOf(provider, name)!;
    const place = Object.entries(operation.input).find(
      ([key, field]) =>
        field.ref !== undefined &&
        (field.required ||
          (Object.hasOwn(provider.auth.fields, key) && !account.values[key]) ||
          (isPlace(key, field) && within?.refs[field.ref] !== undefined)),
    );
    return { name, resource, above: place?.[1].ref, extras: figuresAskedFor(operation) };
  });
  const read = async function* ({ name, resource, extras }: (typeof lists)[number], binding: Binding) {
    for await (const item of client.call(name, {
      ...inputFrom(provider, name, binding),
      ...extras,
    }) as AsyncIterable<Values>) {
      yield { resource, item, binding };
    }
  };
  if (within) {
    for (const one of lists)
      if (one.above !== undefined && within.refs[one.above] !== undefined) yield* read(one, within);
    return;
  }
  for (const one of lists) if (one.above === undefined) yield* read(one, NOTHING_BOUND);
  for (const above of new Set(lists.map(one => one.above))) {
    const places = above === undefined ? undefined : operationOf(provider, `${above}.list`);
    if (!places || Object.values(places.input).some(field => field.required)) continue;
    let done = 0;
    for await (const item of client.call(`${above}.list`, {}) as AsyncIterable<Values>) {
      const binding = bind(provider, NOTHING_BOUND, above!, item);
      reading?.(labelOf(above!, item), done++);
      for (const one of lists) if (one.above === above) yield* read(one, binding);
    }
  }
}
