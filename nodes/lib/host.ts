import { randomUUID } from 'node:crypto';
import { isIP } from 'node:net';
import { isDomainAllowed, NodeApiError, NodeOperationError } from 'n8n-workflow';
import type {
  ICredentialDataDecryptedObject,
  ICredentialsDecrypted,
  ICredentialTestFunctions,
  INodeCredentialTestResult,
  IExecuteFunctions,
  ILoadOptionsFunctions,
  INode,
  ITriggerFunctions,
  JsonObject,
} from 'n8n-workflow';
import {
  checkAccount,
  accountKey,
  connect,
  crossesReadable,
  createDispatcher,
  isMailError,
  MailError,
  nextStep,
  providerById,
  type Client,
} from '../../shared/index.js';
import { accountOf, credentialTypes, type SignIn } from './account.js';
import { isProtected, publicAddress } from './privateAddress.js';
import { operationTitle } from './words.js';

/** The n8n contexts that can open an account. */
export type Caller = IExecuteFunctions | ILoadOptionsFunctions | ITriggerFunctions;
type Filter = ReturnType<Caller['helpers']['getSecureEgressFilter']>;
type Pool = ReturnType<typeof createDispatcher>;

/** One pool for each egress filter n8n hands out; it hands out the same object as long as its rules stay. */
const pools = new WeakMap<object, Pool>();
const unfiltered = {};
function poolFor(filter: Filter | undefined): Pool {
  const key = filter ?? unfiltered;
  let pool = pools.get(key);
  if (!pool)
    pools.set(
      key,
      (pool = createDispatcher({
        ...(filter ? { lookup: filter.createSecureLookup() as never } : {}),
        proxies: 'environment',
      })),
    );
  return pool;
}

/**
 * How long a vendor that throttles may let nothing through before an item fails, in seconds: a run of many rows ends
 * right, only later. Nobody waits for a menu.
 */
const PATIENCE = { items: 300, menus: 0 };

/** A client, and the name its account has in caches. */
interface Opened {
  client: Client;
  key: string;
  /** The address of the account, where its user is one. */ own?: string;
}

/**
 * Opens the account chosen for an item. What n8n does for its own requests and undici would skip is handed back here by
 * name: the egress filter, the proxies of the environment, the domains a credential may be sent to, token refresh, and
 * cancellation.
 */
export async function openAccount(
  caller: Caller,
  providerId: string,
  itemIndex = 0,
  signal?: AbortSignal,
): Promise<Opened> {
  const provider = providerById(providerId);
  const types = credentialTypes(providerId);
  const type = (types.find(one => one.signIn === signInOf(caller, itemIndex)) ?? types[0]!).type;
  let credentials = await credentialsOf(caller, type, itemIndex);
  const account = checkAccount(provider, accountOf(providerId, type, credentials));
  // n8n before 2.x has no egress filter.
  const filter = caller.helpers.getSecureEgressFilter?.();
  const id = caller.getNode().credentials?.[type]?.id ?? '';
  const token = async (renew = false, refused?: string) => {
    if (renew) {
      credentials = {
        ...credentials,
        oauthTokenData: await onceFor(`${type} ${id}`, refused ?? accessOf(credentials), async () => {
          // Another process may have renewed it meanwhile; n8n stores the newest, so that one is asked for first.
          const stored = await credentialsOf(caller, type, itemIndex);
          if (refused !== undefined && accessOf(stored) !== refused)
            return stored.oauthTokenData as ICredentialDataDecryptedObject;
          return renewed(caller, provider.name, type, stored);
        }),
      };
    }
    const access = accessOf(credentials);
    if (!access)
      throw new MailError(
        'unauthorized',
        `The ${provider.name} credential is not connected yet; open it and connect.`,
        { provider: provider.name },
      );
    return access;
  };
  const client = connect(provider, account, {
    key: id,
    dispatcher: poolFor(filter),
    patience: 'getCurrentNodeParameter' in caller ? PATIENCE.menus : PATIENCE.items,
    ...(signal ? { signal } : {}),
    ...(type.endsWith('OAuth2Api') ? { token } : {}),
    async allow(url) {
      const verdict = await filter?.validateUrl(url);
      if (verdict && !verdict.ok)
        throw new MailError('forbidden', `n8n's network rules forbid ${url.host}: ${verdict.error.message}`, {
          provider: provider.name,
        });
      allowedByCredential(credentials, url);
    },
    resolve: host => (filter ? filtered(filter, host) : Promise.resolve(host)),
  });
  const { user } = account as { user?: unknown };
  return {
    client,
    key: `${accountKey(provider, account)} ${id}`,
    ...(typeof user === 'string' && user.includes('@') ? { own: user } : {}),
  };
}

/** The address to connect to for a host, after n8n's egress filter. */
async function filtered(filter: Filter, host: string): Promise<string> {
  const verdict = await filter.validateUrl(`https://${isIP(host) === 6 ? `[${host}]` : host}`);
  if (!verdict.ok) throw new MailError('forbidden', `n8n's network rules forbid ${host}: ${verdict.error.message}`);
  return new Promise((done, fail) =>
    filter.createSecureLookup()(host, {}, (error, address) => (error ? fail(error) : done(address as string))),
  );
}

const accessOf = ({ oauthTokenData }: ICredentialDataDecryptedObject) =>
  (oauthTokenData as { access_token?: string } | undefined)?.access_token;

/** The last renewal of each credential in this process: which token it replaced, and what came. */
const renewals = new Map<string, { of: string | undefined; came: Promise<ICredentialDataDecryptedObject> }>();
/**
 * One renewal at a time for each credential, and one for each token, whatever n8n does: before 2.30 it renews for each
 * item that asks, and a vendor that ends a sign-in whose refresh token comes twice ends it for all.
 */
function onceFor(
  key: string,
  of: string | undefined,
  renew: () => Promise<ICredentialDataDecryptedObject>,
): Promise<ICredentialDataDecryptedObject> {
  const last = renewals.get(key);
  if (last && of !== undefined && last.of === of) return last.came;
  const came = (last?.came ?? Promise.resolve()).then(renew, renew);
  const mine = { of, came };
  renewals.delete(key);
  renewals.set(key, mine);
  if (renewals.size > MOST_KEPT) renewals.delete(renewals.keys().next().value!);
  const forget = () => {
    if (renewals.get(key) === mine) renewals.delete(key);
  };
  // What failed may be tried again; so may a token that came back as it was.
  came.then(data => {
    if (data.access_token === of) forget();
  }, forget);
  return came;
}
const MOST_KEPT = 500;

/**
 * New tokens through n8n, which stores them. Its failures become ours: they are no failures of the request that waited.
 */
async function renewed(
  caller: Caller,
  provider: string,
  type: string,
  { accessTokenUrl, plainHttp }: ICredentialDataDecryptedObject,
): Promise<ICredentialDataDecryptedObject> {
  // A credential of an older version may still name such an address.
  if (
    typeof accessTokenUrl === 'string' &&
    URL.canParse(accessTokenUrl) &&
    crossesReadable(accessTokenUrl) &&
    plainHttp !== true
  ) {
    throw new MailError(
      'invalid_input',
      `Tokens would cross the network readable on their way to ${new URL(accessTokenUrl).origin}. ` +
        'Use an address that begins with https://.',
      { provider },
    );
  }
  try {
    return (await caller.helpers.refreshOAuth2Token.call(caller, type)) as ICredentialDataDecryptedObject;
  } catch (error) {
    throw notRenewed(provider, error);
  }
}

function notRenewed(provider: string, error: unknown): MailError {
  const {
    status = 0,
    response,
    code,
    failure,
    message,
  } = error as {
    status?: number;
    response?: { status?: number };
    code?: string;
    failure?: { cause?: string };
    message: string;
  };
  if (failure?.cause === 'credential-invalid') return new MailError('unauthorized', message, { provider });
  if (code === 'EAUTH')
    return new MailError('unauthorized', `${provider} gives no new token: ${message}`, { provider });
  // Vendors that space grants do so by about a minute.
  if (status === 429)
    return new MailError('rate_limited', `${provider} gives no new token yet.`, { provider, status, retryAfter: 60 });
  return new MailError(
    'unavailable',
    `${provider} could not give a new token${status || response?.status ? ` (status ${status || response!.status})` : ''}.`,
    { provider },
  );
}

/**
 * How the node was told to sign in; undefined where it does not ask. n8n takes an undefined fallback for none and
 * throws.
 */
function signInOf(caller: Caller, itemIndex: number): SignIn | undefined {
  const value =
    'getCurrentNodeParameter' in caller
      ? caller.getCurrentNodeParameter('authentication')
      : 'continueOnFail' in caller
        ? caller.getNodeParameter('authentication', itemIndex, '')
        : caller.getNodeParameter('authentication', '');
  return value === 'oauth2' || value === 'password' ? value : undefined;
}

/** The chosen credential, decrypted; per item where the caller has items, because its values may be expressions. */
const credentialsOf = (caller: Caller, type: string, itemIndex: number): Promise<ICredentialDataDecryptedObject> =>
  'continueOnFail' in caller ? caller.getCredentials(type, itemIndex) : caller.getCredentials(type);

/**
 * The credential's own "Allowed HTTP Request Domains". `none` is meant for other nodes than this credential's own, as
 * n8n reads it.
 */
function allowedByCredential(credentials: ICredentialDataDecryptedObject, url: URL) {
  if (credentials.allowedHttpRequestDomains !== 'domains') return;
  if (isDomainAllowed({ url: url.href, allowedDomains: String(credentials.allowedDomains ?? '') })) return;
  throw new MailError(
    'forbidden',
    `The credential may not be sent to ${url.host}: its Allowed HTTP Request Domains do not name it.`,
  );
}

/** The test of credentials that n8n cannot test with a request, because they open sockets. Named in `testedBy`. */
export const credentialTests = {
  async checkAccount(
    this: ICredentialTestFunctions,
    { data, type }: ICredentialsDecrypted,
  ): Promise<INodeCredentialTestResult> {
    const providerId = type.replace(/(OAuth2)?Api$/, '');
    try {
      const provider = providerById(providerId);
      const token = (data?.oauthTokenData as { access_token?: string } | undefined)?.access_token;
      // n8n hands its filter to nodes; its own test of a credential has none as yet.
      const filter = (this.helpers as { getSecureEgressFilter?: () => Filter }).getSecureEgressFilter?.();
      const resolve = (host: string) =>
        filter ? filtered(filter, host) : isProtected() ? publicAddress(host) : Promise.resolve(host);
      // A connection of its own: one that is kept would prove nothing about this token.
      const options = { key: randomUUID(), resolve, discreet: true, ...(token ? { token: async () => token } : {}) };
      const told = await connect(provider, accountOf(providerId, type, data ?? {}), options).call('account.check', {});
      return { status: 'OK', message: ['The account answers on both sides.', ...(told?.notes ?? [])].join(' ') };
    } catch (error) {
      return { status: 'Error', message: error instanceof Error ? error.message : String(error) };
    }
  },
};

/** What n8n can act on by itself: wait, or ask for other credentials. */
function failureOf(error: MailError) {
  const retryAfterMs =
    error.details.retryAfter === undefined ? {} : { retryAfterMs: Math.ceil(error.details.retryAfter * 1000) };
  switch (error.code) {
    case 'rate_limited':
      return { cause: 'rate-limited' as const, ...retryAfterMs };
    case 'unavailable':
      return { cause: 'temporarily-unavailable' as const, ...retryAfterMs };
    case 'unauthorized':
      return { cause: 'credential-invalid' as const };
    default:
      return undefined;
  }
}

/**
 * What stands above an error: a sentence. A vendor's words for a refusal, such as "authentication is denied", are none,
 * and come below one.
 */
function headingOf({ code, message, details: { provider, status } }: MailError): string {
  if (!provider || status === undefined || /^[A-Z].*[.!?]$/s.test(message)) return message;
  return code === 'unauthorized'
    ? `${provider} refused the credential.`
    : code === 'forbidden'
      ? `${provider} does not allow this.`
      : message;
}

/**
 * The one translation of errors: what the user can mend is a NodeOperationError, what the provider said a NodeApiError.
 */
export function asNodeError(
  node: INode,
  error: unknown,
  itemIndex?: number,
  extra = '',
): NodeApiError | NodeOperationError {
  if (error instanceof NodeApiError || error instanceof NodeOperationError) return error;
  if (!isMailError(error))
    return new NodeOperationError(node, error instanceof Error ? error : String(error), {
      itemIndex,
      ...(extra ? { description: extra } : {}),
    });
  const { provider, operation, issues, status } = error.details;
  const failure = failureOf(error);
  const description = [
    headingOf(error) === error.message ? '' : `It says: ${error.message.replace(/\.?$/, '.')}`,
    (issues?.length ?? 0) > 1
      ? issues!.map(({ field, message }) => (field ? `${field}: ${message}` : message)).join(' ')
      : '',
    nextStep(error),
    provider && operation ? `(${provider}: ${operationTitle(operation)}${status ? `, status ${status}` : ''}.)` : '',
    extra,
  ]
    .filter(Boolean)
    .join(' ');
  const heading = headingOf(error);
  const options = { message: heading, description, itemIndex, ...(failure ? { failure } : {}) };
  if (error.code === 'invalid_input' || error.code === 'unsupported')
    return new NodeOperationError(node, error, options);
  return new NodeApiError(
    node,
    {
      message: heading,
      name: error.name,
      code: error.code,
      ...(status ? { httpCode: String(status) } : {}),
    } as JsonObject,
    { ...options, ...(status ? { httpCode: String(status) } : {}) },
  );
}
