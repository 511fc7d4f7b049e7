import type { IAuthenticate, ICredentialTestRequest, ICredentialType, Icon, INodeProperties } from 'n8n-workflow';
import { credentialProperties, signedBy } from '../nodes/lib/index.js';

export class ScalewayApi implements ICredentialType {
  name = 'scalewayApi';

  displayName = 'Scaleway API';

  icon: Icon = { light: 'file:../icons/scaleway.svg', dark: 'file:../icons/scaleway.dark.svg' };

  documentationUrl = 'https://github.com/mailroom-dev/n8n-nodes-mailroom/blob/main/docs/credentials.md#scaleway-api';

  properties: INodeProperties[] = credentialProperties('scaleway');

  authenticate: IAuthenticate = signedBy('scaleway');

  test: ICredentialTestRequest = {
    request: { baseURL: '={{$credentials.baseUrl}}', url: '/mailbox/v1alpha1/domains?page_size=1' },
  };
}
