export { isMailError, MailError } from '../shared/index.js';
export type { FormIssue } from './form/messages.js';
