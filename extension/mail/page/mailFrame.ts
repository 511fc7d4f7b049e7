import { h } from '../../webview/page/page.js';
import { fitPictures } from './pictures.js';

interface FrameOptions {
  title: string;
  images: boolean;
  /** How wide it is, in CSS pixels; as wide as the page without. */
  width?: number | undefined;
  /** The ground is dark. */
  dark?: boolean;
  /** A link was chosen. */
  follow(address: string): void;
  /** The frame has another height. */
  fitted(): void;
}
const HIGHEST = 20_000;
const LOWEST = 60;

/**
 * A clean message in a frame where nothing runs; links, keys and height are handled from outside, which its same origin
 * allows. It is written into the frame's first document, so that it is there at once: a loaded one would be out of hand
 * until all of its pictures have come.
 */
export function mailFrame(
  body: string,
  { title, images, width, dark = false, follow, fitted }: FrameOptions,
): HTMLIFrameElement {
  const frame = h('iframe', {
    sandbox: 'allow-same-origin',
    title,
    referrerpolicy: 'no-referrer',
    class: dark ? 'dark' : undefined,
  });
  if (width !== undefined) frame.style.width = `${width}px`;
  // Its first document is there as soon as it is in the page.
  frame.addEventListener('load', () => fill(frame), { once: true });
  return frame;

  function fill({ contentDocument: inner }: HTMLIFrameElement): void {
    if (!inner) return;
    inner.open();
    // The frame inherits the page's policy; its own can only tighten it.
    inner.write(
      '<!DOCTYPE html><html><head><meta charset="utf-8"><meta name="referrer" content="no-referrer">' +
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; " +
        `img-src data:${images ? ' https: http:' : ''}; form-action 'none'; base-uri 'none'">\n` +
        '<style>html{color:#1f1f1f}body{margin:14px 16px;font:14px/1.5 sans-serif;overflow-wrap:anywhere}img{min-height:0}' +
        'table{max-width:var(--room,100%)}a{color:#0b57d0}pre{white-space:pre-wrap}' +
        // Only what the mail leaves open is dark; the colours it says stay.
        (dark ? ':root{color-scheme:dark}html{color:#d4d4d4}a{color:#8ab4f8}' : '') +
        `img[data-blocked]{display:inline-block;outline:1px dashed #767676}</style></head>${body}</html>`,
    );
    inner.close();
    const shrink = fitPictures(inner);
    // A height of its own, or one that follows the frame's, would not tell how much there is; nor would margins that
    // reach out of it.
    for (const [name, value] of [
      ['height', 'auto'],
      ['min-height', '0'],
      ['max-height', 'none'],
      ['float', 'none'],
      ['display', 'flow-root'],
    ] as const) {
      inner.body.style.setProperty(name, value, 'important');
      if (name !== 'display') inner.documentElement.style.setProperty(name, value, 'important');
    }
    const fit = () => {
      shrink();
      const { bottom } = inner.body.getBoundingClientRect();
      const around = frame.clientHeight - inner.documentElement.clientHeight;
      const high =
        bottom +
        inner.documentElement.scrollTop +
        (Number.parseFloat(getComputedStyle(inner.body).marginBottom) || 0) +
        around;
      frame.style.height = `${Math.min(Math.max(LOWEST, Math.ceil(high)), HIGHEST)}px`;
      fitted();
    };
    fit();
    new ResizeObserver(fit).observe(inner.body);
    let due = false;
    // Only a picture that has come says how wide it is. Many come together.
    inner.addEventListener(
      'load',
      () => {
        if (due) return;
        due = true;
        requestAnimationFrame(() => {
          due = false;
          shrink(true);
        });
      },
      true,
    );
    const clicked = (event: MouseEvent) => {
      const link = (event.target as Element | null)?.closest?.('a[href],area[href]');
      // The right button asks for a menu, not for the link.
      if (!link || event.button === 2) return;
      event.preventDefault();
      follow(link.getAttribute('href') ?? '');
    };
    inner.addEventListener('click', clicked, true);
    inner.addEventListener('auxclick', clicked, true);
    inner.addEventListener('submit', event => event.preventDefault(), true);
    // The workbench listens for its keys in the page around.
    inner.addEventListener('keydown', event => {
      if (!window.dispatchEvent(new KeyboardEvent('keydown', event))) event.preventDefault();
    });
  }
}
