import type { ICredentialType, Icon, INodeProperties } from 'n8n-workflow';
import { oauth2ChoiceProperties } from '../nodes/lib/index.js';

export class ImapOAuth2Api implements ICredentialType {
  name = 'imapOAuth2Api';

  extends = ['oAuth2Api'];

  displayName = 'IMAP and SMTP OAuth2 API';

  icon: Icon = { light: 'file:../icons/imap.svg', dark: 'file:../icons/imap.dark.svg' };

  documentationUrl =
    'https://github.com/mailroom-dev/n8n-nodes-mailroom/blob/main/docs/credentials.md#imap-and-smtp-oauth2-api';

  properties: INodeProperties[] = oauth2ChoiceProperties('imap');
}
