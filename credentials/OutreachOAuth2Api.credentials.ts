import type { ICredentialTestRequest, ICredentialType, Icon, INodeProperties } from 'n8n-workflow';
import { GUARDED_BASE_URL, oauth2Properties } from '../nodes/lib/index.js';

export class OutreachOAuth2Api implements ICredentialType {
  name = 'outreachOAuth2Api';

  extends = ['oAuth2Api'];

  displayName = 'Outreach OAuth2 API';

  icon: Icon = { light: 'file:../icons/outreach.svg', dark: 'file:../icons/outreach.dark.svg' };

  documentationUrl =
    'https://github.com/mailroom-dev/n8n-nodes-mailroom/blob/main/docs/credentials.md#outreach-oauth2-api';

  properties: INodeProperties[] = oauth2Properties('outreach');

  test: ICredentialTestRequest = {
    request: {
      baseURL: GUARDED_BASE_URL,
      url: '/api/v2/mailboxes?page[size]=1',
      headers: { 'content-type': 'application/vnd.api+json' },
    },
  };
}
