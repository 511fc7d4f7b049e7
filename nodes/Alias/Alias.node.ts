import type { IExecuteFunctions, INodeExecutionData, INodeType, INodeTypeDescription } from 'n8n-workflow';
import { NodeConnectionTypes } from 'n8n-workflow';
import { CHOSEN_PROVIDER, nodeProperties, runItems, searchMethods } from '../lib/index.js';

export class Alias implements INodeType {
  description: INodeTypeDescription = {
    displayName: 'Alias',
    name: 'alias',
    icon: { light: 'file:../../icons/alias.svg', dark: 'file:../../icons/alias.dark.svg' },
    group: ['transform'],
    version: 1,
    subtitle: `={{ $parameter["operation"] + ": " + $parameter["resource"] + " at " + ${CHOSEN_PROVIDER} }}`,
    description: 'Administer the further addresses of mailboxes',
    defaults: { name: 'Alias' },
    usableAsTool: true,
    inputs: [NodeConnectionTypes.Main],
    outputs: [NodeConnectionTypes.Main],
    credentials: [
      { name: 'outreachOAuth2Api', required: true, displayOptions: { show: { '/provider': ['outreach'] } } },
      { name: 'rackspaceApi', required: true, displayOptions: { show: { '/provider': ['rackspace'] } } },
      { name: 'scalewayApi', required: true, displayOptions: { show: { '/provider': ['scaleway'] } } },
      { name: 'migaduApi', required: true, displayOptions: { show: { '/provider': ['migadu'] } } },
      { name: 'contextIoApi', required: true, displayOptions: { show: { '/provider': ['contextIo'] } } },
    ],
    properties: nodeProperties('alias'),
  };

  methods = { listSearch: searchMethods('alias') };

  async execute(this: IExecuteFunctions): Promise<INodeExecutionData[][]> {
    return runItems(this, 'alias');
  }
}
