import { crc32, deflateSync } from 'node:zlib';

/*
 * Twenty newsletters as people get them, of our own making: each in the ways of the programs that senders write them
 * with.
 */

/** A part of a PNG (https://www.w3.org/TR/png-3/#5Chunk-layout). */
function chunk(type: string, data: Buffer): Buffer {
  const size = Buffer.alloc(4);
  const sum = Buffer.alloc(4);
  const body = Buffer.concat([Buffer.from(type), data]);
  size.writeUInt32BE(data.length);
  sum.writeUInt32BE(crc32(body));
  return Buffer.concat([size, body, sum]);
}

/** A picture of one colour, of the size that its attributes say. */
function picture(colour: string, width: number, height: number, more = ''): string {
  const head = Buffer.alloc(13);
  const line = Buffer.concat([Buffer.alloc(1), Buffer.alloc(width * 3, colour, 'hex')]);
  head.writeUInt32BE(width);
  head.writeUInt32BE(height, 4);
  head.writeUInt16BE(0x0802, 8);
  const png = Buffer.concat([
    Buffer.from('89504e470d0a1a0a', 'hex'),
    chunk('IHDR', head),
    chunk('IDAT', deflateSync(Buffer.alloc(line.length * height, line))),
    chunk('IEND', Buffer.alloc(0)),
  ]);
  return (
    `<img src="data:image/png;base64,${png.toString('base64')}" width="${width}" height="${height}" alt="" ` +
    `${more}>`
  );
}
const WORDS = (
  'Our autumn range is here, and it brings warm colours, light jackets and boots that last. Members see it first ' +
  'and pay no postage until the end of the month.'
).split(' ');
const words = (count: number, from = 0) =>
  Array.from({ length: count }, (_, i) => WORDS[(from + i) % WORDS.length]).join(' ');
const TABLE = 'role="presentation" cellpadding="0" cellspacing="0" border="0"';
const button = (label: string, colour: string, more = '') =>
  `<table ${TABLE} ${more}><tr><td bgcolor="${colour}" ` +
  `style="border-radius:6px;padding:12px 24px"><a href="https://shop.example/" style="color:#fff;font:bold 16px ` +
  `Arial,` +
  `sans-serif;text-decoration:none">${label}</a></td></tr></table>`;
const centred = (inner: string, ground = '#f4f4f4', more = '') =>
  `<body ` +
  `style="margin:0;padding:0;background:${ground}" ${more}>` +
  `<table ${TABLE} width="100%" bgcolor="${ground}"><tr><td align="center" style="padding:24px ` +
  `0">${inner}</td></tr></table></body>`;
const card = (rows: string, width = 600, style = 'background:#ffffff') =>
  `<table ${TABLE} width="${width}" style="width:${width}px;${style}">${rows}</table>`;
const row = (inner: string, style = 'padding:20px 32px;font:15px/1.5 Arial,sans-serif;color:#333') =>
  `<tr><td style="${style}">${inner}</td></tr>`;

/** The newsletters by what is particular to each. */
export const NEWSLETTERS: Readonly<Record<string, string>> = {
  'a card in the middle with a button': centred(
    card(
      row(picture('2b4c7e', 536, 120)) +
        row(
          `<h1 style="margin:0 ` +
            `0 12px;font-size:26px">` +
            `The autumn range</h1><p>${words(40)}</p>${button('See it all', '#c0392b', 'align="center"')}`,
        ),
    ),
  ),
  'three columns of products': centred(
    card(
      `<tr>${['e67e22', '27ae60', '8e44ad']
        .map(
          colour =>
            `<td width="200" valign="top" align="center" ` +
            `style="padding:10px;font:14px Arial,sans-serif">${picture(colour, 160, 160)}<p style="margin:8px ` +
            `0"><b>Jacket</b><br>` +
            `<s>89.00</s> <span style="color:#c0392b">59.00</span></p></td>`,
        )
        .join('')}</tr>`,
    ),
  ),
  'tables in tables in tables': centred(
    card(
      `<tr><td style="padding:8px;background:#dfe6e9"><table ${TABLE} ` +
        `width="100%"><tr><td ` +
        `style="padding:8px;background:#b2bec3"><table ${TABLE} width="100%"><tr><td ` +
        `style="padding:8px;background:#fff"><table ${TABLE} ` +
        `width="100%"><tr><td width="30%" style="font:13px Arial;background:#ffeaa7;padding:6px">Left</td><td ` +
        `style="font:13px Arial;` +
        `padding:6px">${words(30)}</td></tr></table></td></tr></table></td></tr></table></td></tr>`,
    ),
  ),
  'one made with divisions and a sheet':
    `<style>.wrap{max-width:560px;margin:0 auto;background:#fff;border:1px ` +
    `solid #ddd;border-radius:8px}` +
    `.head{background:#0984e3;color:#fff;padding:18px 24px;font:bold 20px Georgia,serif;border-radius:8px 8px 0 0}` +
    `.text{padding:18px 24px;font:15px/1.6 Georgia,serif;color:#2d3436}.text a{color:#0984e3}.foot{padding:12px ` +
    `24px;font:12px Arial;` +
    `color:#636e72;border-top:1px solid #eee}</style><body style="background:#f1f2f6"><div class="wrap"><div ` +
    `class="head">The Weekly</div>` +
    `<div class="text"><p>${words(45)}</p><p><a href="https://news.example/">Read on</a></p></div><div ` +
    `class="foot">You get this since you ` +
    `asked for it.</div></div></body>`,
  'a dark sender': centred(
    card(
      row(
        `<h2 style="color:#f5f6fa;margin:0 0 10px">Night sale</h2><p ` +
          `style="color:#dcdde1">${words(35)}</p>` +
          button('Go', '#9c88ff'),
        'padding:28px 32px;font:15px/1.5 Helvetica,Arial,sans-serif',
      ),
      600,
      'background:#2f3640',
    ),
    '#1e272e',
  ),
  'one that has colours for dark screens':
    `<style>:root{color-scheme:light dark;supported-color-schemes:light ` +
    `dark}.c{background:#fff;color:#222;` +
    `padding:20px;font:15px Arial}@media (prefers-color-scheme: ` +
    `dark){.c{background:#222!important;color:#eee!important}.c a{color:#7ed6df` +
    `!important}}</style><div class="c"><h2>Both grounds</h2><p>${words(30)}</p><a href="https://x.example/">A ` +
    `link</a></div>`,
  'from right to left':
    `<body dir="rtl" style="margin:0;background:#fafafa"><table ${TABLE} width="600" ` +
    `align="center" style="background:#fff">` +
    `${row('<h2 style="margin:0">שלום לכולם</h2><p>המבצע שלנו מתחיל היום ונמשך עד סוף החודש. (ABC 123)</p><ul><li>ראשון</li><li>שני</li></ul>')}` +
    `</table></body>`,
  'spacers and lines of pictures': centred(
    card(
      `<tr><td>${picture('000000', 600, 4, 'style="display:block"')}</td></tr><tr><td>` +
        `${picture('ffffff', 1, 30, 'style="display:block"')}</td></tr>${row(words(20))}<tr><td height="16" ` +
        `style="font-size:0;` +
        `line-height:0">&nbsp;</td></tr><tr><td>${picture('cccccc', 600, 1, 'style="display:block"')}</td></tr>`,
    ),
  ),
  'a picture beside a text, in two cells': centred(
    card(
      `<tr><td width="220" ` +
        `style="padding:16px">${picture('16a085', 188, 140)}</td><td ` +
        `valign="top" style="padding:16px 16px 16px 0;font:14px/1.5 Verdana,sans-serif"><b ` +
        `style="font-size:17px">Boots</b><br>${words(28)}` +
        `</td></tr><tr><td style="padding:16px">${picture('d35400', 188, 140)}</td><td valign="top" ` +
        `style="padding:16px 16px 16px 0;font:14px/1.5 ` +
        `Verdana,sans-serif"><b style="font-size:17px">Gloves</b><br>${words(22, 5)}</td></tr>`,
    ),
  ),
  'a receipt with figures': centred(
    card(
      row(
        `<table ${TABLE} width="100%" style="font:14px ` +
          `Arial;border-collapse:collapse">` +
          [
            ['Jacket, blue', '1', '59.00'],
            ['Boots, 42', '1', '120.00'],
            ['Postage', '', '0.00'],
          ]
            .map(
              cells =>
                `<tr>${cells
                  .map(
                    (cell, i) =>
                      `<td align="${i ? 'right' : 'left'}" style="border-bottom:1px solid #ddd;padding:8px ` +
                      `4px">${cell}</td>`,
                  )
                  .join('')}</tr>`,
            )
            .join('') +
          `<tr><td colspan="2" align="right" style="padding:8px 4px"><b>Sum</b></td><td align="right" ` +
          `style="padding:8px 4px"><b>179.00</b></td></tr></table>`,
      ),
    ),
  ),
  'one as Outlook writes it':
    `<style>p.MsoNormal{margin:0cm;font-size:11.0pt;font-family:"Calibri",sans-serif}a:link{color:#0563C1}</style><div ` +
    `class="WordSection1"><p class="MsoNormal">Dear all,<o:p></o:p></p><p ` +
    `class="MsoNormal"><o:p>&nbsp;</o:p></p><p class="MsoNormal">${words(30)}` +
    `<o:p></o:p></p><table class="MsoTableGrid" border="1" cellspacing="0" cellpadding="0" ` +
    `style="border-collapse:collapse;border:none"><tr><td ` +
    `width="200" valign="top" style="width:150.0pt;border:solid windowtext 1.0pt;padding:0cm 5.4pt"><p ` +
    `class="MsoNormal">A</p></td><td width="200" ` +
    `style="width:150.0pt;border:solid windowtext 1.0pt;border-left:none;padding:0cm 5.4pt"><p ` +
    `class="MsoNormal">B</p></td></tr></table></div>`,
  'old tags: font, center, bgcolor':
    `<body bgcolor="#ffffcc" text="#003300" link="#990000"><center><font ` +
    `face="Verdana" size="5" color="#cc0000">` +
    `<b>Club News</b></font><br><font size="2">${words(14)}</font></center><hr width="80%" ` +
    `color="#cc0000"><table border="1" cellpadding="6" ` +
    `align="center" bgcolor="#ffffff"><tr><th bgcolor="#eeeeee">Day</th><th ` +
    `bgcolor="#eeeeee">What</th></tr><tr><td>Monday</td><td><i>Walk</i></td></tr>` +
    `<tr><td>Friday</td><td><u>Supper</u></td></tr></table><blockquote>${words(20)}</blockquote></body>`,
  'boxes in a row (flex)':
    `<div style="background:#f5f5f5;padding:16px"><div ` +
    `style="display:flex;gap:12px;max-width:640px;margin:0 auto">` +
    ['#fab1a0', '#81ecec', '#a29bfe']
      .map(
        (colour, i) =>
          `<div ` +
          `style="flex:1;background:${colour};padding:14px;border-radius:8px;font:14px Arial">` +
          `<b>Box ${i + 1}</b><br>${words(10, i * 4)}</div>`,
      )
      .join('') +
    '</div></div>',
  'boxes in columns (grid)':
    `<style>.g{display:grid;grid-template-columns:120px 1fr;gap:10px ` +
    `16px;max-width:600px;font:14px Arial}.k{color:#888}</style>` +
    `<div class="g"><div class="k">When</div><div>Thursday, 19:00</div><div class="k">Where</div><div>Town ` +
    `hall, room 2</div><div class="k">What</div>` +
    `<div>${words(30)}</div></div>`,
  'a hero with a ground of colours': centred(
    card(
      `<tr><td height="180" align="center" valign="middle" ` +
        `style="background:linear-gradient(135deg,#6c5ce7,` +
        `#00cec9);background-color:#6c5ce7;font:bold 30px Arial;color:#fff;padding:20px">Up to 50 % ` +
        `off</td></tr>${row(words(26))}`,
    ),
  ),
  'cells with borders and round corners': centred(
    card(
      row(
        `<table ${TABLE} width="100%" style="border:2px solid ` +
          `#00b894;border-radius:10px;` +
          `border-collapse:separate"><tr><td style="padding:14px;font:15px Arial">Your code: <span style="border:1px ` +
          `dashed #636e72;padding:4px 10px;` +
          `letter-spacing:2px;font-family:monospace">AUTUMN25</span></td></tr></table>`,
      ),
    ),
  ),
  'one that fits itself to the width':
    `<style>.col{display:inline-block;width:48%;vertical-align:top;background:#ffeaa7;padding:8px;box-sizing:border-box;` +
    `font:14px Arial}@media only screen and ` +
    `(max-width:480px){.col{display:block!important;width:100%!important}}</style><div style="max-width:600px;` +
    `margin:auto;font-size:0"><div class="col">${words(16)}</div><div class="col" ` +
    `style="background:#55efc4;margin-left:4%">${words(16, 6)}</div></div>`,
  'a list of news with headings and numbers':
    `<div style="max-width:600px;font:15px/1.5 ` +
    `Georgia,serif;color:#222"><h1>Monthly letter</h1><ol><li><b>First.</b> ` +
    `${words(14)}</li><li><b>Second.</b> ${words(14, 7)}</li></ol><h3>Also</h3><ul ` +
    `style="list-style:square;color:#d63031"><li>${words(6)}</li><li>` +
    `${words(6, 9)}</li></ul><pre style="background:#eee;padding:8px">npm install thing\nthing --help</pre></div>`,
  'a wide picture that has to shrink':
    `<body ` +
    `style="margin:0">${picture('0abde3', 1400, 350, 'style="max-width:100%;height:auto;display:block"')}` +
    `<p style="font:15px Arial;padding:0 20px">${words(25)}</p></body>`,
  'signs of social networks and small print': centred(
    card(
      row(
        `<p ` +
          `align="center">${['3b5998', '1da1f2', 'ff0000', '0a66c2']
            .map(
              colour =>
                `<a href="https://s.example/">${picture(colour, 32, 32, 'style="border-radius:16px;margin:0 6px"')}</a>`,
            )
            .join('')}</p><p align="center" style="font-size:11px;` +
          `line-height:16px;color:#999">Firm Ltd, 1 Main Street, Town<br><a href="https://x.example/u" ` +
          `style="color:#999">Unsubscribe</a> | <a href="https://x.example/p" ` +
          `style="color:#999">Privacy</a></p><div style="display:none;max-height:0;overflow:hidden">What a list of ` +
          `mails shows first</div>`,
      ),
    ),
  ),
};
