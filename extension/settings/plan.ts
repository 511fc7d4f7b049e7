import type { Pulled, SettingsChange } from '../../shared/index.js';
import { brief, shown, t, title } from '../host/text.js';

/** What a document changes, value by value: the server has the one, the file the other. */
export const differences = ({ values }: SettingsChange): string[] =>
  values.map(({ name, label, server, file }) => {
    if (name === 'entries') return file === null ? t('Remove {0}', shown(server)) : t('Add {0}', shown(file));
    return t('{0}: {1} on the server, {2} in the file', label, shown(server), shown(file));
  });
export interface PlanItem {
  label: string;
  description: string;
  detail: string;
  picked: boolean;
  change: SettingsChange;
}
/** What applying would do, a row for each document. What others changed meanwhile is not selected. */
export const planOf = (changes: readonly SettingsChange[]): PlanItem[] =>
  changes
    .filter(({ state }) => state === 'change' || state === 'conflict')
    .map(change => ({
      label: brief(change.label),
      detail: differences(change).join(' · '),
      picked: change.state === 'change',
      change,
      description:
        change.state === 'conflict'
          ? t('{0} · changed on the server too', title(change.resource))
          : title(change.resource),
    }));

/** So many lines does a question hold: it has no scroll bar everywhere, and its buttons must stay in sight. */
const MOST_LINES = 10;
export const firstOf = (lines: readonly string[]): string[] =>
  lines.length <= MOST_LINES
    ? [...lines]
    : [...lines.slice(0, MOST_LINES), t('and {0} more', lines.length - MOST_LINES)];
/** Whether a change is still the one that was shown: what is different by now was agreed to by nobody. */
export const isAsShown = (now: SettingsChange, shown: SettingsChange | undefined): boolean =>
  now.state === shown?.state && JSON.stringify(now.values) === JSON.stringify(shown.values);

/** What became of documents that were not applied, a sentence each. */
export function left(changes: readonly SettingsChange[]): { failures: string[]; skipped: string[] } {
  const failures: string[] = [];
  const skipped: string[] = [];
  for (const { path, state, message = '' } of changes) {
    if (state === 'failed' || state === 'invalid') failures.push(`${path}: ${message}`);
    if (state === 'change') skipped.push(t('{0}: different from what you were shown by now. Not applied.', path));
    if (state === 'conflict') skipped.push(t('{0}: changed on the server in the meantime.', path));
    if (state === 'missing') skipped.push(t('{0}: the file is not there. Nothing was deleted.', path));
    if (state === 'gone') skipped.push(t('{0}: no longer on the server.', path));
  }
  return { failures, skipped };
}
/** What became of documents that were not written, a sentence each. */
export function notPulled(pulled: readonly Pulled[]): { failures: string[]; skipped: string[] } {
  const failures: string[] = [];
  const skipped: string[] = [];
  for (const { path, state, message = '' } of pulled) {
    if (state === 'failed') failures.push(`${path}: ${message}`);
    if (state === 'kept') skipped.push(t('{0}: kept, because you changed the file.', path));
    if (state === 'gone') skipped.push(t('{0}: no longer on the server.', path));
  }
  return { failures, skipped };
}
