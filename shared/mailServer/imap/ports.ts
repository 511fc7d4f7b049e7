import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import type { Certificate } from './certificate.js';

const HOST = '127.0.0.1';

/** Takes a connection; `tcp` is the socket below TLS, or the same. */
type Accept = (socket: Socket, tcp: Socket, tls: boolean) => void;

/** The port in clear text, the one with TLS from the first byte, and the sockets below them. */
export class Ports {
  readonly host = HOST;
  port = 0;
  tlsPort = 0;
  private readonly plain: Server;
  private readonly secure: Server;
  private readonly sockets = new Set<Socket>();
  private readonly byPort = new Map<number | undefined, Socket>();

  constructor(certificate: Certificate, accept: Accept) {
    this.plain = createServer({ allowHalfOpen: true, noDelay: true }, socket => {
      this.track(socket);
      accept(socket, socket, false);
    });
    this.secure = createTlsServer({ ...certificate, allowHalfOpen: true, noDelay: true }, socket =>
      accept(socket, this.byPort.get(socket.remotePort) ?? socket, true),
    );
    this.secure.on('connection', (socket: Socket) => this.track(socket)).on('tlsClientError', () => {});
  }

  async listen(port: number, tlsPort: number): Promise<void> {
    this.port = await listen(this.plain, port);
    this.tlsPort = await listen(this.secure, tlsPort);
  }

  /** Listens no more, and ends every connection. */
  async stop(how: 'reset' | 'destroy'): Promise<void> {
    const closing = [this.plain, this.secure]
      .filter(server => server.listening)
      .map(server => new Promise<void>(resolve => server.close(() => resolve())));
    for (const socket of this.sockets)
      if (how === 'reset') socket.resetAndDestroy();
      else socket.destroy();
    await Promise.all(closing);
  }

  private track(socket: Socket): void {
    const { sockets, byPort } = this;
    const port = socket.remotePort;
    sockets.add(socket);
    byPort.set(port, socket);
    socket
      .on('error', () => {})
      .on('close', () => {
        sockets.delete(socket);
        if (byPort.get(port) === socket) byPort.delete(port);
      });
  }
}

const listen = (what: Server, port: number) =>
  new Promise<number>((resolve, reject) => {
    what.once('error', reject);
    what.listen(port, HOST, () => {
      what.off('error', reject);
      resolve((what.address() as AddressInfo).port);
    });
  });
