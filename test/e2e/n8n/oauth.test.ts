import assert from 'node:assert/strict';
import { join } from 'node:path';
import { startAuthority, type Authority } from '../../sandbox/authority.js';
import { startMail, type Mail } from '../../sandbox/mail.js';
import { startOutreach, type OutreachVendor } from '../../sandbox/outreach.js';
import { openEditor, SCREENSHOTS, type Editor, type Page } from './editor.js';
import type { Host } from './host.js';
import { needPrograms } from './install.js';
import { eventually } from './processes.js';
import { theHome, theHost } from './scene.js';
import {
  byId,
  chain,
  executionsOf,
  mail as node,
  plain,
  runWorkflow,
  saveWorkflow,
  type Execution,
} from './workflows.js';

const HOURS = 3_600_000;

describe('signing in by OAuth 2, in the browser', function () {
  this.timeout(300_000);
  let host: Host;
  let home: string;
  let editor: Editor;
  let window: Page | undefined;
  before(async function () {
    this.timeout(45 * 60_000);
    await needPrograms('chromium');
    [host, home] = [await theHost(), await theHome()];
    editor = await openEditor(host, home);
  });
  after(() => editor?.close());
  afterEach(async function () {
    if (this.currentTest?.state === 'failed')
      await window
        ?.screenshot({
          path: join(SCREENSHOTS, `failed-window-${this.currentTest.title.replace(/\W+/g, '-').slice(0, 50)}.png`),
        })
        .catch(() => undefined);
    if (this.currentTest?.state === 'failed')
      await editor?.shot(`failed-${this.currentTest.title.replace(/\W+/g, '-').slice(0, 60)}`);
  });

  const redirect = async () =>
    /https?:\/\/\S+?\/callback/.exec((await editor.spot('copy-input').first().textContent())!)![0];
  const decide = async (window: Page, decision: 'Allow' | 'Deny') =>
    window.locator('button', { hasText: decision }).click();
  const connected = () => editor.spot('oauth-connect-success-banner').first().waitFor({ state: 'visible' });
  /** The credential that was made last in the browser. */
  const newest = async (type: string): Promise<{ id: string; name: string }> => {
    const all = (await host.rest('GET', '/credentials')) as {
      id: string;
      name: string;
      type: string;
      createdAt: string;
    }[];
    const { id, name } = all
      .filter(one => one.type === type)
      .sort((a, b) => b.createdAt.localeCompare(a.createdAt))[0]!;
    return { id, name };
  };

  describe('at Outreach', () => {
    let outreach: OutreachVendor;
    let id: string;
    const run = (): Promise<Execution> => runWorkflow(host, home, id, 'Start');
    before(async () => {
      outreach = await startOutreach({ anyLoopback: false });
    });
    after(() => outreach?.close());

    it('an app that did not register the address of this n8n is told so by the vendor', async () => {
      await editor.newCredential('Outreach OAuth2 API');
      await editor.fillCredential({
        clientId: String(outreach.account.clientId),
        clientSecret: String(outreach.account.clientSecret),
        baseUrl: outreach.url,
      });
      await editor.shot('oauth-outreach-form');
      window = await editor.signIn();
      await window.locator('text=The redirect uri included is not valid.').waitFor();
      await window.close();
    });
    it('Deny leaves the credential unconnected', async () => {
      outreach.switches.redirectUris = [await redirect()];
      window = await editor.signIn();
      await window.locator('text=mailboxes.all').waitFor();
      await decide(window, 'Deny');
      await window.locator('text=/access_denied|denied|went wrong|error/i').first().waitFor();
      await editor.shot('oauth-outreach-denied');
      assert.equal(await editor.spot('oauth-connect-success-banner').first().isVisible(), false);
      assert.equal(outreach.grants, 0);
      await window.close();
    });
    it('Allow connects it', async () => {
      window = await editor.signIn();
      await decide(window, 'Allow');
      await connected();
      await editor.shot('oauth-outreach-connected');
      assert.equal(outreach.grants, 1);
      const [asked] = outreach.seen
        .filter(({ path, method }) => path === '/oauth/authorize' && method === 'POST')
        .slice(-1);
      assert.equal(asked!.query.get('redirect_uri'), outreach.switches.redirectUris[0]);
    });
    it('a node runs with it', async () => {
      const saved = await newest('outreachOAuth2Api');
      const list = node(
        'Mailboxes',
        'mailbox',
        { resource: 'mailbox', operation: 'list', returnAll: false, limit: 3 },
        'outreach',
        saved,
      );
      ({ id } = await saveWorkflow(host, chain('OAuth at Outreach', plain('Start', 'manualTrigger'), list), {}));
      const ran = await run();
      assert.equal(ran.status, 'success', ran.error);
      assert.equal(ran.outputs('Mailboxes').length, 3);
    });
    it('an access token that has ended is renewed once, stored, and the run goes on', async () => {
      outreach.advance(3 * HOURS);
      const ran = await run();
      assert.equal(ran.status, 'success', ran.error);
      assert.equal(outreach.grants, 2);
      assert.equal((await run()).status, 'success');
      assert.equal(outreach.grants, 2, 'the new token was stored');
    });
    it('a refresh token that is over says to connect again, and connecting again is enough', async () => {
      outreach.advance(15 * 24 * HOURS);
      const failed = await run();
      assert.equal(failed.status, 'error');
      assert.match(failed.error!, /reconnect|sign in again|connect/i);
      outreach.advance(HOURS);
      window = await editor.signIn('oauth-switch-account-button');
      await decide(window, 'Allow');
      await eventually('the code to be exchanged', () => outreach.grants === 3, 20_000);
      await connected();
      const ran = await run();
      assert.equal(ran.status, 'success', ran.error);
      assert.ok((await executionsOf(host, id)).length >= 5);
    });
  });

  describe('at an IMAP and SMTP host', () => {
    const ANN = 'ann@mail.test';
    const BOB = 'bob@mail.test';
    let mail: Mail;
    let authority: Authority;
    let id: string;
    const run = (): Promise<Execution> => runWorkflow(host, home, id, 'Start');
    before(async () => {
      mail = await startMail({
        users: [
          { user: ANN, password: 'never-used-1' },
          { user: BOB, password: 'never-used-2' },
        ],
      });
      authority = await startAuthority(mail);
      mail.deliver(ANN, { from: 'x@gen.test.local', subject: 'Over XOAUTH2', text: 'Hello.' });
    });
    after(async () => {
      await authority?.close();
      await mail?.close();
    });

    it('the form takes addresses of its own, and Allow connects it', async () => {
      await editor.newCredential('IMAP and SMTP OAuth2 API');
      const { clientId, clientSecret, ownAuthUrl, ownTokenUrl, ownScope } = authority.account as Record<string, string>;
      await editor.fillCredential({
        clientId: clientId!,
        clientSecret: clientSecret!,
        user: ANN,
        imapHost: mail.imap.host,
        imapPort: String(mail.imap.tlsPort),
        smtpHost: mail.smtp.host,
        smtpPort: String(mail.smtp.tlsPort),
        allowedCertificate: mail.ca,
        ownAuthUrl: ownAuthUrl!,
        ownTokenUrl: ownTokenUrl!,
        ownScope: ownScope!,
      });
      await editor.shot('oauth-imap-form');
      authority.redirectUris.push(await redirect());
      window = await editor.signIn();
      await decide(window, 'Allow');
      await connected();
      await editor.shot('oauth-imap-connected');
      assert.equal(authority.grants, 1);
    });
    it('reads by IMAP and sends by SMTP with the token, and no password was ever asked for', async () => {
      const saved = await newest('imapOAuth2Api');
      const credentials = { imapOAuth2Api: saved };
      const how = { authentication: 'oauth2' };
      const list = {
        ...node(
          'Messages',
          'mailbox',
          { ...how, resource: 'message', operation: 'list', folder: byId('INBOX') },
          'imap',
        ),
        credentials,
      };
      const send = {
        ...node(
          'Send',
          'send',
          { ...how, resource: 'message', operation: 'send', to: BOB, subject: 'Signed in', text: 'Hello.' },
          'imap',
        ),
        credentials,
      };
      ({ id } = await saveWorkflow(
        host,
        chain('OAuth at a mail server', plain('Start', 'manualTrigger'), list, send),
        {},
      ));
      const ran = await run();
      assert.equal(ran.status, 'success', ran.error);
      assert.deepEqual(
        ran.outputs('Messages').map(({ json }) => json.subject),
        ['Over XOAUTH2'],
      );
      assert.equal(mail.folder(BOB).messages.length, 1);
    });
    it('a token that has ended is renewed, and the run goes on', async () => {
      mail.imap.trouble.expireTokens();
      mail.imap.trouble.drop('fin');
      const ran = await run();
      assert.equal(ran.status, 'success', ran.error);
      assert.equal(mail.folder(BOB).messages.length, 2);
      assert.equal(authority.grants, 2);
    });
  });

  it('had nothing to complain about', () => assert.deepEqual(editor.complaints, []));
});
