import { lastFailure, numberIn, PER_DAY, SENT, SIZE, USED } from '../fields/figures.js';
import { labelOf } from '../fields/tables.js';
import { t } from '../host/text.js';
import { shortDate, stateLabel, statusOf } from '../tree/model.js';
import type { Bar, OverviewModel, Values } from '../webview/messages.js';

const TONES: Readonly<Record<string, Bar['tone']>> = {
  active: 'good',
  error: 'bad',
  deleting: 'warn',
  disabled: 'plain',
  pending: 'plain',
  unknown: 'plain',
};
type Chart = OverviewModel['charts'][number];
/** So many rows of mailboxes that need attention are shown. */
const ROWS = 200;

/**
 * The figures of an overview, added up mailbox by mailbox. `reconnects`: what is pending there waits to be signed in.
 */
export const createFigures = (now = Date.now(), reconnects = false): Figures => new Figures(now, reconnects);

class Figures {
  private readonly states = new Map<string, number>();
  private readonly ages = new Map<string, number>();
  private readonly sends = new Map<string, number>();
  private readonly space = new Map<string, number>();
  private readonly daily = new Map<number, number>();
  private readonly attention: OverviewModel['rows'] = [];
  private sent = 0;
  private filled = 0;
  private synced = 0;
  private limited = 0;
  private together = 0;
  /** How many mailboxes were added. */
  count = 0;

  constructor(
    private readonly now: number,
    private readonly reconnects: boolean,
  ) {}

  add(resource: string, item: Values): void {
    this.count++;
    const status = statusOf(item) ?? 'unknown';
    const flat = flatten(item.native);
    put(this.states, status);
    const waits = this.reconnects && status === 'pending';
    if (status === 'error' || status === 'deleting' || waits) {
      const why = reasonOf(flat);
      this.attention.push({
        label: labelOf(resource, item),
        status: waits ? t('reconnect required') : stateLabel(status),
        tone: status === 'error' ? 'bad' : 'warn',
        detail: typeof why === 'string' ? (/^\d{4}-/.test(why) ? shortDate(why) : why) : '',
      });
    }
    const at = lastSync(flat);
    if (at !== undefined) {
      this.synced++;
      const age = this.now - at;
      put(this.ages, age < 3600_000 ? 'hour' : age < 86_400_000 ? 'day' : age < 7 * 86_400_000 ? 'week' : 'older');
    }
    const most = numberIn(flat, PER_DAY);
    const done = numberIn(flat, SENT);
    if (most !== undefined && most > 0) {
      if (done !== undefined) {
        this.sent++;
        put(this.sends, shareName(done / most));
      }
      this.limited++;
      this.together += most;
      put(this.daily, most);
    }
    const room = numberIn(flat, SIZE);
    const used = numberIn(flat, USED);
    if (room !== undefined && room > 0 && used !== undefined) {
      this.filled++;
      put(this.space, shareName(used / room));
    }
  }

  model(title: string, subtitle: string, busy: boolean, more: boolean, provider = subtitle): OverviewModel {
    const { count, states, filled, space } = this;
    const charts: Chart[] = [
      {
        title: t('Mailboxes by state'),
        total: `${count.toLocaleString()}${more ? '+' : ''}`,
        bars: [...states]
          .sort((a, b) => b[1] - a[1])
          .map(([status, value]) => ({ label: stateLabel(status), value, tone: TONES[status] ?? 'plain' })),
      },
    ];
    if (!count) {
      return {
        title,
        subtitle,
        charts,
        rows: [],
        busy,
        ...(busy ? {} : { note: t('{0} shows no mailboxes here.', provider) }),
      };
    }
    charts.push(...this.sendCharts(busy, provider), ...this.syncCharts(busy, provider));
    if (filled) {
      const note = t('{0} of {1} mailboxes report how full they are.', filled, count);
      charts.push({ title: t('Space used'), note, bars: bars(space, shares()) });
    }
    return {
      title,
      subtitle,
      charts,
      rows: this.attention.slice(0, ROWS),
      busy,
      ...(more ? { note: t('Only the first {0} mailboxes were read.', count) } : {}),
    };
  }

  private sendCharts(busy: boolean, provider: string): Chart[] {
    const title = t('Sends against limits');
    if (this.sent) {
      const note = t('{0} of {1} mailboxes report how much they sent.', this.sent, this.count);
      return [{ title, note, bars: bars(this.sends, shares()) }];
    }
    if (this.limited) {
      const most = [...this.daily].sort((a, b) => b[1] - a[1]);
      const others = most.slice(4).reduce((sum, [, value]) => sum + value, 0);
      return [
        {
          title,
          total: t('{0} a day', this.together.toLocaleString()),
          note: t('{0} reports sending limits but not how much was sent, so only the limits are shown.', provider),
          bars: [
            ...most
              .slice(0, 4)
              .map(([limit, value]) => ({
                label: t('{0} a day', limit.toLocaleString()),
                value,
                tone: 'plain' as const,
              })),
            ...(others ? [{ label: t('other limits'), value: others, tone: 'plain' as const }] : []),
          ],
        },
      ];
    }
    return busy
      ? []
      : [
          {
            title,
            note: t('{0} reports neither sending limits nor how much was sent in its mailbox list.', provider),
            bars: [],
          },
        ];
  }

  private syncCharts(busy: boolean, provider: string): Chart[] {
    const title = t('Age of the last synchronization');
    if (this.synced) {
      return [
        {
          title,
          note: t('{0} of {1} mailboxes report when they were synchronized.', this.synced, this.count),
          bars: bars(this.ages, [
            ['hour', t('under an hour'), 'good'],
            ['day', t('under a day'), 'good'],
            ['week', t('under a week'), 'warn'],
            ['older', t('older'), 'bad'],
          ]),
        },
      ];
    }
    return busy
      ? []
      : [
          {
            title,
            note: t('{0} does not report in its mailbox list when mailboxes were synchronized.', provider),
            bars: [],
          },
        ];
  }
}
type Rows = readonly (readonly [key: string, label: string, tone: Bar['tone']])[];
const bars = (of: ReadonlyMap<string, number>, rows: Rows): Bar[] =>
  rows.filter(([key]) => of.has(key)).map(([key, label, tone]) => ({ label, value: of.get(key)!, tone }));
/** How much of a limit is used up, as `shareName` calls it. */
const shares = (): Rows => [
  ['none', t('unused'), 'plain'],
  ['some', t('under 80 %'), 'good'],
  ['near', t('80 % and more'), 'warn'],
  ['full', t('at the limit'), 'bad'],
];
/** Why a mailbox needs attention, as far as its provider says. */
function reasonOf(flat: Values): unknown {
  const first = (keys: RegExp, text: boolean) =>
    Object.entries(flat).find(([key, value]) => keys.test(key) && (!text || typeof value === 'string') && value)?.[1];
  return (
    first(/error.*(reason|message)|(last|send|sync).*error$/i, true) ??
    lastFailure(flat, shortDate) ??
    first(/deletion.*at$/i, false)
  );
}
/** When a mailbox was synchronized last, in milliseconds since 1970. */
const lastSync = (flat: Values): number | undefined =>
  Object.entries(flat)
    .filter(
      ([key, value]) =>
        /sync\w*(success|finish|complete|last)\w*|last\w*sync/i.test(key) &&
        !/error/i.test(key) &&
        typeof value === 'string',
    )
    .map(([, value]) => Date.parse(String(value)))
    .filter(time => !Number.isNaN(time))
    .sort((a, b) => b - a)[0];
const flatten = (native: unknown): Values => {
  const top = (native ?? {}) as Values;
  return {
    ...top,
    ...(typeof top.attributes === 'object' && top.attributes !== null ? (top.attributes as Values) : {}),
  };
};
const shareName = (share: number): string =>
  share >= 1 ? 'full' : share >= 0.8 ? 'near' : share > 0 ? 'some' : 'none';
const put = <K>(into: Map<K, number>, key: K): void => {
  into.set(key, (into.get(key) ?? 0) + 1);
};
