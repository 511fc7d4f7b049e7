import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

/*
 * Draws what `npm run demo` prints as test/demo/demo.svg, for the README. Run by hand after a build, with Node 24:
 * node --import tsx test/demo/picture.ts
 */

const CELL = 8.4;
const LINE = 20;
const SIZE = 14;
const MARGIN = 28;
const BAR = 44;
const INK: Record<string, string> = { '1': 'bold', '2': 'dim', '31': 'bad', '32': 'good' };
const escaped = (text: string) => text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;');

/** Pieces of a line between escape codes, with the class that their code stands for. */
function pieces(line: string): { at: number; text: string; ink: string }[] {
  const found: { at: number; text: string; ink: string }[] = [];
  let at = 0;
  let ink = '';
  for (const part of line.split(/(\x1b\[\d+m)/)) {
    const code = /^\x1b\[(\d+)m$/.exec(part)?.[1];
    if (code) {
      ink = INK[code] ?? '';
      continue;
    }
    // Words apart, so that columns stay where they are in whatever font the reader has.
    for (const word of part.matchAll(/\S+(?: \S+)*/g)) found.push({ at: at + word.index, text: word[0], ink });
    at += part.length;
  }
  return found;
}

const { stdout, status } = spawnSync(
  process.execPath,
  ['--import', 'tsx', join(import.meta.dirname, '..', 'demo.ts')],
  { env: { ...process.env, FORCE_COLOR: '1' }, encoding: 'utf8' },
);
if (status !== 0) throw new Error(`The demo failed; there is nothing to show.\n${stdout}`);
const lines = ['\x1b[2m$\x1b[0m \x1b[1mnpm run demo\x1b[0m', ...stdout.replace(/\n+$/, '').split('\n')];
const width = Math.ceil(MARGIN * 2 + 98 * CELL);
const height = BAR + lines.length * LINE + MARGIN - 4;
const drawn = lines.flatMap((line, row) =>
  pieces(line).map(
    ({ at, text, ink }) =>
      `<text x="${(MARGIN + at * CELL).toFixed(1)}" y="${BAR + row * LINE + SIZE}" textLength="${(text.length * CELL).toFixed(1)}"${ink ? ` class="${ink}"` : ''}>${escaped(text)}</text>`,
  ),
);
writeFileSync(
  join(import.meta.dirname, 'demo.svg'),
  `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img" aria-label="What npm run demo prints">
<style>text{font:${SIZE}px ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono","Liberation Mono",monospace;fill:#c9d1d9;white-space:pre}.bold{font-weight:700;fill:#f0f6fc}.dim{fill:#8b949e}.good{fill:#56d364}.bad{fill:#ff7b72}</style>
<rect x=".5" y=".5" width="${width - 1}" height="${height - 1}" rx="10" fill="#0d1117" stroke="#30363d"/>
<circle cx="24" cy="21" r="6" fill="#ff5f57"/><circle cx="44" cy="21" r="6" fill="#febc2e"/><circle cx="64" cy="21" r="6" fill="#28c840"/>
${drawn.join('\n')}
</svg>
`,
);
