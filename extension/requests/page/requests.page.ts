import type { RequestContent, RequestLine, RequestTls, RequestTurn } from '../../webview/messages.js';
import { announce, ask, button, errorText, h, main, remember, remembered, start, w } from '../../webview/page/page.js';

const root = main('requests');
root.classList.add('wide');
let all: readonly RequestLine[] = [];
/** Rows that are opened, by the number of their request. */
const opened = new Set<number>();
/** What went and came with those, once it was asked for, or a sentence why not. */
const contents = new Map<number, RequestContent | string>();
const tell = (error: unknown) => announce(errorText(error), true);

const search = h('input', {
  type: 'search',
  on: {
    input: () => {
      remember({ filter: search.value });
      paint();
    },
  },
});
const which = h('select', {
  on: {
    change: () => {
      remember({ which: which.value });
      paint();
    },
  },
});
const body = h('tbody', {});
const empty = h('p', { class: 'empty' });
let table: HTMLElement | undefined;

const failed = (line: RequestLine): boolean => line.error !== undefined || (line.status ?? 0) >= 400;
const outcome = (line: RequestLine): string => String(line.status ?? line.error ?? 'OK');
/** Hours, minutes and seconds with two digits each, wherever this is: the column keeps its width. */
const clock = (at: number): string => new Date(at).toTimeString().slice(0, 8);

function build(): HTMLElement {
  search.placeholder = w('Filter');
  search.setAttribute('aria-label', w('Filter requests'));
  search.value = remembered<{ filter: string }>().filter ?? '';
  which.setAttribute('aria-label', w('Show'));
  which.replaceChildren(h('option', { value: '' }, w('All')), h('option', { value: 'failed' }, w('Failed')));
  which.value = remembered<{ which: string }>().which === 'failed' ? 'failed' : '';
  table = h(
    'div',
    { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': w('Requests') },
    h(
      'table',
      { class: 'requests' },
      h(
        'thead',
        {},
        h(
          'tr',
          {},
          ...(['Time', 'Account', 'Method', 'Path', 'Status', 'Milliseconds', 'Try'] as const).map((name, i) =>
            h('th', { scope: 'col', class: i > 4 ? 'number' : undefined }, w(name)),
          ),
        ),
      ),
      body,
    ),
  );
  root.replaceChildren(
    h(
      'header',
      {},
      h('div', { class: 'head' }, h('h1', {}, w('Requests'))),
      h(
        'div',
        { class: 'actions' },
        search,
        which,
        button(w('Refresh'), () => void ask({ do: 'reload' }).catch(tell), { secondary: true }),
        button(w('Clear'), () => void ask({ do: 'clear' }).catch(tell), { secondary: true }),
      ),
    ),
    table,
    empty,
  );
  return table;
}

function paint(): void {
  const shown = table ?? build();
  const wanted = search.value.trim().toLowerCase();
  const lines = [...all]
    .reverse()
    .filter(
      line =>
        (which.value === '' || failed(line)) &&
        (!wanted ||
          [line.account, line.method, line.origin + line.path, outcome(line)].some(one =>
            one.toLowerCase().includes(wanted),
          )),
    );
  const focused = (document.activeElement as HTMLElement | null)?.dataset?.line;
  body.replaceChildren(...lines.flatMap((line, i) => row(line, lines[i - 1])));
  if (focused !== undefined) body.querySelector<HTMLElement>(`button[data-line="${focused}"]`)?.focus();
  shown.hidden = lines.length === 0;
  empty.hidden = lines.length > 0;
  empty.textContent = all.length
    ? w('No matching requests.')
    : w('No requests yet. Expand an account, and they appear here.');
}

/**
 * A request, and below it what else is known of it, once it was opened. The host stands where it differs from the row
 * above.
 */
function row(line: RequestLine, above: RequestLine | undefined): HTMLElement[] {
  const bad = failed(line);
  const open = opened.has(line.id);
  const host = line.origin.replace(/^\w+:\/\//, '');
  const toggle = button(
    clock(line.at),
    () => {
      if (open) {
        opened.delete(line.id);
        contents.delete(line.id);
      } else {
        opened.add(line.id);
        look(line);
      }
      paint();
    },
    { class: 'link mono' },
  );
  toggle.dataset.line = String(line.id);
  toggle.setAttribute('aria-expanded', String(open));
  toggle.setAttribute('aria-label', `${clock(line.at)} ${w('Details of {0}', `${line.method} ${line.path}`)}`);
  const made = h(
    'tr',
    { class: bad ? 'failed' : undefined },
    h('td', {}, toggle),
    h('td', {}, line.account),
    h('td', { class: 'mono' }, line.method),
    h(
      'td',
      { class: 'mono' },
      above?.origin === line.origin ? undefined : h('span', { class: 'muted host' }, host),
      line.path,
    ),
    h(
      'td',
      { class: bad ? 'tone-bad' : '' },
      bad ? `✗ ${outcome(line)}` : outcome(line),
      bad && h('span', { class: 'hidden-label' }, ` ${w('failed')}`),
    ),
    h('td', { class: 'number' }, String(line.ms)),
    h('td', { class: 'number' }, String(line.attempt)),
  );
  return open ? [made, h('tr', { class: 'details' }, h('td', { colspan: 7 }, details(line)))] : [made];
}

/** Asks for what went and came with a request: no page holds that of all. */
function look({ id, wire }: RequestLine): void {
  if (wire)
    void ask({ do: 'wire', request: id }).then(given => {
      contents.set(id, given as RequestContent | string);
      paint();
    }, tell);
}
/** What went and came, as it was on the wire, without secrets. */
function content({ id }: RequestLine): (HTMLElement | undefined)[] {
  const known = contents.get(id);
  if (known === undefined) return [];
  if (typeof known === 'string') return [h('p', { class: 'muted' }, known)];
  const part = (name: 'Request' | 'Answer' | 'Client and server', ...text: (string | HTMLElement)[]) =>
    h(
      'section',
      {},
      h('h2', {}, w(name)),
      h('pre', { class: 'wire mono', tabindex: '0', role: 'region', 'aria-label': w(name) }, ...text),
    );
  if ('turns' in known)
    return [
      known.together
        ? h(
            'p',
            { class: 'muted' },
            w(
              'Other commands were running at the same time. Answers that name no command stand with the oldest of them.',
            ),
          )
        : undefined,
      part('Client and server', ...known.turns.flatMap(said)),
    ];
  return [part('Request', known.sent), part('Answer', known.answer ?? w('No answer came.'))];
}

/** What one side said, each line with its side before it. */
function said({ by, text, left }: RequestTurn): HTMLElement[] {
  const mark = by === 'client' ? 'C: ' : 'S: ';
  const lines = text.replace(/\n$/, '').split('\n');
  const shown = text ? [h('span', { class: by }, lines.map(line => `${mark}${line}\n`).join(''))] : [];
  return left ? [...shown, h('span', { class: 'left' }, `${w('… {0} more bytes', left.toLocaleString())}\n`)] : shown;
}

/** How the connection was protected, so far as that is known. */
function encryption(line: RequestLine, tls: RequestTls | undefined): HTMLElement[] {
  const fact = (name: Parameters<typeof w>[0], text: string) =>
    text ? [h('dt', {}, w(name)), h('dd', { class: 'mono' }, text)] : [];
  if (!tls) return line.security === 'none' || line.origin.startsWith('http:') ? fact('Encryption', w('None')) : [];
  const isNamed = tls.names.split(', ').includes(tls.subject);
  return [
    ...fact('Encryption', `${tls.protocol} · ${tls.cipher}`),
    ...fact('Certificate', [isNamed ? '' : tls.subject, tls.names].filter(Boolean).join(' · ')),
    ...fact('Issued by', tls.issuer),
    ...fact('Valid until', tls.validTo && new Date(tls.validTo).toLocaleString()),
    ...fact('Fingerprint (SHA-256)', tls.fingerprint),
  ];
}

/** Every try of a request up to this one, with its times, and what went and came. */
function details(line: RequestLine): HTMLElement {
  const same = all.filter(
    one =>
      one.id <= line.id &&
      one.account === line.account &&
      one.method === line.method &&
      one.origin === line.origin &&
      one.path === line.path,
  );
  const tries = same.slice(
    Math.max(
      0,
      same.findLastIndex(one => one.attempt === 1),
    ),
  );
  const copy = line.origin.startsWith('sieve')
    ? undefined
    : button(
        w(line.origin.startsWith('smtp') ? 'Copy as swaks' : 'Copy as cURL'),
        () => void ask({ do: 'copyRequest', request: line.id }).catch(tell),
        { class: 'link' },
      );
  const again =
    line.again &&
    button(w('Send Again'), () => void ask({ do: 'sendAgain', request: line.id }).catch(tell), { class: 'link' });
  const known = contents.get(line.id);
  return h(
    'div',
    {},
    h(
      'dl',
      {},
      h('dt', {}, w('Address')),
      h('dd', { class: 'mono' }, line.origin + line.path),
      ...encryption(line, typeof known === 'object' ? known.tls : undefined),
      ...tries.flatMap(one => [
        h('dt', {}, `${w('Try')} ${one.attempt}`),
        h(
          'dd',
          {},
          [
            `${w('Finished')} ${clock(one.at)}.${String(one.at % 1000).padStart(3, '0')}`,
            w('{0} ms', one.ms),
            outcome(one),
            one.wait === undefined ? '' : w('Retried after {0} s', one.wait),
          ]
            .filter(Boolean)
            .join(' · '),
        ),
      ]),
    ),
    h('div', { class: 'actions' }, copy, again),
    ...content(line),
  );
}

start(message => {
  if (message.type === 'requests') {
    all = message.lines;
    paint();
  }
});
