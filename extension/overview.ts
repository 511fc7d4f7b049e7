import type * as vscode from 'vscode';
import type { Accounts } from './accounts.js';
import type { Values } from './form/messages.js';
import type { AccountInfo } from './model.js';
import { openPanel, type Back } from './panels.js';
import { inputFrom, operationOf, type Binding } from './tables.js';
import { createTally, figuresAskedFor } from './tally.js';
import { t } from './words.js';

/** No more mailboxes are read for the picture; it says so when there are more. */
const MOST = 5000;

/** Every mailbox of an account, whatever stands between: lists that need no more, else those below each domain or tenant. */
export async function* mailboxesOf(account: AccountInfo, accounts: Accounts, signal: AbortSignal): AsyncGenerator<{ resource: string; item: Values; binding: Binding }> {
  const { provider } = account, client = await accounts.open(account.id, signal);
  for (const [name, operation] of Object.entries(provider.operations)) {
    const [resource, verb] = name.split('.') as [string, string];
    if (verb !== 'list' || !/^mailbox$|Mailbox$/.test(resource)) continue;
    const extras = figuresAskedFor(operationOf(provider, name)!);
    const place = Object.entries((operation as { input: Record<string, { ref?: string; required?: boolean }> }).input).find(([key, field]) => field.ref !== undefined && (field.required || (Object.hasOwn(provider.auth.fields as object, key) && !account.values[key])));
    if (!place) { for await (const item of client.call(name, extras) as AsyncIterable<Values>) yield { resource, item, binding: { refs: {}, choices: {} } }; continue; }
    const above = place[1].ref!;
    if (!operationOf(provider, `${above}.list`) || Object.values(operationOf(provider, `${above}.list`)!.input).some(field => field.required)) continue;
    for await (const one of client.call(`${above}.list`, {}) as AsyncIterable<Values>) {
      const binding: Binding = { refs: { [above]: String(one.id ?? one.name) }, choices: {} };
      for await (const item of client.call(name, { ...inputFrom(provider, name, binding), ...extras }) as AsyncIterable<Values>) yield { resource, item, binding };
    }
  }
}

/** A page of pictures for one account. */
export function openOverview(extension: vscode.Uri, accounts: Accounts, account: AccountInfo, back?: Back): void {
  let stop = new AbortController();
  const show = async () => {
    stop.abort();
    const mine = stop = new AbortController(), tally = createTally();
    const post = (busy: boolean, more = false) => made?.connected.post({ type: 'overview', overview: tally.model(t('Overview of {0}', account.name), account.provider.name, busy, more) });
    post(true);
    let more = false, last = Date.now();
    try {
      for await (const { resource, item } of mailboxesOf(account, accounts, mine.signal)) {
        tally.add(resource, item);
        if (tally.count >= MOST) { more = true; break; }
        if (Date.now() - last > 400) { last = Date.now(); post(true); }
      }
    } catch (error) {
      if (mine.signal.aborted) return;
      made?.connected.post({ type: 'overview', overview: { ...tally.model(t('Overview of {0}', account.name), account.provider.name, false, false), note: (error as Error).message } });
      return;
    }
    post(false, more);
  };
  const made = openPanel({
    page: 'overview', extension, ...back, keep: { account: account.id, label: account.name }, identity: `overview ${account.id}`, title: t('Overview of {0}', account.name), icon: 'graph', ready: () => show(), onClosed: () => stop.abort(),
    async answer(ask) { if (ask.do === 'reload') await show(); return undefined; },
  });
}
