import type { AddressInfo, Server, Socket } from 'node:net';
import { SMTPServer, type SMTPServerOptions, type SMTPServerSession } from 'smtp-server';

const HOST = '127.0.0.1';

/** The port in clear text, the one with TLS from the first byte, and who is connected to them. */
export class Connections {
  readonly host = HOST;
  port = 0;
  tlsPort = 0;
  /** So many at the same time before `421 4.7.0`. */
  limit = Infinity;
  private readonly plain: SMTPServer;
  private readonly secure: SMTPServer;
  private readonly sockets = new Map<number, Socket>();
  private most = 0;

  constructor(settings: SMTPServerOptions) {
    this.plain = this.watched(new SMTPServer(settings));
    this.secure = this.watched(new SMTPServer({ ...settings, secure: true }));
  }

  get open(): number {
    return this.sockets.size;
  }

  /** The most at the same time since the last `forget`. */
  get peak(): number {
    return this.most;
  }

  forget(): void {
    this.most = this.sockets.size;
  }

  /** Announces another largest message, in bytes. */
  announce(size: number): void {
    for (const each of [this.plain, this.secure]) each.options.size = size;
  }

  /** Ends the connection of one session. */
  cut({ remotePort }: SMTPServerSession, how: 'fin' | 'reset'): void {
    const socket = this.sockets.get(remotePort);
    if (how === 'reset') socket?.resetAndDestroy();
    else socket?.destroySoon();
  }

  drop(how: 'fin' | 'reset'): void {
    for (const socket of this.sockets.values())
      if (how === 'reset') socket.resetAndDestroy();
      else socket.destroySoon();
  }

  async listen(port: number, tlsPort: number): Promise<void> {
    this.port = await listen(this.plain, port);
    this.tlsPort = await listen(this.secure, tlsPort);
  }

  /** Listens no more, and ends every connection. */
  async stop(how: 'reset' | 'destroy'): Promise<void> {
    const closing = [this.plain, this.secure]
      .filter(({ server }) => server.listening)
      .map(({ server }) => new Promise<void>(resolve => server.close(() => resolve())));
    for (const socket of this.sockets.values())
      if (how === 'reset') socket.resetAndDestroy();
      else socket.destroy();
    await Promise.all(closing);
  }

  private watched(made: SMTPServer): SMTPServer {
    made.on('error', () => {});
    (made.server as Server).on('connection', (socket: Socket) => this.track(socket));
    return made;
  }

  private track(socket: Socket): void {
    const { sockets } = this;
    const port = socket.remotePort!;
    sockets.set(port, socket);
    this.most = Math.max(this.most, sockets.size);
    socket.on('close', () => {
      if (sockets.get(port) === socket) sockets.delete(port);
    });
  }
}

const listen = (what: SMTPServer, port: number) =>
  new Promise<number>((resolve, reject) => {
    what.server.once('error', reject);
    what.listen(port, HOST, () => {
      what.server.off('error', reject);
      resolve((what.server.address() as AddressInfo).port);
    });
  });
