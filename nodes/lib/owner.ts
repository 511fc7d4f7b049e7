import { splitName } from '../../shared/index.js';

/** The nodes that run operations. */
export const NODES = ['mailbox', 'alias', 'spamList', 'send'] as const;
export type NodeName = (typeof NODES)[number];

/** Which node offers an operation. Total: what no other node is for, Mailbox shows. */
export function ownerOf(operation: string): NodeName | undefined {
  const [resource, verb] = splitName(operation);
  if (operation === 'account.check') return undefined; // the credential's test
  if (resource === 'alias') return 'alias';
  if (/spam/i.test(resource)) return 'spamList';
  if (resource === 'message' && ['send', 'sendFrom', 'reply', 'forward'].includes(verb)) return 'send';
  return 'mailbox';
}

/** What most people look for, of all that the nodes can do, in the order of a list of them. */
const COMMON: readonly string[] = [
  ...['send', 'sendFrom', 'reply', 'forward'].map(verb => `message.${verb}`),
  ...['list', 'get', 'mark', 'move', 'delete'].map(verb => `message.${verb}`),
  'conversation.list',
  'thread.list',
  'draft.create',
  'draft.send',
  'attachment.get',
  'folder.list',
  'autoReply.set',
  'rule.create',
  'forwarding.set',
  ...['mailbox', 'rsMailbox'].flatMap(resource =>
    ['list', 'get', 'create', 'update', 'delete'].map(verb => `${resource}.${verb}`),
  ),
  'mailbox.restore',
];
/** Whether n8n's list of actions shows an operation; the other nodes are short enough to show all of theirs. */
export const isCommon = (node: NodeName, operation: string): boolean =>
  node !== 'mailbox' || COMMON.includes(operation);
/** Where an operation, or the first one of a resource, stands among the common ones; behind them all what is none. */
export function placeAmongCommon(name: string): number {
  const at = COMMON.findIndex(one => one === name || one.startsWith(`${name}.`));
  return at < 0 ? COMMON.length : at;
}
