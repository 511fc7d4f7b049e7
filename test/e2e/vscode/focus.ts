import type { Loose } from './workbench.js';

/** So many presses of Tab go round the longest page. */
const MOST = 90;

/**
 * In the page: what shows the focus of the control that has it. That is an outline in the theme's own colour for it, on
 * the control or inside its shadow tree; at rest nothing has one.
 */
const SHOWN = `(() => {
  let at = document.activeElement;
  if (!at || at === document.body || !document.hasFocus()) return undefined;
  const around = at, probe = document.body.appendChild(document.createElement('i'));
  probe.style.color = 'var(--vscode-focusBorder)';
  const colour = getComputedStyle(probe).color;
  probe.remove();
  const all = [around];
  for (let root = around.shadowRoot; root; root = root.activeElement?.shadowRoot) all.push(...root.querySelectorAll('*'));
  const visible = all.some(one => {
    const style = getComputedStyle(one), box = one.getBoundingClientRect();
    if (box.width === 0 || box.height === 0) return false;
    return style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 1 && style.outlineColor === colour;
  });
  const name = (around.getAttribute('aria-label') || around.closest('[data-field]')?.dataset.field || around.textContent || '').trim().slice(0, 40);
  window.walked ??= new Set();
  const again = window.walked.has(around);
  window.walked.add(around);
  return { what: around.localName + ' ' + name, visible, again, frame: around.localName === 'iframe' };
})()`;

/**
 * Goes through the controls of a page with Tab, as people do who use no mouse, and names those whose focus cannot be
 * seen. A message is a page of its own within the page; its frame is passed over.
 */
export async function unseenFocus(page: Loose, frame: Loose): Promise<string[]> {
  await frame.evaluate('window.walked = undefined; window.scrollTo(0, 0)');
  await frame
    .locator('main')
    .first()
    .click({ position: { x: 12, y: 10 } });
  const unseen: string[] = [];
  let seen = 0;
  for (let i = 0; i < MOST; i++) {
    await page.keyboard.press('Tab');
    const shown = (await frame.evaluate(SHOWN)) as
      { what: string; visible: boolean; again: boolean; frame: boolean } | undefined;
    if (!shown || shown.again || shown.frame) break;
    seen++;
    if (!shown.visible) unseen.push(shown.what);
  }
  if (seen === 0) unseen.push('nothing: no control of the page took the focus');
  return unseen;
}
