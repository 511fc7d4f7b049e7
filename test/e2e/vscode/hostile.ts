import assert from 'node:assert/strict';
import { build, type Plugin } from 'esbuild';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { MailView, ReaderModel } from '../../../extension/webview/messages.js';
import { policyOf } from '../../../extension/webview/policy.js';
import { hostile } from './letters.js';
import { NEWSLETTERS } from './newsletters.js';
import { asInTheBrowser } from './rendering.js';
import { breaksPolicy, until, type Journeys } from './journey.js';
import { chromiumPath, type Loose } from './workbench.js';

const root = join(__dirname, '../../..');
const pages = join(root, 'extension/mail/page');
const repeat = (count: number, text: (i: number) => string): string =>
  Array.from({ length: count }, (_, i) => text(i)).join('');

/** What a mail becomes, by the cleaner alone. `spy` is an address that nothing may ask for. */
const CASES: readonly [what: string, html: (spy: string) => string, has?: RegExp, hasNot?: RegExp, remote?: boolean][] =
  [
    [
      'everything at once',
      hostile,
      /Claim it/,
      /<(script|iframe|object|embed|form|input|button|svg|math|base|link|meta|video|audio)|\son\w+=|srcset|ping=|background=|javascript:|data:text|\u202e/i,
      true,
    ],
    [
      'a form feed that ends a text in a sheet',
      spy => `<style>p{background:url("data:image/png,\f);background:image-set('${spy}/1' 1x)}q{x:(")}</style><p>x</p>`,
      /<p>x/,
      /spy/,
      true,
    ],
    [
      'another, with a rule after it',
      spy => `<style>p{background:url("data:image/png,\f)} p{background:url(${spy}/2)} q{x:(")}</style><p>x</p>`,
      /<p>x/,
      /spy/,
      true,
    ],
    [
      'a return that ends a text in an attribute',
      spy => `<p style="background:url(&quot;data:image/png,&#13;);background:url(${spy}/3);x:(&quot;)">x</p>`,
      /<p/,
      /spy/,
      true,
    ],
    [
      'a second picture of a set',
      spy => `<p style="background:image-set('data:image/png;base64,aa' 1x, '${spy}/4' 2x)">x</p>`,
      /<p/,
      /spy/,
      true,
    ],
    [
      'a picture by a variable',
      spy => `<style>:root{--u:url(${spy}/5)}p{background:var(--u)}</style><p>x</p>`,
      /<p>x/,
      /spy|--u/,
    ],
    [
      'escapes and comments',
      spy =>
        `<style>p{background:u\\72l(${spy}/6)}b{background:/**/url(/**/${spy}/7)}@\\69mport "${spy}/8";</style><p>x<b>y`,
      /<p>x/,
      /spy/,
      true,
    ],
    [
      'imports and fonts',
      spy =>
        `<style>@import "${spy}/9";@import/**/url(${spy}/10);@font-face{font-family:x;src:url(${spy}/11)}p{font-family:x}</style><p>x`,
      /font-family: x/,
      /spy|@/,
    ],
    [
      'pictures of other kinds',
      spy =>
        `<style>ul{list-style:url(${spy}/12)}p{cursor:url(${spy}/13),auto;border-image:url(${spy}/14) 1;mask:url(${spy}/15);content:url(${spy}/16);filter:url(${spy}/17)}</style><ul><li>x</ul><p>y`,
      /<li>x/,
      /spy/,
      true,
    ],
    [
      'an element out of a text in a sheet',
      spy => `<style>p{font-family:"\\3c /style>\\3cimg src=${spy}/18>"}</style><p>x`,
      /<p>x/,
      /<\/style><img/,
    ],
    [
      'the same out of a selector',
      spy => `<style>p[title="\\3c /style>\\3cimg src=${spy}/19>"]{color:red}</style><p>x`,
      /<p>x/,
      /<\/style><img/,
    ],
    [
      'a drawing as a picture',
      () => '<img src="data:image/svg+xml;base64,PHN2Zy8+"><p style="background:url(data:image/svg+xml,a)">x',
      /data-blocked/,
      /svg/,
    ],
    [
      'what every object has is no picture',
      () => '<img src="cid:constructor"><img src="cid:__proto__">',
      /data-blocked/,
      /src=/,
    ],
    [
      'elements of other languages',
      () => '<svg><a href="https://x.example"><style><p>a</style></svg><math><mi>b</mi></math><p>c',
      /<p>c/,
      /svg|math|href|<mi/,
    ],
    [
      'links',
      () =>
        '<a href="javascript:a">1</a><a href=" JaVa&#10;ScRiPt:a">2</a><a href="file:///a">3</a><a href="//x.example">4</a><a href="https://x.example/a">5</a><p href="https://x.example">6',
      /<a href="https:\/\/x\.example\/a"[^>]*>5/,
      /script|file:|href="\/\/|<p href/i,
    ],
    [
      'areas of a picture are links, and nothing else',
      () =>
        '<img usemap="#m" src=x><img usemap="https://x.example/#m" src=x><p usemap="#m" name=body coords=1>x</p><map name=m><area shape=circle coords="1,2,3" href="https://x.example/a" onclick=x target=top ping=y><area href="javascript:a"><area href="command:workbench.action.quit"></map>',
      /<img usemap="#m"[\s\S]*<p>x<\/p><map name="m"><area shape="circle" coords="1,2,3" href="https:\/\/x\.example\/a" rel="noreferrer noopener" target="_self"[^>]*><area rel="[^"]*" target="_self"><area rel="[^"]*" target="_self"><\/map>/,
      /javascript|command|ping|onclick|x\.example\/#m/,
    ],
    [
      'pictures within addresses',
      () =>
        ['png;base64', 'jpeg;charset=utf-8;base64', 'bmp;base64', 'x-icon;base64', 'gif; base64']
          .map(type => `<img src="data:image/${type},R0lG">`)
          .join(''),
      /^<body>(<img src="data:[^"]*" alt="">){5}<\/body>$/,
    ],
    [
      'boxes in a row or in columns, in the order of the text',
      () =>
        '<style>.r{display:flex;gap:8px;justify-content:center;flex-direction:row-reverse;order:9}.a:hover{display:grid}@media screen{.b{display:inline-grid;grid-template-columns:repeat(2,1fr);grid-area:1/1}}</style><p class=r style="display:grid;grid-template-columns:80px 1fr">x',
      /\.r\{display: flex; gap: 8px; justify-content: safe center;\}[\s\S]*\.b\{display: inline-grid; grid-template-columns: repeat\(2, 1fr\);\}[\s\S]*style="display: grid; grid-template-columns: minmax\(min-content, 80px\) 1fr;"/,
      /reverse|order|area|hover/,
    ],
    [
      'of boxes in boxes, the innermost are blocks',
      () => `<style>.b>div,.b{display:grid}</style>${'<div class=b style="display:flex">'.repeat(6)}x`,
      /^<body><style>[^<]*<\/style>(<div class="b" style="display: flex;">){4}(<div class="b" style="display: block !important;">){2}x/,
    ],
    [
      'what covers, turns and reverses',
      () =>
        '<div style="position:fixed;inset:0;color:red">a</div><p style="unicode-bidi:bidi-override;direction:rtl">b</p><bdo dir=rtl>c</bdo>\u202ed',
      /color: red/,
      /fixed|inset|bidi|<bdo|\u202e/,
    ],
    [
      'sheets that are not for the screen',
      () =>
        '<style media="print">p{display:none}</style><style media="screen and (max-width:400px)">p{color:red}</style><p>x',
      /@media print\{p\{display: none;?\}[\s\S]*@media screen and \(max-width: 400px\)\{p\{color: red/,
    ],
    [
      'sheets that turn with the height',
      () =>
        '<style>@media (max-height:500px){p{color:red}}@media (orientation:landscape){p{color:red}}</style><p style="height:100vh;min-height:50dvh">x',
      /<p>x/,
      /@media|color|height/,
    ],
    [
      'what a newsletter says',
      () =>
        '<style>@media only screen and (max-width:600px){.m{width:100%!important;padding:0 10px}} body,td{font:14px/1.4 Arial,sans-serif} .sm\\:w{margin:0 auto;border:1px solid #ccc;border-radius:4px}</style><p class="sm:w" style="mso-line-height-rule:exactly;line-height:20px">x',
      /@media only screen and \(max-width: 600px\)\{\.m\{padding: 0px 10px; width: 100% !important;\}[\s\S]*body, td\{font: 14px \/ 1\.4 Arial, sans-serif;\}[\s\S]*\.sm\\:w\{margin: 0px auto; border: 1px solid rgb\(204, 204, 204\); border-radius: 4px;\}[\s\S]*style="line-height: 20px;"/,
      /mso/,
    ],
    [
      'what body and root say',
      () =>
        '<html dir="rtl" style="margin:0"><body bgcolor="202020" text="white" class="dark" style="padding:3px" onload="x"><p>x',
      /^<body dir="rtl" style="margin: 0px; padding: 3px;" bgcolor="202020" text="white" class="dark">/,
    ],
  ];

/** What stalled a page, and what might: each is shown in a few seconds. */
const BOMBS: Readonly<Record<string, () => string>> = {
  'rules in rules': () => `<style>${'&,&{'.repeat(26)}color:red${'}'.repeat(26)}</style><p>x`,
  'columns in columns': () => `${'<div style="column-count:2">'.repeat(25)}x`,
  'blur in blur': () => `${'<div style="filter:blur(500px);height:10000px">'.repeat(60)}x`,
  'grids in grids': () => `${'<div style="display:grid;grid-template-columns:auto minmax(auto,1fr)">'.repeat(100)}x`,
  'boxes in boxes': () =>
    `${'<div style="display:flex;flex-direction:column"><div style="display:grid;grid-template-columns:auto minmax(auto,1fr)">'.repeat(55)}x`,
  'boxes in boxes, by a sheet': () =>
    `<style>*{display:grid;grid-template-columns:repeat(12,minmax(auto,1fr))}</style>${`${'<div>'.repeat(110)}x${'</div>'.repeat(110)}`.repeat(300)}`,
  'columns by the thousand': () =>
    `<style>p{display:grid;grid-template-columns:repeat(auto-fill,1px)}b{display:grid;grid-template-columns:repeat(auto-fill,10px)}</style>${'<p>x</p><b>y</b>'.repeat(20_000)}`,
  'pictures with areas': () =>
    `${'<img usemap="#m" width=9 height=9>'.repeat(20_000)}<map name=m>${'<area coords="1,2,3,4" href="https://x.example/">'.repeat(20_000)}</map>`,
  'text before each paragraph': () =>
    `<style>p::before{content:"${'A '.repeat(100_000)}"}</style>${'<p></p>'.repeat(2000)}`,
  'selectors for what is not there': () =>
    `<style>${repeat(20_000, i => `:not(.a${i}) :not(.b) *{color:red}`)}</style>${'<i>x</i>'.repeat(3000)}`,
  'selectors for what is above': () =>
    `<style>${'.n > * * * * * * *{color:red}'.repeat(2000)}</style><div class=n>${'<div>'.repeat(90)}${'<i>x</i>'.repeat(1000)}`,
  'selectors for all': () =>
    `<style>${repeat(2000, i => `*{color:rgb(${i % 255},0,0)}`)}</style>${'<i>x</i>'.repeat(59_000)}`,
  'a sheet of 60,000 rules': () => `<style>${'* * *{color:red}'.repeat(60_000)}</style>${'<i>x</i>'.repeat(5000)}`,
  'wide cells, 400 kB': () => `<table>${'<td colspan=1000>'.repeat(23_000)}`,
  'wide columns, 400 kB': () => `<table>${'<col span=1000>'.repeat(26_000)}`,
  'wide cells, 5 MB': () => `<table>${'<td colspan=1000>'.repeat(300_000)}`,
  'high cells': () => `<table>${'<tr><td rowspan=65534>'.repeat(225_000)}`,
  'marks on one letter': () => `a${'\u0301'.repeat(400_000)}`,
  'letters that turn': () => '\u2066a'.repeat(1_000_000),
  'elements that turn': () => '<span dir=rtl>a</span>'.repeat(59_000),
  'three megabytes of words': () => 'lorem ipsum '.repeat(250_000),
  quotes: () => '<q>x</q>'.repeat(20_000),
  'numbered items': () => `<ol reversed start=9>${'<li value=9999999>x'.repeat(20_000)}`,
  'styles of their own': () =>
    repeat(60_000, i => `<p style="margin:${i}px;border:1px solid red;font:${i}px a;background:red">x`),
  'open elements': () => '<div><b><table><tr><td>'.repeat(200_000),
};
/**
 * So long the page may work on a message, in milliseconds of its own processor time: a busy machine is no fault of the
 * mail.
 */
const SOON = 10_000;
/** So long a page is waited for, in milliseconds; one that shows nothing until then hangs. */
const HANGS = 90_000;

interface Shown {
  ms: number;
  elements: number;
  clean: { html: string; remote: boolean; cut: boolean };
}
const bundle = async (options: object): Promise<string> =>
  (
    await build({
      bundle: true,
      write: false,
      platform: 'browser',
      format: 'iife',
      target: 'chrome128',
      absWorkingDir: root,
      logLevel: 'warning',
      ...options,
    })
  ).outputFiles![0]!.text;

/**
 * Before the workbench starts, in the browser alone: the cleaner with no policy behind it, the policy with no cleaner
 * before it, and the reader's page with both.
 */
export async function runMail(): Promise<boolean> {
  const cleaner = await bundle({
    stdin: { contents: "export { sanitize } from './sanitize.js'", resolveDir: pages },
    globalName: 'cleaner',
  });
  const through: Plugin = {
    name: 'no cleaner',
    setup: b =>
      b.onLoad({ filter: /sanitize\.ts$/ }, () => ({
        contents: 'export const sanitize = html => ({ html, remote: false, cut: false })',
        loader: 'js',
      })),
  };
  const bare = await bundle({ entryPoints: [join(pages, 'reader.page.ts')], plugins: [through] });
  const seen: string[] = [];
  const server = createServer(({ url = '' }, answer) => {
    const [path, query = ''] = url.split('?');
    const page = (script: string, images: boolean) =>
      answer
        .setHeader('content-type', 'text/html')
        .end(
          `<!DOCTYPE html><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="${policyOf('reader', images, 'n', "'self'")}">` +
            `<link rel="stylesheet" href="/style.css"><body class="vscode-light"><script nonce="n" src="${script}"></script></body>`,
        );
    const file = (type: string, text: string) => answer.setHeader('content-type', type).end(text);
    switch (path) {
      case '/blank':
        file('text/html', '<!DOCTYPE html><meta charset="utf-8"><body></body>');
        return;
      case '/reader':
        page('/reader.js', query === 'images');
        return;
      case '/bare':
        page('/bare.js', false);
        return;
      case '/reader.js':
        file('text/javascript', readFileSync(join(root, 'dist/extension/pages/reader.page.js'), 'utf8'));
        return;
      case '/bare.js':
        file('text/javascript', bare);
        return;
      case '/style.css':
        file('text/css', readFileSync(join(root, 'dist/extension/pages/style.css'), 'utf8'));
        return;
      // A picture that never comes.
      case '/never':
        return;
      case '/favicon.ico':
        answer.end();
        return;
      default:
        seen.push(url);
        answer.statusCode = 404;
        answer.end();
    }
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const spy = `${base}/spy`;
  const { chromium } = createRequire(join(__dirname, 'package.json'))('playwright-core') as Loose;
  const browser = await chromium.launch({
    executablePath: chromiumPath(),
    headless: true,
    args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking'],
  });
  let good = true;
  async function run(name: string, what: (context: Loose) => Promise<string | void>): Promise<void> {
    const context = await browser.newContext({ viewport: { width: 1000, height: 700 } });
    const hangs = new Promise<never>((_, reject) => {
      setTimeout(() => reject(new Error('The page hangs')), 2 * HANGS).unref();
    });
    try {
      const more = await Promise.race([what(context), hangs]);
      console.log(`  ✔ ${name}${more ? ` (${more})` : ''}`);
    } catch (error) {
      good = false;
      console.log(
        `  ✘ ${name}\n    ${String((error as Error).message)
          .split('\n')
          .slice(0, 12)
          .join('\n    ')}`,
      );
    }
    // A page that hangs does not close.
    void context.close().catch(() => {});
  }
  async function alone(context: Loose, given: readonly string[], images = false): Promise<Shown[]> {
    const page = await context.newPage();
    await page.goto(`${base}/blank`);
    await page.evaluate(cleaner);
    const session = await context.newCDPSession(page);
    await session.send('Performance.enable');
    const worked = async (): Promise<number> =>
      ((await session.send('Performance.getMetrics')).metrics as { name: string; value: number }[]).find(
        ({ name }) => name === 'ThreadTime',
      )!.value * 1000;
    const show = (html: string) =>
      page.evaluate(`(async () => {
      const clean = cleaner.sanitize(${JSON.stringify(html)}, { images: ${images}, inline: {} }), frame = document.createElement('iframe');
      frame.sandbox = 'allow-same-origin';
      frame.style.width = '900px';
      frame.srcdoc = '<!DOCTYPE html><html><head><style>body{overflow-wrap:anywhere}</style></head>' + clean.html;
      document.body.append(frame);
      await new Promise(resolve => { frame.onload = resolve; });
      frame.style.height = Math.min(20000, frame.contentDocument.documentElement.scrollHeight) + 'px';
      await new Promise(resolve => requestAnimationFrame(() => requestAnimationFrame(resolve)));
      const shown = { elements: frame.contentDocument.querySelectorAll('*').length, clean };
      frame.remove();
      return shown;
    })()`) as Promise<Omit<Shown, 'ms'>>;
    const all: Shown[] = [];
    for (const html of given) {
      const before = await worked();
      const shown = await Promise.race([
        show(html),
        new Promise<undefined>(resolve => {
          setTimeout(() => resolve(undefined), HANGS).unref();
        }),
      ]);
      assert.ok(shown, 'The page hangs');
      all.push({ ms: Math.round((await worked()) - before), ...shown });
    }
    return all;
  }
  try {
    await run('pictures that are asked for are fetched, so that the others are counted', async context => {
      await alone(context, [`<img src="${spy}/control"><p style="background:url(${spy}/control2)">x`], true);
      assert.deepEqual(seen.splice(0).sort(), ['/spy/control', '/spy/control2']);
    });
    for (const [what, html, has, hasNot, remote = false] of CASES) {
      await run(`cleaned: ${what}`, async context => {
        const { clean } = (await alone(context, [html(spy)]))[0]!;
        if (has) assert.match(clean.html, has);
        if (hasNot) assert.doesNotMatch(clean.html.replaceAll(/ title="[^"]*"/g, ''), hasNot);
        assert.equal(clean.remote, remote, 'whether pictures were left out');
        assert.equal(clean.cut, false);
        assert.deepEqual(seen.splice(0), [], 'nothing is fetched');
      });
    }
    for (const [what, html] of Object.entries(BOMBS)) {
      await run(`shown soon: ${what}`, async context => {
        const { ms, elements } = (await alone(context, [html()]))[0]!;
        assert.ok(ms < SOON, `${ms} ms`);
        assert.ok(elements <= 60_010, `${elements} elements`);
        return `${ms} ms`;
      });
    }
    await run('says when there is more than is shown', async context => {
      const given = [
        '<p>x</p>'.repeat(100),
        'word '.repeat(150_000),
        '<i>x</i>'.repeat(61_000),
        '<br>'.repeat(151_000),
      ];
      assert.deepEqual(
        (await alone(context, given)).map(({ clean }) => clean.cut),
        [false, true, true, true],
      );
    });
    await run('many pictures that share many areas are shown soon', async context => {
      const { page, show } = await reader(context, '/reader');
      await show({ html: BOMBS['pictures with areas']!() });
      await until('all are there', () =>
        page.evaluate('document.querySelector("iframe").contentDocument.images.length === 20000'),
      );
    });
    await run('the policy holds where nothing is cleaned', async context => {
      const { page, show } = await reader(context, '/bare');
      const ran: string[] = [];
      page.on('dialog', (one: Loose) => {
        ran.push(one.message());
        void one.dismiss();
      });
      await show({ html: `<html><head></head>${hostile(spy)}<script>alert(1)</script>` });
      await page.locator('iframe').evaluate(
        (frame: Loose) =>
          new Promise(resolve => {
            if (frame.contentDocument.readyState === 'complete') resolve(0);
            else frame.addEventListener('load', resolve);
          }),
      );
      assert.deepEqual([seen.splice(0), ran], [[], []]);
      assert.notEqual(await page.title(), 'owned');
    });
    await run('newsletters look as in the browser itself, on a light and a dark ground', async context => {
      const one = await reader(context, '/reader');
      let onDark = false;
      return asInTheBrowser(context, NEWSLETTERS, async (html, dark) => {
        if (dark !== onDark) {
          await one.page.evaluate(
            `sessionStorage.state = JSON.stringify({ look: { width: 'full', ground: '${dark ? 'dark' : 'light'}' } })`,
          );
          await one.page.reload();
          onDark = dark;
        }
        await one.show({ html });
        await rest(one);
        return one.page.locator('iframe').first();
      });
    });
    for (const [name, check] of Object.entries(PAGE))
      await run(`the page: ${name}`, async context => check(await reader(context, '/reader')));
  } finally {
    await browser.close();
    server.closeAllConnections();
    server.close();
  }
  return good;

  async function reader(context: Loose, path: string): Promise<Reader> {
    const page = await context.newPage();
    page.setDefaultTimeout(HANGS / 3);
    await page.addInitScript(`if (window === top) {
      window.asked = [];
      window.acquireVsCodeApi = () => ({ postMessage: one => { if (one.ask) window.asked.push(one.ask); }, getState: () => JSON.parse(sessionStorage.state ?? 'null') ?? undefined, setState: state => { sessionStorage.state = JSON.stringify(state); } });
    }`);
    await page.goto(`${base}${path}`);
    const show = async (...mails: Partial<MailView>[]) => {
      const model: ReaderModel = {
        title: 'Subject',
        facts: [],
        preferHtml: false,
        can: {
          reply: true,
          mark: true,
          source: true,
          headers: true,
          attachments: true,
          remove: true,
          move: true,
          link: false,
          unlink: false,
        },
        messages: mails.map((mail, i) => ({
          id: `m${i}`,
          from: 'Ann <ann@x.example>',
          to: [],
          cc: [],
          loaded: true,
          inline: {},
          attachments: [],
          images: false,
          ...mail,
        })),
      };
      await page.evaluate(
        `new Promise(resolve => { addEventListener('message', () => setTimeout(resolve), { once: true }); postMessage(${JSON.stringify({ type: 'reader', reader: model })}, '*'); })`,
      );
    };
    return {
      page,
      show,
      base,
      frame: page.frameLocator('iframe').first(),
      asked: () => page.evaluate('window.asked.splice(0)'),
      height: () =>
        page
          .locator('iframe')
          .first()
          .evaluate((frame: Loose) => frame.clientHeight),
    };
  }
}

interface Reader {
  page: Loose;
  base: string;
  frame: Loose;
  show(...mails: Partial<MailView>[]): Promise<void>;
  asked(): Promise<unknown[]>;
  height(): Promise<number>;
}
const DOT = 'data:image/gif;base64,R0lGODlhAQABAIAAAP8AAAAAACH5BAAAAAAALAAAAAABAAEAAAICRAEAOw==';
/** The sizes of a message's pictures, as they are shown. */
const sizes = (frame: Loose): Promise<string[]> =>
  frame.locator('img').evaluateAll((all: Loose) => all.map((one: Loose) => `${one.clientWidth}x${one.clientHeight}`));
const LINK = '<a href="https://x.example/a">link</a>';
const TALL = '<p style="height:900px">tall</p>';
/** A height that has come to rest is that of two pictures in a row. */
const rest = async ({ page, height }: Reader): Promise<number> => {
  for (let before = -1; ;) {
    const now = await height();
    if (now === before) return now;
    before = now;
    await page.evaluate('new Promise(resolve => requestAnimationFrame(() => requestAnimationFrame(resolve)))');
  }
};
const PAGE: Readonly<Record<string, (reader: Reader) => Promise<void>>> = {
  async 'the frame runs nothing, and has a policy of its own'({ page, show, frame }) {
    await show({ html: '<p>x' });
    assert.equal(await page.locator('iframe').getAttribute('sandbox'), 'allow-same-origin');
    const policy = () => frame.locator('meta[http-equiv="Content-Security-Policy"]').getAttribute('content');
    assert.equal(
      await policy(),
      "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'none'; base-uri 'none'",
    );
    await show({ html: '<p>x', images: true });
    assert.equal(
      await policy(),
      "default-src 'none'; style-src 'unsafe-inline'; img-src data: https: http:; form-action 'none'; base-uri 'none'",
    );
  },
  async 'links are asked about, whichever key chose them; the right one asks nothing, and what folds unfolds'({
    page,
    show,
    frame,
    asked,
  }) {
    await show({ html: `${LINK}<details><summary>more</summary>folded</details>` });
    for (const options of [{}, { button: 'middle' }, { modifiers: ['Control'] }]) {
      await frame.locator('a').click(options);
      assert.deepEqual(await asked(), [{ do: 'link', url: 'https://x.example/a' }]);
    }
    await frame.locator('a').click({ button: 'right' });
    assert.deepEqual(await asked(), []);
    await frame.locator('summary').click();
    assert.equal(await frame.locator('details').evaluate((one: Loose) => one.open), true);
    assert.equal(page.frames().length, 2);
  },
  async 'a message is whole and in hand before its pictures have come'(reader) {
    const { page, show, frame, asked, base } = reader;
    await page.goto(`${base}/reader?images`);
    await show({ html: `${TALL}${LINK}<img src="${base}/never">`, images: true });
    assert.ok((await rest(reader)) > 900);
    await frame.locator('a').click();
    assert.deepEqual(await asked(), [{ do: 'link', url: 'https://x.example/a' }]);
  },
  async 'the frame is as high as the message, up and down again'(reader) {
    const { page, show, frame } = reader;
    for (const html of [
      '<style>body{min-height:100vh}</style><p>x',
      '<style>html,body{height:100%;min-height:100%!important}</style><table height="100%"><tr><td>x</table>',
      '<style>body{height:3000px!important;display:none!important;margin:99px}html{min-height:3000px!important}</style><p style="margin:0 0 20px">x',
    ]) {
      await show({ html });
      const high = await rest(reader);
      assert.ok(high >= 60 && high < 300, `${high} for ${html}`);
      assert.equal(await frame.locator('body').innerText(), 'x');
    }
    await show({ html: `<details><summary>more</summary>${TALL}</details>` });
    const before = await rest(reader);
    await frame.locator('summary').click();
    await until('it grows', async () => (await reader.height()) >= before + 900);
    await frame.locator('summary').click();
    await until('it shrinks', async () => (await reader.height()) === before);
    await show({ html: `<p>${'word '.repeat(2000)}` });
    const wide = await rest(reader);
    await page.setViewportSize({ width: 400, height: 700 });
    await until('it grows', async () => (await reader.height()) > wide * 2);
    await page.setViewportSize({ width: 1000, height: 700 });
    await until('it shrinks', async () => (await reader.height()) === wide);
  },
  async 'keys of the workbench are heard from within a message'({ page, show, frame }) {
    await show({ html: '<p>x' });
    await page.evaluate(
      "window.keys = []; addEventListener('keydown', event => { window.keys.push([event.key, event.code, event.keyCode, event.ctrlKey, event.shiftKey]); if (event.key === 'F1') event.preventDefault(); })",
    );
    await page.evaluate(
      "document.querySelector('iframe').contentDocument.addEventListener('keydown', event => event.target.setAttribute('data-last', String(event.defaultPrevented)))",
    );
    await frame.locator('p').click();
    await page.keyboard.press('Control+Shift+P');
    assert.deepEqual((await page.evaluate('window.keys')).at(-1), ['P', 'KeyP', 80, true, true]);
    assert.equal(await frame.locator('body').getAttribute('data-last'), 'false');
    await page.keyboard.press('F1');
    assert.equal(
      await frame.locator('body').getAttribute('data-last'),
      'true',
      'a key that was taken does nothing else',
    );
  },
  async 'what was looked at, and where, is there again when the page is built anew'({ page, show, frame }) {
    const mails = Array.from({ length: 4 }, (_, i) => ({
      id: `n${i}`,
      text: 'plain',
      html: `<p>${i}</p><p style="height:3000px">`,
    }));
    await show(...mails);
    await page.getByRole('button', { name: 'HTML' }).nth(0).click();
    await page.getByRole('button', { name: 'HTML' }).nth(2).click();
    await frame.locator('p').first().waitFor();
    await page.evaluate('scrollTo(0, 3000)');
    await until(
      'it is remembered',
      async () => JSON.parse((await page.evaluate('sessionStorage.state')) as string).scroll === 3000,
    );
    await page.reload();
    await show(...mails);
    assert.equal(await page.locator('iframe').count(), 2);
    await until('it is there again', async () => (await page.evaluate('scrollY')) === 3000);
  },
  async 'a message has its own ground and direction'({ show, frame }) {
    await show({
      html: '<html dir="rtl"><body bgcolor="#202020" style="color:#fff"><p><font color="#ffffff">x</font></p>',
    });
    assert.deepEqual(
      await frame.locator('body').evaluate((body: Loose) => {
        const { getComputedStyle } = body.ownerDocument.defaultView;
        const { color, backgroundColor, direction } = getComputedStyle(body);
        return [color, backgroundColor, direction, getComputedStyle(body.parentElement).backgroundColor];
      }),
      ['rgb(255, 255, 255)', 'rgb(32, 32, 32)', 'rtl', 'rgba(0, 0, 0, 0)'],
    );
  },
  async 'each frame says whose message it holds'({ page, show }) {
    await show({ html: '<p>1' }, { html: '<p>2', from: 'Bob' }, { html: '<p>3', from: undefined });
    assert.deepEqual(await page.locator('iframe').evaluateAll((all: Loose) => all.map((one: Loose) => one.title)), [
      'Message from Ann <ann@x.example>',
      'Message from Bob',
      'Message text',
    ]);
  },
  async 'pictures have the size the message gives them, as in the browser itself'({ show, frame }) {
    const cell = (width: number) =>
      `<tr><td><img src="${DOT}" width="${width}" height="${width}"></td><td width="100%">${'A product with a long description. '.repeat(9)}</td></tr>`;
    await show({
      html:
        `<table width="600" cellpadding="0" cellspacing="0"><tr><td><img src="${DOT}" width="600" height="4" alt=""></td></tr></table><table width="600">${[32, 80, 200].map(cell).join('')}</table>` +
        `<img src="${DOT}" width="1" height="20"><img src="${DOT}" height="30"><img src="${DOT}" width="40"><img src="https://x.example/a" width="300" height="100"><img src="https://x.example/b" width="600" height="3"><img src="${DOT}" width="50" height="70" style="height:auto">`,
    });
    await until(
      'all have come',
      async () =>
        JSON.stringify(await sizes(frame)) ===
        JSON.stringify(['600x4', '32x32', '80x80', '200x200', '1x20', '30x30', '40x40', '300x100', '600x3', '50x50']),
    );
  },
  async 'pictures that are too wide shrink to the page and keep their shape, also in tables, and are as wide again when it is'({
    page,
    show,
    frame,
  }) {
    const img = (more: string) => `<img src="${DOT}" ${more}>`;
    await show({
      html:
        `<style>body{margin:0}</style>${img('width=1200 height=400')}${img('width=1200')}${img('height=1200')}${img('width=900 height=300 style="max-width:800px"')}` +
        `<table width="600" align="center"><tr><td><table width="600" style="max-width:600px" cellpadding="0" cellspacing="0"><tr><td>${img('width=600 height=200')}</td></tr></table><table width="600"><tr><td>${img('width=290 height=145')}</td><td>${img('width=290 height=145')}</td></tr></table></td></tr></table>${img('width=600 height=4')}`,
    });
    const shapes = [3, 1, 1, 3, 3, 2, 2];
    const wide = async () => frame.locator('html').evaluate((html: Loose) => [html.scrollWidth, html.clientWidth]);
    for (const width of [1000, 420, 1000]) {
      await page.setViewportSize({ width, height: 700 });
      await until('nothing is wider than the page, and the line has its height', async () => {
        const [needs, has] = (await wide()) as [number, number];
        const all = (await sizes(frame)).map(one => one.split('x').map(Number) as [number, number]);
        return (
          needs <= has &&
          all.every(([w], i) => w <= has && (width < 1000 || w === [has, has, has, 800, 600, 290, 290, 600][i])) &&
          all[7]![1] === 4 &&
          shapes.every((shape, i) => Math.abs(all[i]![0] / all[i]![1] - shape) < 0.05) &&
          all[5]![0] > 150
        );
      });
    }
  },
  async 'areas of a picture are links, wherever they lie once it has shrunk; what else they hold is none'({
    page,
    show,
    frame,
    asked,
  }) {
    await show({
      html: `<img src="${DOT}" width="2000" height="400" usemap="#m"><map name="m"><area shape="rect" coords="0,0,1000,400" href="command:x"><area shape="rect" coords="1000,0,2000,400" href="https://x.example/offer" alt="Offer"></map>`,
    });
    await until(
      'it has come',
      async () =>
        (await sizes(frame))[0] !== '0x0' &&
        (await frame.locator('area').nth(1).getAttribute('coords')) !== '1000,0,2000,400',
    );
    const box = await frame.locator('img').boundingBox();
    for (const [share, expected] of [
      [0.25, []],
      [0.55, [{ do: 'link', url: 'https://x.example/offer' }]],
      [0.95, [{ do: 'link', url: 'https://x.example/offer' }]],
    ] as const) {
      await page.mouse.click(box.x + box.width * share, box.y + box.height / 2);
      assert.deepEqual(await asked(), expected, String(share));
    }
    await frame.locator('area').nth(1).focus();
    await page.keyboard.press('Enter');
    assert.deepEqual(await asked(), [{ do: 'link', url: 'https://x.example/offer' }]);
    assert.equal(page.frames().length, 2);
  },
  async 'blocked pictures are told, also those of sheets'({ page, show, base }) {
    await show({
      html: `<style>p{background:url("data:image/png,\f);background:image-set('${base}/spy/x' 1x)}</style><p>x`,
    });
    assert.equal(await page.getByRole('button', { name: 'Load Images' }).count(), 1);
    await show({ html: '<p>x' });
    assert.equal(await page.getByRole('button', { name: 'Load Images' }).count(), 0);
  },
  async 'a message that is cut says so and leads to the whole of it, in both views'({ page, show, asked }) {
    const said = page.getByText('This message is too long to show in full.');
    await show(
      { text: 'x', html: '<p>x' },
      { text: 'x', textCut: true },
      { html: '<p>x', htmlCut: true },
      { html: '<i>x</i>'.repeat(61_000) },
    );
    assert.equal(await said.count(), 3);
    await page.locator('.blocked').first().getByRole('button', { name: 'Source' }).click();
    assert.deepEqual(await asked(), [{ do: 'mail', message: 'm1', what: 'source' }]);
  },
  async 'plain text turns no letters and bears no heaps of marks'({ page, show }) {
    await show({ text: `a\u202eb\u202dc${'\u0301'.repeat(100)}` });
    assert.equal(await page.locator('pre').innerText(), `abc${'\u0301'.repeat(16)}`);
  },
};

/** What only the genuine workbench shows of mail. */
export const hostileJourneys: Journeys = {
  'mail hears the keys of the workbench': breaksPolicy(async ({ wb, page }) => {
    await wb.collapse();
    await wb.expand('IMAP', /^Messages/);
    await wb.row('You have won').click();
    const reader = await wb.webview('reader', 'You have won');
    await reader.frameLocator('iframe').locator('p').first().click();
    await page.keyboard.press('F1');
    await page.locator('.quick-input-widget input').waitFor();
    await wb.closeAll();
  }),
};
