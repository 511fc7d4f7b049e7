import type { ImapFlow } from '../libraries.js';

/*
 * Commands that do not need each other's answers are sent in one flight (RFC 9051 section 5.5): far away, each flight
 * costs a round trip. The library sends a command when the one before was answered. Here the commands that wait in its
 * queue are written behind the one under way; their answers are taken by the library as ever, one command after the
 * other.
 */

/** What is used of the library besides its documented calls. A version without it sends one command at a time. */
interface Inside {
  exec?(command: string, attributes?: unknown, options?: object): Promise<unknown>;
  send?(data: Request): Promise<void>;
  write?(text: string): void;
  run?(command: string, ...args: unknown[]): Promise<unknown>;
  startSession?(): Promise<void>;
  upgradeToSTARTTLS?(): Promise<unknown>;
  authenticate?(): Promise<unknown>;
  autoEnable?(): Promise<void>;
  requestQueue?: Request[];
  currentRequest?: (Request & { sent?: boolean }) | false;
  commandParts?: unknown[];
  /** One packet for one flight. */
  writeSocket?: { cork(): void; uncork(): void };
  folders?: Map<string, { path: string }>;
  clientInfo?: object;
  idRequested?: unknown;
  skipRev2?: boolean;
  authenticated?: unknown;
  usable: boolean;
}
interface Request {
  tag: string;
  command: string;
  attributes?: unknown;
}

/**
 * Commands that a server answers without a word of ours in between, and that mean the same whatever the answer to the
 * one before is.
 */
const TOGETHER = new Set(['ID', 'NAMESPACE', 'ENABLE', 'EXAMINE', 'SELECT', 'UID SEARCH', 'UID STORE', 'NOOP']);
const NAMING = new Set(['EXAMINE', 'SELECT']);

/** Connections that may have several commands in flight, with what turns that on for as long as a function runs. */
const flights = new WeakMap<ImapFlow, { open: number; written: Set<string> }>();
/** Connections that ended with commands in flight which had not been answered. */
export const brokenOff = new WeakSet<ImapFlow>();

/** The shortest time between any command and its answer, in milliseconds: a server cannot be further away than that. */
const shortest = new WeakMap<ImapFlow, number>();
/** How far away the server of a connection is, in milliseconds there and back; 0 where that is not known. */
export const roundTripOf = (client: ImapFlow): number => shortest.get(client) ?? 0;

// A backslash stands in flags; the name of a folder with one is quoted (RFC 9051 section 9, astring).
const ATOM = /^[A-Za-z0-9._:*,=\\$+/-]+$/;
const NAME = /^[A-Za-z0-9._:,=$+/-]+$/;
const PRINTABLE = /^[\x20-\x7e]*$/;
const quoted = (value: string): string | undefined =>
  PRINTABLE.test(value) && value.length < 900 ? `"${value.replace(/["\\]/g, '\\$&')}"` : undefined;

/**
 * A command's attributes as they are written; undefined where that takes more than letters, such as a literal or a
 * section.
 */
function spelled(attributes: unknown, naming: boolean): string | undefined {
  if (attributes === null) return 'NIL';
  if (typeof attributes === 'string') return quoted(attributes);
  if (Array.isArray(attributes)) {
    const all = attributes.map(one => spelled(one, naming));
    return all.includes(undefined) ? undefined : `(${all.join(' ')})`;
  }
  const { type, value, ...more } = attributes as { type?: string; value?: unknown };
  if (typeof value !== 'string' || Object.keys(more).length) return undefined;
  if (type === 'STRING' || (type === 'ATOM' && naming && !NAME.test(value))) return quoted(value);
  return (type === 'ATOM' || type === 'SEQUENCE') && ATOM.test(value) ? value : undefined;
}
function lineOf({ tag, command, attributes }: Request): string | undefined {
  if (!TOGETHER.has(command)) return undefined;
  const all = (Array.isArray(attributes) ? attributes : []).map(one => spelled(one, NAMING.has(command)));
  return all.includes(undefined) ? undefined : [tag, command, ...all].join(' ');
}

/** Lets a connection have several commands in flight while `together` runs. To be called before it connects. */
export function allowFlights(client: ImapFlow): void {
  const inside = client as unknown as Inside;
  const exec = inside.exec?.bind(client);
  const send = inside.send?.bind(client);
  if (!exec || !send || !inside.write || !inside.requestQueue || !inside.commandParts) return;
  const flight = { open: 0, written: new Set<string>() };
  flights.set(client, flight);
  inside.send = async data => {
    const line = flight.open && !flight.written.has(data.tag) ? lineOf(data) : undefined;
    // The library's own way may put it off; what follows must be written after it.
    if (line !== undefined) {
      inside.commandParts = [];
      inside.write!(line);
    } else if (!flight.written.delete(data.tag)) return send(data);
    if (inside.currentRequest && inside.currentRequest.tag === data.tag) inside.currentRequest.sent = true;
  };
  inside.exec = (command, attributes, options) => {
    const answer = exec(command, attributes, options);
    const sent = performance.now();
    const answered = () => {
      shortest.set(client, Math.min(shortest.get(client) ?? Infinity, performance.now() - sent));
    };
    answer.then(answered, () => {});
    const { currentRequest: first, requestQueue } = inside;
    if (!flight.open || !first || !first.sent || inside.commandParts!.length || !client.authenticated) return answer;
    for (const waiting of requestQueue!) {
      if (flight.written.has(waiting.tag)) continue;
      const line = lineOf(waiting);
      if (line === undefined) break;
      inside.write!(line);
      flight.written.add(waiting.tag);
    }
    return answer;
  };
  client.once('close', () => {
    if (flight.written.size) brokenOff.add(client);
  });
}

/**
 * Runs a function whose commands may go out in one flight: it must start them without waiting for one of them. Where a
 * connection cannot have that, they go one after the other. Resolves or rejects as the function does.
 */
export async function together<T>(client: ImapFlow, run: () => Promise<T>): Promise<T> {
  const flight = flights.get(client);
  if (!flight) return run();
  const { writeSocket } = client as unknown as Inside;
  flight.open++;
  try {
    writeSocket?.cork();
    let answer: Promise<T>;
    try {
      answer = run();
    } finally {
      writeSocket?.uncork();
    }
    return await answer;
  } finally {
    flight.open--;
  }
}

/**
 * Begins a session in as few round trips as it can: what the greeting or the login's answer told of capabilities is not
 * asked again, the password goes with its command where the server takes it there (RFC 4959), and what follows the
 * login goes in one flight. The library asks ID before and after the login, then NAMESPACE, then ENABLE, each in its
 * turn.
 */
export function shortenLogin(client: ImapFlow, { user, pass }: { user: string; pass?: string }): void {
  const inside = client as unknown as Inside;
  const exec = inside.exec?.bind(client);
  if (exec && pass !== undefined)
    inside.exec = (command, attributes, options) => {
      const alone =
        command === 'AUTHENTICATE' &&
        Array.isArray(attributes) &&
        attributes.length === 1 &&
        client.capabilities.has('SASL-IR');
      if (!alone || (attributes as { value?: unknown }[])[0]?.value !== 'PLAIN')
        return exec(command, attributes, options);
      const answer = { type: 'ATOM', value: Buffer.from(`\0${user}\0${pass}`).toString('base64'), sensitive: true };
      return exec(command, [...(attributes as unknown[]), answer], options);
    };
  if (
    !flights.has(client) ||
    !inside.startSession ||
    !inside.run ||
    !inside.upgradeToSTARTTLS ||
    !inside.authenticate ||
    !inside.autoEnable
  )
    return;
  inside.startSession = async () => {
    await inside.run!('CAPABILITY');
    await inside.upgradeToSTARTTLS!();
    await inside.authenticate!();
    // Whatever is used here of IMAP4rev2 is offered by name too, and some servers that offer it answer wrongly once it
    // is enabled.
    if (client.capabilities.has('IMAP4rev1')) inside.skipRev2 = true;
    const [, namespace] = await together(client, () =>
      Promise.all([
        client.capabilities.has('ID')
          ? inside.run!('ID', inside.clientInfo).then(told => {
              inside.idRequested = told;
            })
          : undefined,
        inside.run!('NAMESPACE') as Promise<{ error?: boolean; status?: string; text?: string } | undefined>,
        inside.autoEnable!(),
      ]),
    );
    // Exchange lets anyone in whose mailbox it cannot open, and says so here.
    if (
      namespace?.error &&
      namespace.status === 'BAD' &&
      /User is authenticated but not connected/i.test(namespace.text ?? '')
    ) {
      inside.authenticated = false;
      throw Object.assign(new Error('Authentication failed'), { authenticationFailed: true, response: namespace.text });
    }
    inside.usable = true;
  };
}

/**
 * Spares the library a LIST and an LSUB before it opens a folder: it wants to know of a folder's role, which nothing
 * here asks for.
 */
export function spareListing(client: ImapFlow, path: string): void {
  const { folders } = client as unknown as Inside;
  if (!(folders instanceof Map)) return;
  // As the library spells it.
  const whole = path.toUpperCase() === 'INBOX' ? 'INBOX' : path;
  if (!folders.has(whole)) folders.set(whole, { path: whole });
}

/** True when the last command that was started opens a folder. */
export function isOpening(client: ImapFlow): boolean {
  const { currentRequest, requestQueue } = client as unknown as Inside;
  const last = requestQueue?.at(-1) ?? (currentRequest || undefined);
  return !!last && NAMING.has(last.command);
}
