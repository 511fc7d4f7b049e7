import * as vscode from 'vscode';
import { codesIn, linksIn, type Address, type Fields } from '../../shared/index.js';
import type { AccountInfo } from '../accounts/store.js';
import { isSecretField } from '../fields/values.js';
import { t } from '../host/text.js';
import { window } from '../host/window.js';

/**
 * What a test says of a message: for whom it is, its subject, and what of its content stays the same from one to the
 * next.
 */
export interface Expected {
  to: string;
  subject: string;
  hosts: string[];
  hasCode: boolean;
}
/** The account of a test: open values as they are, secrets by the names of environment variables. */
export interface TestAccount {
  provider: string;
  values: Readonly<Record<string, unknown>>;
  env: Readonly<Record<string, string>>;
}
interface Framework {
  id: string;
  label: string;
  detail: string;
}

const FRAMEWORKS: readonly Framework[] = [
  { id: 'vitest', label: 'Vitest', detail: 'JavaScript, TypeScript' },
  { id: 'mocha', label: 'Mocha', detail: 'JavaScript, TypeScript' },
  { id: 'playwright', label: 'Playwright', detail: 'JavaScript, TypeScript' },
  { id: 'pytest', label: 'pytest', detail: 'Python' },
];

/** Copies a test that waits for a message such as this one. */
export async function copyAsTest(account: AccountInfo, item: Readonly<Record<string, unknown>>): Promise<void> {
  const about = accountOf(account);
  const frameworks = FRAMEWORKS.filter(({ id }) => id !== 'pytest' || typeof account.values.imapHost === 'string');
  const picked = await window.showQuickPick(frameworks, {
    title: t('Copy as Test'),
    placeHolder: t('For which test framework?'),
  });
  if (!picked) return;
  const links = await linksIn(item);
  const to = ((item.to ?? []) as Address[])[0]?.email ?? '';
  await vscode.env.clipboard.writeText(
    testFor(picked.id, about, {
      to,
      subject: typeof item.subject === 'string' ? item.subject : '',
      hasCode: codesIn(item).length > 0,
      hosts: [...new Set(links.map(({ url }) => hostOf(url)).filter(Boolean))].slice(0, 3),
    }),
  );
  window.setStatusBarMessage('check', t('Copied. Paste it into a test file.'), 5000);
}
const hostOf = (url: string): string => {
  try {
    return /^https?:/i.test(url) ? new URL(url).host : '';
  } catch {
    return '';
  }
};

/** No secret goes to the clipboard; that of the server of this window is none. */
function accountOf({ provider, values, local }: AccountInfo): TestAccount {
  const fields = provider.auth.fields as Fields;
  const secret = Object.keys(fields).filter(
    name => isSecretField(fields, name) && (fields[name]!.required || name === 'password'),
  );
  return local === undefined
    ? {
        provider: provider.id,
        values,
        env: Object.fromEntries(
          secret.map(name => [name, `MAIL_${name.replace(/([a-z])([A-Z])/g, '$1_$2').toUpperCase()}`]),
        ),
      }
    : {
        provider: provider.id,
        values: { ...values, ...Object.fromEntries(secret.map(name => [name, 'any'])) },
        env: {},
      };
}

/** A text in single quotes, whatever is in it. */
const quoted = (text: string): string =>
  `'${JSON.stringify(text).slice(1, -1).replace(/\\"/g, '"').replace(/'/g, "\\'")}'`;
const literal = (value: unknown): string => (typeof value === 'string' ? quoted(value) : JSON.stringify(value));

/** The test as text. */
export function testFor(framework: string, account: TestAccount, expected: Expected): string {
  return framework === 'pytest' ? python(account, expected) : javascript(framework, account, expected);
}

function javascript(
  framework: string,
  { provider, values, env }: TestAccount,
  { to, subject, hosts, hasCode }: Expected,
): string {
  const fields = [
    ...Object.entries(values)
      .filter(([, value]) => value !== undefined && value !== null)
      .map(([name, value]) => `${name}: ${literal(value)}`),
    ...Object.entries(env).map(([name, variable]) => `${name}: process.env.${variable}`),
  ];
  const wanted = [
    ...(to ? [`to: ${quoted(to)}`] : []),
    ...(subject ? [`subject: ${quoted(subject)}`] : []),
    'since',
    'within: 10_000',
  ].join(', ');
  const mocha = framework === 'mocha';
  const has = (list: string, one: string) =>
    mocha ? `assert.ok(${list}.includes(${one}));` : `expect(${list}).toContain(${one});`;
  const title = quoted(`receives “${subject || to}”`);
  const [imports, begin, end] = {
    vitest: [`import { expect, it } from 'vitest';`, `it(${title}, async () => {`, '}, 20_000);'],
    mocha: [
      `import assert from 'node:assert/strict';`,
      `it(${title}, async function () {\n  this.timeout(20_000);`,
      '});',
    ],
    playwright: [`import { expect, test } from '@playwright/test';`, `test(${title}, async () => {`, '});'],
  }[framework]!;
  return [
    imports,
    `import { waitFor } from 'n8n-nodes-mailroom';`,
    '',
    `const mail = {\n  provider: ${quoted(provider)},\n  account: {`,
    ...fields.map(one => `    ${one},`),
    '  },\n};',
    '',
    begin,
    '  // Send the message here, and take the time before that: const since = new Date();',
    '  const since = new Date(Date.now() - 5 * 60_000);',
    `  const message = await waitFor(mail, { ${wanted} });`,
    ...(subject
      ? [
          mocha
            ? `  assert.equal(message.subject, ${quoted(subject)});`
            : `  expect(message.subject).toBe(${quoted(subject)});`,
        ]
      : []),
    ...(hosts.length ? ['  const hosts = message.links.map(({ url }) => new URL(url).host);'] : []),
    ...hosts.map(host => `  ${has('hosts', quoted(host))}`),
    ...(hasCode
      ? [mocha ? '  assert.ok(message.codes.length > 0);' : '  expect(message.codes.length).toBeGreaterThan(0);']
      : []),
    end,
    '',
  ].join('\n');
}

/** Python has IMAP in its own library. */
function python({ values, env }: TestAccount, { to, subject, hosts }: Expected): string {
  const { imapHost, imapPort, imapSecurity, user } = values;
  const security = imapSecurity ?? (imapPort === 143 ? 'starttls' : 'tls');
  const port = imapPort ?? (security === 'tls' ? 993 : 143);
  const password = env.password
    ? `os.environ[${JSON.stringify(env.password)}]`
    : JSON.stringify(String(values.password ?? ''));
  return `import email
import imaplib
import os
import time
from email import policy


def wait_for(to, subject, since, within=10):
    """The newest message with these words in To and Subject that arrived at "since" or later, in seconds since 1970."""
    end = time.time() + within
    while time.time() < end:
        with imaplib.${security === 'tls' ? 'IMAP4_SSL' : 'IMAP4'}(${JSON.stringify(imapHost)}, ${String(port)}) as inbox:
${security === 'starttls' ? '            inbox.starttls()\n' : ''}            inbox.login(${JSON.stringify(String(user ?? ''))}, ${password})
            inbox.select("INBOX", readonly=True)
            for number in reversed(inbox.search(None, "ALL")[1][0].split()[-50:]):
                parts = inbox.fetch(number, "(INTERNALDATE BODY.PEEK[])")[1]
                told = b" ".join(part[0] if isinstance(part, tuple) else part for part in parts)
                message = email.message_from_bytes(parts[0][1], policy=policy.default)
                arrived = time.mktime(imaplib.Internaldate2tuple(told))
                fits = to.lower() in str(message["to"]).lower() and subject.lower() in str(message["subject"]).lower()
                if fits and arrived >= int(since):
                    return message
        time.sleep(0.2)
    raise AssertionError(f"No message to {to} with the subject {subject} came within {within} s")


def test_receives_the_message():
    # Send the message here, and take the time before that: since = time.time()
    since = time.time() - 5 * 60
    message = wait_for(${JSON.stringify(to)}, ${JSON.stringify(subject)}, since)
    assert message["subject"] == ${JSON.stringify(subject)}
${hosts.length ? `    text = "".join(part.get_content() for part in message.walk() if part.get_content_maintype() == "text")\n${hosts.map(host => `    assert ${JSON.stringify(`//${host}`)} in text`).join('\n')}\n` : ''}`;
}
