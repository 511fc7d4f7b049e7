import type { EntryResult, ListColumn, ListsModel } from '../../webview/messages.js';
import {
  announce,
  ask,
  button,
  errorText,
  h,
  keepFocus,
  main,
  remember,
  remembered,
  start,
  w,
} from '../../webview/page/page.js';

const root = main('lists');
let model: ListsModel | undefined;
const drawn = new Map<string, Column>();
/** So many rows are drawn, and so many more each time they are asked for. */
const SHOWN = 500;
/** The host takes no more entries at once. */
const PART = 5000;

function show(lists: ListsModel): void {
  model = lists;
  root.classList.add('wide');
  drawn.clear();
  root.replaceChildren(
    h(
      'header',
      {},
      h('div', { class: 'head' }, h('h1', { dir: 'auto' }, lists.title), h('p', { class: 'subtitle' }, lists.subtitle)),
      h(
        'div',
        { class: 'actions' },
        button(w('Reload'), () => void ask({ do: 'reload' }).catch(error => announce(errorText(error), true)), {
          secondary: true,
        }),
      ),
    ),
    ...(lists.help ? [h('p', { class: 'help lead' }, lists.help)] : []),
    h(
      'div',
      { class: 'columns' },
      ...lists.columns.map(column => {
        const made = new Column(column);
        drawn.set(column.id, made);
        return made.element;
      }),
    ),
  );
}

/** What one entry box, list and bar of tools of a column work on. */
class Column {
  readonly element: HTMLElement;
  private column: ListColumn;
  private filter = '';
  private drawnRows = SHOWN;
  private busy = false;
  private readonly picked = new Set<string>();
  private readonly count = h('span', { class: 'badge' });
  private readonly box: HTMLTextAreaElement;
  private readonly results = h('ul', { class: 'results', hidden: true });
  private readonly problem = h('p', { class: 'complaint', hidden: true });
  private readonly list: HTMLUListElement;
  private readonly search: HTMLInputElement;
  private readonly all: HTMLInputElement;
  private readonly bar: HTMLElement;
  private readonly addButton = button(w('Add'), () => void this.add());
  private readonly removeButton = button(w('Remove Selected'), () => void this.remove(), { secondary: true });
  private readonly copyButton = button(w('Copy To…'), () => this.copy(), { secondary: true });

  constructor(column: ListColumn) {
    this.column = column;
    this.box = this.makeBox();
    this.addButton.setAttribute('aria-label', w('Add to {0}', column.label));
    this.list = h('ul', { 'aria-label': column.label, tabindex: '0' });
    this.search = h('input', {
      type: 'search',
      placeholder: w('Filter'),
      'aria-label': w('Filter entries of {0}', column.label),
      on: {
        input: () => {
          this.filter = this.search.value.trim().toLowerCase();
          this.drawnRows = SHOWN;
          this.paint();
        },
      },
    });
    this.all = h('input', {
      type: 'checkbox',
      on: {
        change: () => {
          for (const one of this.visible())
            if (this.all.checked) this.picked.add(one);
            else this.picked.delete(one);
          this.paint();
        },
      },
    });
    this.bar = h(
      'div',
      { class: 'bar' },
      h('label', { class: 'all' }, this.all, w('Select all')),
      this.removeButton,
      model?.canCopy ? this.copyButton : undefined,
    );
    this.paint();
    this.element = h(
      'section',
      { class: 'column', 'data-column': column.id },
      h('h2', {}, column.label, this.count),
      this.box,
      this.addButton,
      this.results,
      this.problem,
      this.search,
      this.bar,
      this.list,
    );
  }
  update(now: ListColumn): void {
    this.column = now;
    this.paint();
  }

  /** The box for new entries; what is written in it is there again when the page is. */
  private makeBox(): HTMLTextAreaElement {
    const { id, label } = this.column;
    const drafts = () => remembered<{ drafts: Record<string, string> }>().drafts ?? {};
    const box = h('textarea', {
      rows: 2,
      'aria-label': w('Add to {0}', label),
      placeholder: [model?.columns.length === 1 ? model.example : undefined, w('Paste one entry per line')]
        .filter(Boolean)
        .join('\n'),
      on: {
        input: () => remember({ drafts: { ...drafts(), [id]: box.value } }),
        keydown: (event: KeyboardEvent) => {
          if (event.key !== 'Enter' || (!event.ctrlKey && !event.metaKey)) return;
          event.preventDefault();
          if (!event.repeat) void this.add();
        },
      },
    });
    box.value = drafts()[id] ?? '';
    return box;
  }
  private visible(): string[] {
    return this.column.entries.filter(one => !this.filter || one.toLowerCase().includes(this.filter));
  }
  /** What is ticked and in sight: what a filter hides is not worked on. */
  private chosen(): string[] {
    return this.visible().filter(one => this.picked.has(one));
  }

  private paint(): void {
    const { column, problem, picked } = this;
    const there = new Set(column.entries);
    for (const one of picked) if (!there.has(one)) picked.delete(one);
    const rows = this.visible();
    this.count.textContent = column.loading ? '…' : String(column.entries.length);
    this.count.setAttribute('aria-label', w('{0} entries', column.entries.length));
    this.paintRows(rows);
    problem.textContent =
      column.problem ??
      (column.more ? w('Only the first {0} entries were read; there are more.', column.entries.length) : '');
    problem.hidden = problem.textContent === '';
    this.search.hidden = column.entries.length < 8 && !this.filter;
    this.tools();
  }
  private paintRows(rows: readonly string[]): void {
    const { list, picked, drawnRows } = this;
    keepFocus(
      () =>
        list.replaceChildren(
          ...rows.slice(0, drawnRows).map(entry => {
            const check = h('input', {
              type: 'checkbox',
              on: {
                change: () => {
                  if (check.checked) picked.add(entry);
                  else picked.delete(entry);
                  this.tools();
                },
              },
            });
            check.checked = picked.has(entry);
            return h('li', {}, h('label', { dir: 'auto' }, check, entry));
          }),
        ),
      () => list,
    );
    if (rows.length > drawnRows) {
      list.append(
        h(
          'li',
          { class: 'muted' },
          w('{0} of {1} entries', drawnRows, rows.length),
          ' ',
          button(
            w('Show More'),
            () => {
              this.drawnRows += SHOWN;
              this.paint();
              list.querySelectorAll<HTMLElement>('input')[drawnRows]?.focus();
            },
            { class: 'link' },
          ),
        ),
      );
    }
    if (rows.length || this.column.problem) return;
    list.append(
      h(
        'li',
        { class: 'empty' },
        this.column.loading ? w('Loading…') : this.filter ? w('No matching entries') : w('No entries'),
      ),
    );
  }
  private tools(): void {
    const rows = this.visible();
    this.removeButton.disabled = this.copyButton.disabled = this.busy || !rows.some(one => this.picked.has(one));
    this.all.checked = rows.length > 0 && rows.every(one => this.picked.has(one));
    this.bar.hidden = rows.length === 0;
  }
  private told(done: EntryResult[], words: '{0} added, {1} refused' | '{0} removed, {1} refused'): void {
    const refused = done.filter(one => one.message !== undefined);
    this.results.replaceChildren(...refused.slice(0, SHOWN).map(one => h('li', {}, `${one.value}: ${one.message}`)));
    this.results.hidden = refused.length === 0;
    announce(
      refused.length
        ? w(words, done.length - refused.length, refused.length)
        : w(words.startsWith('{0} added') ? '{0} added' : '{0} removed', done.length),
      refused.length > 0,
    );
  }

  private async inParts(what: 'add' | 'remove', values: readonly string[]): Promise<EntryResult[]> {
    const done: EntryResult[] = [];
    for (let i = 0; i < values.length; i += PART) {
      const part = await ask({ do: what, column: this.column.id, values: values.slice(i, i + PART) });
      if (!Array.isArray(part)) break;
      done.push(...(part as EntryResult[]));
    }
    return done;
  }
  private async add(): Promise<void> {
    const { box } = this;
    const lines = () =>
      box.value
        .split(/\r?\n/)
        .map(one => one.trim())
        .filter(one => one !== '');
    const values = lines();
    if (this.busy) return;
    if (!values.length) {
      box.focus();
      return;
    }
    this.busy = this.addButton.disabled = true;
    announce(w('Working…'));
    try {
      const done = await this.inParts('add', values);
      if (!done.length) {
        announce('');
        return;
      }
      // What was refused stays in the box, to be corrected, and so does what was written meanwhile.
      const said = new Map(done.map(one => [one.value, one.message]));
      box.value = lines()
        .filter(one => !said.has(one) || said.get(one) !== undefined)
        .join('\n');
      box.dispatchEvent(new Event('input'));
      this.told(done, '{0} added, {1} refused');
    } catch (error) {
      failed(error);
    } finally {
      this.busy = this.addButton.disabled = false;
      this.tools();
      box.focus();
    }
  }
  private async remove(): Promise<void> {
    const values = this.chosen();
    if (this.busy) return;
    this.busy = this.removeButton.disabled = this.copyButton.disabled = true;
    announce(w('Working…'));
    try {
      const done = await this.inParts('remove', values);
      for (const { value, message } of done) if (message === undefined) this.picked.delete(value);
      if (done.length) this.told(done, '{0} removed, {1} refused');
      else announce('');
    } catch (error) {
      failed(error);
    } finally {
      this.busy = false;
      this.paint();
      this.list.focus();
    }
  }
  private copy(): void {
    void ask({ do: 'copy', column: this.column.id, values: this.chosen().slice(0, PART) }).catch(failed);
  }
}
const failed = (error: unknown) => announce(errorText(error), true);

start(message => {
  if (message.type === 'lists') show(message.lists);
  if (message.type === 'column') drawn.get(message.column.id)?.update(message.column);
});
