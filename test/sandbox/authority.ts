import { createHash, randomBytes } from 'node:crypto';
import { consentPage, decisionOf, refusedHere } from './consent.js';
import type { Mail } from './mail.js';
import { startVendor, type Reply, type Seen, type Vendor } from './vendor.js';

/** A pretend authority that signs people in for the mail servers, as Google and Microsoft do for theirs. */
export interface Authority extends Vendor {
  /** Where the app may send people back to, compared letter by letter. */
  redirectUris: string[];
  /** Access tokens last so long; in seconds. */
  tokenLifetime: number;
  /** How many codes and refresh tokens were exchanged. */
  grants: number;
}
const SCOPE = 'mail';

/**
 * OAuth 2 with codes (RFC 6749 section 4.1), PKCE where the app wants it (RFC 7636), and refresh tokens that die when
 * they were used. Its access tokens are those that the IMAP and SMTP servers of `mail` take by XOAUTH2.
 */
export async function startAuthority(mail: Mail): Promise<Authority> {
  const app = { clientId: 'sandbox-mail-app', clientSecret: 'sandbox-mail-secret-0123456789' };
  const codes = new Map<string, { user: string; redirect: string; expires: number; challenge?: string }>();
  const refresh = new Map<string, string>();
  const authority = (await startVendor({
    id: 'authority',
    account: url => ({ ...app, ownAuthUrl: `${url}/authorize`, ownTokenUrl: `${url}/token`, ownScope: SCOPE }),
    throttled: () => ({ status: 429, body: '' }),
    handle: request =>
      request.path === '/authorize'
        ? authorize(request)
        : request.path === '/token' && request.method === 'POST'
          ? token(request)
          : { status: 404, body: '' },
  })) as Authority;
  Object.assign(authority, { redirectUris: [], tokenLifetime: 3600, grants: 0 });

  function authorize(request: Seen): Reply {
    const { query } = request;
    const redirect = query.get('redirect_uri') ?? '';
    if (query.get('client_id') !== app.clientId)
      return refusedHere(request, 'Mail', 400, 'This app is not known here.');
    if (!authority.redirectUris.includes(redirect))
      return refusedHere(request, 'Mail', 400, `The app did not register ${redirect} as its redirect address.`);
    const back = new URL(redirect);
    const decision = decisionOf(request);
    const user = decision?.user ?? mail.users[0]!.user;
    if (query.has('state')) back.searchParams.set('state', query.get('state')!);
    const error =
      query.get('response_type') !== 'code'
        ? 'unsupported_response_type'
        : query.get('scope') !== SCOPE
          ? 'invalid_scope'
          : query.has('code_challenge') && query.get('code_challenge_method') !== 'S256'
            ? 'invalid_request'
            : decision?.allow === false || !mail.store.accounts.has(user)
              ? 'access_denied'
              : undefined;
    if (error) back.searchParams.set('error', error);
    else if (!decision)
      return consentPage(
        'Mail',
        app.clientId,
        [SCOPE],
        mail.users.map(one => one.user),
      );
    else {
      const code = randomBytes(16).toString('hex');
      const challenge = query.get('code_challenge');
      codes.set(code, { user, redirect, expires: authority.now() + 60_000, ...(challenge ? { challenge } : {}) });
      back.searchParams.set('code', code);
    }
    return { status: 302, headers: { location: back.href } };
  }
  function token(request: Seen): Reply {
    const form = new URLSearchParams(request.body.toString());
    const refuse = (error: string, status = 400): Reply => ({ status, body: { error } });
    if (!/^application\/x-www-form-urlencoded\b/.test(request.headers['content-type'] ?? ''))
      return refuse('invalid_request');
    if (form.get('client_id') !== app.clientId || form.get('client_secret') !== app.clientSecret)
      return refuse('invalid_client', 401);
    let user: string | undefined;
    if (form.get('grant_type') === 'authorization_code') {
      const given = form.get('code') ?? '';
      const known = codes.get(given);
      codes.delete(given);
      const proven =
        !known?.challenge ||
        known.challenge ===
          createHash('sha256')
            .update(form.get('code_verifier') ?? '')
            .digest('base64url');
      if (known && proven && known.expires > authority.now() && form.get('redirect_uri') === known.redirect)
        user = known.user;
    } else if (form.get('grant_type') === 'refresh_token') {
      user = refresh.get(form.get('refresh_token') ?? '');
      refresh.delete(form.get('refresh_token') ?? '');
    } else return refuse('unsupported_grant_type');
    if (user === undefined) return refuse('invalid_grant');
    const next = randomBytes(24).toString('base64url');
    refresh.set(next, user);
    authority.grants++;
    return {
      status: 200,
      headers: { 'cache-control': 'no-store' },
      body: {
        access_token: mail.token(user, authority.tokenLifetime * 1000),
        token_type: 'Bearer',
        expires_in: authority.tokenLifetime,
        refresh_token: next,
        scope: SCOPE,
      },
    };
  }
  return authority;
}
