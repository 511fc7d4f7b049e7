import type { Client, Field } from '../../shared/index.js';
import type { Vendor } from '../sandbox/vendor.js';

/**
 * What the contract suite must be told about one provider's sandbox. Everything it runs follows from the operation
 * table: an operation without an example, or a feed without a happening, fails the suite.
 */
export interface ProviderCase {
  id: string;
  /** Starts the provider's sandbox, freshly seeded: at least two pages of everything that is listed. */
  start(): Promise<Vendor>;
  /**
   * For each operation a good input; prepares what it needs (creates the object that will be deleted). Called before
   * each use.
   */
  examples: Record<
    string,
    (client: Client, vendor: Vendor) => Record<string, unknown> | Promise<Record<string, unknown>>
  >;
  /**
   * For the fields that name a target: a well-formed value that does not exist. Keys are field names (`mailbox`,
   * `alias`).
   */
  unknown: Record<string, unknown>;
  /** Lists seeded beyond one page, with the page size the provider asks for. */
  paged: readonly { operation: string; input?: Record<string, unknown>; size: number }[];
  /**
   * For each feed its input, and how one more thing happens at the vendor; `arrive` returns the id the item will carry
   * in `item.id` or part of it.
   */
  feeds: Record<string, { input: Record<string, unknown>; happen(client: Client, vendor: Vendor): Promise<unknown> }>;
  /**
   * For providers with OAuth 2: the token function a host would bring, for `ConnectOptions.token`. One per vendor, so
   * that its tokens are kept.
   */
  token?(vendor: Vendor): (renew?: boolean, refused?: string) => Promise<string>;
  /**
   * A request that any account may make and that reads, for the tests of failing answers. `account.check` unless given.
   */
  probe?: { operation: string; input: Record<string, unknown> };
  /** Lets the vendor finish what it does in the background, such as a scheduled deletion. */
  settle?(vendor: Vendor): void | Promise<void>;
  /** The wait that the sandbox's throttling answer asks for, in seconds, where the vendor gives one. */
  throttleWait?: number;
}

const UUIDS = ['11111111-2222-4333-8444-555555555555', '66666666-7777-4888-8999-aaaaaaaaaaaa'];
/** Another value of the same look as a secret: a wrong look would be another mistake. */
export const otherSecret = (field: Field, value: string) =>
  field.type === 'text' && field.format === 'uuid'
    ? UUIDS.find(uuid => uuid !== value)!
    : [...value].reverse().join('') === value
      ? `${value}x`
      : [...value].reverse().join('');
