import type { INodeType, INodeTypeDescription, ITriggerFunctions, ITriggerResponse } from 'n8n-workflow';
import { NodeConnectionTypes } from 'n8n-workflow';
import { CHOSEN_PROVIDER, credentialTests, searchMethods, severalMethods, startTrigger, triggerProperties } from '../lib/index.js';

/**
 * Sync Trigger under a name by which n8n's editor lists it among the triggers of Mailbox: it joins a node and the trigger that is called the same with
 * "Trigger" behind it. Workflows with either go on with theirs.
 */
export class MailboxTrigger implements INodeType {
  description: INodeTypeDescription = {
    displayName: 'Mailbox Trigger',
    name: 'mailboxTrigger',
    icon: { light: 'file:../../icons/syncTrigger.svg', dark: 'file:../../icons/syncTrigger.dark.svg' },
    group: ['trigger'],
    // Folders are picked, and nodes begin with IMAP, since that version of Sync Trigger.
    version: [1.1],
    subtitle: `={{ ${CHOSEN_PROVIDER} + ": " + $parameter["event"].replace(/([A-Z])/g, " $1").toLowerCase() }}`,
    // The editor shows it for both, under Mailbox.
    description: 'Read, search, move and delete mail, administer mailboxes, and start workflows when mail arrives or changes',
    eventTriggerDescription: 'Waiting for news from the provider',
    activationMessage: 'The mailbox is being watched. Each new message or change starts one execution; after an interruption the trigger catches up.',
    triggerPanel: {
      header: 'Look at the latest message',
      executionsHelp: {
        inactive: 'Execute this step to see the latest message or change that passes the filters; nothing is marked or moved. '
          + 'Publish the workflow to run it for each new one.',
        active: 'Each new message or change starts one execution. Executing this step shows the latest one, with the state of the published workflow, '
          + 'and changes nothing.',
      },
      activationHint: 'Once published, this workflow runs for each new message or change, also for those that came while n8n was stopped.',
    },
    defaults: { name: 'Mailbox Trigger' },
    inputs: [],
    outputs: [NodeConnectionTypes.Main],
    credentials: [
      { name: 'outreachOAuth2Api', required: true, displayOptions: { show: { '/provider': ['outreach'] } } },
      { name: 'sodiumApi', required: true, displayOptions: { show: { '/provider': ['sodium'] } } },
      { name: 'rackspaceApi', required: true, displayOptions: { show: { '/provider': ['rackspace'] } } },
      { name: 'scalewayApi', required: true, displayOptions: { show: { '/provider': ['scaleway'] } } },
      { name: 'imapApi', required: true, testedBy: 'checkAccount', displayOptions: { show: { '/provider': ['imap'], '/authentication': ['password'] } } },
      { name: 'imapOAuth2Api', required: true, testedBy: 'checkAccount', displayOptions: { show: { '/provider': ['imap'], '/authentication': ['oauth2'] } } },
      { name: 'contextIoApi', required: true, displayOptions: { show: { '/provider': ['contextIo'] } } },
    ],
    properties: triggerProperties({ listed: true }),
  };

  methods = { listSearch: searchMethods('mailbox'), loadOptions: severalMethods(), credentialTest: credentialTests };

  async trigger(this: ITriggerFunctions): Promise<ITriggerResponse> {
    return startTrigger(this);
  }
}
