/** The only door for front ends and scripts. */
export * from './address.js';
export * from './auth/oauth2.js';
export * from './client.js';
export * from './connect.js';
export * from './dispatcher.js';
export * from './errors.js';
export { excerpt } from './excerpt.js';
export * from './fields.js';
export * from './http.js';
export * from './pages.js';
export * from './provider.js';
export * from './registry.js';
export * from './secrets.js';
export * from './send.js';
export * from './url.js';
export * from './validate.js';
export * from './vocabulary.js';
export * from './wait.js';
