import assert from 'node:assert/strict';
import fc from 'fast-check';
import { startMail, type Mail } from './mail.js';
import { bytesOf, CASES, FOLDERS, marked, tidy, type Became } from './sieve/cases.js';
import { faultOf } from './sieve/language.js';
import { headerOf, isLike } from './sieve/run.js';

describe('the embedded server runs Sieve', () => {
  let mail: Mail;
  let next = 0;
  before(async () => {
    mail = await startMail({ users: CASES.length + 10 });
  });
  after(() => mail.close());
  /** A user with this script, and the table's folders. */
  function user(script: string): string {
    const name = `u${next++}@test.local`;
    const text = script.replaceAll('USER', name);
    const scripts = mail.sieve.of(name);
    assert.equal(faultOf(text), undefined);
    scripts.texts.set('main', text);
    scripts.active = 'main';
    for (const one of FOLDERS) mail.store.create(mail.store.accounts.get(name)!, one);
    return name;
  }
  const subjectOf = (source: unknown) => headerOf(source as Buffer).find(({ name }) => name === 'subject')!.value;
  const lying = (name: string): Became['folders'] =>
    Object.fromEntries(
      [...mail.store.accounts.get(name)!.mailboxes.values()]
        .filter(one => one.messages.length > 0)
        .map(one => [one.name, one.messages.map(({ source, flags }) => marked(subjectOf(source), flags))]),
    );

  for (const { name, script, mails, became } of CASES) {
    it(name, () => {
      const who = user(script);
      const from = mail.sent.length;
      for (const one of mails) {
        const { failed } = mail.arrive(who, bytesOf(one, who));
        if (failed && !/conflict/.test(failed)) assert.fail(failed);
      }
      assert.deepEqual(tidy({ folders: lying(who), sent: mail.sent.slice(from).map(({ to }) => to) }), tidy(became));
    });
  }

  it('what it cannot run is refused where it stands, as it is stored', () => {
    for (const [script, words] of [
      ['fileinto "a";', /^line 1: error: unknown command 'fileinto'/],
      ['require "variables";', /unknown Sieve capability `variables'/],
      ['keep;\nrequire "fileinto";', /^line 2: error: require commands/],
      ['require "fileinto";\n\nfileinto;', /^line 3: error: the fileinto command expects 1/],
      ['if header "a" { keep; }', /^line 1: error: the header test expects 2/],
      ['else { keep; }', /must follow an if/],
      ['require "fileinto";\nfileinto :copy "a";', /^line 2: error: unknown tagged argument ':copy'/],
      ['if true {\nkeep;\n', /^line 3: error: expected/],
      ['keep', /expected ";" or "{", found the end/],
      ['stop; "', /a string that does not end/],
      ['/* x', /a comment that does not end/],
      ['if true;', /needs a? ?block/],
      ['keep {}', /has no block/],
      ['if size :over 3000M { stop; }', /too large/],
      ['if header :value "gt" "a" "b" { stop; }', /':value'/],
      ['if header :comparator "i;x" "a" "b" { stop; }', /unknown comparator/],
      ['§', /cannot stand here/],
    ] as const)
      assert.match(faultOf(script) ?? 'nothing', words, script);
    assert.match(faultOf(`if ${'not '.repeat(60)}true { stop; }`)!, /more than 50 deep/);
  });

  it('an included script runs in its place; return leaves it, stop leaves all, and one that is gone is passed over if it is optional', () => {
    for (const [included, one, two] of [
      ['fileinto "One";', true, true],
      ['return; fileinto "One";', false, true],
      ['stop;', false, false],
      [undefined, false, true],
    ] as const) {
      const who = user(
        'require ["include", "fileinto"];\r\ninclude :personal :optional "other";\r\nfileinto "Two";\r\n',
      );
      if (included !== undefined) mail.sieve.of(who).texts.set('other', `require ["fileinto", "include"]; ${included}`);
      mail.arrive(who, bytesOf({ subject: 'a' }, who));
      assert.deepEqual(Object.keys(lying(who)).sort(), [
        ...(one ? ['One'] : []),
        ...(two ? ['Two'] : []),
        ...(one || two ? [] : ['INBOX']),
      ]);
    }
    const who = user('require "include";\r\ninclude "main";\r\n');
    assert.match(mail.arrive(who, bytesOf({ subject: 'a' }, who)).failed!, /too deep/);
    assert.deepEqual(lying(who), { INBOX: ['a'] });
  });

  it('mail by SMTP goes through the rules of whoever gets it, redirected mail through theirs, and two that redirect to each other end', async () => {
    const other = user('keep;');
    const one = user(`redirect "${other}";`);
    mail.arrive(one, bytesOf({ subject: 'a' }, one));
    assert.ok(Object.values(lying(other)).flat().includes('a'));
    const here = user('keep;');
    const there = user(`redirect "${here}";`);
    mail.sieve.of(here).texts.set('main', `redirect "${there}";`);
    mail.arrive(here, bytesOf({ subject: 'round' }, here));
    assert.equal(
      [here, there].flatMap(name => Object.values(lying(name)).flat()).filter(subject => subject === 'round').length,
      1,
    );
  });

  it('patterns mean what a regular expression made of them means, and take no time without bound', () => {
    const part = fc.constantFrom('a', 'b', '*', '?', '\\*', '\\?', '\\\\', 'é');
    fc.assert(
      fc.property(
        fc.array(part, { maxLength: 8 }),
        fc.array(fc.constantFrom('a', 'b', '*', '?', '\\', 'é'), { maxLength: 8 }),
        (parts, letters) => {
          const source = parts
            .map(one => (one === '*' ? '[^]*' : one === '?' ? '[^]' : one.startsWith('\\') ? `\\${one[1]}` : one))
            .join('');
          assert.equal(isLike(letters.join(''), parts.join('')), new RegExp(`^${source}$`, 'u').test(letters.join('')));
        },
      ),
      { numRuns: 2000 },
    );
    assert.equal(isLike('a'.repeat(20_000), `${'*a'.repeat(50)}b`), false);
  });
});
