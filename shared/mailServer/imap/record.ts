import type { ImapRecord } from './options.js';
import type { Session } from './session.js';

/** So many commands are remembered; the oldest thousand go first. */
const COMMANDS = 20_000;

/** What clients did; nothing of it is written down where `on` is false. */
export class Recorder {
  readonly seen: ImapRecord = { connections: [], logins: [], commands: [] };
  private readonly counts = new Map<string, number>();

  constructor(private readonly on: boolean) {}

  connection(entry: ImapRecord['connections'][number]): void {
    if (this.on) this.seen.connections.push(entry);
  }

  command({ id, account }: Session, name: string, line: string): void {
    if (!this.on) return;
    const { commands } = this.seen;
    this.counts.set(name, (this.counts.get(name) ?? 0) + 1);
    if (commands.length >= COMMANDS) commands.splice(0, 1000);
    commands.push({
      at: Date.now(),
      connection: id,
      user: account?.name,
      name,
      line: name.startsWith('AUTH') ? name : line.slice(0, 500),
    });
  }

  login({ id }: Session, user: string, method: string, ok: boolean): void {
    if (this.on) this.seen.logins.push({ at: Date.now(), user, method, ok, connection: id });
  }

  /** Commands of that name since the last `forget`. */
  count(name: string): number {
    return this.counts.get(name.toUpperCase()) ?? 0;
  }

  /** The most login tries within any span of `ms` milliseconds. */
  busiest(ms: number): number {
    const { logins } = this.seen;
    let most = 0;
    for (let from = 0, to = 0; to < logins.length; to++) {
      while (logins[to]!.at - logins[from]!.at >= ms) from++;
      most = Math.max(most, to - from + 1);
    }
    return most;
  }

  forget(): void {
    for (const list of Object.values(this.seen)) list.length = 0;
    this.counts.clear();
  }
}
