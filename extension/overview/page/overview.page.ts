import type { Chart, OverviewModel } from '../../webview/messages.js';
import { announce, ask, button, errorText, h, keepFocus, main, start, w } from '../../webview/page/page.js';
import { progressRing } from '../../webview/page/toolkit.js';

const root = main('overview');
const SVG = 'http://www.w3.org/2000/svg';
const shape = (name: string, attributes: Record<string, string | number>, text?: string): SVGElement => {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
  if (text !== undefined) element.textContent = text;
  return element;
};

/**
 * The height of a bar with its words, in pixels: the picture is as wide as its box, and its letters stay as large as
 * all others.
 */
const ROW = 38;
/** Bars with their numbers; the figures are in the text too, so the picture needs no reading aloud. */
function chart({ title, note, bars, total }: Chart): HTMLElement {
  const most = Math.max(1, ...bars.map(bar => bar.value));
  const height = bars.length * ROW;
  const picture = bars.length
    ? shape('svg', {
        width: '100%',
        height,
        role: 'img',
        'aria-label': `${title}: ${bars.map(bar => `${bar.label} ${bar.value}`).join(', ')}`,
      })
    : undefined;
  bars.forEach((bar, i) => {
    const y = i * ROW;
    const share = (bar.value / most) * 100;
    picture!.append(
      shape('text', { x: 0, y: y + 14 }, bar.label),
      shape('text', { x: '100%', y: y + 14, 'text-anchor': 'end' }, bar.value.toLocaleString()),
      shape('rect', { x: 0, y: y + 20, width: '100%', height: 8, rx: 4, class: 'track' }),
      shape('rect', {
        x: 0,
        y: y + 20,
        width: `${bar.value ? Math.max(1.5, share) : 0}%`,
        height: 8,
        rx: 4,
        class: bar.tone,
      }),
    );
  });
  return h(
    'figure',
    { class: 'chart' },
    h('h2', {}, title),
    total ? h('p', { class: 'total' }, total) : undefined,
    picture as HTMLElement | undefined,
    note ? h('figcaption', { class: 'help' }, note) : undefined,
  );
}

/** Whether it was being read when it was drawn last: beginning and end are said, not each step. */
let reading = false;
/** The same one in every drawing, so that it goes on turning. */
const ring = progressRing();
function show({ title, subtitle, charts, rows, busy, note }: OverviewModel): void {
  // A button that is switched off loses the focus; this one says that it is and does nothing.
  const refresh = button(
    w('Refresh'),
    () => {
      if (!busy) void ask({ do: 'reload' }).catch(error => announce(errorText(error), true));
    },
    { secondary: true, focus: 'refresh' },
  );
  if (busy) refresh.setAttribute('aria-disabled', 'true');
  if (busy !== reading) {
    reading = busy;
    announce(busy ? w('Loading…') : w('Done'));
  }
  keepFocus(() =>
    root.replaceChildren(
      h(
        'header',
        {},
        h('div', { class: 'head' }, h('h1', { dir: 'auto' }, title), h('p', { class: 'subtitle' }, subtitle)),
        h('div', { class: 'actions' }, busy && ring, refresh),
      ),
      ...(note ? [h('p', { class: 'notice' }, note)] : []),
      h('div', { class: 'charts' }, ...charts.map(chart)),
      h('h2', {}, w('Needs attention')),
      rows.length
        ? h(
            'table',
            {},
            h(
              'thead',
              {},
              h(
                'tr',
                {},
                ...(['Mailbox', 'State', 'Details'] as const).map(name => h('th', { scope: 'col' }, w(name))),
              ),
            ),
            h(
              'tbody',
              {},
              ...rows.map(row =>
                h(
                  'tr',
                  {},
                  h('td', {}, row.label),
                  h('td', { class: row.tone === 'bad' ? 'tone-bad' : '' }, row.status),
                  h('td', {}, row.detail),
                ),
              ),
            ),
          )
        : h('p', { class: 'empty' }, busy ? w('Loading…') : w('Nothing needs attention.')),
    ),
  );
}
start(message => {
  if (message.type === 'overview') show(message.overview);
});
