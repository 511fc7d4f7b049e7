import { parseMime, type Part } from './mime.js';
import { bytesOf, type Message } from './store.js';

/** So many messages stay parsed, and so many bytes of them. */
const PARSED = { messages: 64, bytes: 16 * 1024 * 1024 };
/** Longer descriptions of a message are not kept, in characters. */
const LONGEST_KEPT = 4_000;

export interface Parsed {
  part: Part;
  bytes: Buffer;
}

/** A few recent messages, parsed: clients ask for structure first and for parts of the same message next. */
export class ParsedMessages {
  private readonly cache = new Map<Message, Parsed>();
  private bytes = 0;

  of(message: Message): Parsed {
    const found = this.cache.get(message);
    if (found) return found;
    const bytes = bytesOf(message);
    const made = { part: parseMime(bytes), bytes };
    this.cache.set(message, made);
    this.bytes += bytes.length;
    this.bound();
    return made;
  }

  private bound(): void {
    const { cache } = this;
    while (cache.size > 1 && (this.bytes > PARSED.bytes || cache.size > PARSED.messages)) {
      const [oldest, { bytes: dropped }] = cache.entries().next().value!;
      cache.delete(oldest);
      this.bytes -= dropped.length;
    }
  }
}

/** What was worked out of messages before, for as long as they are there. */
export class Descriptions {
  private readonly kept = new WeakMap<Message, Map<string, string>>();

  of(message: Message, item: string, make: () => string): string {
    const kept = this.kept.get(message) ?? new Map<string, string>();
    const told = kept.get(item) ?? make();
    if (told.length <= LONGEST_KEPT) this.kept.set(message, kept.set(item, told));
    return told;
  }
}
