import type { INodeTypeDescription } from 'n8n-workflow';
import { CHOSEN_PROVIDER } from './parameters.js';

/** What stands below the name of a trigger on the canvas. */
export const TRIGGER_SUBTITLE = `={{ ${CHOSEN_PROVIDER} + ": " + $parameter["event"].replace(/([A-Z])/g, " $1").toLowerCase() }}`;

/** What n8n's editor says of a trigger: of Sync Trigger, and of the same under the name of Mailbox. */
export const TRIGGER_WORDS = {
  eventTriggerDescription: 'Waiting for news from the provider',
  activationMessage:
    'The mailbox is being watched. Each new message or change starts one execution; after an interruption the trigger catches up.',
  triggerPanel: {
    header: 'Look at the latest message',
    executionsHelp: {
      inactive:
        'Execute this step to see the latest message or change that passes the filters; nothing is marked or moved. ' +
        'Publish the workflow to run it for each new one.',
      active:
        'Each new message or change starts one execution. Executing this step shows the latest one, with the state of the published workflow, ' +
        'and changes nothing.',
    },
    activationHint:
      'Once published, this workflow runs for each new message or change, also for those that came while n8n was stopped.',
  },
} as const satisfies Pick<INodeTypeDescription, 'eventTriggerDescription' | 'activationMessage' | 'triggerPanel'>;
