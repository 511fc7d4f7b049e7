import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';

/** A client that sends exactly what it is told, for what mail libraries hide. Everything is latin1. */
export interface RawClient {
  /** All that has come and was not taken yet. */
  readonly text: string;
  /** Whether the connection is over, and how. */
  readonly ended: 'fin' | 'reset' | undefined;
  write(data: string | Buffer): void;
  /**
   * Waits for text that matches and takes everything up to its end; rejects after `ms` (5 s) or when the connection
   * ends first.
   */
  until(pattern: RegExp, ms?: number): Promise<string>;
  /** Sends a command under a tag of its own; gives the untagged lines and the tagged one without its tag. */
  command(line: string, ms?: number): Promise<{ lines: string; result: string }>;
  /** Sends a line and gives the reply, over several lines if need be (SMTP). */
  smtp(line: string): Promise<string>;
  /** Continues under TLS, after STARTTLS. */
  startTls(ca?: string): Promise<void>;
  /** Resolves when the connection has ended. */
  end(): Promise<'fin' | 'reset'>;
  close(): void;
}

/** Connects to a loopback port; under TLS if `ca` is given. */
export async function rawClient(port: number, { ca }: { ca?: string } = {}): Promise<RawClient> {
  let text = '';
  let ended: 'fin' | 'reset' | undefined;
  let tags = 0;
  let watchers: (() => void)[] = [];
  const poke = () => {
    const now = watchers;
    watchers = [];
    for (const watcher of now) watcher();
  };
  const attach = (socket: Socket) => {
    socket.setNoDelay(true);
    socket.on('data', chunk => {
      text += chunk.toString('latin1');
      poke();
    });
    socket
      .on('end', () => {
        ended ??= 'fin';
        poke();
      })
      .on('error', () => {
        ended ??= 'reset';
        poke();
      })
      .on('close', () => {
        ended ??= 'fin';
        poke();
      });
  };
  let socket: Socket = ca
    ? connectTls({ host: '127.0.0.1', port, ca, servername: 'localhost' })
    : connect(port, '127.0.0.1');
  attach(socket);
  await new Promise<void>((resolve, reject) => {
    socket.once(ca ? 'secureConnect' : 'connect', resolve).once('error', reject);
  });
  const client: RawClient = {
    get text() {
      return text;
    },
    get ended() {
      return ended;
    },
    write(data) {
      socket.write(typeof data === 'string' ? Buffer.from(data, 'latin1') : data);
    },
    async until(pattern, ms = 5000) {
      const deadline = Date.now() + ms;
      for (;;) {
        const match = pattern.exec(text);
        if (match) {
          const taken = text.slice(0, match.index + match[0].length);
          text = text.slice(taken.length);
          return taken;
        }
        if (ended) throw new Error(`Connection ended (${ended}) before ${pattern}; had: ${text.slice(-500)}`);
        const left = deadline - Date.now();
        if (left <= 0) throw new Error(`No ${pattern} within ${ms} ms; had: ${text.slice(-500)}`);
        await new Promise<void>(resolve => {
          const timer = setTimeout(resolve, left);
          watchers.push(() => {
            clearTimeout(timer);
            resolve();
          });
        });
      }
    },
    async command(line, ms) {
      const tag = `t${++tags}`;
      client.write(`${tag} ${line}\r\n`);
      const all = await client.until(new RegExp(`(^|\\r\\n)${tag} (OK|NO|BAD)[^\\r\\n]*\\r\\n`), ms);
      const at = all.lastIndexOf(`${tag} `);
      return { lines: all.slice(0, at), result: all.slice(at + tag.length + 1).trimEnd() };
    },
    async smtp(line) {
      if (line) client.write(`${line}\r\n`);
      return (await client.until(/(^|\n)\d{3} [^\n]*\n/)).trimEnd();
    },
    async startTls(authority) {
      socket.removeAllListeners('data').removeAllListeners('end').removeAllListeners('close');
      const plain = socket;
      socket = connectTls({
        socket: plain,
        servername: 'localhost',
        ...(authority ? { ca: authority } : { rejectUnauthorized: false }),
      });
      attach(socket);
      await new Promise<void>((resolve, reject) => {
        socket.once('secureConnect', resolve).once('error', reject);
      });
    },
    async end() {
      while (!ended) await new Promise<void>(resolve => watchers.push(resolve));
      return ended;
    },
    close() {
      socket.destroy();
    },
  };
  return client;
}
