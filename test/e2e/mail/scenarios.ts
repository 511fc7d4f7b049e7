import assert from 'node:assert/strict';
import { letter } from '../../sandbox/corpus.js';
import type { Engine } from '../../engine/engine.js';
import type { Lab } from './lab.js';
import { range, wait, watch, type Watched } from './watch.js';

/** How long things take: real times for the run against real servers, stand-ins for `npm test`. */
export interface Times {
  away: readonly number[];
  interval: number;
  backlog: number;
  found: number;
  patient?: boolean;
}

/**
 * One fault: 0 lost, 0 repeated, logins within bounds, nothing unhandled, closed in time. `Watched.finish` checks the
 * latter for all.
 */
export type Scenario = (engine: Engine, lab: Lab, times: Times) => Promise<void>;

const envelope = { filters: { fetch: 'envelope' } };
const ready = async (w: Watched) => {
  await w.send('first');
  await w.expect(['first']);
};

/** The faults every pair of servers can show. */
export const scenarios: Record<string, Scenario> = {
  'server away for a while, mail arriving meanwhile': async (engine, lab, times) => {
    await Promise.all(
      times.away.map(async seconds => {
        const w = await watch(engine, lab, `away${seconds}`);
        await ready(w);
        w.proxy.refuse();
        await w.send('a', 'b');
        await wait(seconds * 1000);
        await w.send('c');
        w.proxy.pass();
        await w.send('d');
        await w.expect(['first', 'a', 'b', 'c', 'd'], 20_000);
        await w.finish();
      }),
    );
  },
  'TCP resets, one mail each': async (engine, lab) => {
    const w = await watch(engine, lab, 'reset');
    await ready(w);
    for (const subject of range(5)) {
      w.proxy.reset();
      await w.send(subject);
    }
    await w.expect(['first', ...range(5)]);
    for (const subject of range(3, 'later')) {
      w.proxy.reset();
      await w.send(subject);
      await w.until(() => w.got().includes(subject), 10_000, subject);
    }
    await w.expect(['first', ...range(5), ...range(3, 'later')]);
    await w.finish();
  },
  'connections ended in order (FIN)': async (engine, lab) => {
    const w = await watch(engine, lab, 'fin');
    await ready(w);
    w.proxy.fin();
    await w.send('a', 'b', 'c');
    await w.expect(['first', 'a', 'b', 'c']);
    await w.finish({ logins: 6 });
  },
  'half-open connections, found within a minute': async (engine, lab, times) => {
    const w = await watch(engine, lab, 'halfopen', { parameters: { options: { interval: times.interval } } });
    await ready(w);
    w.proxy.stallOpen();
    const began = performance.now();
    await w.send('a', 'b', 'c');
    await w.expect(['first', 'a', 'b', 'c'], times.found);
    assert.ok(performance.now() - began < 60_000);
    await w.finish();
  },
  'connections that go silent in the middle of the login, and in the middle of a fetch': async (engine, lab, times) => {
    const w = await watch(engine, lab, 'silent');
    await ready(w);
    w.proxy.reset();
    // Enough for a greeting and not for a login; what comes after passes.
    w.proxy.cutAfter(150, 'stall', 1);
    await w.send('a');
    if (!times.patient) {
      await wait(1_000);
      return w.finish();
    }
    await w.expect(['first', 'a'], 60_000);
    w.proxy.refuse();
    await w.send(...range(20).map(subject => ({ subject, text: 'word '.repeat(2_000) })));
    w.proxy.pass();
    w.proxy.cutAfter(60_000, 'stall', 1);
    await w.expect(['first', 'a', ...range(20)], 75_000);
    await w.finish();
  },
  'everything stalls, new connections as well, and is closed meanwhile': async (engine, lab) => {
    const w = await watch(engine, lab, 'stall');
    await ready(w);
    w.proxy.stall();
    await w.send('a');
    await wait(1_000);
    await w.finish();
  },
  'messages marked, moved and deleted by another client, with connections that break': async (engine, lab) => {
    const w = await watch(engine, lab, 'changes', {
      parameters: {
        event: 'messageChanged',
        changes: ['starred', 'unstarred', 'read', 'moved', 'deleted'],
        options: { interval: 10 },
      },
      before: w => w.send('a', 'b', 'c', 'd'),
    });
    // What was changed before the first look is nobody's news. Activation waits for it and stores where it stood, but
    // not for ever: on a busy machine the feed takes it some seconds later, and nothing is stored before there is
    // something to execute. It asks for names when it has read the flags.
    const named = () => / > \S+ UID FETCH \S+ \(UID RFC822\.SIZE ENVELOPE\)/.test(w.proxy.last());
    if (!JSON.stringify(engine.staticData(w.id)).includes('"cursor"')) await w.until(named, 40_000, 'the first look');
    const told = () =>
      w.active.executions
        .flatMap(run => run.items('Mail'))
        .map(({ json }) => `${String(json.change)} ${String(json.subject ?? json.id)}`);
    const phone = await lab.phone(w.user);
    const folder = `${lab.prefix}Changed`;
    await phone.mailboxCreate(folder);
    await phone.mailboxOpen('INBOX');
    const happens = async (what: () => Promise<unknown>, ...wanted: RegExp[]) => {
      await what();
      await w.until(() => wanted.every(one => told().some(text => one.test(text))), 40_000, wanted.join());
    };
    await happens(() => phone.messageFlagsAdd('1', ['\\Flagged', '\\Seen'], { uid: true }), /^starred a$/, /^read a$/);
    w.proxy.reset();
    await happens(() => phone.messageFlagsRemove('1', ['\\Flagged'], { uid: true }), /^unstarred a$/);
    await happens(() => phone.messageMove('2', folder, { uid: true }), /^moved b$/);
    w.proxy.refuse();
    await phone.messageFlagsAdd('4', ['\\Flagged'], { uid: true });
    await phone.messageDelete('3', { uid: true });
    w.proxy.pass();
    await happens(async () => {}, /^starred d$/, /^deleted .*UID=3$/);
    await happens(() => phone.messageFlagsAdd('1', ['\\Flagged'], { uid: true }), /^starred a$/);
    await w.until(() => told().filter(text => text === 'starred a').length === 2, 40_000, 'the second star');
    await wait(300);
    assert.equal(told().length, 7, told().join());
    await phone.logout();
    await w.finish();
  },
  flapping: async (engine, lab) => {
    const w = await watch(engine, lab, 'flap');
    await ready(w);
    w.proxy.flap(700, 500);
    for (const subject of range(10)) {
      await w.send(subject);
      await wait(500);
    }
    w.proxy.pass();
    await w.expect(['first', ...range(10)], 20_000);
    await w.finish();
  },
  'reset again and again in the middle of a fetch': async (engine, lab) => {
    const w = await watch(engine, lab, 'cut');
    await ready(w);
    w.proxy.refuse();
    const text = 'word '.repeat(2_000);
    await w.send(...range(120).map(subject => ({ subject, text })));
    w.proxy.pass();
    w.proxy.cutAfter(150_000, 'reset', 5);
    await w.expect(['first', ...range(120)], 60_000);
    await w.finish();
  },
  'UIDVALIDITY changes: known mail recognised, new mail executed': async (engine, lab) => {
    const w = await watch(engine, lab, 'validity');
    await w.send(...range(20));
    await w.expect(range(20));
    w.proxy.refuse();
    await w.send('while away');
    await lab.renumber!(w.user);
    await w.send('after');
    w.proxy.pass();
    await w.send('at last');
    await w.expect([...range(20), 'while away', 'after', 'at last'], 30_000);
    await w.finish({ failed: [/created anew; known mail is being recognised/] });
  },
  'UIDVALIDITY changes while messages share a Message-ID': async (engine, lab) => {
    const w = await watch(engine, lab, 'validityIds');
    const same = (subject: string) => ({ subject, messageId: '<shared@gen.test.local>' });
    await w.send(same('one'), 'other');
    await w.expect(['one', 'other']);
    w.proxy.refuse();
    await w.send(same('two'));
    await lab.renumber!(w.user);
    w.proxy.pass();
    await w.expect(['one', 'other', 'two'], 30_000);
    await w.finish({ failed: [/created anew; known mail is being recognised/] });
  },
  'half of the folder is expunged while it is read': async (engine, lab) => {
    const w = await watch(engine, lab, 'expunge', {
      parameters: { start: 'date', startDate: '2020-01-01T00:00:00Z' },
      before: async one => {
        await one.send(...range(300));
        one.proxy.roundTrip(60);
      },
    });
    await w.until(() => w.got().length > 0, 20_000, 'the first executions');
    const phone = await lab.phone(w.user);
    await phone.mailboxOpen('INBOX');
    const gone = new Set<string>();
    for (const seq of ['200:300']) {
      for await (const row of phone.fetch(seq, { envelope: true })) gone.add(row.envelope!.subject!);
      await phone.messageDelete(seq);
    }
    await phone.logout();
    const stay = range(300).filter(one => !gone.has(one));
    await w.until(() => stay.every(one => w.got().includes(one)), 40_000, 'those that stay');
    await w.send('after');
    await w.until(() => w.got().includes('after'), 15_000, 'the message after');
    assert.equal(new Set(w.got()).size, w.got().length, 'none twice');
    await w.finish({ noted: /moved or deleted before it could be read/ });
  },
  'one message the server cannot read: a visible failed execution, the rest flows on': async (engine, lab) => {
    const w = await watch(engine, lab, 'poison');
    await ready(w);
    w.proxy.refuse();
    await w.send('a', 'b', 'unreadable');
    await lab.poison!(w.user);
    await w.send('c', 'd');
    w.proxy.pass();
    await w.expect(['first', 'a', 'b', 'c', 'd'], 40_000);
    await w.until(() => w.active.failed.length === 1, 30_000, 'the failed execution');
    await w.finish({ failed: [/could not be read/] });
  },
  'mail read by a phone while the trigger was offline': async (engine, lab) => {
    const w = await watch(engine, lab, 'phone');
    await ready(w);
    w.proxy.refuse();
    await w.send('a', 'b');
    const phone = await lab.phone(w.user);
    await phone.mailboxOpen('INBOX');
    await phone.messageFlagsAdd('1:*', ['\\Seen']);
    await phone.logout();
    w.proxy.pass();
    await w.expect(['first', 'a', 'b'], 20_000);
    await w.finish();
  },
  'stopped before the first message, started again': async (engine, lab) => {
    const w = await watch(engine, lab, 'offline');
    await w.active.deactivate();
    await w.send('a', 'b');
    await w.restart();
    await w.expect(['a', 'b']);
    await w.finish();
  },
  'switched on while the server is away: mail from that moment on counts': async (engine, lab) => {
    const w = await watch(engine, lab, 'switchedOn', {
      before: async one => {
        await one.send('old');
        await wait(1_100);
        one.proxy.refuse();
      },
    });
    await w.send('a');
    await wait(500);
    await w.send('b');
    w.proxy.pass();
    await w.expect(['a', 'b'], 20_000);
    await w.finish();
  },
  'the server allows one connection': async (engine, lab) => {
    const w = await watch(engine, lab, 'limit', {
      kind: 'single',
      before: one => {
        if (lab.mail) lab.mail.imap.trouble.userLimit = 1;
        void one;
      },
    });
    await w.send('a', 'b');
    await w.expect(['a', 'b'], 40_000);
    await w.send('c');
    await w.expect(['a', 'b', 'c'], 40_000);
    if (lab.mail) lab.mail.imap.trouble.userLimit = Infinity;
    await w.finish();
  },
  'wrong password: said once, tried slowly': async (engine, lab) => {
    const w = await watch(engine, lab, 'password');
    await ready(w);
    await lab.setPassword!(w.user, 'changed');
    w.proxy.reset();
    const before = w.proxy.seen.logins.length;
    await w.send('a');
    await w.until(() => w.active.failed.length === 1, 15_000, 'the complaint');
    await wait(5_000);
    assert.ok(
      w.proxy.seen.logins.length - before <= 4,
      `${w.proxy.seen.logins.length - before} logins with a refused password`,
    );
    // A new start, as after the credential was corrected and the workflow saved, finds everything.
    const failed = w.active.failed.map(error => error.message);
    await w.active.deactivate();
    await engine.saveCredential(w.id, { type: 'imapApi', data: { ...accountOf(w), password: 'changed' } });
    const { executions } = w.active;
    await w.restart();
    w.active.executions.unshift(...executions);
    await w.expect(['first', 'a']);
    assert.match(failed.join(), /refuses the account/);
    await w.finish();
  },
  'a password refused for a while is tried every five minutes, and nothing is skipped': async (engine, lab, times) => {
    const w = await watch(engine, lab, 'patience');
    await ready(w);
    await lab.setPassword!(w.user, 'changed');
    w.proxy.reset();
    await w.send('a');
    await w.until(() => w.active.failed.length === 1, 15_000, 'the complaint');
    const before = w.proxy.seen.logins.length;
    await lab.setPassword!(w.user, w.user.password);
    // Only the run that has the time waits for the next try.
    if (times.patient) await w.expect(['first', 'a'], 320_000);
    else await wait(2_000);
    assert.ok(w.proxy.seen.logins.length - before <= 3);
    await w.finish({ failed: [/refuses the account/] });
  },
  'a burst, then silence, then one more': async (engine, lab) => {
    const w = await watch(engine, lab, 'burst');
    await ready(w);
    await Promise.all(range(60).map(subject => w.send(subject)));
    await w.expect(['first', ...range(60)]);
    await w.send('later');
    await w.expect(['first', ...range(60), 'later']);
    await w.finish({ logins: 4 });
  },
  'messages with the same Message-ID, and with none': async (engine, lab) => {
    const w = await watch(engine, lab, 'ids');
    await w.send(
      ...range(4, 'same').map(subject => ({ subject, messageId: '<same@gen.test.local>' })),
      ...range(4, 'none').map(subject => ({ subject, messageId: false as const })),
    );
    await w.expect([...range(4, 'same'), ...range(4, 'none')]);
    await w.finish();
  },
  'a backlog': async (engine, lab, times) => {
    const w = await watch(engine, lab, 'backlog', {
      parameters: { ...envelope, start: 'date', startDate: '2020-01-01T00:00:00Z', options: { concurrent: 20 } },
      before: async one => {
        await lab.fill(one.user, times.backlog, i => letter({ subject: `m${i}` }));
      },
    });
    await w.expect(range(times.backlog), 120_000);
    await w.finish();
  },
};

/** The credential of a watched account, as it was saved. */
const accountOf = (w: Watched) => ({
  preset: 'custom',
  user: w.user.user,
  imapHost: '127.0.0.1',
  imapPort: w.proxy.port,
  imapSecurity: 'none',
  smtpHost: 'localhost',
  smtpPort: w.lab.smtpPort,
  smtpSecurity: w.lab.smtpSecurity,
  allowedCertificate: w.lab.ca,
});
