import assert from 'node:assert/strict';
import { UserError } from 'n8n-workflow';
import type {
  IDataObject,
  IExecuteResponsePromiseData,
  INodeExecutionData,
  IRun,
  ITriggerFunctions,
  ITriggerResponse,
} from 'n8n-workflow';
import { startTrigger } from '../../nodes/lib/trigger.js';
import { closeConnections } from '../../shared/providers/imap/session/imapPool.js';
import { startMail, type Mail } from '../sandbox/mail.js';

const USER = 'u0@test.local';
interface Deferred {
  promise: Promise<unknown>;
  resolve(value: unknown): void;
  reject(error: Error): void;
}
const deferred = (): Deferred => {
  let resolve!: (value: unknown) => void;
  let reject!: (error: Error) => void;
  const promise = new Promise((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
};

let workflows = 0;
/**
 * What of n8n a trigger sees: static data as a stored copy, names of executions taken once, and an end for each that
 * the test decides.
 */
function n8n(mail: Mail, { workflow = `w${++workflows}`, tooLarge = 0, stored = {} as { data?: IDataObject } } = {}) {
  const names = new Set<string>();
  const emitted: { key: string; subjects: unknown[]; end(status?: string): void }[] = [];
  const failed: string[] = [];
  const warned: string[] = [];
  const start = (parameters: IDataObject = {}, timezone = 'UTC') => {
    const all: IDataObject = { provider: 'imap', event: 'messageReceived', authentication: 'password', ...parameters };
    const changes: PropertyKey[] = [];
    const stand = structuredClone(stored.data ?? {});
    // As in n8n, where every object within is watched as well.
    for (const [name, value] of Object.entries(stand))
      if (typeof value === 'object' && value) stand[name] = new Proxy(value, {});
    const data = new Proxy(stand, {
      set: (target, name, value) => {
        changes.push(name);
        return Reflect.set(target, name, value);
      },
    });
    const node = {
      getMode: () => 'trigger',
      getWorkflow: () => ({ id: workflow }),
      getNode: () => ({
        id: 'n',
        name: 'Mail',
        type: 't',
        typeVersion: 1,
        position: [0, 0],
        parameters: all,
        credentials: { imapApi: { id: 'c', name: 'c' } },
      }),
      getTimezone: () => timezone,
      getWorkflowStaticData: () => data,
      getCurrentNodeParameter: (name: string) => all[name],
      // An expression stands in `parameters` as it is and comes evaluated from here.
      getNodeParameter: (name: string, fallback?: unknown) =>
        name === 'startDate' && String(all[name]).startsWith('=') ? new Date().toISOString() : (all[name] ?? fallback),
      getCredentials: async () => ({
        user: USER,
        password: 'pass0',
        preset: 'custom',
        imapHost: 'localhost',
        imapPort: mail.imap.tlsPort,
        imapSecurity: 'tls',
        allowedCertificate: mail.ca,
      }),
      helpers: {
        createDeferredPromise: deferred,
        prepareBinaryData: async (_: unknown, name: string) => {
          if (name === `message-${tooLarge}.eml`) throw new UserError('exceeds the max size limit');
          return {};
        },
      },
      logger: {
        debug() {},
        info() {},
        warn: (text: string) => warned.push(text),
        error: (text: string) => failed.push(text),
      },
      saveFailedExecution: (error: Error) => failed.push(error.message),
      emit(
        items: INodeExecutionData[][],
        _response: IExecuteResponsePromiseData | undefined,
        done: Deferred | undefined,
        key: string,
      ) {
        stored.data = JSON.parse(JSON.stringify(stand)) as IDataObject;
        if (names.has(key)) return void done!.resolve(undefined);
        names.add(key);
        emitted.push({
          key,
          subjects: items[0]!.map(item => item.json.subject),
          end: (status = 'success') => done!.resolve({ status } as unknown as IRun),
        });
      },
    };
    return {
      response: startTrigger(node as unknown as ITriggerFunctions) as Promise<ITriggerResponse>,
      changes,
      store: () => {
        stored.data = JSON.parse(JSON.stringify(stand)) as IDataObject;
      },
    };
  };
  const until = async (check: () => boolean, ms = 8000) => {
    for (const end = performance.now() + ms; !check();) {
      if (performance.now() > end)
        throw new Error(
          `It never came. Emitted: ${JSON.stringify(emitted)}, failed: ${failed.join()}, warned: ${warned.join()}`,
        );
      await new Promise(resolve => setTimeout(resolve, 10));
    }
  };
  return { start, until, emitted, failed, warned, names, stored };
}

describe('Sync Trigger', function () {
  this.timeout(60_000);
  let mail: Mail;
  const running: ITriggerResponse[] = [];
  const up = async (started: { response: Promise<ITriggerResponse> }) => {
    const response = await started.response;
    running.push(response);
    return response;
  };
  beforeEach(async () => {
    mail = await startMail();
  });
  afterEach(async () => {
    await Promise.all(running.splice(0).map(one => one.closeFunction!()));
    closeConnections();
    await mail.close();
  });
  const seen = (uid: number) =>
    mail
      .folder(USER)
      .messages.find(message => message.uid === uid)!
      .flags.includes('\\Seen');

  it('waits, after a second start, for the execution the first began, and marks its message then', async () => {
    const host = n8n(mail);
    const first = await up(host.start({ afterSuccess: 'markRead' }));
    const { uid } = mail.deliver(USER, { subject: 'a' });
    await host.until(() => host.emitted.length === 1);
    // n8n takes the name of an execution that still waits for its turn again.
    host.names.clear();
    await up(host.start({ afterSuccess: 'markRead' }));
    await first.closeFunction!();
    mail.deliver(USER, { subject: 'b' });
    await host.until(() => host.emitted.length === 2);
    assert.deepEqual(
      host.emitted.map(one => one.subjects),
      [['a'], ['b']],
    );
    for (const one of host.emitted) one.end();
    await host.until(() => seen(uid));
  });

  it('marks, after a second start, a message whose execution ended when nothing followed any more', async () => {
    const host = n8n(mail);
    // This one marks nothing, so its end does not wait for the execution.
    const first = await up(host.start());
    const { uid } = mail.deliver(USER, { subject: 'a' });
    await host.until(() => host.emitted.length === 1);
    await first.closeFunction!();
    host.emitted[0]!.end();
    await up(host.start({ afterSuccess: 'markRead' }));
    await host.until(() => seen(uid));
    assert.equal(host.emitted.length, 1);
  });

  it('goes on, after a second start, from where the first was and not from what was stored of it', async () => {
    const host = n8n(mail);
    const early = host.start();
    await (
      await early.response
    ).closeFunction!();
    early.store();
    host.stored.data!.done = ['x'];
    await up(host.start());
    mail.deliver(USER, { subject: 'a' });
    await host.until(() => host.emitted.length === 1);
    host.emitted[0]!.end();
    // The name is forgotten with an execution that is not to be saved.
    host.names.clear();
    await new Promise(resolve => setTimeout(resolve, 50));
    await up(host.start());
    mail.deliver(USER, { subject: 'b' });
    await host.until(() => host.emitted.length >= 2);
    assert.deepEqual(
      host.emitted.map(one => one.subjects),
      [['a'], ['b']],
    );
  });

  it('loses nothing to settings out of their limits, which n8n checks in the form only', async () => {
    for (const [i, parameters] of [
      { options: { concurrent: 0 } },
      { options: { concurrent: -3, interval: 1e12, longest: 1e9 } },
      { options: { interval: 'often', longest: 0, concurrent: null } },
      { execute: 'batch', batchSize: -1 },
      { execute: 'batch', batchSize: 0 },
    ].entries()) {
      const host = n8n(mail, { workflow: `limits${i}` });
      const trigger = await up(host.start(parameters as IDataObject));
      mail.deliver(USER, { subject: `a${i}` });
      await host.until(() => host.emitted.length === 1);
      await new Promise(resolve => setTimeout(resolve, 100));
      assert.deepEqual(
        host.emitted.map(one => one.subjects),
        [[`a${i}`]],
      );
      assert.ok(mail.imap.count('UID SEARCH') < 100);
      host.emitted[0]!.end();
      await trigger.closeFunction!();
    }
  });

  it('reads a start date without a zone in that of the workflow', async () => {
    for (const [date, zone, first] of [
      ['2026-03-01T10:00:00', 'America/New_York', '2026-03-01T15:00:00Z'],
      ['2026-03-01', 'Asia/Kolkata', '2026-02-28T18:30:00Z'],
      ['2026-03-01 10:00', 'UTC', '2026-03-01T10:00:00Z'],
      ['2026-03-29T01:59:59', 'Europe/Berlin', '2026-03-29T00:59:59Z'],
      ['2026-03-29T03:00:00', 'Europe/Berlin', '2026-03-29T01:00:00Z'],
      ['2026-03-01T10:00:00+02:00', 'America/New_York', '2026-03-01T08:00:00Z'],
    ] as const) {
      mail.expunge(
        USER,
        mail.folder(USER).messages.map(message => message.uid),
      );
      mail.deliver(USER, { subject: 'too early' }, { internalDate: Date.parse(first) - 1000 });
      mail.deliver(USER, { subject: 'in time' }, { internalDate: Date.parse(first) });
      const host = n8n(mail, { workflow: `zone ${date} ${zone}` });
      const trigger = await up(host.start({ start: 'date', startDate: date }, zone));
      await host.until(() => host.emitted.length > 0);
      assert.deepEqual(
        host.emitted.map(one => one.subjects),
        [['in time']],
        `${date} ${zone}`,
      );
      host.emitted[0]!.end();
      await trigger.closeFunction!();
    }
    for (const startDate of ['', 'yesterday', null])
      await assert.rejects(n8n(mail).start({ start: 'date', startDate }).response, /Start Date is no date/);
  });

  it('refuses a start date where the provider tells no times, instead of starting from now', async () => {
    await assert.rejects(
      n8n(mail).start({
        provider: 'rackspace',
        event: 'mailboxChanged',
        domain: 'example.com',
        start: 'date',
        startDate: '2026-01-01',
      }).response,
      /cannot start from a date/,
    );
  });

  it('does not begin anew each time n8n starts where the start date is an expression', async () => {
    const host = n8n(mail);
    const parameters = { start: 'date', startDate: '={{ $now }}' };
    const trigger = host.start(parameters);
    await (
      await up(trigger)
    ).closeFunction!();
    trigger.store();
    await new Promise(resolve => setTimeout(resolve, 1100));
    mail.deliver(USER, { subject: 'while away' }, { internalDate: Date.now() });
    await new Promise(resolve => setTimeout(resolve, 1100));
    await up(host.start(parameters));
    await host.until(() => host.emitted.length > 0);
    assert.deepEqual(
      host.emitted.map(one => one.subjects),
      [['while away']],
    );
  });

  it('sets a message aside whose file n8n will not store, and goes on', async () => {
    const host = n8n(mail, { tooLarge: 1 });
    await up(host.start({ filters: { fetch: 'raw' } }));
    mail.deliver(USER, { subject: 'too large' });
    mail.deliver(USER, { subject: 'b' });
    await host.until(() => host.emitted.length > 0);
    host.emitted[0]!.end();
    await host.until(() => host.failed.length > 0, 15_000);
    assert.deepEqual(
      host.emitted.map(one => one.subjects),
      [['b']],
    );
    assert.match(host.failed.join(), /max size limit/);
  });

  it('gives n8n reason to store its state once more when it is closed, because the last change may have been missed', async () => {
    const host = n8n(mail);
    const started = host.start();
    const trigger = await up(started);
    mail.deliver(USER, { subject: 'a' });
    await host.until(() => host.emitted.length === 1);
    host.emitted[0]!.end();
    await new Promise(resolve => setTimeout(resolve, 100));
    started.changes.length = 0;
    await trigger.closeFunction!();
    assert.ok(started.changes.length > 0);
  });

  it('moves to a folder that was picked from a list, and creates it only where that was asked for', async () => {
    const moveTo = { __rl: true, mode: 'list', value: 'Done' };
    const strict = n8n(mail);
    await up(strict.start({ afterSuccess: 'move', moveTo }));
    const { uid } = mail.deliver(USER, { subject: 'a' });
    await strict.until(() => strict.emitted.length === 1);
    strict.emitted[0]!.end();
    await strict.until(() => strict.warned.some(text => text.includes('Done')));
    assert.ok(
      mail.folder(USER).messages.some(message => message.uid === uid),
      'the message stays where it was',
    );
    const making = n8n(mail);
    await up(making.start({ afterSuccess: 'move', moveTo, createFolder: true }));
    mail.deliver(USER, { subject: 'b' });
    await making.until(() => making.emitted.length === 1);
    making.emitted[0]!.end();
    await making.until(
      () => mail.store.accounts.get(USER)!.mailboxes.has('Done') && mail.folder(USER, 'Done').messages.length === 1,
    );
  });
});
