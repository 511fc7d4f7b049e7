import {
  provideVSCodeDesignSystem, vsCodeButton, vsCodeCheckbox, vsCodeTextArea, vsCodeTextField, type Button,
  type Checkbox, type TextArea,
} from '@vscode/webview-ui-toolkit';
import type { Control, PageWord } from '../messages.js';
import { splitAddresses } from './addresses.js';

/**
 * The one file that knows the widget toolkit, which is no longer developed: only the components used are registered. Choices, times, files and
 * lists are native elements, because the toolkit has none or its own break the content policy or have no name for screen readers.
 */
provideVSCodeDesignSystem().register(vsCodeButton(), vsCodeCheckbox(), vsCodeTextArea(), vsCodeTextField());

/** A control on the page. `set` never calls back; `get` gives null for what is not set. */
export interface Made {
  element: HTMLElement; get(): unknown; set(value: unknown): void; focus(): void; invalid(message: string | undefined): void; disabled(off: boolean): void;
}
/** What a control needs of the page around it. */
export interface Around {
  words(text: PageWord, ...args: (string | number)[]): string;
  changed(name: string, value: unknown, done: boolean): void;
  /** The name of an object that was chosen, by its id. */
  nameOf(value: string): string | undefined;
  pick(name: string): void; files(name: string): void; unfile(name: string, index: number): void;
  /** Whether an empty password box keeps the present one. */
  keepsSecrets: boolean;
}

export function toolkitButton(label: string, primary: boolean, run: () => void): HTMLElement {
  const button = document.createElement('vscode-button') as unknown as Button;
  button.appearance = primary ? 'primary' : 'secondary';
  button.textContent = label;
  button.addEventListener('click', run);
  return button;
}

let numbered = 0;
/** What a kind of control is made from: its field, the page around it, its id there and its label. */
interface Given { control: Control; around: Around; words: Around['words']; id: string; label: string }
/** What a kind of control brings: its elements, and how its value is read, shown and complained of. */
interface Inner {
  parts: HTMLElement[]; get(): unknown; set(value: unknown): void; focus(): void; disabled(off: boolean): void;
  describe(ids: string, bad: string | undefined, text: string): void;
}

/** The control of a field, with its label, help and place for a complaint. */
export function make(control: Control, around: Around): Made {
  const id = `c${++numbered}`, { words: w } = around;
  const box = document.createElement('div');
  box.className = `field ${control.kind}`;
  box.dataset.field = control.name;
  const help = document.createElement('p');
  help.className = 'help';
  help.id = `${id}-help`;
  const keeps = control.kind === 'secret' && around.keepsSecrets;
  help.textContent = [control.help, keeps ? `${w('Leave empty to keep the current one')}.` : ''].filter(Boolean).join(' ');
  const complaint = document.createElement('p');
  complaint.className = 'complaint';
  complaint.id = `${id}-bad`;
  complaint.hidden = true;
  const label = control.required ? `${control.label} (${w('required')})` : control.label;
  const kinds = { text, area: text, number: text, secret: text, json: text, lines: text, flag, choice, choices, time, files };
  const made = kinds[control.kind]({ control, around, words: w, id, label });
  box.append(...made.parts, ...(help.textContent ? [help] : []), complaint);
  const described = (bad: boolean) => [help.textContent ? help.id : '', bad ? complaint.id : ''].filter(Boolean).join(' ');
  return {
    element: box, get: made.get, set: made.set, focus: made.focus, disabled: made.disabled,
    invalid(message) {
      complaint.textContent = message ?? '';
      complaint.hidden = !message;
      box.classList.toggle('invalid', Boolean(message));
      made.describe(described(Boolean(message)), message, [help.textContent, message].filter(Boolean).join(' '));
    },
  };
}

function text(given: Given): Inner {
  const { control, around, words: w, id, label } = given;
  const many = control.kind === 'area' || control.kind === 'json' || control.kind === 'lines';
  const element = document.createElement(many ? 'vscode-text-area' : 'vscode-text-field') as HTMLElement
    & Pick<TextArea, 'value' | 'rows' | 'placeholder' | 'readOnly'>;
  element.id = id;
  element.append(label);
  if (control.kind === 'secret') { element.setAttribute('type', 'password'); element.setAttribute('autocomplete', 'new-password'); }
  if (control.kind === 'number') element.setAttribute('inputmode', 'numeric');
  if (many) { element.rows = control.rows ?? (control.kind === 'lines' ? 2 : 6); element.setAttribute('resize', 'vertical'); }
  const example = control.example ?? (control.addresses ? w('One per line, or separated by commas') : control.kind === 'lines' ? w('One per line') : undefined);
  if (example) element.placeholder = example;
  // What was chosen is shown by its name; its id is what is meant.
  let chosen: { id: string; label: string } | undefined;
  const read = (): unknown => {
    const value = element.value;
    if (value === '') return null;
    if (value === chosen?.label) return chosen.id;
    if (control.kind === 'number') return Number.isFinite(Number(value)) && value.trim() !== '' ? Number(value) : value;
    if (control.addresses) return splitAddresses(value);
    if (control.kind === 'lines') return value.split('\n').map(line => line.trim()).filter(line => line !== '');
    return value;
  };
  element.addEventListener('input', () => around.changed(control.name, read(), false));
  element.addEventListener('change', () => around.changed(control.name, read(), true));
  // The inner control lives in a shadow tree, where ids of this page mean nothing: the words themselves are put on it.
  const inner = () => element.shadowRoot?.querySelector('input, textarea');
  const parts: HTMLElement[] = [element];
  if (control.pick) {
    const row = document.createElement('div');
    row.className = 'row';
    const pick = toolkitButton(w('Choose…'), false, () => around.pick(control.name));
    pick.setAttribute('aria-label', `${w('Choose…')} ${control.label}`);
    row.append(element, pick);
    parts[0] = row;
  }
  return {
    parts, get: read,
    set(value) {
      const label = control.pick && control.kind === 'text' && typeof value === 'string' ? around.nameOf(value) : undefined;
      chosen = label === undefined ? undefined : { id: value as string, label };
      const shown = value === null || value === undefined ? ''
        : label !== undefined ? label
        : control.kind === 'lines' && Array.isArray(value) ? value.join('\n')
        : control.kind === 'json' && typeof value === 'object' ? JSON.stringify(value, null, 2)
        : String(value);
      if (element.value !== shown) element.value = shown;
    },
    focus: () => (inner() as HTMLElement | null | undefined ?? element).focus(),
    disabled: off => { element.readOnly = off; },
    describe(_, bad, said) {
      const put = () => {
        const one = inner();
        one?.setAttribute('aria-invalid', String(Boolean(bad)));
        if (said) one?.setAttribute('aria-description', said); else one?.removeAttribute('aria-description');
      };
      if (inner()) put(); else requestAnimationFrame(put);
    },
  };
}

function flag(given: Given): Inner {
  const { control, around, words: w, id, label } = given;
  const element = document.createElement('vscode-checkbox') as unknown as Checkbox;
  element.id = id;
  element.textContent = label;
  // What the provider did not say is neither on nor off, until somebody decides, and can be left so again.
  const open = around.keepsSecrets && !control.required;
  let known = false, quiet = false, wasUnset = false, described = '';
  const note = document.createElement('p'), unset = document.createElement('button');
  note.className = 'help';
  note.textContent = w('not set');
  unset.type = 'button';
  unset.className = 'link unset';
  unset.textContent = w('Clear');
  unset.setAttribute('aria-label', `${w('Clear')} ${control.label}`);
  unset.addEventListener('click', () => { set(null); around.changed(control.name, null, true); element.focus(); });
  const draw = () => {
    const undecided = open && !known;
    element.indeterminate = undecided;
    note.hidden = !undecided;
    unset.hidden = !known || !wasUnset;
    const said = [undecided ? w('not set') : '', described].filter(Boolean).join('. ');
    if (said) element.setAttribute('aria-description', said); else element.removeAttribute('aria-description');
    // The toolkit tells of on and off only, and does so later.
    requestAnimationFrame(() => element.setAttribute('aria-checked', open && !known ? 'mixed' : String(element.checked)));
  };
  function set(value: unknown): void {
    quiet = true;
    known = typeof value === 'boolean';
    wasUnset ||= open && !known;
    element.checked = value === true;
    quiet = false;
    draw();
  }
  element.addEventListener('change', () => {
    if (!quiet) { known = true; draw(); around.changed(control.name, element.checked, true); }
  });
  return {
    parts: [element, note, unset], get: () => known ? element.checked : null, set,
    focus: () => element.focus(), disabled: off => { element.disabled = unset.disabled = off; },
    describe(_, bad, said) {
      described = said;
      element.setAttribute('aria-invalid', String(Boolean(bad)));
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
    if (ids) element.setAttribute('aria-describedby', ids); else element.removeAttribute('aria-describedby');
    element.setAttribute('aria-invalid', String(Boolean(bad)));
  };
}

/** A choice that other values pass too: typed freely, with the known ones offered. */
function openChoice(given: Given): Inner {
  const { control, around, id, label } = given;
  const element = document.createElement('input'), known = document.createElement('datalist');
  element.id = id;
  element.type = 'text';
  known.id = `${id}-known`;
  element.setAttribute('list', known.id);
  if (control.example) element.placeholder = control.example;
  known.append(...(control.options ?? []).map(({ value, label: text }) => {
    const one = document.createElement('option');
    one.value = value;
    if (text !== value) one.label = text;
    return one;
  }));
  element.addEventListener('input', () => around.changed(control.name, element.value || null, false));
  element.addEventListener('change', () => around.changed(control.name, element.value || null, true));
  return {
    parts: [labelled(id, label), element, known], get: () => element.value || null,
    set(value) { const shown = value === null || value === undefined ? '' : String(value); if (element.value !== shown) element.value = shown; },
    focus: () => element.focus(), disabled: off => { element.readOnly = off; }, describe: describing(element),
  };
}

function choice(given: Given): Inner {
  const { control, around, words: w, id, label } = given;
  if (control.open) return openChoice(given);
  const element = document.createElement('select');
  element.id = id;
  const option = (value: string, text: string) => { const one = document.createElement('option'); one.value = value; one.textContent = text; return one; };
  element.append(option('', control.required ? w('Choose…') : w('not set')), ...(control.options ?? []).map(one => option(one.value, one.label)));
  element.addEventListener('change', () => around.changed(control.name, element.value || null, true));
  return {
    parts: [labelled(id, label), element], get: () => element.value || null,
    set(value) {
      const wanted = value === null || value === undefined ? '' : String(value);
      if (![...element.options].some(one => one.value === wanted)) element.append(option(wanted, wanted));
      element.value = wanted;
    },
    focus: () => element.focus(), disabled: off => { element.disabled = off; }, describe: describing(element),
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
    const one = document.createElement('input'), around2 = document.createElement('label');
    one.type = 'checkbox';
    one.value = value;
    around2.append(one, text);
    one.addEventListener('change', () => around.changed(control.name, read(), true));
    return { one, label: around2 };
  });
  const read = () => { const picked = boxes.filter(({ one }) => one.checked).map(({ one }) => one.value); return picked.length ? picked : null; };
  set.append(legend, ...boxes.map(one => one.label));
  return {
    parts: [set], get: read, set(value) { for (const { one } of boxes) one.checked = Array.isArray(value) && value.includes(one.value); },
    focus: () => boxes[0]?.one.focus(), disabled: off => { set.disabled = off; },
    describe(ids, bad) {
      if (ids) set.setAttribute('aria-describedby', ids); else set.removeAttribute('aria-describedby');
      for (const { one } of boxes) one.setAttribute('aria-invalid', String(Boolean(bad)));
    },
  };
}

function time(given: Given): Inner {
  const { control, around, id, label } = given;
  const element = document.createElement('input');
  element.id = id;
  element.type = 'datetime-local';
  element.step = '1';
  const read = () => element.value ? new Date(element.value).toISOString() : null;
  element.addEventListener('change', () => around.changed(control.name, read(), true));
  return {
    parts: [labelled(id, label), element], get: read,
    set(value) {
      const at = typeof value === 'string' ? new Date(value) : undefined;
      element.value = at && !Number.isNaN(at.getTime()) ? new Date(at.getTime() - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 19) : '';
    },
    focus: () => element.focus(), disabled: off => { element.disabled = off; }, describe: describing(element),
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
  const pick = toolkitButton(w('Choose Files…'), false, () => around.files(control.name));
  pick.setAttribute('aria-label', `${w('Choose Files…')} ${control.label}`);
  let names: string[] = [];
  const draw = () => {
    list.replaceChildren(...names.map((one, i) => {
      const item = document.createElement('li'), remove = document.createElement('button');
      remove.type = 'button';
      remove.className = 'link';
      remove.textContent = w('Remove');
      remove.setAttribute('aria-label', `${w('Remove')} ${one}`);
      remove.addEventListener('click', () => around.unfile(control.name, i));
      item.append(one, ' ', remove);
      return item;
    }));
    list.hidden = names.length === 0;
  };
  draw();
  return {
    parts: [name, list, pick], get: () => null, set(value) { names = Array.isArray(value) ? value.map(String) : []; draw(); },
    focus: () => pick.focus(), disabled: off => { pick.toggleAttribute('disabled', off); },
    // The button proper lives in a shadow tree, where ids of this page mean nothing.
    describe(_, __, said) { pick.setAttribute('aria-label', [`${w('Choose Files…')} ${control.label}`, said].filter(Boolean).join('. ')); },
  };
}
