import type { AuthorizationServer } from 'oauth4webapi';
import { isMailError, MailError } from '../errors.js';
import { exchange, type Explain, type HttpResponse, type Send } from '../http.js';
import { retryAfter } from '../wait.js';
import { hiding, redact, withoutSecrets } from '../secrets.js';
import type { Provider } from '../provider.js';
import { createSend } from '../send.js';
import { crossesReadable, originOf } from '../url.js';

/** The app as the vendor knows it. Without a secret it is a public client (RFC 6749 section 2.1). */
export interface OAuth2App {
  clientId: string;
  clientSecret?: string;
  redirectUri: string;
}

/**
 * What a grant gave. Times are milliseconds since 1970 by this machine's clock; `expiresAt` is absent where the vendor
 * did not say.
 */
export interface OAuth2Tokens {
  accessToken: string;
  refreshToken?: string;
  expiresAt?: number;
  obtainedAt: number;
  scope?: string;
}

/** Whose tokens, from where. `account` holds the provider's account fields, from which its addresses are derived. */
export interface OAuth2Options {
  provider: Provider;
  account: Readonly<Record<string, unknown>>;
  app: OAuth2App;
  /** The host's sender, with its network rules; must not sign. A plain one unless given. */
  send?: Send;
  signal?: AbortSignal;
  /** Milliseconds since 1970; for tests. */
  now?: () => number;
}

/** How long the vendor is left alone after it refused a grant as too early and named no time, in milliseconds. */
export const SPACING = 60_000;

const grants = ({ provider }: Pick<OAuth2Options, 'provider'>) => {
  if (!provider.auth.oauth2)
    throw new MailError('unsupported', `${provider.name} has no OAuth 2.`, { provider: provider.name });
  return provider.auth.oauth2;
};

/**
 * The address, unless codes and tokens would cross the network readable on the way to it and the account does not say
 * that they may.
 */
function guarded(address: string, account: OAuth2Options['account']): string {
  if (account.plainHttp === true || !crossesReadable(address)) return address;
  throw new MailError(
    'invalid_input',
    `Tokens would cross the network readable on their way to ${originOf(address)}. Use an address that begins with https://.`,
  );
}

/** The library that knows the protocol, loaded with the first sign-in or renewal. Requests go out by our own sender. */
const library = () => import('oauth4webapi');

/**
 * The address a person opens to consent (RFC 6749 section 4.1.1), always with PKCE (RFC 7636): who does not know it
 * must ignore it (RFC 6749 section 3.1). Keep `state` and `verifier` until the redirect.
 */
export async function authorization({
  provider,
  account,
  app,
  scopes,
  state,
  verifier,
}: Pick<OAuth2Options, 'provider' | 'account' | 'app'> & {
  scopes?: readonly string[];
  state?: string;
  verifier?: string;
}): Promise<{ url: string; state: string; verifier: string }> {
  const oauth2 = grants({ provider });
  const oauth = await library();
  const url = new URL(guarded(oauth2.authorizeUrl(account as never), account));
  const kept = {
    state: state ?? oauth.generateRandomState(),
    verifier: verifier ?? oauth.generateRandomCodeVerifier(),
  };
  const asked: Record<string, string> = {
    response_type: 'code',
    client_id: app.clientId,
    redirect_uri: app.redirectUri,
    scope: (scopes ?? oauth2.scopes).join(' '),
    state: kept.state,
    code_challenge: await oauth.calculatePKCECodeChallenge(kept.verifier),
    code_challenge_method: 'S256',
  };
  for (const [name, value] of Object.entries(asked)) url.searchParams.set(name, value);
  return { url: url.href, ...kept };
}

/**
 * The code in the address the browser was sent back to. Throws `forbidden` when consent was refused, `invalid_input`
 * when the state is not ours or another server than the one that was asked says that it answers (`iss`, RFC 9207).
 */
export async function readRedirect(
  address: string,
  state: string,
  { provider, account }: Pick<OAuth2Options, 'provider' | 'account'>,
): Promise<string> {
  const oauth = await library();
  const { origin } = new URL(grants({ provider }).authorizeUrl(account as never));
  const given = new URL(address).searchParams;
  const iss = given.get('iss') ?? '';
  // The issuers of vendors are not known here, but each is where its people sign in.
  const server: AuthorizationServer = { issuer: URL.canParse(iss) && new URL(iss).origin === origin ? iss : origin };
  try {
    const code = oauth.validateAuthResponse(server, { client_id: '-' }, given, state).get('code');
    if (code) return code;
  } catch (error) {
    if (error instanceof oauth.AuthorizationResponseError) {
      throw new MailError(
        'forbidden',
        `Consent was not given (${redact([error.error, error.error_description].filter(Boolean).join(': '))}).`,
      );
    }
    if (iss !== '' && iss !== server.issuer) {
      throw new MailError(
        'invalid_input',
        `Another server answered than the one at ${origin} that was asked. Sign in again, and look at the address.`,
      );
    }
    throw new MailError(
      'invalid_input',
      'This sign-in was not started here, or another was started since. Sign in again.',
    );
  }
  throw new MailError('protocol', 'The sign-in ended without a code.');
}

/** Exchanges the code of a redirect for tokens (RFC 6749 section 4.1.3). Store them before anything else. */
export const exchangeCode = (options: OAuth2Options & { code: string; verifier: string }): Promise<OAuth2Tokens> =>
  grant(options, 'authorization_code', { code: options.code, code_verifier: options.verifier });

/**
 * New tokens for a refresh token (RFC 6749 section 6). The old refresh token may be dead afterwards: store the new one
 * before it is used.
 */
export const refreshTokens = (options: OAuth2Options & { refreshToken: string }): Promise<OAuth2Tokens> =>
  grant(options, 'refresh_token', { refresh_token: options.refreshToken }).then(tokens => ({
    refreshToken: options.refreshToken,
    ...tokens,
  }));

async function grant(options: OAuth2Options, type: string, form: Record<string, string>): Promise<OAuth2Tokens> {
  const { provider, account, app, send = createSend(), signal, now = Date.now } = options;
  const oauth = await library();
  const url = guarded(grants({ provider }).tokenUrl(account as never), account);
  const secrets = [app.clientSecret, form.code, form.code_verifier, form.refresh_token].filter(
    value => value !== undefined && value !== '',
  ) as string[];
  const operation = type === 'refresh_token' ? 'renewing the token' : 'signing in';
  const ctx = {
    provider: provider.name,
    operation,
    account: {},
    send,
    hide: hiding(secrets),
    ...(signal ? { signal } : {}),
  };
  const server: AuthorizationServer = { issuer: new URL(url).origin, token_endpoint: url };
  const client = { client_id: app.clientId };
  const started = now();
  /**
   * Our own sender in the place of the library's: it has the host's network rules, and turns refusals into our errors.
   */
  const sent = async (to: string, { headers, body }: { headers: Record<string, string>; body: URLSearchParams }) =>
    new Response(
      readable(
        await exchange(ctx, { method: 'POST', url: to, headers, body: body.toString() }, explain(provider.name)),
      ),
      { headers: { 'content-type': 'application/json' } },
    );
  try {
    const answer = await oauth.genericTokenEndpointRequest(
      server,
      client,
      app.clientSecret ? oauth.ClientSecretPost(app.clientSecret) : oauth.None(),
      type,
      { redirect_uri: app.redirectUri, ...form },
      { [oauth.allowInsecureRequests]: true, [oauth.customFetch]: sent as never },
    );
    const said = await oauth.processGenericTokenEndpointResponse(server, client, answer);
    if (said.token_type !== 'bearer') throw new Error('no bearer token');
    return {
      accessToken: said.access_token,
      obtainedAt: started,
      ...(said.refresh_token ? { refreshToken: said.refresh_token } : {}),
      ...(said.expires_in ? { expiresAt: started + said.expires_in * 1000 } : {}),
      ...(said.scope === undefined ? {} : { scope: said.scope }),
    };
  } catch (error) {
    signal?.throwIfAborted();
    if (isMailError(error)) throw withoutSecrets(error, secrets);
    // Neither an excerpt nor the library's words go into the message: half of this body may be a token.
    throw new MailError('protocol', `${provider.name} answered ${operation} without a bearer token.`, {
      provider: provider.name,
      status: 200,
    });
  }
}

/**
 * The answer as the library takes it. A refresh token may be dead by now, so what is odd beside the new tokens must not
 * lose them: it is left out. An id token nobody asked for; a missing type of token is the only type there is.
 */
function readable({ body }: HttpResponse): string {
  let said: Record<string, unknown>;
  try {
    said = (JSON.parse(Buffer.from(body).toString('utf8')) ?? {}) as typeof said;
  } catch {
    return '';
  }
  const { access_token, token_type = 'bearer', refresh_token, scope } = said;
  const expires_in = Number(said.expires_in);
  return JSON.stringify({
    access_token,
    token_type,
    ...(typeof refresh_token === 'string' && refresh_token !== '' ? { refresh_token } : {}),
    ...(Number.isFinite(expires_in) && expires_in > 0 ? { expires_in } : {}),
    ...(typeof scope === 'string' ? { scope } : {}),
  });
}

/** RFC 6749 section 5.2, and the plain text that some vendors throttle with. */
const explain =
  (provider: string): Explain =>
  ({ status, headers, body }) => {
    let said: { error?: unknown; error_description?: unknown };
    try {
      said = (JSON.parse(Buffer.from(body).toString('utf8')) ?? {}) as typeof said;
    } catch {
      said = {};
    }
    const words = redact(
      [said.error, said.error_description].filter(part => typeof part === 'string' && part !== '').join(': '),
    );
    if (status === 429)
      return {
        code: 'rate_limited',
        message: `${provider} gives no new token yet.`,
        retryAfter: retryAfter(headers) ?? SPACING / 1000,
      };
    if (status >= 500)
      return { code: 'unavailable', message: `${provider} could not give a token (status ${status}).` };
    if (said.error === 'invalid_grant')
      return { code: 'unauthorized', message: `Sign in again: ${provider} no longer accepts this sign-in (${words}).` };
    if (said.error === 'invalid_client' || said.error === 'unauthorized_client') {
      return { code: 'unauthorized', message: `${provider} does not accept the client id and secret (${words}).` };
    }
    return {
      code: status === 403 ? 'forbidden' : status === 401 ? 'unauthorized' : 'rejected',
      message: `${provider} gave no token (${words || `status ${status}`}).`,
    };
  };
