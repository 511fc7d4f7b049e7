import type { ITriggerFunctions } from 'n8n-workflow';
import { NodeOperationError } from 'n8n-workflow';
import { providerById, type Feed, type Provider } from '../../shared/index.js';
import { credentialTypes } from './account.js';
import { readAfterSuccess, type AfterSuccess } from './afterSuccess.js';
import { asNodeError } from './host.js';
import { plainValue } from './lookup.js';
import { isPicked } from './parameter.js';
import { valueOf } from './values.js';
import { momentOf } from './zone.js';

type Input = Record<string, unknown>;

/** What the parameters of Sync Trigger ask for. */
export interface Settings {
  provider: Provider;
  event: string;
  /** The feed's own input. */
  input: Input;
  /** Whether the input asks for something that not everything passes. */
  filtered: boolean;
  /** What is being watched: a cursor belongs to one scope. */
  scope: string;
  simple: boolean;
  intervalMs: number;
  concurrent: number;
  /** Undefined where each item has an execution of its own. */
  batchSize?: number;
  /** ISO 8601; undefined where it starts from now on. */
  startDate?: string;
  /** How long an execution is waited for. */
  longestMs: number;
  after?: AfterSuccess;
}

/** Reads the parameters once; throws only for what can never work. */
export function readSettings(node: ITriggerFunctions): Settings {
  const provider = providerById(node.getNodeParameter('provider') as string);
  const event = node.getNodeParameter('event') as string;
  const feed = feedOf(node, provider, event);
  const startDate = readStartDate(node, provider, feed);
  const filters = node.getNodeParameter('filters', {}, { extractValue: true }) as Input;
  const input = readInput(node, provider, feed, filters);
  const after = readAfterSuccess(node, provider);
  return {
    provider,
    event,
    input,
    filtered: isFiltered(feed, filters),
    scope: scopeOf(node, provider, event, feed, input, startDate),
    simple: node.getNodeParameter('simplify', true) as boolean,
    ...readLimits(node),
    ...(startDate ? { startDate } : {}),
    ...(after ? { after } : {}),
  };
}

function feedOf(node: ITriggerFunctions, provider: Provider, event: string): Feed {
  const feed = provider.feeds[event] as Feed | undefined;
  if (feed) return feed;
  throw new NodeOperationError(node.getNode(), `${provider.name} has no event "${event}".`, {
    description: 'Choose another event.',
  });
}

function readInput(node: ITriggerFunctions, provider: Provider, feed: Feed, filters: Input): Input {
  const input: Input = {};
  for (const [key, field] of Object.entries(feed.input)) {
    const value = field.required
      ? node.getNodeParameter(key, undefined, { extractValue: isPicked(provider, field) })
      : filters[key];
    try {
      input[key] = valueOf(field, plainValue(value), () => node.getTimezone());
    } catch (error) {
      throw asNodeError(node.getNode(), error);
    }
  }
  return input;
}

/** True where something is asked for that not everything passes; where to look and what to fetch is no filter. */
const isFiltered = ({ input }: Feed, filters: Input) =>
  Object.entries(filters).some(([key, value]) => {
    const field = input[key];
    if (field === undefined || value === '' || value === false) return false;
    const places = field.ref ?? (field.type === 'list' && field.of.ref);
    return !places && field.default === undefined;
  });

/** A cursor belongs to what is looked at, not to the filters: changing those must neither lose nor repeat. */
function scopeOf(
  node: ITriggerFunctions,
  provider: Provider,
  event: string,
  feed: Feed,
  input: Input,
  startDate: string | undefined,
): string {
  const { credentials, parameters } = node.getNode();
  const credential = credentialTypes(provider.id)
    .map(({ type }) => credentials?.[type]?.id ?? '')
    .join('/');
  // Folders are the feed's own matter.
  const where = Object.entries(feed.input)
    .filter(([, field]) => field.ref && field.ref !== 'folder')
    .map(([key]) => [key, input[key] ?? null]);
  // An expression such as one day ago gives another date at each start of n8n, which must not begin anew each time.
  const given = parameters.startDate;
  const dated = startDate && typeof given === 'string' && given.startsWith('=') ? given : startDate;
  return JSON.stringify([provider.id, event, credential, where, dated ?? '']);
}

/** Times and numbers within what n8n's form allows. */
function readLimits(node: ITriggerFunctions): Pick<Settings, 'intervalMs' | 'concurrent' | 'longestMs' | 'batchSize'> {
  type Options = { interval?: unknown; concurrent?: unknown; longest?: unknown };
  const options = node.getNodeParameter('options', {}) as Options;
  const inBatches = node.getNodeParameter('execute', 'each') === 'batch';
  return {
    intervalMs: within(options.interval, 60, 10, LONGEST_TIMER / 1000) * 1000,
    concurrent: within(options.concurrent, 5, 1, 50),
    longestMs: within(options.longest, 60, 1, LONGEST_TIMER / 60_000) * 60_000,
    ...(inBatches ? { batchSize: within(node.getNodeParameter('batchSize', 50), 50, 1, 100) } : {}),
  };
}

/** A timer set for longer fires at once (24 days, in milliseconds). */
const LONGEST_TIMER = 2 ** 31 - 1;
/** n8n checks limits in the form only; an expression or an imported workflow may hold anything. */
function within(value: unknown, fallback: number, min: number, max: number): number {
  const given = value === '' || value === null ? NaN : Number(value ?? NaN);
  return Number.isNaN(given) ? fallback : Math.floor(Math.min(max, Math.max(min, given)));
}

/** The date to start from, undefined where it starts from now on. Throws where the feed knows no times. */
function readStartDate(node: ITriggerFunctions, provider: Provider, feed: Feed): string | undefined {
  if (node.getNodeParameter('start', 'now') !== 'date') return undefined;
  const startDate = parseStartDate(node);
  if (feed.from) return startDate;
  throw new NodeOperationError(
    node.getNode(),
    `${provider.name} does not tell when something was changed, so this trigger cannot start from a date.`,
    { description: 'Choose to start from now on.' },
  );
}

/**
 * The start date as ISO 8601. What names no time zone is meant in the workflow's, as n8n's date picker gives it. Throws
 * where it is no date.
 */
function parseStartDate(node: ITriggerFunctions): string {
  const given = node.getNodeParameter('startDate') as unknown;
  const text = String(given).trim();
  const at = typeof given === 'string' ? momentOf(text, node.getTimezone()) : new Date(given as string).getTime();
  if (Number.isNaN(at) || given === null) {
    throw new NodeOperationError(node.getNode(), `Start Date is no date: "${text.slice(0, 40)}".`, {
      description: 'Choose a date and time, or start from now on.',
    });
  }
  return new Date(at).toISOString();
}
