import { accountFields, type Fields, type OAuth2Tokens, type Provider } from '../../shared/index.js';
import { localizedFields } from '../fields/localized.js';
import { isSecretField } from '../fields/values.js';

// What an account is, what it is asked for, and which of it is secret.

type Values = Readonly<Record<string, unknown>>;

/**
 * What becomes of an account's secrets: kept in VS Code's store, until the window closes, or asked for again after a
 * rest.
 */
export type Remember = 'keep' | 'session' | 'never';
/** An account as it is stored; nothing of it is secret. */
export interface StoredAccount {
  id: string;
  name: string;
  provider: string;
  values: Record<string, unknown>;
  remember: Remember;
}
/**
 * `signedInAt` is the address the last sign-in came back to, which vendors want to hear again when a token is renewed.
 */
export type Secrets = Record<string, unknown> & { tokens?: OAuth2Tokens; signedInAt?: string };
/** An account as the rest of the extension sees it; `values` are its open values, never secrets. */
export interface AccountInfo {
  id: string;
  name: string;
  provider: Provider;
  values: Values;
  /** What its row says after its name; only of the account whose server runs in this window. */
  local?: string;
  /** The resources that its server has, where that is less than its provider can offer. */
  has?: readonly string[];
}
/** What the last exchange with a provider said of an account. */
export type AccountState = 'good' | 'signIn' | 'unreachable';

/** The fields of an account beyond those of the provider: the app registration that OAuth 2 needs. */
export const OAUTH_FIELDS = {
  clientId: {
    type: 'text',
    label: 'Client ID',
    required: true,
    group: 'OAuth 2',
    help: 'From the app you registered with the provider.',
  },
  clientSecret: {
    type: 'text',
    label: 'Client Secret',
    secret: true,
    group: 'OAuth 2',
    help: 'Leave empty if the app has none.',
  },
  redirectUri: {
    type: 'text',
    label: 'Redirect Address',
    format: 'uri',
    group: 'OAuth 2',
    help: 'Only if the provider needs a redirect URL of your own. Your browser ends up there, and you paste the URL it shows.',
  },
} as const satisfies Fields;

/** What mail at any host needs besides, where the host's own sign-in is not known here. */
const OWN_GRANT = {
  authorizeUrl: {
    type: 'text',
    label: 'Authorization URL',
    format: 'uri',
    group: 'OAuth 2',
    help: 'Only for a provider that is not listed.',
  },
  tokenUrl: {
    type: 'text',
    label: 'Token URL',
    format: 'uri',
    group: 'OAuth 2',
    help: 'Only for a provider that is not listed.',
  },
  scope: {
    type: 'text',
    label: 'Scope',
    group: 'OAuth 2',
    help: 'Only for a provider that is not listed. Separate several with spaces.',
  },
} as const satisfies Fields;

/** Everything an account of a provider is asked for here. */
export const fieldsOf = (provider: Provider): Fields =>
  localizedFields({ ...accountFields(provider), ...signInFields(provider) });

function signInFields({ auth }: Provider): Fields {
  if (auth.oauth2) return OAUTH_FIELDS;
  if (!auth.oauth2Choice) return {};
  return { ...OAUTH_FIELDS, clientId: { ...OAUTH_FIELDS.clientId, required: false }, ...OWN_GRANT };
}

/** The provider with the grant that an account signs in by, or undefined for an account without OAuth 2. */
export function grantOf(provider: Provider, values: Values): Provider | undefined {
  const { oauth2, oauth2Choice } = provider.auth;
  if (oauth2) return provider;
  if (!oauth2Choice || values[oauth2Choice.field] !== oauth2Choice.value) return undefined;
  const known = oauth2Choice.grants[String(values[oauth2Choice.by])];
  const query = known?.parameters ? `?${known.parameters}` : '';
  const authorizeUrl = known ? known.authorizeUrl + query : String(values.authorizeUrl ?? '');
  const tokenUrl = known?.tokenUrl ?? String(values.tokenUrl ?? '');
  const scopes =
    known?.scopes ??
    String(values.scope ?? '')
      .split(/\s+/)
      .filter(Boolean);
  const grant = { authorizeUrl: () => authorizeUrl, tokenUrl: () => tokenUrl, scopes };
  return { ...provider, auth: { ...provider.auth, oauth2: grant } };
}

/**
 * Whether a change of an account needs a new sign-in: it names another app, person or host, and the tokens of one must
 * not be shown to another.
 */
export function signsInAgain(provider: Provider, before: Values, after: Values): boolean {
  const choice = provider.auth.oauth2Choice;
  return Object.entries(fieldsOf(provider)).some(([name, field]) => {
    const isChanged = (before[name] ?? field.default) !== (after[name] ?? field.default);
    const isChoice = name === choice?.by || name === choice?.field;
    const isName = field.type === 'text' && !field.secret && !field.lines && name !== 'redirectUri';
    return isChanged && (isChoice || isName);
  });
}

interface Parted {
  open: Record<string, unknown>;
  secret: Record<string, unknown>;
}
/** Parts the values of an account form into what may be stored openly and what may not. */
export function parted(fields: Fields, values: Values): Parted {
  const entries = Object.entries(values).filter(([, value]) => value !== undefined && value !== '');
  return {
    open: Object.fromEntries(entries.filter(([name]) => !isSecretField(fields, name))),
    secret: Object.fromEntries(entries.filter(([name]) => isSecretField(fields, name))),
  };
}

/** Whether an account cannot work without something secret. */
export function needsSecrets(provider: Provider, values: Values): boolean {
  const fields = provider.auth.fields as Fields;
  const secret = Object.keys(fields).filter(name => isSecretField(fields, name));
  if (grantOf(provider, values) !== undefined) return true;
  if (provider.auth.oauth2Choice !== undefined) return secret.length > 0;
  return secret.some(name => fields[name]!.required);
}
