/**
 * A message of a scripted server. `envelope` and `structure` are as they go on the wire, `parts` hold bytes by section
 * in latin1.
 */
export interface ScriptedMessage {
  uid: number;
  flags: Set<string>;
  internalDate: string;
  size: number;
  envelope: string;
  structure: string;
  source: string;
  parts: Record<string, string>;
}

const quoted = (text: string) => `"${text.replace(/["\\]/g, '\\$&')}"`;
const DATE = 'Sat, 28 Nov 2026 10:00:00 +0000';

/** A plain text message from Ann to the account, unless something else is said of it. */
export function letter(
  uid: number,
  more: Partial<ScriptedMessage> & { subject?: string; text?: string } = {},
): ScriptedMessage {
  const { subject = `m${uid}`, text = `text ${uid}\r\n`, parts, ...rest } = more;
  const header = `From: Ann <ann@a.test>\r\nTo: u0@test.local\r\nSubject: ${subject}\r\nMessage-ID: <id${uid}@a.test>\r\nDate: ${DATE}\r\n\r\n`;
  const ann = '(("Ann" NIL "ann" "a.test"))';
  const source = rest.source ?? header + text;
  return {
    uid,
    flags: new Set(),
    internalDate: '28-Nov-2026 10:00:00 +0000',
    size: source.length,
    source,
    envelope: `("${DATE}" ${quoted(subject)} ${ann} ${ann} ${ann} ((NIL NIL "u0" "test.local")) NIL NIL NIL "<id${uid}@a.test>")`,
    structure: `("TEXT" "PLAIN" ("CHARSET" "utf-8") NIL NIL "7BIT" ${text.length} 1 NIL NIL NIL NIL)`,
    parts: { HEADER: header, 1: text, ...parts },
    ...rest,
  };
}

/** The same with one file, as part 2, in plain bytes. */
export function letterWithFile(uid: number, content: string, name = 'file.dat'): ScriptedMessage {
  const text = 'see the file\r\n';
  const type = `Content-Type: application/octet-stream; name=${name}\r\nContent-Disposition: attachment; filename=${name}`;
  const source =
    `From: Ann <ann@a.test>\r\nTo: u0@test.local\r\nSubject: m${uid}\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n` +
    `--b\r\n\r\n${text}\r\n--b\r\n${type}\r\n\r\n${content}\r\n--b--\r\n`;
  return letter(uid, {
    text,
    source,
    parts: { 2: content },
    structure:
      `(("TEXT" "PLAIN" NIL NIL NIL "7BIT" ${text.length} 1 NIL NIL NIL NIL)("APPLICATION" "OCTET-STREAM" ("NAME" "${name}") NIL NIL "7BIT" ` +
      `${content.length} NIL ("ATTACHMENT" ("FILENAME" "${name}")) NIL NIL) "MIXED" ("BOUNDARY" "b") NIL NIL NIL)`,
  });
}
