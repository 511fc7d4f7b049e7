import { readdirSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import Mocha from 'mocha';

/**
 * `npm run promises`: what the tests promise, by area, without running one. Each title is a sentence that begins with
 * what stands above it. `npm run promises -- feed restart` shows only those that hold all these words.
 */
const TESTS = join(__dirname, '..');
const words = process.argv.slice(2).map(word => word.toLowerCase());

/** Every test file that is written for the runner, by its path from `test/`. */
function testFiles(): string[] {
  return readdirSync(TESTS, { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile() && entry.name.endsWith('.test.ts') && !entry.parentPath.includes('node_modules'))
    .map(entry => relative(TESTS, join(entry.parentPath, entry.name)))
    .sort();
}

/** The titles below a suite, each with what stands above it. */
const titles = (suite: Mocha.Suite, above: string[] = []): string[] => {
  const path = suite.title ? [...above, suite.title] : above;
  return [
    ...suite.tests.map(test => [...path, test.title].join(': ')),
    ...suite.suites.flatMap(inner => titles(inner, path)),
  ];
};

/** What one file promises; it is loaded, and nothing of it runs. */
async function promisesOf(file: string): Promise<string[]> {
  const mocha = new Mocha();
  mocha.addFile(join(TESTS, file));
  await mocha.loadFilesAsync();
  return titles(mocha.suite);
}

async function main(): Promise<void> {
  const all = testFiles();
  let count = 0;
  for (const area of new Set(all.map(file => dirname(file)))) {
    const found: string[] = [];
    for (const file of all.filter(one => dirname(one) === area))
      found.push(...(await promisesOf(file)).filter(title => words.every(word => title.toLowerCase().includes(word))));
    if (!found.length) continue;
    count += found.length;
    console.log(`\n${area === '.' ? 'test' : `test/${area}`} (${found.length})`);
    for (const title of found) console.log(`  ${title}`);
  }
  console.log(`\n${count} promises${words.length ? ` with ${words.join(', ')}` : ''}.`);
  process.exit(0);
}

void main();
