import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { GUARDS, layoutOf } from './guards.js';

/**
 * `npm run guards`: takes each guard out of the source in turn and runs the tests that must notice. Words after `--`
 * choose guards by parts of their names. Ends with 1 when a guard was missed by nobody. The source is put back
 * afterwards, also after Ctrl-C.
 */
const root = join(__dirname, '..', '..');
const wanted = process.argv.slice(2);
let missed = 0;
for (const { name, file, guard, without, tests } of GUARDS.filter(
  one => !wanted.length || wanted.some(word => one.name.includes(word)),
)) {
  const path = join(root, file);
  const source = readFileSync(path, 'utf8');
  const layout = layoutOf(guard);
  const times = [...source.matchAll(layout)].length;
  if (times !== 1) {
    console.log(`?      ${name}: it stands ${times} times in ${file}`);
    missed++;
    continue;
  }
  const back = () => writeFileSync(path, source);
  const leave = () => {
    back();
    process.exit(1);
  };
  process.once('SIGINT', leave);
  writeFileSync(
    path,
    source.replace(layout, () => without),
  );
  try {
    const { status } = spawnSync(
      process.execPath,
      [
        '--import',
        'tsx',
        '--disable-warning=ExperimentalWarning',
        'node_modules/mocha/bin/mocha.js',
        '--exit',
        '--bail',
        '--timeout',
        '60000',
        ...tests,
      ],
      { cwd: root, stdio: 'ignore', timeout: 300_000 },
    );
    if (status === 0) missed++;
    console.log(`${status === 0 ? 'MISSED' : 'seen  '} ${name}`);
  } finally {
    back();
    process.off('SIGINT', leave);
  }
}
process.exit(missed ? 1 : 0);
