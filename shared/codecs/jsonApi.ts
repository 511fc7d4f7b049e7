import type { Issue } from '../errors.js';
import { unreadable, type HttpResponse } from '../http.js';
import type { Context } from '../provider.js';
import type { Native } from '../vocabulary.js';
import { parseObject } from './json.js';

/** The media type of both directions (JSON:API 1.0, section "Content Negotiation"). */
export const JSON_API = 'application/vnd.api+json';

type Where = Pick<Context, 'provider' | 'operation' | 'hide'>;
const isObject = (value: unknown): value is Native =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The one resource object of an answer, untouched. Throws `protocol` where there is none with an id. */
export function parseResource(ctx: Where, answer: HttpResponse): Native {
  const { data } = parseObject(ctx, answer);
  return resource(ctx, answer, data);
}

/**
 * A page of resource objects, its `links` and its `meta`. Throws `protocol` where `data` is no list of resource
 * objects.
 */
export function parseCollection(ctx: Where, answer: HttpResponse): { data: Native[]; links: Native; meta: Native } {
  const { data: given, links, meta } = parseObject(ctx, answer);
  const data = given === null ? [] : given;
  if (!Array.isArray(data)) throw unreadable(ctx, answer, 'without a list under "data"');
  return {
    data: data.map(one => resource(ctx, answer, one)),
    links: isObject(links) ? links : {},
    meta: isObject(meta) ? meta : {},
  };
}

function resource(ctx: Where, answer: HttpResponse, data: unknown): Native {
  // The standard makes ids texts; some vendors send whole numbers. Both are read, nothing else is.
  if (isObject(data) && (typeof data.id === 'number' || (typeof data.id === 'string' && data.id !== ''))) return data;
  throw unreadable(ctx, answer, 'without a resource object with an id under "data"');
}

/** The attributes of a resource object; empty where it has none. */
export const attributesOf = (native: Native): Native => (isObject(native.attributes) ? native.attributes : {});

/**
 * The id behind a to-one relationship as text; undefined where it is empty, only linked, or bare (neither `data` nor
 * `links`).
 */
export function relatedId(native: Native, name: string): string | undefined {
  const relationship = isObject(native.relationships) ? native.relationships[name] : undefined;
  const data = isObject(relationship) ? relationship.data : undefined;
  return isObject(data) && (typeof data.id === 'number' || typeof data.id === 'string') ? String(data.id) : undefined;
}

/**
 * What a write sends: `relationships` maps names to resource identifiers, or to null to empty them. Without content,
 * members are left out.
 */
export function resourceDocument(data: {
  type: string;
  id?: string | number;
  attributes?: Readonly<Record<string, unknown>>;
  relationships?: Readonly<Record<string, { type: string; id: string | number } | null>>;
}): string {
  const { type, id, attributes = {}, relationships = {} } = data;
  const related = Object.entries(relationships).map(([name, to]) => [name, { data: to }]);
  return JSON.stringify({
    data: {
      type,
      ...(id === undefined ? {} : { id }),
      ...(Object.keys(attributes).length ? { attributes } : {}),
      ...(related.length ? { relationships: Object.fromEntries(related) as unknown } : {}),
    },
  });
}

/**
 * The `errors` of a failed answer: their words in one line, their ids, and an issue for each that points at a member of
 * the resource. Undefined where the body is not of that shape. A misspelt `details` is read like `detail`.
 */
export function parseErrors(body: Uint8Array): { ids: string[]; message: string; issues: Issue[] } | undefined {
  let errors: unknown;
  try {
    errors = (JSON.parse(Buffer.from(body).toString('utf8')) as { errors?: unknown } | null)?.errors;
  } catch {
    return undefined;
  }
  if (!Array.isArray(errors) || !errors.length) return undefined;
  const read = errors.filter(isObject).map(error => {
    const words =
      text(error.detail) ??
      text(error.details) ??
      text(error.title) ??
      text(error.code) ??
      text(error.id) ??
      'no reason given';
    const pointer = isObject(error.source) ? text(error.source.pointer) : undefined;
    const field = pointer && /^\/data\/(?:attributes|relationships)\/([^/]+)/.exec(pointer)?.[1];
    const title = text(error.title);
    return { id: text(error.id), words, field: field?.replace(/~1/g, '/').replace(/~0/g, '~'), title };
  });
  const said = read.map(({ title, words }) => (title && title !== words ? `${title}: ${words}` : words));
  return {
    ids: read.map(({ id }) => id).filter(id => id !== undefined),
    message: [...new Set(said)].join(' '),
    issues: read.filter(({ field }) => field !== undefined).map(({ field, words }) => ({ field, message: words })),
  };
}

const text = (value: unknown) => (typeof value === 'string' && value.trim() !== '' ? value.trim() : undefined);
