import type * as vscode from 'vscode';
import { splitName } from '../../shared/index.js';
import type { Accounts } from '../accounts/store.js';
import type { OverviewModel, Values } from '../webview/messages.js';
import { mailboxLists, type AccountInfo } from '../tree/model.js';
import { openPanel, type Back } from '../webview/panel.js';
import { bind, inputFrom, isPlace, labelOf, NOTHING_BOUND, operationOf, type Binding } from '../fields/tables.js';
import { createTally, figuresAskedFor } from './figures.js';
import { packPlace } from '../fields/values.js';
import { t } from '../host/text.js';

/** No more mailboxes are read for the picture; it says so when there are more. */
const MOST = 5000;

interface Looking {
  /** Only what is below this place, such as one domain. */
  within?: Binding | undefined;
  /** Told which of the places above the mailboxes is read now, and how many were before. */
  reading?(place: string, done: number): void;
}
/** Every mailbox of an account, whatever stands between: lists that need no more, else those below each domain or tenant. */
export async function* mailboxesOf(
  account: AccountInfo, accounts: Accounts, signal: AbortSignal, { within, reading }: Looking = {},
): AsyncGenerator<{ resource: string; item: Values; binding: Binding }> {
  const { provider } = account, client = await accounts.open(account.id, signal);
  const lists = mailboxLists(provider).map(name => {
    const [resource] = splitName(name), operation = operationOf(provider, name)!;
    const place = Object.entries(operation.input).find(([key, field]) => field.ref !== undefined
      && (field.required || (Object.hasOwn(provider.auth.fields, key) && !account.values[key])
        || (isPlace(key, field) && within?.refs[field.ref] !== undefined)));
    return { name, resource, above: place?.[1].ref, extras: figuresAskedFor(operation) };
  });
  const read = async function* ({ name, resource, extras }: (typeof lists)[number], binding: Binding) {
    for await (const item of client.call(name, { ...inputFrom(provider, name, binding), ...extras }) as AsyncIterable<Values>) {
      yield { resource, item, binding };
    }
  };
  if (within) { for (const one of lists) if (one.above !== undefined && within.refs[one.above] !== undefined) yield* read(one, within); return; }
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

/** A page of pictures for one account, or for what is below one place in it. */
export function openOverview(
  extension: vscode.Uri, accounts: Accounts, account: AccountInfo, place?: { within: Binding; resource: string; label: string } | undefined, back?: Back,
): void {
  let stop = new AbortController(), drawn: OverviewModel | undefined;
  const heading = t('Overview of {0}', place?.label ?? account.name), { name: provider } = account.provider;
  const show = async () => {
    stop.abort();
    const mine = stop = new AbortController(), tally = createTally(Date.now(), operationOf(account.provider, 'mailbox.reconnect') !== undefined);
    let more = false, last = Date.now(), at = '';
    const post = (busy: boolean, note?: string) => {
      drawn = { ...tally.model(heading, place ? `${provider} · ${account.name}` : provider, busy, more, provider), ...(note ? { note } : {}) };
      made?.connected.post({ type: 'overview', overview: drawn });
    };
    const now = (force = false) => { if (force || Date.now() - last > 400) { last = Date.now(); post(true, at); } };
    now(true);
    try {
      const looking: Looking = {
        within: place?.within,
        reading: (label, done) => { at = done ? t('Reading {0} … ({1} before it)', label, done) : t('Reading {0} …', label); now(); },
      };
      for await (const { resource, item } of mailboxesOf(account, accounts, mine.signal, looking)) {
        tally.add(resource, item);
        if (tally.count >= MOST) { more = true; break; }
        now();
      }
    } catch (error) {
      if (!mine.signal.aborted) post(false, (error as Error).message);
      return;
    }
    post(false);
  };
  const made = openPanel({
    page: 'overview', extension, ...back, identity: `overview ${account.id} ${place ? JSON.stringify(place.within.refs) : ''}`,
    title: heading, icon: 'graph', onClosed: () => stop.abort(),
    keep: place
      ? { place: packPlace({ account: account.id, resource: place.resource, refs: { ...place.within.refs } }), label: place.label }
      : { account: account.id },
    // A page that was hidden is drawn from what was read for it; reading again takes a request for every hundred mailboxes.
    ready: () => drawn ? made?.connected.post({ type: 'overview', overview: drawn }) : show(),
    async answer(ask) { if (ask.do === 'reload') await show(); return undefined; },
  });
}
