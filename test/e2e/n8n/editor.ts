import { createRequire } from 'node:module';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { chromium as systemBrowser } from './install.js';
import { eventually } from './processes.js';
import { OWNER, type Host } from './host.js';

// The browser library comes with the pinned n8n, so its types are not at hand here; what is used of it is small.
export interface Spot {
  click(options?: object): Promise<void>;
  fill(text: string): Promise<void>;
  first(): Spot;
  nth(n: number): Spot;
  last(): Spot;
  waitFor(options?: object): Promise<void>;
  count(): Promise<number>;
  allTextContents(): Promise<string[]>;
  textContent(): Promise<string | null>;
  inputValue(): Promise<string>;
  isVisible(): Promise<boolean>;
  locator(selector: string, options?: object): Spot;
  hover(): Promise<void>;
  scrollIntoViewIfNeeded(): Promise<void>;
}
export interface Page {
  goto(url: string): Promise<unknown>;
  fill(selector: string, text: string): Promise<void>;
  locator(selector: string, options?: object): Spot;
  waitForURL(url: RegExp): Promise<void>;
  keyboard: { press(key: string): Promise<void> };
  screenshot(options: object): Promise<Buffer>;
  setDefaultTimeout(ms: number): void;
  url(): string;
  on(event: string, look: (what: any) => void): void;
  waitForEvent(event: 'popup'): Promise<Page>;
  close(): Promise<void>;
  waitForTimeout(ms: number): Promise<void>;
  evaluate<T>(run: () => T): Promise<T>;
}

/** A browser on one n8n, and what a person does in its editor. */
export interface Editor {
  page: Page;
  /** What the browser complained about. */
  complaints: string[];
  spot(testId: string): Spot;
  newWorkflow(): Promise<void>;
  /**
   * Opens the panel of nodes, searches, opens one, and adds it by one of its actions (or at once where it has none);
   * `group` is the heading above the action.
   */
  add(node: string, search: string, action?: string, group?: string): Promise<void>;
  /** Chooses in a menu of the open node. */
  choose(parameter: string, option: string): Promise<void>;
  /** Chooses the credential of the open node. */
  account(name: string): Promise<void>;
  /** Searches a picker of the open node and takes the first entry that shows `wanted`. */
  pick(parameter: string, search: string, wanted: string): Promise<void>;
  /** Runs the open node and waits for its items. */
  run(): Promise<void>;
  closeNode(): Promise<void>;
  /** Opens the form of a new credential of a type, by its name in the list. */
  newCredential(type: string): Promise<void>;
  /** Fills fields of the open credential form, as a person types. */
  fillCredential(fields: Record<string, string>): Promise<void>;
  /** Presses Connect (or what the button is called) and waits for the window that opens. */
  signIn(button?: string): Promise<Page>;
  shot(name: string): Promise<void>;
  close(): Promise<void>;
}

export const SCREENSHOTS = join(__dirname, '../../../.cache/screenshots');

export async function openEditor(
  host: Host,
  home: string,
  login = { email: OWNER.email, password: OWNER.password },
): Promise<Editor> {
  const { chromium } = createRequire(join(home, 'package.json'))('playwright-core') as {
    chromium: { launch(options: object): Promise<any> };
  };
  mkdirSync(SCREENSHOTS, { recursive: true });
  const browser = await chromium.launch({
    executablePath: systemBrowser(),
    headless: true,
    args: ['--no-sandbox', '--disable-dev-shm-usage', '--force-color-profile=srgb'],
  });
  const page = (await browser.newPage({ viewport: { width: 1280, height: 840 }, reducedMotion: 'reduce' })) as Page;
  page.setDefaultTimeout(60_000);
  const complaints: string[] = [];
  page.on('pageerror', (error: Error) => complaints.push(error.message));
  const spot = (testId: string) => page.locator(`[data-test-id="${testId}"]`);
  await page.goto(`${host.url}/signin`);
  await page.fill('input[type=email]', login.email);
  await page.fill('input[type=password]', login.password);
  await page.keyboard.press('Enter');
  await page.waitForURL(/\/(workflow|home)/);
  const opened = () => page.locator('[data-test-id="ndv"], [data-test-id="node-parameters"]').first();
  const editor: Editor = {
    page,
    complaints,
    spot,
    async newWorkflow() {
      await page.goto(`${host.url}/workflow/new`);
      await page.locator('[data-test-id="canvas-plus-button"], [data-test-id="canvas-add-button"]').first().waitFor();
    },
    async add(node, search, action, group) {
      if (!(await spot('node-creator-search-bar').isVisible())) {
        const button = (await spot('node-creator-plus-button').isVisible())
          ? spot('node-creator-plus-button')
          : spot('canvas-plus-button');
        // The plus behind the last node joins the new one to it.
        await ((await spot('canvas-handle-plus').count()) ? spot('canvas-handle-plus').last() : button.first()).click();
      }
      await spot('node-creator-search-bar').fill(search);
      await page
        .locator('[data-test-id="node-creator-item-name"]', { hasText: new RegExp(`^\\s*${node}\\s*$`) })
        .first()
        .click();
      const heading = `//*[contains(text(), "${group}")]`;
      const named = `*[@data-test-id="node-creator-item-name"][normalize-space(.)="${action}"]`;
      const entry = group
        ? page.locator(`xpath=(${heading})[1]/following::${named}`).first()
        : page.locator('[data-test-id="node-creator-item-name"]', { hasText: action }).first();
      if (action) {
        // Where a node has triggers, its actions are folded in for the first node of a workflow.
        const actions = page
          .locator('[data-test-id="node-creator-category-item"]:visible', { hasText: /Actions \(/ })
          .first();
        await actions.waitFor();
        await entry.waitFor({ timeout: 2_000 }).catch(() => actions.click());
        await entry.click();
      } else await page.locator('button', { hasText: 'Add to workflow' }).first().click();
      await opened().waitFor();
    },
    async choose(parameter, option) {
      await spot(`parameter-input-${parameter}`).first().click();
      await page
        .locator('.el-select-dropdown__item:visible', {
          hasText: new RegExp(`^\\s*${option.replace(/[.()]/g, '\\$&')}`),
        })
        .first()
        .click();
    },
    async account(name) {
      const wanted = page.locator('[data-test-id^="node-credentials-select-item-"]:visible', { hasText: name }).first();
      // The menu closes again when what stands above it is drawn anew.
      await eventually(`the credential ${name} to be offered`, async () => {
        await spot('node-credentials-select').first().click();
        return wanted.waitFor({ timeout: 2_000 }).then(
          () => true,
          () => false,
        );
      });
      await wanted.click();
    },
    async pick(parameter, search, wanted) {
      await spot(`parameter-input-${parameter}`)
        .first()
        .locator('[data-test-id="rlc-input-container"] input, input')
        .last()
        .click();
      await page.locator('[data-test-id="rlc-search"]:visible').first().fill(search);
      await page.locator('[data-test-id="rlc-item"]:visible', { hasText: wanted }).first().click();
    },
    async run() {
      const last = async () =>
        Math.max(
          0,
          ...((await host.rest('GET', '/executions?limit=5')).results as { id: string }[]).map(({ id }) => Number(id)),
        );
      const before = await last();
      await spot('node-execute-button').first().click();
      await eventually(
        'the execution to end',
        async () => {
          const id = await last();
          return (
            id > before &&
            !['new', 'running', 'waiting'].includes((await host.rest('GET', `/executions/${id}`)).status as string)
          );
        },
        30_000,
      );
      // What the editor shows follows what n8n has.
      await page
        .locator('[data-test-id="node-execute-button"]:not([disabled])', { hasText: 'Execute step' })
        .first()
        .waitFor();
      await page
        .locator('[data-test-id="output-panel"]', { hasText: /\d+ items?/ })
        .first()
        .waitFor();
    },
    async closeNode() {
      await spot('ndv-close-button').first().click();
      await opened().waitFor({ state: 'hidden' });
    },
    async newCredential(type) {
      await page.goto(`${host.url}/home/credentials`);
      await page
        .locator('button', { hasText: /Add first credential|Create credential/ })
        .first()
        .click();
      await spot('new-credential-type-select').locator('input').first().fill(type);
      await page
        .locator('[data-test-id="new-credential-type-select-option"]:visible', { hasText: type })
        .first()
        .click();
      await spot('new-credential-type-button').click();
      await spot('node-credentials-config-container').waitFor();
    },
    async fillCredential(fields) {
      for (const [name, text] of Object.entries(fields))
        await page
          .locator(`[data-test-id="editCredential-modal"] [data-test-id="parameter-input-${name}"]`)
          .locator('input, textarea')
          .first()
          .fill(text);
    },
    async signIn(button = 'quick-connect-button') {
      const opening = page.waitForEvent('popup');
      await spot(button).first().click();
      return opening;
    },
    async shot(name) {
      await page.screenshot({ path: join(SCREENSHOTS, `${name}.png`) });
    },
    close: () => browser.close(),
  };
  return editor;
}
