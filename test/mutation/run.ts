import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { basename, join, relative } from 'node:path';

/**
 * `npm run mutation`: Stryker changes the checks that people rely on, one place at a time, and runs the tests that must
 * notice. Words after `--` choose parts; `--lines 10-40` looks at those of one part's first file alone, `--lines
 * wait.ts:10-40` at those of another. Ends with 1 where a part's score is below LEAST percent. Takes minutes a part.
 */
const root = join(__dirname, '..', '..');
const LEAST = 85;

/** What is changed, and the tests that must notice. */
interface Part {
  name: string;
  files: readonly string[];
  tests: readonly string[];
  /** How the titles of those begin that can notice: a change that is noticed nowhere pays for all of them. */
  titles?: string;
}
const PARTS: readonly Part[] = [
  { name: 'signing', files: ['shared/auth/oauth1.ts', 'shared/auth/header.ts'], tests: ['test/core/oauth1.test.ts'] },
  { name: 'auth', files: ['shared/auth/oauth2.ts', 'shared/auth/tokenKeeper.ts'], tests: ['test/core/oauth2.test.ts'] },
  { name: 'retry', files: ['shared/http.ts', 'shared/notSent.ts'], tests: ['test/core/http.test.ts'] },
  {
    name: 'waits',
    files: ['shared/wait.ts'],
    tests: ['test/core/wait.test.ts', 'test/core/http.test.ts'],
    titles: '(?:work|a pause|how long|query)',
  },
  {
    name: 'packings',
    files: ['shared/decode.ts'],
    tests: ['test/core/http.test.ts', 'test/core/json.test.ts'],
    titles: '(?:exchange .*(?:pack|charset|text)|textOf|encodings|JSON what is read)',
  },
  { name: 'pace', files: ['shared/pace.ts'], tests: ['test/core/pace.test.ts'], titles: '(?:pace|an account)' },
  {
    name: 'redaction',
    files: ['shared/secrets.ts', 'shared/excerpt.ts'],
    tests: ['test/core/secrets.test.ts', 'test/core/http.test.ts', 'test/core/client.test.ts'],
    titles: '(?!exchange |path |query|what exchange|textOf|secrets (?:take no time|of an input))',
  },
  { name: 'layers', files: ['shared/layers.ts'], tests: ['test/core/secrets.test.ts'], titles: 'secrets in layers' },
  { name: 'cursor', files: ['shared/cursor.ts'], tests: ['test/core/cursor.test.ts'] },
  { name: 'paths', files: ['shared/url.ts'], tests: ['test/core/http.test.ts'], titles: '(?:path|addresses|query)' },
  {
    name: 'headers',
    files: ['shared/providers/imap/operations/headerChecks.ts'],
    tests: ['test/providers/imapSend.test.ts'],
    titles: 'what a person',
  },
  {
    name: 'policy',
    files: ['extension/webview/policy.ts', 'nodes/lib/privateAddress.ts'],
    tests: ['test/extension/pages.test.ts', 'test/nodes/credentialTest.test.ts'],
    titles: '(?:the policy|addresses inside|.* opens nothing inside)',
  },
  { name: 'certificates', files: ['shared/certificate.ts'], tests: ['test/core/tls.test.ts'] },
  {
    name: 'proxies',
    files: ['shared/proxy.ts'],
    tests: ['test/core/dispatcher.test.ts', 'test/core/network.test.ts', 'test/core/tls.test.ts'],
  },
];

/** Lines of a file as Stryker names them. */
function chosen(files: readonly string[], lines: string): string {
  const [range = '', name] = lines.split(':').reverse();
  return `${files.find(file => name === undefined || basename(file) === name) ?? name}:${range}`;
}

/** Runs one part; says its score in percent, or undefined where the tests failed without any change. */
function score({ name, files, tests, titles }: Part, lines?: string): boolean {
  const folder = join(root, '.cache/mutation');
  const config = join(folder, `${name}.json`);
  mkdirSync(folder, { recursive: true });
  writeFileSync(
    config,
    JSON.stringify({
      mutate: lines ? [chosen(files, lines)] : files,
      testRunner: 'mocha',
      plugins: ['@stryker-mutator/mocha-runner'],
      coverageAnalysis: 'perTest',
      mochaOptions: {
        spec: tests,
        require: ['tsx/cjs', './test/tools/seed.ts'],
        ...(titles ? { grep: `^${titles}` } : {}),
      },
      // What is built or installed is of no use to these tests.
      ignorePatterns: [
        '**',
        '!package.json',
        '!tsconfig.json',
        '!{shared,nodes,extension,credentials,icons,l10n}/**',
        '!{esbuild.mjs,package.nls.json}',
        '!test/tools/seed.ts',
        '!test/{contract,core,extension,nodes,providers,sandbox}/**',
        '!test/failing.ts',
      ],
      reporters: ['clear-text', 'progress-append-only'],
      clearTextReporter: { allowColor: false, logTests: false, reportTests: false },
      thresholds: { high: 95, low: LEAST, break: LEAST },
      concurrency: 2,
      timeoutMS: 10_000,
      timeoutFactor: 3,
      ignoreStatic: true,
      disableTypeChecks: '{shared,nodes,extension,credentials,test}/**/*.ts',
      tempDirName: '.cache/mutation/tree',
      cleanTempDir: 'always',
      allowEmpty: true,
    }),
  );
  const { status } = spawnSync(
    process.execPath,
    ['test/mutation/node_modules/@stryker-mutator/core/bin/stryker.js', 'run', relative(root, config)],
    { cwd: root, stdio: 'inherit' },
  );
  console.log(`${status === 0 ? 'met   ' : 'MISSED'} ${name}: at least ${LEAST} %`);
  return status === 0;
}

const args = process.argv.slice(2);
const at = args.indexOf('--lines');
const lines = at < 0 ? undefined : args[at + 1];
const words = at < 0 ? args : args.filter((_, i) => i !== at && i !== at + 1);
const failed = PARTS.filter(part => !words.length || words.some(word => part.name.includes(word))).filter(
  part => !score(part, lines),
);
process.exit(failed.length ? 1 : 0);
