import { features } from './features.js';
import type { Family } from './lab.js';
import { scenarios } from './scenarios.js';

type Reasons = Partial<Record<Family, string>>;
const others = (reason: string): Reasons => ({ bareDovecot: reason, cyrus: reason, courier: reason });
const N8N_ALONE = 'what it tries is on the side of n8n';
const NO_TOKENS = 'the server knows no access tokens here';
const ANY_SERVER = 'what it waits for does not depend on the server';
const NO_COMMAND = 'the server has no command that gives a folder a new UIDVALIDITY and keeps its messages';
const MANY = 'the server cannot be told to allow one connection';

/**
 * Scenarios of the trigger that are left out on some servers, with the reason. Everything that is not named here runs
 * on every server.
 */
const LEFT_OUT: Record<string, Reasons> = {
  'half-open connections, found within a minute': others(ANY_SERVER),
  'everything stalls, new connections as well, and is closed meanwhile': others(ANY_SERVER),
  'UIDVALIDITY changes: known mail recognised, new mail executed': { cyrus: NO_COMMAND },
  'UIDVALIDITY changes while messages share a Message-ID': { cyrus: NO_COMMAND },
  'messages marked, moved and deleted by another client, with connections that break': {
    courier:
      'on a busy machine what is changed right behind the activation is not told there, and why is not known yet; alone it passes',
  },
  'one message the server cannot read: a visible failed execution, the rest flows on': {
    cyrus: 'a message whose file is gone is one the server has never had, once its index is opened anew',
  },
  'the server allows one connection': { cyrus: MANY, courier: MANY, bareDovecot: ANY_SERVER },
  'a password refused for a while is tried every five minutes, and nothing is skipped': others(ANY_SERVER),
  'an access token that expires is renewed': others(NO_TOKENS),
  'a message of 60 MB between small ones, in bounded memory': others(
    'it fills memory and processors, and is about what is read, not who sends it',
  ),
  'a server without IDLE': { bareDovecot: 'the server never offers it' },
  'a server whose IDLE never talks, and one that goes silent when it should end': {
    dovecot: 'only the embedded servers do that',
    ...others('only the embedded servers do that'),
  },
  'messages that become visible late and out of order': {
    dovecot: 'only the embedded servers do that',
    ...others('only the embedded servers do that'),
  },
  'of two starts at the same moment one runs': others(N8N_ALONE),
  batches: others(N8N_ALONE),
  'a manual test tells how the active workflow is doing': others(N8N_ALONE),
  'a manual test can be stopped while the server says nothing': others(N8N_ALONE),
  'executions need nothing of the process that found the message (queue mode)': others(N8N_ALONE),
};

const all = { ...scenarios, ...features };
for (const title of Object.keys(LEFT_OUT)) if (!(title in all)) throw new Error(`There is no scenario "${title}".`);

/** Why a scenario of the trigger does not run on a server; undefined where it does. */
export const whyNot = (title: string, family: Family): string | undefined =>
  family === 'imap4d' ? 'the server is tried for operations alone' : LEFT_OUT[title]?.[family];
