import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const dist = join(import.meta.dirname, '..', 'dist', 'shared');
const load = createRequire(join(dist, 'index.js'));
/** Files of the build whose library has another name than the file. */
const NAMES: Record<string, string> = {
  'mail-composer': 'nodemailer/lib/mail-composer',
  'smtp-connection': 'nodemailer/lib/smtp-connection',
  qp: 'nodemailer/lib/qp',
  addressparser: 'nodemailer/lib/addressparser',
  mailsplit: '@zone-eu/mailsplit',
  tools: 'imapflow/lib/tools.js',
  mailServer: '../shared/mailServer/mailServer.js',
};

/**
 * Packages that others of the bundle use as well: their file is the CommonJS module itself, as `require` gives it to
 * those.
 */
const SHARED = ['libmime', 'iconv-lite', 'mailsplit'];

/** What undici has beyond requests, which the build leaves out: nothing here names it. */
const LEFT_OUT = new RegExp(
  '^(?:CloseEvent|ErrorEvent|EventSource|FormData|Headers|MessageEvent|Mock.*|Request|Response|SnapshotAgent|WebSocket.*|ping|parseMIMEType' +
    '|serializeAMimeType|(?:delete|set|get|getSet|parse)Cookies?|[gs]etGlobalOrigin)$',
);

describe('the build', () => {
  const files = readdirSync(join(dist, 'lazy'))
    .filter(file => file.endsWith('.js'))
    .map(file => file.slice(0, -3));
  for (const file of SHARED) {
    it(`gives ${file} as require does`, () => {
      assert.deepEqual(
        Object.keys(load(`./lazy/${file}.js`) as object).sort(),
        Object.keys(createRequire(import.meta.url)(NAMES[file] ?? file) as object).sort(),
      );
    });
  }
  it('knows the same types of files by their ends, and the same ends by their types', () => {
    const { Libmime: own } = load('./lazy/libmime.js') as typeof import('libmime');
    const { Libmime: whole } = createRequire(import.meta.url)('libmime') as typeof import('libmime');
    const { list, extensions } = createRequire(import.meta.url)(
      join(dist, '../../node_modules/libmime/dist/cjs/mimetypes.js'),
    ) as { list: object; extensions: object };
    const told = (one: typeof own) => [
      ...Object.keys(extensions).map(end => one.prototype.detectMimeType(`a.${end}`)),
      ...Object.keys(list).map(type => one.prototype.detectExtension(type)),
    ];
    assert.ok(told(own).length > 2000);
    assert.deepEqual(told(own), told(whole));
  });
  for (const file of files.filter(name => !SHARED.includes(name))) {
    it(`gives all that ${file} exports, its default too`, async () => {
      const own = load(`./lazy/${file}.js`) as Record<string, unknown>;
      const original = (await import(NAMES[file] ?? file)) as Record<string, unknown>;
      for (const name of Object.keys(original)) {
        if (name === 'module.exports' || name === '__esModule' || (file === 'undici' && LEFT_OUT.test(name))) continue;
        assert.equal(typeof own[name], typeof original[name], name);
      }
      // Without the mark, whoever imports the file would get all of it as its default.
      if ('default' in original) assert.equal(own.__esModule, true);
    });
  }
});
