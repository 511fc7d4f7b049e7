import { startServer, openBrowser } from './e2e/vscode/workbench.js';
import { buildVsix } from './vsix.js';
import { cases } from './contract/cases.js';
void (async () => {
  const vendors = await Promise.all(cases.map(one => one.start()));
  const lines = vendors.map(({ id, account }) => JSON.stringify({ id, account })).join('\n');
  const server = await startServer({ version: 'newest', vsix: buildVsix(), env: { MAILROOM_SANDBOX: lines } });
  const { page, close } = await openBrowser(server);
  try {
  await page.getByRole('tab', { name: 'Mailroom' }).click();
  await page.waitForSelector('[role=treeitem]', { timeout: 20000 });
  for (const name of ['Scaleway Sandbox', 'Rackspace Email Sandbox']) { await page.getByRole('treeitem', { name: new RegExp(name) }).first().click(); }
  await page.waitForTimeout(1500);
  await page.getByRole('treeitem', { name: /^Domains/ }).first().click();
  await page.waitForTimeout(1500);
  } catch (e) { console.error(e); }
  await page.screenshot({ path: '/tmp/shot.png' });
  await close(); await server.close(); await Promise.all(vendors.map(v => v.close()));
})();
