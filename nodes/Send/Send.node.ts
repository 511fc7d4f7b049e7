import type {
  IExecuteFunctions,
  INodeExecutionData,
  INodeType,
  INodeTypeDescription,
  IWebhookFunctions,
  IWebhookResponseData,
} from 'n8n-workflow';
import { NodeConnectionTypes } from 'n8n-workflow';
import {
  CHOSEN_PROVIDER,
  credentialTests,
  nodeProperties,
  runItems,
  searchMethods,
  sendAndWaitWebhook,
  sendAndWaitWebhooks,
} from '../lib/index.js';

export class Send implements INodeType {
  description: INodeTypeDescription = {
    displayName: 'Send',
    name: 'send',
    icon: { light: 'file:../../icons/send.svg', dark: 'file:../../icons/send.dark.svg' },
    group: ['output'],
    // New nodes begin with IMAP since 1.1.
    version: [1, 1.1],
    subtitle: `={{ $parameter["operation"] + ": " + $parameter["resource"] + " at " + ${CHOSEN_PROVIDER} }}`,
    description: 'Send, reply to and forward mail, and wait for a response',
    defaults: { name: 'Send' },
    usableAsTool: true,
    inputs: [NodeConnectionTypes.Main],
    outputs: [NodeConnectionTypes.Main],
    webhooks: sendAndWaitWebhooks,
    waitingNodeTooltip:
      '={{ $parameter["operation"] === "sendAndWait" ? "The workflow goes on when the response has come" : "" }}',
    credentials: [
      { name: 'sodiumApi', required: true, displayOptions: { show: { '/provider': ['sodium'] } } },
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
    ],
    properties: nodeProperties('send'),
  };

  methods = { listSearch: searchMethods('send'), credentialTest: credentialTests };

  async execute(this: IExecuteFunctions): Promise<INodeExecutionData[][]> {
    return runItems(this, 'send');
  }

  async webhook(this: IWebhookFunctions): Promise<IWebhookResponseData> {
    return sendAndWaitWebhook.call(this);
  }
}
