/** Rows of each list, and what the plainest loop asks for at a time. */
export const ROWS = 10_000;
export const PAGES = ROWS / 100;

/**
 * Where a provider's list stands: an account, its first path segment, and how one page of the plainest loop is spelled.
 */
export interface Listing {
  provider: string;
  account: Record<string, unknown>;
  input: Record<string, unknown>;
  page: string;
}
export const LISTS: readonly Listing[] = [
  {
    provider: 'scaleway',
    account: { secretKey: '7c0f1e9a-4b1d-4a57-9d5e-2f6f3a9c1b20' },
    input: {},
    page: '/mailbox/v1alpha1/mailboxes?page={page}&page_size=100',
  },
  {
    provider: 'rackspace',
    account: { userKey: 'key', secretKey: 'secret', customer: '1', answerFormat: 'json' },
    input: { domain: 'example.com' },
    page: '/v1/customers/1/domains/example.com/ex/mailboxes?size=100&offset={offset}',
  },
  {
    provider: 'contextIo',
    account: { consumerKey: 'key', consumerSecret: 'secret' },
    input: {},
    page: '/2.0/accounts?limit=100&offset={offset}',
  },
];

/** The mailbox that single requests ask for. */
export const ONE = '11111111-2222-4333-8444-555555555555';
