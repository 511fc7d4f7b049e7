import type { Reply, Seen } from './vendor.js';

const escape = (text: string) => text.replace(/[&<>"]/g, c => `&#${c.charCodeAt(0)};`);
const html = (status: number, title: string, body: string): Reply => ({
  status,
  headers: { 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-store', 'x-frame-options': 'DENY' },
  body: `<!doctype html><html lang="en"><meta charset="utf-8"><title>${escape(title)}</title><style>body{font:16px/1.5 sans-serif;max-width:28rem;margin:4rem auto;padding:0 1rem}button{font:inherit;padding:.4rem 1.2rem;margin-right:.6rem}</style><h1>${escape(title)}</h1>${body}`,
});

/**
 * A person's refusal or consent, and with it who it was where the page asked. Undefined while the page is still to be
 * shown.
 */
export type Decision = { allow: boolean; user?: string } | undefined;
/** True for a browser; scripts, which nobody could ask, are taken to have consented. */
const isBrowser = ({ headers }: Seen) => (headers.accept ?? '').includes('text/html');

/**
 * What was decided by a request to an authorization endpoint (RFC 6749 section 3.1): the answer to the page, or, for a
 * script, consent at once.
 */
export function decisionOf(request: Seen): Decision {
  if (request.method !== 'POST') return isBrowser(request) ? undefined : { allow: true };
  const form = new URLSearchParams(request.body.toString());
  const user = form.get('user');
  return { allow: form.get('decision') === 'allow', ...(user ? { user } : {}) };
}

/**
 * The page that asks a person. It posts to its own address, so what the app asked for stays in the query. `users` lets
 * the person say who it is.
 */
export const consentPage = (
  authority: string,
  client: string,
  scopes: readonly string[],
  users: readonly string[] = [],
): Reply =>
  html(
    200,
    `Sign in to ${authority}`,
    `
<p>The app <b>${escape(client)}</b> asks for:</p><ul>${scopes.map(scope => `<li>${escape(scope)}</li>`).join('')}</ul>
<form method="post">${users.length ? `<p><label>As <select name="user">${users.map(user => `<option>${escape(user)}</option>`).join('')}</select></label></p>` : ''}
<button name="decision" value="allow">Allow</button><button name="decision" value="deny">Deny</button></form>
<p>This is a pretend ${escape(authority)} on this machine.</p>`,
  );

/** A refusal that must not go back to the app (RFC 6749 section 4.1.2.1): to a person as a page, to scripts as text. */
export const refusedHere = (request: Seen, authority: string, status: number, text: string): Reply =>
  isBrowser(request)
    ? html(status, `${authority} cannot go on`, `<p>${escape(text)}</p>`)
    : { status, headers: { 'content-type': 'text/plain' }, body: text };
