import type { Guard } from './guards.js';

const client = ['test/core/client.test.ts'];
const http = ['test/core/http.test.ts'];
const oauth2 = ['test/core/oauth2.test.ts'];
const secrets = ['test/core/secrets.test.ts'];
const headers = ['test/providers/imapSend.test.ts'];
const network = ['test/nodes/credentialTest.test.ts'];
const pages = ['test/extension/pages.test.ts'];
const panels = ['test/extension/policy.test.ts'];

/** Guards of what is secret, of what goes into headers, and of whom a page and a node may speak to. */
export const SECRECY: readonly Guard[] = [
  {
    name: 'what was not searched for secrets',
    file: 'shared/secrets.ts',
    tests: secrets,
    guard: 'places.push(outer(layer.outer([0, layer.text.length])));',
    without: '',
  },
  {
    name: 'secrets among bytes that are no text, in hex',
    file: 'shared/secrets.ts',
    tests: secrets,
    guard: '...bytesOf(secret, true).map((bytes): Form => ({',
    without: '...([] as Buffer[]).map((bytes): Form => ({',
  },
  {
    name: 'secrets that begin with a blank',
    file: 'shared/secrets.ts',
    tests: secrets,
    guard: "${char === ' ' ? '+_\\u00a0' : ''}",
    without: '',
  },
  {
    name: 'secrets in objects of classes of their own',
    file: 'shared/secrets.ts',
    tests: secrets,
    guard: "shows(value, hide) ? '***' : value",
    without: 'value',
  },
  {
    name: "errors that are somebody else's",
    file: 'shared/secrets.ts',
    tests: secrets,
    guard: 'isMailError(value) ? value : copyOf(value)',
    without: 'value',
  },
  {
    name: 'the end of a refusal that was cut',
    file: 'shared/http.ts',
    tests: http,
    guard: 'hide(text).slice(0, -CUT)',
    without: 'hide(text)',
  },
  {
    name: 'secrets in the headers of a refusal',
    file: 'shared/http.ts',
    tests: http,
    guard: '[name, hide(value)]',
    without: '[name, value]',
  },
  {
    name: 'secret headers in what is recorded',
    file: 'shared/wireText.ts',
    tests: ['test/core/wire.test.ts'],
    guard: "HEADER.test(name) ? '***' : without(value, hide)",
    without: 'without(value, hide)',
  },
  {
    name: 'the pair of Basic authentication',
    file: 'shared/connect.ts',
    tests: secrets,
    guard: 'if (pair) hidden.add(pair);',
    without: '',
  },
  {
    name: 'tokens that were given out',
    file: 'shared/connect.ts',
    tests: secrets,
    guard: 'hidden.add(now);',
    without: '',
  },
  {
    name: 'secrets of an account that signs',
    file: 'shared/connect.ts',
    tests: client,
    guard: 'Object.entries(whole).filter(([name]) => !isSecret(provider.auth.fields, name))',
    without: 'Object.entries(whole)',
  },
  {
    name: 'addresses that the host forbids',
    file: 'shared/send.ts',
    tests: ['test/core/send.test.ts'],
    guard: 'const allowed = allow?.(new URL(unsigned.url));',
    without: 'const allowed = undefined as Promise<void> | undefined;',
  },
  { name: 'PKCE', file: 'shared/auth/oauth2.ts', tests: oauth2, guard: "code_challenge_method: 'S256',", without: '' },
  {
    name: 'the kind of a token',
    file: 'shared/auth/oauth2.ts',
    tests: oauth2,
    guard: "if (said.token_type !== 'bearer') throw",
    without: 'if (false) throw',
  },
  {
    name: 'tokens are stored before they are used',
    file: 'shared/auth/tokenKeeper.ts',
    tests: oauth2,
    guard: 'await this.options.save(tokens);',
    without: 'void this.options.save(tokens);',
  },
  {
    name: 'what a store says of tokens',
    file: 'shared/auth/tokenKeeper.ts',
    tests: oauth2,
    guard: "throw withoutSecrets(this.notStored(error), [tokens.accessToken, tokens.refreshToken ?? '']);",
    without: 'throw this.notStored(error);',
  },
  {
    name: 'headers with a field of their own',
    file: 'shared/providers/imap/operations/headerChecks.ts',
    tests: headers,
    guard: 'if (RESERVED.test(key))',
    without: 'if (false)',
  },
  {
    name: 'control characters in the names of files',
    file: 'shared/providers/imap/operations/headerChecks.ts',
    tests: headers,
    guard: '.some(value => /\\p{Cc}/u.test(value))',
    without: '.some(() => false)',
  },
  {
    name: 'names that end like an allowed one',
    file: 'nodes/lib/privateAddress.ts',
    tests: network,
    guard: 'host.endsWith(one.slice(1))',
    without: 'host.endsWith(one.slice(2))',
  },
  {
    name: 'a setting that names nothing',
    file: 'nodes/lib/privateAddress.ts',
    tests: network,
    guard: '.filter(Boolean)',
    without: '',
  },
  {
    name: 'what a page may load',
    file: 'extension/webview/policy.ts',
    tests: pages,
    guard: `"default-src 'none'",`,
    without: '',
  },
  {
    name: 'what a page may run',
    file: 'extension/webview/policy.ts',
    tests: pages,
    guard: "`script-src 'nonce-${nonce}'`",
    without: "`script-src 'unsafe-inline'`",
  },
  {
    name: 'pictures from elsewhere, where nobody asked for them',
    file: 'extension/webview/policy.ts',
    tests: pages,
    guard: "images ? ' https: http:' : ''",
    without: "' https: http:'",
  },
  {
    name: 'the policy of a page within its attribute',
    file: 'extension/webview/panel.ts',
    tests: panels,
    guard: 'escapeText(policyOf(page, withImages, nonce, webview.cspSource))',
    without: 'policyOf(page, withImages, nonce, webview.cspSource)',
  },
  {
    name: 'the shape of what a page sends',
    file: 'extension/webview/panel.ts',
    tests: panels,
    guard: 'const message = readToHost(given);',
    without: 'const message = given as ReturnType<typeof readToHost>;',
  },
];
