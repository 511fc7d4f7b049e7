import { readToHost, type Ask, type FormIssue, type PageWord, type ToHost, type ToPage } from '../messages.js';

declare function acquireVsCodeApi(): {
  postMessage(message: unknown): void;
  getState(): unknown;
  setState(state: unknown): void;
};

const api = acquireVsCodeApi();
/** Ids, scroll position, open parts; never a secret and never the text of a mail. */
export const remembered = <T extends object>(): Partial<T> => (api.getState() as T | undefined) ?? {};
export const remember = (state: object): void => api.setState({ ...remembered(), ...state });

let words: Record<string, string> = {};
/** A text of the page in the user's language; `{0}` stands for the first argument. */
export const w = (text: PageWord, ...args: (string | number)[]): string =>
  (words[text] ?? text).replace(/\{(\d)\}/g, (_, i: string) => String(args[Number(i)] ?? ''));

/** Why the host refused, with the fields to mark. */
export class Refusal extends Error {
  readonly issues: FormIssue[];
  constructor(message: string, issues: FormIssue[] = []) {
    super(message);
    this.issues = issues;
  }
}
const waiting = new Map<number, { resolve(value: unknown): void; reject(error: Refusal): void }>();
// A page that was built anew counts from elsewhere: a reply to the page before it must answer nothing here.
let asked = Math.floor(Math.random() * 2 ** 40);
/** Asks the host; rejects with a `Refusal`. */
export function ask(what: Ask): Promise<unknown> {
  const message: ToHost = { type: 'ask', id: ++asked, ask: what };
  if (!readToHost(message)) return Promise.reject(new Refusal('The page made a request that nobody would understand.'));
  return new Promise((resolve, reject) => {
    waiting.set(message.id, { resolve, reject });
    api.postMessage(message);
  });
}

/** Starts the page: words first, then whatever it is for. */
export function start(receive: (message: Exclude<ToPage, { type: 'words' | 'reply' | 'held' }>) => void): void {
  window.addEventListener('message', ({ data }: MessageEvent<ToPage>) => {
    if (data.type === 'words') {
      words = data.words;
      if (data.keep) remember({ keep: data.keep });
      return;
    }
    if (data.type === 'held') {
      held(data.message, data.button, data.title);
      return;
    }
    // The mark is for whoever measures how long a page takes.
    if (data.type !== 'reply') {
      receive(data);
      performance.mark('filled');
      return;
    }
    const one = waiting.get(data.id);
    waiting.delete(data.id);
    if (data.ok) one?.resolve(data.value);
    else one?.reject(new Refusal(data.message, data.issues));
  });
  document.body.append(status);
  api.postMessage({ type: 'ready' } satisfies ToHost);
}

type Props = {
  class?: string;
  text?: string;
  on?: Record<string, (event: never) => void>;
  [attribute: string]: unknown;
};
/** An element with attributes and children; text goes in as text, never as markup. */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  props: Props = {},
  ...children: (Node | string | undefined | false)[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === false) continue;
    if (name === 'class') element.className = String(value);
    else if (name === 'text') element.textContent = String(value);
    else if (name === 'on')
      for (const [event, listener] of Object.entries(value as Record<string, EventListener>))
        element.addEventListener(event, listener);
    else element.setAttribute(name, value === true ? '' : String(value));
  }
  for (const child of children) if (child) element.append(child);
  return element;
}

// There before its first text: what comes together with its text is not read aloud.
const status = h('div', { role: 'status', class: 'status' });
/**
 * Where a page with a bar of buttons shows what is said: beside them, so that it covers no field. Nothing that is read
 * aloud, so it may be moved.
 */
export const said = h('span', { class: 'said', 'aria-hidden': 'true' });
/** A result is shown so long, and a failure, in milliseconds; for a screen reader both stay. */
const SHOWN = 8000;
const FAILED = 20_000;
let leaving = 0;
/** Says a result to those who listen, and shows it for a while to those who see. `aloud`: it is in sight elsewhere. */
export function announce(text: string, bad = false, only?: 'aloud'): void {
  clearTimeout(leaving);
  status.classList.toggle('hidden-label', only === 'aloud' || said.isConnected);
  status.textContent = text;
  said.textContent = only === 'aloud' ? '' : text;
  for (const place of [status, said]) place.classList.toggle('bad', bad);
  if (document.body.classList.contains('vscode-using-screen-reader')) return;
  leaving = window.setTimeout(
    () => {
      status.textContent = said.textContent = '';
    },
    bad ? FAILED : SHOWN,
  );
}

/**
 * Draws anew without losing the place of whoever works with the keys: what has the same `data-focus` takes the focus
 * over, else `instead` gets it.
 */
export function keepFocus(draw: () => void, instead?: () => HTMLElement | null | undefined): void {
  const before = document.activeElement instanceof HTMLElement ? document.activeElement : undefined;
  const name = before?.dataset.focus;
  draw();
  if (!before || before === document.body || before.isConnected) return;
  const next =
    name === undefined
      ? undefined
      : [...document.querySelectorAll<HTMLElement>('[data-focus]')].find(one => one.dataset.focus === name);
  (next ?? instead?.())?.focus();
}

/** A plain button. */
export const button = (
  label: string,
  run: () => void,
  options: { secondary?: boolean; title?: string; class?: string; disabled?: boolean; focus?: string } = {},
): HTMLButtonElement =>
  h(
    'button',
    {
      type: 'button',
      class: [options.secondary ? 'secondary' : '', options.class ?? ''].filter(Boolean).join(' ') || undefined,
      title: options.title,
      disabled: options.disabled,
      'data-focus': options.focus,
      on: { click: () => run() },
    },
    label,
  );

let root: HTMLElement | undefined;
/** The page's own element that everything is put into. */
export const main = (kind: string): HTMLElement => {
  document.body.dataset.kind = kind;
  root = h('main', {});
  document.body.prepend(root);
  return root;
};
/** A tab that came back and cannot be filled: why, and the way on where there is one. */
function held(message: string, go?: string, title?: string): void {
  root?.replaceChildren(
    ...(title ? [h('header', {}, h('h1', {}, title))] : []),
    h('p', { class: 'notice' }, message),
    ...(go ? [button(go, () => void ask({ do: 'again' }).catch(error => announce(errorText(error), true)))] : []),
  );
}
export const errorText = (error: unknown): string => (error instanceof Error ? error.message : String(error));
