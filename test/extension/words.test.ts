import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { inExtension, inTables } from '../tools/l10n.js';

const root = join(__dirname, '../..');
const titles = JSON.parse(readFileSync(join(root, 'package.nls.json'), 'utf8')) as Record<string, string>;
/**
 * Every sentence that the extension says by itself: in its code, on its pages, in its manifest. What the tables say is
 * not among them.
 */
const sentences = [...inExtension(), ...Object.values(titles)];

/** What is not said, and what is said instead. The style page of CONTRIBUTING.md gives the rules with examples. */
const BANNED: readonly [RegExp, string][] = [
  [/\bvendors?\b/i, '“provider”'],
  [/\bpretend/i, '“sandbox” or “simulated”'],
  [/\b(?:some|no)body\b/i, '“someone”, “no one”, or the one who acts'],
  [/\bwhom\b/i, 'another sentence'],
  [/\bparted\b/i, '“separated”'],
  [/\bunder way\b/i, '“running”'],
  [/\bmeanwhile\b/i, '“in the meantime”'],
  [/\banew\b/i, '“again”'],
  [/\bno longer there\b/i, '“no longer exists”'],
  [/\bpresent one\b/i, '“current one”'],
  [/\b(?:is|are) there already\b/i, '“already exists”'],
  [/\bgo on in\b/i, '“continue in”'],
  [/\bdoes not answer\b/i, '“is not responding”'],
  [/\bsuccessfully\b|\bplease\b|\boops\b|\bsorry\b/i, 'nothing'],
  [/\be-mails?\b(?! address)/i, '“email”'],
  [/\binvalid\b/i, 'what is wrong with it'],
  [/\S …|\.\.\./, '“…” right after the word'],
  [/ {2}/, 'one space'],
  [/['"]/, '’ “ ”'],
  [/!/, '“.”'],
  [/\berror occurred\b|\bsomething went wrong\b/i, 'what failed'],
];
/** What the tables of the providers say: help of fields, sentences of operations, choices. */
const told = [...new Set(inTables())];
/**
 * Their help says what a value means, not how the provider's interface is built. A content ID is written as HTML has
 * it.
 */
const BANNED_IN_TABLES: readonly [RegExp, string][] = [
  ...BANNED.filter(([what]) => !['/[\'"]/', '/\\binvalid\\b/i'].includes(String(what))),
  [/;/, 'two sentences'],
  [/\bids?\b/, '“ID”'],
  [/"(?!cid:NAME"|,)/, '“ ”'],
  [/\bunless given\b|\bthe answer\b/, '“Left empty, …” or “the result”'],
  [/version of the API/, 'what that means'],
];
/** Words that stay small inside a title. */
const SMALL = /^(?:a|an|and|as|at|by|for|from|in|of|on|or|the|to|with|without)$/;

describe('the words of the extension', () => {
  it('are those that people use', () => {
    assert.ok(sentences.length > 350, 'they are all there');
    const found = sentences.flatMap(text =>
      BANNED.filter(([what]) => what.test(text.replace(/\]\([^)]*\)/g, ']'))).map(
        ([what, instead]) => `${text} (${String(what)}: say ${instead})`,
      ),
    );
    assert.deepEqual(found, []);
  });
  it('are those that people use, also in the fields and actions of the providers', () => {
    assert.ok(told.length > 1300, 'they are all there');
    const found = told.flatMap(text =>
      BANNED_IN_TABLES.filter(([what]) => what.test(text)).map(
        ([what, instead]) => `${text} (${String(what)}: say ${instead})`,
      ),
    );
    assert.deepEqual(found, []);
  });
  it('are sentences that end, wherever there are two of them', () => {
    assert.deepEqual(
      sentences.filter(text => /[.?] \S/.test(text.replace(/\be\.g\. /g, '')) && !/[.?…)”}]$/.test(text)),
      [],
    );
    assert.deepEqual(
      sentences.filter(text => /\.\.$|[,;:]$/.test(text)),
      [],
    );
  });
  it('one sentence says no more than people read at once', () => {
    const long = sentences
      .flatMap(text => text.replace(/\]\([^)]*\)/g, ']').split(/(?<=[.?])\s|\n/))
      .filter(sentence => sentence.split(/\s+/).length > 34);
    assert.deepEqual(long, []);
  });
  it('commands are in title case, begin with what they do, and end with … where they ask for something', () => {
    for (const [key, title] of Object.entries(titles).filter(([name]) => name.startsWith('command.'))) {
      for (const [i, word] of title.replace(/…$/, '').split(' ').entries()) {
        assert.ok(i > 0 && SMALL.test(word) ? true : /^(?:[A-Z]|n8n$)/.test(word), `${key}: “${title}”: ${word}`);
      }
      assert.ok(!/\.$/.test(title), title);
    }
  });
  it('the test bites', () => {
    for (const bad of [
      'The vendor said no.',
      '6 accounts are there already',
      'Reading x …',
      'Wait!',
      "It's",
      'Nobody knows',
    ])
      assert.ok(
        BANNED.some(([what]) => what.test(bad)),
        bad,
      );
  });
});
