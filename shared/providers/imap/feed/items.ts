import { inReadingOrder } from '../../../message.js';
import type { FeedItem } from '../../../provider.js';
import { toMessage, unknownMessage, type ImapMessage } from '../messages/content.js';
import type { FetchMessageObject } from '../libraries.js';
import { outline } from '../mime/structure.js';

export const itemOf = (
  folder: string,
  uidValidity: string,
  uid: number,
  message: ImapMessage,
): FeedItem<ImapMessage> => ({
  id: `${folder}/${uidValidity}/${uid}`,
  item: message,
  ...(message.unreadable ? { problem: message.error || 'The server does not deliver it.' } : {}),
});

export const unreadable = (
  place: { folder: string; uidValidity: string; uid: number },
  row: FetchMessageObject | undefined,
  error: string,
): ImapMessage =>
  inReadingOrder({
    ...(row ? toMessage(row, place.folder, place.uidValidity, outline(row.bodyStructure, row)) : unknownMessage(place)),
    unreadable: true,
    error,
  });
