import type { Provider } from './provider.js';
import { contextIo } from './providers/contextIo/index.js';
import { imap } from './providers/imap/index.js';
import { outreach } from './providers/outreach/index.js';
import { rackspace } from './providers/rackspace/index.js';
import { scaleway } from './providers/scaleway/index.js';
import { sodium } from './providers/sodium/index.js';

/** All providers, in the order menus show them. */
export const providers: readonly Provider[] = [outreach, sodium, rackspace, scaleway, imap, contextIo];

/** A capability is nothing but a key: who has this one? */
export const providersFor = (operation: string): readonly Provider[] => providers.filter(provider => Object.hasOwn(provider.operations, operation));

/** The provider with this id. Throws for an unknown one. */
export function providerById(id: string): Provider {
  const found = providers.find(provider => provider.id === id);
  if (!found) throw new Error(`There is no provider "${id}".`);
  return found;
}
