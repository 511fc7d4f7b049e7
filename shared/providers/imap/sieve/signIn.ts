import { MailError } from '../../../errors.js';
import type { Context } from '../../../provider.js';
import { unlessAborted } from '../../../wait.js';
import type { Endpoint } from '../account/fields.js';
import { tokenOf } from '../session/imapConnect.js';
import { passing } from '../session/refusal.js';
import { remember, waysOf, type Method } from '../session/signIn.js';
import { placeOf, SieveRefusal } from './refusal.js';
import { commandBytes, type Answer } from './wire.js';

interface Asked {
  /** The mechanisms the server names, parted by blanks. */
  offered: string;
  /** Whether a new OAuth 2 token is asked for. */
  renew: boolean;
  usable(): boolean;
  send(bytes: Buffer, challenge: (text: string) => string | Buffer): Promise<Answer>;
}
const base64 = (text: string) => Buffer.from(text).toString('base64');

/** Logs in with a token, or with the password in two ways if the first is refused (RFC 5804 section 2.1). */
export async function signIn(ctx: Context, end: Endpoint, account: string, asked: Asked): Promise<void> {
  const offered = asked.offered.toUpperCase().split(/\s+/);
  const none = () =>
    new MailError(
      'unauthorized',
      `${placeOf(end)} offers no way of logging in that works with ${end.oauth2 ? 'an OAuth 2 token' : 'a password'}.`,
    );
  if (end.oauth2) {
    const mechanism = ['OAUTHBEARER', 'XOAUTH2'].find(one => offered.includes(one));
    if (!mechanism) throw none();
    await withToken(asked, mechanism, end, await unlessAborted(tokenOf(ctx, end, asked.renew), ctx.signal));
    return;
  }
  const ways = waysOf(
    `${account} Sieve`,
    offered.filter((one): one is Method => one === 'PLAIN' || one === 'LOGIN'),
  );
  if (!ways.length) throw none();
  let first: unknown;
  for (const way of ways) {
    try {
      await withPassword(asked, way, end);
      remember(`${account} Sieve`, way);
      return;
    } catch (error) {
      first ??= error;
      if (!(error instanceof SieveRefusal) || !asked.usable() || passing(error.answer.text, true)) break;
    }
  }
  throw first as Error;
}

function withPassword({ send }: Asked, way: Method, { user, password }: Endpoint): Promise<Answer> {
  const unexpected = () => base64('');
  if (way === 'PLAIN')
    return send(commandBytes('AUTHENTICATE', ['PLAIN', base64(`\0${user}\0${password}`)]), unexpected);
  const answers = [user, password];
  return send(commandBytes('AUTHENTICATE', ['LOGIN']), () => base64(answers.shift() ?? ''));
}

/**
 * RFC 7628 section 3.1, and https://developers.google.com/workspace/gmail/imap/xoauth2-protocol; a refusal comes as a
 * challenge first.
 */
function withToken({ send }: Asked, mechanism: string, { user }: Endpoint, token: string): Promise<Answer> {
  const bearer = mechanism === 'OAUTHBEARER';
  const name = bearer ? `n,a=${user.replace(/=/g, '=3D').replace(/,/g, '=2C')},` : `user=${user}`;
  const said = `${name}\x01auth=Bearer ${token}\x01\x01`;
  return send(commandBytes('AUTHENTICATE', [mechanism, base64(said)]), () => (bearer ? base64('\x01') : ''));
}
