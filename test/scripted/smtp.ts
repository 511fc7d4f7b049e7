import { createServer, type AddressInfo, type Socket } from 'node:net';
import { readScript, wireBytes, type Script } from './script.js';

/**
 * A scripted SMTP server on loopback, in clear text. A script is as in script.ts; `.` stands for the end of a message.
 */
export interface ScriptedSmtp {
  port: number;
  /** The messages taken. */
  mails: { from: string; to: string[]; source: string }[];
  log: string[];
  connections: number;
  close(): Promise<void>;
}

/** Starts a server that answers as the script says, and plainly wherever the script says nothing. */
export async function startSmtp(
  text = '',
  { ehlo = ['AUTH PLAIN LOGIN', '8BITMIME'] }: { ehlo?: string[] } = {},
): Promise<ScriptedSmtp> {
  const script = readScript(text);
  const sockets = new Set<Socket>();
  const server = createServer(socket => {
    sockets.add(socket);
    socket.setNoDelay(true);
    self.connections++;
    socket.on('close', () => sockets.delete(socket)).on('error', () => {});
    serve(socket, script, self, ehlo);
  });
  const self: ScriptedSmtp = {
    port: 0,
    mails: [],
    log: [],
    connections: 0,
    close: () => {
      for (const socket of sockets) socket.destroy();
      return new Promise(resolve => server.close(() => resolve()));
    },
  };
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  self.port = (server.address() as AddressInfo).port;
  return self;
}

/** An answer that goes on and on, a line every 50 ms. */
function endless(socket: Socket): void {
  const timer = setInterval(() => {
    if (!socket.destroyed) socket.write('250-more\r\n');
  }, 50);
  socket.once('close', () => clearInterval(timer));
}

/** Nothing is read but a little now and then. */
function slowly(socket: Socket): void {
  socket.removeAllListeners('data');
  socket.pause();
  const timer = setInterval(() => {
    socket.read(1000);
  }, 50);
  socket.once('close', () => clearInterval(timer));
}

function serve(socket: Socket, script: Script, self: ScriptedSmtp, ehlo: string[]): void {
  let from = '';
  let to: string[] = [];
  let source: string[] | undefined;
  let login = 0;
  let bytes = '';
  const say = (line: string) => {
    self.log.push(`S: ${line}`);
    if (!socket.destroyed) socket.write(wireBytes(line));
  };
  const plain = (line: string): string[] => {
    switch (line.split(/[ :]/)[0]!.toUpperCase()) {
      case 'EHLO':
        return ['scripted.test', ...ehlo].map((word, i) => `250${i < ehlo.length ? '-' : ' '}${word}`);
      case 'AUTH':
        if (/^AUTH PLAIN \S/i.test(line)) return ['235 in'];
        login = /LOGIN/i.test(line) ? 2 : 1;
        return ['334 '];
      case 'MAIL':
        [from, to] = [line, []];
        return ['250 ok'];
      case 'RCPT':
        to.push(line);
        return ['250 ok'];
      case 'DATA':
        source = [];
        return ['354 go on'];
      case '.':
        self.mails.push({ from, to, source: source?.join('\r\n') ?? '' });
        source = undefined;
        return ['250 2.0.0 queued'];
      case 'QUIT':
        socket.end('221 bye\r\n');
        return [];
      case 'HELO':
      case 'RSET':
      case 'NOOP':
        return ['250 ok'];
      default:
        return ['502 unknown command'];
    }
  };
  const answer = (line: string): void => {
    for (const action of script.answersTo(line) ?? plain(line).map(say => ({ say }))) {
      if ('say' in action) say(action.say);
      else if (action.act === 'regular') plain(line).forEach(say);
      else if (action.act === 'close') socket.destroy();
      else if (action.act === 'drip') endless(socket);
      else if (action.act === 'read slowly') slowly(socket);
    }
    if (line === '.') source = undefined;
  };
  for (const line of script.greeting ?? ['220 scripted.test ESMTP'])
    if (line === '<close>') socket.destroy();
    else if (line !== '<silence>') say(line);
  socket.on('data', (chunk: Buffer) => {
    bytes += chunk.toString('latin1');
    for (let end = bytes.indexOf('\r\n'); end >= 0; end = bytes.indexOf('\r\n')) {
      const line = bytes.slice(0, end);
      bytes = bytes.slice(end + 2);
      if (source && line !== '.') {
        source.push(line);
        continue;
      }
      self.log.push(`C: ${line.slice(0, 400)}`);
      if (login > 0) {
        login--;
        say(login ? '334 ' : '235 in');
        continue;
      }
      answer(line);
    }
  });
}
