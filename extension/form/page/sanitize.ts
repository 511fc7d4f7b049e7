import { ATTRIBUTES, DROPPED, KEPT } from './allowed.js';
import { cleanStyle } from './mailStyle.js';
import { tame } from './tame.js';

/** Deeper nesting than this is flattened: nobody reads it, and it only serves to stall. */
const DEEPEST = 200;
/** No more elements than this are shown. */
const MOST = 60_000;

interface Clean { html: string; /** How many remote pictures were left out or would be loaded. */ remote: number }
interface CleanOptions {
  /** Remote pictures stay in. */
  images: boolean;
  /** Pictures the message brings along, by Content-ID. */
  inline: Readonly<Record<string, string>>;
}

/** Rebuilds a message from what is harmless in it. The parser's document is inert: nothing in it runs or loads. */
export function sanitize(html: string, { images, inline }: CleanOptions): Clean {
  const parsed = new DOMParser().parseFromString(tame(html), 'text/html'), out = document.implementation.createHTMLDocument('');
  let remote = 0, count = 0;
  const css = (text: string): string => {
    const clean = cleanStyle(text, images);
    remote += clean.remote;
    return clean.css;
  };
  const picture = (address: string): string | undefined => {
    const at = address.trim();
    const cid = /^cid:(.+)$/i.exec(at)?.[1];
    if (cid !== undefined) { try { return inline[decodeURIComponent(cid)] ?? inline[cid]; } catch { return inline[cid]; } }
    if (/^data:image\/(png|jpe?g|gif|webp);base64,/i.test(at)) return at;
    if (!/^(https?:)?\/\//i.test(at)) return undefined;
    remote++;
    return images ? at.replace(/^\/\//, 'https://') : undefined;
  };
  const copy = (from: Node, to: Node, depth: number): void => {
    for (let node = from.firstChild; node; node = node.nextSibling) {
      if (count > MOST) return;
      if (node.nodeType === Node.TEXT_NODE) { to.appendChild(out.createTextNode((node.textContent ?? '').replace(/[\u202d\u202e]/g, ''))); continue; }
      if (node.nodeType !== Node.ELEMENT_NODE) continue;
      const element = node as Element, name = element.localName;
      if (DROPPED.has(name) || element.namespaceURI !== 'http://www.w3.org/1999/xhtml') continue;
      count++;
      if (!KEPT.has(name) || depth > DEEPEST) { copy(element, to, Math.min(depth + 1, DEEPEST + 1)); continue; }
      const made = out.createElement(name);
      if (name === 'style') { made.textContent = css(element.textContent ?? '').replace(/<\/?/g, ''); to.appendChild(made); continue; }
      for (const { name: attribute, value } of Array.from(element.attributes)) {
        if (!ATTRIBUTES.has(attribute)) continue;
        if (attribute === 'style') { const clean = css(value); if (clean.trim()) made.setAttribute('style', clean); continue; }
        if (attribute === 'src') {
          if (name === 'img') {
            const at = picture(value);
            if (at) made.setAttribute('src', at); else made.setAttribute('data-blocked', '');
          }
          continue;
        }
        if (attribute === 'href') { if (name === 'a' && /^\s*(https?:|mailto:)/i.test(value)) made.setAttribute('href', value.trim()); continue; }
        if (attribute === 'dir' && name === 'bdo') continue;
        made.setAttribute(attribute, value);
      }
      if (name === 'a') {
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
  const head = parsed.head, body = parsed.body;
  for (const style of Array.from(head?.querySelectorAll('style') ?? [])) {
    const made = out.createElement('style');
    made.textContent = css(style.textContent ?? '').replace(/<\/?/g, '');
    out.body.appendChild(made);
  }
  if (body) copy(body, out.body, 0);
  const background = body?.getAttribute('background');
  if (background) picture(background);
  return { html: out.body.innerHTML, remote };
}
