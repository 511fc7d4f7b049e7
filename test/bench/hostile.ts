import { build } from 'esbuild';
import { spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { join } from 'node:path';
import { ALL, HOSTILE, hostileServer, mail, MB, MEMORY, PIECE, type HostileServer } from '../providers/hostileMail.js';
import type { CellCost, CellSettings } from './hostileCell.js';

const root = join(__dirname, '../..');
const folder = join(root, '.cache/bench');
const script = join(folder, 'hostileCell.cjs');

/** The ways a message is read, in the order of the columns. */
const WAYS = [
  'list',
  'get',
  'feed',
  'reply',
  'replyAll',
  'forward',
  'forwardAsFile',
  'draftReply',
  'draftForward',
  'reader',
  'inspect',
  'eml',
  'emlInspect',
  'page',
  'script',
];
/** Whoever has not come to an end by then is given up, in milliseconds. */
const PATIENCE = 90_000;

/** One way in one process, as plain JavaScript over what is built, with a pretended VS Code. */
export const bundle = () =>
  build({
    entryPoints: [join(__dirname, 'hostileCell.ts')],
    outfile: script,
    bundle: true,
    platform: 'node',
    format: 'cjs',
    target: 'node24',
    logLevel: 'warning',
    plugins: [
      {
        name: 'cell',
        setup(at) {
          at.onResolve({ filter: /\/shared\/index\.js$/ }, () => ({
            path: join(root, 'dist/shared/index.js'),
            external: true,
          }));
          at.onResolve({ filter: /^vscode$/ }, () => ({ path: 'vscode', namespace: 'pretended' }));
          at.onLoad({ filter: /./, namespace: 'pretended' }, () => ({
            contents: 'module.exports = globalThis.pretended',
          }));
        },
      },
    ],
  });

/** Reads a message in these ways in one process; one that did not come to an end is not among the costs. */
async function costs(settings: CellSettings): Promise<Map<string, CellCost>> {
  const child = spawn(process.execPath, ['--expose-gc', script, JSON.stringify(settings)], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, NODE_OPTIONS: '' },
  });
  const late = setTimeout(() => child.kill('SIGKILL'), PATIENCE);
  const found = new Map<string, CellCost>();
  for await (const line of createInterface({ input: child.stdout })) {
    const cost = JSON.parse(line) as CellCost;
    found.set(cost.way, cost);
  }
  clearTimeout(late);
  return found;
}

/** What a way cost beside a message of so many MB. */
const beside = ({ memory }: CellCost, size: number) => Math.max(0, Math.round(memory - size));
const isOver = (cost: CellCost | undefined, size: number): boolean =>
  !cost || cost.all >= ALL || cost.piece >= PIECE || beside(cost, size) >= MEMORY;
/** Processor time, the longest piece and the memory beside the message; what is over its bound has a mark. */
function shown(cost: CellCost | undefined, size: number): string {
  if (!cost) return 'GAVE UP';
  const figure = (value: number, bound: number) => `${value}${value >= bound ? '!' : ''}`;
  return `${figure(cost.all, ALL)}/${figure(cost.piece, PIECE)}/${figure(beside(cost, size), MEMORY)}${cost.said ? '*' : ''}`;
}

/**
 * `npm run bench -- hostile`: what each kind of hostile mail costs in each way it is read. Each kind is read in a
 * process of its own, and what is over its bound there once more alone.
 * `--mb 9` makes the messages so large; words choose kinds and ways (`npm run bench -- hostile reply "tiny parts"`), a
 * number such as `2/5` the second fifth of the kinds.
 */
export async function hostile(words: readonly string[], mb: number): Promise<void> {
  mkdirSync(folder, { recursive: true });
  await bundle();
  const ways = WAYS.filter(way => words.includes(way));
  const named = words.filter(word => !WAYS.includes(word) && !/^\d+\/\d+$/.test(word));
  const [turn = 1, turns = 1] =
    words
      .find(word => /^\d+\/\d+$/.test(word))
      ?.split('/')
      .map(Number) ?? [];
  const kinds = Object.keys(HOSTILE)
    .filter(kind => !named.length || named.some(word => kind.includes(word)))
    .filter((_, i) => i % turns === turn - 1);
  const chosen = ways.length ? ways : WAYS;
  console.log(
    `\nHostile mail of ${mb} MB: ms of processor time / ms in one piece / MB beside the message; ! over ${ALL}/${PIECE}/${MEMORY}, * said to be set aside or refused\n${chosen.join(' | ')}`,
  );
  const server = await hostileServer();
  let over = 0;
  try {
    for (const kind of kinds) over += await row(server, kind, mb, chosen);
  } finally {
    server.close();
  }
  console.log(`  ${over ? 'MISSED' : 'met   '}  ${over} of ${kinds.length * chosen.length} cells over a bound`);
}

/** Prints what one kind costs; how many of its cells are over a bound. */
async function row(server: HostileServer, kind: string, mb: number, ways: readonly string[]): Promise<number> {
  const file = join(folder, `hostile-${process.pid}.eml`);
  // What is around the bulk of it counts too: a message of more than 50 MB is not read from a file at all.
  const source = HOSTILE[kind]!(mb * 0.99);
  writeFileSync(file, source);
  const size = source.length / MB;
  writeFileSync(`${file}.honest`, mail(['Content-Type: text/html'], '<p>hello'));
  const message = await server.deliverFile(file);
  const { account } = server;
  const settings = { file, message, account, other: { ...account, user: 'u1@test.local', password: 'pass1' } };
  const found = await costs({ ...settings, ways });
  // What the ways before left in memory is none of its own, nor what else the machine did.
  for (const way of ways.filter(one => isOver(found.get(one), size))) {
    const alone = (await costs({ ...settings, ways: [way] })).get(way);
    if (alone) found.set(way, alone);
  }
  console.log(`${kind}: ${ways.map(way => shown(found.get(way), size)).join(' | ')}`);
  for (const said of new Set([...found.values()].map(one => one.said).filter(Boolean))) console.log(`    * ${said}`);
  return ways.filter(way => isOver(found.get(way), size)).length;
}
