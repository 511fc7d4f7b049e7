import type { Misbehaviour } from '../../shared/index.js';
import { t } from '../host/text.js';
import { window } from '../host/window.js';

type Switch = keyof Misbehaviour;
/** What each switch does, in the words of the menu. */
const switches = (): readonly { key: Switch; label: string; detail: string }[] => [
  { key: 'refuse', label: t('Refuse a Recipient'), detail: t('550 5.1.1 for an address, a domain, or everyone.') },
  {
    key: 'failOnce',
    label: t('Fail Once'),
    detail: t('451 4.3.0 for the next recipient, then everything works again.'),
  },
  {
    key: 'greylist',
    label: t('Greylist'),
    detail: t('450 4.7.1 at the first try for each recipient. The second try is accepted.'),
  },
  { key: 'slow', label: t('Answer Slowly'), detail: t('Each answer waits as long as you say.') },
  {
    key: 'dropAfterData',
    label: t('Drop the Connection after DATA'),
    detail: t('The message arrives, but the sender is not told.'),
  },
  { key: 'overQuota', label: t('Over Quota'), detail: t('552 5.2.2 for every recipient.') },
  { key: 'sizeLimit', label: t('Limit the Size'), detail: t('552 for messages larger than you say.') },
];
/** What is on, in a word or two each. */
export const isOn = (how: Misbehaviour): string[] =>
  switches()
    .filter(({ key }) => how[key])
    .map(({ label }) => label);

/** Asks how the server is to misbehave; undefined when the user gives up. */
export async function askMisbehaviour(now: Misbehaviour): Promise<Misbehaviour | undefined> {
  const picked = await window.showQuickPick(
    switches().map(one => ({ ...one, picked: Boolean(now[one.key]) })),
    {
      title: t('Simulate Failures'),
      placeHolder: t('Choose what fails from now on, or nothing to end the failures.'),
      canPickMany: true,
      ignoreFocusOut: true,
    },
  );
  if (!picked) return undefined;
  const keys = new Set(picked.map(({ key }) => key));
  const how: Misbehaviour = {};
  for (const key of ['failOnce', 'greylist', 'dropAfterData', 'overQuota'] as const) if (keys.has(key)) how[key] = true;
  if (keys.has('refuse')) {
    const given = await window.showInputBox({
      title: t('Refuse a Recipient'),
      value: now.refuse ?? '*',
      ignoreFocusOut: true,
      prompt: t('An address, or a part of one such as @example.com. * refuses everyone.'),
      validateInput: value => (value.trim() ? undefined : t('Enter an address.')),
    });
    if (given === undefined) return undefined;
    how.refuse = given.trim();
  }
  for (const [key, label, prompt, usual, most] of [
    ['slow', t('Answer Slowly'), t('Milliseconds before each answer, 1 to 600000.'), 2000, 600_000],
    ['sizeLimit', t('Limit the Size'), t('The largest message in bytes.'), 100_000, 50 * 1024 * 1024],
  ] as const) {
    if (!keys.has(key)) continue;
    const given = await window.showInputBox({
      title: label,
      value: String(now[key] ?? usual),
      prompt,
      ignoreFocusOut: true,
      validateInput: value =>
        Number.isInteger(Number(value)) && Number(value) >= 1 && Number(value) <= most
          ? undefined
          : t('Enter a whole number from 1 to {0}.', most),
    });
    if (given === undefined) return undefined;
    how[key] = Number(given);
  }
  return how;
}
