import type { ICredentialDataDecryptedObject, IHttpRequestOptions, INodeCredentialDescription, INodeProperties } from 'n8n-workflow';
import { accountFields, checkAccount, providerById, type HttpRequest } from '../../shared/index.js';
import { parameter, providersOf } from './parameters.js';
import type { NodeName } from './owner.js';

/** The type of credential that holds an account of a provider. */
export const credentialOf = (providerId: string): string => providerById(providerId).auth.oauth2 ? `${providerId}OAuth2Api` : `${providerId}Api`;

/** The fields of an account as the properties of its credential type. */
export function credentialProperties(providerId: string): INodeProperties[] {
  const provider = providerById(providerId);
  return Object.entries(accountFields(provider)).map(([name, field]) => parameter(provider, name, field, field.required === true));
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

/** What a node lists under `credentials`: one type for each of its providers, shown with that provider. A test compares it with the literal lists. */
export const nodeCredentials = (node: NodeName): INodeCredentialDescription[] =>
  providersOf(node).map(({ id }) => ({ name: credentialOf(id), required: true, displayOptions: { show: { provider: [id] } } }));

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
