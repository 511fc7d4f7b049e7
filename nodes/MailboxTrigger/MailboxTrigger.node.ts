import type { INodeType, INodeTypeDescription, ITriggerFunctions, ITriggerResponse } from 'n8n-workflow';
import { NodeConnectionTypes } from 'n8n-workflow';
import {
  credentialTests,
  searchMethods,
  severalMethods,
  startTrigger,
  TRIGGER_SUBTITLE,
  TRIGGER_WORDS,
  triggerProperties,
} from '../lib/index.js';

/**
 * Sync Trigger under a name by which n8n's editor lists it among the triggers of Mailbox: it joins a node and the
 * trigger that is called the same with "Trigger" behind it. Workflows with either go on with theirs.
 */
export class MailboxTrigger implements INodeType {
  description: INodeTypeDescription = {
    displayName: 'Mailbox Trigger',
    name: 'mailboxTrigger',
    icon: { light: 'file:../../icons/syncTrigger.svg', dark: 'file:../../icons/syncTrigger.dark.svg' },
    group: ['trigger'],
    // Folders are picked, and nodes begin with IMAP, since that version of Sync Trigger.
    version: [1.1],
    subtitle: TRIGGER_SUBTITLE,
    // The editor shows it for both, under Mailbox.
    description:
      'Read, search, move and delete mail, administer mailboxes, and start workflows when mail arrives or changes',
    ...TRIGGER_WORDS,
    defaults: { name: 'Mailbox Trigger' },
    inputs: [],
    outputs: [NodeConnectionTypes.Main],
    credentials: [
      { name: 'outreachOAuth2Api', required: true, displayOptions: { show: { '/provider': ['outreach'] } } },
      { name: 'sodiumApi', required: true, displayOptions: { show: { '/provider': ['sodium'] } } },
      { name: 'rackspaceApi', required: true, displayOptions: { show: { '/provider': ['rackspace'] } } },
      { name: 'scalewayApi', required: true, displayOptions: { show: { '/provider': ['scaleway'] } } },
      {
        name: 'imapApi',
        required: true,
        testedBy: 'checkAccount',
        displayOptions: { show: { '/provider': ['imap'], '/authentication': ['password'] } },
      },
      {
        name: 'imapOAuth2Api',
        required: true,
        testedBy: 'checkAccount',
        displayOptions: { show: { '/provider': ['imap'], '/authentication': ['oauth2'] } },
      },
      { name: 'contextIoApi', required: true, displayOptions: { show: { '/provider': ['contextIo'] } } },
    ],
    properties: triggerProperties({ listed: true }),
  };

  methods = { listSearch: searchMethods('mailbox'), loadOptions: severalMethods(), credentialTest: credentialTests };

  async trigger(this: ITriggerFunctions): Promise<ITriggerResponse> {
    return startTrigger(this);
  }
}
