/**
 * Something to go wrong at the IMAP server. Give one way to fail (and `delayMs` or `before` with any of them);
 * with `uid` it strikes when that message's row of a FETCH would be sent, else when the command has been read.
 */
export interface ImapFault {
  /**
   * FETCH (also as UID FETCH), `UID FETCH` alone, AUTH for LOGIN and AUTHENTICATE, DONE for the end of IDLE, GREETING;
   * any command unless given.
   */
  command?: string;
  user?: string;
  uid?: number;
  /** How many times; 1 unless given, for ever with `uid`. */
  times?: number;
  delayMs?: number;
  /** Runs first: re-create the folder, expunge, expire a token, between two commands of a client. */
  before?: () => void;
  /** Withholds the answer: nothing is done and this connection hears nothing more. */
  silent?: boolean;
  /**
   * The tagged answer without the tag, instead of doing anything: `NO [UNAVAILABLE] Temporary failure`. With `uid`,
   * rows before it are sent.
   */
  reply?: string;
  /** Says `* BYE` with this text and closes. */
  bye?: string;
  /** Ends the connection without a word: orderly, or with a reset. With `uid`: the message the server cannot read. */
  close?: 'fin' | 'reset';
  /**
   * `literal`: half of the next literal, then the connection is dropped. `answer`: does what was asked and drops the
   * connection instead of answering.
   */
  cut?: 'literal' | 'answer';
  /** With `uid`: listed by SEARCH, but FETCH has no row for it. */
  empty?: boolean;
  /** Runs after the first row of the FETCH (after the row of `uid` if given), while the answer is being sent. */
  during?: () => void;
}

/** The switches for misbehaviour of one IMAP server. */
export interface Trouble {
  fail(fault: ImapFault): void;
  /** Ends all faults and switches; connections that were half-open are destroyed. */
  mend(): void;
  /** IDLE is accepted and then never talks. */
  deafIdle: boolean;
  /** Logins at the same time per user before `NO [LIMIT]`, and connections before `* BYE [UNAVAILABLE]`. */
  userLimit: number;
  connectionLimit: number;
  /** Every present connection (and new ones, with `andNew`) stays open and swallows everything, FIN included. */
  halfOpen(andNew?: boolean): void;
  /** Drops present connections; without `how` with a reset. */
  drop(how?: 'fin' | 'reset' | { bye: string }): void;
  /** Stops listening and resets all connections; mail stays. */
  away(): Promise<void>;
  /** Listens again on the same ports. */
  back(): Promise<void>;
  /** All access tokens (or one user's) are past their time. */
  expireTokens(user?: string): void;
}

/** The list of faults behind `Trouble.fail`. */
export function faultList() {
  let faults: ImapFault[] = [];
  const take = (matches: (fault: ImapFault) => boolean): ImapFault | undefined => {
    const found = faults.find(matches);
    if (found) {
      found.times = (found.times ?? (found.uid === undefined ? 1 : Infinity)) - 1;
      if (found.times <= 0) faults = faults.filter(f => f !== found);
    }
    return found;
  };
  const fits = (fault: ImapFault, command: string, user: string | undefined) =>
    (!fault.user || fault.user === user) &&
    (!fault.command ||
      fault.command === command ||
      `UID ${fault.command}` === command ||
      (fault.command === 'AUTH' && (command === 'LOGIN' || command === 'AUTHENTICATE')));
  return {
    add(fault: ImapFault) {
      faults.push({ ...fault, ...(fault.command ? { command: fault.command.toUpperCase() } : {}) });
    },
    clear() {
      faults = [];
    },
    /** The fault for a command, and once more while it is being answered for those that strike in the middle. */
    command: (command: string, user?: string) =>
      take(
        f =>
          f.uid === undefined &&
          !f.during &&
          f.cut !== 'literal' &&
          fits(f, command, user) &&
          (f.command !== undefined || !['GREETING', 'DONE'].includes(command)),
      ),
    row: (command: string, user: string | undefined, uid: number) =>
      take(
        f =>
          (f.uid === uid || (f.uid === undefined && (f.during !== undefined || f.cut === 'literal'))) &&
          fits(f, command, user),
      ),
  };
}
