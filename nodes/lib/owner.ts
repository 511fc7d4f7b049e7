import { splitName } from '../../shared/index.js';

/** The nodes that run operations. */
export const NODES = ['mailbox', 'alias', 'spamList', 'send'] as const;
export type NodeName = (typeof NODES)[number];

/** Which node offers an operation. Total: what no other node is for, Mailbox shows. */
export function ownerOf(operation: string): NodeName | undefined {
  const [resource, verb] = splitName(operation);
  if (operation === 'account.check') return undefined;                // the credential's test
  if (resource === 'alias') return 'alias';
  if (/spam/i.test(resource)) return 'spamList';
  if (resource === 'message' && ['send', 'sendFrom', 'reply', 'forward'].includes(verb)) return 'send';
  return 'mailbox';
}
