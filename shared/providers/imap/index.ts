import { operation, type Provider } from '../../provider.js';
import { account } from './account/fields.js';
import { autoReplies } from './operations/autoReply.js';
import { changing } from './operations/change.js';
import { checkAccount } from './account/check.js';
import { messageChanged } from './feed/messageChanged.js';
import { messageReceived } from './feed/messageReceived.js';
import { drafts } from './operations/draft.js';
import { folders } from './operations/folder.js';
import { forwardings } from './operations/forwarding.js';
import { reading } from './operations/message.js';
import { quotas } from './operations/quota.js';
import { replying } from './operations/reply.js';
import { rules } from './operations/rule.js';
import { scripts } from './operations/script.js';
import { sending } from './operations/send.js';
import { spamLists } from './operations/spamList.js';
import { threads } from './operations/thread.js';

/** Mail itself, at any host: IMAP to read, SMTP to send. */
export const imap = {
  id: 'imap',
  name: 'IMAP and SMTP',
  docs: 'https://www.rfc-editor.org/rfc/rfc9051',
  auth: account,
  // There are no requests to count; commands go one after the other over one connection (see connection.ts).
  pace: { concurrent: 5, perMinute: 6000 },
  operations: {
    'account.check': operation({
      summary: 'Check both sides of the account, and look for rules on the server',
      effect: 'read',
      docs: 'RFC 9051, RFC 5321, RFC 5804',
      input: {},
      run: checkAccount,
    }),
    ...folders,
    ...reading,
    ...changing,
    ...sending,
    ...replying,
    ...drafts,
    ...quotas,
    ...threads,
    ...spamLists,
    ...autoReplies,
    ...forwardings,
    ...rules,
    ...scripts,
  },
  feeds: { messageReceived, messageChanged },
} satisfies Provider;
