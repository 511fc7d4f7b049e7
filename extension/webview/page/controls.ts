import type { Control, PageWord } from '../messages.js';
import { splitAddresses } from './addresses.js';
import { button } from './page.js';
import { suggesting } from './suggest.js';

/** A control on the page. `set` never calls back; `get` gives null for what is not set. */
export interface Made {
  element: HTMLElement;
  get(): unknown;
  set(value: unknown): void;
  focus(): void;
  invalid(message: string | undefined): void;
  disabled(off: boolean): void;
}
/** What a control needs of the page around it. */
export interface Around {
  words(text: PageWord, ...args: (string | number)[]): string;
  changed(name: string, value: unknown, done: boolean): void;
  /** The name of an object that was chosen, by its id. */
  nameOf(value: string): string | undefined;
  /** What is offered for the beginning of an address. */
  suggest?(text: string): Promise<string[]>;
  pick(name: string): void;
  files(name: string): void;
  unfile(name: string, index: number): void;
  /** Whether an empty password box keeps the present one. */
  keepsSecrets: boolean;
}

let numbered = 0;
/** What a kind of control is made from: its field, the page around it, its id there and its label. */
interface Given {
  control: Control;
  around: Around;
  words: Around['words'];
  id: string;
  label: string;
}
/** What a kind of control brings: its elements, and how its value is read, shown and complained of. */
interface Inner {
  parts: HTMLElement[];
  get(): unknown;
  set(value: unknown): void;
  focus(): void;
  disabled(off: boolean): void;
  describe(ids: string, bad: boolean): void;
}

/** The control of a field, with its label, help and place for a complaint. */
export function make(control: Control, around: Around): Made {
  const id = `c${++numbered}`;
  const { words: w } = around;
  const box = document.createElement('div');
  box.className = `field ${control.kind}`;
  box.dataset.field = control.name;
  const help = document.createElement('p');
  help.className = 'help';
  help.id = `${id}-help`;
  const keeps = control.kind === 'secret' && around.keepsSecrets;
  help.textContent = [control.help, keeps ? `${w('Leave empty to keep the current one')}.` : '']
    .filter(Boolean)
    .join(' ');
  const complaint = document.createElement('p');
  complaint.className = 'complaint';
  complaint.id = `${id}-bad`;
  complaint.hidden = true;
  const label = control.required ? `${control.label} (${w('required')})` : control.label;
  const kinds = {
    text,
    area: text,
    number: text,
    secret: text,
    json: text,
    lines: text,
    flag,
    choice,
    choices,
    time,
    files,
  };
  const made = kinds[control.kind]({ control, around, words: w, id, label });
  box.append(...made.parts, ...(help.textContent ? [help] : []), complaint);
  const described = (bad: boolean) =>
    [help.textContent ? help.id : '', bad ? complaint.id : ''].filter(Boolean).join(' ');
  return {
    element: box,
    get: made.get,
    set: made.set,
    focus: made.focus,
    disabled: made.disabled,
    invalid(message) {
      complaint.textContent = message ?? '';
      complaint.hidden = !message;
      box.classList.toggle('invalid', Boolean(message));
      made.describe(described(Boolean(message)), Boolean(message));
    },
  };
}

function text(given: Given): Inner {
  const { control, around, words: w, id, label } = given;
  const element = textBox(given);
  // What was chosen is shown by its name; its id is what is meant.
  let chosen: { id: string; label: string } | undefined;
  const read = (): unknown => {
    const value = element.value;
    if (value === '') return null;
    if (value === chosen?.label) return chosen.id;
    if (control.kind === 'number') return Number.isFinite(Number(value)) && value.trim() !== '' ? Number(value) : value;
    if (control.addresses) return splitAddresses(value);
    if (control.kind === 'lines')
      return value
        .split('\n')
        .map(line => line.trim())
        .filter(line => line !== '');
    return value;
  };
  element.addEventListener('input', () => around.changed(control.name, read(), false));
  element.addEventListener('change', () => around.changed(control.name, read(), true));
  const parts: HTMLElement[] = [labelled(id, label), element];
  if (control.addresses && around.suggest && element instanceof HTMLTextAreaElement)
    parts.push(suggesting(element, label, around.suggest));
  let pick: HTMLButtonElement | undefined;
  if (control.pick) {
    const row = document.createElement('div');
    row.className = 'row';
    pick = button(w('Choose…'), () => around.pick(control.name), { secondary: true });
    pick.setAttribute('aria-label', `${w('Choose…')} ${control.label}`);
    row.append(element, pick);
    parts[1] = row;
  }
  return {
    parts,
    get: read,
    set(value) {
      const label =
        control.pick && control.kind === 'text' && typeof value === 'string' ? around.nameOf(value) : undefined;
      chosen = label === undefined ? undefined : { id: value as string, label };
      const shown =
        value === null || value === undefined
          ? ''
          : label !== undefined
            ? label
            : control.kind === 'lines' && Array.isArray(value)
              ? value.join('\n')
              : control.kind === 'json' && typeof value === 'object'
                ? JSON.stringify(value, null, 2)
                : String(value);
      if (element.value !== shown) element.value = shown;
    },
    focus: () => element.focus(),
    disabled(off) {
      element.readOnly = off;
      if (pick) pick.disabled = off;
    },
    describe: describing(element),
  };
}
/** A box for text: one line, or several where it holds lines, prose or JSON. */
function textBox({ control, words: w, id }: Given): HTMLInputElement | HTMLTextAreaElement {
  const many = control.kind === 'area' || control.kind === 'json' || control.kind === 'lines';
  const element = document.createElement(many ? 'textarea' : 'input');
  element.id = id;
  // What a browser remembers of other pages is not for a form of settings; of prose alone the spelling is looked at.
  element.setAttribute('autocomplete', control.kind === 'secret' ? 'new-password' : 'off');
  if (control.kind !== 'area') element.spellcheck = false;
  if (element instanceof HTMLTextAreaElement) element.rows = control.rows ?? (control.kind === 'lines' ? 2 : 6);
  else element.type = control.kind === 'secret' ? 'password' : 'text';
  if (control.kind === 'number') element.inputMode = 'numeric';
  const example =
    control.example ??
    (control.addresses
      ? w('One per line, or separated by commas')
      : control.kind === 'lines'
        ? w('One per line')
        : undefined);
  if (example) element.placeholder = example;
  return element;
}

function flag(given: Given): Inner {
  const { control, around, words: w, id, label } = given;
  const element = document.createElement('input');
  const name = document.createElement('label');
  element.id = id;
  element.type = 'checkbox';
  name.className = 'check';
  name.append(element, label);
  // What the provider did not say is neither on nor off, until somebody decides, and can be left so again.
  const open = around.keepsSecrets && !control.required;
  let known = false;
  let wasUnset = false;
  let described = '';
  const note = document.createElement('p');
  const unset = button(
    w('Clear'),
    () => {
      set(null);
      around.changed(control.name, null, true);
      element.focus();
    },
    { class: 'link unset' },
  );
  note.className = 'help';
  note.id = `${id}-unset`;
  note.textContent = w('not set');
  unset.setAttribute('aria-label', `${w('Clear')} ${control.label}`);
  const draw = () => {
    const undecided = open && !known;
    element.indeterminate = undecided;
    note.hidden = !undecided;
    unset.hidden = !known || !wasUnset;
    const ids = [undecided ? note.id : '', described].filter(Boolean).join(' ');
    if (ids) element.setAttribute('aria-describedby', ids);
    else element.removeAttribute('aria-describedby');
  };
  function set(value: unknown): void {
    known = typeof value === 'boolean';
    wasUnset ||= open && !known;
    element.checked = value === true;
    draw();
  }
  element.addEventListener('change', () => {
    known = true;
    draw();
    around.changed(control.name, element.checked, true);
  });
  return {
    parts: [name, note, unset],
    get: () => (known ? element.checked : null),
    set,
    focus: () => element.focus(),
    disabled: off => {
      element.disabled = unset.disabled = off;
    },
    describe(ids, bad) {
      described = ids;
      element.setAttribute('aria-invalid', String(bad));
      draw();
    },
  };
}

function labelled(id: string, label: string): HTMLLabelElement {
  const element = document.createElement('label');
  element.htmlFor = id;
  element.textContent = label;
  return element;
}
function describing(element: HTMLElement): Inner['describe'] {
  return (ids, bad) => {
    if (ids) element.setAttribute('aria-describedby', ids);
    else element.removeAttribute('aria-describedby');
    element.setAttribute('aria-invalid', String(bad));
  };
}

/** A choice that other values pass too: typed freely, with the known ones offered. */
function openChoice(given: Given): Inner {
  const { control, around, id, label } = given;
  const element = document.createElement('input');
  const known = document.createElement('datalist');
  element.id = id;
  element.type = 'text';
  known.id = `${id}-known`;
  element.setAttribute('list', known.id);
  if (control.example) element.placeholder = control.example;
  known.append(
    ...(control.options ?? []).map(({ value, label: text }) => {
      const one = document.createElement('option');
      one.value = value;
      if (text !== value) one.label = text;
      return one;
    }),
  );
  element.addEventListener('input', () => around.changed(control.name, element.value || null, false));
  element.addEventListener('change', () => around.changed(control.name, element.value || null, true));
  return {
    parts: [labelled(id, label), element, known],
    get: () => element.value || null,
    set(value) {
      const shown = value === null || value === undefined ? '' : String(value);
      if (element.value !== shown) element.value = shown;
    },
    focus: () => element.focus(),
    disabled: off => {
      element.readOnly = off;
    },
    describe: describing(element),
  };
}

function choice(given: Given): Inner {
  const { control, around, words: w, id, label } = given;
  if (control.open) return openChoice(given);
  const element = document.createElement('select');
  element.id = id;
  const option = (value: string, text: string) => {
    const one = document.createElement('option');
    one.value = value;
    one.textContent = text;
    return one;
  };
  element.append(
    option('', control.required ? w('Choose…') : w('not set')),
    ...(control.options ?? []).map(one => option(one.value, one.label)),
  );
  element.addEventListener('change', () => around.changed(control.name, element.value || null, true));
  return {
    parts: [labelled(id, label), element],
    get: () => element.value || null,
    set(value) {
      const wanted = value === null || value === undefined ? '' : String(value);
      if (![...element.options].some(one => one.value === wanted)) element.append(option(wanted, wanted));
      element.value = wanted;
    },
    focus: () => element.focus(),
    disabled: off => {
      element.disabled = off;
    },
    describe: describing(element),
  };
}

function choices(given: Given): Inner {
  const { control, around, id, label } = given;
  const set = document.createElement('fieldset');
  set.className = 'choices';
  set.id = id;
  const legend = document.createElement('legend');
  legend.textContent = label;
  const boxes = (control.options ?? []).map(({ value, label: text }) => {
    const one = document.createElement('input');
    const around2 = document.createElement('label');
    one.type = 'checkbox';
    one.value = value;
    around2.append(one, text);
    one.addEventListener('change', () => around.changed(control.name, read(), true));
    return { one, label: around2 };
  });
  const read = () => {
    const picked = boxes.filter(({ one }) => one.checked).map(({ one }) => one.value);
    return picked.length ? picked : null;
  };
  set.append(legend, ...boxes.map(one => one.label));
  return {
    parts: [set],
    get: read,
    set(value) {
      for (const { one } of boxes) one.checked = Array.isArray(value) && value.includes(one.value);
    },
    focus: () => boxes[0]?.one.focus(),
    disabled: off => {
      set.disabled = off;
    },
    describe(ids, bad) {
      if (ids) set.setAttribute('aria-describedby', ids);
      else set.removeAttribute('aria-describedby');
      for (const { one } of boxes) one.setAttribute('aria-invalid', String(bad));
    },
  };
}

function time(given: Given): Inner {
  const { control, around, id, label } = given;
  const element = document.createElement('input');
  element.id = id;
  element.type = 'datetime-local';
  element.step = '1';
  const read = () => (element.value ? new Date(element.value).toISOString() : null);
  element.addEventListener('change', () => around.changed(control.name, read(), true));
  return {
    parts: [labelled(id, label), element],
    get: read,
    set(value) {
      const at = typeof value === 'string' ? new Date(value) : undefined;
      element.value =
        at && !Number.isNaN(at.getTime())
          ? new Date(at.getTime() - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 19)
          : '';
    },
    focus: () => element.focus(),
    disabled: off => {
      element.disabled = off;
    },
    describe: describing(element),
  };
}

function files(given: Given): Inner {
  const { control, around, words: w, id, label } = given;
  const name = document.createElement('span');
  name.className = 'label';
  name.id = `${id}-label`;
  name.textContent = label;
  const list = document.createElement('ul');
  list.className = 'files';
  list.setAttribute('aria-labelledby', name.id);
  const pick = button(w('Choose Files…'), () => around.files(control.name), { secondary: true });
  pick.setAttribute('aria-label', `${w('Choose Files…')} ${control.label}`);
  let names: string[] = [];
  const draw = () => {
    list.replaceChildren(
      ...names.map((one, i) => {
        const item = document.createElement('li');
        const remove = button(w('Remove'), () => around.unfile(control.name, i), { class: 'link' });
        remove.setAttribute('aria-label', `${w('Remove')} ${one}`);
        item.append(one, ' ', remove);
        return item;
      }),
    );
    list.hidden = names.length === 0;
  };
  draw();
  return {
    parts: [name, list, pick],
    get: () => null,
    set(value) {
      names = Array.isArray(value) ? value.map(String) : [];
      draw();
    },
    focus: () => pick.focus(),
    disabled: off => {
      pick.disabled = off;
    },
    describe: describing(pick),
  };
}
