import type { IExecuteFunctions, INodeExecutionData, INodeType, INodeTypeDescription } from 'n8n-workflow';
import { NodeConnectionTypes } from 'n8n-workflow';
import { CHOSEN_PROVIDER, credentialTests, nodeProperties, runItems, searchMethods } from '../lib/index.js';

export class SpamList implements INodeType {
  description: INodeTypeDescription = {
    displayName: 'Spam List',
    name: 'spamList',
    icon: { light: 'file:../../icons/spamList.svg', dark: 'file:../../icons/spamList.dark.svg' },
    group: ['transform'],
    version: [1, 1.1],
    subtitle: `={{ $parameter["operation"] + ": " + $parameter["resource"] + " at " + ${CHOSEN_PROVIDER} }}`,
    description: 'Block and allow senders: block lists, safe lists and spam settings of a mailbox',
    defaults: { name: 'Spam List' },
    usableAsTool: true,
    inputs: [NodeConnectionTypes.Main],
    outputs: [NodeConnectionTypes.Main],
    credentials: [
      { name: 'outreachOAuth2Api', required: true, displayOptions: { show: { '/provider': ['outreach'] } } },
      { name: 'rackspaceApi', required: true, displayOptions: { show: { '/provider': ['rackspace'] } } },
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
    properties: nodeProperties('spamList'),
  };

  methods = { listSearch: searchMethods('spamList'), credentialTest: credentialTests };

  async execute(this: IExecuteFunctions): Promise<INodeExecutionData[][]> {
    return runItems(this, 'spamList');
  }
}
