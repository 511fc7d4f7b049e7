import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { billOfMaterials, notices } from './materials.js';

/** Builds the n8n package: only its own product, with a manifest narrowed to what n8n and npm read. */
const root = join(__dirname, '../..');
const staging = join(root, '.cache/package-n8n');

/**
 * The keys of the root manifest that belong to the n8n package; scripts, development and the other product stay behind.
 */
const KEPT = [
  'name',
  'version',
  'description',
  'keywords',
  'license',
  'homepage',
  'author',
  'repository',
  'bugs',
  'engines',
  'exports',
  'files',
  'n8n',
  'peerDependencies',
];

export interface Artefact {
  file: string;
  materials: string;
}

/**
 * Packs into `folder`; the bill of materials stands beside the package. Two runs on the same sources give the same
 * bytes.
 */
export function packN8n(folder = root): Artefact {
  rmSync(staging, { recursive: true, force: true });
  mkdirSync(staging, { recursive: true });
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Record<string, unknown>;
  writeFileSync(
    join(staging, 'package.json'),
    `${JSON.stringify(Object.fromEntries(KEPT.filter(key => key in manifest).map(key => [key, manifest[key]])), null, 2)}\n`,
  );
  for (const part of ['README.md', 'LICENSE', 'CHANGELOG.md', 'SECURITY.md', 'dist']) {
    cpSync(join(root, part), join(staging, part), {
      recursive: true,
      filter: source => !/^dist[\\/](extension|\.)/.test(relative(root, source)),
    });
  }
  writeFileSync(join(staging, 'dist/shared/index.d.ts'), declarations());
  const { text, materials } = billOfMaterials('n8n');
  writeFileSync(join(staging, 'THIRD-PARTY-NOTICES'), notices(materials));
  const [{ filename }] = JSON.parse(
    execFileSync('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', folder, '--loglevel=error'], {
      cwd: staging,
      encoding: 'utf8',
    }),
  ) as [{ filename: string }];
  const file = join(folder, filename);
  writeFileSync(`${file}.cdx.json`, text);
  return { file, materials: `${file}.cdx.json` };
}

/**
 * The types for scripts that use the core, in one file that needs no other: what is not public is left out, and with it
 * the types of the bundled libraries, which nobody who installs the package has. Made once for each content of the
 * sources, since it takes half a minute.
 */
function declarations(): string {
  const made = join(root, '.cache', `declarations-${sourcesHash()}.d.ts`);
  if (!existsSync(made)) {
    const config = join(staging, 'declarations.json');
    writeFileSync(
      config,
      JSON.stringify({
        compilationOptions: { preferredConfigPath: join(root, 'tsconfig.json') },
        entries: [
          {
            filePath: join(root, 'shared/index.ts'),
            outFile: made,
            noCheck: true,
            output: { noBanner: true, exportReferencedTypes: false },
          },
        ],
      }),
    );
    execFileSync(
      process.execPath,
      [
        join(root, 'node_modules/dts-bundle-generator/dist/bin/dts-bundle-generator.js'),
        '--silent',
        '--config',
        config,
      ],
      { cwd: root, stdio: 'inherit' },
    );
    rmSync(config);
  }
  return readFileSync(made, 'utf8');
}

/** A name for the content of everything the declarations are made from. */
function sourcesHash(): string {
  const hash = createHash('sha256');
  for (const file of [
    'tsconfig.json',
    'package-lock.json',
    ...readdirSync(join(root, 'shared'), { recursive: true, encoding: 'utf8' })
      .filter(name => name.endsWith('.ts'))
      .sort()
      .map(name => join('shared', name)),
  ]) {
    hash.update(file).update(readFileSync(join(root, file)));
  }
  return hash.digest('hex').slice(0, 16);
}

if (process.argv[1]?.endsWith('package.ts')) {
  const { file, materials } = packN8n();
  console.log(`${relative(root, file)}  ${(statSync(file).size / 1024).toFixed(0)} kB\n${relative(root, materials)}`);
}
