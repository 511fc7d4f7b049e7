import { createServer, request } from 'node:http';
import { connect } from 'node:net';

/**
 * A front door for the inner server: it answers the one question that the inner server leaves to its front (half of the
 * key of the secret store) and passes everything else on, sockets included. Loopback only.
 */
export async function openInBrowserServer(
  inner: string,
  wanted: number,
): Promise<{ url: string; close(): Promise<void> }> {
  const { hostname, port } = new URL(inner);
  const sockets = new Set<{ destroy(): void }>();
  const server = createServer((incoming, outgoing) => {
    if (incoming.url?.split('?')[0]?.endsWith('/mint-key')) {
      outgoing.writeHead(200).end(Buffer.alloc(32, 7));
      return;
    }
    const onward = request(
      { hostname, port, path: incoming.url, method: incoming.method, headers: incoming.headers },
      answer => {
        outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(outgoing);
      },
    );
    onward.on('error', () => outgoing.destroy());
    incoming.pipe(onward);
  });
  server.on('connection', socket => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  server.on('upgrade', (incoming, socket, head) => {
    const onward = connect(Number(port), hostname, () => {
      onward.write(
        `${incoming.method} ${incoming.url} HTTP/1.1\r\n${incoming.rawHeaders.reduce((text, part, i) => text + part + (i % 2 ? '\r\n' : ': '), '')}\r\n`,
      );
      onward.write(head);
      socket.pipe(onward).pipe(socket);
    });
    sockets.add(onward);
    onward.on('error', () => socket.destroy());
    socket.on('error', () => onward.destroy());
  });
  const listen = (port: number) =>
    new Promise<number>((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, '127.0.0.1', () => resolve((server.address() as { port: number }).port));
    });
  const got = await listen(wanted).catch(() => listen(0));
  return {
    url: `http://127.0.0.1:${got}`,
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>(resolve => server.close(() => resolve()));
    },
  };
}
