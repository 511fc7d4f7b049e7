import assert from 'node:assert/strict';
import fc from 'fast-check';
import { connect, providerById, take, type MailError } from '../../shared/index.js';
import { partsOf, readBlock, withBlock } from '../../shared/providers/imap/sieve/block.js';
import {
  NO_RULES,
  readRules,
  writeRules,
  type Rules,
  type StoredRule,
} from '../../shared/providers/imap/sieve/rules.js';
import { parseSieve, SieveSyntaxError } from '../../shared/providers/imap/sieve/syntax.js';
import { NotUnderstood, understood } from '../../shared/providers/imap/sieve/understand.js';
import { closeSieve } from '../../shared/providers/imap/sieve/session.js';
import { startMail, type Mail } from '../sandbox/mail.js';
import { EXTENSIONS } from '../sandbox/sieve.js';
import { accountOf } from './imapAccount.js';

type Any = any;
const refused = (code: string, words: RegExp) => (error: unknown) => {
  assert.equal((error as MailError).code, code, (error as Error).message);
  assert.match((error as Error).message, words);
  return true;
};

const text = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 30 });
const word = text.filter(one => !/\p{Cc}/u.test(one));
const words = fc.array(word, { minLength: 1, maxLength: 4 });
const address = fc.stringMatching(/^[a-z]{1,8}@[a-z]{1,8}\.example$/);
const time = fc.date({ noInvalidDate: true, min: new Date(0), max: new Date(4e12) }).map(one => one.toISOString());
const optional = <T>(of: fc.Arbitrary<T>) => fc.option(of, { nil: undefined });
const record = (model: Record<string, fc.Arbitrary<unknown>>) => fc.record(model, { requiredKeys: [] });
const rule = fc.record({
  id: fc.stringMatching(/^[0-9a-f]{8}$/),
  name: word,
  enabled: fc.boolean(),
  match: fc.constantFrom('all', 'any'),
  if: record({
    from: words,
    to: words,
    subject: words,
    listId: words,
    header: fc.array(fc.stringMatching(/^X-[A-Z]{1,5}(: [a-z*?"\\]{1,9})?$/), { minLength: 1 }),
    largerThan: fc.nat(),
    smallerThan: fc.nat(),
  }).filter(one => Object.keys(one).length > 0),
  then: record({
    markRead: fc.constant(true),
    flag: fc.constant(true),
    copyTo: word,
    moveTo: word,
    redirectTo: fc.array(address),
    reject: text,
    discard: fc.constant(true),
    stop: fc.constant(true),
  }),
}) as unknown as fc.Arbitrary<StoredRule>;
const rules = fc.record({
  junk: optional(word),
  blockedSenders: fc.array(fc.oneof(address, word, fc.constant('@%.example'))),
  blockedIps: fc.array(fc.constantFrom('192.0.2.1', '192.0.2.%', '10.0.0.0/8', '2001:db8::1')),
  allowedSenders: fc.array(address),
  include: optional(word),
  uses: fc.subarray(['envelope', 'mailbox']),
  rules: fc.array(rule, { maxLength: 4 }),
  autoReply: optional(
    fc.record({
      text,
      html: optional(text),
      subject: optional(word),
      from: optional(address),
      days: fc.integer({ min: 1, max: 365 }),
      seconds: optional(fc.integer({ min: 1, max: 31_536_000 })),
      addresses: fc.array(address),
      start: optional(time),
      end: optional(time),
    }),
  ),
  forwarding: optional(fc.record({ addresses: fc.array(address), keep: fc.boolean() })),
}) as unknown as fc.Arbitrary<Rules>;
const plain = (value: unknown) => JSON.parse(JSON.stringify(value)) as unknown;

describe('ManageSieve: the script of rules', () => {
  it('what is written is read back the same, whatever texts stand in it', () => {
    fc.assert(
      fc.property(rules, one => {
        const read = readRules(writeRules(one).text);
        assert.ok('rules' in read, JSON.stringify(read));
        assert.deepEqual(plain(read.rules), plain(one));
      }),
      { numRuns: 500 },
    );
  });

  it('a letter changed, a line taken out or put in anywhere is noticed', () => {
    fc.assert(
      fc.property(rules, fc.nat(), fc.constantFrom('change', 'remove', 'insert'), (one, at, how) => {
        const lines = writeRules(one).text.split('\r\n');
        const i = at % lines.length;
        if (how === 'change') lines[i] += 'x';
        else if (how === 'insert') lines.splice(i, 0, 'discard;');
        else lines.splice(i, 1);
        const edited = lines.join('\r\n');
        if (edited === writeRules(one).text) return;
        assert.ok(!('rules' in readRules(edited)), edited);
      }),
      { numRuns: 500 },
    );
  });

  it('what a script does is read back by what it says alone: written again, the rules found are the same commands', () => {
    const program = (script: string) =>
      JSON.stringify(
        parseSieve(script).map(function plain({ name, args, tests, block }): unknown {
          return [name, args, tests.map(plain), block?.map(plain)];
        }),
      );
    const entry = fc.oneof(
      address,
      fc.constantFrom(
        '@%.example',
        'two.example',
        'a%@b.example',
        'grüße@straße.example',
        'bücher.example',
        'xn--bcher-kva.example',
      ),
    );
    const writable = rules
      .chain(one =>
        fc
          .record({ blockedSenders: fc.array(entry), allowedSenders: fc.array(entry) })
          .map(lists => ({ ...one, ...lists })),
      )
      // Fields of an operation ask for one at least.
      .filter(({ forwarding }) => !forwarding || forwarding.addresses.length > 0);
    fc.assert(
      fc.property(writable, one => {
        // The comments are taken out, the rules as data with them.
        const { text: script } = writeRules(one);
        const bare = script
          .split('\r\n')
          .filter(line => !/^ *# /.test(line))
          .join('\r\n');
        const read = understood(bare);
        assert.equal(program(writeRules(read).text), program(script));
        assert.deepEqual(
          plain([read.rules.length, read.include, read.forwarding]),
          plain([one.rules.filter(({ enabled }) => enabled).length, one.include, one.forwarding]),
        );
      }),
      { numRuns: 300 },
    );
  });

  it('whatever stands in a script, it is read or refused with a line, in the time that its length takes', () => {
    const piece = fc.oneof(
      fc.constantFrom(
        'require',
        'if',
        'allof',
        'anyof',
        'not',
        'header',
        ':contains',
        ':matches',
        '"subject"',
        '"a*b"',
        '[',
        ']',
        ',',
        '(',
        ')',
        '{',
        '}',
        ';',
        '100K',
        '99999999999',
        'text:\n.\n',
        'text:',
        '# x\n',
        '/*',
        '*/',
        '"',
        '\\',
        ':create',
        'fileinto',
        'stop;',
        'vacation',
        'redirect',
        'currentdate',
        'include',
        'address',
        'envelope',
        '\u0000',
        'é',
      ),
      fc.string({ maxLength: 5 }),
    );
    const line = fc.integer({ min: 1, max: 10_000 });
    fc.assert(
      fc.property(
        fc.array(piece, { maxLength: 60 }).map(all => all.join(' ')),
        rules,
        line,
        (noise, one, at) => {
          const { text: script } = writeRules(one);
          const cut = at % script.length;
          for (const given of [noise, script.slice(0, cut) + noise, script.slice(0, cut) + noise + script.slice(cut)]) {
            try {
              understood(given);
            } catch (error) {
              assert.ok(error instanceof NotUnderstood && error.line >= 1, String((error as Error).stack));
            }
          }
        },
      ),
      { numRuns: 300 },
    );
    for (const [long, words] of [
      ['('.repeat(500_000), /expected/],
      ['not '.repeat(200_000), /more than 50 deep/],
      ['if true { '.repeat(200_000), /more than 50 deep/],
      [`"${'\\"'.repeat(300_000)}`, /string/],
      [`keep ${'[ "a", '.repeat(100_000)}`, /expected a string/],
      [`keep ["${'", "'.repeat(300_000)}`, /does not end/],
      ['/* '.repeat(500_000), /comment/],
      ['text:\n..'.repeat(200_000), /text/],
    ] as const) {
      const from = process.cpuUsage();
      assert.throws(
        () => parseSieve(long),
        (error: unknown) => error instanceof SieveSyntaxError && words.test(error.message),
        long.slice(0, 20),
      );
      assert.ok(process.cpuUsage(from).user < 2_000_000, long.slice(0, 20));
    }
  });

  it('an answer and forwarding are never given together with a refusal, on whatever way a message goes', () => {
    const reply = { text: 'Weg', days: 7, addresses: [] };
    const base = { ...NO_RULES, autoReply: reply, forwarding: { addresses: ['a@b.example'], keep: true } };
    const one = (id: string, then: StoredRule['then']): StoredRule => ({
      id,
      name: id,
      enabled: true,
      match: 'all',
      if: { subject: [id] },
      then,
    });
    const { text: script } = writeRules({
      ...base,
      rules: [
        one('first', { moveTo: 'x', stop: true }),
        one('second', { reject: 'No.' }),
        one('third', { discard: true }),
      ],
    });
    assert.deepEqual(script.split('\r\n').slice(4), [
      '# Rule: first',
      'if allof (header :contains "subject" "first") {',
      '  fileinto "x";',
      '  # Automatic answer',
      '  vacation :days 7 "Weg";',
      '  # Forwarding',
      '  redirect :copy "a@b.example";',
      '  stop;',
      '}',
      '',
      '# Rule: second',
      'if allof (header :contains "subject" "second") {',
      '  reject "No.";',
      '  stop;',
      '}',
      '',
      '# Automatic answer',
      'vacation :days 7 "Weg";',
      '',
      '# Forwarding',
      'redirect :copy "a@b.example";',
      '',
      '# Rule: third',
      'if allof (header :contains "subject" "third") {',
      '  discard;',
      '}',
      '',
    ]);
  });

  it('no text can end its string and become a command', () => {
    const { text: script } = writeRules({
      blockedSenders: [],
      blockedIps: [],
      allowedSenders: [],
      uses: [],
      rules: [
        {
          id: '1',
          name: 'a\r\ndiscard;\u0085',
          enabled: true,
          match: 'all',
          if: { subject: ['"; discard; \\'] },
          then: { moveTo: 'a"\\' },
        },
      ],
    });
    // The first two lines are comments.
    assert.deepEqual(script.split('\r\n').slice(2), [
      'require ["fileinto"];',
      '',
      '# Rule: a  discard; ',
      'if allof (header :contains "subject" "\\"; discard; \\\\") {',
      '  fileinto "a\\"\\\\";',
      '}',
      '',
    ]);
  });

  it('a block goes behind whatever is required, is found again, and leaves nothing behind when it is taken out', () => {
    const blank = fc.constantFrom('', ' ', '\r\n', '\n\t', '# a; require "x";\n', '/* require "y"; */', '# é\r\n');
    const required = fc
      .tuple(blank, fc.constantFrom('require "fileinto";', 'REQUIRE [ "a" , "b"\n];', 'require["x"] ;'))
      .map(parts => parts.join(''));
    const rest = fc.constantFrom(
      '',
      'keep;',
      '\r\nif true { require "late"; }',
      ' fileinto "require \\"x\\";";',
      'text:\n.\n',
      'require',
      '/* open',
      '#',
    );
    const script = fc.record({
      head: fc.array(required, { maxLength: 3 }).map(parts => parts.join('')),
      between: blank,
      rest,
    });
    fc.assert(
      fc.property(script, rules, ({ head, between, rest: end }, one) => {
        const text = head + between + end;
        const { include: _, ...own } = one;
        const parts = partsOf(text);
        assert.equal(parts.before, head, text);
        const written = withBlock(parts, own).text;
        const again = partsOf(written);
        assert.deepEqual(
          [again.before, again.behind],
          written === text ? [parts.before, parts.behind] : [head, between + end],
        );
        if (written !== text) {
          const read = readBlock(again);
          assert.ok('rules' in read);
          assert.deepEqual(plain(read.rules), plain(own));
        }
        assert.equal(withBlock(again, NO_RULES).text, text);
      }),
      { numRuns: 1000 },
    );
  });

  describe('on the server', () => {
    let mail: Mail;
    let user = 0;
    before(async () => {
      mail = await startMail({ users: 250 });
    });
    afterEach(() => {
      Object.assign(mail.sieve.options, {
        answer: undefined,
        extensions: undefined,
        maxScripts: undefined,
        maxBytes: undefined,
        version: undefined,
      });
    });
    after(async () => {
      closeSieve();
      await mail.close();
    });
    const HAND = 'require "fileinto";\r\n# von Hand: ü\r\nfileinto "Archive";\r\n';
    /** An account whose owner wrote a script that is active. */
    function open(hand = true): { client: Any; scripts: ReturnType<Mail['sieve']['of']>; name: string } {
      const name = `u${++user}@test.local`;
      const scripts = mail.sieve.of(name);
      if (hand) {
        scripts.texts.set('main', HAND);
        scripts.active = 'main';
      }
      return { client: connect(providerById('imap'), accountOf(mail, user)), scripts, name };
    }
    const block = (client: Any, value: string) =>
      client.call('spamList.add', { list: 'blockedSenders', value }) as Promise<Any>;
    const blocked = async (client: Any) =>
      (await take(client.call('spamList.list', { list: 'blockedSenders' }) as AsyncIterable<Any>, 100)).map(
        one => one.value as string,
      );

    it('the connection is cut at each step: what runs is the old script or the new one, whole, and what others wrote stays', async () => {
      // The steps of a first change and of a later one, as they are when nothing fails.
      const { client, scripts } = open();
      const steps: string[][] = [];
      for (const value of ['one@bad.example', 'two@bad.example']) {
        const from = mail.sieve.log.length;
        await block(client, value);
        steps.push(
          mail.sieve.log
            .slice(from)
            .map(line => line.split(/[ \r]/).slice(0, 2).join(' ').replace(/ \{.*/, ''))
            .filter(line => !/^(STARTTLS|AUTH|CAPA)/.test(line)),
        );
      }
      assert.deepEqual(steps, [
        [
          'LISTSCRIPTS',
          'GETSCRIPT "main"',
          'CHECKSCRIPT',
          'LISTSCRIPTS',
          'GETSCRIPT "main"',
          'PUTSCRIPT "mailroom"',
          'SETACTIVE "mailroom"',
        ],
        [
          'LISTSCRIPTS',
          'GETSCRIPT "mailroom"',
          'CHECKSCRIPT',
          'PUTSCRIPT "mailroom-before"',
          'LISTSCRIPTS',
          'GETSCRIPT "mailroom"',
          'PUTSCRIPT "mailroom"',
        ],
      ]);
      const last = scripts.texts.get('mailroom')!;
      const first = scripts.texts.get('mailroom-before')!;
      const cases = [0, 1].flatMap(change =>
        steps[change]!.flatMap((_, step) => (['close', 'done'] as const).map(when => ({ change, step, when }))),
      );
      const cuts = new Map<string, { step: number; when: 'close' | 'done'; seen: number }>();
      mail.sieve.options.answer = (line, who = '') => {
        const cut = cuts.get(who);
        return cut && !/^(CAPABILITY|LOGOUT)/.test(line) && cut.seen++ === cut.step ? cut.when : undefined;
      };
      await Promise.all(
        cases.map(async ({ change, step, when }) => {
          const one = open();
          const { texts } = one.scripts;
          const value = change ? 'two@bad.example' : 'one@bad.example';
          if (change) {
            texts.set('mailroom', first);
            one.scripts.active = 'mailroom';
          }
          cuts.set(one.name, { step, when, seen: 0 });
          await assert.rejects(
            block(one.client, value),
            refused('unavailable', /ended the connection before it answered/),
          );
          const runs = texts.get(one.scripts.active!);
          const where = `change ${change}, step ${step}, ${when}: ${String(runs)}`;
          assert.ok(change ? runs === first || runs === last : runs === HAND || runs === first, where);
          assert.equal(texts.get('main'), HAND, where);
          // Whoever looks and does it once more gets there.
          await block(one.client, value).catch(refused('conflict', /already on the list/));
          assert.deepEqual(
            [texts.get(one.scripts.active!), one.scripts.active],
            [change ? last : first, 'mailroom'],
            where,
          );
        }),
      );
    });

    it('no room, a refusal and a server that goes down at each step: what runs is the old script or the new one, whole, and the next try gets there', async () => {
      const replies = [
        ['NO (QUOTA/MAXSIZE) "Out of room."'],
        ['NO (QUOTA/MAXSCRIPTS) "Too many."'],
        ['NO "write(script) failed: No space left on device"'],
        ['NO (TRYLATER) "Busy."'],
        ['BYE "Server shutting down."'],
      ] as const;
      // LISTSCRIPTS, GETSCRIPT, CHECKSCRIPT, PUTSCRIPT (what it was before), LISTSCRIPTS, GETSCRIPT, PUTSCRIPT.
      const cases = replies.flatMap(([reply]) => Array.from({ length: 7 }, (_, step) => ({ reply, step })));
      for (const extensions of [undefined, EXTENSIONS.replace('include ', '')]) {
        const faults = new Map<string, { reply: string; step: number; seen: number }>();
        Object.assign(mail.sieve.options, {
          extensions,
          answer: (line: string, who = '') => {
            const fault = faults.get(who);
            return fault && !/^(CAPABILITY|LOGOUT)/.test(line) && fault.seen++ === fault.step
              ? [fault.reply]
              : undefined;
          },
        });
        await Promise.all(
          cases.map(async ({ reply, step }) => {
            const { client, scripts, name } = open();
            const where = `${reply}, step ${step}`;
            const runs = () => scripts.texts.get(scripts.active!)!;
            await block(client, 'one@bad.example');
            const { active } = scripts;
            const old = runs();
            faults.set(name, { reply, step, seen: 0 });
            const failed = await block(client, 'two@bad.example').then(
              () => false,
              (error: MailError) => /rejected|unavailable|invalid_input/.test(error.code) || assert.fail(error),
            );
            assert.equal(scripts.active, active, where);
            assert.ok(scripts.texts.get('main')!.endsWith(HAND.slice('require "fileinto";'.length)), where);
            // A kept connection that ends before anything was written is replaced.
            if (!failed) {
              assert.ok(reply.startsWith('BYE') && step < 3 && runs().includes('two@bad.example'), where);
              return;
            }
            assert.equal(runs(), old, where);
            await block(client, 'two@bad.example');
            assert.deepEqual(await blocked(client), ['one@bad.example', 'two@bad.example'], where);
          }),
        );
      }
    });

    it('a new script that cannot be made active is stored and does not run; the next try makes it run', async () => {
      const { client, scripts } = open();
      mail.sieve.options.answer = line => (line.startsWith('SETACTIVE') ? ['NO "Permission denied."'] : undefined);
      await assert.rejects(block(client, 'one@bad.example'), refused('rejected', /Permission denied/));
      assert.deepEqual([scripts.active, scripts.texts.get('main')], ['main', HAND]);
      mail.sieve.options.answer = undefined;
      await block(client, 'one@bad.example');
      assert.equal(scripts.active, 'mailroom');
      assert.deepEqual(await blocked(client), ['one@bad.example']);
    });

    it('a server that was restarted between two changes is connected to again, and the change is made once', async () => {
      const { client, scripts } = open();
      await block(client, 'one@bad.example');
      mail.sieve.cut();
      await block(client, 'two@bad.example');
      assert.deepEqual(await blocked(client), ['one@bad.example', 'two@bad.example']);
      assert.equal(scripts.texts.get('mailroom')!.split('two@bad.example').length, 4);
    });

    it('a whole script is the old one or the new one, wherever the connection is cut while it is stored and made active', async () => {
      const steps = ['LISTSCRIPTS', 'GETSCRIPT', 'CHECKSCRIPT', 'PUTSCRIPT', 'SETACTIVE'];
      for (const step of steps) {
        for (const when of ['close', 'done'] as const) {
          const { client, scripts, name } = open();
          const text = 'stop;\r\n';
          scripts.texts.set('other', 'keep;\r\n');
          mail.sieve.options.answer = (line, who) => (who === name && line.startsWith(step) ? when : undefined);
          await assert.rejects(
            client.call('script.put', { script: 'other', text, activate: true }),
            refused('unavailable', /ended the connection before it answered/),
          );
          mail.sieve.options.answer = undefined;
          assert.deepEqual(
            [scripts.texts.get('other'), scripts.active],
            [
              step === 'SETACTIVE' || (step === 'PUTSCRIPT' && when === 'done') ? text : 'keep;\r\n',
              step === 'SETACTIVE' && when === 'done' ? 'other' : 'main',
            ],
            `${step} ${when}`,
          );
        }
      }
    });

    it('who writes at the same moment is noticed, and nothing is overwritten', async () => {
      const { client, scripts } = open();
      await block(client, 'one@bad.example');
      const before = scripts.texts.get('mailroom')!;
      for (const other of [
        () => {
          scripts.texts.set('mailroom', before.replace('stop;', 'keep;'));
        },
        () => {
          scripts.active = 'main';
        },
      ]) {
        mail.sieve.options.answer = line => {
          if (line.startsWith('CHECKSCRIPT')) other();
          return undefined;
        };
        await assert.rejects(
          block(client, 'two@bad.example'),
          refused('conflict', /changed by hand|at the same moment; nothing was changed/),
        );
        assert.ok(!scripts.texts.get('mailroom')!.includes('two@bad.example'));
        mail.sieve.options.answer = undefined;
        scripts.texts.set('mailroom', before);
        scripts.active = 'mailroom';
      }
    });

    it('twenty changes at once all come to be', async () => {
      const { client } = open();
      const values = Array.from({ length: 20 }, (_, i) => `n${i}@bad.example`);
      await Promise.all(values.map(value => block(client, value)));
      assert.deepEqual((await blocked(client)).sort(), values.sort());
    });

    it('a script over the limit, too many scripts, and one the server refuses leave all as it was', async () => {
      for (const [option, value, code, words] of [
        ['maxBytes', 200, 'rejected', /no room for this script/],
        ['maxScripts', 1, 'rejected', /no room for this script/],
        ['check', () => 'line 3: error: no.', 'invalid_input', /line 3: error: no/],
      ] as const) {
        const { client, scripts } = open();
        Object.assign(mail.sieve.options, { [option]: value });
        await assert.rejects(block(client, 'one@bad.example'), refused(code, words));
        Object.assign(mail.sieve.options, { [option]: undefined });
        assert.deepEqual([...scripts.texts], [['main', HAND]]);
        assert.equal(scripts.active, 'main');
      }
    });

    it('without include the rules stand in a block of the active script, behind what it requires; the rest stays as it is', async () => {
      mail.sieve.options.extensions = EXTENSIONS.replace('include ', '');
      const { client, scripts } = open();
      await block(client, 'one@bad.example');
      await block(client, 'two@bad.example');
      const text = scripts.texts.get('main')!;
      assert.match(
        text,
        /^require "fileinto";# Rules of Mailroom[^]*\r\nrequire \["envelope", "fileinto", "mailbox"\];\r\n[^]*# End of the rules of Mailroom\.\r\n\r\n# von Hand: ü\r\nfileinto "Archive";\r\n$/,
      );
      assert.deepEqual(await blocked(client), ['one@bad.example', 'two@bad.example']);
      assert.deepEqual([...scripts.texts.keys(), scripts.active], ['main', 'mailroom-before', 'main']);
      assert.ok(scripts.texts.get('mailroom-before')!.includes('one@bad.example'));
      // What others write around the block stays too.
      scripts.texts.set('main', text.replace('fileinto "Archive"', 'keep'));
      for (const value of ['one@bad.example', 'two@bad.example'])
        await client.call('spamList.remove', { list: 'blockedSenders', value });
      assert.equal(scripts.texts.get('main'), HAND.replace('fileinto "Archive"', 'keep'));
      const alone = open(false);
      await block(alone.client, 'one@bad.example');
      assert.equal(alone.scripts.active, 'mailroom');
    });

    it('rules changed by hand are shown as they run now, with their IDs, and still not overwritten; what is not understood is refused with its line', async () => {
      for (const extensions of [undefined, EXTENSIONS.replace('include ', '')]) {
        mail.sieve.options.extensions = extensions;
        const { client, scripts } = open();
        const script = extensions ? 'main' : 'mailroom';
        await block(client, 'one@bad.example');
        await client.call('autoReply.set', { text: 'Weg', addresses: ['a@b.example'] });
        const { id } = await client.call('rule.create', { name: 'Shop', from: ['shop'], moveTo: 'Shop' });
        await client.call('rule.create', { name: 'Off', enabled: false, from: ['x'], discard: true });
        const text = scripts.texts.get(script)!;
        const listed = async () => await take(client.call('rule.list', {}) as AsyncIterable<Any>, 100);
        scripts.texts.set(
          script,
          text
            .replace('"Shop";', '"Other"; # mine')
            .replace('"sender"] "one@bad.example"', '"sender"] ["one@bad.example",\r\n"two@bad.example"]')
            .replace(
              'envelope :all :is "from" "one@bad.example"',
              'envelope :all :is "from" ["one@bad.example", "two@bad.example"]',
            )
            .replace('"Weg";', '"Fort";'),
        );
        assert.deepEqual(
          (await listed()).map(one => [one.id === id, one.name, one.enabled, one.moveTo]),
          [
            [true, 'Shop', true, 'Other'],
            [false, 'Off', false, undefined],
          ],
        );
        assert.deepEqual(await blocked(client), ['one@bad.example', 'two@bad.example']);
        assert.equal((await client.call('autoReply.get', {})).text, 'Fort');
        await assert.rejects(client.call('rule.delete', { rule: id }), refused('conflict', /changed by hand/));
        const at = text.split('\r\n').findIndex(line => line.includes('"Shop";')) + 1;
        scripts.texts.set(script, text.replace('"Shop";', '"Shop"; keep;'));
        await assert.rejects(
          listed(),
          refused('conflict', new RegExp(`line ${at} .*does not understand line ${at}: "keep" cannot stand here`)),
        );
        scripts.texts.set(script, text.replace('"Shop";', '"Shop'));
        await assert.rejects(listed(), refused('conflict', /does not understand line \d+: a string that does not end/));
      }
    });

    it('a block that somebody edited, or one without its end, is shown and not overwritten', async () => {
      mail.sieve.options.extensions = EXTENSIONS.replace('include ', '');
      const { client, scripts } = open();
      await block(client, 'one@bad.example');
      const whole = scripts.texts.get('main')!;
      for (const [from, to, line] of [
        ['  stop;', '  discard; stop;', 8],
        ['# End of the rules of Mailroom.\r\n', '', 11],
      ] as const) {
        const edited = whole.replace(from, to);
        scripts.texts.set('main', edited);
        await assert.rejects(
          block(client, 'two@bad.example'),
          refused(
            'conflict',
            new RegExp(
              `rules of Mailroom in the script "main" were changed by hand or by another program, in line ${line} `,
            ),
          ),
        );
        assert.equal(scripts.texts.get('main'), edited);
      }
    });

    it('the connection is cut at each step of a change of a block: the active script is the old one or the new one, whole', async () => {
      mail.sieve.options.extensions = EXTENSIONS.replace('include ', '');
      const model = open();
      await block(model.client, 'one@bad.example');
      const old = model.scripts.texts.get('main')!;
      await block(model.client, 'two@bad.example');
      const changed = model.scripts.texts.get('main')!;
      // LISTSCRIPTS, GETSCRIPT, CHECKSCRIPT, PUTSCRIPT (what it was before), LISTSCRIPTS, GETSCRIPT, PUTSCRIPT.
      for (const [step, when] of Array.from(
        { length: 7 },
        (_, i) =>
          [
            [i, 'close'],
            [i, 'done'],
          ] as const,
      ).flat()) {
        const { client, scripts, name } = open();
        scripts.texts.set('main', old);
        let seen = 0;
        mail.sieve.options.answer = (line, who) =>
          who === name && !/^(CAPABILITY|LOGOUT)/.test(line) && seen++ === step ? when : undefined;
        await assert.rejects(
          block(client, 'two@bad.example'),
          refused('unavailable', /ended the connection before it answered/),
        );
        mail.sieve.options.answer = undefined;
        assert.equal(scripts.texts.get('main'), step === 6 && when === 'done' ? changed : old, `${step} ${when}`);
      }
    });

    it('a block is found again on a server that learned include, and rules of a script of their own move into one', async () => {
      mail.sieve.options.extensions = EXTENSIONS.replace('include ', '');
      const { client, scripts } = open(false);
      await block(client, 'one@bad.example');
      scripts.texts.set('main', HAND);
      scripts.active = 'main';
      await block(client, 'two@bad.example');
      assert.deepEqual(await blocked(client), ['one@bad.example', 'two@bad.example']);
      mail.sieve.options.extensions = undefined;
      await block(client, 'three@bad.example');
      assert.deepEqual(await blocked(client), ['one@bad.example', 'two@bad.example', 'three@bad.example']);
      assert.equal(scripts.active, 'main');
      assert.ok(scripts.texts.get('main')!.includes('three@bad.example'));
    });

    it("a changed script of Mailroom that was renamed is its owner's, and new rules stand before it", async () => {
      for (const extensions of [undefined, EXTENSIONS.replace('include ', '')]) {
        mail.sieve.options.extensions = extensions;
        const { client, scripts } = open(false);
        await block(client, 'one@bad.example');
        const edited = scripts.texts.get('mailroom')!.replace('  stop;', '  discard; stop;');
        scripts.texts.set('mailroom', edited);
        await assert.rejects(block(client, 'two@bad.example'), refused('conflict', /changed by hand/));
        await client.call('script.rename', { script: 'mailroom', newName: 'mine' });
        await block(client, 'two@bad.example');
        assert.deepEqual(await blocked(client), ['two@bad.example']);
        if (extensions)
          assert.equal(partsOf(scripts.texts.get('mine')!).before + partsOf(scripts.texts.get('mine')!).behind, edited);
        else assert.equal(scripts.texts.get('mine'), edited);
      }
    });

    it('a preview of every change that offers one writes nothing, and shows the lines that would change', async () => {
      const offered = Object.entries(providerById('imap').operations as Record<string, { preview?: unknown }>)
        .filter(([name, one]) => /^(?:spamList|autoReply|forwarding|rule|script)\./.test(name) && one.preview)
        .map(([name]) => name);
      const inputs: Record<string, Record<string, unknown>> = {
        'spamList.add': { list: 'blockedSenders', value: 'two@bad.example' },
        'spamList.remove': { list: 'blockedSenders', value: 'one@bad.example' },
        'autoReply.set': { text: 'Away' },
        'autoReply.clear': {},
        'forwarding.set': { addresses: ['x@y.example'] },
        'forwarding.clear': {},
        'rule.create': { from: ['shop'], moveTo: 'Shop' },
        'rule.update': { name: 'New name' },
        'rule.move': { position: 2 },
        'rule.delete': {},
        'script.put': { script: 'main', text: `${HAND}stop;\r\n`, activate: true },
      };
      assert.deepEqual(offered.sort(), Object.keys(inputs).sort());
      for (const extensions of [undefined, EXTENSIONS.replace('include ', '')]) {
        mail.sieve.options.extensions = extensions;
        const { client, scripts } = open();
        await block(client, 'one@bad.example');
        await client.call('autoReply.set', { text: 'Weg' });
        await client.call('forwarding.set', { addresses: ['a@b.example'] });
        const { id } = await client.call('rule.create', { from: ['other'], discard: true });
        await client.call('rule.create', { from: ['more'], discard: true });
        const before = [...scripts.texts];
        const { active } = scripts;
        const from = mail.sieve.log.length;
        for (const [name, input] of Object.entries(inputs)) {
          const told = await client.preview(name, /^rule\.(?!create)/.test(name) ? { rule: id, ...input } : input);
          assert.ok(told.difference.length > 0, name);
          assert.ok(
            told.difference.every((line: string) => /^[-+] /.test(line)),
            name,
          );
        }
        assert.deepEqual([...scripts.texts], before);
        assert.equal(scripts.active, active);
        assert.deepEqual(
          mail.sieve.log.slice(from).filter(line => /^(PUTSCRIPT|SETACTIVE|DELETESCRIPT|RENAMESCRIPT)/.test(line)),
          [],
        );
        const { difference } = await client.preview('forwarding.set', { addresses: ['x@y.example'] });
        assert.deepEqual(difference, ['- redirect :copy "a@b.example";', '+ redirect :copy "x@y.example";']);
        await assert.rejects(
          client.preview('spamList.remove', { list: 'blockedSenders', value: 'no@bad.example' }),
          refused('not_found', /not on the list/),
        );
        assert.equal(await client.preview('message.list', {}), undefined);
      }
    });

    it('who writes into the active script at the same moment is noticed', async () => {
      mail.sieve.options.extensions = EXTENSIONS.replace('include ', '');
      const { client, scripts } = open();
      mail.sieve.options.answer = line => {
        if (line.startsWith('CHECKSCRIPT')) scripts.texts.set('main', `${HAND}stop;`);
        return undefined;
      };
      await assert.rejects(
        block(client, 'one@bad.example'),
        refused('conflict', /at the same moment; nothing was changed/),
      );
      assert.equal(scripts.texts.get('main'), `${HAND}stop;`);
    });

    it('extensions that a server lacks are named, those it may lack are done without', async () => {
      mail.sieve.options.extensions = 'include fileinto';
      const { client, scripts } = open();
      mail.recreate(`u${user}@test.local`, 'Junk');
      await block(client, 'one@bad.example');
      assert.match(scripts.texts.get('mailroom')!, /require \["fileinto", "include"\];/);
      await assert.rejects(
        client.call('autoReply.set', { text: 'Away', end: '2027-01-01T00:00:00Z' }),
        refused('unsupported', /lacks the extensions "date", "relational", "vacation"/),
      );
      await assert.rejects(
        client.call('rule.create', { from: ['a'], markRead: true }),
        refused('unsupported', /lacks the extension "imap4flags"/),
      );
      await assert.rejects(
        client.call('autoReply.set', { text: 'Away', seconds: 600 }),
        refused('unsupported', /lacks the extensions "vacation", "vacation-seconds"/),
      );
      mail.sieve.options.extensions = undefined;
      const able = open();
      await able.client.call('autoReply.set', { text: 'Away', seconds: 600 });
      assert.match(able.scripts.texts.get('mailroom')!, /^vacation :seconds 600 /m);
      assert.equal((await able.client.call('autoReply.get', {})).seconds, 600);
    });

    it('a server from before RFC 5804, without CHECKSCRIPT, is served as well', async () => {
      mail.sieve.options.version = false;
      const { client, scripts } = open();
      await block(client, 'one@bad.example');
      assert.equal(scripts.active, 'mailroom');
      await assert.rejects(
        client.call('script.rename', { script: 'main', newName: 'x' }),
        refused('unsupported', /cannot rename scripts/),
      );
    });

    it('a script of this name that somebody else wrote is not touched', async () => {
      const { client, scripts } = open();
      scripts.texts.set('mailroom', 'keep;');
      await assert.rejects(block(client, 'one@bad.example'), refused('conflict', /was not written by Mailroom/));
      assert.equal(scripts.texts.get('mailroom'), 'keep;');
    });

    it('an active script that includes this one stays active, and is not included in turn', async () => {
      const { client, scripts } = open();
      const both = 'require "include";\r\ninclude :personal "mailroom";\r\nkeep;\r\n';
      scripts.texts.set('main', both);
      await block(client, 'one@bad.example');
      assert.equal(scripts.active, 'main');
      assert.ok(!scripts.texts.get('mailroom')!.includes('include :personal'));
    });

    it('entries that cannot be right are refused before anything is asked', async () => {
      const { client } = open();
      const from = mail.sieve.log.length;
      for (const [list, value, message] of [
        ['blockedSenders', 'not an address', /neither an e-mail address nor a domain/],
        ['blockedSenders', '192.0.2.1', /only the list of blocked IP addresses/],
        ['blockedIps', 'a@b.example', /not an IP address/],
        ['blockedIps', '192.0.2.0/25', /whole parts of an IPv4 network/],
        ['blockedIps', '2001:db8::/32', /whole parts/],
        ['blockedIps', '192.0.2.1-192.0.2.9', /whole parts/],
        ['allowedIps', '192.0.2.1', /must be one of/],
      ] as const) {
        await assert.rejects(
          client.call('spamList.add', { list, value }) as Promise<unknown>,
          refused('invalid_input', message),
        );
      }
      await assert.rejects(
        client.call('spamList.add', { mailbox: 'other@test.local', list: 'blockedSenders', value: 'a@b.example' }),
        refused('invalid_input', /is the mailbox u\d+@test\.local, not other@test\.local/),
      );
      assert.equal(mail.sieve.log.length, from);
      await client.call('spamList.add', {
        mailbox: `U${user}@test.local`,
        list: 'blockedSenders',
        value: 'a@b.example',
      });
    });

    it('an update takes away the size that a rule looks at with 0, and only then', async () => {
      const { client } = open();
      const { id: rule } = (await client.call('rule.create', {
        from: ['shop'],
        largerThan: 5_000,
        smallerThan: 9_000,
        moveTo: 'Shop',
      })) as { id: string };
      const sizes = async () => {
        const { largerThan, smallerThan } = (await client.call('rule.get', { rule })) as {
          largerThan?: number;
          smallerThan?: number;
        };
        return [largerThan, smallerThan];
      };
      await client.call('rule.update', { rule, name: 'Shop', largerThan: '' });
      assert.deepEqual(await sizes(), [5_000, 9_000]);
      await client.call('rule.update', { rule, smallerThan: 0 });
      assert.deepEqual(await sizes(), [5_000, undefined]);
      await client.call('rule.update', { rule, largerThan: 0 });
      assert.deepEqual(await sizes(), [undefined, undefined]);
    });

    it('rules that can do nothing, or two things that cannot go together, are refused', async () => {
      const { client } = open();
      for (const [input, message] of [
        [{ discard: true }, /at least one condition/],
        [{ from: ['a'], stop: false }, /at least one action/],
        [{ from: ['a'], reject: 'x', moveTo: 'y' }, /cannot be filed/],
        [{ from: ['a'], discard: true, moveTo: 'y' }, /at once/],
        [{ header: ['no header: x'], discard: true }, /name of a header/],
      ] as const) {
        await assert.rejects(client.call('rule.create', input) as Promise<unknown>, refused('invalid_input', message));
      }
      await assert.rejects(
        client.call('rule.update', { rule: 'none', enabled: false }) as Promise<unknown>,
        refused('not_found', /no rule "none"/),
      );
    });
  });
});
