import type { IExecuteFunctions, INodeExecutionData, INodeType, INodeTypeDescription } from 'n8n-workflow';
import { NodeConnectionTypes } from 'n8n-workflow';
import { CHOSEN_PROVIDER, credentialTests, nodeProperties, runItems, searchMethods } from '../lib/index.js';

export class Mailbox implements INodeType {
  description: INodeTypeDescription = {
    displayName: 'Mailbox',
    name: 'mailbox',
    icon: { light: 'file:../../icons/mailbox.svg', dark: 'file:../../icons/mailbox.dark.svg' },
    group: ['transform'],
    // New nodes begin with IMAP since 1.1.
    version: [1, 1.1],
    subtitle: `={{ $parameter["operation"] + ": " + $parameter["resource"] + " at " + ${CHOSEN_PROVIDER} }}`,
    description: 'Read, search, move and delete mail, and administer mailboxes and what belongs to them',
    defaults: { name: 'Mailbox' },
    usableAsTool: true,
    inputs: [NodeConnectionTypes.Main],
    outputs: [NodeConnectionTypes.Main],
    credentials: [
      { name: 'outreachOAuth2Api', required: true, displayOptions: { show: { '/provider': ['outreach'] } } },
      { name: 'sodiumApi', required: true, displayOptions: { show: { '/provider': ['sodium'] } } },
      { name: 'rackspaceApi', required: true, displayOptions: { show: { '/provider': ['rackspace'] } } },
      { name: 'scalewayApi', required: true, displayOptions: { show: { '/provider': ['scaleway'] } } },
      { name: 'migaduApi', required: true, displayOptions: { show: { '/provider': ['migadu'] } } },
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
    properties: nodeProperties('mailbox'),
  };

  methods = { listSearch: searchMethods('mailbox'), credentialTest: credentialTests };

  async execute(this: IExecuteFunctions): Promise<INodeExecutionData[][]> {
    return runItems(this, 'mailbox');
  }
}
