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

export class SyncTrigger implements INodeType {
  description: INodeTypeDescription = {
    displayName: 'Sync Trigger',
    name: 'syncTrigger',
    icon: { light: 'file:../../icons/syncTrigger.svg', dark: 'file:../../icons/syncTrigger.dark.svg' },
    group: ['trigger'],
    // Since 1.1 folders are picked, and new nodes begin with IMAP; nodes of version 1 keep their typed names.
    version: [1, 1.1],
    subtitle: TRIGGER_SUBTITLE,
    description:
      'Starts the workflow once for each new email, or for each change of a mailbox, without loss or repetition',
    ...TRIGGER_WORDS,
    defaults: { name: 'Sync Trigger' },
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
    properties: triggerProperties(),
  };

  methods = { listSearch: searchMethods('mailbox'), loadOptions: severalMethods(), credentialTest: credentialTests };

  async trigger(this: ITriggerFunctions): Promise<ITriggerResponse> {
    return startTrigger(this);
  }
}
