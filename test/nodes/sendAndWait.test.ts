import assert from 'node:assert/strict';
import type { IDataObject, IExecuteFunctions, IWebhookFunctions } from 'n8n-workflow';
import { WAIT_INDEFINITELY } from 'n8n-workflow';
import { runItems, sendAndWaitWebhook } from '../../nodes/lib/index.js';
import { closeConnections } from '../../shared/providers/imap/session/imapPool.js';
import { bytesOf } from '../../shared/mailServer/imap/store.js';
import { startMail, type Mail } from '../sandbox/mail.js';

const at = (values: IDataObject, path: string) =>
  path.split('.').reduce<unknown>((value, key) => (value as IDataObject | undefined)?.[key], values);

describe('Send and Wait for Response', function () {
  this.timeout(60_000);
  let mail: Mail;
  before(async () => {
    mail = await startMail();
  });
  after(async () => {
    closeConnections();
    await mail.close();
  });
  afterEach(() => {
    mail.expunge(
      'u1@test.local',
      mail.folder('u1@test.local').messages.map(({ uid }) => uid),
    );
  });

  const question: IDataObject = {
    provider: 'imap',
    authentication: 'password',
    resource: 'message',
    operation: 'sendAndWait',
    to: 'u1@test.local',
    subject: 'Pay invoice 7?',
    text: 'Amount: 5 < 6\n<b>Really</b>',
    responseType: 'approval',
  };
  /** Runs the node; gives the mail that came and until when the execution waits. */
  async function ask(more: IDataObject = {}, { signs = true } = {}) {
    const all = { ...question, ...more };
    let until: Date | undefined;
    const node = {
      getInputData: () => [{ json: { invoice: 7 } }, { json: { invoice: 8 } }],
      continueOnFail: () => false,
      getNode: () => ({
        id: 'node',
        name: 'Send',
        type: 'n8n-nodes-mailroom.send',
        typeVersion: 1,
        position: [0, 0],
        parameters: all,
      }),
      getNodeParameter: (name: string, _: number, fallback?: unknown) => at(all, name) ?? fallback,
      getCredentials: async () => ({
        user: 'u0@test.local',
        password: 'pass0',
        preset: 'custom',
        imapHost: 'localhost',
        imapPort: mail.imap.tlsPort,
        imapSecurity: 'tls',
        smtpHost: 'localhost',
        smtpPort: mail.smtp.tlsPort,
        smtpSecurity: 'tls',
        allowedCertificate: mail.ca,
      }),
      helpers: {},
      putExecutionToWait: async (date: Date) => {
        until = date;
      },
      ...(signs
        ? {
            getSignedResumeUrl: ({ approved }: Record<string, string>) =>
              `http://n8n.test/webhook-waiting/5/node?approved=${approved}&signature=abc`,
          }
        : {}),
    };
    const output = await runItems(node as unknown as IExecuteFunctions, 'send');
    const [message] = mail.folder('u1@test.local').messages;
    return { output, until, source: message && bytesOf(message).toString().replace(/=\r\n/g, '').replace(/=3D/g, '=') };
  }
  /** Follows a link of the mail. */
  async function follow(
    method: 'GET' | 'POST',
    more: IDataObject = {},
    { approved = 'true', body = undefined as IDataObject | undefined } = {},
  ) {
    const all = { ...question, ...more };
    const headers: Record<string, string> = {};
    let page = '';
    let status = 200;
    const response = {
      setHeader: (name: string, value: string) => {
        headers[name] = value;
      },
      status: (code: number) => {
        status = code;
        return response;
      },
      send: (text: string) => {
        page = text;
      },
    };
    const result = await sendAndWaitWebhook.call({
      getRequestObject: () => ({ method, query: { approved, signature: 'abc' }, headers: {} }),
      getResponseObject: () => response,
      getBodyData: () => body,
      getNodeParameter: (name: string, fallback?: unknown) => at(all, name) ?? fallback,
      getNode: () => ({}),
    } as unknown as IWebhookFunctions);
    return {
      result,
      page: page || String(result.webhookResponse ?? ''),
      status,
      headers,
      data: (result.workflowData as { json: { data: IDataObject } }[][] | undefined)?.[0]?.[0]?.json.data,
    };
  }

  it('takes its message by the name that n8n gives it where a person reviews what an agent does', async () => {
    const { source } = await ask({ text: undefined, message: 'The agent wants to run this tool.' });
    const { page } = await follow('GET', { text: undefined, message: 'The agent wants it.' });
    assert.match(source!, /The agent wants to run this tool\./);
    assert.match(page, /The agent wants it\./);
  });

  it('sends one mail with the signed link, as text and HTML, waits without end, and hands on the items', async () => {
    const { output, until, source } = await ask();
    assert.deepEqual(output, [[{ json: { invoice: 7 } }, { json: { invoice: 8 } }]]);
    assert.equal(until?.getTime(), WAIT_INDEFINITELY.getTime());
    assert.equal(mail.folder('u1@test.local').messages.length, 1);
    assert.match(source!, /^Subject: Pay invoice 7\?/m);
    assert.match(source!, /Approve:\r\nhttp:\/\/n8n\.test\/webhook-waiting\/5\/node\?approved=true&signature=abc/);
    assert.match(source!, /href="http:\/\/n8n\.test\/webhook-waiting\/5\/node\?approved=true&#38;signature=abc"/);
    assert.doesNotMatch(source!.split('Content-Type: text/html')[1]!, /<b>Really/);
    assert.doesNotMatch(source!, /Decline/);
  });

  it('offers two buttons, and a time limit', async () => {
    const before = Date.now();
    const { until, source } = await ask({
      approvalOptions: { values: { approvalType: 'double', approveLabel: 'Pay', disapproveLabel: 'Keep' } },
      options: { limitWaitTime: { values: { limitType: 'afterTimeInterval', resumeAmount: 2, resumeUnit: 'hours' } } },
    });
    assert.match(source!, /Pay:\r\n.*approved=true[^]*Keep:\r\n.*approved=false/);
    assert.ok(Math.abs(until!.getTime() - before - 2 * 3_600_000) < 10_000);
  });

  it('sends nothing where the answer could not come back: several people, no form, no time, no signed links', async () => {
    for (const [more, words, signs] of [
      [{ to: 'a@test.local, b@test.local' }, /To must be one address/, true],
      [{ to: '' }, /To must be one address/, true],
      [{ responseType: 'customForm' }, /The form has no element/, true],
      [
        { options: { limitWaitTime: { values: { limitType: 'atSpecifiedTime', maxDateAndTime: 'soon' } } } },
        /no time that could be waited for/,
        true,
      ],
      [{}, /makes no signed links, so nothing was sent/, false],
    ] as const)
      await assert.rejects(ask(more as IDataObject, { signs }), words);
    assert.equal(mail.folder('u1@test.local').messages.length, 0);
  });

  it('decides nothing when a link is opened, as scanners of mail do; only what is sent from the page counts', async () => {
    for (const approved of ['true', 'false']) {
      const opened = await follow('GET', { approvalOptions: { values: { approvalType: 'double' } } }, { approved });
      assert.equal(opened.data, undefined);
      assert.equal(opened.result.noWebhookResponse, true);
      assert.match(
        opened.page,
        approved === 'true' ? /<button type="submit">Approve</ : /<button type="submit">Decline</,
      );
      const { data, page } = await follow('POST', {}, { approved });
      assert.deepEqual([data!.approved, typeof data!.respondedAt], [approved === 'true', 'string']);
      assert.match(page, /Your response was recorded/);
    }
  });

  it('shows what stands in the message as text, and lets the page run nothing', async () => {
    const { page, headers } = await follow('GET', {
      text: '<script>alert(1)</script>\n2nd line',
      subject: '"><img src=x>',
    });
    assert.doesNotMatch(page, /<script|<img/);
    assert.match(page, /2nd line/);
    assert.match(headers['Content-Security-Policy']!, /^sandbox allow-forms; default-src 'none'/);
  });

  it("takes free text, and a form of its own: in order, numbers as numbers, what is required required, the time in nobody's hands", async () => {
    const free = await follow(
      'POST',
      { responseType: 'freeText' },
      { body: { data: { 'field-0': 'Yes, but later' } } },
    );
    assert.equal(free.data!.text, 'Yes, but later');
    const form = {
      responseType: 'customForm',
      formFields: {
        values: [
          { fieldLabel: 'Amount', fieldType: 'number', requiredField: true },
          { fieldLabel: 'When', fieldType: 'dropdown', choices: 'Now, Later' },
          { fieldLabel: 'respondedAt', fieldType: 'text' },
        ],
      },
    };
    const page = (await follow('GET', form)).page;
    assert.match(page, /type="number" step="any"[^]*<option>Now<\/option><option>Later<\/option>/);
    const answer = await follow('POST', form, {
      body: { data: { 'field-0': '12.5', 'field-1': 'Later', 'field-2': 'yesterday' } },
    });
    assert.deepEqual({ ...answer.data, respondedAt: '' }, { Amount: 12.5, When: 'Later', respondedAt: '' });
    assert.notEqual(answer.data!.respondedAt, 'yesterday');
    const missing = await follow('POST', form, { body: { data: { 'field-0': ' ' } } });
    assert.deepEqual([missing.status, missing.data], [400, undefined]);
    assert.match(missing.page, /fill in: Amount/);
  });
});
