import type { TlsFacts, Wire, WireTalk, WireTurn } from './exchange.js';
import type { Hide } from './secrets.js';
import { beginning, MOST_OF_A_BODY, without } from './wireText.js';

/** So much of what one side says is kept, in bytes: as much as is searched for secrets in one piece. */
const MOST_OF_A_SIDE = MOST_OF_A_BODY;
/** So much of the line that ends an answer is kept whatever came before it, in bytes. */
const MOST_OF_THE_END = 8 * 1024;
/** What a turn costs beside its text, in bytes. */
const TURN = 128;
/** Parts are put together when there are so many: a server may send byte by byte. */
const MOST_PARTS = 64;

type Side = WireTurn['by'];
interface Turn {
  by: Side;
  parts: Uint8Array[];
  left: number;
}

/** A line end of the wire is one of the text; a byte of one alone is shown. */
const lined = (text: string): string =>
  text
    .replace(/\r(?!\n)/g, '\\u000d')
    .replace(/(?<!\r)\n/g, '\\u000a\n')
    .replace(/\r\n/g, '\n');

/**
 * Keeps the beginning of what client and server say to each other over one command. `hide` knows the secrets of the
 * account by the time somebody looks.
 */
export class Talk implements Wire {
  /** Other commands were under way meanwhile. */
  together = false;
  tls: TlsFacts | undefined;
  readonly #turns: Turn[] = [];
  readonly #room: Record<Side, number> = { client: MOST_OF_A_SIDE, server: MOST_OF_A_SIDE };
  #kept = 0;
  /** Where the line that ends the answer stands, and how many bytes of it are kept whatever came before. */
  #end: { turn: Turn; room: number } | undefined;

  constructor(private readonly hide: Hide) {}

  /** Bytes of one side, of which a copy is kept as far as there is room. */
  say(by: Side, bytes: Uint8Array | string): void {
    const said = typeof bytes === 'string' ? Buffer.from(bytes) : bytes;
    const room = Math.max(0, this.#room[by]);
    const turn = this.#turnOf(by);
    // Once something was left out, what follows would be read as if it stood there.
    const part = turn.left ? said.subarray(0, 0) : said.subarray(0, room);
    this.#room[by] -= part.byteLength;
    this.#keep(turn, part);
    turn.left += said.byteLength - part.byteLength;
  }

  /**
   * The line that ends an answer, in one piece or several, which is kept also where what came before it was too much.
   * All of it stands in one turn: a turn that begins in the middle may begin with half a secret.
   */
  end(piece: Uint8Array): void {
    const { turn } = (this.#end ??= { turn: this.#turnOfTheEnd(), room: MOST_OF_THE_END });
    const room = Math.max(this.#room.server, this.#end.room);
    const part = piece.subarray(0, turn.left ? 0 : room);
    this.#room.server -= part.byteLength;
    this.#end.room -= part.byteLength;
    this.#keep(turn, part);
    turn.left += piece.byteLength - part.byteLength;
  }

  /** What was said before anybody asked stands in front. */
  precede({ turns, kept }: { turns: Turn[]; kept: number }): void {
    this.#turns.unshift(...turns);
    this.#kept += kept;
  }

  /** Gives away what is kept. */
  take(): { turns: Turn[]; kept: number } {
    const taken = { turns: this.#turns.splice(0), kept: this.#kept };
    this.#kept = 0;
    this.#room.client = this.#room.server = MOST_OF_A_SIDE;
    return taken;
  }

  get size(): number {
    return this.#kept + this.#turns.length * TURN;
  }

  /** In how many pieces that is. */
  get parts(): number {
    return this.#turns.reduce((sum, { parts }) => sum + parts.length, 0);
  }

  text(): WireTalk {
    return {
      turns: this.#turns.map(({ by, parts, left }) => {
        const said = Buffer.concat(parts);
        if (!left) return { by, text: lined(without(said.toString('utf8'), this.hide)) };
        const begun = beginning(said, this.hide);
        return { by, text: lined(begun.text), left: left + begun.left };
      }),
      ...(this.together ? { together: true } : {}),
      ...(this.tls ? { tls: this.tls } : {}),
    };
  }

  #turnOf(by: Side): Turn {
    const last = this.#turns.at(-1);
    if (last?.by === by) return last;
    // Where no room is left, what comes is counted with what was left out before.
    const full = this.#room[by] <= 0 ? this.#turns.findLast(turn => turn.by === by) : undefined;
    if (full) return full;
    const turn: Turn = { by, parts: [], left: 0 };
    this.#room[by] -= TURN;
    this.#turns.push(turn);
    return turn;
  }

  #turnOfTheEnd(): Turn {
    const last = this.#turns.at(-1);
    if (last?.by === 'server' && !last.left) return last;
    const turn: Turn = { by: 'server', parts: [], left: 0 };
    this.#turns.push(turn);
    return turn;
  }

  #keep(turn: Turn, bytes: Uint8Array): void {
    if (!bytes.byteLength) return;
    // A copy, so that the larger buffer can be freed.
    turn.parts.push(Uint8Array.from(bytes));
    this.#kept += bytes.byteLength;
    if (turn.parts.length > MOST_PARTS) turn.parts = [Buffer.concat(turn.parts)];
  }
}
