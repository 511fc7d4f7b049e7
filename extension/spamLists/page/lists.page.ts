import type { EntryResult, ListColumn, ListsModel } from '../../webview/messages.js';
import {
  announce, ask, button, errorText, h, keepFocus, main, remember, remembered, start, w,
} from '../../webview/page/page.js';

const root = main('lists');
let model: ListsModel | undefined;
const drawn = new Map<string, { update(column: ListColumn): void }>();
/** So many rows are drawn, and so many more each time they are asked for. */
const SHOWN = 500;
/** The host takes no more entries at once. */
const PART = 5000;

function show(lists: ListsModel): void {
  model = lists;
  root.classList.add('wide');
  drawn.clear();
  root.replaceChildren(
    h('header', {},
      h('div', { class: 'head' }, h('h1', { dir: 'auto' }, lists.title), h('p', { class: 'subtitle' }, lists.subtitle)),
      h('div', { class: 'actions' }, button(w('Reload'), () => void ask({ do: 'reload' }).catch(error => announce(errorText(error), true)), { secondary: true }))),
    ...(lists.help ? [h('p', { class: 'help lead' }, lists.help)] : []), h('div', { class: 'columns' }, ...lists.columns.map(draw)),
  );
}

function draw(first: ListColumn): HTMLElement {
  let column = first, filter = '', drawnRows = SHOWN, busy = false;
  const picked = new Set<string>();
  const drafts = remembered<{ drafts: Record<string, string> }>().drafts ?? {};
  const count = h('span', { class: 'badge' });
  const box = h('textarea', {
    rows: 2, 'aria-label': w('Add to {0}', column.label),
    placeholder: [model?.columns.length === 1 ? model.example : undefined, w('Paste one entry per line')].filter(Boolean).join('\n'),
    on: {
      input: () => remember({ drafts: { ...remembered<{ drafts: Record<string, string> }>().drafts, [column.id]: box.value } }),
      keydown: (event: KeyboardEvent) => { if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) { event.preventDefault(); if (!event.repeat) void add(); } },
    },
  });
  box.value = drafts[column.id] ?? '';
  const results = h('ul', { class: 'results', hidden: true });
  const addButton = button(w('Add'), () => void add());
  addButton.setAttribute('aria-label', w('Add to {0}', column.label));
  const list = h('ul', { 'aria-label': column.label, tabindex: '0' }), problem = h('p', { class: 'complaint', hidden: true });
  const search = h('input', {
    type: 'search', placeholder: w('Filter'), 'aria-label': w('Filter entries of {0}', column.label),
    on: { input: () => { filter = search.value.trim().toLowerCase(); drawnRows = SHOWN; paint(); } },
  });
  const all = h('input', { type: 'checkbox', on: { change: () => {
    for (const one of visible()) if (all.checked) picked.add(one); else picked.delete(one);
    paint();
  } } });
  const remove = button(w('Remove Selected'), () => void removeThem(), { secondary: true });
  const copy = button(w('Copy To…'),
    () => void ask({ do: 'copy', column: column.id, values: chosen().slice(0, PART) }).catch(error => announce(errorText(error), true)), { secondary: true });
  const bar = h('div', { class: 'bar' }, h('label', { class: 'all' }, all, w('Select all')), remove, model?.canCopy ? copy : undefined);
  const visible = () => column.entries.filter(one => !filter || one.toLowerCase().includes(filter));
  /** What is ticked and in sight: what a filter hides is not worked on. */
  const chosen = () => visible().filter(one => picked.has(one));

  function paint(): void {
    const there = new Set(column.entries);
    for (const one of picked) if (!there.has(one)) picked.delete(one);
    const rows = visible();
    count.textContent = column.loading ? '…' : String(column.entries.length);
    count.setAttribute('aria-label', w('{0} entries', column.entries.length));
    keepFocus(() => list.replaceChildren(...rows.slice(0, drawnRows).map(entry => {
      const check = h('input', { type: 'checkbox', on: { change: () => { if (check.checked) picked.add(entry); else picked.delete(entry); tools(); } } });
      check.checked = picked.has(entry);
      return h('li', {}, h('label', { dir: 'auto' }, check, entry));
    })), () => list);
    if (rows.length > drawnRows) {
      list.append(h('li', { class: 'muted' }, w('{0} of {1} entries', drawnRows, rows.length), ' ', button(w('Show More'), () => {
        const next = drawnRows;
        drawnRows += SHOWN;
        paint();
        list.querySelectorAll<HTMLElement>('input')[next]?.focus();
      }, { class: 'link' })));
    }
    if (!rows.length && !column.problem) {
      list.append(h('li', { class: 'empty' }, column.loading ? w('Loading…') : filter ? w('No matching entries') : w('No entries')));
    }
    problem.textContent = column.problem ?? (column.more ? w('Only the first {0} entries were read; there are more.', column.entries.length) : '');
    problem.hidden = problem.textContent === '';
    search.hidden = column.entries.length < 8 && !filter;
    tools();
  }
  function tools(): void {
    const rows = visible();
    remove.disabled = copy.disabled = busy || !rows.some(one => picked.has(one));
    all.checked = rows.length > 0 && rows.every(one => picked.has(one));
    bar.hidden = rows.length === 0;
  }
  function told(done: EntryResult[], words: '{0} added, {1} refused' | '{0} removed, {1} refused'): void {
    const refused = done.filter(one => one.message !== undefined);
    results.replaceChildren(...refused.slice(0, SHOWN).map(one => h('li', {}, `${one.value}: ${one.message}`)));
    results.hidden = refused.length === 0;
    announce(refused.length
      ? w(words, done.length - refused.length, refused.length)
      : w(words.startsWith('{0} added') ? '{0} added' : '{0} removed', done.length), refused.length > 0);
  }
  async function inParts(what: 'add' | 'remove', values: readonly string[]): Promise<EntryResult[]> {
    const done: EntryResult[] = [];
    for (let i = 0; i < values.length; i += PART) {
      const part = await ask({ do: what, column: column.id, values: values.slice(i, i + PART) });
      if (!Array.isArray(part)) break;
      done.push(...part as EntryResult[]);
    }
    return done;
  }
  async function add(): Promise<void> {
    const values = box.value.split(/\r?\n/).map(one => one.trim()).filter(one => one !== '');
    if (busy) return;
    if (!values.length) { box.focus(); return; }
    busy = addButton.disabled = true;
    announce(w('Working…'));
    try {
      const done = await inParts('add', values);
      if (!done.length) { announce(''); return; }
      // What was refused stays in the box, to be corrected, and so does what was written meanwhile.
      const said = new Map(done.map(one => [one.value, one.message]));
      box.value = box.value.split(/\r?\n/).map(one => one.trim()).filter(one => one && (!said.has(one) || said.get(one) !== undefined)).join('\n');
      box.dispatchEvent(new Event('input'));
      told(done, '{0} added, {1} refused');
    } catch (error) { announce(errorText(error), true); } finally { busy = addButton.disabled = false; tools(); box.focus(); }
  }
  async function removeThem(): Promise<void> {
    const values = chosen();
    if (busy) return;
    busy = remove.disabled = copy.disabled = true;
    announce(w('Working…'));
    try {
      const done = await inParts('remove', values);
      for (const { value, message } of done) if (message === undefined) picked.delete(value);
      if (done.length) told(done, '{0} removed, {1} refused'); else announce('');
    } catch (error) {
      announce(errorText(error), true);
    } finally {
      busy = false;
      paint();
      list.focus();
    }
  }
  drawn.set(column.id, { update(now) { column = now; paint(); } });
  paint();
  return h('section', { class: 'column', 'data-column': column.id }, h('h2', {}, column.label, count), box, addButton, results, problem, search,
    bar, list);
}

start(message => {
  if (message.type === 'lists') show(message.lists);
  if (message.type === 'column') drawn.get(message.column.id)?.update(message.column);
});
