import {
  connect,
  providerById,
  type Client,
  type FeedItem,
  type FileValue,
  type MailError,
} from '../../shared/index.js';
import { closeConnections } from '../../shared/providers/imap/session/imapPool.js';
import { startImap, type Plain, type ScriptedImap } from './imap.js';
import type { ScriptedSmtp } from './smtp.js';

/** An account of scripted servers. */
export const accountOf = (imap?: ScriptedImap, smtp?: ScriptedSmtp, more: Record<string, unknown> = {}): Client =>
  connect(providerById('imap'), {
    user: 'u0@test.local',
    password: 'pass0',
    ...(imap ? { imapHost: '127.0.0.1', imapPort: imap.port, imapSecurity: 'none' } : {}),
    ...(smtp ? { smtpHost: '127.0.0.1', smtpPort: smtp.port, smtpSecurity: 'none' } : {}),
    ...more,
  });

/** The id of a message in the INBOX of a plain scripted server. */
export const idOf = (uid: number): string => `INBOX;UIDVALIDITY=7;UID=${uid}`;

/** Runs a test against a server that plays a script, and ends the server in every case. */
export async function withScript(
  script: string,
  run: (client: Client, server: ScriptedImap) => Promise<void>,
  plain: Plain = {},
): Promise<void> {
  const server = await startImap(script, plain);
  try {
    await run(accountOf(server), server);
  } finally {
    closeConnections();
    await server.close();
  }
}

/** The bytes of a file. */
export async function bytesOf(file: FileValue): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of file.open()) pieces.push(piece);
  return Buffer.concat(pieces);
}

interface Followed {
  items: FeedItem<FollowedMessage>[];
  notes: string[];
  cursor: string;
  errors: MailError[];
}
interface FollowedMessage {
  subject?: string;
  text?: string;
  unreadable?: true;
  error?: string;
  attachments?: { content?: FileValue }[];
  raw?: FileValue;
}

/** Reads a feed to its end as a trigger does: after an error again, from the same cursor, at most `patience` times. */
export async function follow(
  client: Client,
  input: Record<string, unknown>,
  cursor: string,
  patience = 6,
): Promise<Followed> {
  const out: Followed = { items: [], notes: [], cursor, errors: [] };
  for (;;) {
    try {
      const batch = await client.since('messageReceived', input, out.cursor);
      out.items.push(...(batch.items as FeedItem<FollowedMessage>[]));
      out.notes.push(...(batch.notes ?? []));
      out.cursor = batch.cursor;
      if (!batch.more) return out;
    } catch (error) {
      out.errors.push(error as MailError);
      if (out.errors.length > patience) return out;
    }
  }
}
