/** A short message: what is left out gets a sensible value. `headers` are added as they are. */
export interface Letter {
  from?: string;
  to?: string;
  subject?: string;
  text?: string;
  html?: string;
  messageId?: string | false;
  date?: Date;
  headers?: Record<string, string>;
}

let letters = 0;
const encoded = (text: string) =>
  /^[\x20-\x7e]*$/.test(text) ? text : `=?UTF-8?B?${Buffer.from(text).toString('base64')}?=`;
const mailDate = (date: Date) => date.toUTCString().replace('GMT', '+0000');

/** The bytes of a short message; each has its own Message-ID unless it is given or false. */
export function letter({
  from = 'Ada Example <ada@gen.test.local>',
  to = 'u0@test.local',
  subject = 'Hello',
  text = 'Hello.',
  html,
  messageId,
  date = new Date(),
  headers = {},
}: Letter = {}): Buffer {
  const id = messageId === false ? undefined : (messageId ?? `<letter.${++letters}.${process.pid}@gen.test.local>`);
  const head = [
    `From: ${from}`,
    `To: ${to}`,
    `Subject: ${encoded(subject)}`,
    `Date: ${mailDate(date)}`,
    ...(id ? [`Message-ID: ${id}`] : []),
    'MIME-Version: 1.0',
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
  ];
  const part = (type: string, content: string) =>
    `Content-Type: text/${type}; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n${content.replace(/\r?\n/g, '\r\n')}\r\n`;
  const body =
    html === undefined
      ? part('plain', text)
      : `Content-Type: multipart/alternative; boundary="alt"\r\n\r\n--alt\r\n${part('plain', text)}--alt\r\n${part('html', html)}--alt--\r\n`;
  return Buffer.from(`${head.join('\r\n')}\r\n${body}`);
}
