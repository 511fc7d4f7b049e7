import type { FetchMessageObject } from '../libraries.js';
import { outline, type Outline } from '../mime/structure.js';
import type { Input } from './input.js';
import { passesEnvelope } from './words.js';

export function passes(values: Input, row: FetchMessageObject, shape: Outline | undefined): boolean {
  if (values.unseen && row.flags?.has('\\Seen')) return false;
  if (values.largerThan !== undefined && !((row.size ?? 0) > values.largerThan)) return false;
  if (values.smallerThan !== undefined && !((row.size ?? 0) < values.smallerThan)) return false;
  if (!passesEnvelope(values, row.envelope)) return false;
  return values.hasAttachment === undefined || !shape || shape.attachments.length > 0 === values.hasAttachment;
}

/** How a message is made up, worked out once and kept in its row; null where its structure cannot be trusted. */
type Shaped = FetchMessageObject & { shape?: Outline | null };
export function shapeOf(row: Shaped | undefined): Outline | undefined {
  if (!row) return undefined;
  if (row.shape === undefined) row.shape = outline(row.bodyStructure, row) ?? null;
  return row.shape ?? undefined;
}
