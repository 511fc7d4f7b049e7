import { buildSync } from 'esbuild';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openBrowser, startServer, type Loose, type Version } from './workbench.js';

const root = join(__dirname, '../../..');
const folder = join(root, '.cache/inside-vscode');
/** The host tells its end by itself; one that tells nothing for so long, in milliseconds, has died. */
const PATIENCE = 300_000;

/** Writes the tests as an extension of their own, which the extension host loads beside the packed one. */
function buildTests(): void {
  mkdirSync(folder, { recursive: true });
  buildSync({
    entryPoints: [join(__dirname, 'inside/index.ts')],
    outfile: join(folder, 'index.js'),
    bundle: true,
    platform: 'node',
    format: 'cjs',
    target: 'node20',
    packages: 'external',
    logLevel: 'warning',
  });
  writeFileSync(
    join(folder, 'package.json'),
    JSON.stringify({
      name: 'inside',
      publisher: 'mailroom',
      version: '0.0.1',
      engines: { vscode: '^1.100.0' },
      main: './index.js',
      activationEvents: [],
    }),
  );
}

/** The tests inside the extension host, with VS Code's own API in hand and the packed extension beside them. */
export async function runInside(version: Version, vsix: string): Promise<boolean> {
  buildTests();
  const server = await startServer({ version, vsix, smoke: true });
  let told = 0;
  try {
    let end: (code: number | undefined) => void;
    const ended = new Promise<number | undefined>(resolve => {
      end = resolve;
    });
    const timer = setTimeout(() => end(undefined), PATIENCE);
    const { close } = await openBrowser(server, undefined, undefined, async (page: Loose) => {
      await page.exposeFunction('codeAutomationLog', (_: string, args: unknown[]) => {
        const line = args
          .map(String)
          .join(' ')
          .match(/INSIDE (.*)/s)?.[1];
        if (line) {
          told++;
          console.log(`  ${line}`);
        }
      });
      await page.exposeFunction('codeAutomationExit', (code: number) => end(code));
      const at = `vscode-remote://${new URL(server.url).host}${folder}`;
      return `&payload=${encodeURIComponent(
        JSON.stringify([
          ['extensionDevelopmentPath', at],
          ['extensionTestsPath', `${at}/index.js`],
        ]),
      )}`;
    });
    const code = await ended;
    clearTimeout(timer);
    await close();
    if (code === undefined) console.log('  ✘ the extension host told no end');
    else if (told === 0) console.log('  ✘ the extension host ran no test');
    return code === 0 && told > 0;
  } finally {
    await server.close();
  }
}
