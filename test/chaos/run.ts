import { BAD, campaign } from './campaign.js';

/**
 * `npm run chaos -- --seed N --minutes M`: faults of a seed over everything, and a line for each number. Ends with 1
 * when one is not 0.
 */
const given = (name: string, otherwise: number): number => {
  const at = process.argv.indexOf(`--${name}`);
  const value = at < 0 ? otherwise : Number(process.argv[at + 1]);
  if (Number.isFinite(value) && value >= 0) return value;
  console.error(`--${name} takes a number.`);
  return process.exit(1);
};

void (async () => {
  const seed = given('seed', Math.floor(Math.random() * 2 ** 31));
  const minutes = given('minutes', 1);
  console.log(`Seed ${seed}, ${minutes} minutes. The same seed brings the same faults in the same order.`);
  const report = await campaign({ seed, ms: minutes * 60_000, say: line => console.log(`  ${line}`) });
  for (const [name, value] of Object.entries(report))
    if (typeof value === 'number') console.log(`${name.padEnd(10)} ${value}`);
  process.exit(BAD.some(name => report[name] > 0) ? 1 : 0);
})();
