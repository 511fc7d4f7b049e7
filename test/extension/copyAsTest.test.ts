import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { createTransport } from 'nodemailer';
import ts from 'typescript';
import { providerById, providers, startMailServer } from '../../shared/index.js';
import type { copyAsTest, testFor } from '../../extension/mail/copyAsTest.js';
import type { AccountInfo } from '../../extension/accounts/store.js';
import { pretended, withVscode } from './host.js';

const root = join(__dirname, '../..');
const run = promisify(execFile);
const LETTER = {
  id: 'm',
  to: [{ email: 'ann@example.com' }],
  subject: 'Welcome, O’Neil’s "shop"',
  text: 'Your code is 492817.',
  html: '<a href="https://shop.example/start?token=1">Start</a> 492817',
};
type Copying = { copyAsTest: typeof copyAsTest; testFor: typeof testFor };

/** What is copied for a framework, and what the list of frameworks was. */
async function copied(
  framework: string,
  account: Partial<AccountInfo> & { values: Record<string, unknown> },
  item: object = LETTER,
) {
  const host = pretended();
  const texts: string[] = [];
  const offered: string[] = [];
  Object.assign(host.vscode.env, {
    clipboard: {
      writeText: async (text: string) => {
        texts.push(text);
      },
    },
  });
  Object.assign(host.vscode.window, {
    setStatusBarMessage() {},
    showQuickPick: async (all: { label: string }[]) => {
      offered.push(...all.map(({ label }) => label));
      return all.find(({ label }) => label === framework);
    },
  });
  const { copyAsTest: copy } = await withVscode<Copying>('mail/copyAsTest.ts', host.vscode);
  await copy({ id: 'a', name: 'Mine', provider: providerById('imap') as never, ...account }, item as never);
  return { text: texts[0] ?? '', offered };
}

describe('copy as test', function () {
  this.timeout(120_000);
  it('what is copied for Mocha waits for such a message and passes; without one it fails and says what came instead', async () => {
    const server = await startMailServer({ smtp: 0, imap: 0 });
    const post = createTransport({ host: server.host, port: server.smtp.port });
    const folder = mkdtempSync(join(tmpdir(), 'mailroom-copied-'));
    mkdirSync(join(folder, 'node_modules'));
    symlinkSync(root, join(folder, 'node_modules/n8n-nodes-mailroom'), 'junction');
    try {
      const { text } = await copied('Mocha', { values: without(server.account, 'password'), local: 'SMTP' });
      const file = join(folder, 'welcome.test.mjs');
      writeFileSync(file, text);
      const mocha = () =>
        run(process.execPath, [join(root, 'node_modules/mocha/bin/mocha.js'), '--no-config', '--exit', file], {
          cwd: folder,
          env: { ...process.env, NODE_OPTIONS: '' },
        });
      await post.sendMail({ from: 'shop@example.com', to: 'ann@example.com', subject: 'Another', text: 'x' });
      await assert.rejects(mocha(), (error: { stdout: string }) =>
        /No message to “ann@example\.com”[^]*came within 10 s\. Instead one message came:[^]*“Another”/.test(
          error.stdout,
        ),
      );
      await post.sendMail({
        from: 'shop@example.com',
        to: 'ann@example.com',
        subject: LETTER.subject,
        text: LETTER.text,
        html: LETTER.html,
      });
      assert.match((await mocha()).stdout, /1 passing/);
    } finally {
      post.close();
      await server.close();
      rmSync(folder, { recursive: true, force: true });
    }
  });
  const values = { user: 'ann@example.com', imapHost: 'imap.example.com', imapSecurity: 'tls', smtpHost: null };
  for (const framework of ['Vitest', 'Mocha', 'Playwright']) {
    it(`what is copied for ${framework} is a program, whatever the subject is, and holds no secret`, async () => {
      const { text, offered } = await copied(
        framework,
        { values: values as never },
        { ...LETTER, subject: `'); process.exit(1); /* \n\u2028 */ ('` },
      );
      const { diagnostics } = ts.transpileModule(text, {
        reportDiagnostics: true,
        compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 },
      });
      assert.deepEqual(
        diagnostics?.map(({ messageText }) => messageText),
        [],
      );
      assert.match(text, /password: process\.env\.MAIL_PASSWORD/);
      assert.ok(!/^\s*process\.exit/m.test(text));
      assert.deepEqual(offered, ['Vitest', 'Mocha', 'Playwright', 'pytest']);
    });
  }
  it('what is copied for pytest connects as the account does', async () => {
    assert.match(
      (await copied('pytest', { values: values as never })).text,
      /IMAP4_SSL\("imap\.example\.com", 993\)[^]*login\("ann@example\.com", os\.environ\["MAIL_PASSWORD"\]\)[^]*assert "\/\/shop\.example" in text/,
    );
    assert.match(
      (await copied('pytest', { values: { ...values, imapSecurity: 'starttls', imapPort: 143 } as never })).text,
      /IMAP4\("imap\.example\.com", 143\) as inbox:\n +inbox\.starttls\(\)/,
    );
  });
  it('a provider without IMAP is offered what it can', async () => {
    const other = providers.find(({ id, feeds }) => id !== 'imap' && Object.hasOwn(feeds, 'messageReceived'))!;
    const { offered, text } = await copied('Vitest', {
      provider: other as never,
      values: { baseUrl: 'https://x.example' },
    });
    assert.deepEqual(offered, ['Vitest', 'Mocha', 'Playwright']);
    assert.match(text, new RegExp(`provider: '${other.id}'`));
  });
});
const without = (values: Record<string, unknown>, ...names: string[]): Record<string, unknown> =>
  Object.fromEntries(Object.entries(values).filter(([key]) => !names.includes(key)));
