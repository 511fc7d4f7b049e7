import { MailError } from '../../../errors.js';
import { operation, type Operations } from '../../../provider.js';
import type { Native } from '../../../vocabulary.js';
import { withImap } from '../session/imapPool.js';
import { needing } from '../session/folderRefusal.js';
import { folderField } from './message.js';

/** How full an account is. Sizes are in bytes; what a server does not limit is missing. */
export interface Quota {
  root?: string;
  used?: number;
  limit?: number;
  messages?: number;
  messageLimit?: number;
  native: Native;
}
interface Resource {
  usage?: number;
  limit?: number;
}
type Told = { quotaRoot?: string } & Record<string, Resource | undefined>;

/** The operations on quotas. */
export const quotas = {
  'quota.get': operation({
    summary: 'Read how much room the account has and uses',
    effect: 'read',
    docs: 'RFC 9208',
    doubt: 'A server may count in other ways than the sum of the messages, and may limit nothing.',
    input: folderField,
    run: (ctx, { folder }): Promise<Quota> =>
      withImap(
        ctx,
        async client => {
          if (!client.capabilities.has('QUOTA'))
            throw new MailError('unsupported', 'This server does not tell quotas (QUOTA).');
          const told = (await needing(client, folder, () => client.getQuota(folder))) as unknown as Told | false;
          if (!told) throw new MailError('not_found', `The server tells no quota for the folder "${folder}".`);
          const { storage, message } = told;
          return {
            ...(told.quotaRoot ? { root: told.quotaRoot } : {}),
            ...(storage?.usage === undefined ? {} : { used: storage.usage }),
            ...(storage?.limit === undefined ? {} : { limit: storage.limit }),
            ...(message?.usage === undefined ? {} : { messages: message.usage }),
            ...(message?.limit === undefined ? {} : { messageLimit: message.limit }),
            native: { ...told },
          };
        },
        { reads: true },
      ),
  }),
} satisfies Operations;
