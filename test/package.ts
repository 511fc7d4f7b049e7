import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';

/** Builds the n8n package: only its own product, with a manifest narrowed to what n8n and npm read. */
const root = join(__dirname, '..'), staging = join(root, '.cache/package-n8n');

/** The keys of the root manifest that belong to the n8n package; scripts, development and the other product stay behind. */
const KEPT = ['name', 'version', 'description', 'keywords', 'license', 'homepage', 'author', 'repository', 'bugs', 'engines', 'exports', 'files', 'n8n', 'peerDependencies'];

export function packN8n(): string {
  rmSync(staging, { recursive: true, force: true });
  mkdirSync(staging, { recursive: true });
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Record<string, unknown>;
  writeFileSync(join(staging, 'package.json'), `${JSON.stringify(Object.fromEntries(KEPT.filter(key => key in manifest).map(key => [key, manifest[key]])), null, 2)}\n`);
  for (const part of ['README.md', 'LICENSE', 'CHANGELOG.md', 'dist']) {
    cpSync(join(root, part), join(staging, part), { recursive: true, filter: source => !/^dist[\\/](extension|\.sources)/.test(relative(root, source)) });
  }
  // Types for scripts that use the core; the emitter keeps the source tree, so index.d.ts lands beside index.js.
  execFileSync(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '--declaration', '--emitDeclarationOnly', '--noEmit', 'false', '--target', 'es2023', '--module', 'esnext',
    '--moduleResolution', 'bundler', '--strict', '--skipLibCheck', '--types', 'node', '--rootDir', root, '--outDir', join(staging, 'dist'), 'shared/index.ts'], { cwd: root, stdio: 'inherit' });
  const [{ filename }] = JSON.parse(execFileSync('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', root, '--loglevel=error'], { cwd: staging, encoding: 'utf8' })) as [{ filename: string }];
  return join(root, filename);
}

if (process.argv[1]?.endsWith('package.ts')) {
  const file = packN8n();
  console.log(`${relative(root, file)}  ${(statSync(file).size / 1024).toFixed(0)} kB`);
}
