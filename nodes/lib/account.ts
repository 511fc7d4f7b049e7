import type {
  ICredentialDataDecryptedObject,
  IDataObject,
  IHttpRequestOptions,
  INodeCredentialDescription,
  INodeProperties,
  INodePropertyOptions,
} from 'n8n-workflow';
import { accountFields, checkAccount, providerById, type HttpRequest } from '../../shared/index.js';
import { menu, parameter } from './parameter.js';

/** How an account may sign in, where a node asks. */
export type SignIn = 'password' | 'oauth2';

/**
 * The types of credential that hold an account of a provider: one, or two where the user may choose between password
 * and OAuth 2.
 */
export function credentialTypes(providerId: string): { type: string; signIn?: SignIn }[] {
  const { oauth2, oauth2Choice } = providerById(providerId).auth;
  if (oauth2Choice)
    return [
      { type: `${providerId}Api`, signIn: 'password' },
      { type: `${providerId}OAuth2Api`, signIn: 'oauth2' },
    ];
  return [{ type: oauth2 ? `${providerId}OAuth2Api` : `${providerId}Api` }];
}

/** What an account adds to a credential of one type: the way to sign in, which the type itself decides. */
export function accountOf(
  providerId: string,
  type: string,
  credentials: ICredentialDataDecryptedObject,
): Record<string, unknown> {
  const choice = providerById(providerId).auth.oauth2Choice;
  if (!choice) return credentials;
  const { [choice.field]: _, ...rest } = credentials;
  return type.endsWith('OAuth2Api') ? { ...rest, [choice.field]: choice.value } : rest;
}

/** The fields of an account as the properties of its credential type. */
export function credentialProperties(providerId: string): INodeProperties[] {
  const provider = providerById(providerId);
  return Object.entries(accountFields(provider))
    .filter(([name]) => name !== provider.auth.oauth2Choice?.field)
    .map(([name, field]) => {
      const property = parameter(provider, name, field, field.required === true);
      if (field.required || field.default !== undefined) return property;
      // Left empty means that the provider decides; a menu needs an entry for that, a number an empty default.
      if (field.type === 'number') return { ...property, default: '' };
      return field.type === 'choice'
        ? {
            ...property,
            options: [
              { name: 'Automatic', value: '' },
              ...(property.options as INodePropertyOptions[]).filter(({ value }) => value !== ''),
            ],
          }
        : property;
    });
}

/**
 * The same for a provider with OAuth 2: what n8n's own OAuth 2 credential asks for is filled in and hidden, the
 * account's fields follow. The addresses hang on the base address, so that a test server brings its own.
 */
export function oauth2Properties(providerId: string): INodeProperties[] {
  const { oauth2 } = providerById(providerId).auth;
  const base = guarded('$self["baseUrl"]', '$self["plainHttp"] === true');
  const below = (address: string) => `=${address.replace(BASE, `{{ ${base} }}`)}`;
  const hidden = (displayName: string, name: string, value: string): INodeProperties => ({
    displayName,
    name,
    type: 'hidden',
    default: value,
  });
  return [
    hidden('Grant Type', 'grantType', 'pkce'),
    hidden('Authorization URL', 'authUrl', below(oauth2!.authorizeUrl({ baseUrl: BASE }))),
    hidden('Access Token URL', 'accessTokenUrl', below(oauth2!.tokenUrl({ baseUrl: BASE }))),
    hidden('Scope', 'scope', oauth2!.scopes.join(' ')),
    hidden('Auth URI Query Parameters', 'authQueryParameters', ''),
    hidden('Authentication', 'authentication', 'body'),
    ...credentialProperties(providerId),
  ];
}
const BASE = 'https://base.invalid';

/** HTTPS, or HTTP to this machine. Only what is known to be good passes: parsers of addresses forgive much. */
const UNREADABLE = String.raw`/^(?:https:\/\/|http:\/\/(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d+)?(?:\/|$))/i`;
/** The name says it to whoever reads the failure; nothing can be reached below "invalid" (RFC 2606). */
const NOWHERE = 'https://plain-http-is-not-allowed.invalid';
/**
 * An expression for n8n's own OAuth 2, which asks for tokens by itself: the address that another expression gives, or
 * one that leads nowhere where codes and tokens would cross the network readable.
 */
const guarded = (address: string, allowed = 'false'): string =>
  `(${UNREADABLE}.test(${address}) || ${allowed} ? ${address} : "${NOWHERE}")`;
/** The base address of a credential whose test n8n makes of a request. */
export const GUARDED_BASE_URL = `={{ ${guarded('$credentials.baseUrl', '$credentials.plainHttp === true')} }}`;

/**
 * For a provider that takes OAuth 2 in place of a password: the well-known grants are filled in, others can be typed.
 */
export function oauth2ChoiceProperties(providerId: string): INodeProperties[] {
  const { by, grants } = providerById(providerId).auth.oauth2Choice!;
  type Grant = (typeof grants)[string];
  const pick = (of: (grant: Grant) => string, custom: string) =>
    `={{ (${JSON.stringify(Object.fromEntries(Object.entries(grants).map(([value, grant]) => [value, of(grant)])))})[$self["${by}"]] ?? ${custom} }}`;
  const hidden = (displayName: string, name: string, value: string): INodeProperties => ({
    displayName,
    name,
    type: 'hidden',
    default: value,
  });
  const own = (displayName: string, name: string, placeholder: string): INodeProperties => ({
    displayName,
    name,
    type: 'string',
    default: '',
    placeholder,
    displayOptions: { hide: { [by]: Object.keys(grants) } },
  });
  const asked = credentialProperties(providerId).filter(({ name }) => name !== 'password');
  const at = asked.findIndex(({ required }) => required) + 1;
  return [
    hidden('Grant Type', 'grantType', 'pkce'),
    hidden(
      'Authorization URL',
      'authUrl',
      pick(grant => grant.authorizeUrl, guarded('$self["ownAuthUrl"]')),
    ),
    hidden(
      'Access Token URL',
      'accessTokenUrl',
      pick(grant => grant.tokenUrl, guarded('$self["ownTokenUrl"]')),
    ),
    hidden(
      'Scope',
      'scope',
      pick(grant => grant.scopes.join(' '), '$self["ownScope"]'),
    ),
    hidden(
      'Auth URI Query Parameters',
      'authQueryParameters',
      pick(grant => grant.parameters ?? '', '""'),
    ),
    hidden('Authentication', 'authentication', 'body'),
    // Who chooses a grant of their own is asked for it at once, not below everything that can be left empty.
    ...asked.slice(0, at),
    own('OAuth Authorization URL', 'ownAuthUrl', 'e.g. https://login.example.com/authorize'),
    own('OAuth Token URL', 'ownTokenUrl', 'e.g. https://login.example.com/token'),
    own('OAuth Scope', 'ownScope', 'e.g. mail'),
    ...asked.slice(at),
  ];
}

/**
 * What a node lists under `credentials`: the types of its providers, each shown with its provider. A test compares it
 * with the literal lists. The conditions begin with a slash, which means the same to n8n; without it n8n's editor takes
 * the parameter for a way to sign in and hides it.
 */
export const nodeCredentials = (providerIds: readonly string[]): INodeCredentialDescription[] =>
  providerIds.flatMap(id =>
    credentialTypes(id).map(({ type, signIn }) => ({
      name: type,
      required: true,
      ...(signIn ? { testedBy: 'checkAccount' } : {}),
      displayOptions: { show: { '/provider': [id], ...(signIn ? { '/authentication': [signIn] } : {}) } },
    })),
  );

/** The question how to sign in, for the providers that leave a choice. */
export const signInProperties = (providerIds: readonly string[]): INodeProperties[] =>
  providerIds
    .filter(id => credentialTypes(id).length > 1)
    .map(id => ({
      ...menu(
        'Authentication',
        'authentication',
        [
          { name: 'Password', value: 'password' },
          { name: 'OAuth2', value: 'oauth2' },
        ],
        'password',
      ),
      displayOptions: { show: { provider: [id] } },
    }));

/** Where the editor shows the choice of the credential: after what decides its type. */
export const CREDENTIALS_HERE: INodeProperties = {
  displayName: 'Credentials',
  name: 'credentials',
  type: 'credentials',
  default: '',
};

/**
 * What n8n's helpers hand to a credential: its newer form of request, or the older one that the HTTP Request node still
 * uses.
 */
type Unsigned = IHttpRequestOptions & { uri?: string; form?: string | IDataObject };

/**
 * Signs a request of n8n's own HTTP Request node (and of the credential test) as the provider wants it. The query goes
 * into the address and a form is written out, so that what is sent is what was signed.
 */
export const signedBy =
  (providerId: string) =>
  async (credentials: ICredentialDataDecryptedObject, options: Unsigned): Promise<IHttpRequestOptions> => {
    const provider = providerById(providerId);
    const { baseURL, qs, form: _, uri, ...rest } = options;
    const asked = options.url ?? uri;
    const address = new URL(
      baseURL && !/^https?:/.test(asked) ? `${baseURL.replace(/\/+$/, '')}/${asked.replace(/^\//, '')}` : asked,
    );
    for (const [name, value] of pairs(qs ?? {})) address.searchParams.append(name, value);
    const headers = Object.fromEntries(
      Object.entries(options.headers ?? {}).map(([name, value]) => [name.toLowerCase(), String(value)]),
    );
    const body = bodyText(options, headers['content-type'] ?? '');
    if (body !== undefined && typeof options.body !== 'string') headers['content-type'] ??= FORM;
    const request: HttpRequest = {
      method: (options.method ?? 'GET').toUpperCase() as HttpRequest['method'],
      url: address.href,
      headers,
      ...(body === undefined ? {} : { body }),
    };
    const signed = await provider.auth.sign!(request, checkAccount(provider, credentials) as never);
    return {
      ...rest,
      url: signed.url,
      ...(uri === undefined ? {} : { uri: signed.url }),
      headers: signed.headers,
      ...(body === undefined ? {} : { body }),
    };
  };
const FORM = 'application/x-www-form-urlencoded';

/**
 * What will stand on the wire, for signers that cover the body; undefined where none does (JSON, streams, multipart).
 */
function bodyText({ body, form }: Unsigned, type: string): string | undefined {
  if (typeof form === 'string' || typeof body === 'string') return typeof form === 'string' ? form : (body as string);
  if (body instanceof URLSearchParams) return body.toString();
  const values = form ?? (type.toLowerCase().startsWith(FORM) ? (body as IDataObject | undefined) : undefined);
  return values && new URLSearchParams(pairs(values)).toString();
}
/** Names and values as text; a list repeats its name, what is absent is left out. */
const pairs = (values: object): [string, string][] =>
  Object.entries(values).flatMap(([name, value]) =>
    (Array.isArray(value) ? value : [value])
      .filter(one => one !== undefined && one !== null)
      .map((one): [string, string] => [name, String(one)]),
  );
