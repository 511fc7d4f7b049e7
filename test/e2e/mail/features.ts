import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { connect, createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bigMail, letter } from '../../sandbox/corpus.js';
import { openEngine, type WorkflowFile } from '../../engine/engine.js';
import { embeddedLab, FAMILIES } from './lab.js';
import { runTrigger } from './process.js';
import type { Scenario } from './scenarios.js';
import { accountData, range, wait, watch, workflowOf, type Watched } from './watch.js';

const packageDir = join(import.meta.dirname, '../../..');
const withAttachment = (subject: string) =>
  Buffer.from(
    [
      'From: Ada Example <ada@gen.test.local>',
      'To: u@test.local',
      `Subject: ${subject}`,
      'Date: Tue, 01 Sep 2026 10:00:00 +0000',
      `Message-ID: <${subject}@gen.test.local>`,
      'MIME-Version: 1.0',
      'Content-Type: multipart/mixed; boundary="b"',
      '',
      '--b',
      'Content-Type: text/plain',
      '',
      'See the file.',
      '--b',
      'Content-Type: text/csv; name="a.csv"',
      'Content-Disposition: attachment; filename="a.csv"',
      'Content-Transfer-Encoding: base64',
      '',
      'YSxiCjEsMgo=',
      '--b--',
      '',
    ].join('\r\n'),
  );
async function flagsOf(w: Watched, folder = 'INBOX'): Promise<Record<string, string[]>> {
  const phone = await w.lab.phone(w.user);
  try {
    await phone.mailboxOpen(folder, { readOnly: true });
    const found: Record<string, string[]> = {};
    if (phone.mailbox && phone.mailbox.exists) {
      // A server may tell of other clients' flags in between.
      for await (const { envelope, flags } of phone.fetch('1:*', { envelope: true, flags: true }))
        if (envelope) found[envelope.subject!] = [...flags!].filter(flag => flag !== '\\Recent');
    }
    return found;
  } finally {
    await phone.logout();
  }
}
const append = async (w: Watched, folder: string, subject: string, date?: Date) => {
  const phone = await w.lab.phone(w.user);
  await phone.append(folder, letter({ subject }), [], date);
  await phone.logout();
};

/** What a manual test shows of the trigger. */
interface Shown {
  status: string;
  summary: string;
  connectedSince: string | null;
  lastSeen: string | null;
  lastError: string | null;
  news: string | null;
  executions: number | null;
}

/** Ends executions with an error unless the subject is JSON. */
const failing = (file: WorkflowFile): WorkflowFile => ({
  ...file,
  nodes: file.nodes.map(node =>
    node.name === 'End'
      ? {
          ...node,
          type: 'n8n-nodes-base.set',
          typeVersion: 3.4,
          parameters: {
            assignments: { assignments: [{ id: '1', name: 'n', type: 'object', value: '={{ $json.subject }}' }] },
          },
        }
      : node,
  ),
});

/**
 * What the trigger does beside surviving: starts, filters, acknowledges. Each runs on its own user, as the faults do.
 */
export const features: Record<string, Scenario> = {
  'an access token that expires is renewed': async (engine, lab) => {
    const user = lab.user();
    let renewed = 0;
    const grants = createHttpServer((request, response) => {
      request.resume().on('end', () => {
        renewed++;
        response
          .writeHead(200, { 'content-type': 'application/json' })
          .end(
            JSON.stringify({
              access_token: lab.token!(user),
              token_type: 'Bearer',
              expires_in: 3600,
              refresh_token: 'again',
            }),
          );
      });
    });
    await new Promise<void>(resolve => grants.listen(0, '127.0.0.1', resolve));
    const w = await watch(engine, lab, 'token', {
      user,
      oauth2: true,
      credential: {
        ownAuthUrl: 'http://127.0.0.1/authorize',
        ownTokenUrl: `http://127.0.0.1:${(grants.address() as AddressInfo).port}/token`,
        ownScope: 'mail',
        clientId: 'client',
        clientSecret: 'secret',
        grantType: 'authorizationCode',
        oauthTokenData: { access_token: lab.token!(user), refresh_token: 'first', token_type: 'Bearer' },
      },
    });
    try {
      await w.send('a');
      await w.expect(['a']);
      assert.equal(renewed, 0);
      lab.token!(user);
      w.proxy.reset();
      await w.send('b');
      await w.expect(['a', 'b'], 20_000);
      assert.ok(renewed >= 1 && renewed <= 2, `renewed ${renewed} times`);
      await w.finish({ logins: 9 });
    } finally {
      grants.close();
      grants.closeAllConnections();
    }
  },
  'a message of 60 MB between small ones, in bounded memory': async (_engine, lab) => {
    const user = lab.user();
    const stateDir = mkdtempSync(join(tmpdir(), 'mailroom-big-'));
    const running = runTrigger({
      packageDir,
      stateDir,
      credentials: { account: { type: 'imapApi', data: accountData(lab, user) } },
      workflow: workflowOf('big', 'account', { filters: { fetch: 'full', attachmentLimit: 100_000_000 } }),
    });
    try {
      await running.ready;
      await lab.deliver(user, letter({ subject: 'before' }));
      await lab.deliver(user, bigMail());
      await lab.deliver(user, letter({ subject: 'after' }));
      for (const end = performance.now() + 60_000; running.executed.length < 3 && performance.now() < end;)
        await wait(50);
      assert.deepEqual([...running.executed].sort(), ['Large 60000000', 'after', 'before']);
      const { peak, ms } = await running.stop();
      console.log(
        `      60 MB on ${FAMILIES[lab.family]}: ${Math.round((peak - running.rss) / 1_048_576)} MB above idle (${Math.round(running.rss / 1_048_576)} MB)`,
      );
      assert.ok(peak - running.rss < 180 * 1_048_576, `${(peak - running.rss) / 1_048_576} MB above idle`);
      assert.ok(ms < 5_000);
      assert.deepEqual(running.problems, []);
    } finally {
      await running.kill();
      rmSync(stateDir, { recursive: true, force: true });
    }
  },
  'a server without IDLE': async (engine, lab) => {
    // Takes the word out of what the server says it can.
    const without = createServer(client => {
      const server = connect(lab.imapPort, '127.0.0.1');
      client.pipe(server);
      server.on('data', chunk =>
        client.write(Buffer.from(chunk.toString('latin1').replace(/ IDLE\b/g, ' XDLE'), 'latin1')),
      );
      for (const [one, other] of [
        [client, server],
        [server, client],
      ] as const)
        one.on('error', () => other.destroy()).on('close', () => other.destroy());
    });
    await new Promise<void>(resolve => without.listen(0, '127.0.0.1', resolve));
    try {
      const w = await watch(engine, lab, 'noidle', { target: (without.address() as AddressInfo).port });
      await w.send('a');
      await w.expect(['a'], 20_000);
      await w.send('b');
      await w.expect(['a', 'b'], 20_000);
      await w.finish({ logins: 4 });
    } finally {
      without.close();
    }
  },
  'a server whose IDLE never talks, and one that goes silent when it should end': async (engine, _lab, times) => {
    const lab = await embeddedLab({ users: 2 });
    try {
      lab.mail!.imap.trouble.deafIdle = true;
      await Promise.all(
        [0, 1].map(async which => {
          const w = await watch(engine, lab, `idle${which}`, { parameters: { options: { interval: times.interval } } });
          await wait(500);
          if (which) lab.mail!.imap.trouble.fail({ command: 'DONE', user: w.user.user, silent: true });
          await w.send('a');
          if (times.patient) await w.expect(['a'], 60_000);
          else await w.expect(['a'], 20_000);
          await w.finish();
        }),
      );
    } finally {
      await lab.close();
    }
  },
  'messages that become visible late and out of order': async engine => {
    const lab = await embeddedLab({ users: 1 });
    try {
      const w = await watch(engine, lab, 'late');
      await w.send('a');
      lab.mail!.deliver(w.user.user, letter({ subject: 'late' }), { hidden: true });
      await w.send('b');
      await w.expect(['a', 'b']);
      lab.mail!.reveal(w.user.user);
      await w.send('c');
      await w.expect(['a', 'b', 'late', 'c']);
      await w.finish();
    } finally {
      await lab.close();
    }
  },
  'marks as read after success only': async (engine, lab) => {
    const w = await watch(engine, lab, 'mark', { parameters: { afterSuccess: 'markRead' }, workflow: failing });
    const good = ['{"n":1}', '{"n":2}'];
    const bad = 'bad';
    await w.send(...good, bad);
    await w.expect([...good, bad]);
    await w.untilAsync(
      async () => {
        const flags = await flagsOf(w);
        return good.every(one => flags[one]?.includes('\\Seen'));
      },
      10_000,
      'the marks',
    );
    assert.deepEqual((await flagsOf(w))[bad], []);
    assert.deepEqual(w.active.executions.map(run => run.status).sort(), ['error', 'success', 'success']);
    await w.finish();
  },
  'moves after success only, although the connection breaks in between': async (engine, lab) => {
    const w = await watch(engine, lab, 'move', {
      parameters: { afterSuccess: 'move', moveTo: `${lab.prefix}Archive` },
      workflow: failing,
    });
    const good = range(6).map((_, i) => `{"n":${i}}`);
    for (const one of good) {
      await w.send(one);
      if (one !== good[0]) w.proxy.reset();
    }
    await w.send('bad');
    await w.expect([...good, 'bad'], 20_000);
    await w.untilAsync(
      async () => Object.keys(await flagsOf(w, `${lab.prefix}Archive`)).length === good.length,
      20_000,
      'the moves',
    );
    assert.deepEqual(Object.keys(await flagsOf(w)), ['bad']);
    await w.expect([...good, 'bad']);
    await w.finish();
  },
  batches: async (engine, lab) => {
    const w = await watch(engine, lab, 'batch', {
      parameters: { execute: 'batch', batchSize: 4, start: 'date', startDate: '2020-01-01T00:00:00Z' },
      before: one => one.send(...range(10)),
    });
    await w.expect(range(10));
    assert.deepEqual(
      w.active.executions.map(run => run.items('Mail').length),
      [4, 4, 2],
    );
    await w.finish();
  },
  'a second start replaces the first': async (engine, lab) => {
    const w = await watch(engine, lab, 'twice');
    await w.send('a');
    await w.expect(['a']);
    const first = w.active;
    await w.restart();
    await w.send('b', 'c');
    await w.expect(['b', 'c']);
    assert.deepEqual(first.executions.length, 1, 'the first one is silent');
    await w.untilAsync(async () => w.proxy.open() <= 2, 20_000, "the end of the first one's connections");
    await first.deactivate();
    await w.send('d');
    await w.expect(['b', 'c', 'd']);
    await w.finish({ logins: 6 });
  },
  'of two starts at the same moment one runs': async (engine, lab) => {
    const w = await watch(engine, lab, 'race', {
      before: one => {
        one.proxy.roundTrip(100);
      },
    });
    await w.active.deactivate();
    // Never started before, so both have to ask the server for their mark first, which takes a while.
    const file = { ...w.file(), id: `${w.id}-both` };
    const both = await Promise.all([engine.activate(file), engine.activate(file)]);
    await w.send(...range(5));
    const got = () =>
      both.flatMap(active => active.executions.flatMap(run => run.items('Mail').map(item => item.json.subject)));
    await w.until(() => got().length >= 5, 20_000, 'the executions');
    await wait(3_000);
    assert.deepEqual(got().sort(), range(5));
    assert.deepEqual(
      both.flatMap(active => active.duplicates),
      [],
      'nothing was even offered twice',
    );
    for (const active of both) await active.deactivate();
    await w.finish({ logins: 8 });
  },
  'a manual test shows the latest and changes nothing': async (engine, lab) => {
    const w = await watch(engine, lab, 'manual', { parameters: { afterSuccess: 'markRead' } });
    await w.active.deactivate();
    await w.send(...range(8));
    const before = JSON.stringify(engine.staticData(w.id));
    const run = await engine.run(w.file(), { start: 'Mail', mode: 'manual' });
    assert.equal(run.status, 'success', run.error?.message);
    assert.deepEqual(
      run.items('Mail').map(item => item.json.subject),
      ['m7'],
    );
    const [{ json }] = run.items('Mail') as [{ json: { state: string; stateDetails: Shown } }];
    assert.equal(json.state, 'This workflow is not published, or followed by another process of n8n.');
    assert.deepEqual(Object.keys(json).slice(-2), ['state', 'stateDetails']);
    assert.equal(json.stateDetails.status, 'not running');
    const test = async (parameters: object) =>
      (await engine.run(w.file(parameters), { start: 'Mail', mode: 'manual' }))
        .items('Mail')
        .map(item => item.json.subject);
    assert.deepEqual(await test({ filters: { subject: 'm2' } }), ['m2'], 'the latest that passes, however far back');
    assert.deepEqual(await test({ execute: 'batch', batchSize: 3 }), ['m5', 'm6', 'm7']);
    const none = await engine.run(w.file({ filters: { subject: 'zzz-matches-nothing' } }), {
      start: 'Mail',
      mode: 'manual',
    });
    assert.deepEqual([none.status, none.items('Mail').length], ['error', 0]);
    // Whatever the node is told to do about errors and about no data: what stands behind it has nothing to answer.
    for (const setting of [
      { onError: 'continueRegularOutput' },
      { continueOnFail: true },
      { alwaysOutputData: true },
    ]) {
      const file = w.file({ filters: { subject: 'zzz-matches-nothing' } });
      for (const node of file.nodes) if (node.name === 'Mail') Object.assign(node, setting);
      const run = await engine.run(file, { start: 'Mail', mode: 'manual' });
      assert.deepEqual(Object.keys(run.nodes), ['Mail'], JSON.stringify(setting));
    }
    assert.equal(JSON.stringify(engine.staticData(w.id)), before);
    assert.ok(Object.values(await flagsOf(w)).every(flags => !flags.length));
    await w.restart();
    await w.expect(range(8));
    await w.finish();
  },
  'a manual test tells how the active workflow is doing': async (engine, lab) => {
    const w = await watch(engine, lab, 'state', { before: one => append(one, 'Archive', 'here before') });
    const test = async (parameters: object = { filters: { folders: 'INBOX, Archive' } }) => {
      const run = await engine.run(w.file(parameters), { start: 'Mail', mode: 'manual' });
      return {
        state: run.items('Mail')[0]?.json.stateDetails as Shown,
        items: run.items('Mail').length,
        error: run.error as (Error & { description?: string }) | undefined,
      };
    };
    const empty = await test({});
    assert.match(`${empty.items} ${empty.error!.message}`, /^0 .*there is nothing to show: nothing has come yet\.$/);
    assert.match(
      (await test({ filters: { subject: 'x' } })).error!.message,
      /none of the latest passes the filters\.$/,
    );
    let { state } = await test();
    await w.untilAsync(
      async () => {
        ({ state } = await test());
        return state.news === 'pushed';
      },
      10_000,
      'waiting for news',
    );
    const { connectedSince, lastSeen, summary, ...rest } = state;
    assert.deepEqual(rest, {
      status: 'following',
      lastError: null,
      lastErrorAt: null,
      event: 'messageReceived',
      news: 'pushed',
      intervalSeconds: 60,
      executions: 0,
      notes: [],
      folders: 'INBOX',
    });
    assert.ok(connectedSince! <= lastSeen! && lastSeen! <= new Date().toISOString());
    assert.equal(
      summary,
      `The published workflow has been connected since ${connectedSince} and looked last at ${lastSeen}. Nothing has gone wrong.`,
    );
    assert.match(
      (await test({ start: 'date', startDate: '2026-03-01T10:00:00Z', filters: { folders: 'Archive' } })).state.summary,
      /something else than this test/,
    );
    await w.send('a');
    await w.expect(['a']);
    assert.equal((await test()).state.executions, 1);
    // Away: the test itself fails, and says what the trigger knows.
    w.proxy.refuse();
    await w.untilAsync(
      async () =>
        /not connected and tries again by itself; it looked last at .* The last error, at /.test(
          (await test()).error?.description ?? '',
        ),
      10_000,
      'the error',
    );
    w.proxy.pass();
    await w.untilAsync(async () => (await test()).state?.status === 'following', 20_000, 'being back');
    ({ state } = await test());
    assert.match(state.lastError!, /127\.0\.0\.1/);
    await w.send('b');
    await w.expect(['a', 'b']);
    await w.active.deactivate();
    ({ state } = await test());
    assert.deepEqual(
      [state.status, state.connectedSince, state.news, state.executions],
      ['not running', null, null, null],
    );
    assert.ok(
      state.lastSeen! > lastSeen! && /127\.0\.0\.1/.test(state.lastError!),
      'what was stored with the latest execution is still known',
    );
    await w.finish();
  },
  'a manual test can be stopped while the server says nothing': async (engine, lab) => {
    const w = await watch(engine, lab, 'stop');
    await w.active.deactivate();
    w.proxy.reset();
    w.proxy.stall();
    const stop = new AbortController();
    const connections = w.proxy.seen.connections.length;
    const running = engine.run(w.file(), { start: 'Mail', mode: 'manual', signal: stop.signal });
    await w.until(() => w.proxy.seen.connections.length > connections, 5_000, 'the test to ask');
    const began = performance.now();
    stop.abort();
    assert.equal((await running).items('Mail').length, 0);
    // The server would have had half a minute.
    assert.ok(performance.now() - began < 15_000, `${performance.now() - began} ms`);
    await w.finish();
  },
  'starts from a date': async (engine, lab) => {
    const w = await watch(engine, lab, 'date', {
      parameters: { start: 'date', startDate: '2026-03-01T10:00:00.500Z' },
      before: async one => {
        for (const [subject, date] of [
          ['old', '2026-03-01T09:59:59Z'],
          ['same second', '2026-03-01T10:00:00Z'],
          ['older', '2026-02-01T00:00:00Z'],
          ['new', '2026-04-01T00:00:00Z'],
        ])
          await append(one, 'INBOX', subject!, new Date(date!));
      },
    });
    await w.send('now');
    await w.expect(['same second', 'new', 'now']);
    await w.finish();
  },
  'several folders, one of them missing': async (engine, lab, times) => {
    const w = await watch(engine, lab, 'folders', {
      parameters: {
        filters: { folders: `INBOX, ${lab.prefix}Archive, ${lab.prefix}Nowhere` },
        options: { interval: times.interval },
      },
      before: one => append(one, `${lab.prefix}Archive`, 'old', new Date('2026-01-01')),
    });
    await w.send('inbox');
    await append(w, `${lab.prefix}Archive`, 'archive');
    await append(w, `${lab.prefix}Sent`, 'not watched');
    await w.expect(['inbox', 'archive'], 75_000);
    const shown = await engine.run(w.file(), { start: 'Mail', mode: 'manual' });
    const { state, stateDetails } = shown.items('Mail')[0]!.json;
    const said = `The folder "${lab.prefix}Nowhere" cannot be read`;
    assert.ok((state as string).startsWith(`This workflow is published and connected. ${said}`), state as string);
    assert.equal((stateDetails as { notes: string[] }).notes.length, 1);
    await w.finish({ failed: [new RegExp(said)] });
  },
  'filters leave out, and never hold up': async (engine, lab) => {
    const before = async (w: Watched) => {
      await w.send(
        { subject: 'Invoice 1' },
        { subject: 'Hello' },
        { subject: 'Invoice 2', from: 'Bob <bob@other.example>' },
        { subject: 'Invoice 3', text: 'x'.repeat(3_000) },
      );
      await lab.deliver(w.user, withAttachment('Invoice 4'));
    };
    await Promise.all(
      (
        [
          ['from', { from: 'ADA@gen' }, ['Invoice 1', 'Hello', 'Invoice 3', 'Invoice 4']],
          ['subject', { subject: 'invoice' }, ['Invoice 1', 'Invoice 2', 'Invoice 3', 'Invoice 4']],
          ['attachment', { hasAttachment: true }, ['Invoice 4']],
          ['large', { largerThan: 2_000 }, ['Invoice 3']],
          ['small', { smallerThan: 2_000, subject: 'Invoice' }, ['Invoice 1', 'Invoice 2', 'Invoice 4']],
        ] as const
      ).map(async ([name, filters, subjects]) => {
        const w = await watch(engine, lab, `filter-${name}`, {
          parameters: { filters, start: 'date', startDate: '2020-01-01T00:00:00Z' },
          before,
        });
        await w.expect(subjects);
        await w.finish();
      }),
    );
  },
  'what to fetch': async (engine, lab) => {
    await Promise.all(
      (['envelope', 'text', 'full', 'raw'] as const).map(async fetch => {
        const w = await watch(engine, lab, `fetch-${fetch}`, { parameters: { filters: { fetch } } });
        await lab.deliver(w.user, withAttachment('Report'));
        await w.expect(['Report']);
        const { json, binary = {} } = w.active.executions[0]!.items('Mail')[0]!;
        assert.equal(typeof json.text, fetch === 'text' || fetch === 'full' ? 'string' : 'undefined', fetch);
        const files = await Promise.all(
          Object.values(binary).map(
            async file => `${file.fileName}: ${(await engine.bytes(file)).toString().slice(0, 8)}`,
          ),
        );
        assert.deepEqual(files.length, fetch === 'full' || fetch === 'raw' ? 1 : 0, fetch);
        if (fetch === 'full') assert.deepEqual(files, ['a.csv: a,b\n1,2\n']);
        await w.finish();
      }),
    );
  },
  'a message sent by the Send node starts the workflow': async (engine, lab) => {
    const w = await watch(engine, lab, 'sent');
    const run = await engine.run(
      {
        nodes: [
          {
            id: '1',
            name: 'Start',
            type: 'n8n-nodes-base.manualTrigger',
            typeVersion: 1,
            position: [0, 0],
            parameters: {},
          },
          {
            id: '2',
            name: 'Send',
            type: 'n8n-nodes-mailroom.send',
            typeVersion: 1,
            position: [0, 0],
            credentials: { imapApi: { id: w.id, name: w.id } },
            parameters: {
              provider: 'imap',
              authentication: 'password',
              resource: 'message',
              operation: 'send',
              to: w.user.user,
              subject: 'By SMTP',
              text: 'Hello.',
            },
          },
        ],
        connections: { Start: { main: [[{ node: 'Send', type: 'main', index: 0 }]] } },
      },
      { start: 'Start' },
    );
    assert.equal(run.status, 'success', run.error?.message);
    await w.expect(['By SMTP'], 20_000);
    await w.finish();
  },
  'executions need nothing of the process that found the message (queue mode)': async (engine, lab) => {
    const w = await watch(engine, lab, 'queue', { parameters: { simplify: true } });
    await w.send('a');
    await w.expect(['a']);
    const item = JSON.parse(JSON.stringify(w.active.executions[0]!.items('Mail')[0]!.json)) as { id: string };
    await w.active.deactivate();
    // A worker has its own copy of the code and no connection; all it gets is the item.
    const worker = await openEngine({
      packageDir,
      credentials: { account: { type: 'imapApi', data: accountData(lab, w.user) } },
    });
    const run = await worker.run(
      {
        nodes: [
          {
            id: '1',
            name: 'Start',
            type: 'n8n-nodes-base.manualTrigger',
            typeVersion: 1,
            position: [0, 0],
            parameters: {},
          },
          {
            id: '2',
            name: 'Mark',
            type: 'n8n-nodes-mailroom.mailbox',
            typeVersion: 1,
            position: [0, 0],
            credentials: { imapApi: { id: 'account', name: 'account' } },
            parameters: {
              provider: 'imap',
              authentication: 'password',
              resource: 'message',
              operation: 'mark',
              message: { __rl: true, mode: 'id', value: item.id },
              additionalFields: { read: true },
            },
          },
        ],
        connections: { Start: { main: [[{ node: 'Mark', type: 'main', index: 0 }]] } },
      },
      { start: 'Start' },
    );
    assert.equal(run.status, 'success', run.error?.message);
    assert.deepEqual((await flagsOf(w)).a, ['\\Seen']);
    await w.finish();
  },
};
