import type { Provider } from './provider.js';
import { contextIo } from './providers/contextIo/index.js';
import { imap } from './providers/imap/index.js';
import { migadu } from './providers/migadu/index.js';
import { outreach } from './providers/outreach/index.js';
import { rackspace } from './providers/rackspace/index.js';
import { scaleway } from './providers/scaleway/index.js';
import { sodium } from './providers/sodium/index.js';

/** Every provider by its id, in the order menus show them. */
const registry = { outreach, sodium, rackspace, scaleway, migadu, imap, contextIo };

/** All providers, in the order menus show them. */
export const providers: readonly Provider[] = Object.values(registry);

/** A capability is nothing but a key: who has this one? */
export const providersFor = (operation: string): readonly Provider[] =>
  providers.filter(provider => Object.hasOwn(provider.operations, operation));

/**
 * The provider with this id; with an id that is written out, its operations, inputs and results are typed. Throws for
 * an unknown one.
 */
export function providerById<Id extends keyof typeof registry>(id: Id): (typeof registry)[Id];
export function providerById(id: string): Provider;
export function providerById(id: string): Provider {
  const found = providers.find(provider => provider.id === id);
  if (!found) throw new Error(`There is no provider "${id}".`);
  return found;
}
