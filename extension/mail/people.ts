import type { Memento } from 'vscode';
import { parseAddress, type Address } from '../../shared/index.js';
import { written } from './letter.js';

/** So many addresses are remembered; those that were not seen for longest go first. */
const MOST = 500;
/** So many are offered at once, and for so many characters at least. */
const OFFERED = 6;
const SHORTEST = 2;
/** Nobody types a longer one. */
const LONGEST = 200;

const KEY = 'people';

/** The addresses of mail that was read or sent in this workspace, to be offered where addresses are typed. */
export class People {
  constructor(private readonly state: Pick<Memento, 'get' | 'update'>) {}

  /** Remembers addresses, as they are typed or as a message names them. */
  add(...given: unknown[]): void {
    const seen = given
      .flat()
      .flatMap(one => (typeof one === 'string' ? (parseAddress(one) ?? []) : isAddress(one) ? one : []))
      .map(written)
      .filter(one => one.length <= LONGEST && parseAddress(one) !== undefined);
    if (!seen.length) return;
    const known = new Map(this.all().map(one => [emailOf(one), one]));
    for (const one of seen) {
      const before = known.get(emailOf(one));
      known.delete(emailOf(one));
      // A name that is known stays where none is told.
      known.set(emailOf(one), one.includes('<') ? one : (before ?? one));
    }
    void this.state.update(KEY, [...known.values()].slice(-MOST));
  }
  /** The addresses that a text begins, or a word of whose names it begins; the latest first. */
  find(text: string): string[] {
    const wanted = text.trim().toLowerCase();
    if (wanted.length < SHORTEST) return [];
    return this.all()
      .reverse()
      .filter(one => one.toLowerCase() !== wanted && emailOf(one) !== wanted && begins(one.toLowerCase(), wanted))
      .slice(0, OFFERED);
  }
  clear(): Thenable<void> {
    return this.state.update(KEY, undefined);
  }

  private all(): string[] {
    const all = this.state.get<unknown>(KEY);
    return Array.isArray(all) ? all.filter(one => typeof one === 'string') : [];
  }
}
const isAddress = (one: unknown): one is Address =>
  typeof one === 'object' && one !== null && typeof (one as Partial<Address>).email === 'string';
/** Whether a word of a text begins with another. */
const begins = (text: string, wanted: string): boolean => {
  for (let at = text.indexOf(wanted); at >= 0; at = text.indexOf(wanted, at + 1))
    if (at === 0 || !/[\p{L}\p{N}]/u.test(text[at - 1]!)) return true;
  return false;
};
const emailOf = (address: string): string => (parseAddress(address)?.email ?? address).toLowerCase();
