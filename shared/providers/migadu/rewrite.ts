import { something } from '../../errors.js';
import { number, onWire, text } from '../../fields.js';
import { map } from '../../pages.js';
import { operation, type Operations } from '../../provider.js';
import { path } from '../../url.js';
import { idOf, type Native } from '../../vocabulary.js';
import { api } from './api.js';
import { destinations, DOCS, domain, domainPath } from './target.js';

const rewrite = text('Rewrite', {
  required: true,
  ref: 'rewrite',
  knownBy: 'path',
  maxLength: 64,
  example: 'demo',
  help: 'The name of the rewrite.',
});
/** An alias for all addresses of a pattern; its name is its id, within its domain. */
export interface Rewrite {
  id: string;
  name: string;
  native: Native;
}
const toRewrite = (native: Native): Rewrite => {
  const name = idOf(native, 'name');
  return { id: name, name, native };
};
const rule = text('Pattern', {
  example: 'demo-*',
  help: 'The part before the @, where * stands for any letters. A * alone takes every address that does not exist.',
});
const order = number('Order', { min: 0, help: 'Lower numbers are tried first.' });
const creation = { local_part_rule: { ...rule, required: true as const }, destinations, order_num: order };
const changes = { local_part_rule: rule, destinations: { ...destinations, required: undefined }, order_num: order };
const below = (place: string) => `${domainPath(place)}/rewrites`;
const one = (place: string, name: string) => below(place) + path`/${name}`;

export const rewrites = {
  'rewrite.list': operation({
    summary: 'List the rewrites of a domain',
    effect: 'read',
    docs: DOCS,
    input: { domain },
    run: (ctx, input) => map(api(ctx).list(below(input.domain), 'rewrites'), toRewrite),
  }),
  'rewrite.get': operation({
    summary: 'Get a rewrite',
    effect: 'read',
    docs: DOCS,
    input: { domain, rewrite },
    run: async (ctx, input) => toRewrite(await api(ctx).get(one(input.domain, input.rewrite))),
  }),
  'rewrite.create': operation({
    summary: 'Create a rewrite: an alias for all addresses of a pattern',
    effect: 'write',
    docs: DOCS,
    input: { domain, rewrite: { ...rewrite, ref: undefined, help: 'The name of the new rewrite.' }, ...creation },
    async run(ctx, { domain: place, rewrite: name, ...input }) {
      return toRewrite(await api(ctx).create(below(place), { name, ...onWire(creation, input) }, one(place, name)));
    },
  }),
  'rewrite.update': operation({
    summary: 'Change a rewrite',
    effect: 'write',
    consequence: 'Destinations that are given replace all there were.',
    docs: DOCS,
    input: { domain, rewrite, ...changes },
    async run(ctx, { domain: place, rewrite: name, ...input }) {
      something(input);
      return toRewrite(await api(ctx).put(one(place, name), onWire(changes, input)));
    },
  }),
  'rewrite.delete': operation({
    summary: 'Delete a rewrite',
    effect: 'destroy',
    docs: DOCS,
    input: { domain, rewrite },
    run: (ctx, input) => api(ctx).delete(one(input.domain, input.rewrite), input.rewrite),
  }),
} satisfies Operations;
