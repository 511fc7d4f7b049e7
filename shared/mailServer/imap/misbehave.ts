import type { Socket } from 'node:net';
import type { FaultList, ImapFault } from './faults.js';
import type { Ports } from './ports.js';
import { unselect, type Session } from './session.js';
import type { Store } from './store.js';
import type { Trouble } from './trouble.js';

/** The switches as they stand, and what they do to the sessions that are there. */
export class Misbehaviour implements Trouble {
  deafIdle = false;
  userLimit = Infinity;
  connectionLimit = Infinity;
  /** Whether new connections are swallowed too. */
  swallowsNew = false;
  private readonly deaf = new Set<Socket>();

  constructor(
    private readonly faults: FaultList,
    private readonly sessions: ReadonlySet<Session>,
    private readonly ports: Ports,
    private readonly store: Store,
  ) {}

  fail(fault: ImapFault): void {
    this.faults.add(fault);
  }

  mend(): void {
    this.faults.clear();
    Object.assign(this, { deafIdle: false, userLimit: Infinity, connectionLimit: Infinity, swallowsNew: false });
    for (const socket of this.deaf) socket.destroy();
  }

  halfOpen(andNew = false): void {
    this.swallowsNew = andNew;
    for (const session of this.sessions) this.swallow(session);
  }

  drop(how: 'fin' | 'reset' | { bye: string } = 'reset'): void {
    for (const session of [...this.sessions]) {
      session.over = true;
      if (typeof how === 'object') {
        session.wire.write(`* BYE ${how.bye}\r\n`);
        void session.wire.flush().then(() => session.wire.end());
      } else if (how === 'fin') session.wire.end();
      else session.wire.reset();
    }
  }

  away(): Promise<void> {
    return this.ports.stop('reset');
  }

  back(): Promise<void> {
    return this.ports.listen(this.ports.port, this.ports.tlsPort);
  }

  expireTokens(user?: string): void {
    for (const { name, tokens } of this.store.accounts.values())
      if (!user || name === user) for (const token of tokens.keys()) tokens.set(token, 0);
  }

  /** The session hears nothing more and stays open. */
  swallow(session: Session): void {
    this.deaf.add(session.wire.socket);
    session.wire.swallow();
    unselect(session);
  }

  forget({ wire }: Session): void {
    this.deaf.delete(wire.socket);
  }
}
