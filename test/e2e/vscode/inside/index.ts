import Mocha from 'mocha';
import { suite } from './suite.js';

/**
 * What the extension host calls: runs the tests and tells each result on a line of its own. Rejects when one failed.
 */
export async function run(): Promise<void> {
  const mocha = new Mocha({ ui: 'bdd', timeout: 60_000, reporter: class {} as never });
  mocha.suite.emit('pre-require', globalThis, 'inside', mocha);
  suite();
  const failed = await new Promise<number>(resolve => {
    mocha
      .run(resolve)
      .on('pass', test => console.log(`INSIDE ✔ ${test.title} (${test.duration} ms)`))
      .on('fail', (test, error: Error) =>
        console.log(
          `INSIDE ✘ ${test.title}\n    ${String(error.stack ?? error)
            .split('\n')
            .slice(0, 14)
            .join('\n    ')}`,
        ),
      );
  });
  if (failed) throw new Error(`${failed} failed`);
}
export const activate = (): void => {};
