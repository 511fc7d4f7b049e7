import type { Inspection } from '../../webview/messages.js';
import { h, w } from '../../webview/page/page.js';
import type { PageWord } from '../../webview/messages.js';
import { limitCharacters } from './characterLimits.js';

/** A size as people read it. */
export const size = (bytes: number | undefined): string =>
  bytes === undefined
    ? ''
    : bytes < 1024
      ? `${bytes} B`
      : bytes < 1048576
        ? `${Math.round(bytes / 1024)} KB`
        : `${(bytes / 1048576).toFixed(1)} MB`;

/** What a developer asks of a message: how it is made up, how it came, and what its headers say. */
export function inspectionOf({ parts, hops, claims, headers, hints, more, cut }: Inspection, id: string): HTMLElement {
  const calm = limitCharacters();
  const cell = (text: string, mono = false) => h('td', { class: mono ? 'mono' : undefined, dir: 'auto' }, calm(text));
  const table = (names: PageWord[], rows: HTMLElement[]) =>
    h(
      'div',
      { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': w(names[0]!) },
      h(
        'table',
        {},
        h('thead', {}, h('tr', {}, ...names.map(name => h('th', { scope: 'col' }, w(name))))),
        h('tbody', {}, ...rows),
      ),
    );
  const section = (name: PageWord, count: number, ...inside: HTMLElement[]) =>
    !count
      ? undefined
      : h(
          'details',
          { open: true },
          h('summary', { 'data-focus': `${id} ${name}` }, `${w(name)} (${count})`),
          ...inside,
        );
  return h(
    'section',
    { class: 'inspection', 'aria-label': w('Details') },
    cut && h('p', { class: 'notice' }, w('The message is too large to show all of its parts.')),
    section('Hints', hints.length, h('ul', {}, ...hints.map(hint => h('li', {}, hint)))),
    section(
      'Parts',
      parts.length,
      table(
        ['Type', 'Name', 'Size', 'Details'],
        parts.map(({ depth, type, name, size: bytes, about }) => {
          const first = cell(type, true);
          first.style.paddingInlineStart = `${Math.min(depth, 12) * 16}px`;
          first.prepend(h('span', { class: 'hidden-label' }, `${'· '.repeat(Math.min(depth, 50))}`));
          return h('tr', {}, first, cell(name), cell(size(bytes)), cell(about));
        }),
      ),
    ),
    section(
      'Path of the Message',
      hops.length,
      table(
        ['From', 'By', 'With', 'Time', 'Delay'],
        hops.map(hop => h('tr', {}, cell(hop.from), cell(hop.by), cell(hop.with), cell(hop.at), cell(hop.delay))),
      ),
    ),
    section(
      'Authentication',
      claims.length,
      h(
        'p',
        { class: 'help' },
        w('This is what the headers say. Mailroom did not verify it, and a sender can write such headers too.'),
      ),
      table(
        ['Method', 'Result', 'Details', 'Said by'],
        claims.map(({ what, result, of, by }) =>
          h(
            'tr',
            {},
            cell(what),
            h('td', { class: /^(?:fail|softfail|permerror|hardfail)$/.test(result) ? 'tone-bad' : undefined }, result),
            cell(of),
            cell(by),
          ),
        ),
      ),
    ),
    section(
      'All Headers',
      headers.length,
      table(
        ['Name', 'Value'],
        headers.map(({ name, value }) => h('tr', {}, cell(name), cell(value, true))),
      ),
      ...(more ? [h('p', { class: 'help' }, w('{0} more are in the source.', more))] : []),
    ),
  );
}
