import type { Provider } from './provider.js';
import { imap } from './providers/imap/index.js';
import { scaleway } from './providers/scaleway/index.js';

/** All providers, in the order menus show them. */
export const providers: readonly Provider[] = [scaleway, imap];

/** A capability is nothing but a key: who has this one? */
export const providersFor = (operation: string): readonly Provider[] => providers.filter(provider => Object.hasOwn(provider.operations, operation));

/** The provider with this id. Throws for an unknown one. */
export function providerById(id: string): Provider {
  const found = providers.find(provider => provider.id === id);
  if (!found) throw new Error(`There is no provider "${id}".`);
  return found;
}
