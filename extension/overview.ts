import * as vscode from 'vscode';
import type { Accounts } from './accounts.js';
import type { Bar, OverviewModel, Values } from './form/messages.js';
import { shortDate, stateLabel, statusOf, type AccountInfo } from './model.js';
import { openPanel } from './panels.js';
import { inputFrom, labelOf, operationOf, type Binding } from './tables.js';
import { plural, t, title } from './words.js';

/** No more mailboxes are read for the picture; it says so when there are more. */
const MOST = 5000;
const TONES: Readonly<Record<string, Bar['tone']>> = { active: 'good', error: 'bad', deleting: 'warn', disabled: 'plain', pending: 'plain', unknown: 'plain' };

/** The figures of an overview, added up mailbox by mailbox. Free of VS Code, for tests. */
export function createTally(now = Date.now()) {
  const states = new Map<string, number>(), ages = new Map<string, number>(), limits = new Map<string, number>();
  const attention: OverviewModel['rows'] = [];
  let count = 0, measured = 0, synced = 0;
  return {
    add(resource: string, item: Values): void {
      count++;
      const status = statusOf(item) ?? 'unknown', flat = flatten(item.native);
      states.set(status, (states.get(status) ?? 0) + 1);
      if (status === 'error' || status === 'deleting') {
        const why = Object.entries(flat).find(([key, value]) => /error.*(reason|message)|(last|send|sync).*error$/i.test(key) && typeof value === 'string' && value)?.[1] ?? failedAt(flat) ?? Object.entries(flat).find(([key, value]) => /deletion.*at$/i.test(key) && value)?.[1];
        attention.push({ label: labelOf(resource, item), status: stateLabel(status), tone: status === 'error' ? 'bad' : 'warn', detail: typeof why === 'string' ? /^\d{4}-/.test(why) ? shortDate(why) : why : '' });
      }
      const at = Object.entries(flat).filter(([key, value]) => /sync\w*(success|finish|complete|last)\w*|last\w*sync/i.test(key) && !/error/i.test(key) && typeof value === 'string').map(([, value]) => Date.parse(String(value))).filter(time => !Number.isNaN(time)).sort((a, b) => b - a)[0];
      if (at !== undefined) { synced++; const age = now - at, key = age < 3600_000 ? 'hour' : age < 86_400_000 ? 'day' : age < 7 * 86_400_000 ? 'week' : 'older'; ages.set(key, (ages.get(key) ?? 0) + 1); }
      const share = shareOf(flat);
      if (share !== undefined) { measured++; const key = share >= 1 ? 'full' : share >= .8 ? 'near' : share > 0 ? 'some' : 'none'; limits.set(key, (limits.get(key) ?? 0) + 1); }
    },
    model(title: string, subtitle: string, busy: boolean, more: boolean): OverviewModel {
      const bars = (of: Map<string, number>, rows: readonly [string, string, Bar['tone']][]): Bar[] => rows.filter(([key]) => of.has(key)).map(([key, label, tone]) => ({ label, value: of.get(key)!, tone }));
      const charts: OverviewModel['charts'] = [{ title: t('Mailboxes by state'), total: `${count.toLocaleString()}${more ? '+' : ''}`, bars: [...states].sort((a, b) => b[1] - a[1]).map(([status, value]) => ({ label: stateLabel(status), value, tone: TONES[status] ?? 'plain' })) }];
      if (synced) charts.push({ title: t('Age of the last synchronization'), note: t('{0} of {1} mailboxes say when they were synchronized.', synced, count), bars: bars(ages, [['hour', t('under an hour'), 'good'], ['day', t('under a day'), 'good'], ['week', t('under a week'), 'warn'], ['older', t('older'), 'bad']]) });
      if (measured) charts.push({ title: t('Use of the limits'), note: t('{0} of {1} mailboxes tell how much of a limit is used.', measured, count), bars: bars(limits, [['none', t('unused'), 'plain'], ['some', t('under 80 %'), 'good'], ['near', t('80 % and more'), 'warn'], ['full', t('at the limit'), 'bad']]) });
      return { title, subtitle, charts, rows: attention.slice(0, 200), busy, ...(more ? { note: t('Only the first {0} mailboxes were read.', MOST) } : {}) };
    },
    get count() { return count; },
  };
}
/** What failed last and when, where a vendor only gives times: `sendErroredAt`. */
function failedAt(flat: Values): string | undefined {
  const [last] = Object.entries(flat).filter(([key, value]) => /errored_?at$/i.test(key) && typeof value === 'string' && !Number.isNaN(Date.parse(value))).sort(([, a], [, b]) => Date.parse(String(b)) - Date.parse(String(a)));
  return last && `${title(last[0].replace(/_?at$/i, ''))}, ${shortDate(last[1])}`;
}
const flatten = (native: unknown): Values => {
  const top = (native ?? {}) as Values;
  return { ...top, ...(typeof top.attributes === 'object' && top.attributes !== null ? top.attributes as Values : {}) };
};
/** How much of a limit is used, where a vendor tells both: pairs such as currentUsage and size, or sentToday and maxEmailsPerDay. */
function shareOf(flat: Values): number | undefined {
  const number = (pattern: RegExp) => Object.entries(flat).map(([key, value]) => [key, typeof value === 'string' && value.trim() !== '' ? Number(value) : value] as const).find(([key, value]) => pattern.test(key) && typeof value === 'number' && Number.isFinite(value))?.[1] as number | undefined;
  const used = number(/^(current_?usage|used|usage|sent_?today|emails?_?sent|storage_?used|messages?_?sent\w*|\w*sent_?count)$/i), most = number(/^(size|quota|limit|max_?emails?_?per_?day|send_?threshold|storage_?(limit|quota)|total_?storage)$/i);
  return used !== undefined && most !== undefined && most > 0 ? used / most : undefined;
}

/** Every mailbox of an account, whatever stands between: lists that need no more, else those below each domain or tenant. */
export async function* mailboxesOf(account: AccountInfo, accounts: Accounts, signal: AbortSignal): AsyncGenerator<{ resource: string; item: Values; binding: Binding }> {
  const { provider } = account, client = await accounts.open(account.id, signal);
  for (const [name, operation] of Object.entries(provider.operations)) {
    const [resource, verb] = name.split('.') as [string, string];
    if (verb !== 'list' || !/^mailbox$|Mailbox$/.test(resource)) continue;
    const place = Object.entries((operation as { input: Record<string, { ref?: string; required?: boolean }> }).input).find(([key, field]) => field.ref !== undefined && (field.required || (Object.hasOwn(provider.auth.fields as object, key) && !account.values[key])));
    if (!place) { for await (const item of client.call(name, {}) as AsyncIterable<Values>) yield { resource, item, binding: { refs: {}, choices: {} } }; continue; }
    const above = place[1].ref!;
    if (!operationOf(provider, `${above}.list`) || Object.values(operationOf(provider, `${above}.list`)!.input).some(field => field.required)) continue;
    for await (const one of client.call(`${above}.list`, {}) as AsyncIterable<Values>) {
      const binding: Binding = { refs: { [above]: String(one.id ?? one.name) }, choices: {} };
      for await (const item of client.call(name, inputFrom(provider, name, binding)) as AsyncIterable<Values>) yield { resource, item, binding };
    }
  }
}

/** A page of pictures for one account. */
export function openOverview(extension: vscode.Uri, accounts: Accounts, account: AccountInfo): void {
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
    page: 'overview', extension, identity: `overview ${account.id}`, title: t('Overview of {0}', account.name), icon: 'graph', ready: () => show(), onClosed: () => stop.abort(),
    async answer(ask) { if (ask.do === 'reload') await show(); return undefined; },
  });
}
export { plural };
