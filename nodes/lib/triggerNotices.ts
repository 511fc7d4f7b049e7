import type { ITriggerFunctions } from 'n8n-workflow';
import { NodeOperationError } from 'n8n-workflow';
import { isMailError, type FeedItem, type Message, type Provider } from '../../shared/index.js';
import type { FollowOptions } from './followOptions.js';
import { asNodeError } from './host.js';

// What a running Sync Trigger says: each is a failed execution of its own, or a line in n8n's log.

type Notices = Pick<FollowOptions, 'poisoned' | 'outage' | 'notes' | 'log' | 'warn'>;

/** The part of what a follower needs from its host that tells people something. */
export const notices = (node: ITriggerFunctions, provider: Provider): Notices => ({
  poisoned: item => fail(node, unreadable(node, provider, item)),
  outage(event) {
    if (event.kind === 'over') node.logger.info(`${provider.name} answers again; nothing was skipped.`);
    else fail(node, outage(node, provider, event));
  },
  notes: ([first, ...more]) =>
    fail(
      node,
      new NodeOperationError(node.getNode(), first!, {
        description: [...more, 'The trigger goes on with everything else. This is said once.'].join(' '),
      }),
    ),
  log: (message, details) => node.logger.debug(message, details),
  warn: message => node.logger.warn(message),
});

/** Makes a failure visible without ending the trigger: `emitError` would close it, double it or kill it. */
function fail(node: ITriggerFunctions, error: NodeOperationError) {
  const save = (node as { saveFailedExecution?: (error: NodeOperationError) => void }).saveFailedExecution;
  if (save) save.call(node, error);
  else node.logger.error(error.message);
}

function unreadable(node: ITriggerFunctions, provider: Provider, { id, item, problem }: FeedItem): NodeOperationError {
  const details = describeItem(item as Partial<Message>);
  return new NodeOperationError(node.getNode(), `A message could not be read: ${problem}`, {
    description: `${provider.name} holds it as ${id}${details}. All other messages go on.`,
  });
}

/** Who wrote and about what, as far as that is known. */
const describeItem = ({ from, subject, date }: Partial<Message>) =>
  [from?.email && ` from ${from.email}`, subject && ` about "${subject}"`, date && ` of ${date}`]
    .filter(Boolean)
    .join('');

type Outage = Exclude<Parameters<FollowOptions['outage']>[0], { kind: 'over' }>;

function outage(node: ITriggerFunctions, { name }: Provider, { kind, error, since }: Outage): NodeOperationError {
  const { message } = asNodeError(node.getNode(), error);
  const say = (sentence: string, description: string) =>
    new NodeOperationError(node.getNode(), `${sentence}: ${message}`, { description });
  const code = isMailError(error) ? error.code : undefined;
  if (code === 'invalid_input') {
    return say('These settings cannot be followed', 'Correct the node and publish the workflow again.');
  }
  if (kind === 'credentials') {
    return say(
      `${name} refuses the account`,
      'Correct the credential; the trigger tries again every five minutes and skips nothing.',
    );
  }
  const goesOn = 'The trigger goes on trying and will catch up. This is said once.';
  if (code === 'not_found') return say('There is nothing to follow', goesOn);
  return say(`${name} has not answered since ${since.toISOString()}`, goesOn);
}
