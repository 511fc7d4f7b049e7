import type { ICredentialType, Icon, INodeProperties } from 'n8n-workflow';
import { credentialProperties } from '../nodes/lib/index.js';

// Tested by the nodes (`testedBy: 'checkAccount'`): a request cannot try a login over IMAP and SMTP.
export class ImapApi implements ICredentialType {
  name = 'imapApi';

  displayName = 'IMAP and SMTP API';

  icon: Icon = { light: 'file:../icons/imap.svg', dark: 'file:../icons/imap.dark.svg' };

  documentationUrl =
    'https://github.com/mailroom-dev/n8n-nodes-mailroom/blob/main/docs/credentials.md#imap-and-smtp-api';

  properties: INodeProperties[] = credentialProperties('imap');
}
