import assert from 'node:assert/strict';
import { createFigures } from '../../extension/overview/figures.js';
import { figuresAskedFor } from '../../extension/fields/figures.js';

const NOW = Date.parse('2026-11-20T12:00:00Z');
const hour = 3_600_000;
const at = (ago: number) => new Date(NOW - ago).toISOString();
const shown = (items: object[], busy = false) => {
  const tally = createFigures(NOW);
  for (const item of items) tally.add('mailbox', { id: 'm', email: 'a@x.example', status: 'active', ...item });
  return Object.fromEntries(tally.model('T', 'Acme', busy, false).charts.map(chart => [chart.title, chart]));
};
const bars = (chart: { bars: { label: string; value: number }[] } | undefined) =>
  Object.fromEntries(chart!.bars.map(({ label, value }) => [label, value]));

describe('the overview', () => {
  it('counts mailboxes by state and names those in trouble', () => {
    const tally = createFigures(NOW);
    tally.add('mailbox', { id: '1', email: 'a@x.example', status: 'active', native: {} });
    tally.add('mailbox', {
      id: '2',
      email: 'b@x.example',
      status: 'error',
      native: { attributes: { sendErroredAt: at(hour) } },
    });
    const model = tally.model('T', 'Acme', false, false);
    assert.deepEqual(bars(model.charts[0]), { active: 1, 'needs attention': 1 });
    assert.deepEqual(
      model.rows.map(row => row.label),
      ['b@x.example'],
    );
    assert.match(model.rows[0]!.detail, /^Last send failed on /);
  });
  it('what waits to be signed in is named where it can be connected again', () => {
    const named = (reconnects: boolean) => {
      const tally = createFigures(NOW, reconnects);
      tally.add('mailbox', { id: '1', email: 'a@x.example', status: 'pending', native: {} });
      return tally.model('T', 'Acme', false, false).rows.map(row => `${row.label}: ${row.status}`);
    };
    assert.deepEqual([named(true), named(false)], [['a@x.example: reconnect required'], []]);
  });
  it('sends stand against their limits where both are told', () => {
    const chart = shown([
      { native: { sentToday: 0, maxMailingsPerDay: 100 } },
      { native: { sentToday: 90, maxMailingsPerDay: 100 } },
      { native: { sentToday: 100, maxMailingsPerDay: 100 } },
      { native: {} },
    ])['Sends against limits']!;
    assert.deepEqual(bars(chart), { unused: 1, '80 % and more': 1, 'at the limit': 1 });
    assert.equal(chart.note, '3 of 4 mailboxes report how much they sent.');
  });
  it('without a count the limits are shown and the lack is said', () => {
    const chart = shown([
      { native: { attributes: { maxMailingsPerDay: 500, maxEmailsPerDay: 5000 } } },
      { native: { attributes: { maxMailingsPerDay: 500 } } },
      { native: { attributes: { maxMailingsPerDay: 250 } } },
    ])['Sends against limits']!;
    assert.equal(chart.total, `${(1250).toLocaleString()} a day`);
    assert.deepEqual(bars(chart), { '500 a day': 2, '250 a day': 1 });
    assert.match(chart.note!, /^Acme reports sending limits but not how much was sent/);
  });
  it('what a provider does not tell is said in a sentence, not drawn as an empty picture', () => {
    const charts = shown([{ native: {} }]);
    for (const title of ['Sends against limits', 'Age of the last synchronization']) {
      assert.deepEqual(charts[title]!.bars, []);
      assert.match(charts[title]!.note!, /^Acme (reports neither|does not report)/);
    }
    assert.deepEqual(
      Object.keys(shown([{ native: {} }], true)),
      ['Mailboxes by state'],
      'not while it is still reading',
    );
  });
  it('no mailbox at all is a sentence too', () =>
    assert.match(createFigures(NOW).model('T', 'Acme', false, false).note!, /^Acme shows no mailboxes/));
  it('the age of the last synchronization is that of the latest success', () => {
    const chart = shown([
      { native: { syncSuccessAt: at(hour / 2), syncErroredAt: at(0) } },
      { native: { lastSync: at(3 * 24 * hour) } },
    ])['Age of the last synchronization']!;
    assert.deepEqual(bars(chart), { 'under an hour': 1, 'under a week': 1 });
  });
  it('space is measured where it is told, and asked for where a list gives it on demand only', () => {
    assert.deepEqual(bars(shown([{ native: { size: 100, currentUsage: 85 } }])['Space used']), { '80 % and more': 1 });
    const choices = (...names: string[]) =>
      ({
        input: {
          fields: {
            type: 'list',
            label: 'Fields',
            of: { type: 'choice', label: 'Field', choices: Object.fromEntries(names.map(name => [name, name])) },
          },
        },
      }) as never;
    assert.deepEqual(figuresAskedFor(choices('size', 'currentUsage', 'enabled', 'hasBlackBerry')), {
      fields: ['size', 'currentUsage', 'enabled'],
    });
    assert.deepEqual(
      figuresAskedFor(choices('email', 'maxMailingsPerDay')),
      {},
      'a choice that leaves things out is left alone',
    );
  });
});
