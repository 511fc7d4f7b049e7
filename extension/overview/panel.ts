import type * as vscode from 'vscode';
import type { AccountInfo, Accounts } from '../accounts/store.js';
import { operationOf, type Binding } from '../fields/tables.js';
import { packPlace } from '../fields/values.js';
import { t } from '../host/text.js';
import { mailboxesOf, type Looking } from '../operations/mailboxes.js';
import type { OverviewModel } from '../webview/messages.js';
import { openPanel, type Back } from '../webview/panel.js';
import { createFigures } from './figures.js';

/** No more mailboxes are read for the picture; it says so when there are more. */
const MOST = 5000;

/** A page of pictures for one account, or for what is below one place in it. */
export function openOverview(
  extension: vscode.Uri,
  accounts: Accounts,
  account: AccountInfo,
  place?: { within: Binding; resource: string; label: string } | undefined,
  back?: Back,
): void {
  let stop = new AbortController();
  let drawn: OverviewModel | undefined;
  const heading = t('Overview of {0}', place?.label ?? account.name);
  const { name: provider } = account.provider;
  const show = async () => {
    stop.abort();
    const mine = (stop = new AbortController());
    const tally = createFigures(Date.now(), operationOf(account.provider, 'mailbox.reconnect') !== undefined);
    let more = false;
    let last = Date.now();
    let at = '';
    const post = (busy: boolean, note?: string) => {
      drawn = {
        ...tally.model(heading, place ? `${provider} · ${account.name}` : provider, busy, more, provider),
        ...(note ? { note } : {}),
      };
      made?.connected.post({ type: 'overview', overview: drawn });
    };
    const now = (force = false) => {
      if (force || Date.now() - last > 400) {
        last = Date.now();
        post(true, at);
      }
    };
    now(true);
    try {
      const looking: Looking = {
        within: place?.within,
        reading: (label, done) => {
          at = done ? t('Reading {0}… ({1} done)', label, done) : t('Reading {0}…', label);
          now();
        },
      };
      for await (const { resource, item } of mailboxesOf(account, accounts, mine.signal, looking)) {
        tally.add(resource, item);
        if (tally.count >= MOST) {
          more = true;
          break;
        }
        now();
      }
    } catch (error) {
      if (!mine.signal.aborted) post(false, (error as Error).message);
      return;
    }
    post(false);
  };
  const made = openPanel({
    page: 'overview',
    extension,
    ...back,
    identity: `overview ${account.id} ${place ? JSON.stringify(place.within.refs) : ''}`,
    title: heading,
    icon: 'graph',
    onClosed: () => stop.abort(),
    keep: place
      ? {
          place: packPlace({ account: account.id, resource: place.resource, refs: { ...place.within.refs } }),
          label: place.label,
        }
      : { account: account.id },
    // A page that was hidden is drawn from what was read for it; reading again takes a request for every hundred
    // mailboxes.
    ready: () => (drawn ? made?.connected.post({ type: 'overview', overview: drawn }) : show()),
    async answer(ask) {
      if (ask.do === 'reload') await show();
      return undefined;
    },
  });
}
