import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Loose } from './workbench.js';

/** Where the pictures are kept, so that they can be looked at. */
const pictures = join(__dirname, '../../../.cache/screenshots/newsletters');
/**
 * What the reader gives to a message that says nothing of it: the same for both, since it is no part of the message.
 */
const GIVEN =
  'html{color:#1f1f1f}body{margin:14px 16px;font:14px/1.5 sans-serif}a{color:#0b57d0}pre{white-space:pre-wrap}';
const DARK = ':root{color-scheme:dark}html{color:#d4d4d4}a{color:#8ab4f8}';
/** So much of a picture may differ, as a share of its points: edges of letters do, from one painting to the next. */
const ALIKE = 0.002;

/** The same mail as Chromium shows it by itself, in a frame of this width, cleaned by nobody; and how high it is. */
async function plain(page: Loose, html: string, width: number, dark: boolean): Promise<{ shot: Buffer; high: number }> {
  await page.setViewportSize({ width: width + 40, height: 700 });
  await page.emulateMedia({ colorScheme: dark ? 'dark' : 'light' });
  await page.setContent(
    `<body style="margin:0"><iframe style="border:0;width:${width}px;background:${dark ? '#1e1e1e' : '#fff'};` +
      `color-scheme:${dark ? 'dark' : 'light'}"></iframe>`,
  );
  const frame = page.locator('iframe');
  const text = `<!DOCTYPE html><html><head><style>${GIVEN}${dark ? DARK : ''}</style></head>${html}</html>`;
  const high = await frame.evaluate(async (one: Loose, srcdoc: string) => {
    await new Promise(resolve => {
      one.onload = resolve;
      one.srcdoc = srcdoc;
    });
    const { body } = one.contentDocument;
    const margin = Number.parseFloat(one.contentWindow.getComputedStyle(body).marginBottom);
    // The reader keeps margins of the text within the message, or its frame would not know how high that is.
    body.style.display = 'flow-root';
    const height = Math.ceil(body.getBoundingClientRect().bottom + margin);
    one.style.height = `${height}px`;
    return height as number;
  }, text);
  return { shot: (await frame.screenshot()) as Buffer, high };
}

/** The share of points in which two pictures differ, by more than a reader would see. */
function difference(page: Loose, one: Buffer, other: Buffer): Promise<number> {
  return page.evaluate(`(async () => {
    const load = async data => {
      const picture = new Image();
      picture.src = 'data:image/png;base64,' + data;
      await picture.decode();
      const canvas = new OffscreenCanvas(picture.width, picture.height), context = canvas.getContext('2d');
      context.drawImage(picture, 0, 0);
      return context.getImageData(0, 0, picture.width, picture.height);
    };
    const a = await load('${one.toString('base64')}'), b = await load('${other.toString('base64')}');
    const width = Math.min(a.width, b.width), height = Math.min(a.height, b.height);
    let differ = 0;
    for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) {
      const i = (y * a.width + x) * 4, k = (y * b.width + x) * 4;
      if ([0, 1, 2].some(c => Math.abs(a.data[i + c] - b.data[k + c]) > 40)) differ++;
    }
    return differ / (width * height);
  })()`) as Promise<number>;
}

/**
 * Holds what the reader shows against what Chromium shows by itself. `shown` brings the mail into the reader, on a
 * ground, and gives its frame.
 */
export async function asInTheBrowser(
  context: Loose,
  mails: Readonly<Record<string, string>>,
  shown: (html: string, dark: boolean) => Promise<Loose>,
): Promise<string> {
  mkdirSync(pictures, { recursive: true });
  const page = await context.newPage();
  const wrong: string[] = [];
  let most = 0;
  for (const dark of [false, true]) {
    for (const [i, [what, html]] of Object.entries(mails).entries()) {
      const frame = await shown(html, dark);
      const { width, height } = (await frame.boundingBox()) as { width: number; height: number };
      // In a corner: between two points of the screen, all edges would be smeared.
      await frame.evaluate(
        (one: Loose, wide: number) =>
          Object.assign(one.style, {
            position: 'fixed',
            left: 0,
            top: 0,
            zIndex: 9,
            width: `${wide}px`,
            minWidth: `${wide}px`,
          }),
        Math.round(width),
      );
      const clip = { x: 0, y: 0, width: Math.round(width), height: Math.round(height) };
      const shot = (await frame.page().screenshot({ clip })) as Buffer;
      const own = await plain(page, html, Math.round(width), dark);
      const differ = await difference(page, shot, own.shot);
      const name = `${String(i + 1).padStart(2, '0')}-${dark ? 'dark' : 'light'}`;
      writeFileSync(join(pictures, `${name}-reader.png`), shot);
      writeFileSync(join(pictures, `${name}-browser.png`), own.shot);
      most = Math.max(most, differ);
      if (differ > ALIKE || Math.abs(Math.max(60, own.high) - height) > 2) {
        wrong.push(`${name} ${what}: ${(differ * 100).toFixed(2)} % differ, ${height} instead of ${own.high} high`);
      }
    }
  }
  assert.deepEqual(wrong, []);
  return `at most ${(most * 100).toFixed(2)} % of the points differ`;
}
