import { createServer } from 'node:http';
import { connect, createServer as createRelay, type AddressInfo, type Socket } from 'node:net';
import type { Sandboxes, Workbench } from './driver.js';
import type { Loose } from './workbench.js';

/** What a journey through the workbench has at hand; `folder` is the one that is open, on this machine. */
export interface Journey {
  wb: Workbench;
  page: Loose;
  box: Sandboxes;
  spy: Spy;
  folder: string;
  /** A picture, in every theme and size where the journey is looked at in those; `passing`: of what goes by itself. */
  shot(name: string, passing?: 'passing'): Promise<void>;
  axe(kind: string, has?: string): Promise<void>;
}
export type Journeys = Record<string, ((j: Journey) => Promise<void>) & { breaksPolicy?: true }>;
/**
 * Marks a journey that shows mail which asks for what our pages forbid: that is what their policy is for. Everywhere
 * else a page of ours is at fault.
 */
export const breaksPolicy = (journey: (j: Journey) => Promise<void>) =>
  Object.assign(journey, { breaksPolicy: true as const });

export interface Spy {
  url: string;
  seen: string[];
  close(): Promise<void>;
}
/** A server that counts who comes: hostile mail names it everywhere. */
export async function startSpy(): Promise<Spy> {
  const seen: string[] = [];
  const server = createServer((request, answer) => {
    seen.push(request.url ?? '');
    answer.writeHead(200, { 'content-type': 'image/gif' }).end(Buffer.from('R0lGODlhAQABAAAAACw=', 'base64'));
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as { port: number }).port}`,
    seen,
    close: () =>
      new Promise(resolve => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}
/** Waits for an event that has no listener of its own. */
export const until = async (what: string, check: () => boolean | Promise<boolean>, ms = 20_000): Promise<void> => {
  for (const end = Date.now() + ms; ;) {
    if (await check()) return;
    if (Date.now() > end) throw new Error(`In vain waited for: ${what}`);
    await new Promise(resolve => setTimeout(resolve, 50));
  }
};
/**
 * Whether one text of the browser's store holds all of these: there the workbench writes down what is open, some
 * seconds after the last change.
 */
export const stored = (page: Loose, ...parts: string[]): Promise<boolean> =>
  page.evaluate(`(async () => {
  const over = request => new Promise((resolve, reject) => { request.onsuccess = () => resolve(request.result); request.onerror = reject; });
  for (const { name } of await indexedDB.databases()) {
    const db = await over(indexedDB.open(name));
    try {
      for (const one of db.objectStoreNames) {
        const texts = await over(db.transaction(one).objectStore(one).getAll());
        if (texts.some(text => typeof text === 'string' && ${JSON.stringify(parts)}.every(part => text.includes(part)))) return true;
      }
    } finally { db.close(); }
  }
  return false;
})()`);
interface Request {
  method: string;
  path: string;
  body: Buffer;
}
export const writes = (box: Sandboxes, id: string): Request[] =>
  (box.vendors[id].seen as Request[]).filter(one => one.method !== 'GET');

/**
 * The same server at an address that is not the usual loopback one, as a vendor's is not: the workbench in the browser
 * would lead 127.0.0.1 through a proxy of its own.
 */
export async function elsewhere(url: string): Promise<{ url: string; close(): Promise<void> }> {
  const { port } = new URL(url);
  const sockets = new Set<Socket>();
  const relay = createRelay(socket => {
    const onward = connect(Number(port), '127.0.0.1');
    for (const one of [socket, onward]) {
      sockets.add(one);
      one.on('error', () => {
        socket.destroy();
        onward.destroy();
      });
    }
    socket.pipe(onward).pipe(socket);
  });
  await new Promise<void>((resolve, reject) => {
    relay.once('error', reject);
    relay.listen(0, '127.0.0.2', resolve);
  });
  return {
    url: `http://127.0.0.2:${(relay.address() as AddressInfo).port}`,
    close: () =>
      new Promise(resolve => {
        for (const one of sockets) one.destroy();
        relay.close(() => resolve());
      }),
  };
}
