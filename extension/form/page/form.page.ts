import type { FormIssue, FormModel, Group, Picked, Values } from '../../webview/messages.js';
import { make, type Around, type Made } from '../../webview/page/controls.js';
import {
  announce,
  ask,
  button,
  errorText,
  h,
  main,
  Refusal,
  remember,
  remembered,
  said,
  start,
  w,
} from '../../webview/page/page.js';

const root = main('form');
let form: FormModel | undefined;
let base: Values = {};
let controls = new Map<string, Made>();
/** The names of objects that were chosen, by their ids. */
const names = new Map<string, string>();
const pending = new Map<string, { value: unknown; timer: number }>();
/** A pause in typing that makes one step of undo, in milliseconds. */
const PAUSE = 250;

/** Edits that the host has not confirmed yet. */
const under = new Map<Promise<unknown>, { field: string; value: unknown }>();
function send(field: string, value: unknown): void {
  const edit = ask({ do: 'edit', field, value })
    .catch(error => announce(errorText(error), true))
    .finally(() => under.delete(edit));
  under.set(edit, { field, value });
}
/** What was typed and is not in the document yet, by field: what the document says of these is older. */
const typed = (): Map<string, unknown> =>
  new Map([
    ...[...under.values()].map(({ field, value }) => [field, value] as const),
    ...[...pending].map(([field, { value }]) => [field, value] as const),
  ]);
function flush(): void {
  for (const [field, { value, timer }] of pending) {
    clearTimeout(timer);
    pending.delete(field);
    send(field, value);
  }
}
// "Save" waits until what was typed is in the document; else the last letters would stay behind.
window.addEventListener(
  'keydown',
  event => {
    if (!event.ctrlKey && !event.metaKey) return;
    flush();
    if (
      form?.mode !== 'document' ||
      event.key.toLowerCase() !== 's' ||
      event.shiftKey ||
      event.altKey ||
      under.size === 0
    )
      return;
    event.preventDefault();
    event.stopImmediatePropagation();
    void Promise.all(under.keys())
      .then(() => ask({ do: 'save' }))
      .catch(error => announce(errorText(error), true));
  },
  true,
);
window.addEventListener('blur', flush);

function changed(name: string, value: unknown, done: boolean): void {
  mark(name, value);
  if (form?.mode === 'ask') {
    draft();
    if (left.has(name)) checkSoon(name);
    return;
  }
  const before = pending.get(name);
  if (before) {
    clearTimeout(before.timer);
    pending.delete(name);
  }
  if (done) {
    send(name, value);
    return;
  }
  pending.set(name, {
    value,
    timer: window.setTimeout(() => {
      pending.delete(name);
      send(name, value);
    }, PAUSE),
  });
}
/**
 * The fields that somebody has left, or was told about: from then on what is wrong with them is shown while he types,
 * and goes when it is right.
 */
const left = new Set<string>();
const checking = new Map<string, number>();
function checkSoon(name: string): void {
  clearTimeout(checking.get(name));
  checking.set(
    name,
    window.setTimeout(() => {
      checking.delete(name);
      const control = controls.get(name);
      const value = control?.get() ?? null;
      // What is not filled in yet is told when the form is sent.
      if (!control || value === null) {
        control?.invalid(undefined);
        return;
      }
      void ask({ do: 'check', values: { [name]: value }, fields: [name] })
        .then(found => {
          const [issue] = Array.isArray(found) ? (found as FormIssue[]) : [];
          if (controls.get(name) === control && JSON.stringify(control.get()) === JSON.stringify(value))
            control.invalid(issue?.message);
        })
        .catch(() => {});
    }, PAUSE),
  );
}
document.addEventListener('focusout', event => {
  const name = (event.target as HTMLElement | null)?.closest<HTMLElement>('[data-field]')?.dataset.field;
  if (name && form?.mode === 'document' && !left.has(name)) {
    left.add(name);
    issues(...told);
    return;
  }
  if (!name || form?.mode !== 'ask' || left.has(name) || (controls.get(name)?.get() ?? null) === null) return;
  left.add(name);
  checkSoon(name);
});
let drafting = 0;
/** What is no secret is told to the host, which outlives this page: a hidden one is thrown away. */
function draft(): void {
  clearTimeout(drafting);
  drafting = window.setTimeout(drafted, 400);
}
function drafted(): void {
  if (!drafting) return;
  clearTimeout(drafting);
  drafting = 0;
  void ask({ do: 'draft', values: collect(false) }).catch(() => {});
}
window.addEventListener('blur', drafted);
window.addEventListener('pagehide', drafted);
document.addEventListener('visibilitychange', drafted);
const collect = (secrets: boolean): Values =>
  Object.fromEntries(
    (form?.groups ?? [])
      .flatMap(group => group.controls)
      .filter(control => (secrets || control.kind !== 'secret') && control.kind !== 'files')
      .map(control => [control.name, controls.get(control.name)?.get() ?? null]),
  );

function mark(name: string, value: unknown): void {
  if (form?.mode !== 'document') return;
  const differs =
    JSON.stringify(value ?? null) !== JSON.stringify(base[name] ?? null) && !(value === '' && base[name] === null);
  const element = controls.get(name)?.element;
  element?.classList.toggle('changed', differs);
  if (differs) element?.setAttribute('title', w('changed'));
  else element?.removeAttribute('title');
}

/** All of a form but what it holds: while that stays, so do its controls, with the caret of whoever types on. */
const drawingOf = ({ values: _, base: _base, issues: _issues, readonly: _readonly, ...rest }: FormModel): string =>
  JSON.stringify(rest);

function show(model: FormModel): void {
  const drawn = form?.mode === 'document' && drawingOf(form) === drawingOf(model);
  form = model;
  base = model.base ?? {};
  left.clear();
  for (const { id, label } of model.picked ?? []) names.set(id, label);
  const focus = caretNow();
  if (!drawn) draw(model);
  fill(model.values, model.issues, model.readonly);
  if (drawn) return;
  if (focus) focus();
  else if (model.mode === 'ask') focusFirst(model);
}
function draw(model: FormModel): void {
  const around = aroundOf(model);
  const made = new Map<string, Made>();
  const sections = model.groups.map(group => sectionOf(group, around, made));
  controls = made;
  const nothing = h('p', { class: 'empty', hidden: true }, w('No matching settings'));
  const count = model.groups.reduce((sum, group) => sum + (group.folded ? 0 : group.controls.length), 0);
  const search =
    count > 14
      ? h('input', {
          type: 'search',
          class: 'search',
          placeholder: w('Search settings'),
          'aria-label': w('Search settings'),
          on: {
            input: (event: Event) => narrow((event.target as HTMLInputElement).value, model.groups, sections, nothing),
          },
        })
      : undefined;
  const buttons = model.actions
    .filter(({ label }) => label)
    .map(action => button(action.label, () => void acted(action.id), { secondary: action.primary !== true }));
  const submit = model.submit ? button(model.submit, () => void submitted(submit!)) : undefined;
  const cancel =
    model.mode === 'ask'
      ? button(
          w('Cancel'),
          () => {
            drafted();
            void ask({ do: 'cancel' });
          },
          { secondary: true },
        )
      : undefined;
  root.replaceChildren(
    h(
      'header',
      {},
      h(
        'div',
        { class: 'head' },
        h('h1', {}, model.title),
        model.subtitle ? h('p', { class: 'subtitle' }, model.subtitle) : undefined,
      ),
      h('div', { class: 'actions' }, ...buttons),
    ),
    ...(model.notice ? [h('p', { class: 'notice' }, model.notice)] : []),
    h('p', { class: 'notice bad', id: 'trouble', hidden: true }),
    ...(search ? [search] : []),
    h(
      'form',
      {
        novalidate: true,
        on: {
          submit: (event: Event) => event.preventDefault(),
          keydown: (event: KeyboardEvent) => {
            if (event.key === 'Enter' && (event.ctrlKey || event.metaKey) && !event.repeat && submit)
              void submitted(submit);
          },
        },
      },
      ...sections,
      nothing,
    ),
    ...(submit ? [h('footer', {}, submit, cancel, said)] : []),
  );
  for (const [name, value] of typed()) controls.get(name)?.set(value);
}
/** A function that puts the focus and the caret where they are now; nothing if no field has them. */
function caretNow(): (() => void) | undefined {
  const at = document.activeElement as HTMLInputElement | null;
  const name = at?.closest<HTMLElement>('[data-field]')?.dataset.field;
  if (name === undefined) return undefined;
  // Only what takes text has a caret, and not every kind of it tells.
  const { selectionStart: start, selectionEnd: end } = at!;
  return () => {
    controls.get(name)?.focus();
    const now = document.activeElement as HTMLInputElement | null;
    if (typeof start === 'number' && typeof now?.selectionStart === 'number') now.setSelectionRange(start, end);
  };
}
/** What controls need of this page. */
function aroundOf(model: FormModel): Around {
  const failed = (error: unknown) => announce(errorText(error), true);
  return {
    words: w,
    changed,
    keepsSecrets: model.mode === 'document' || model.actions.some(({ id }) => id === 'keeps'),
    nameOf: value => names.get(value),
    suggest: text =>
      ask({ do: 'suggest', text }).then(
        found => (Array.isArray(found) ? found.map(String) : []),
        () => [],
      ),
    pick: name =>
      void ask({ do: 'pick', field: name, values: collect(false) })
        .then(value => {
          if (value === undefined || value === null) return;
          const { id, label } = value as Picked;
          names.set(id, label);
          controls.get(name)?.set(id);
          changed(name, controls.get(name)?.get(), true);
        })
        .catch(failed),
    files: name =>
      void ask({ do: 'files', field: name })
        .then(value => {
          if (Array.isArray(value)) controls.get(name)?.set(value);
        })
        .catch(failed),
    unfile: (name, index) =>
      void ask({ do: 'unfile', field: name, index })
        .then(value => controls.get(name)?.set(value))
        .catch(failed),
  };
}
/** A group of controls; a folded one stays open where the user opened it. */
function sectionOf(group: Group, around: Around, made: Map<string, Made>): HTMLElement {
  const elements = group.controls.map(control => {
    const one = make(control, around);
    made.set(control.name, one);
    return one.element;
  });
  const grid = h('div', { class: 'grid' }, ...elements);
  const title = group.title ?? '';
  if (!group.folded) return h('section', { class: 'group' }, title ? h('h2', {}, title) : undefined, grid);
  const opened = () => remembered<{ open: string[] }>().open ?? [];
  return h(
    'details',
    {
      class: 'group',
      ...(opened().includes(title) ? { open: true } : {}),
      on: {
        toggle: (event: Event) => {
          const open = new Set(opened());
          if ((event.currentTarget as HTMLDetailsElement).open) open.add(title);
          else open.delete(title);
          remember({ open: [...open] });
        },
      },
    },
    h('summary', {}, group.title ?? w('More')),
    grid,
  );
}
/** Shows only what has a text in its names or help. */
function narrow(text: string, groups: readonly Group[], sections: readonly HTMLElement[], nothing: HTMLElement): void {
  const wanted = text.trim().toLowerCase();
  let any = false;
  for (const [i, group] of groups.entries()) {
    let some = false;
    for (const control of group.controls) {
      const hit =
        !wanted ||
        `${control.label} ${control.name} ${control.help ?? ''} ${group.title ?? ''}`.toLowerCase().includes(wanted);
      controls.get(control.name)!.element.hidden = !hit;
      some ||= hit;
    }
    const section = sections[i]!;
    section.hidden = !some;
    if (wanted && some && section instanceof HTMLDetailsElement) section.open = true;
    any ||= some;
  }
  nothing.hidden = any;
}
/** Does what a further button is for, with all that was typed before. */
async function acted(action: string): Promise<void> {
  flush();
  drafted();
  try {
    const done = (await ask({ do: 'action', action })) as { said?: string; files?: Values } | null | undefined;
    for (const [name, files] of Object.entries(done?.files ?? {})) controls.get(name)?.set(files);
    if (!done?.said) return;
    issues([]);
    announce(done.said);
  } catch (error) {
    if (error instanceof Refusal && error.issues.length && form?.mode === 'ask') issues(error.issues);
    announce(errorText(error), true);
  }
}
/** The keys reach what is sent with its button disabled, too. */
let busy = false;
async function submitted(submit: HTMLButtonElement): Promise<void> {
  if (busy) return;
  busy = true;
  const from = document.activeElement;
  submit.disabled = true;
  announce(w('Working…'));
  issues([]);
  try {
    await ask({ do: 'submit', values: collect(true) });
    announce(w('Done'));
  } catch (error) {
    const found = error instanceof Refusal && error.issues.length ? error.issues : [{ message: errorText(error) }];
    issues(found);
    // What is said at its field is read aloud, and needs no box over the form.
    announce(
      errorText(error),
      true,
      found.every(({ field }) => field !== undefined && controls.has(field)) ? 'aloud' : undefined,
    );
  } finally {
    busy = false;
    submit.disabled = false;
    // A button that is switched off loses the focus.
    if (document.activeElement === document.body && from instanceof HTMLElement) from.focus();
  }
}
/** What has to be filled in comes first: in an answer that is the message, not who gets it. */
function focusFirst(model: FormModel): void {
  const all = model.groups.filter(group => !group.folded).flatMap(group => group.controls);
  const first = all.find(one => one.required && (model.values[one.name] ?? '') === '') ?? all[0];
  if (!remembered<{ scroll: number }>().scroll) requestAnimationFrame(() => controls.get(first?.name ?? '')?.focus());
}

function fill(values: Values, problems: FormIssue[], readonly?: string, typing = false): void {
  const ahead = typed();
  for (const [name, control] of controls) {
    if (!ahead.has(name)) control.set(values[name]);
    control.disabled(readonly !== undefined);
    mark(name, ahead.has(name) ? ahead.get(name) : values[name]);
  }
  issues(problems, readonly, typing);
}

/** What the host said last of what is wrong. */
let told: [FormIssue[], string | undefined] = [[], undefined];
function issues(problems: FormIssue[], readonly?: string, typing = false): void {
  told = [problems, readonly];
  const at = (document.activeElement as HTMLElement | null)?.closest<HTMLElement>('[data-field]')?.dataset.field;
  const byField = new Map(problems.filter(one => one.field !== undefined).map(one => [one.field!, one.message]));
  for (const [name, control] of controls) {
    // Who is still writing a value for the first time is not interrupted.
    if (typing && name === at && !left.has(name)) {
      control.invalid(undefined);
      continue;
    }
    control.invalid(byField.get(name));
    if (byField.has(name)) left.add(name);
  }
  const rest = problems.filter(one => one.field === undefined || !controls.has(one.field)).map(one => one.message);
  const trouble = document.getElementById('trouble')!;
  trouble.textContent = [readonly, ...rest].filter(Boolean).join(' ');
  trouble.hidden = trouble.textContent === '';
  if (form?.mode === 'ask') toFirst(byField);
}
/** Goes to the first field that something is wrong with. */
function toFirst(wrong: { has(name: string): boolean }): void {
  const first = [...controls].find(([name]) => wrong.has(name));
  first?.[1].element.closest('details')?.setAttribute('open', '');
  first?.[1].focus();
  // With its label and with what is wrong, which the control alone is not.
  first?.[1].element.scrollIntoView({ block: 'nearest' });
}
/** A save was refused: what is wrong is read aloud, and the first field it is about gets the focus. */
function refused(problems: FormIssue[]): void {
  announce(problems.map(one => one.message).join(' '), true, 'aloud');
  const fields = new Set(problems.map(one => one.field ?? ''));
  const trouble = document.getElementById('trouble')!;
  toFirst(fields);
  if (![...controls.keys()].some(name => fields.has(name))) trouble.scrollIntoView({ block: 'center' });
}

/** Where the page was before it was hidden and built anew. */
function scrollBack(): void {
  const { scroll } = remembered<{ scroll: number }>();
  if (scroll) requestAnimationFrame(() => window.scrollTo(0, scroll));
}
window.addEventListener(
  'scroll',
  () => {
    if (form) remember({ scroll: window.scrollY });
  },
  { passive: true },
);
let shown = false;
start(message => {
  if (message.type === 'form') {
    show(message.form);
    if (!shown) {
      shown = true;
      scrollBack();
    }
  }
  if (message.type === 'values' && form) {
    if (message.base) base = message.base;
    fill(message.values, message.issues, message.readonly, message.typing);
    if (message.refused) refused(message.issues);
  }
});
