import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { workbench } from './driver.js';
import { until } from './journey.js';
import { openBrowser, startServer, type Version } from './workbench.js';

/**
 * From the installation to a changed limit, a blocked sender and an answered message, as somebody does it who owns
 * nothing of all this. In milliseconds.
 */
const FIVE_MINUTES = 300_000;

/**
 * The newcomer's way, with nothing lent: the accounts come from the command. Prints how long it took, and whether every
 * step of the walkthrough was ticked.
 */
export async function runNewcomer(version: Version, vsix: string, pictures: string): Promise<boolean> {
  const started = Date.now();
  const server = await startServer({ version, vsix });
  const { page, close } = await openBrowser(server);
  const wb = workbench(page);
  mkdirSync(pictures, { recursive: true });
  const shot = (name: string) => page.screenshot({ path: join(pictures, `${version}-newcomer-${name}.png`) });
  const walkthrough = async () => {
    await wb.command('Welcome: Open Walkthrough');
    await wb.pick('Get Started with Mailroom');
    await page.locator('.getting-started-step').first().waitFor();
  };
  try {
    // The walkthrough ticks what is done from when it was opened.
    await walkthrough();
    await page.getByRole('tab', { name: 'Mailroom' }).click();
    await wb.command('Mailroom: Add Sandbox Accounts');
    await shot('choice');
    await wb.pick('All sandbox providers');
    await wb.row('Outreach').waitFor({ timeout: 60_000 });
    await wb.clearToasts();

    await wb.expand('Outreach', /^Mailboxes/);
    await wb.row('ann@acme.test').click();
    const limit = (await wb.webview('form', 'ann@acme.test')).locator('[data-field=maxEmailsPerDay] input');
    await limit.fill('250');
    await page.locator('.tab.dirty').waitFor();
    await limit.press('Control+s');
    await until('it is saved', async () => (await page.locator('.tab.dirty').count()) === 0);

    await wb.collapse();
    await wb.expand('Rackspace');
    await wb.menu(/^Domains/, 'Search or Filter');
    await wb.input('example.com');
    await wb.expand(/^Domains/, /^example\.com/, /^Mailboxes/, 'alex.smith@');
    await wb.menu(/^Spam Lists/, 'Edit Lists');
    const column = (await wb.webview('lists', 'anyone@spam.com')).locator('[data-column=blockedSenders]');
    await column.locator('textarea').fill('bad@evil.example');
    await column.getByRole('button', { name: 'Add to Blocked Senders' }).click();
    await until('it is blocked', async () => (await column.locator('li', { hasText: 'bad@evil.example' }).count()) > 0);

    await wb.collapse();
    await wb.expand('IMAP', /^Messages/);
    await wb.row('Figures of the third').click();
    await (await wb.webview('reader', 'Figures')).getByRole('button', { name: 'Reply', exact: true }).click();
    const form = await wb.webview('form', 'Reply');
    await form.locator('[data-field=text] textarea').fill('Thank you.');
    await form.locator('footer button').first().click();
    await wb.toast('The message was sent.').waitFor();
    await shot('sent');
    const took = Date.now() - started;

    await wb.clearToasts();
    await wb.closeAll();
    await walkthrough();
    await until(
      'all four steps are ticked',
      async () => (await page.locator('.getting-started-step .codicon.complete').count()) === 4,
    );
    await shot('walkthrough');
    console.log(
      `  ✔ from the installation to an answered message in ${(took / 1000).toFixed(1)} s; the walkthrough's four steps are ticked`,
    );
    return took < FIVE_MINUTES;
  } catch (error) {
    console.log(
      `  ✘ the newcomer's way\n    ${String((error as Error).message)
        .split('\n')
        .slice(0, 12)
        .join('\n    ')}`,
    );
    await shot('failed').catch(() => {});
    return false;
  } finally {
    await close();
    await server.close();
  }
}
