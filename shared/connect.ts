import { createHash } from 'node:crypto';
import { createClient, type Client, type Host } from './client.js';
import { invalidField } from './errors.js';
import { flag, number, type Fields } from './fields.js';
import type { HttpRequest } from './http.js';
import { pacerFor } from './pace.js';
import type { Provider } from './provider.js';
import { providers } from './registry.js';
import { hiding } from './secrets.js';
import { createSend, type SendOptions } from './send.js';
import { crossesReadable } from './url.js';
import { validate } from './validate.js';

/** What a host adds to an account: its own network rules, its tokens, its way to stop. */
export interface ConnectOptions
  extends
    Pick<SendOptions, 'dispatcher' | 'allow' | 'timeoutMs' | 'observe'>,
    Pick<Host, 'resolve' | 'token' | 'signal' | 'patience' | 'discreet'> {
  /**
   * Tells accounts apart that look the same from here, such as two sign-ins at one address; the host's own id for the
   * account will do.
   */
  key?: string;
  /** Lets `observe` look at what goes and comes: see `Exchange.wire`. Nothing is kept for it unless it is asked for. */
  wire?: boolean;
}

/**
 * Who says nothing waits for a vendor that counts by the minute, and not for one that lets nothing through afterwards
 * either; in seconds.
 */
const PATIENCE = 70;

const PLAIN_HTTP = flag('Allow Plain HTTP', {
  group: 'Security',
  help: 'Whether keys and mail may cross the network readable, to another machine whose Base URL begins with http://. The provider itself never needs it.',
});

/**
 * Everything an account is asked for: the provider's own fields, and the pace, which an administrator may lower or
 * raise.
 */
export const accountFields = (provider: Provider): Fields => ({
  ...provider.auth.fields,
  ...(provider.auth.fields.baseUrl ? { plainHttp: PLAIN_HTTP } : {}),
  concurrent: number('Requests at a Time', {
    min: 1,
    max: 50,
    default: provider.pace.concurrent,
    group: 'Pace',
    help: 'How many requests of this account may run at once.',
  }),
  perMinute: number('Requests per Minute', {
    min: 1,
    max: 60_000,
    default: provider.pace.perMinute,
    group: 'Pace',
    help: 'How many requests of this account may be started in any minute.',
  }),
});

/**
 * The account's own values, checked; what else a host keeps beside them (tokens, its own switches) is left out. Keys go
 * over plain HTTP to another machine only where the account says so.
 */
export function checkAccount(provider: Provider, account: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const fields = accountFields(provider);
  const values = validate(
    fields,
    Object.fromEntries(Object.entries(account).filter(([name]) => Object.hasOwn(fields, name))),
  );
  if (typeof values.baseUrl === 'string' && crossesReadable(values.baseUrl) && values.plainHttp !== true) {
    const message = `The Base URL begins with http://, so keys and mail would cross the network readable. Use https://, or switch on ${PLAIN_HTTP.label}.`;
    throw invalidField('baseUrl', message);
  }
  return values;
}

/**
 * Names an account for caches and pools without revealing it: the same provider, address and secrets give the same key.
 */
export const accountKey = (provider: Provider, account: Readonly<Record<string, unknown>>): string =>
  createHash('sha256')
    .update(JSON.stringify([provider.id, Object.entries(account).sort(([a], [b]) => (a < b ? -1 : 1))]))
    .digest('base64url')
    .slice(0, 22);

/**
 * A client for one account. Requests are signed by the provider, kept within the account's pace, and go out as the
 * options say. Throws `invalid_input` when the account is incomplete.
 */
export function connect<P extends Provider>(
  provider: P,
  account: Readonly<Record<string, unknown>>,
  options: ConnectOptions = {},
): Client<P> {
  const { token, resolve, signal, patience = PATIENCE, discreet, key = '', wire = false, ...sending } = options;
  const whole = checkAccount(provider, account);
  const { sign: signer, oauth2 } = provider.auth;
  const hidden = new Set(
    Object.entries(whole)
      .filter(([name, value]) => isSecret(provider.auth.fields, name) && typeof value === 'string')
      .map(([, value]) => value as string),
  );
  const known =
    token &&
    (async (renew?: boolean, refused?: string) => {
      const now = await token(renew, refused);
      hidden.add(now);
      return now;
    });
  const bearer = async (request: HttpRequest) => ({
    ...request,
    headers: { ...request.headers, authorization: `Bearer ${await known!()}` },
  });
  // The pair that Basic authentication sends is worth as much as the password in it, so it is hidden like one, encoded
  // once more too.
  const noted = (signed: HttpRequest): HttpRequest => {
    const pair = /^Basic (\S+)$/.exec(signed.headers.authorization ?? '')?.[1];
    if (pair) hidden.add(pair);
    return signed;
  };
  const signing = (request: HttpRequest) => {
    const signed = signer!(request, whole as never);
    return 'then' in signed ? signed.then(noted) : noted(signed);
  };
  const refresh = async (refused: HttpRequest) => {
    await known!(true, refused.headers.authorization?.slice('Bearer '.length));
  };
  const send = createSend({
    ...sending,
    ...(wire ? { wire: (text: string) => hiding(hidden)(text) } : {}),
    patienceMs: patience > 0 ? patience * 1000 : undefined,
    ...(signer ? { sign: signing } : oauth2 && known ? { sign: bearer, refresh } : {}),
    pacer: pacerFor(`${accountKey(provider, whole)} ${key}`, {
      concurrent: whole.concurrent as number,
      perMinute: whole.perMinute as number,
    }),
  });
  // Operations of providers that sign never see a secret, so none can slip into an address, a body or an error.
  const visible =
    signer || oauth2
      ? Object.fromEntries(Object.entries(whole).filter(([name]) => !isSecret(provider.auth.fields, name)))
      : whole;
  const host: Host = {
    account: visible,
    send,
    key,
    patience,
    discreet,
    resolve,
    token: known,
    signal,
    observe: options.observe,
    wire,
    secrets: () => hidden,
  };
  return createClient(provider, host, providers) as unknown as Client<P>;
}

const isSecret = (fields: Fields, name: string) => {
  const field = fields[name];
  return field?.type === 'text' && field.secret === true;
};
