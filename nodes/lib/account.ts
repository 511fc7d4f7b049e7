import type { ICredentialDataDecryptedObject, IHttpRequestOptions, INodeCredentialDescription, INodeProperties, INodePropertyOptions } from 'n8n-workflow';
import { accountFields, checkAccount, providerById, type HttpRequest } from '../../shared/index.js';
import { menu, parameter } from './parameters.js';

/** How an account may sign in, where a node asks. */
export type SignIn = 'password' | 'oauth2';

/** The types of credential that hold an account of a provider: one, or two where the user may choose between password and OAuth 2. */
export function credentialTypes(providerId: string): { type: string; signIn?: SignIn }[] {
  const { oauth2, oauth2Choice } = providerById(providerId).auth;
  if (oauth2Choice) return [{ type: `${providerId}Api`, signIn: 'password' }, { type: `${providerId}OAuth2Api`, signIn: 'oauth2' }];
  return [{ type: oauth2 ? `${providerId}OAuth2Api` : `${providerId}Api` }];
}

/** What an account adds to a credential of one type: the way to sign in, which the type itself decides. */
export function accountOf(providerId: string, type: string, credentials: ICredentialDataDecryptedObject): Record<string, unknown> {
  const choice = providerById(providerId).auth.oauth2Choice;
  if (!choice) return credentials;
  const { [choice.field]: _, ...rest } = credentials;
  return type.endsWith('OAuth2Api') ? { ...rest, [choice.field]: choice.value } : rest;
}

/** The fields of an account as the properties of its credential type. */
export function credentialProperties(providerId: string): INodeProperties[] {
  const provider = providerById(providerId);
  return Object.entries(accountFields(provider)).filter(([name]) => name !== provider.auth.oauth2Choice?.field).map(([name, field]) => {
    const property = parameter(provider, name, field, field.required === true);
    if (field.required || field.default !== undefined) return property;
    // Left empty means that the provider decides; a menu needs an entry for that, a number an empty default.
    if (field.type === 'number') return { ...property, default: '' };
    return field.type === 'choice' ? { ...property, options: [{ name: 'Automatic', value: '' }, ...(property.options as INodePropertyOptions[]).filter(({ value }) => value !== '')] } : property;
  });
}

/**
 * The same for a provider with OAuth 2: what n8n's own OAuth 2 credential asks for is filled in and hidden, the account's fields follow.
 * The addresses hang on the base address, so that a test server brings its own.
 */
export function oauth2Properties(providerId: string): INodeProperties[] {
  const { oauth2 } = providerById(providerId).auth;
  const below = (address: string) => `=${address.replace(BASE, '{{ $self["baseUrl"] }}')}`;
  const hidden = (displayName: string, name: string, value: string): INodeProperties => ({ displayName, name, type: 'hidden', default: value });
  return [
    hidden('Grant Type', 'grantType', 'authorizationCode'),
    hidden('Authorization URL', 'authUrl', below(oauth2!.authorizeUrl({ baseUrl: BASE }))),
    hidden('Access Token URL', 'accessTokenUrl', below(oauth2!.tokenUrl({ baseUrl: BASE }))),
    hidden('Scope', 'scope', oauth2!.scopes.join(' ')),
    hidden('Auth URI Query Parameters', 'authQueryParameters', ''),
    hidden('Authentication', 'authentication', 'body'),
    ...credentialProperties(providerId),
  ];
}
const BASE = 'https://base.invalid';

/** For a provider that takes OAuth 2 in place of a password: the well-known grants are filled in, others can be typed. */
export function oauth2ChoiceProperties(providerId: string): INodeProperties[] {
  const { by, grants } = providerById(providerId).auth.oauth2Choice!;
  type Grant = (typeof grants)[string];
  const pick = (of: (grant: Grant) => string, custom: string) =>
    `={{ (${JSON.stringify(Object.fromEntries(Object.entries(grants).map(([value, grant]) => [value, of(grant)])))})[$self["${by}"]] ?? ${custom} }}`;
  const hidden = (displayName: string, name: string, value: string): INodeProperties => ({ displayName, name, type: 'hidden', default: value });
  const own = (displayName: string, name: string, placeholder: string): INodeProperties =>
    ({ displayName, name, type: 'string', default: '', placeholder, displayOptions: { hide: { [by]: Object.keys(grants) } } });
  return [
    hidden('Grant Type', 'grantType', 'authorizationCode'),
    hidden('Authorization URL', 'authUrl', pick(grant => grant.authorizeUrl, '$self["ownAuthUrl"]')),
    hidden('Access Token URL', 'accessTokenUrl', pick(grant => grant.tokenUrl, '$self["ownTokenUrl"]')),
    hidden('Scope', 'scope', pick(grant => grant.scopes.join(' '), '$self["ownScope"]')),
    hidden('Auth URI Query Parameters', 'authQueryParameters', pick(grant => grant.parameters ?? '', '""')),
    hidden('Authentication', 'authentication', 'body'),
    ...credentialProperties(providerId).filter(({ name }) => name !== 'password'),
    own('OAuth Authorization URL', 'ownAuthUrl', 'e.g. https://login.example.com/authorize'),
    own('OAuth Token URL', 'ownTokenUrl', 'e.g. https://login.example.com/token'),
    own('OAuth Scope', 'ownScope', 'e.g. mail'),
  ];
}

/**
 * What a node lists under `credentials`: the types of its providers, each shown with its provider. A test compares it with the literal lists.
 * The conditions begin with a slash, which means the same to n8n; without it n8n's editor takes the parameter for a way to sign in and hides it.
 */
export const nodeCredentials = (providerIds: readonly string[]): INodeCredentialDescription[] =>
  providerIds.flatMap(id => credentialTypes(id).map(({ type, signIn }) => ({
    name: type, required: true, ...(signIn ? { testedBy: 'checkAccount' } : {}), displayOptions: { show: { '/provider': [id], ...(signIn ? { '/authentication': [signIn] } : {}) } } })));

/** The question how to sign in, for the providers that leave a choice. */
export const signInProperties = (providerIds: readonly string[]): INodeProperties[] =>
  providerIds.filter(id => credentialTypes(id).length > 1).map(id => ({
    ...menu('Authentication', 'authentication', [{ name: 'Password', value: 'password' }, { name: 'OAuth2', value: 'oauth2' }], 'password'),
    displayOptions: { show: { provider: [id] } },
  }));

/** Where the editor shows the choice of the credential: after what decides its type. */
export const CREDENTIALS_HERE: INodeProperties = { displayName: 'Credentials', name: 'credentials', type: 'credentials', default: '' };

/** Signs a request of n8n's own HTTP Request node (and of the credential test) as the provider wants it. */
export const signedBy = (providerId: string) => async (credentials: ICredentialDataDecryptedObject, options: IHttpRequestOptions): Promise<IHttpRequestOptions> => {
  const provider = providerById(providerId);
  const address = new URL(options.url, options.baseURL ? `${options.baseURL.replace(/\/+$/, '')}/` : undefined);
  if (options.baseURL && !/^https?:/.test(options.url)) address.href = options.baseURL.replace(/\/+$/, '') + (options.url.startsWith('/') ? '' : '/') + options.url;
  for (const [name, value] of Object.entries(options.qs ?? {})) for (const one of Array.isArray(value) ? value : [value]) address.searchParams.append(name, String(one));
  const body = bodyText(options.body);
  const request: HttpRequest = {
    method: (options.method ?? 'GET') as HttpRequest['method'], url: address.href,
    headers: Object.fromEntries(Object.entries(options.headers ?? {}).map(([name, value]) => [name.toLowerCase(), String(value)])), ...(body === undefined ? {} : { body }),
  };
  const signed = await provider.auth.sign!(request, checkAccount(provider, credentials) as never);
  const { baseURL: _base, qs: _qs, ...rest } = options;
  return { ...rest, url: signed.url, headers: { ...options.headers, ...signed.headers } };
};

/** What will stand on the wire, for signers that cover the body; undefined where none does (streams, multipart). */
function bodyText(body: IHttpRequestOptions['body']): string | undefined {
  if (typeof body === 'string') return body;
  return body instanceof URLSearchParams ? body.toString() : undefined;
}
