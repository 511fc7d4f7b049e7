import { startBuiltin } from '../../sandbox/builtin.js';
import type { startMail } from '../../sandbox/mail.js';
import { cases } from '../../contract/cases.js';
import type { Loose } from './workbench.js';

/**
 * Every pretend vendor, mail servers included, as accounts for the extension. Their pace is not the vendors' own: of
 * the 60 requests a minute that Rackspace allows, one journey would wait for those of the journey before.
 */
export interface Sandboxes {
  lines: string;
  vendors: Record<string, Loose>;
  mail: Awaited<ReturnType<typeof startMail>>;
  close(): Promise<void>;
}
export async function startSandboxes(spy?: string): Promise<Sandboxes> {
  const { lines, mail, vendors, close } = await startBuiltin(cases, spy);
  const unpaced = lines.split('\n').map(line => {
    const { id, account } = JSON.parse(line) as { id: string; account: object };
    return JSON.stringify({ id, account: { ...account, perMinute: 60_000 } });
  });
  return {
    lines: unpaced.join('\n'),
    mail,
    close,
    vendors: Object.fromEntries(vendors.map(vendor => [vendor.id, vendor])),
  };
}

/** Does it until it works, so many times at most: a busy workbench does not hear every key. Throws what failed last. */
async function again(most: number, work: () => Promise<void>): Promise<void> {
  for (let i = 1; ; i++)
    try {
      return await work();
    } catch (error) {
      if (i === most) throw error;
    }
}

/** The workbench by its parts. */
export function workbench(page: Loose) {
  const row = (name: string | RegExp) =>
    page.locator('.monaco-list-row[role=treeitem]').filter({ hasText: name }).first();
  return {
    page,
    row,
    async open(): Promise<void> {
      // The extension's host is started meanwhile, which takes its time on a busy machine.
      await page.getByRole('tab', { name: 'Mailroom' }).click({ timeout: 120_000 });
      await page.waitForSelector('[role=treeitem]', { timeout: 120_000 });
    },
    /** Opens rows one below the other. */
    async expand(...names: (string | RegExp)[]): Promise<void> {
      for (const name of names) {
        const one = row(name);
        await one.waitFor({ timeout: 20_000 });
        // After a reload rows come one after the other, and a click may meet the one that has just moved there.
        for (let i = 1; (await one.getAttribute('aria-expanded')) === 'false'; i++) {
          await one.locator('.monaco-tl-twistie').click();
          await page
            .waitForFunction(
              (element: Loose) => element.getAttribute('aria-expanded') === 'true',
              await one.elementHandle(),
              { timeout: 5_000 },
            )
            .catch((error: unknown) => {
              if (i === 4) throw error;
            });
        }
      }
    },
    async command(title: string): Promise<void> {
      // Where the mouse rests on the box, its hint lies over the commands.
      await page.mouse.move(1, 1);
      const box = page.locator('.quick-input-widget');
      const entry = box
        .locator('.quick-input-list .monaco-list-row')
        .filter({ hasText: title.replace(/^Mailroom: /, '') })
        .first();
      // A workbench that is just starting, or still closing the last box, does not hear every key; and a page that gets
      // its focus back late closes the box that was opened since.
      await again(10, async () => {
        await page.keyboard.press('F1');
        await box.locator('input').fill(`>${title}`, { timeout: 2000 });
        await entry.click({ timeout: 5000 });
      });
    },
    /** The page inside a webview, found by what it says it is. */
    async webview(kind: string, has?: string, timeout = 20_000): Promise<Loose> {
      const until = Date.now() + timeout;
      for (;;) {
        for (const frame of page.frames()) {
          const found = await frame
            .evaluate(
              `document.body?.dataset.kind === ${JSON.stringify(kind)} && document.visibilityState === 'visible' && document.body.textContent.includes(${JSON.stringify(has ?? '')})`,
            )
            .catch(() => false);
          if (found) return frame;
        }
        if (Date.now() > until) throw new Error(`No page "${kind}"${has ? ` with "${has}"` : ''} was shown in time`);
        await page.waitForTimeout(100);
      }
    },
    /** Chooses from a row's menu. With the key: the mouse is ignored for a moment after a menu opened. */
    async menu(name: string | RegExp, entry: string): Promise<void> {
      await row(name).click({ button: 'right' });
      const one = page
        .locator('.monaco-menu .action-item')
        .filter({ has: page.locator('.action-label', { hasText: entry }) })
        .first();
      await one.waitFor();
      for (let i = 0; i < 40 && !(await one.evaluate((element: Loose) => element.classList.contains('focused'))); i++)
        await page.keyboard.press('ArrowDown').then(() => page.waitForTimeout(10));
      await page.keyboard.press('Enter');
      await page.locator('.monaco-menu').first().waitFor({ state: 'detached' });
    },
    /** A notification by its text. */
    toast: (text: string) => page.locator('.notification-toast .notification-list-item', { hasText: text }).first(),
    /** Answers the dialog for a file, which in a browser asks for its path. */
    async file(path: string): Promise<void> {
      const box = page.locator('.quick-input-widget input[type=text]').first();
      await box.waitFor();
      // It looks into the folder first, and then writes over what was typed.
      await page.locator('.quick-input-list .monaco-list-row', { hasText: '..' }).waitFor();
      await page.waitForFunction((element: Loose) => element.value.startsWith('/'), await box.elementHandle());
      await again(5, async () => {
        await box.fill(path);
        await page.keyboard.press('Enter');
        await box.waitFor({ state: 'hidden', timeout: 3000 });
      });
    },
    async dialog(button: string | RegExp): Promise<string> {
      const box = page.locator('.monaco-dialog-box');
      await box.waitFor({ timeout: 15_000 });
      const text = await box.innerText();
      await box.getByRole('button', { name: button }).click();
      return text;
    },
    async input(text: string): Promise<void> {
      await page.waitForSelector('.quick-input-widget input');
      await page.locator('.quick-input-widget input').fill(text);
      await page.keyboard.press('Enter');
    },
    async pick(text: string): Promise<void> {
      const one = page.locator('.quick-input-list .monaco-list-row').filter({ hasText: text }).first();
      await one.waitFor({ timeout: 15_000 });
      await one.click();
    },
    /** Opens a file of the workspace by its name, by key: a pointer that rests there brings a hover over the page. */
    async openFile(name: string): Promise<void> {
      await page.mouse.move(1, 1);
      const box = page.locator('.quick-input-widget');
      // Without the sign for commands the box searches for files, which takes its time on a busy machine.
      await again(5, async () => {
        await page.keyboard.press('F1');
        await box.locator('input').fill(name, { timeout: 2000 });
        await box.locator('.quick-input-list .monaco-list-row', { hasText: name }).first().waitFor();
      });
      await page.keyboard.press('Enter');
    },
    /** Turns the wheel until a row is drawn: rows out of sight are not in the page. */
    async scrollTo(name: string | RegExp, way: 'up' | 'down' = 'down'): Promise<void> {
      await page.locator('.pane-body .monaco-list').first().hover();
      for (let i = 0; i < 80 && !(await row(name).isVisible()); i++)
        await page.mouse
          .wheel(0, way === 'down' ? 400 : -400)
          .then(() => page.evaluate('new Promise(requestAnimationFrame)'));
      await row(name).waitFor();
    },
    /** Closes all branches, so that rows are in sight again. */
    async collapse(): Promise<void> {
      // The button is there as long as the mouse is over its heading.
      await again(5, async () => {
        await page.locator('.pane-header', { hasText: 'Accounts' }).first().hover();
        await page
          .locator('.pane-header .action-label.codicon-collapse-all')
          .first()
          .click({ force: true, timeout: 3000 });
      });
      await page.waitForFunction('!document.querySelector(".monaco-list-row[role=treeitem][aria-level=\\"2\\"]")');
    },
    async closeAll(): Promise<void> {
      await page.keyboard.press('Escape');
      await this.command('View: Close All Editors');
      await page.locator('.tab').first().waitFor({ state: 'detached' });
    },
    async clearToasts(): Promise<void> {
      await this.command('Notifications: Clear All Notifications').catch(() => {});
    },
    async save(): Promise<void> {
      await page.keyboard.press('Control+S');
    },
  };
}
export type Workbench = ReturnType<typeof workbench>;
