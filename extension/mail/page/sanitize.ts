import { SHOWN } from '../../webview/messages.js';
import { ATTRIBUTES, DROPPED, KEPT } from './allowed.js';
import { limitCharacters } from './characterLimits.js';
import { limitLayouts } from './layouts.js';
import { mailStyles } from './mailStyle.js';
import { limitMarkup } from './markupLimits.js';
import { purify } from './purify.js';

/** Deeper nesting than this is flattened: nobody reads it, and it only serves to stall. */
const DEEPEST = 200;
/** No more elements than this are shown. */
const MOST = 60_000;
/** A cell spans so many others, and all cells of a message together so many: a table has room for each. */
const SPAN = 100;
const SPANS = 20_000;
/** So many times in a message: what each costs grows with how many there are. */
const LIMITED: Readonly<Record<string, number>> = {
  dir: 3000,
  value: 200,
  start: 200,
  q: 1000,
  area: 2000,
  map: 200,
  usemap: 200,
};
/** Pictures within an address, of kinds that are nothing but pixels: a drawing can hold more. */
const DATA =
  /^data:image\/(a?png|avif|p?jpe?g|gif|webp|bmp|x-ms-bmp|(x-|vnd\.microsoft\.)icon)(;[\w-]+=[\w.-]*)*; *base64,/i;
/** Longer attributes are cut, in characters, but for those that are nothing when they are cut. */
const LONGEST = 2000;
const WHOLE: ReadonlySet<string> = new Set(['href', 'src', 'background', 'name', 'coords', 'usemap']);

interface Clean {
  /** The body element, with what it says of itself. */
  html: string;
  /** Remote pictures were left out or would be loaded. */
  remote: boolean;
  /** There was more than is shown of any message. */
  cut: boolean;
}
interface CleanOptions {
  /** Remote pictures stay in. */
  images: boolean;
  /** Pictures the message brings along, by Content-ID. */
  inline: Readonly<Record<string, string>>;
  /** It is shown on a dark ground. */
  dark?: boolean;
}

/**
 * What of a message is harmless. The limits come first, for what stalls a parser or a page, and our styles; then
 * DOMPurify takes out what is not on our lists. The documents are inert: nothing in them runs or loads.
 */
export function sanitize(html: string, options: CleanOptions): Clean {
  let cut = false;
  const parsed = new DOMParser().parseFromString(
    limitMarkup(html, () => {
      cut = true;
    }),
    'text/html',
  );
  const pictures = picturesOf(options);
  const copy = new LimitedCopy(parsed, pictures.take, options.dark ?? false);
  const { body } = copy;
  purify(body, pictures.take);
  limitLayouts(body, copy.styles.layouts);
  return { html: body.outerHTML, remote: pictures.remote, cut: cut || copy.cut };
}

/**
 * Which address a picture is taken from; undefined where it is left out. `remote` says whether one of them was
 * elsewhere.
 */
function picturesOf({ images, inline }: CleanOptions): {
  take(address: string): string | undefined;
  readonly remote: boolean;
} {
  let remote = false;
  const own = (cid: string) => (Object.hasOwn(inline, cid) ? inline[cid] : undefined);
  return {
    take(address) {
      const at = address.trim();
      const cid = /^cid:(.+)$/i.exec(at)?.[1];
      if (cid !== undefined) {
        try {
          return own(decodeURIComponent(cid)) ?? own(cid);
        } catch {
          return own(cid);
        }
      }
      if (DATA.test(at)) return at;
      if (!/^(https?:)?\/\//i.test(at)) return undefined;
      remote = true;
      return images ? at.replace(/^\/\//, 'https://') : undefined;
    },
    get remote() {
      return remote;
    },
  };
}

/** A copy of a message in a document of its own, no larger, deeper or costlier than a page bears. */
class LimitedCopy {
  /** There was more than is copied. */
  cut = false;
  readonly styles: ReturnType<typeof mailStyles>;
  private count = 0;
  private length = 0;
  private spans = SPANS;
  private readonly used: Record<string, number> = {};
  private readonly out = document.implementation.createHTMLDocument('');
  private readonly calm = limitCharacters();

  constructor(parsed: Document, picture: (address: string) => string | undefined, dark: boolean) {
    this.styles = mailStyles(parsed.querySelectorAll('*').length, picture, dark);
    for (const one of Array.from(parsed.head.querySelectorAll('style'))) this.style(one);
    this.root(parsed);
    this.copy(parsed.body, this.body, 0);
  }
  get body(): HTMLElement {
    return this.out.body;
  }

  /** What stands on the root holds for the body, unless that says otherwise. */
  private root(parsed: Document): void {
    const { body } = this;
    for (const from of [parsed.documentElement, parsed.body]) {
      const before = body.getAttribute('style') ?? '';
      for (const { name, value } of Array.from(from.attributes)) {
        if (!ATTRIBUTES.has(name) && name !== 'background' && name !== 'text') continue;
        body.setAttribute(name, value);
        this.limited(from, body, name, value);
      }
      const own = from.hasAttribute('style') ? (body.getAttribute('style') ?? '') : '';
      if (before && own !== before) body.setAttribute('style', `${before} ${own}`.trim());
    }
  }
  private copy(from: Node, to: Node, depth: number): void {
    for (let node = from.firstChild; node; node = node.nextSibling) {
      if (this.count > MOST || this.length >= SHOWN) {
        this.cut = true;
        return;
      }
      if (node.nodeType === Node.TEXT_NODE) this.text(node.textContent ?? '', to);
      else if (node.nodeType === Node.ELEMENT_NODE) this.element(node as Element, to, depth);
    }
  }
  private text(text: string, to: Node): void {
    to.appendChild(this.out.createTextNode(this.calm(text.slice(0, SHOWN - this.length))));
    this.length += text.length;
    if (this.length > SHOWN) this.cut = true;
  }
  private element(element: Element, to: Node, depth: number): void {
    const name = element.localName;
    this.count++;
    // What goes with all it holds is left to the cleaner, without what it holds.
    if (DROPPED.has(name) || element.namespaceURI !== this.body.namespaceURI) {
      to.appendChild(this.out.importNode(element, false));
      return;
    }
    if (!KEPT.has(name) || !this.spare(name) || depth > DEEPEST) {
      this.copy(element, to, Math.min(depth + 1, DEEPEST + 1));
      return;
    }
    if (name === 'style') {
      this.style(element);
      return;
    }
    const made = this.out.importNode(element, false);
    for (const { name: attribute, value } of Array.from(made.attributes)) this.limited(element, made, attribute, value);
    to.appendChild(made);
    this.copy(element, made, depth + 1);
  }
  private style(from: Element): void {
    const css = this.styles.sheet(from.textContent ?? '', from.getAttribute('media') ?? '');
    if (!css) return;
    const made = this.out.createElement('style');
    made.textContent = css;
    this.body.appendChild(made);
  }
  /**
   * Attributes as they are, but for their styles, their length, and those whose cost grows with their number. `from` is
   * what they stand on.
   */
  private limited(from: Element, made: Element, name: string, value: string): void {
    const set = (text: string) => {
      if (text) made.setAttribute(name, text);
      else made.removeAttribute(name);
    };
    if (name === 'style') set(this.styles.own(from));
    else if (!this.spare(name)) set('');
    else if (name === 'colspan' || name === 'rowspan' || name === 'span') {
      const span = Math.min(Number.parseInt(value, 10) || 1, SPAN, this.spans);
      set(span > 1 ? String(span) : '');
      if (span > 1) this.spans -= span;
    } else if (value.length > LONGEST && !WHOLE.has(name)) set(value.slice(0, LONGEST));
  }
  /** Whether there is room for one more of a name whose cost grows with how many there are. */
  private spare(name: string): boolean {
    return (this.used[name] = (this.used[name] ?? 0) + 1) <= (LIMITED[name] ?? Infinity);
  }
}
