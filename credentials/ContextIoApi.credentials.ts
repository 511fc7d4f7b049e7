import type { IAuthenticate, ICredentialTestRequest, ICredentialType, Icon, INodeProperties } from 'n8n-workflow';
import { credentialProperties, signedBy } from '../nodes/lib/index.js';

export class ContextIoApi implements ICredentialType {
  name = 'contextIoApi';

  displayName = 'Context.IO API';

  icon: Icon = { light: 'file:../icons/contextIo.svg', dark: 'file:../icons/contextIo.dark.svg' };

  documentationUrl = 'https://github.com/mailroom-dev/n8n-nodes-mailroom/blob/main/docs/credentials.md#contextio-api';

  properties: INodeProperties[] = credentialProperties('contextIo');

  authenticate: IAuthenticate = signedBy('contextIo');

  test: ICredentialTestRequest = { request: { baseURL: '={{$credentials.baseUrl}}', url: '/2.0/accounts?limit=1' } };
}
