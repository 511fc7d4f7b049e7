import assert from 'node:assert/strict';
import { connect, providerById } from '../../../shared/index.js';
import { letter } from '../../sandbox/corpus.js';
import { until, type Journey, type Journeys } from './journey.js';

type Any = any;
const USER = 'u0@test.local';
/** What another program of the same user does on the server. */
const other = ({ box }: Journey): Any =>
  connect(
    providerById('imap'),
    (JSON.parse(box.lines.split('\n').find(line => line.includes('"imap"'))!) as { account: Record<string, unknown> })
      .account,
  );
const subjects = ({ box }: Journey, folder: string) =>
  box.mail.folder(USER, folder).messages.map(({ source }) => /^Subject: (.*)\r$/m.exec(String(source))?.[1]);
const arrives = ({ box }: Journey, subject: string, from = 'Ann <ann@fine.example>') =>
  box.mail.arrive(USER, letter({ to: USER, from, subject }), { from: from.replace(/^.*<|>$/g, '') });
/** The row of the mail account opened, each of its lists read anew. */
async function account(j: Journey): Promise<void> {
  await j.wb.collapse();
  await j.wb.expand('IMAP');
}
let tries = 0;

/** Rules that a mail server carries out: from a click here to where mail goes there. */
export const ruleJourneys: Journeys = {
  async 'rules on a mail server: a sender is blocked on the page of lists, and mail goes into Junk'(j) {
    const { wb, shot, axe } = j;
    const bad = `bad${++tries}@evil.example`;
    await account(j);
    await wb.menu(/^Spam Lists/, 'Edit Lists');
    const lists = await wb.webview('lists', 'Blocked IP Addresses');
    const column = lists.locator('[data-column=blockedSenders]');
    await column.locator('textarea').fill(bad);
    await column.getByRole('button', { name: 'Add to Blocked Senders' }).click();
    await until('it is on the list', async () => (await column.locator('li', { hasText: bad }).count()) > 0);
    arrives(j, `from ${bad}`, bad);
    arrives(j, `beside ${bad}`);
    assert.ok(subjects(j, 'Junk').includes(`from ${bad}`) && subjects(j, 'INBOX').includes(`beside ${bad}`));
    await shot('rules-lists');
    await axe('lists');
    await wb.closeAll();
  },

  async 'rules on a mail server: an automatic answer is set in a form, given once, and cleared'(j) {
    const { wb, box, page, shot, axe } = j;
    const writer = `ann${++tries}@fine.example`;
    await account(j);
    await wb.row(/^Auto Reply/).click();
    const form = await wb.webview('form', 'Auto Reply');
    await form.locator('[data-field=text] textarea').fill('I am away until Monday.');
    await form.locator('[data-field=subject] input').fill('Away');
    await form.locator('[data-field=subject] input').blur();
    await wb.save();
    await until(
      'it is stored',
      () => box.mail.sieve.of(USER).texts.get('mailroom')?.includes('I am away until Monday.') === true,
    );
    await until('nothing is left to save', async () => (await page.locator('.tab.dirty').count()) === 0);
    await shot('rules-away');
    await axe('form', 'Auto Reply');
    const from = box.mail.sent.length;
    for (const subject of ['hello', 'hello again']) arrives(j, subject, writer);
    assert.deepEqual(
      box.mail.sent.slice(from).map(({ to, why }) => [to, why]),
      [[writer, 'answer']],
    );
    await wb.menu(/^Auto Reply/, 'Clear');
    await until('it is gone', () => box.mail.sieve.of(USER).texts.get('mailroom')?.includes('I am away') === false);
    await wb.closeAll();
  },

  async 'rules on a mail server: a rule is moved by key and menu, and changed in its form'(j) {
    const { wb, page, shot } = j;
    const client = other(j);
    for await (const { id } of client.call('rule.list', {})) await client.call('rule.delete', { rule: id });
    for (const [name, moveTo] of [
      ['First', 'Archive'],
      ['Second', 'Trash'],
      ['Third', 'Junk'],
    ])
      await client.call('rule.create', { name, subject: ['order'], moveTo });
    const names = async () => {
      const out: string[] = [];
      for await (const one of client.call('rule.list', {})) out.push(one.name);
      return out.join();
    };
    await account(j);
    await wb.expand(/^Rules/);
    await wb.menu(/^Rules/, 'Refresh');
    await wb.menu('Third', 'Move Up');
    await until('it is the second', async () => (await names()) === 'First,Third,Second');
    await wb.row('Third').click();
    const form = await wb.webview('form', 'Third');
    await form.locator('[data-field=name] input').fill('Orders');
    await form.locator('[data-field=name] input').blur();
    await wb.save();
    await until('it is renamed', async () => (await names()) === 'First,Orders,Second');
    await wb.row('Orders').waitFor();
    await wb.webview('form', 'Orders');
    await shot('rules-order');
    await wb.row('Orders').click();
    await wb.command('Mailroom: Focus on Accounts View');
    await page.keyboard.press('Alt+ArrowUp');
    await until('it is the first', async () => (await names()) === 'Orders,First,Second');
    arrives(j, 'my order');
    assert.ok(subjects(j, 'Junk').includes('my order'));
    await wb.closeAll();
  },

  async 'rules on a mail server: a script is a document that the server checks as it is saved, and that is compared'(
    j,
  ) {
    const { wb, box, page, shot } = j;
    const client = other(j);
    const name = `notes${++tries}`;
    const texts = () => box.mail.sieve.of(USER).texts;
    await client.call('script.put', {
      script: name,
      text: 'require ["fileinto"];\r\n# mine\r\nfileinto "Archive";\r\n',
    });
    await account(j);
    await wb.expand(/^Scripts/);
    await wb.menu(/^Scripts/, 'Refresh');
    await wb.row(new RegExp(`^${name}`)).click();
    await page.locator('.view-line', { hasText: 'fileinto "Archive"' }).waitFor();
    await page.locator('.view-line span[class*="mtk"]', { hasText: 'fileinto' }).first().waitFor();
    await shot('rules-script');
    await page.locator('.view-line', { hasText: '# mine' }).click();
    await page.keyboard.press('End');
    await page.keyboard.press('Enter');
    await page.keyboard.type('discad;');
    await wb.save();
    await page.locator('.squiggly-error').first().waitFor();
    await wb.toast('The server does not accept the script').waitFor();
    assert.ok(!texts().get(name)!.includes('discad'));
    await page.locator('.tab.dirty').waitFor();
    await shot('rules-script-wrong');
    for (let i = 0; i < 'discad;'.length; i++) await page.keyboard.press('Backspace');
    await page.keyboard.type('keep;');
    await wb.command('Mailroom: Compare with Server');
    await page.locator('.diff-editor, .monaco-diff-editor').first().waitFor();
    await shot('rules-script-compared');
    await wb.save();
    await until('it is stored', () => texts().get(name)!.includes('keep;'));
    await until('nothing is left to save', async () => (await page.locator('.tab.dirty').count()) === 0);
    await wb.clearToasts();
    await wb.closeAll();
  },
};
