import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Metafile } from 'esbuild';

/*
 * What the two artefacts are made of: THIRD-PARTY-NOTICES with the licence of everything bundled, and a bill of
 * materials (CycloneDX 1.6). Both are read from what the bundler says it bundled (dist/.metafiles), by CycloneDX's own
 * tool for esbuild.
 */
const root = join(__dirname, '../..');

interface License {
  license?: { id?: string; name?: string; text?: { content: string; encoding?: string } };
  expression?: string;
}
/** A package that is bundled, as the bill of materials names it. */
export interface Component {
  name: string;
  group?: string;
  version?: string;
  author?: string;
  licenses?: License[];
  evidence?: { licenses?: License[] };
}
/** A bill of materials, as far as it is read here. */
export interface Materials {
  components: Component[];
}

export type Product = 'n8n' | 'vscode';

/**
 * The packages that are bundled into a product, with their versions, licences and licence texts, as a CycloneDX
 * document.
 */
export function billOfMaterials(product: Product): { text: string; materials: Materials } {
  const folder = mkdtempSync(join(tmpdir(), 'mailroom-materials-'));
  try {
    const metafile = join(folder, 'metafile.json');
    const out = join(folder, 'bom.json');
    writeFileSync(
      metafile,
      JSON.stringify(
        packagesOnly(JSON.parse(readFileSync(join(root, 'dist/.metafiles', `${product}.json`), 'utf8')) as Metafile),
      ),
    );
    execFileSync(
      process.execPath,
      [
        join(root, 'node_modules/@cyclonedx/cyclonedx-esbuild/bin/cyclonedx-esbuild-cli.js'),
        '--gather-license-texts',
        '--output-reproducible',
        '--spec-version',
        '1.6',
        '--build-working-dir',
        root,
        '--output-file',
        out,
        metafile,
      ],
      { cwd: root, stdio: ['ignore', 'ignore', 'pipe'] },
    );
    const text = readFileSync(out, 'utf8');
    return { text, materials: JSON.parse(text) as Materials };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/**
 * The metafile with our own files taken as one, the product itself. The tool would otherwise make a component of each
 * virtual module and of each folder of ours that has a manifest. What was shaken out of every bundle is left out: it is
 * not shipped.
 */
function packagesOnly({ inputs, outputs }: Metafile): Metafile {
  const product = 'shared/index.ts';
  const isPackage = (path: string) => /(^|\/)node_modules\//.test(path);
  const used = Object.values(outputs)
    .flatMap(output => Object.entries(output.inputs))
    .filter(([path, { bytesInOutput }]) => isPackage(path) && bytesInOutput > 0);
  const shipped = new Map(used);
  const packages = Object.entries(inputs).filter(([path]) => shipped.has(path));
  const direct = Object.entries(inputs)
    .filter(([path]) => !isPackage(path))
    .flatMap(([, input]) => input.imports)
    .filter(({ path }) => shipped.has(path));
  return {
    inputs: {
      [product]: { bytes: 1, imports: direct },
      ...Object.fromEntries(
        packages.map(([path, input]) => [
          path,
          { ...input, imports: input.imports.filter(one => shipped.has(one.path)) },
        ]),
      ),
    },
    outputs: {
      'dist/index.js': {
        bytes: 1,
        entryPoint: product,
        imports: [],
        exports: [],
        inputs: { [product]: { bytesInOutput: 1 }, ...Object.fromEntries(shipped) },
      },
    },
  };
}

/**
 * Packages that are published without the text of their licence; each names its licence and its author in its manifest
 * (read on 2026-11-29).
 */
const WITHOUT_TEXT = /^(@microsoft\/fast-|@nodable\/entities$|@vscode\/l10n$)/;

/** The text of the MIT licence (https://spdx.org/licenses/MIT.html) for one holder. */
const mit = (holder: string) => `MIT License

Copyright (c) ${holder}

Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated documentation files (the "Software"), to deal in the Software without restriction, including without limitation the rights to use, copy, modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, and to permit persons to whom the Software is furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.`;

const fullName = ({ group, name }: Component) => (group ? `${group}/${name}` : name);
const licenceOf = ({ licenses = [] }: Component) =>
  licenses.map(({ license, expression }) => expression ?? license?.id ?? license?.name ?? '?').join(', ');

/** The licence texts of a package. Throws where there is none, so that nothing is shipped without its licence. */
function licenceTexts(component: Component): string {
  const texts = (component.evidence?.licenses ?? []).flatMap(({ license }) =>
    license?.text
      ? [Buffer.from(license.text.content, license.text.encoding === 'base64' ? 'base64' : 'utf8').toString()]
      : [],
  );
  if (texts.length) return texts.map(text => text.replaceAll('\r\n', '\n').trim()).join('\n\n');
  if (licenceOf(component) === 'MIT' && WITHOUT_TEXT.test(fullName(component)))
    return mit(component.author ?? `the authors of ${fullName(component)}`);
  throw new Error(
    `${fullName(component)} ${component.version ?? ''} (${licenceOf(component)}) comes without the text of its licence. Add it to test/tools/materials.ts.`,
  );
}

/**
 * The text of THIRD-PARTY-NOTICES: each bundled package with its version, its licence and the licence's text, in the
 * order of their names.
 */
export function notices({ components }: Materials): string {
  const sections = [...components]
    .sort((a, b) => (`${fullName(a)} ${a.version}` < `${fullName(b)} ${b.version}` ? -1 : 1))
    .map(
      one =>
        `${'-'.repeat(80)}\n${fullName(one)} ${one.version ?? ''}\nLicence: ${licenceOf(one)}\n\n${licenceTexts(one)}\n`,
    );
  return `Mailroom contains the software below. Each part stands under its own licence.\n\n${sections.join('\n')}`;
}
