import type { RequestLine } from '../messages.js';
import { ask, button, h, main, start, w } from './page.js';

const root = main('requests');
root.classList.add('wide');
function show(lines: readonly RequestLine[]): void {
  const rows = [...lines].reverse().map(line => h('tr', {},
    h('td', { class: 'mono' }, new Date(line.at).toLocaleTimeString()), h('td', {}, line.account),
    h('td', { class: 'mono' }, line.method), h('td', { class: 'mono' }, line.origin + line.path),
    h('td', { class: line.error !== undefined || (line.status ?? 0) >= 400 ? 'tone-bad' : '' }, String(line.status ?? line.error ?? '')),
    h('td', { class: 'number' }, String(line.ms)), h('td', { class: 'number' }, String(line.attempt))));
  root.replaceChildren(
    h('header', {},
      h('div', { class: 'head' }, h('h1', {}, w('Requests'))),
      h('div', { class: 'actions' },
        button(w('Refresh'), () => void ask({ do: 'reload' }), { secondary: true }),
        button(w('Clear'), () => void ask({ do: 'clear' }), { secondary: true }))),
    rows.length ? h('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': w('Requests') }, h('table', {},
      h('thead', {}, h('tr', {}, ...['Time', 'Account', 'Method', 'Path', 'Status', 'Milliseconds', 'Try'].map((name, i) =>
        h('th', { scope: 'col', class: i > 4 ? 'number' : undefined }, w(name))))),
      h('tbody', {}, ...rows)))
      : h('p', { class: 'empty' }, w('No requests yet. Expand an account, and they appear here.')),
  );
}
start(message => { if (message.type === 'requests') show(message.lines); });
