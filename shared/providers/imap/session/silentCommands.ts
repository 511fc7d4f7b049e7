import type { Endpoint } from '../account/fields.js';
import type { ImapFlow } from '../libraries.js';
import { isTransferring } from '../wire/fetch.js';
import { limits, lowSpeedWords, SpeedMeter } from './timeLimits.js';

/**
 * Looks at the commands of a connection while somebody waits for them. `givenUp` is the sentence for which the
 * connection was closed, if it was.
 */
export interface CommandWatch {
  readonly givenUp: string | undefined;
  readonly silent: boolean;
  stop(): void;
}

interface Inside {
  currentRequest?: { tag: string; command: string } | false;
  writeSocket?: { bytesWritten?: number; writableLength: number; _handle?: { writeQueueSize?: number } | null };
}

/** What is said of a command without an answer that changes something. */
export const perhapsDone = (command: string): string =>
  /^(APPEND|CREATE|DELETE|RENAME|SUBSCRIBE|UNSUBSCRIBE|EXPUNGE|UID (STORE|COPY|MOVE|EXPUNGE))$/.test(command)
    ? ' The server may have done it all the same: look before you run this again.'
    : '';

/** The bytes that went either way so far, and those that wait to go, so that a message being uploaded is no silence. */
function movedOn(client: ImapFlow): string {
  const { writeSocket: socket } = client as unknown as Inside;
  return [client.stats().received, socket?.bytesWritten, socket?.writableLength, socket?._handle?.writeQueueSize].join(
    ' ',
  );
}

/**
 * Closes the connection when its server falls silent for `silence` milliseconds, sends contents too slowly, or does not
 * end a command in time. Call `stop` when nobody waits any more.
 */
export function watchCommands(client: ImapFlow, end: Endpoint, silence = limits.silence): CommandWatch {
  const where = `${end.side} at ${end.host}:${end.port}`;
  const meter = new SpeedMeter();
  let givenUp: string | undefined;
  let silent = false;
  let moved = movedOn(client);
  let movedAt = performance.now();
  let before: number | undefined;
  let tag: string | undefined;
  let tagAt = movedAt;
  const give = (why: string) => {
    const { currentRequest } = client as unknown as Inside;
    givenUp ??= `${where} ${why}${currentRequest ? perhapsDone(currentRequest.command) : ''}`;
    client.close();
  };
  const look = () => {
    const now = performance.now();
    const moves = movedOn(client);
    const { received } = client.stats();
    if (moves !== moved) {
      moved = moves;
      movedAt = now;
    } else if (now - movedAt > silence) {
      silent = true;
      return give('fell silent in the middle of a command.');
    }
    const transferring = isTransferring(client);
    // How long a server thinks before its first byte is a matter of silence.
    if (!transferring) {
      meter.reset();
      before = undefined;
    } else if (before === undefined) before = received;
    else if (received !== before && meter.isTooSlow(received, now))
      return give(`sends too slowly: less than ${lowSpeedWords()}. Try again later.`);
    const { currentRequest } = client as unknown as Inside;
    const current = currentRequest ? currentRequest.tag : undefined;
    if (current !== tag) {
      tag = current;
      tagAt = now;
    }
    const longest = currentRequest && currentRequest.command === 'APPEND' ? limits.transfer : limits.command;
    if (current !== undefined && !transferring && now - tagAt > longest)
      give(
        `did not finish ${(currentRequest as { command: string }).command} within ` + `${longest / 60_000} minutes.`,
      );
  };
  const timer = setInterval(look, Math.min(5_000, silence / 4, limits.lowSpeedTime / 12));
  return {
    get givenUp() {
      return givenUp;
    },
    get silent() {
      return silent;
    },
    stop: () => clearInterval(timer),
  };
}
