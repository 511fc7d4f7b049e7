import { uidSet, uidsOf } from '../messages/content.js';

/*
 * What is kept of a folder between two looks, to tell what happened to its messages: which there were, and which had
 * which flag. Pure functions; the connection is elsewhere.
 */

/** The flags that are followed, as servers call them (RFC 9051 section 2.3.2). */
export const FLAGS = { starred: '\\Flagged', read: '\\Seen', answered: '\\Answered' } as const;
export type Flag = keyof typeof FLAGS;
export const ALL_FLAGS = Object.keys(FLAGS) as Flag[];

/** What may be told of a message: a flag set or taken away, or that it left its folder. */
export type Kind = 'starred' | 'unstarred' | 'read' | 'unread' | 'answered' | 'gone';
const TOLD: Readonly<Record<Flag, { set: Kind; taken?: Kind }>> = {
  starred: { set: 'starred', taken: 'unstarred' },
  read: { set: 'read', taken: 'unread' },
  answered: { set: 'answered' },
};

/**
 * The newest messages of a folder are followed, and where the newest of these go. Who has more hears nothing of the
 * older ones.
 */
export const FOLLOWED = 5000;
export const NAMED = 1000;
/** So often taken away is remembered of so many messages, so that the same flag set again has another name. */
const AGAIN = 500;
/** A name takes so many characters; this one stands for none. */
const NAME = 8;
const NO_NAME = '-'.repeat(NAME);

/** As it is stored with the cursor; short keys, since that happens often. */
export interface FolderState {
  /**
   * UIDVALIDITY; HIGHESTMODSEQ where the server counts changes; UIDNEXT and the number of messages; when the look
   * began, in milliseconds.
   */
  val: string;
  mod?: string;
  next: number;
  exists: number;
  at: number;
  /** The messages, as a set of UIDs. */
  uids: string;
  /** Which of them have a flag, as a set of their positions in `uids`: gaps left by others cost nothing then. */
  flags: Partial<Record<Flag, string>>;
  /**
   * Hashes of Message-IDs of the last of `uids`, eight characters each; which of these pass the filters, by position;
   * the filters.
   */
  names?: string;
  pass?: string;
  filters?: string;
  /** How often a flag was taken from a message, by `UID/flag`; what the oldest forgotten ones had at most. */
  again?: Record<string, number>;
  base?: number;
}

/** A message as it was or is. */
export interface Known {
  flags: ReadonlySet<Flag>;
  name?: string;
  pass?: boolean;
}
export type Messages = Map<number, Known>;

/** What is stored, opened. */
export function unpack(state: FolderState): Messages {
  const uids = uidsOf(state.uids, FOLLOWED);
  const names = state.names?.match(/.{8}/g) ?? [];
  const pass = new Set(uidsOf(state.pass ?? '', FOLLOWED));
  const flags = ALL_FLAGS.map(flag => [flag, new Set(uidsOf(state.flags[flag] ?? '', FOLLOWED))] as const);
  const firstNamed = uids.length - names.length;
  return new Map(
    uids.map((uid, at) => {
      const name = names[at - firstNamed];
      return [
        uid,
        {
          flags: new Set(flags.filter(([, set]) => set.has(at + 1)).map(([flag]) => flag)),
          ...(name && name !== NO_NAME ? { name, pass: pass.has(at + 1) } : {}),
        },
      ];
    }),
  );
}

/** What there is, to be stored. Positions count from 1, because sets of numbers do. */
export function pack(
  messages: Messages,
  followed: readonly Flag[],
  named: boolean,
): Pick<FolderState, 'uids' | 'flags' | 'names' | 'pass'> {
  const uids = [...messages.keys()].sort((a, b) => a - b).slice(-FOLLOWED);
  const known = uids.map(uid => messages.get(uid)!);
  const positions = (holds: (one: Known) => boolean) =>
    uidSet(known.flatMap((one, at) => (holds(one) ? [at + 1] : [])));
  return {
    uids: uidSet(uids),
    flags: Object.fromEntries(followed.map(flag => [flag, positions(one => one.flags.has(flag))])),
    ...(named
      ? {
          names: known
            .slice(-NAMED)
            .map(({ name }) => name ?? NO_NAME)
            .join(''),
          pass: positions(({ pass }) => pass === true),
        }
      : {}),
  };
}

/** One thing that happened. `id` names it among all that happens to the folder's messages, for good. */
export interface Happening {
  uid: number;
  kind: Kind;
  id: string;
  name?: string;
  pass?: boolean;
}

/** How often each flag was taken from each message. */
export class Times {
  private readonly known: Map<string, number>;
  constructor(
    again: FolderState['again'],
    private base = 0,
  ) {
    this.known = new Map(Object.entries(again ?? {}));
  }
  of(uid: number, flag: Flag): number {
    return this.known.get(`${uid}/${flag}`) ?? this.base;
  }
  taken(uid: number, flag: Flag): void {
    const times = this.of(uid, flag) + 1;
    this.known.delete(`${uid}/${flag}`);
    this.known.set(`${uid}/${flag}`, times);
    if (this.known.size <= AGAIN) return;
    const [oldest, had] = [...this.known][0]!;
    this.known.delete(oldest);
    this.base = Math.max(this.base, had);
  }
  stored(): Pick<FolderState, 'again' | 'base'> {
    return {
      ...(this.known.size ? { again: Object.fromEntries(this.known) } : {}),
      ...(this.base ? { base: this.base } : {}),
    };
  }
}

/**
 * What happened to the flags of a message, in the order of the table. A flag that was followed by nobody before says
 * nothing. Counts in `times` what was taken away, whether anybody wants to hear of it or not.
 */
export function flagChanges(
  uid: number,
  was: ReadonlySet<Flag>,
  is: ReadonlySet<Flag>,
  followed: readonly Flag[],
  times: Times,
): Happening[] {
  return followed.flatMap((flag): Happening[] => {
    if (was.has(flag) === is.has(flag)) return [];
    const kind = is.has(flag) ? TOLD[flag].set : TOLD[flag].taken;
    const id = `${uid}/${flag}/${is.has(flag) ? 'set' : 'taken'}/${times.of(uid, flag)}`;
    if (!is.has(flag)) times.taken(uid, flag);
    return kind ? [{ uid, kind, id }] : [];
  });
}
