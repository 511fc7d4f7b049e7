import { execFileSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { providers } from '../../shared/index.js';
import { billOfMaterials, notices } from './materials.js';
import type { Artefact } from './package.js';
import { shortName } from './reference.js';

/** Packs the VS Code extension: only its own product, with a manifest narrowed to what VS Code reads. */
const root = join(__dirname, '../..');
const staging = join(root, '.cache/package-vscode');

const KEPT = [
  'version',
  'displayName',
  'publisher',
  'license',
  'homepage',
  'author',
  'repository',
  'bugs',
  'categories',
  'icon',
  'main',
  'l10n',
  'activationEvents',
  'extensionKind',
  'capabilities',
  'contributes',
];
const NAMES = providers.map(shortName);
const DESCRIPTION = `Mailboxes, aliases, spam lists and mail in a tree: administer ${NAMES.slice(0, -1).join(', ')} and ${NAMES.at(-1)!} without leaving the editor`;

/**
 * What is of use here and nowhere else: types and the pictures of the README, which pages fetch from the repository.
 */
const NOT_SHIPPED = /\.d\.ts$|\.map$|[\\/](?:media[\\/]\w+|dist[\\/]icons[\\/]mailroom)\.png$/;
/**
 * Whether there is a translation; the bundle of English texts is for translators, and VS Code reads it in no language.
 */
const isTranslated = () => readdirSync(join(root, 'l10n')).some(file => file !== 'bundle.l10n.json');
/** More than this many bytes is more than this extension needs. */
export const LARGEST = 1_000_000;

/**
 * The time of every file in the archive, so that two runs on the same sources give the same bytes: the one npm uses, 26
 * October 1985.
 */
const SOURCE_DATE_EPOCH = '499162500';

/**
 * Writes the `.vsix` and its bill of materials to `folder`. `dist` must be built; the packing tool is installed under
 * `test/e2e/vscode`.
 */
export function buildVsix(folder = root): Artefact {
  rmSync(staging, { recursive: true, force: true });
  mkdirSync(join(staging, 'icons'), { recursive: true });
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Record<string, unknown> & {
    version: string;
    engines: { vscode: string };
  };
  const narrow = {
    name: 'mailroom',
    description: DESCRIPTION,
    keywords: ['mailbox', 'email', 'imap', 'smtp', 'alias', 'spam', 'administration'],
    ...Object.fromEntries(
      KEPT.filter(key => key in manifest && (key !== 'l10n' || isTranslated())).map(key => [key, manifest[key]]),
    ),
    engines: { vscode: manifest.engines.vscode },
    // Everything that stands in the staging folder; without a list the packing tool warns, and the licence must be in
    // it.
    files: [
      'dist',
      'extension',
      'icons',
      ...(isTranslated() ? ['l10n'] : []),
      'package.nls*.json',
      'README.md',
      'CHANGELOG.md',
      'LICENSE',
      'SECURITY.md',
      'THIRD-PARTY-NOTICES',
    ],
  };
  writeFileSync(join(staging, 'package.json'), `${JSON.stringify(narrow, null, 2)}\n`);
  for (const part of [
    'LICENSE',
    'CHANGELOG.md',
    'SECURITY.md',
    ...(isTranslated() ? ['l10n'] : []),
    'dist/extension',
    'dist/shared',
    'dist/icons',
    'extension/media',
    ...readdirSync(root).filter(file => /^package\.nls.*\.json$/.test(file)),
    'icons/mailroom.svg',
    'icons/mailroom.png',
  ]) {
    if (existsSync(join(root, part)))
      cpSync(join(root, part), join(staging, part), { recursive: true, filter: source => !NOT_SHIPPED.test(source) });
  }
  cpSync(join(root, 'extension/README.md'), join(staging, 'README.md'));
  const { text, materials } = billOfMaterials('vscode');
  writeFileSync(join(staging, 'THIRD-PARTY-NOTICES'), notices(materials));
  const out = join(folder, `mailroom-${manifest.version}.vsix`);
  execFileSync(
    process.execPath,
    [join(root, 'test/e2e/vscode/node_modules/@vscode/vsce/vsce'), 'package', '--no-dependencies', '--out', out],
    { cwd: staging, stdio: ['ignore', 'ignore', 'inherit'], env: { ...process.env, SOURCE_DATE_EPOCH } },
  );
  writeFileSync(`${out}.cdx.json`, text);
  return { file: out, materials: `${out}.cdx.json` };
}

/** Whether a second build of the same sources gives the same bytes, of the bill of materials too. */
export function isReproducible(first: Artefact): boolean {
  const folder = mkdtempSync(join(tmpdir(), 'mailroom-vsix-'));
  try {
    const again = buildVsix(folder);
    return (
      readFileSync(first.file).equals(readFileSync(again.file)) &&
      readFileSync(first.materials).equals(readFileSync(again.materials))
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

if (process.argv[1]?.endsWith('vsix.ts')) {
  const { file, materials } = buildVsix();
  console.log(`${relative(root, file)}  ${(statSync(file).size / 1024).toFixed(0)} kB\n${relative(root, materials)}`);
}
