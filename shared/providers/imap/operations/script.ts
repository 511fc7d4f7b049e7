import { MailError } from '../../../errors.js';
import { flag, text } from '../../../fields.js';
import { operation, type Context, type Operations } from '../../../provider.js';
import type { Native, Receipt } from '../../../vocabulary.js';
import type { Sieve } from '../sieve/connection.js';
import { difference } from '../sieve/difference.js';
import { checkScript, listScripts, putScript, readScript, type Listed } from '../sieve/scripts.js';
import { withSieve } from '../sieve/session.js';

/**
 * A Sieve script on the server. `active` is the one that runs when mail arrives; `text` and `size` (bytes) are there
 * when one script is read.
 */
export interface Script {
  id: string;
  name: string;
  active: boolean;
  text?: string;
  size?: number;
  native: Native;
}
/**
 * What the server says of a text: `valid`, or why not, line by line in its own words. A script that passes may still
 * bring warnings.
 */
export interface Checked {
  valid: boolean;
  message?: string;
  native: Native;
}

const script = text('Script', {
  required: true,
  maxLength: 128,
  pattern: '^\\P{Cc}+$',
  ref: 'script',
  example: 'main',
  help: 'The name of the script.',
});
const name = (label: string, help: string) =>
  text(label, { required: true, maxLength: 128, pattern: '^\\P{Cc}+$', example: 'main', help });
const source = text('Text', {
  required: true,
  lines: 12,
  language: 'sieve',
  maxLength: 1_000_000,
  example: 'require ["fileinto"];',
  help: 'The script in Sieve (RFC 5228).',
});

const toScript = ({ name: id, active }: Listed): Script => ({ id, name: id, active, native: { active } });

/** The script of this name. Throws `not_found` where there is none. */
async function found(sieve: Sieve, wanted: string): Promise<Listed> {
  const one = (await listScripts(sieve)).find(({ name: id }) => id === wanted);
  if (!one) throw new MailError('not_found', `There is no script "${wanted}".`);
  return one;
}

async function* list(ctx: Context): AsyncGenerator<Script> {
  for (const one of await withSieve(ctx, listScripts)) yield toScript(one);
}

async function put(
  sieve: Sieve,
  ctx: Context,
  input: { script: string; text: string; before?: string; activate: boolean },
): Promise<Receipt> {
  const { script: id, text: after } = input;
  const all = await listScripts(sieve);
  const there = all.find(one => one.name === id);
  const previous = there ? await readScript(sieve, id) : undefined;
  if (input.before !== undefined && previous !== input.before) {
    throw new MailError(
      'conflict',
      previous === undefined
        ? `There is no script "${id}" any more; it was deleted meanwhile.`
        : `The script "${id}" was changed meanwhile by somebody else, so it was not overwritten.`,
    );
  }
  if (previous !== after) {
    await checkScript(sieve, after);
    if (ctx.preview) return { id, native: { difference: difference(previous ?? '', after) } };
    await putScript(sieve, id, after);
  }
  if (input.activate && !there?.active && !ctx.preview) await sieve.command('SETACTIVE', id);
  return {
    id,
    native: {
      active: input.activate || there?.active === true,
      ...(previous === undefined || previous === after ? {} : { previous }),
    },
  };
}

/** The operations on whole scripts, for whoever writes Sieve. */
export const scripts = {
  'script.list': operation({
    summary: 'List the Sieve scripts on the server',
    effect: 'read',
    docs: 'RFC 5804 section 2.7',
    input: {},
    run: ctx => list(ctx),
  }),
  'script.get': operation({
    summary: 'Get a Sieve script',
    effect: 'read',
    docs: 'RFC 5804 section 2.9',
    input: { script },
    run: (ctx, input): Promise<Script> =>
      withSieve(ctx, async sieve => {
        const one = await found(sieve, input.script);
        const content = await readScript(sieve, one.name);
        return { ...toScript(one), text: content, size: Buffer.byteLength(content) };
      }),
  }),
  'script.check': operation({
    summary: 'Have the server check a Sieve script, without storing it',
    effect: 'read',
    docs: 'RFC 5804 section 2.12',
    input: { text: source },
    run: (ctx, input): Promise<Checked> =>
      withSieve(ctx, async sieve => {
        const native = { extensions: sieve.capabilities.get('SIEVE') ?? '' };
        try {
          const { warnings } = await checkScript(sieve, input.text);
          return { valid: true, ...(warnings ? { message: warnings } : {}), native };
        } catch (error) {
          if (error instanceof MailError && error.code === 'invalid_input')
            return { valid: false, message: error.message, native };
          throw error;
        }
      }),
  }),
  'script.put': operation({
    summary: 'Store a Sieve script, once the server has checked it',
    effect: 'write',
    docs: 'RFC 5804 section 2.6',
    doubt:
      'ManageSieve knows no condition for storing: a change by somebody else in the moment between the look and the write is not noticed.',
    input: {
      script: name('Script', 'The name. A script of this name is replaced, and the result contains the old one.'),
      text: source,
      before: text('Text Before', {
        lines: 6,
        maxLength: 1_000_000,
        clearable: true,
        help: 'What the script was when you read it. Given, a script that is another by now is not overwritten.',
      }),
      activate: flag('Activate', {
        default: false,
        help: 'Whether it becomes the script that runs when mail arrives. The one before stays stored.',
      }),
    },
    run: (ctx, input): Promise<Receipt> => withSieve(ctx, sieve => put(sieve, ctx, input)),
    preview: async (ctx, input) => ({
      difference: (await withSieve(ctx, sieve => put(sieve, { ...ctx, preview: true }, input))).native.difference,
    }),
  }),
  'script.activate': operation({
    summary: 'Make a Sieve script the one that runs',
    effect: 'write',
    docs: 'RFC 5804 section 2.8',
    input: { script },
    run: (ctx, input): Promise<Receipt> =>
      withSieve(ctx, async sieve => {
        const all = await listScripts(sieve);
        const before = all.find(({ active }) => active);
        await found(sieve, input.script);
        await sieve.command('SETACTIVE', input.script);
        return {
          id: input.script,
          native: { active: true, ...(before && before.name !== input.script ? { before: before.name } : {}) },
        };
      }),
  }),
  'script.deactivate': operation({
    summary: 'Turn off all Sieve scripts',
    effect: 'write',
    docs: 'RFC 5804 section 2.8',
    input: {},
    run: (ctx): Promise<Receipt> =>
      withSieve(ctx, async sieve => {
        const before = (await listScripts(sieve)).find(({ active }) => active);
        if (before) await sieve.command('SETACTIVE', '');
        return {
          ...(before ? { id: before.name } : {}),
          native: { active: false, ...(before ? { before: before.name } : {}) },
        };
      }),
  }),
  'script.rename': operation({
    summary: 'Rename a Sieve script',
    effect: 'write',
    docs: 'RFC 5804 section 2.11.1',
    input: { script, newName: name('New Name', 'A name that no script has.') },
    run: (ctx, input): Promise<Receipt> =>
      withSieve(ctx, async sieve => {
        await found(sieve, input.script);
        // Section 1.7: servers that say no version know neither RENAMESCRIPT nor CHECKSCRIPT.
        if (!sieve.capabilities.has('VERSION'))
          throw new MailError('unsupported', 'This server cannot rename scripts (RENAMESCRIPT).');
        await sieve.command('RENAMESCRIPT', input.script, input.newName);
        return { id: input.newName, native: { before: input.script } };
      }),
  }),
  'script.delete': operation({
    summary: 'Delete a Sieve script',
    effect: 'destroy',
    docs: 'RFC 5804 section 2.10',
    input: { script },
    run: (ctx, input): Promise<Receipt> =>
      withSieve(ctx, async sieve => {
        if ((await found(sieve, input.script)).active) {
          throw new MailError(
            'conflict',
            `"${input.script}" is the script that runs. Activate another one or none before you delete it.`,
          );
        }
        await sieve.command('DELETESCRIPT', input.script);
        return { id: input.script, native: {} };
      }),
  }),
} satisfies Operations;
