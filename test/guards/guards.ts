import { MAIL } from './mail.js';
import { SECRECY } from './secrecy.js';
import { WIRE } from './wire.js';

/**
 * A check that people rely on: where it stands, what stands there when it is taken out, and the tests that must notice.
 */
export interface Guard {
  name: string;
  file: string;
  guard: string;
  without: string;
  tests: readonly string[];
}

/** Finds a guard however its lines are broken: blanks count nowhere, nor does a comma before a bracket that closes. */
export function layoutOf(guard: string): RegExp {
  const tokens = guard.match(/\w+|[^\w\s]/g) ?? [];
  return new RegExp(
    tokens
      .map(token => (/^[\])}]$/.test(token) ? `,?\\s*\\${token}` : /\w/.test(token) ? token : `\\${token}`))
      .join('\\s*'),
    'g',
  );
}

const http = ['test/core/http.test.ts'];
const sending = ['test/core/asking.test.ts'];
const oauth2 = ['test/core/oauth2.test.ts'];
const secrets = ['test/core/secrets.test.ts'];
const test = ['test/nodes/credentialTest.test.ts'];

/**
 * Each of these was once taken out without a test that noticed, or guards what may never happen. None needs a build.
 */
export const GUARDS: readonly Guard[] = [
  {
    name: 'the name of an allowed certificate',
    file: 'shared/providers/imap/account/certificate.ts',
    tests: ['test/providers/imapRead.test.ts'],
    guard: '=== fingerprint ? undefined : tls.checkServerIdentity(host, certificate)',
    without: '=== fingerprint ? undefined : undefined',
  },
  {
    name: 'the address that the egress filter resolved',
    file: 'shared/providers/imap/session/imapConnect.ts',
    tests: ['test/providers/imapRead.test.ts'],
    guard: 'await (ctx.resolve?.(end.host) ?? end.host)',
    without: '(await ctx.resolve?.(end.host), end.host)',
  },
  {
    name: '__proto__ in JSON answers',
    file: 'shared/codecs/json.ts',
    tests: ['test/core/json.test.ts'],
    guard: "key === '__proto__' ? undefined : value",
    without: 'value',
  },
  {
    name: 'secrets in list fields',
    file: 'shared/client.ts',
    tests: ['test/core/client.test.ts'],
    guard: "field.type === 'list' && isSecret(field.of)",
    without: 'false',
  },
  {
    name: 'the cleaning of token errors',
    file: 'shared/auth/oauth2.ts',
    tests: oauth2,
    guard: 'throw withoutSecrets(error, secrets);',
    without: 'throw error;',
  },
  {
    name: 'tokens in logged paths',
    file: 'shared/url.ts',
    tests: ['test/core/send.test.ts'],
    guard: ".replace(/(\\/[^/]*(?:token|secret|password)[^/]*\\/)[^/]+/gi, '$1***')",
    without: '',
  },
  {
    name: 'control characters in own headers',
    file: 'shared/providers/imap/operations/headerChecks.ts',
    tests: ['test/providers/imapSend.test.ts'],
    guard: "if (/\\p{Cc}/u.test(value.replace(/\\t/g, ' ')))",
    without: 'if (false)',
  },
  {
    name: 'the warning of punycode',
    file: 'extension/mail/links.ts',
    tests: ['test/extension/reader.test.ts'],
    guard: '/(^|\\.)xn--/.test(url.hostname)',
    without: 'false',
  },
  {
    name: 'plain HTTP of a base address',
    file: 'shared/connect.ts',
    tests: ['test/core/client.test.ts', 'test/core/network.test.ts', 'test/core/send.test.ts'],
    guard: 'crossesReadable(values.baseUrl)',
    without: 'false',
  },
  {
    name: 'plain HTTP of a grant',
    file: 'shared/auth/oauth2.ts',
    tests: oauth2,
    guard: '!crossesReadable(address)',
    without: 'true',
  },
  {
    name: "plain HTTP of n8n's own grants",
    file: 'nodes/lib/account.ts',
    tests: ['test/nodes/oauth2.test.ts'],
    guard: '(?::\\d+)?(?:\\/|$))/i`',
    without: ')/i`',
  },
  {
    name: "plain HTTP of n8n's renewals",
    file: 'nodes/lib/host.ts',
    tests: ['test/nodes/oauth2.test.ts'],
    guard: 'crossesReadable(accessTokenUrl)',
    without: 'false',
  },
  {
    name: 'one renewal for each token',
    file: 'nodes/lib/host.ts',
    tests: ['test/nodes/oauth2.test.ts'],
    guard: 'const last = renewals.get(key);',
    without: 'const last = undefined as ReturnType<typeof renewals.get>;',
  },
  {
    name: 'the issuer of a sign-in',
    file: 'shared/auth/oauth2.ts',
    tests: oauth2,
    guard: 'URL.canParse(iss) && new URL(iss).origin === origin ? iss : origin',
    without: 'iss || origin',
  },
  {
    name: 'new tokens beside what is odd',
    file: 'shared/auth/oauth2.ts',
    tests: oauth2,
    guard: 'Number.isFinite(expires_in) && expires_in > 0 ? { expires_in } : {}',
    without: '{ expires_in: said.expires_in }',
  },
  {
    name: 'the address of a credential test',
    file: 'nodes/lib/host.ts',
    tests: test,
    guard: 'isProtected() ? publicAddress(host) : Promise.resolve(host)',
    without: 'Promise.resolve(host)',
  },
  {
    name: 'private addresses',
    file: 'nodes/lib/privateAddress.ts',
    tests: test,
    guard: 'blocked.check(bare, familyOf(bare))',
    without: 'false',
  },
  {
    name: 'all addresses of a name',
    file: 'nodes/lib/privateAddress.ts',
    tests: test,
    guard: 'for (const { address } of found) {',
    without: 'for (const { address } of found.slice(0, 1)) {',
  },
  {
    name: 'names that are blocked',
    file: 'nodes/lib/privateAddress.ts',
    tests: test,
    guard: '!allowedName && named(name, parted(environment[BLOCKED_NAMES]))',
    without: 'false',
  },
  {
    name: 'the dot at the end of a name',
    file: 'nodes/lib/privateAddress.ts',
    tests: test,
    guard: ".replace(/\\.$/, '')",
    without: '',
  },
  {
    name: 'what is said of no mail server',
    file: 'nodes/lib/host.ts',
    tests: test,
    guard: 'resolve, discreet: true,',
    without: 'resolve,',
  },
  {
    name: 'writes are not tried again',
    file: 'shared/http.ts',
    tests: http,
    guard: "request.method === 'GET' && ++failed < TRIES",
    without: '++failed < TRIES',
  },
  {
    name: 'the floor of a rest',
    file: 'shared/http.ts',
    tests: ['test/core/pace.test.ts'],
    guard: 'Math.max(named ?? 0, backoff(throttled + failed))',
    without: '(named ?? backoff(throttled + failed))',
  },
  {
    name: 'one patience for a throttled request',
    file: 'shared/pace.ts',
    tests: ['test/core/pace.test.ts'],
    guard: 'const came = this.clock() - waited;',
    without: 'const came = this.clock();',
  },
  {
    name: 'how long a throttled request has waited',
    file: 'shared/http.ts',
    tests: http,
    guard: 'failed + throttled + 1, performance.now() - began',
    without: 'failed + throttled + 1, 0',
  },
  {
    name: 'the status of an answer that breaks off',
    file: 'shared/http.ts',
    tests: http,
    guard: 'broke off: ${reason(error, ctx.hide)}.`, { ...where, cause: error }',
    without: 'broke off: ${reason(error, ctx.hide)}.`, { cause: error }',
  },
  {
    name: 'codes are no secrets',
    file: 'shared/secrets.ts',
    tests: secrets,
    guard: "isCode(run, at, whole) ? run : '***'",
    without: "'***'",
  },
  {
    name: 'a spelling within another',
    file: 'shared/secrets.ts',
    tests: secrets,
    guard: 'if (depth >= DEEPEST) continue;',
    without: 'continue;',
  },
  {
    name: 'what a download unpacks to',
    file: 'shared/decode.ts',
    tests: http,
    guard: 'if (went > ALWAYS && went > came * TIMES) throw',
    without: 'if (false) throw',
  },
  {
    name: 'a packed answer that is given up',
    file: 'shared/decode.ts',
    tests: http,
    guard: 'await parts.return?.();',
    without: '',
  },
  {
    name: 'packings round each other',
    file: 'shared/decode.ts',
    tests: http,
    guard: 'if (packings.length > MOST_PACKINGS) throw',
    without: 'if (false) throw',
  },
  {
    name: 'the charset of a refusal',
    file: 'shared/http.ts',
    tests: http,
    guard: "headers['content-type'] = `",
    without: "headers['x-other'] = `",
  },
  {
    name: 'what is wrong with a certificate',
    file: 'shared/dispatcher.ts',
    tests: ['test/core/tls.test.ts'],
    guard: "prependOnceListener('secure', () => { shown = socket.getPeerCertificate(true); })",
    without: "prependOnceListener('secure', () => {})",
  },
  {
    name: 'the rest of the account',
    file: 'shared/pace.ts',
    tests: ['test/core/pace.test.ts'],
    guard: 'notBefore = Math.max(notBefore, now + Math.min(ms, LONGEST_REST));',
    without: '',
  },
  {
    name: 'a refusal is read before the next turn',
    file: 'shared/send.ts',
    tests: ['test/core/pace.test.ts'],
    guard: 'answer.status < 400 ? done?.() : void setImmediate(() => done?.())',
    without: 'done?.()',
  },
  {
    name: 'doubt of a lost write',
    file: 'shared/http.ts',
    tests: http,
    guard: "request.method === 'GET' ? known : doubtful(known)",
    without: 'known',
  },
  {
    name: 'redirects',
    file: 'shared/http.ts',
    tests: http,
    guard: 'if (answer.status < 400) {',
    without: 'if (answer.status < 300) {',
  },
  {
    name: 'the size of an answer',
    file: 'shared/http.ts',
    tests: http,
    guard: 'if (size > LARGEST_ANSWER) {',
    without: 'if (false) {',
  },
  {
    name: 'a turn lasts to the end of a body',
    file: 'shared/send.ts',
    tests: sending,
    guard: 'guarded(answer.body, signal, timeoutMs, over)',
    without: '(over(), guarded(answer.body, signal, timeoutMs, () => {}))',
  },
  {
    name: 'what comes before an answer',
    file: 'shared/asking.ts',
    tests: sending,
    guard: 'if (status < 200) return;',
    without: '',
  },
  {
    name: 'a request that was given up before it left',
    file: 'shared/asking.ts',
    tests: sending,
    guard: 'if (this.#stopped) controller.abort(this.#stopped);',
    without: '',
  },
  {
    name: 'an answer that nobody reads yet',
    file: 'shared/asking.ts',
    tests: sending,
    guard: '>= MOST_KEPT) controller.pause();',
    without: '>= MOST_KEPT);',
  },
  {
    name: 'an answer that is read on',
    file: 'shared/asking.ts',
    tests: sending,
    guard: 'if (!this.#kept.length) this.#controller?.resume();',
    without: '',
  },
  {
    name: 'an answer that breaks off under its reader',
    file: 'shared/asking.ts',
    tests: sending,
    guard: 'if (!part && this.#over?.error) throw this.#over.error;',
    without: '',
  },
  {
    name: 'dot segments in paths',
    file: 'shared/url.ts',
    tests: http,
    guard: "part === '' || part === '.' || part === '..'",
    without: "part === ''",
  },
  {
    name: 'half characters in paths',
    file: 'shared/url.ts',
    tests: http,
    guard: 'if (/\\p{Surrogate}/u.test(part))',
    without: 'if (false)',
  },
  {
    name: 'secrets before patterns',
    file: 'shared/http.ts',
    tests: secrets,
    guard: 'const text = textOf({ ...answer, body: answer.body.subarray(0, LARGEST_REFUSAL) });',
    without: 'const text = redact(textOf({ ...answer, body: answer.body.subarray(0, LARGEST_REFUSAL) }));',
  },
  ...SECRECY,
  ...MAIL,
  ...WIRE,
];
