import { lastFailure, numberIn, PER_DAY, SENT, SIZE, USED } from '../fields/figures.js';
import { labelOf } from '../fields/tables.js';
import { t } from '../host/text.js';
import { shortDate, stateLabel, statusOf } from '../tree/model.js';
import type { Bar, OverviewModel, Values } from '../webview/messages.js';

const TONES: Readonly<Record<string, Bar['tone']>> = { active: 'good', error: 'bad', deleting: 'warn', disabled: 'plain', pending: 'plain', unknown: 'plain' };

/** The figures of an overview, added up mailbox by mailbox. `reconnects`: what is pending there waits to be signed in. */
export function createFigures(now = Date.now(), reconnects = false) {
  const states = new Map<string, number>(), ages = new Map<string, number>(), sends = new Map<string, number>();
  const space = new Map<string, number>(), daily = new Map<number, number>();
  const attention: OverviewModel['rows'] = [];
  let count = 0, sent = 0, filled = 0, synced = 0, limited = 0, together = 0;
  return {
    add(resource: string, item: Values): void {
      count++;
      const status = statusOf(item) ?? 'unknown', flat = flatten(item.native);
      states.set(status, (states.get(status) ?? 0) + 1);
      const waits = reconnects && status === 'pending';
      if (status === 'error' || status === 'deleting' || waits) {
        const why =
          Object.entries(flat).find(([key, value]) => /error.*(reason|message)|(last|send|sync).*error$/i.test(key) && typeof value === 'string' && value)?.[1]
          ?? lastFailure(flat, shortDate)
          ?? Object.entries(flat).find(([key, value]) => /deletion.*at$/i.test(key) && value)?.[1];
        attention.push({
          label: labelOf(resource, item), status: waits ? t('reconnect required') : stateLabel(status), tone: status === 'error' ? 'bad' : 'warn',
          detail: typeof why === 'string' ? /^\d{4}-/.test(why) ? shortDate(why) : why : '',
        });
      }
      const at = Object.entries(flat)
        .filter(([key, value]) => /sync\w*(success|finish|complete|last)\w*|last\w*sync/i.test(key) && !/error/i.test(key) && typeof value === 'string')
        .map(([, value]) => Date.parse(String(value))).filter(time => !Number.isNaN(time)).sort((a, b) => b - a)[0];
      if (at !== undefined) {
        synced++;
        const age = now - at, key = age < 3600_000 ? 'hour' : age < 86_400_000 ? 'day' : age < 7 * 86_400_000 ? 'week' : 'older';
        ages.set(key, (ages.get(key) ?? 0) + 1);
      }
      const most = numberIn(flat, PER_DAY), done = numberIn(flat, SENT);
      if (most !== undefined && most > 0) {
        if (done !== undefined) { sent++; put(sends, shareName(done / most)); }
        limited++;
        together += most;
        put(daily, most);
      }
      const room = numberIn(flat, SIZE), used = numberIn(flat, USED);
      if (room !== undefined && room > 0 && used !== undefined) { filled++; put(space, shareName(used / room)); }
    },
    model(title: string, subtitle: string, busy: boolean, more: boolean, provider = subtitle): OverviewModel {
      const bars = (of: Map<string, number>, rows: readonly (readonly [string, string, Bar['tone']])[]): Bar[] =>
        rows.filter(([key]) => of.has(key)).map(([key, label, tone]) => ({ label, value: of.get(key)!, tone }));
      const charts: OverviewModel['charts'] = [{
        title: t('Mailboxes by state'), total: `${count.toLocaleString()}${more ? '+' : ''}`,
        bars: [...states].sort((a, b) => b[1] - a[1]).map(([status, value]) => ({ label: stateLabel(status), value, tone: TONES[status] ?? 'plain' })),
      }];
      if (!count) return { title, subtitle, charts, rows: [], busy, ...(busy ? {} : { note: t('{0} shows no mailboxes here.', provider) }) };
      const share = [
        ['none', t('unused'), 'plain'], ['some', t('under 80 %'), 'good'], ['near', t('80 % and more'), 'warn'], ['full', t('at the limit'), 'bad'],
      ] as const;
      if (sent) {
        charts.push({ title: t('Sends against limits'), note: t('{0} of {1} mailboxes report how much they sent.', sent, count), bars: bars(sends, share) });
      } else if (limited) {
        const most = [...daily].sort((a, b) => b[1] - a[1]), others = most.slice(4).reduce((sum, [, value]) => sum + value, 0);
        charts.push({
          title: t('Sends against limits'), total: t('{0} a day', together.toLocaleString()),
          note: t('{0} reports sending limits but not how much was sent, so only the limits are shown.', provider),
          bars: [
            ...most.slice(0, 4).map(([limit, value]) => ({ label: t('{0} a day', limit.toLocaleString()), value, tone: 'plain' as const })),
            ...(others ? [{ label: t('other limits'), value: others, tone: 'plain' as const }] : []),
          ],
        });
      } else if (!busy) {
        charts.push({
          title: t('Sends against limits'),
          note: t('{0} reports neither sending limits nor how much was sent in its mailbox list.', provider), bars: [],
        });
      }
      if (!synced && !busy) {
        charts.push({
          title: t('Age of the last synchronization'),
          note: t('{0} does not report in its mailbox list when mailboxes were synchronized.', provider), bars: [],
        });
      }
      if (synced) {
        charts.push({
          title: t('Age of the last synchronization'), note: t('{0} of {1} mailboxes report when they were synchronized.', synced, count),
          bars: bars(ages, [
            ['hour', t('under an hour'), 'good'], ['day', t('under a day'), 'good'], ['week', t('under a week'), 'warn'], ['older', t('older'), 'bad'],
          ]),
        });
      }
      if (filled) {
        charts.push({ title: t('Space used'), note: t('{0} of {1} mailboxes report how full they are.', filled, count), bars: bars(space, share) });
      }
      return { title, subtitle, charts, rows: attention.slice(0, 200), busy, ...(more ? { note: t('Only the first {0} mailboxes were read.', count) } : {}) };
    },
    get count() { return count; },
  };
}
const flatten = (native: unknown): Values => {
  const top = (native ?? {}) as Values;
  return { ...top, ...(typeof top.attributes === 'object' && top.attributes !== null ? top.attributes as Values : {}) };
};
const shareName = (share: number): string => share >= 1 ? 'full' : share >= .8 ? 'near' : share > 0 ? 'some' : 'none';
const put = <K>(into: Map<K, number>, key: K): void => { into.set(key, (into.get(key) ?? 0) + 1); };
