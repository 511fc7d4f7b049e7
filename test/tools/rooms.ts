/*
 * Which rooms there are and who may import whom. The architecture test holds every file to this table, and CONTRIBUTING
 * shows it as `drawing` draws it, so that picture and rule cannot part.
 */

/**
 * Files that belong together, and what they may import beside Node's own modules. Globs from the root: `*` stands for
 * one name, `**` for any path.
 */
export interface Room {
  name: string;
  /** Those with `!` are not among them. */
  files: readonly string[];
  /** Names of rooms, globs, and packages; its own files it may always import. */
  may: readonly string[];
  why: string;
}

/** The rooms of the extension from the ground up, each above those before it. */
export const FLOORS = ['host', 'webview', 'fields', 'form', 'requests', 'accounts', 'tree', 'operations'] as const;
/** What stands above them, side by side. */
export const FEATURES = [
  'accountForm',
  'objects',
  'mail',
  'search',
  'localMail',
  'scripts',
  'settings',
  'spamLists',
  'overview',
] as const;

const MAIL_LIBRARIES = ['imapflow', 'nodemailer', 'libmime', 'libbase64', 'iconv-lite', '@zone-eu/mailsplit'];
const sharedFile = (name: string) => `shared/${name}.ts`;
const door = sharedFile('index');
/** What makes a client of an account, and what stands on that. */
const CLIENT = ['client', 'connect', 'reference', 'waitFor', 'settings', 'settingsOwner', 'settingsWalk'].map(
  sharedFile,
);
/** Files beside those of the core that are no part of it. */
const ENTRIES = [door, ...CLIENT, sharedFile('registry'), sharedFile('readMail')];
const JSON_SERVICE = 'extension/objects/json.ts';

const extensionRoom = (room: string, below: readonly string[]): Room => ({
  name: `extension/${room}`,
  files: [`extension/${room}/**`, `!extension/${room}/page/**`, `!${JSON_SERVICE}`],
  may: [door, 'vscode', ...below.map(one => `extension/${one}`), ...(room === 'objects' ? [JSON_SERVICE] : [])],
  why:
    below.length === FLOORS.length
      ? 'features meet in the rooms below them, never each other'
      : 'a room of the extension knows those below it',
});
const pageRoom = (room: string): Room => ({
  name: `extension/${room}/page`,
  files: [`extension/${room}/page/**`, '!**/toolkit.ts', '!**/purify.ts'],
  may: [
    room === 'webview' ? '' : 'extension/webview/page',
    'extension/webview/page/toolkit.ts',
    `extension/${room}/page/purify.ts`,
    'extension/webview/messages.ts',
  ].filter(Boolean),
  why: 'a page knows its own room, what all pages share, and the messages; it is filled by those alone',
});

/** Every file is in exactly one of them. */
export const ROOMS: readonly Room[] = [
  {
    name: 'nodes',
    files: ['nodes/*/**', '!nodes/lib/**', 'credentials/**'],
    may: ['nodes/lib/index.ts', door, 'n8n-workflow'],
    why: 'nodes and credentials have one door to the core',
  },
  {
    name: 'nodes/lib',
    files: ['nodes/lib/**'],
    may: [door, 'n8n-workflow'],
    why: 'the n8n front end has one door to the core',
  },
  { name: 'door', files: [door], may: ['client', 'registry', 'readMail', 'core'], why: 'it names what others may use' },
  { name: 'client', files: CLIENT, may: ['registry', 'core'], why: 'what hosts use: an account in, a client out' },
  {
    name: 'registry',
    files: ['shared/registry.ts'],
    may: ['shared/provider.ts', 'shared/providers/*/index.ts'],
    why: 'the registry names providers and nothing else',
  },
  {
    name: 'readMail',
    files: ['shared/readMail.ts'],
    may: ['core', 'shared/providers/imap/messages/whole.ts'],
    why: 'a message is read from its bytes as the provider that knows them does it',
  },
  {
    name: 'providers',
    files: ['shared/providers/*/**', '!shared/providers/imap/**'],
    may: ['core'],
    why: 'a provider uses the core and its own folder',
  },
  {
    name: 'providers/imap',
    files: ['shared/providers/imap/**'],
    may: ['core', ...MAIL_LIBRARIES],
    why: 'only this provider uses the mail libraries',
  },
  {
    name: 'core',
    files: ['shared/*.ts', 'shared/auth/**', 'shared/codecs/**', ...ENTRIES.map(path => `!${path}`)],
    may: [
      'shared/mailServer/mailServer.ts',
      'shared/mailServer/options.ts',
      'undici',
      'fast-xml-parser',
      'html-to-text',
      'oauth4webapi',
    ],
    why: 'the core knows neither hosts nor providers',
  },
  {
    name: 'mailServer',
    files: ['shared/mailServer/**'],
    may: ['smtp-server'],
    why: 'the mail server knows nothing of the core that is tried against it',
  },
  {
    name: 'extension',
    files: ['extension/*.ts'],
    may: [door, 'vscode', ...[...FLOORS, ...FEATURES].map(room => `extension/${room}`)],
    why: 'what wires the rooms knows them all',
  },
  ...FEATURES.map(room => extensionRoom(room, FLOORS)),
  ...FLOORS.map((room, i) => extensionRoom(room, FLOORS.slice(0, i))),
  ...[...FLOORS, ...FEATURES].map(pageRoom),
  {
    name: 'extension/mail/page/purify.ts',
    files: ['extension/mail/page/purify.ts'],
    may: ['dompurify', 'extension/mail/page/allowed.ts'],
    why: 'one file knows the library that cleans mail',
  },
  {
    name: 'extension/webview/page/toolkit.ts',
    files: ['extension/webview/page/toolkit.ts'],
    may: ['@vscode/webview-ui-toolkit'],
    why: 'one file knows the widget toolkit',
  },
  {
    name: JSON_SERVICE,
    files: [JSON_SERVICE],
    may: ['vscode-json-languageservice', 'extension/fields/schema.ts'],
    why: 'one file knows the JSON language service',
  },
];

const escaped = (text: string): string => text.replace(/[.+^${}()|[\]\\?]/g, '\\$&');
const matcher = (glob: string): RegExp =>
  new RegExp(
    `^${glob
      .split('**')
      .map(part => part.split('*').map(escaped).join('[^/]+'))
      .join('.+')}$`,
  );
const among = (files: readonly string[], path: string): boolean =>
  files.some(glob => glob[0] !== '!' && matcher(glob).test(path)) &&
  !files.some(glob => glob[0] === '!' && matcher(glob.slice(1)).test(path));

/** The rooms that a file is in. */
export const roomsOf = (path: string): Room[] => ROOMS.filter(({ files }) => among(files, path));

/** Whether a room may import a file or package. A provider knows no other, though they are one room. */
export function mayImport(room: Room, from: string, name: string): boolean {
  const own = (path: string) => path.split('/')[2];
  if (room.name === 'providers' && among(room.files, name)) return own(from) === own(name);
  return (
    among(room.files, name) ||
    room.may.some(one => {
      const other = ROOMS.find(each => each.name === one);
      return other
        ? among(other.files, name)
        : one.includes('/') || one.endsWith('.ts')
          ? matcher(one).test(name) || name.startsWith(`${one}/`)
          : name === one || name.startsWith(`${one}/`);
    })
  );
}

/** Who may import whom, as text. */
export function drawing(): string {
  const rows = ROOMS.filter(({ name }) => !name.startsWith('extension/')).map(({ name, may }): [string, string] => [
    name,
    may.filter(one => !one.startsWith('extension/')).join('  '),
  ]);
  const wide = Math.max(...rows.map(([name]) => name.length));
  const line = '─'.repeat(58);
  const arrows = rows.map(
    ([name, may]) => `${name.padEnd(wide)}  ►  ${may}${name === 'extension' ? '  and all below:' : ''}`,
  );
  const features = `  ${FEATURES.join(' · ')}`;
  const floors = [...FLOORS].reverse().map(room => `  ${room}`);
  return [
    '```',
    ...arrows,
    '',
    features,
    `  ${line} features never import each other`,
    ...floors.map((floor, i) => (i ? floor : `${floor.padEnd(61)}each knows those below it`)),
    '```',
  ].join('\n');
}
