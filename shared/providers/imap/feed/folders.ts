import type { Input } from './input.js';

export const foldersOf = (values: Pick<Input, 'folders'>): string[] => [
  ...new Set(values.folders.map(folder => (folder.toUpperCase() === 'INBOX' ? 'INBOX' : folder))),
];

/** Failures that concern the folder that was asked for. */
export const OF_ONE: ReadonlySet<string> = new Set(['not_found', 'forbidden', 'rejected']);
