import { appendFileSync, existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * One line of the journal: what happened to the store. Folders by name, messages by UID and by the file that holds
 * them.
 */
export type Line =
  | { o: 'folder'; b: string; v: number; n?: number; use?: string }
  | { o: 'add'; b: string; u: number; e: string; s: number; d: number; f: readonly string[] }
  | { o: 'gone'; b: string; u: number[] }
  | { o: 'flags'; b: string; u: number; f: readonly string[] }
  | { o: 'rename'; from: string; to: string }
  | { o: 'remove'; b: string };

/** The journal is written anew when it has so many lines more than twice those that say what is there. */
const SLACK = 5_000;

/** What happened to a store, a line for each event, in a file of its folder. */
export class Journal {
  private readonly file: string;
  private written = 0;

  constructor(folder: string) {
    this.file = join(folder, 'journal.jsonl');
  }

  /** What the journal says; a last line that was not finished does not count, nor what cannot be read. */
  read(): Line[] {
    if (!existsSync(this.file)) return [];
    return readFileSync(this.file, 'utf8')
      .split('\n')
      .flatMap(line => {
        try {
          const read = JSON.parse(line) as Line | null;
          return read && typeof read === 'object' ? [read] : [];
        } catch {
          return [];
        }
      });
  }

  append(line: Line): void {
    appendFileSync(this.file, textOf(line));
    this.written++;
  }

  /** Whether it is worth writing anew, where so many messages are there. */
  isLong(messages: number): boolean {
    return this.written > SLACK + 2 * messages;
  }

  /** Writes the journal anew. It takes the place of the old one when it is whole. */
  replace(lines: readonly Line[]): void {
    writeFileSync(`${this.file}.new`, lines.map(textOf).join(''));
    renameSync(`${this.file}.new`, this.file);
    this.written = lines.length;
  }
}

const textOf = (line: Line) => `${JSON.stringify(line)}\n`;
