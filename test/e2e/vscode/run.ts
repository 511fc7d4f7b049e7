import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { buildVsix, isReproducible, LARGEST } from '../../tools/vsix.js';
import { accountJourneys } from './accounts.js';
import { bulkJourneys } from './bulk.js';
import { startSandboxes, workbench } from './driver.js';
import { everydayJourneys } from './everyday.js';
import { unseenFocus } from './focus.js';
import { formJourneys } from './forms.js';
import { hostileJourneys, runMail } from './hostile.js';
import { runInside } from './inside.js';
import { breaksPolicy, startSpy, until, writes, type Journey, type Journeys } from './journey.js';
import { keyboardJourneys } from './keyboard.js';
import { localMailJourneys } from './localMail.js';
import { settingsJourneys } from './settings.js';
import { mailJourneys } from './mail.js';
import { runNewcomer } from './newcomer.js';
import { rowJourneys } from './rows.js';
import { ruleJourneys } from './rules.js';
import { stateJourneys } from './states.js';
import { tabJourneys } from './tabs.js';
import { troubleJourneys } from './trouble.js';
import { ends, openBrowser, startServer, type Loose, type Version } from './workbench.js';

/**
 * `npm run test:e2e:vscode`: hostile mail in the browser alone; then the packed extension in the genuine workbench,
 * newest and oldest supported, against the sandboxes: inside the extension host with VS Code's own API, then the
 * journeys, hostile mail with its requests counted. In the newest every page is looked at in the four kinds of theme
 * and under the accessibility engine; in the oldest stands what hangs on VS Code's own API. Pictures are kept in
 * .cache/screenshots. Words after the command choose: `browser`, `inside`, `newcomer`, `newest` (in one theme),
 * `oldest`, `themes`, and parts of the names of journeys. What each part took is said at the end.
 */
const root = join(__dirname, '../../..');
const pictures = join(root, '.cache/screenshots');
const axe = readFileSync(createRequire(join(__dirname, 'package.json')).resolve('axe-core/axe.min.js'), 'utf8');
/**
 * The kinds of theme, each with its name, what the workbench calls it in its list, and the classes of the workbench and
 * of pages under it.
 */
const THEMES = {
  dark: { name: 'Dark 2026', listed: 'Dark 2026', workbench: 'vs-dark', page: 'vscode-dark' },
  light: { name: 'Light 2026', listed: 'Light 2026', workbench: 'vs', page: 'vscode-light' },
  'hc-dark': {
    name: 'Default High Contrast',
    listed: 'Dark High Contrast',
    workbench: 'hc-black',
    page: 'vscode-high-contrast',
  },
  'hc-light': {
    name: 'Default High Contrast Light',
    listed: 'Light High Contrast',
    workbench: 'hc-light',
    page: 'vscode-high-contrast-light',
  },
};
type Theme = keyof typeof THEMES;

/** The one picture that is asked for. */
const ASKED = '/pixel.png';

/** Fills in the form of a Rackspace account, and waits until the account is there. */
async function addSupportMail({ wb, page, box }: Journey, form: Loose): Promise<void> {
  const { account } = box.vendors.rackspace;
  for (const key of ['userKey', 'secretKey', 'baseUrl'])
    await form.locator(`[data-field=${key}] input`).fill(String(account[key]));
  await form.locator('[data-field=accountName] input').fill('Support mail');
  // At the provider's own pace of 60 requests a minute, a journey would wait for those of the journey before.
  await form
    .locator('details', { has: form.locator('[data-field=perMinute]') })
    .locator('summary')
    .click();
  await form.locator('[data-field=perMinute] input').fill('60000');
  await form.locator('button', { hasText: 'Check and Add' }).click();
  await wb.row('Support mail').waitFor();
  await until('the form is closed', async () => (await page.locator('.tab').count()) === 0);
}
async function openAddRackspace({ wb }: Journey): Promise<Loose> {
  await wb.command('Mailroom: Add Account');
  await wb.pick('Rackspace');
  return wb.webview('form', 'Add Rackspace');
}
/**
 * The account that the first journeys work with, its domains searched for one; each journey may be the first of a run.
 */
async function supportMail(j: Journey): Promise<void> {
  const { wb } = j;
  if ((await wb.row('Support mail').count()) === 0) await addSupportMail(j, await openAddRackspace(j));
  await wb.collapse();
  await wb.expand('Support mail');
  await wb.menu(/^Domains/, 'Search or Filter');
  await wb.input('example.com');
  await wb.expand(/^Domains/);
  await wb.row(/^example\.com/).waitFor();
}
/** So many times entries were blocked: a second try blocks others. */
let blocked = 0;
/** The form of the mailbox that the first journeys change. */
async function annsForm({ wb, page }: Journey): Promise<Loose> {
  if ((await page.locator('.tab', { hasText: 'ann@acme.test' }).count()) === 0) {
    await wb.collapse();
    await wb.expand('Outreach', /^Mailboxes/);
    await wb.row('ann@acme.test').click();
  }
  return wb.webview('form', 'ann@acme.test');
}

const basic: Journeys = {
  async 'adds an account with the keyboard and the form, checked before it is stored'(j) {
    const { shot, axe } = j;
    const form = await openAddRackspace(j);
    await form.locator('button', { hasText: 'Check and Add' }).click();
    await form.getByText('User Key is required.', { exact: true }).waitFor();
    await shot('account-refused');
    await axe('form', 'Add Rackspace');
    await addSupportMail(j, form);
  },
  async 'shows domains, mailboxes and what belongs to them; finds one among many'(j) {
    const { wb, page, shot } = j;
    await supportMail(j);
    await wb.menu(/^Domains/, 'Clear Filter');
    await wb.row(/^tenant001/).waitFor();
    await supportMail(j);
    await wb.expand(/^example\.com/, /^Mailboxes/, 'alex.smith@', /^Spam Lists/, /^Blocked Senders/);
    await wb.row('anyone@spam.com').waitFor();
    await shot('tree');
    assert.equal(
      await page
        .locator('.monaco-list-row[role=treeitem]')
        .filter({ hasText: /^tenant0/ })
        .count(),
      0,
    );
  },
  async 'blocks senders: a pasted column, each entry with its result'(j) {
    const { wb, box, shot, axe } = j;
    const bad = `bad${++blocked}@evil.example`;
    const spam = `spam${blocked}.example`;
    await supportMail(j);
    await wb.expand(/^example\.com/, /^Mailboxes/, 'alex.smith@', /^Spam Lists/, /^Blocked Senders/);
    await wb.row('anyone@spam.com').waitFor();
    await wb.menu(/^Spam Lists/, 'Edit Lists');
    const lists = await wb.webview('lists', 'anyone@spam.com');
    const column = lists.locator('[data-column=blockedSenders]');
    box.vendors.rackspace.forget();
    await column.locator('textarea').fill(`${bad}\nnot an address\n${spam}`);
    await column.getByRole('button', { name: 'Add to Blocked Senders' }).click();
    await column.getByText('not an address: ', { exact: false }).first().waitFor();
    await until('both are on the list', async () => (await column.locator('li', { hasText: spam }).count()) > 0);
    assert.equal(writes(box, 'rackspace').length, 2, 'the wrong entry was not sent');
    assert.equal(
      await column.locator('textarea').inputValue(),
      'not an address',
      'what was refused stays, to be corrected',
    );
    await wb.row(bad).waitFor();
    await shot('lists');
    await axe('lists');
    await column.locator('li', { hasText: bad }).locator('input').check();
    await column.getByRole('button', { name: 'Remove Selected' }).click();
    assert.match(await wb.dialog('Remove'), new RegExp(`${bad}[\\s\\S]*You can add it again\\.`));
    await until('it is gone', async () => (await column.locator('li', { hasText: bad }).count()) === 0);
  },
  async 'changes a limit: dirty mark, undo, save sends only the difference'(j) {
    const { page, box, shot, axe } = j;
    const form = await annsForm(j);
    const field = form.locator('[data-field=maxEmailsPerDay] input');
    await field.scrollIntoViewIfNeeded();
    const before = await field.inputValue();
    await field.fill('77');
    await page.locator('.tab.dirty').waitFor();
    await shot('form-dirty');
    await field.press('Control+z');
    await until('the first value is back', async () => (await field.inputValue()) === before);
    await until('nothing is left to save', async () => (await page.locator('.tab.dirty').count()) === 0);
    box.vendors.outreach.forget();
    // Another one at a second try.
    const wanted = Number(before) === 250 ? 251 : 250;
    await field.fill(String(wanted));
    await page.locator('.tab.dirty').waitFor();
    await field.evaluate((element: Loose) => (element.dataset.same = 'yes'));
    await field.press('Control+s');
    await until('it is saved', async () => (await page.locator('.tab.dirty').count()) === 0);
    await until(
      'nothing is marked',
      async () => (await form.locator('[data-field=maxEmailsPerDay].changed').count()) === 0,
    );
    assert.equal(await field.getAttribute('data-same'), 'yes', 'who goes on typing types into the same control');
    const sent = writes(box, 'outreach');
    assert.equal(sent.length, 1);
    assert.deepEqual((JSON.parse(sent[0]!.body.toString()) as { data: { attributes: unknown } }).data.attributes, {
      maxEmailsPerDay: wanted,
    });
    await axe('form', 'ann@acme.test');
  },
  async 'a refusal is said at its field, by nobody else, and keeps the tab; saving over others is asked for each time'(
    j,
  ) {
    const { wb, page, box, shot } = j;
    const form = await annsForm(j);
    const email = form.locator('[data-field=email] input');
    await email.fill('not an address');
    await page.locator('.tab.dirty').waitFor();
    await email.press('Control+s');
    await form.locator('[data-field=email] .complaint:not([hidden])').waitFor();
    assert.match(await form.locator('[data-field=email] .complaint').innerText(), /must be an e-mail address/);
    await shot('form-refused');
    assert.equal(await email.inputValue(), 'not an address');
    // Also who closes the tab and chooses Save keeps it.
    await wb.command('View: Close Editor');
    await wb.dialog(/^Save$/);
    await until(
      'the field is marked again',
      async () => (await form.locator('[data-field=email] .complaint:not([hidden])').count()) === 1,
    );
    assert.deepEqual(
      [await page.locator('.tab.dirty').count(), await page.locator('.notification-toast').count()],
      [1, 0],
    );
    await email.fill('ann@acme.test');
    await email.press('Control+s');
    const field = form.locator('[data-field=maxEmailsPerDay] input');
    await until('clean again', async () => (await page.locator('.tab.dirty').count()) === 0);
    // Neither is what is there: a second try finds what the first one saved.
    const before = Number(await field.inputValue());
    const [theirs, ours] = [before + 999, before + 300];
    box.vendors.outreach.rows.mailboxes.get(1).attributes.maxEmailsPerDay = theirs;
    box.vendors.outreach.forget();
    await field.fill(String(ours));
    await page.locator('.tab.dirty').waitFor();
    await field.press('Control+s');
    const dialog = page.locator('.monaco-dialog-box', { hasText: 'Overwrite what someone else changed' });
    await dialog.waitFor();
    await shot('conflict');
    assert.match(await wb.dialog('Cancel'), new RegExp(`: ${theirs} on the server, ${ours} here`));
    await form
      .locator('[data-field=maxEmailsPerDay] .complaint', { hasText: `The value there is now ${theirs}` })
      .waitFor();
    await shot('conflict-marked');
    await field.press('Control+s');
    await dialog.waitFor();
    await wb.dialog('Cancel');
    assert.equal(writes(box, 'outreach').length, 0, 'nothing was overwritten');
    assert.deepEqual(
      [await page.locator('.tab.dirty').count(), await page.locator('.notification-toast').count()],
      [1, 0],
    );
    // While the save before is still ending, VS Code makes one of both.
    await until('it is asked once more', async () => {
      await field.press('Control+s');
      return dialog.waitFor({ timeout: 3000 }).then(
        () => true,
        () => false,
      );
    });
    await wb.dialog('Overwrite');
    await until('it is saved', async () => (await page.locator('.tab.dirty').count()) === 0);
    const [sent, ...more] = writes(box, 'outreach');
    assert.deepEqual(
      [(JSON.parse(sent!.body.toString()) as { data: { attributes: unknown } }).data.attributes, more.length],
      [{ maxEmailsPerDay: ours }, 0],
    );
    assert.equal(await page.locator('.notification-toast').count(), 0, 'no notice is left that is no longer true');
    assert.equal(await form.locator('.complaint:not([hidden])').count(), 0);
  },
  async 'shows the same object as JSON beside the form'(j) {
    const { wb, page, shot } = j;
    await annsForm(j);
    await wb.command('Mailroom: Show JSON Beside');
    await page.locator('.view-line', { hasText: '"maxEmailsPerDay"' }).first().waitFor();
    await shot('json');
    await wb.closeAll();
  },
  async 'deletes only after the name was typed, and restores'({ wb, box, page }) {
    await wb.collapse();
    await wb.expand('Scaleway', /^Mailboxes/);
    box.vendors.scaleway.forget();
    await wb.menu('user001@', 'Delete');
    await page.waitForSelector('.quick-input-widget input');
    await page.keyboard.press('Enter');
    await page.keyboard.press('Escape');
    await page.waitForSelector('.quick-input-widget input', { state: 'hidden' });
    assert.equal(writes(box, 'scaleway').length, 0);
    await wb.menu('user001@', 'Delete');
    await wb.input('user001@mail.example.com');
    await until('it was asked for', () => writes(box, 'scaleway').length === 1);
    await page
      .locator('.notification-list-item', { hasText: 'is scheduled' })
      .getByRole('button', { name: 'Restore' })
      .click();
    await until('it was restored', () => writes(box, 'scaleway').some(one => one.path.endsWith('/restore')));
    await wb.clearToasts();
  },
  'reads mail: text first, HTML in a frame that fetches nothing until asked': breaksPolicy(
    async ({ wb, spy, shot, axe }) => {
      await wb.collapse();
      await wb.expand('IMAP', /^Messages/);
      await wb.row('This week in mail').click();
      const reader = await wb.webview('reader', 'This week');
      await reader.locator('pre', { hasText: 'three things' }).waitFor();
      await axe('reader', 'This week');
      await reader.getByRole('button', { name: 'HTML' }).click();
      await reader.locator('iframe').waitFor();
      await until('the frame is there', () =>
        reader.evaluate('document.querySelector("iframe").contentDocument?.readyState === "complete"'),
      );
      await shot('reader');
      assert.deepEqual(spy.seen, []);
      await reader.frameLocator('iframe').locator('a').click();
      const said = await wb.dialog('Cancel');
      assert.match(said, /https:\/\/example\.com\/read\?id=1/);
      await reader.getByRole('button', { name: 'Load Images' }).click();
      await until('the picture was fetched', () => spy.seen.length > 0);
      assert.deepEqual([...new Set(spy.seen)], [ASKED]);
      await wb.closeAll();
    },
  ),
  'hostile mail shows nothing active and fetches nothing': breaksPolicy(async ({ wb, page, spy, shot, axe }) => {
    await wb.collapse();
    await wb.expand('IMAP', /^Messages/);
    await wb.row('You have won').click();
    const reader = await wb.webview('reader', 'You have won');
    await reader.locator('iframe').waitFor();
    await until('the frame is there', () =>
      reader.evaluate('document.querySelector("iframe").contentDocument?.readyState === "complete"'),
    );
    // Of all links one leads anywhere, and it says where.
    await reader.evaluate(
      'for (const link of document.querySelector("iframe").contentDocument.querySelectorAll("a")) link.click()',
    );
    assert.match(await wb.dialog('Cancel'), /xn--pypl-53d\.example[\s\S]*may imitate/);
    assert.equal(await page.locator('.monaco-dialog-box').count(), 0);
    const left: string[] = await reader.evaluate(
      '[...document.querySelector("iframe").contentDocument.querySelectorAll("script,iframe,object,embed,form,input,button,svg,math,base,link,meta[http-equiv=refresh],video,audio")].map(e => e.localName)',
    );
    assert.deepEqual(left, []);
    const handlers: string[] = await reader.evaluate(
      '[...document.querySelector("iframe").contentDocument.querySelectorAll("*")].flatMap(e => [...e.attributes]).map(a => a.name).filter(n => n.startsWith("on") || n === "srcset" || n === "ping" || n === "background")',
    );
    assert.deepEqual(handlers, []);
    assert.deepEqual(
      spy.seen.filter(one => one !== ASKED),
      [],
      'nothing was fetched',
    );
    await shot('hostile');
    await axe('reader', 'You have won');
    await wb.closeAll();
  }),
  async 'answers a message; the draft is kept until it has left'({ wb, page, box, shot, axe }) {
    await wb.collapse();
    await wb.expand('IMAP', /^Messages/);
    await wb.row('Figures of the third').click();
    let reader = await wb.webview('reader', 'Figures');
    await reader.getByRole('button', { name: 'Reply', exact: true }).click();
    let form = await wb.webview('form', 'Reply');
    await form.locator('[data-field=text] textarea').fill('Thank you, Grace.\nRow 14 is right.');
    await form.locator('button', { hasText: 'Cancel' }).click();
    // The page of a hidden panel is built anew.
    reader = await wb.webview('reader', 'Figures');
    await reader.getByRole('button', { name: 'Reply', exact: true }).click();
    form = await wb.webview('form', 'continued from your draft');
    assert.match(await form.locator('[data-field=text] textarea').inputValue(), /Row 14/);
    await shot('composer');
    await axe('form', 'Reply');
    await form.locator('footer button').first().click();
    await page.locator('.notification-list-item', { hasText: 'The message was sent.' }).waitFor({ timeout: 20_000 });
    assert.equal(box.mail.folder('u1@test.local').messages.length, 1, 'it arrived, once');
    await wb.clearToasts();
    await wb.closeAll();
  },
  async 'reads a conversation'({ wb, shot, axe }) {
    await wb.collapse();
    await wb.expand('Sodium', /^Conversations/);
    await wb.row('VAT return 70').click();
    const reader = await wb.webview('reader', 'VAT return');
    await reader.getByRole('button', { name: 'Show message' }).first().click();
    await until('its text came', async () => (await reader.locator('pre').count()) >= 2);
    await shot('conversation');
    await axe('reader', 'VAT return');
    await wb.closeAll();
  },
  async 'shows overview and requests; gathers what needs attention'({ wb, page, shot, axe }) {
    await wb.collapse();
    await wb.expand('Outreach', /^Mailboxes/);
    await wb.row('ben@acme.test').waitFor();
    await wb.collapse();
    await wb.menu('Outreach', 'Show Overview');
    const overview = await wb.webview('overview', 'ben@acme.test');
    await overview.locator('svg').first().waitFor();
    await shot('overview');
    await axe('overview');
    await wb.command('Mailroom: Show Requests');
    const requests = await wb.webview('requests', '/api/v2/mailboxes');
    assert.ok(!(await requests.locator('main').innerText()).includes('?'), 'no query is shown');
    await shot('requests');
    await axe('requests');
    assert.ok(
      (await page.locator('.activitybar .badge-content').allInnerTexts()).some((text: string) => Number(text) > 0),
      'the badge counts',
    );
    await wb.closeAll();
  },
  async 'a failure is a row with a way on'({ wb, page, box, shot }) {
    await wb.collapse();
    box.vendors.contextIo.fail({ status: 503, times: 30 });
    await wb.row('Context.IO').waitFor();
    await wb.expand('Context.IO', /^Mailboxes/);
    await wb.row('Retry').waitFor({ timeout: 30_000 });
    await shot('failure');
    box.vendors.contextIo.mend();
    await wb.row('Retry').click();
    await until(
      'the mailboxes are there',
      async () =>
        (await page.locator('.monaco-list-row[role=treeitem][aria-level="3"]').filter({ hasText: '@' }).count()) > 0,
    );
  },
};

/**
 * In this order; each leaves the workbench as it found it. The oldest workbench has the same pages in the same browser:
 * there the others run.
 */
const onlyNewest: Journeys = {
  ...bulkJourneys,
  ...mailJourneys,
  ...everydayJourneys,
  ...ruleJourneys,
  ...localMailJourneys,
  ...hostileJourneys,
};
const journeys: Journeys = {
  ...basic,
  ...bulkJourneys,
  ...accountJourneys,
  ...keyboardJourneys,
  ...formJourneys,
  ...tabJourneys,
  ...stateJourneys,
  ...rowJourneys,
  ...mailJourneys,
  ...everydayJourneys,
  ...ruleJourneys,
  ...localMailJourneys,
  ...settingsJourneys,
  ...troubleJourneys,
  ...hostileJourneys,
};
/** The journeys that come to each page once: their pictures and pages are looked at in every theme and size. */
const IN_THEMES = [
  'adds an account',
  'shows domains',
  'blocks senders',
  'changes a limit',
  'reads mail',
  'answers a message',
  'reads a conversation',
  'shows overview',
  'copies entries',
  'signs in',
];
const named = (parts: readonly string[]) =>
  Object.keys(journeys).filter(name => parts.some(part => name.includes(part)));

/** The engine's findings for a page; its background is the editor's, which the engine cannot know. */
async function findings(frame: Loose): Promise<string[]> {
  await frame.evaluate('document.documentElement.style.background = "var(--vscode-editor-background)"');
  await frame.evaluate(axe);
  const { violations } = await frame.evaluate('axe.run(document, { iframes: false, resultTypes: ["violations"] })');
  return (violations as { id: string; impact: string; nodes: { target: string[]; failureSummary: string }[] }[]).map(
    one =>
      `${one.id} (${one.impact}): ${one.nodes
        .slice(0, 3)
        .map(node => `${node.target.join(' ')} ${node.failureSummary.replace(/\s+/g, ' ').slice(0, 160)}`)
        .join(' | ')}`,
  );
}

/** A window as it is tried with, in CSS pixels; `zoomed` is what 200 % leave of it. */
const USUAL = { width: 1400, height: 900 };
const SIZES = { zoomed: { width: 700, height: 450 }, wide: { width: 2200, height: 1000 } };

/**
 * `themed`: in these, each picture is taken in every theme and size, and pages are looked at for what cannot be read,
 * reached or does not fit.
 */
interface Run {
  theme: Theme;
  names: readonly string[];
  themed?: readonly string[];
}
async function run(version: Version, vsix: string, { theme, names, themed = [] }: Run): Promise<boolean> {
  const spy = await startSpy();
  const box = await startSandboxes(spy.url);
  const server = await startServer({
    version,
    vsix,
    env: { MAILROOM_SANDBOX: box.lines },
    settings: { 'workbench.colorTheme': nameOf(version, theme) },
  });
  const { page, close } = await openBrowser(server);
  const wb = workbench(page);
  let good = true;
  let policy: string[] = [];
  page.on('console', (message: Loose) => {
    const text = String(message.text());
    if (/Content Security Policy/.test(text) && /vscode-cdn|nonce-/.test(text)) policy.push(text.slice(0, 200));
  });
  const picture = async (name: string) => {
    await page.waitForTimeout(250);
    await page.screenshot({ path: join(pictures, `${version}-${worn}-${name}.png`) });
  };
  let worn = theme;
  let sized = false;
  const wear = async (next: Theme) => {
    if (next === worn) return;
    await wb.command('Preferences: Color Theme');
    await page.getByPlaceholder(/^Select Color Theme/).fill(THEMES[next].listed);
    await wb.pick(THEMES[next].listed);
    await page.locator(`.monaco-workbench.${THEMES[next].workbench}`).waitFor();
    worn = next;
  };
  /** Once, or in every theme, and in that of the run at last. */
  const inThemes = async (what: () => Promise<void>) => {
    if (!sized) {
      await what();
      return;
    }
    for (const next of [...(Object.keys(THEMES) as Theme[]).filter(one => one !== theme), theme]) {
      await wear(next);
      await what();
    }
  };
  const inSizes = async (what: (size: string) => Promise<void>) => {
    for (const [size, pixels] of sized ? Object.entries(SIZES) : []) {
      await page.setViewportSize(pixels);
      await what(size);
    }
    if (sized) await page.setViewportSize(USUAL);
  };
  const shot = async (name: string, passing?: 'passing') => {
    // The list of themes would take the place of a list that is open; and what passes is gone before the last theme.
    if (passing || (await page.locator('.quick-input-widget').isVisible())) return picture(name);
    return inThemes(async () => {
      await picture(name);
      await inSizes(size => picture(`${name}-${size}`));
    });
  };
  const check = (kind: string, has?: string) =>
    inThemes(async () => {
      const frame = await wb.webview(kind, has);
      await until(
        'the page has the theme',
        () =>
          frame.evaluate(`document.body.classList.contains(${JSON.stringify(THEMES[worn].page)})`) as Promise<boolean>,
      );
      const found = await findings(frame);
      assert.equal(found.length, 0, ['the accessibility engine finds nothing', kind, worn, ...found].join('\n'));
      await inSizes(async size => {
        const [needs, has] = (await frame.evaluate(
          '[document.documentElement.scrollWidth, document.documentElement.clientWidth]',
        )) as [number, number];
        assert.ok(needs <= has + 1, `${kind}, ${size}: the page needs ${needs} pixels and has ${has}`);
      });
      const unseen = await unseenFocus(page, frame);
      assert.equal(unseen.length, 0, ['every control shows its focus', kind, worn, ...unseen].join('\n'));
    });
  try {
    await wb.open();
    for (const name of names) {
      const journey = journeys[name]!;
      sized = themed.includes(name);
      // A second try tells a slow moment of this machine from a fault. Both are shown.
      for (const tries of [1, 2]) {
        const started = Date.now();
        try {
          await journey({ wb, page, box, spy, folder: server.folder, shot, axe: check });
          if (!journey.breaksPolicy) assert.deepEqual(policy, [], 'our pages keep their own policy');
          console.log(
            `  ✔ ${name} (${((Date.now() - started) / 1000).toFixed(1)} s${tries > 1 ? ', at the second try' : ''})`,
          );
          break;
        } catch (error) {
          if (tries > 1) good = false;
          console.log(
            `  ✘ ${name}\n    ${String((error as Error).message)
              .split('\n')
              .slice(0, 12)
              .join('\n    ')}`,
          );
          await picture(`failed-${name.slice(0, 20).replace(/\W+/g, '-')}`).catch(() => {});
          sized = false;
          await wear(theme).catch(() => {});
          sized = themed.includes(name);
          // The next one begins with an empty workbench, whatever was being asked, and with vendors that answer.
          for (const vendor of Object.values(box.vendors)) vendor.mend();
          await page.keyboard.press('Escape');
          await wb
            .closeAll()
            .catch(() =>
              page.locator('.monaco-dialog-box').getByRole('button', { name: "Don't Save" }).click({ timeout: 2000 }),
            )
            .catch(() => {});
          await wb.clearToasts();
        } finally {
          policy = [];
        }
      }
    }
    // What comes late counts too.
    const late = spy.seen.filter(one => one !== ASKED);
    if (late.length) {
      good = false;
      console.log(`  ✘ mail fetched ${late.join(', ')}`);
    }
  } finally {
    await close();
    for (const [what, one] of Object.entries({
      'The workbench': server,
      'The sandboxes': box,
      'The server that counts': spy,
    }))
      await ends(what, one.close());
  }
  return good;
}

const nameOf = (version: Version, theme: Theme) =>
  version === 'oldest' ? THEMES[theme].name.replace(' 2026', ' Modern') : THEMES[theme].name;

async function main(): Promise<void> {
  const wanted = process.argv.slice(2).filter(word => !word.startsWith('-'));
  const words = wanted.filter(word => ['browser', 'inside', 'newcomer', 'newest', 'oldest', 'themes'].includes(word));
  const only = wanted.filter(word => !words.includes(word));
  const unknown = [...only, ...IN_THEMES].filter(part => named([part]).length === 0);
  if (unknown.length)
    throw new Error(
      `No journey has ${unknown.map(part => `"${part}"`).join(', ')} in its name. Those there are:\n  ${Object.keys(journeys).join('\n  ')}`,
    );
  const has = (word: string) => words.length === 0 || words.includes(word);
  rmSync(pictures, { recursive: true, force: true });
  mkdirSync(pictures, { recursive: true });
  const built = buildVsix();
  const vsix = built.file;
  const size = statSync(vsix).size;
  console.log(`${vsix.split('/').at(-1)}: ${(size / 1024).toFixed(0)} kB`);
  let good = size < LARGEST;
  if (!good) console.log(`  ✘ it is to be smaller than ${(LARGEST / 1024).toFixed(0)} kB`);
  if (!wanted.length && !isReproducible(built)) {
    good = false;
    console.log('  ✘ a second build gives other bytes');
  }
  const took: string[] = [];
  const begun = Date.now();
  const part = async (name: string, work: () => Promise<boolean>) => {
    const from = Date.now();
    console.log(`\n${name}`);
    good = (await work()) && good;
    took.push(`${name}: ${((Date.now() - from) / 60_000).toFixed(1)} min`);
  };
  const all = Object.keys(journeys);
  const some = named(only);
  const themed = has('themes') ? (only.length ? some : named(IN_THEMES)) : [];
  if (has('browser') && !only.length) await part('mail, in the browser alone', runMail);
  if (has('inside') && !only.length)
    for (const version of ['newest', 'oldest'] as const)
      await part(`${version}, inside the extension host`, () => runInside(version, vsix));
  if (has('newcomer') && (words.includes('newcomer') || !only.length))
    await part('newest, a newcomer', () => runNewcomer('newest', vsix, pictures));
  if (has('newest') || has('themes')) {
    await part('newest', () =>
      run('newest', vsix, { theme: 'dark', names: only.length ? some : has('newest') ? all : themed, themed }),
    );
  }
  if (has('oldest')) {
    await part('oldest', () =>
      run('oldest', vsix, {
        theme: 'light',
        names: only.length ? some : all.filter(name => !Object.hasOwn(onlyNewest, name)),
      }),
    );
  }
  console.log(`\n${took.join('\n')}\nall: ${((Date.now() - begun) / 60_000).toFixed(1)} min`);
  process.exit(good ? 0 : 1);
}
void main().catch((error: unknown) => {
  console.error(error);
  process.exit(1);
});
