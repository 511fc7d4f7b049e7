import type { IAuthenticate, ICredentialTestRequest, ICredentialType, Icon, INodeProperties } from 'n8n-workflow';
import { credentialProperties, signedBy } from '../nodes/lib/index.js';

export class RackspaceApi implements ICredentialType {
  name = 'rackspaceApi';

  displayName = 'Rackspace API';

  icon: Icon = { light: 'file:../icons/rackspace.svg', dark: 'file:../icons/rackspace.dark.svg' };

  documentationUrl = 'https://github.com/mailroom-dev/n8n-nodes-mailroom/blob/main/docs/credentials.md#rackspace-api';

  properties: INodeProperties[] = credentialProperties('rackspace');

  authenticate: IAuthenticate = signedBy('rackspace');

  test: ICredentialTestRequest = {
    request: {
      baseURL: '={{$credentials.baseUrl}}',
      url: '=/{{$credentials.version}}/customers/{{$credentials.customer}}/domains?size=1&offset=0',
      headers: { accept: 'text/xml' },
    },
  };
}
