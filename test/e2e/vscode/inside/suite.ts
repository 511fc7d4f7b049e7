import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as vscode from 'vscode';
import { packPlace } from '../../../../extension/fields/values.js';
import { providers, type Field } from '../../../../shared/index.js';
import { outreach } from '../../../providers/outreach.case.js';
import { rackspace } from '../../../providers/rackspace.case.js';
import { scaleway } from '../../../providers/scaleway.case.js';
import { sodium } from '../../../providers/sodium.case.js';
import { startBuiltin } from '../../../sandbox/builtin.js';
import type { OutreachVendor } from '../../../sandbox/outreach.js';
import type { Vendor } from '../../../sandbox/vendor.js';

/**
 * The extension as other code in the same host meets it: what it registers, and its documents through VS Code's own
 * API. The pretended vendors run in the host too.
 */
const cases = { outreach, rackspace, scaleway, sodium };

/** The address of an object's document, as the tree makes it. */
const documentOf = (provider: keyof typeof cases, refs: Record<string, string>, resource = 'mailbox') =>
  vscode.Uri.from({
    scheme: 'mailroom',
    path: `/Sandbox/${resource}/${Object.values(refs).join(' ')}.mailroom`,
    query: packPlace({ account: `sandbox-${provider}`, resource, refs }),
  });
const parse = (document: vscode.TextDocument) => JSON.parse(document.getText()) as Record<string, unknown>;
/** Puts other values into a document, as somebody who types does. */
async function edit(document: vscode.TextDocument, values: Record<string, unknown>): Promise<void> {
  const change = new vscode.WorkspaceEdit();
  const text = `${JSON.stringify({ ...parse(document), ...values }, null, 2)}\n`;
  change.replace(document.uri, new vscode.Range(0, 0, document.lineCount, 0), text);
  assert.ok(await vscode.workspace.applyEdit(change));
}
async function revert(document: vscode.TextDocument): Promise<void> {
  await vscode.window.showTextDocument(document);
  await vscode.commands.executeCommand('workbench.action.files.revert');
  assert.equal(document.isDirty, false);
}
/** Saves what is refused: VS Code says nothing of its own, and the text stays as it is and unsaved. */
async function saveInVain(document: vscode.TextDocument): Promise<void> {
  const text = document.getText();
  await document.save();
  assert.equal(document.getText(), text);
  // The host of extensions takes for saved what was saved in vain; the tab says how it is.
  await vscode.window.showTextDocument(document);
  assert.ok(vscode.window.tabGroups.activeTabGroup.activeTab?.isDirty);
}
/** What an event told, waited for from now on. */
const next = <T>(event: vscode.Event<T>, wanted: (told: T) => boolean) =>
  new Promise<T>(resolve => {
    const listening = event(told => {
      if (wanted(told)) {
        listening.dispose();
        resolve(told);
      }
    });
  });

export function suite(): void {
  const extension = vscode.extensions.getExtension('mailroom.mailroom')!;
  let box: Awaited<ReturnType<typeof startBuiltin<(typeof cases)[keyof typeof cases]>>>;
  let vendors: Record<string, Vendor>;
  const writes = (id: string) => vendors[id]!.seen.filter(({ method }) => method !== 'GET');

  before(async () => {
    box = await startBuiltin(Object.values(cases));
    vendors = Object.fromEntries(box.vendors.map(vendor => [vendor.id, vendor]));
    // Read when the extension starts, which it has not yet.
    process.env.MAILROOM_SANDBOX = box.lines;
  });
  after(() => box.close());

  it('comes from the package, and does not start by itself', () => {
    assert.equal(extension.extensionKind, vscode.ExtensionKind.Workspace);
    assert.match(extension.extensionPath, /extensions\/mailroom\.mailroom-\d+\.\d+\.\d+/);
    assert.equal(extension.isActive, false);
  });
  it('starting asks no vendor for anything', async () => {
    await extension.activate();
    for (const vendor of box.vendors)
      assert.deepEqual(
        vendor.seen.map(({ path }) => path),
        [],
        vendor.id,
      );
  });
  it('registers what its manifest declares, and nothing else', async () => {
    const declared = (
      extension.packageJSON as { contributes: { commands: { command: string }[] } }
    ).contributes.commands.map(({ command }) => command);
    const registered = (await vscode.commands.getCommands(true)).filter(name =>
      /^mailroom\.(?!(accounts|attention|found)\.)/.test(name),
    );
    // The form's own, which no menu shows.
    assert.deepEqual(registered.filter(name => name !== 'mailroom.documentAction').sort(), declared.sort());
  });
  it('no command does anything without a row that it is for', async () => {
    const onRows = [
      'open',
      'openJson',
      'copyNode',
      'actions',
      'create',
      'delete',
      'restore',
      'testSend',
      'testSync',
      'link',
      'unlink',
      'validate',
      'reconnect',
      'move',
      'syncNow',
      'markRead',
      'markUnread',
      'reply',
      'changePassword',
      'editLists',
      'loadMore',
      'loadAll',
      'filter',
      'filterForm',
      'clearFilter',
    ];
    for (const name of onRows) await vscode.commands.executeCommand(`mailroom.${name}`);
    for (const vendor of box.vendors)
      assert.deepEqual(
        vendor.seen.map(({ method, path }) => `${method} ${path}`),
        [],
        vendor.id,
      );
  });

  it('a mailbox is a document; saving sends only the difference', async () => {
    const document = await vscode.workspace.openTextDocument(documentOf('outreach', { mailbox: '1' }));
    const before = parse(document);
    assert.equal(before.email, 'ann@acme.test');
    assert.equal(document.languageId, 'mailroom');
    vendors.outreach!.forget();
    await edit(document, { maxEmailsPerDay: 250 });
    assert.ok(document.isDirty);
    assert.ok(await document.save());
    assert.equal(document.isDirty, false);
    const [sent, ...more] = writes('outreach');
    assert.equal(more.length, 0);
    assert.equal(sent!.method, 'PATCH');
    assert.deepEqual((JSON.parse(sent!.body.toString()) as { data: { attributes: unknown } }).data.attributes, {
      maxEmailsPerDay: 250,
    });
    assert.deepEqual({ ...parse(document), maxEmailsPerDay: before.maxEmailsPerDay }, before);
  });
  it('saving without a change sends nothing', async () => {
    const document = await vscode.workspace.openTextDocument(documentOf('outreach', { mailbox: '1' }));
    vendors.outreach!.forget();
    await edit(document, { maxEmailsPerDay: 251 });
    await edit(document, { maxEmailsPerDay: 250 });
    assert.ok(await document.save());
    assert.deepEqual(writes('outreach'), []);
  });
  it('what somebody else changed meanwhile is marked and not overwritten', async () => {
    const document = await vscode.workspace.openTextDocument(documentOf('outreach', { mailbox: '2' }));
    (vendors.outreach as OutreachVendor).rows.mailboxes.get(2)!.attributes.maxEmailsPerDay = 999;
    await edit(document, { maxEmailsPerDay: 300 });
    vendors.outreach!.forget();
    const marked = next(vscode.languages.onDidChangeDiagnostics, ({ uris }) =>
      uris.some(uri => uri.toString() === document.uri.toString()),
    );
    await saveInVain(document);
    await marked;
    assert.deepEqual(writes('outreach'), []);
    assert.equal(parse(document).maxEmailsPerDay, 300, 'the edit is kept');
    const [found, ...more] = vscode.languages.getDiagnostics(document.uri);
    assert.equal(more.length, 0);
    assert.match(found!.message, /999/);
    assert.match(document.lineAt(found!.range.start.line).text, /"maxEmailsPerDay"/);
    const server = await vscode.workspace.openTextDocument(document.uri.with({ scheme: 'mailroom-server' }));
    assert.equal(parse(server).maxEmailsPerDay, 999);
    await revert(document);
    assert.equal(parse(document).maxEmailsPerDay, 999);
  });
  it('after a conflict, saving again sends nothing as long as nobody agreed to it: in a test no question is answered', async () => {
    const document = await vscode.workspace.openTextDocument(documentOf('outreach', { mailbox: '6' }));
    const { attributes } = (vendors.outreach as OutreachVendor).rows.mailboxes.get(6)!;
    await edit(document, { maxEmailsPerDay: 300 });
    Object.assign(attributes, {
      maxEmailsPerDay: 999,
      maxMailingsPerDay: 12345,
      emailSignature: 'Changed by somebody else',
    });
    vendors.outreach!.forget();
    for (const _ of [1, 2]) await saveInVain(document);
    assert.deepEqual(writes('outreach'), []);
    assert.equal(parse(document).maxEmailsPerDay, 300);
    await revert(document);
    assert.equal(document.isDirty, false);
    assert.equal(parse(document).maxMailingsPerDay, 12345, 'what somebody else changed is shown');
    assert.deepEqual(vscode.languages.getDiagnostics(document.uri), []);
  });
  it('reading again keeps what is not saved, and sends back nothing that was read before', async () => {
    const document = await vscode.workspace.openTextDocument(documentOf('outreach', { mailbox: '7' }));
    await vscode.window.showTextDocument(document);
    await edit(document, { maxEmailsPerDay: 300 });
    (vendors.outreach as OutreachVendor).rows.mailboxes.get(7)!.attributes.emailSignature =
      'A much longer text than before, so that the size is another one';
    await vscode.commands.executeCommand('mailroom.reloadDocument', document.uri);
    assert.ok(document.isDirty);
    vendors.outreach!.forget();
    assert.ok(await document.save());
    assert.deepEqual(
      writes('outreach').map(
        ({ body }) => (JSON.parse(body.toString()) as { data: { attributes: unknown } }).data.attributes,
      ),
      [{ maxEmailsPerDay: 300 }],
    );
  });
  it('what the vendor refuses is marked on its field, and the edit is kept', async () => {
    const document = await vscode.workspace.openTextDocument(documentOf('outreach', { mailbox: '8' }));
    await edit(document, { email: 'ann@acme.test' });
    vendors.outreach!.forget();
    await saveInVain(document);
    assert.equal(writes('outreach').length, 1, 'the vendor itself was asked');
    const [found] = vscode.languages.getDiagnostics(document.uri);
    assert.match(found!.message, /already been taken/);
    assert.match(document.lineAt(found!.range.start.line).text, /"email": "ann@acme.test"/);
    await revert(document);
    assert.deepEqual(vscode.languages.getDiagnostics(document.uri), [], 'with the edit the mark goes');
  });
  it('an object that cannot be read now is a text that says why', async () => {
    const uri = documentOf('scaleway', { mailbox: 'any' });
    vendors.scaleway!.fail({ status: 403, times: 10 });
    const document = await vscode.workspace.openTextDocument(uri);
    assert.equal(typeof JSON.parse(document.getText()), 'string');
    vendors.scaleway!.mend();
  });
  it('a value that cannot be right is refused before anything is sent, on its line', async () => {
    const document = await vscode.workspace.openTextDocument(documentOf('outreach', { mailbox: '1' }));
    vendors.outreach!.forget();
    await edit(document, { email: 'not an address' });
    await saveInVain(document);
    assert.deepEqual(vendors.outreach!.seen, []);
    const [found] = vscode.languages.getDiagnostics(document.uri);
    assert.match(document.lineAt(found!.range.start.line).text, /"email": "not an address"/);
    await revert(document);
  });
  it('its JSON is helped with: marks where it is broken, names to choose from, and what they mean', async () => {
    const document = await vscode.workspace.openTextDocument(documentOf('outreach', { mailbox: '5' }));
    const text = document.getText();
    await vscode.window.showTextDocument(document);
    const at = document.positionAt(text.indexOf('"maxEmailsPerDay"') + 3);
    const [hover] = await vscode.commands.executeCommand<vscode.Hover[]>(
      'vscode.executeHoverProvider',
      document.uri,
      at,
    );
    assert.match((hover!.contents[0] as vscode.MarkdownString).value, /^Max Emails per Day/i);
    const { items } = await vscode.commands.executeCommand<vscode.CompletionList>(
      'vscode.executeCompletionItemProvider',
      document.uri,
      at,
    );
    assert.ok(
      items.some(
        ({ label }) => label === 'maxEmailsPerDay' || (label as vscode.CompletionItemLabel).label === 'maxEmailsPerDay',
      ),
      JSON.stringify(items.slice(0, 5)),
    );
    const marked = next(
      vscode.languages.onDidChangeDiagnostics,
      ({ uris }) =>
        uris.some(uri => uri.toString() === document.uri.toString()) &&
        vscode.languages.getDiagnostics(document.uri).length > 0,
    );
    const change = new vscode.WorkspaceEdit();
    const comma = document.positionAt(text.indexOf(','));
    change.delete(document.uri, new vscode.Range(comma, comma.translate(0, 1)));
    assert.ok(await vscode.workspace.applyEdit(change));
    await marked;
    const [found] = vscode.languages.getDiagnostics(document.uri);
    assert.deepEqual(
      [found!.message, found!.range.start.line, found!.source],
      ['Expected comma', comma.line + 1, 'Mailroom'],
    );
    await saveInVain(document);
    // What was typed is one step of Undo with what kept it unsaved; an edit by a program, as this one, is a step of its
    // own.
    for (let i = 0; i < 2 && document.getText() !== text; i++) await vscode.commands.executeCommand('undo');
    assert.equal(document.getText(), text, 'Undo takes it back');
    await revert(document);
  });
  it('no document of any provider holds a secret', async () => {
    const all = {
      outreach: { mailbox: '1' },
      rackspace: { domain: 'example.com', mailbox: 'alex.smith@example.com' },
    } as const;
    for (const [id, refs] of Object.entries(all) as [keyof typeof all, Record<string, string>][]) {
      const update = (
        providers.find(one => one.id === id)!.operations as Record<string, { input: Record<string, Field> }>
      )['mailbox.update']!;
      const secret = Object.entries(update.input)
        .filter(([, field]) => field.type === 'text' && field.secret)
        .map(([name]) => name);
      assert.ok(secret.length > 0, `${id} has secrets to leave out`);
      const document = await vscode.workspace.openTextDocument(documentOf(id, refs));
      assert.deepEqual(
        Object.keys(parse(document)).filter(name => secret.includes(name)),
        [],
      );
    }
  });
  it('is not saved by itself, whatever the settings say of other files', async () => {
    const files = vscode.workspace.getConfiguration('files');
    await files.update('autoSaveDelay', 50, vscode.ConfigurationTarget.Global);
    await files.update('autoSave', 'afterDelay', vscode.ConfigurationTarget.Global);
    try {
      const path = join(vscode.workspace.workspaceFolders![0]!.uri.fsPath, 'other.json');
      writeFileSync(path, '{}\n');
      const mine = await vscode.workspace.openTextDocument(documentOf('outreach', { mailbox: '1' }));
      const other = await vscode.workspace.openTextDocument(path);
      vendors.outreach!.forget();
      await vscode.window.showTextDocument(mine);
      await edit(mine, { maxEmailsPerDay: 260 });
      await vscode.window.showTextDocument(other);
      const saved = next(vscode.workspace.onDidSaveTextDocument, document => document.uri.fsPath === path);
      await edit(other, { typed: true });
      await saved;
      assert.ok(mine.isDirty);
      assert.deepEqual(writes('outreach'), []);
      await revert(mine);
    } finally {
      await files.update('autoSave', undefined, vscode.ConfigurationTarget.Global);
      await files.update('autoSaveDelay', undefined, vscode.ConfigurationTarget.Global);
    }
  });
  it('documents are neither made, renamed nor deleted as files are', async () => {
    const uri = documentOf('scaleway', { mailbox: 'x' });
    await assert.rejects(async () => vscode.workspace.fs.delete(uri), /in the Mailroom tree/);
    await assert.rejects(async () => vscode.workspace.fs.rename(uri, uri.with({ path: '/other.mailroom' })));
    await assert.rejects(async () => vscode.workspace.fs.createDirectory(uri.with({ path: '/folder' })));
    assert.deepEqual(writes('scaleway'), []);
  });
  it('an address that names no object says so', async () => {
    assert.match(
      (await vscode.workspace.openTextDocument(vscode.Uri.parse('mailroom:/a/b/c.mailroom?nothing'))).getText(),
      /Open it again from the tree/,
    );
    await assert.rejects(
      async () => vscode.workspace.openTextDocument(documentOf('outreach', { mailbox: '999999' })),
      /not found|no such|does not exist|Couldn't find/i,
    );
  });
  it('a document whose account is gone opens as a text that says so', async () => {
    const query = packPlace({ account: 'gone', resource: 'mailbox', refs: { mailbox: '1' } });
    const document = await vscode.workspace.openTextDocument(documentOf('outreach', { mailbox: '1' }).with({ query }));
    assert.match(document.getText(), /no longer exists/);
  });
}
