import { accountFields } from './connect.js';
import type { Field, Fields } from './fields.js';
import type { Operation, Provider } from './provider.js';
import { splitName } from './vocabulary.js';

/**
 * The reference page of a provider in Markdown: its account, its operations with their fields and doubts, its feeds.
 * All of it is read from the table.
 */
export function reference(provider: Provider): string {
  const operations = Object.entries(provider.operations as Readonly<Record<string, Operation>>);
  const resources = [...new Set(operations.map(([name]) => splitName(name)[0]))];
  const feeds = Object.entries(provider.feeds);
  const { oauth2, sign } = provider.auth;
  return (
    [
      `# ${provider.name}`,
      '',
      '<!-- Generated from the operation table. Change that and generate again; a test compares the two. -->',
      '',
      ...(provider.notice ? [`> ${provider.notice}`, ''] : []),
      `The provider's id is \`${provider.id}\`. It follows <${provider.docs}>.`,
      '',
      '## Account',
      '',
      oauth2
        ? 'Signs in with OAuth 2 (authorization code). The token stays with the host.'
        : sign
          ? 'Every request is signed with the secret fields; operations never see them.'
          : 'Logs in with these values itself.',
      '',
      ...fieldTable(accountFields(provider)),
      '',
      '## Operations',
      '',
      ...table(
        ['Operation', 'What it does', 'Effect'],
        operations.map(([name, op]) => [`[\`${name}\`](#${anchor(name)})`, op.summary, EFFECTS[op.effect]]),
      ),
      '',
      ...resources.flatMap(resource =>
        operations
          .filter(([name]) => splitName(name)[0] === resource)
          .flatMap(([name, op]) => operationSection(name, op)),
      ),
      '## Feeds',
      '',
      ...(feeds.length
        ? feeds.flatMap(([name, feed]) => [
            `### ${name}`,
            '',
            `${sentence(feed.summary)} ${feed.watch ? 'The provider pushes; between pushes and after a break it is asked.' : 'The provider is asked on a schedule.'}` +
              `${feed.from ? ' Can begin at a time.' : ''}`,
            '',
            ...fieldTable(feed.input),
            '',
          ])
        : ['None: the provider gives no way to notice news.', '']),
    ]
      .join('\n')
      .replace(/\n{3,}/g, '\n\n')
      .trimEnd() + '\n'
  );
}

const EFFECTS = { read: 'reads', write: 'writes', destroy: 'destroys' } as const;

function operationSection(name: string, op: Operation): string[] {
  return [
    `### ${name}`,
    '',
    `${sentence(op.summary)} It ${EFFECTS[op.effect]}${name.endsWith('.list') ? ' and gives a stream' : ''}. ${source(op.docs)}`,
    '',
    ...(op.orders?.length ? [`Fulfils: ${op.orders.join('; ')}.`, ''] : []),
    ...(op.doubt ? [`**Not certain:** ${sentence(op.doubt)}`, ''] : []),
    ...fieldTable(op.input),
    '',
  ];
}

function fieldTable(fields: Fields): string[] {
  const entries = Object.entries(fields);
  if (!entries.length) return ['No fields.'];
  const grouped = entries.some(([, field]) => field.group);
  return table(
    ['Field', 'Label', ...(grouped ? ['Group'] : []), 'Takes', 'Needed', 'Notes'],
    entries.map(([name, field]) => [
      `\`${name}\``,
      field.label,
      ...(grouped ? [field.group ?? ''] : []),
      takes(field),
      field.required && field.default === undefined ? 'yes' : 'no',
      notes(name, field),
    ]),
  );
}

/** What a field takes, in words. */
function takes(field: Field): string {
  switch (field.type) {
    case 'text': {
      const { minLength: least, maxLength: most } = field;
      const length =
        least && most
          ? `${least} to ${most} characters`
          : most
            ? `up to ${most} characters`
            : least
              ? `at least ${least} characters`
              : '';
      return [FORMATS[field.format ?? 'text'], length, field.lines ? 'several lines' : '', field.secret ? 'secret' : '']
        .filter(Boolean)
        .join(', ');
    }
    case 'number': {
      const { min, max } = field;
      const range =
        min !== undefined && max !== undefined
          ? `${min} to ${max}`
          : min !== undefined
            ? `at least ${min}`
            : max !== undefined
              ? `at most ${max}`
              : '';
      return [field.fraction ? 'number' : 'whole number', range].filter(Boolean).join(', ');
    }
    case 'flag':
      return 'true or false';
    case 'time':
      return 'date and time';
    case 'file':
      return 'file';
    case 'json':
      return 'JSON object';
    case 'choice':
      return `${field.open ? 'any text, such as' : 'one of'} ${Object.keys(field.choices)
        .map(value => `\`${value}\``)
        .join(', ')}`;
    case 'list': {
      const { minItems: least, maxItems: most } = field;
      const count =
        least && most ? ` (${least} to ${most})` : most ? ` (up to ${most})` : least ? ` (at least ${least})` : '';
      return `list${count}: each ${takes(field.of)}`;
    }
  }
}
const FORMATS = {
  text: 'text',
  email: 'e-mail address',
  address: 'e-mail address with or without a name',
  uri: 'web address',
  uuid: 'UUID',
  host: 'host name',
  ip: 'IP address',
  html: 'HTML',
} as const;

function notes(name: string, field: Field): string {
  return [
    field.help ?? '',
    field.default !== undefined ? `Default: \`${JSON.stringify(field.default)}\`.` : '',
    field.clearable && field.type !== 'number' ? 'An empty text clears it.' : '',
    field.ref ? `Can be picked from \`${field.ref}.list\`.` : '',
    field.as && field.as !== name ? `Sent as \`${field.as}\`.` : '',
    field.example ? `Such as \`${field.example}\`.` : '',
  ]
    .filter(Boolean)
    .join(' ');
}

/** A Markdown table; what would break a cell is escaped. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const row = (cells: readonly string[]) =>
    `| ${cells
      .map(cell =>
        cell
          .replace(/\|/g, '\\|')
          .replace(/\s*\n\s*/g, ' ')
          .replace(/</g, '&lt;'),
      )
      .join(' | ')} |`;
  return [row(head), `|${head.map(() => ' --- |').join('')}`, ...rows.map(row)];
}
/** The vendor's page, or RFCs with their sections. */
const source = (docs: string) =>
  docs.startsWith('https:')
    ? `[Provider's page](${docs})`
    : `Follows ${docs.replace(/RFC (\d+)/g, '[RFC $1](https://www.rfc-editor.org/rfc/rfc$1)')}.`;
const anchor = (name: string) => name.toLowerCase().replace(/[^a-z0-9_-]/g, '');
const sentence = (text: string) => (/[.!?]$/.test(text) ? text : `${text}.`);
