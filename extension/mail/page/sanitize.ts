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
const SPAN = 100, SPANS = 20_000;
/** So many times in a message: what each costs grows with how many there are. */
const LIMITED: Readonly<Record<string, number>> = { dir: 3000, value: 200, start: 200, q: 1000, area: 2000, map: 200, usemap: 200 };
/** Pictures within an address, of kinds that are nothing but pixels: a drawing can hold more. */
const DATA = /^data:image\/(a?png|avif|p?jpe?g|gif|webp|bmp|x-ms-bmp|(x-|vnd\.microsoft\.)icon)(;[\w-]+=[\w.-]*)*; *base64,/i;
/** Longer attributes are cut, in characters, but for those that are nothing when they are cut. */
const LONGEST = 2000, WHOLE: ReadonlySet<string> = new Set(['href', 'src', 'background', 'name', 'coords', 'usemap']);

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
 * What of a message is harmless. The limits come first, for what stalls a parser or a page, and our styles; then DOMPurify takes out what is not on
 * our lists. The documents are inert: nothing in them runs or loads.
 */
export function sanitize(html: string, { images, inline, dark = false }: CleanOptions): Clean {
  let remote = false, cut = false, count = 0, length = 0, spans = SPANS;
  const used: Record<string, number> = {}, spare = (name: string) => (used[name] = (used[name] ?? 0) + 1) <= (LIMITED[name] ?? Infinity);
  const parsed = new DOMParser().parseFromString(limitMarkup(html, () => { cut = true; }), 'text/html'), out = document.implementation.createHTMLDocument('');
  const own = (cid: string) => Object.hasOwn(inline, cid) ? inline[cid] : undefined;
  const picture = (address: string): string | undefined => {
    const at = address.trim();
    const cid = /^cid:(.+)$/i.exec(at)?.[1];
    if (cid !== undefined) { try { return own(decodeURIComponent(cid)) ?? own(cid); } catch { return own(cid); } }
    if (DATA.test(at)) return at;
    if (!/^(https?:)?\/\//i.test(at)) return undefined;
    remote = true;
    return images ? at.replace(/^\/\//, 'https://') : undefined;
  };
  const styles = mailStyles(parsed.querySelectorAll('*').length, picture, dark), calm = limitCharacters();
  /** Attributes as they are, but for their styles, their length, and those whose cost grows with their number. `from` is what they stand on. */
  const limited = (from: Element, made: Element, name: string, value: string): void => {
    const set = (text: string) => { if (text) made.setAttribute(name, text); else made.removeAttribute(name); };
    if (name === 'style') set(styles.own(from));
    else if (!spare(name)) set('');
    else if (name === 'colspan' || name === 'rowspan' || name === 'span') {
      const span = Math.min(Number.parseInt(value, 10) || 1, SPAN, spans);
      set(span > 1 ? String(span) : '');
      if (span > 1) spans -= span;
    } else if (value.length > LONGEST && !WHOLE.has(name)) set(value.slice(0, LONGEST));
  };
  const copy = (from: Node, to: Node, depth: number): void => {
    for (let node = from.firstChild; node; node = node.nextSibling) {
      if (count > MOST || length >= SHOWN) { cut = true; return; }
      if (node.nodeType === Node.TEXT_NODE) {
        const text = node.textContent ?? '';
        to.appendChild(out.createTextNode(calm(text.slice(0, SHOWN - length))));
        length += text.length;
        if (length > SHOWN) cut = true;
        continue;
      }
      if (node.nodeType !== Node.ELEMENT_NODE) continue;
      const element = node as Element, name = element.localName;
      count++;
      // What goes with all it holds is left to the cleaner, without what it holds.
      if (DROPPED.has(name) || element.namespaceURI !== out.body.namespaceURI) { to.appendChild(out.importNode(element, false)); continue; }
      if (!KEPT.has(name) || !spare(name) || depth > DEEPEST) { copy(element, to, Math.min(depth + 1, DEEPEST + 1)); continue; }
      if (name === 'style') { style(element); continue; }
      const made = out.importNode(element, false);
      for (const { name: attribute, value } of Array.from(made.attributes)) limited(element, made, attribute, value);
      to.appendChild(made);
      copy(element, made, depth + 1);
    }
  };
  function style(from: Element): void {
    const css = styles.sheet(from.textContent ?? '', from.getAttribute('media') ?? '');
    if (!css) return;
    const made = out.createElement('style');
    made.textContent = css;
    out.body.appendChild(made);
  }
  for (const one of Array.from(parsed.head.querySelectorAll('style'))) style(one);
  // What stands on the root holds for the body, unless that says otherwise.
  for (const from of [parsed.documentElement, parsed.body]) {
    const before = out.body.getAttribute('style') ?? '';
    for (const { name, value } of Array.from(from.attributes)) {
      if (!ATTRIBUTES.has(name) && name !== 'background' && name !== 'text') continue;
      out.body.setAttribute(name, value);
      limited(from, out.body, name, value);
    }
    const own = from.hasAttribute('style') ? out.body.getAttribute('style') ?? '' : '';
    if (before && own !== before) out.body.setAttribute('style', `${before} ${own}`.trim());
  }
  copy(parsed.body, out.body, 0);
  purify(out.body, picture);
  limitLayouts(out.body, styles.layouts);
  return { html: out.body.outerHTML, remote, cut };
}
