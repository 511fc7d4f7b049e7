import type { IAuthenticate, ICredentialTestRequest, ICredentialType, Icon, INodeProperties } from 'n8n-workflow';
import { credentialProperties, signedBy } from '../nodes/lib/index.js';

export class SodiumApi implements ICredentialType {
  name = 'sodiumApi';

  displayName = 'Sodium API';

  icon: Icon = { light: 'file:../icons/sodium.svg', dark: 'file:../icons/sodium.dark.svg' };

  documentationUrl = 'https://github.com/mailroom-dev/n8n-nodes-mailroom/blob/main/docs/credentials.md#sodium-api';

  properties: INodeProperties[] = credentialProperties('sodium');

  authenticate: IAuthenticate = signedBy('sodium');

  test: ICredentialTestRequest = { request: { baseURL: '={{$credentials.baseUrl}}', url: '/tenants' } };
}
