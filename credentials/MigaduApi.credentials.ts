import type { IAuthenticate, ICredentialTestRequest, ICredentialType, Icon, INodeProperties } from 'n8n-workflow';
import { credentialProperties, signedBy } from '../nodes/lib/index.js';

export class MigaduApi implements ICredentialType {
  name = 'migaduApi';

  displayName = 'Migadu API';

  icon: Icon = { light: 'file:../icons/migadu.svg', dark: 'file:../icons/migadu.dark.svg' };

  documentationUrl = 'https://github.com/mailroom-dev/n8n-nodes-mailroom/blob/main/docs/credentials.md#migadu-api';

  properties: INodeProperties[] = credentialProperties('migadu');

  authenticate: IAuthenticate = signedBy('migadu');

  test: ICredentialTestRequest = { request: { baseURL: '={{$credentials.baseUrl}}', url: '/v1/domains' } };
}
