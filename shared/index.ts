/** The only door for front ends and scripts. */
export * from './address.js';
export {
  authorization,
  exchangeCode,
  readRedirect,
  refreshTokens,
  type OAuth2App,
  type OAuth2Options,
  type OAuth2Tokens,
} from './auth/oauth2.js';
export * from './auth/tokenKeeper.js';
export * from './client.js';
export * from './connect.js';
export * from './decode.js';
export * from './dispatcher.js';
export * from './errors.js';
export { excerpt } from './excerpt.js';
export * from './fields.js';
export * from './http.js';
export { wordsOfHtml } from './htmlText.js';
export { codesIn, linksIn, type Link } from './links.js';
export * from './localMail.js';
export { NotSent } from './notSent.js';
export * from './pages.js';
export * from './places.js';
export * from './provider.js';
export * from './readMail.js';
export * from './registry.js';
export * from './secrets.js';
export * from './send.js';
export type { HttpDispatcher } from './undici.js';
export * from './settings.js';
export * from './url.js';
export * from './validate.js';
export {
  afterSave,
  changesOf,
  conflicts,
  editingOf,
  isSecretText,
  readText,
  same,
  textOf as documentText,
  valuesOf,
  wholeOf,
  type Editing,
  type ValueWords,
} from './values.js';
export * from './vocabulary.js';
export * from './wait.js';
export * from './waitFor.js';
