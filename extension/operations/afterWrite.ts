import { splitName } from '../../shared/index.js';
import { idOfItem, removes, type Binding } from '../fields/tables.js';
import type { BranchNode, Model } from '../tree/model.js';
import type { Written } from './target.js';

/**
 * Shows in the tree what writes left: rows are changed or taken out where the answer is enough, else the fewest
 * branches are read again, each once.
 */
export function settle(model: Model, name: string, written: readonly Written[]): Promise<unknown> {
  const [resource, verb] = splitName(name);
  const again = new Set<BranchNode>();
  const branches = model.branches().filter(one => one.branch.resource === resource);
  for (const {
    target: { account, binding, node },
    answer,
  } of written) {
    const own = node?.kind === 'item' && node.resource === resource ? node : undefined;
    // What is moved comes to another place.
    const places = branches.filter(
      one => one.account.id === account.id && (verb === 'move' || agree(one.binding, binding)),
    );
    // An object may be shown at the account and below another one.
    const rows = own
      ? places.map(({ id }) => model.find(`${id}/${idOfItem(own.item)}`)).filter(row => row?.kind === 'item')
      : [];
    if (own && removes(account.provider, name)) rows.forEach(one => model.remove(one));
    else if (own && !['create', 'add', 'delete', 'remove', 'move'].includes(verb)) {
      if (
        isObject(answer) &&
        'native' in answer &&
        idOfItem(answer) === idOfItem(own.item) &&
        ('status' in answer || 'email' in answer)
      ) {
        for (const row of rows) model.update(row, answer);
      } else again.add(own.parent as BranchNode);
    } else for (const place of places) if (place.rows) again.add(place);
  }
  return Promise.all([...again].map(branch => model.refresh(branch)));
}
/** Whether two places may be about the same objects: what both know of, they know alike. */
const agree = (a: Binding, b: Binding): boolean =>
  [
    [a.refs, b.refs],
    [a.choices, b.choices],
  ].every(([one, other]) => Object.entries(one!).every(([key, id]) => (other![key] ?? id) === id));
const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;
