import assert from 'node:assert/strict';
import { letter, type Letter } from '../../sandbox/corpus.js';
import { startFaultProxy, type FaultProxy } from '../../sandbox/faultProxy.js';
import type { Active, Engine, RunResult, WorkflowFile } from '../../engine/engine.js';
import type { Lab, User } from './lab.js';

export const TRIGGER = 'n8n-nodes-mailroom.syncTrigger';
export const wait = (ms: number) =>
  new Promise<void>(resolve => {
    setTimeout(resolve, ms);
  });

/** A workflow that begins with a Sync Trigger; `parameters` on top of those every mail trigger has. */
export function workflowOf(
  id: string,
  credential: string,
  parameters: object = {},
  { oauth2 = false } = {},
): WorkflowFile {
  return {
    id,
    name: id,
    nodes: [
      {
        id: `${id}-trigger`,
        name: 'Mail',
        type: TRIGGER,
        typeVersion: 1,
        position: [0, 0],
        parameters: {
          provider: 'imap',
          authentication: oauth2 ? 'oauth2' : 'password',
          event: 'messageReceived',
          ...parameters,
        },
        credentials: { [oauth2 ? 'imapOAuth2Api' : 'imapApi']: { id: credential, name: credential } },
      },
      { id: `${id}-end`, name: 'End', type: 'n8n-nodes-base.noOp', typeVersion: 1, position: [200, 0], parameters: {} },
    ],
    connections: { Mail: { main: [[{ node: 'End', type: 'main', index: 0 }]] } },
  };
}

/**
 * An account of a lab, reached through a proxy when `port` is given; clear text, which is allowed on loopback, so that
 * logins can be counted.
 */
export const accountData = (lab: Lab, { user, password }: User, port = lab.imapPort) => ({
  preset: 'custom',
  user,
  password,
  imapHost: '127.0.0.1',
  imapPort: port,
  imapSecurity: 'none',
  smtpHost: 'localhost',
  smtpPort: lab.smtpPort,
  smtpSecurity: lab.smtpSecurity,
  allowedCertificate: lab.ca,
});

/** A trigger under test: its own user, its own proxy, its own workflow. */
export interface Watched {
  lab: Lab;
  user: User;
  proxy: FaultProxy;
  active: Active;
  engine: Engine;
  id: string;
  /** Delivers short messages with these subjects. */
  send(...subjects: (string | Letter)[]): Promise<void>;
  /** Subjects of all executions so far, in the order they ended. */
  got(): string[];
  /** Waits until exactly these were executed, each once, and stays a moment to see that no more comes. */
  expect(subjects: readonly string[], ms?: number, linger?: number): Promise<void>;
  until(check: () => boolean, ms: number, what: string): Promise<void>;
  untilAsync(check: () => Promise<boolean>, ms: number, what: string): Promise<void>;
  /** The workflow as it is activated, with other parameters if given. */
  file(parameters?: object): WorkflowFile;
  /** Activates the same workflow again, as after a restart of n8n or by a second start. */
  restart(parameters?: object): Promise<void>;
  /**
   * Ends it and checks what must hold after any fault: closed in time, logins within bounds, nothing complained but
   * what was expected.
   */
  /** `failed` are the failed executions there must be, in order; `noted` are those there may be besides. */
  finish(more?: { failed?: RegExp[]; noted?: RegExp; logins?: number }): Promise<void>;
}
export interface WatchOptions {
  parameters?: object;
  kind?: 'single';
  /** Runs before the trigger is activated. */
  before?(watched: Watched): Promise<void> | void;
  user?: User;
  /** Another port than the lab's. */
  target?: number;
  oauth2?: boolean;
  /** More of the credential. */
  credential?: object;
  workflow?(file: WorkflowFile): WorkflowFile;
}

/** How much longer than given everything may take before it counts as lost; for a run that keeps the machine busy. */
export const patience = { factor: 1 };
let count = 0;
const open = new Set<Watched>();
/** Ends what failed tests left behind. */
export async function endAll(): Promise<void> {
  await Promise.allSettled(
    [...open].map(async w => {
      open.delete(w);
      await w.active.deactivate();
      await w.proxy.close();
    }),
  );
}
/** Starts a Sync Trigger in n8n's engine on a fresh user of the lab, and waits until it stands in its place. */
export async function watch(
  engine: Engine,
  lab: Lab,
  name: string,
  {
    parameters = {},
    kind,
    before,
    user = lab.user(kind),
    target = lab.imapPort,
    oauth2 = false,
    credential = {},
    workflow = file => file,
  }: WatchOptions = {},
): Promise<Watched> {
  const id = `${name}-${++count}`;
  const proxy = await startFaultProxy(target);
  await engine.saveCredential(id, {
    type: oauth2 ? 'imapOAuth2Api' : 'imapApi',
    data: { ...accountData(lab, user, proxy.port), ...(oauth2 ? { password: undefined } : {}), ...credential },
  });
  const file = (more: object = {}) => workflow(workflowOf(id, id, { ...parameters, ...more }, { oauth2 }));
  const w: Watched = {
    lab,
    user,
    proxy,
    engine,
    id,
    file,
    active: undefined as unknown as Active,
    async send(...letters) {
      for (const one of letters) await lab.deliver(user, letter(typeof one === 'string' ? { subject: one } : one));
    },
    got: () => w.active.executions.flatMap(subjectsOf),
    async until(check, ms, what) {
      for (const end = performance.now() + ms * patience.factor; !check();) {
        if (performance.now() > end)
          throw new Error(
            `${id}: ${what} did not happen within ${ms} ms. Executed: ${JSON.stringify(w.got().slice(-20))}; errors: ${w.active.errors.map(String).join()}; failed: ${w.active.failed.map(String).join()}; ` +
              `logins ${proxy.seen.logins.length}, connections ${proxy.seen.connections.length}. Last between them:\n${proxy.last()}`,
          );
        await wait(20);
      }
    },
    async untilAsync(check, ms, what) {
      for (const end = performance.now() + ms * patience.factor; !(await check());) {
        if (performance.now() > end) throw new Error(`${id}: ${what} did not happen within ${ms} ms.`);
        await wait(100);
      }
    },
    async expect(subjects, ms = 15_000, linger = 300) {
      const wanted = new Set(subjects);
      await w
        .until(
          () => {
            const got = new Set(w.got());
            return [...wanted].every(one => got.has(one));
          },
          ms,
          `${wanted.size} executions`,
        )
        .catch((error: Error) => {
          const got = new Set(w.got());
          const lost = [...wanted].filter(one => !got.has(one));
          throw new Error(`${lost.length} of ${wanted.size} lost: ${lost.slice(0, 10).join(', ')}\n${error.message}`);
        });
      await wait(linger);
      assert.deepEqual([...w.got()].sort(), [...subjects].sort(), `${id}: each once and no more`);
    },
    async restart(more = {}) {
      w.active = await engine.activate(file(more), { retryDelays: [] });
    },
    async finish({ failed = [], noted, logins } = {}) {
      open.delete(w);
      const began = performance.now();
      await w.active.deactivate();
      const took = performance.now() - began;
      const busiest = proxy.busiest(60_000, 'logins');
      const short = proxy.busiest(10_000, 'logins');
      const total = proxy.seen.logins.length;
      await proxy.close();
      assert.ok(took < 5_000, `${id}: closing took ${took} ms`);
      assert.ok(busiest <= 60 && short <= 14, `${id}: ${busiest} logins in a minute, ${short} in ten seconds`);
      if (logins !== undefined) assert.ok(total <= logins, `${id}: ${total} logins`);
      assert.deepEqual(w.active.errors, [], `${id}: emitError was called, or the start failed`);
      const told = w.active.failed.map(error => error.message).filter(message => !noted?.test(message));
      assert.equal(told.length, failed.length, `${id}: failed executions: ${told.join(' | ')}`);
      for (const [i, pattern] of failed.entries()) assert.match(told[i]!, pattern);
    },
  };
  await before?.(w);
  await w.restart();
  open.add(w);
  return w;
}

/** The subjects an execution began with. */
export const subjectsOf = (run: RunResult): string[] => run.items('Mail').map(item => String(item.json.subject));
export const range = (count: number, prefix = 'm') => Array.from({ length: count }, (_, i) => `${prefix}${i}`);
