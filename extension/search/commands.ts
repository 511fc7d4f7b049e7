import type { Register } from '../host/commands.js';
import { t } from '../host/text.js';
import { window } from '../host/window.js';
import type { createSearchView } from './view.js';

interface Parts {
  register: Register;
  found: ReturnType<typeof createSearchView>;
}

/** The commands that search the mail of all accounts. */
export function registerSearchCommands({ register, found }: Parts): void {
  register('searchAll', async () => {
    const text = await window.showInputBox({
      title: t('Search All Accounts'),
      value: found.search.text,
      placeHolder: t('Words of the messages'),
      prompt: t('Each provider searches its own mail. Trash and Junk are left out.'),
    });
    // Not awaited: other commands may run meanwhile, and `stopSearch` ends it.
    if (text?.trim()) void found.start(text.trim());
  });
  register('stopSearch', () => found.search.stop());
  register('clearSearch', () => found.clear());
}
