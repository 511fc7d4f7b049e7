import { SHOWN } from '../../webview/messages.js';
import { ATTRIBUTES, DROPPED, KEPT } from './allowed.js';
import { limitCharacters } from './characterLimits.js';
import { limitLayouts } from './layouts.js';
import { mailStyles } from './mailStyle.js';
import { limitMarkup } from './markupLimits.js';

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
/** Longer attributes are cut, in characters; a longer link is none. */
const LONGEST = 2000, LINK = 20_000;

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
}

/** Rebuilds a message from what is harmless in it. The parser's document is inert: nothing in it runs or loads. */
export function sanitize(html: string, { images, inline }: CleanOptions): Clean {
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
  const styles = mailStyles(parsed.querySelectorAll('*').length, picture), calm = limitCharacters();
  const attributes = (from: Element, made: Element): void => {
    const name = from.localName;
    for (const { name: attribute, value } of Array.from(from.attributes)) {
      const text = value.slice(0, LONGEST);
      switch (attribute) {
        case 'style': { const css = styles.own(from); if (css) made.setAttribute('style', css); break; }
        case 'src': case 'background': {
          if (attribute === 'src' && name !== 'img') break;
          const at = picture(value);
          if (at) made.setAttribute(attribute, at); else if (name === 'img') made.setAttribute('data-blocked', '');
          break;
        }
        case 'usemap': if (name === 'img' && /^#./.test(value) && spare(attribute)) made.setAttribute('usemap', text); break;
        case 'name': case 'coords': if (name === (attribute === 'name' ? 'map' : 'area') && value.length <= LONGEST) made.setAttribute(attribute, value); break;
        case 'href': if ((name === 'a' || name === 'area') && value.length <= LINK && /^\s*(https?:|mailto:)/i.test(value)) made.setAttribute('href', value.trim()); break;
        case 'colspan': case 'rowspan': case 'span': {
          const span = Math.min(Number.parseInt(value, 10) || 1, SPAN, spans);
          if (span > 1) { made.setAttribute(attribute, String(span)); spans -= span; }
          break;
        }
        case 'text': if (name === 'body') made.setAttribute('text', text); break;
        default: if (ATTRIBUTES.has(attribute) && spare(attribute)) made.setAttribute(attribute, text);
      }
    }
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
      if (DROPPED.has(name) || element.namespaceURI !== 'http://www.w3.org/1999/xhtml') continue;
      count++;
      if (!KEPT.has(name) || !spare(name) || depth > DEEPEST) { copy(element, to, Math.min(depth + 1, DEEPEST + 1)); continue; }
      if (name === 'style') { style(element); continue; }
      const made = out.createElement(name);
      attributes(element, made);
      if (name === 'a' || name === 'area') {
        made.setAttribute('rel', 'noreferrer noopener');
        made.setAttribute('target', '_self');
        const href = made.getAttribute('href');
        if (href) made.setAttribute('title', href);
      }
      if (name === 'img' && !made.hasAttribute('alt')) made.setAttribute('alt', '');
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
  attributes(parsed.documentElement, out.body);
  const above = out.body.getAttribute('style') ?? '';
  attributes(parsed.body, out.body);
  const below = parsed.body.hasAttribute('style') ? out.body.getAttribute('style') : '';
  if (above && below !== above) out.body.setAttribute('style', `${above} ${below}`);
  copy(parsed.body, out.body, 0);
  limitLayouts(out.body, styles.layouts);
  return { html: out.body.outerHTML, remote, cut };
}
