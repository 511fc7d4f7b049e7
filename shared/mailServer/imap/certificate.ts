import { createPrivateKey, generateKeyPairSync, randomBytes, sign } from 'node:crypto';

const der = (tag: number, ...parts: Buffer[]): Buffer => {
  const body = Buffer.concat(parts);
  const length = body.length;
  const head = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...head]), body]);
};
const sequence = (...parts: Buffer[]) => der(0x30, ...parts);
const oid = (dotted: string): Buffer => {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number);
  const bytes = [first * 40 + second];
  for (const number of rest) {
    const groups = [number & 0x7f];
    for (let left = number >> 7; left > 0; left >>= 7) groups.unshift((left & 0x7f) | 0x80);
    bytes.push(...groups);
  }
  return der(0x06, Buffer.from(bytes));
};
/** Two digits of the year until 2049, four later (RFC 5280 4.1.2.5). */
const time = (date: Date) => {
  const text = date
    .toISOString()
    .replace(/[-:T]/g, '')
    .replace(/\.\d+Z/, 'Z');
  return date.getUTCFullYear() < 2050 ? der(0x17, Buffer.from(text.slice(2))) : der(0x18, Buffer.from(text));
};

/** A key and an X.509 certificate in PEM. */
export interface Certificate {
  key: string;
  cert: string;
}
/** What a certificate says: for whom, and from and until when, in days from now. */
interface Wanted {
  name?: string;
  days?: number;
  from?: number;
  signedBy?: Certificate & { name: string };
}

/**
 * A fresh P-256 key with a certificate for a name (RFC 5280); unless told for `localhost`, 127.0.0.1 and ::1, so that
 * no private key lies in the repository. `days` may be negative for a certificate that has expired. It signs itself,
 * unless another does: all may sign others.
 */
export function selfSigned({ name = 'localhost', days = 3650, from, signedBy }: Wanted = {}): Certificate {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  const algorithm = sequence(oid('1.2.840.10045.4.3.2'));
  const subjectOf = (whose: string) => sequence(der(0x31, sequence(oid('2.5.4.3'), der(0x0c, Buffer.from(whose)))));
  const day = 86_400_000;
  const until = Date.now() + days * day;
  const since = from === undefined ? Math.min(Date.now(), until) - day : Date.now() + from * day;
  const names = sequence(
    der(0x82, Buffer.from(name)),
    ...(name === 'localhost'
      ? [der(0x87, Buffer.from([127, 0, 0, 1])), der(0x87, Buffer.from([...Array<number>(15).fill(0), 1]))]
      : []),
  );
  const extension = (id: string, value: Buffer) => sequence(oid(id), der(0x04, value));
  const body = sequence(
    der(0xa0, der(0x02, Buffer.from([2]))),
    der(0x02, Buffer.concat([Buffer.from([1]), randomBytes(8)])),
    algorithm,
    subjectOf(signedBy?.name ?? name),
    sequence(time(new Date(since)), time(new Date(until))),
    subjectOf(name),
    publicKey.export({ type: 'spki', format: 'der' }),
    der(
      0xa3,
      sequence(extension('2.5.29.17', names), extension('2.5.29.19', sequence(der(0x01, Buffer.from([0xff]))))),
    ),
  );
  const signed = sequence(
    body,
    algorithm,
    der(0x03, Buffer.from([0]), sign('sha256', body, signedBy ? createPrivateKey(signedBy.key) : privateKey)),
  );
  return {
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    cert: `-----BEGIN CERTIFICATE-----\n${signed.toString('base64').replace(/.{64}/g, '$&\n').trimEnd()}\n-----END CERTIFICATE-----\n`,
  };
}
