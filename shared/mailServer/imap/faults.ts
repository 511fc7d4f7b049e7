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

/** The list of faults behind `Trouble.fail`. */
export class FaultList {
  private faults: ImapFault[] = [];

  add(fault: ImapFault): void {
    this.faults.push({ ...fault, ...(fault.command ? { command: fault.command.toUpperCase() } : {}) });
  }

  clear(): void {
    this.faults = [];
  }

  /** The fault for a command, and once more while it is being answered for those that strike in the middle. */
  command(command: string, user?: string): ImapFault | undefined {
    return this.take(
      f =>
        f.uid === undefined &&
        !f.during &&
        f.cut !== 'literal' &&
        fits(f, command, user) &&
        (f.command !== undefined || !['GREETING', 'DONE'].includes(command)),
    );
  }

  row(command: string, user: string | undefined, uid: number): ImapFault | undefined {
    return this.take(
      f =>
        (f.uid === uid || (f.uid === undefined && (f.during !== undefined || f.cut === 'literal'))) &&
        fits(f, command, user),
    );
  }

  private take(matches: (fault: ImapFault) => boolean): ImapFault | undefined {
    const found = this.faults.find(matches);
    if (found) {
      found.times = (found.times ?? (found.uid === undefined ? 1 : Infinity)) - 1;
      if (found.times <= 0) this.faults = this.faults.filter(f => f !== found);
    }
    return found;
  }
}

const fits = (fault: ImapFault, command: string, user: string | undefined) =>
  (!fault.user || fault.user === user) &&
  (!fault.command ||
    fault.command === command ||
    `UID ${fault.command}` === command ||
    (fault.command === 'AUTH' && (command === 'LOGIN' || command === 'AUTHENTICATE')));
