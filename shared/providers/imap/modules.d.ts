/* What is used of libraries that bring no types. */

declare module 'libmime' {
  export class Libmime {
    decodeWord(charset: string, encoding: string, text: string): string;
    decodeWords(text: string): string;
    decodeHeaders(head: string): Record<string, string[]>;
    parseHeaderValue(text: string): { value: string | false; params: Record<string, string> };
    /** The usual ending of files of a type, without its dot; `bin` for types that are not known. */
    detectExtension(type: string): string;
  }
  const libmime: Libmime & { Libmime: typeof Libmime };
  export default libmime;
}

declare module 'libbase64' {
  const base64: { decode(text: string): Buffer };
  export default base64;
}

declare module 'libqp' {
  const libqp: { decode(bytes: Buffer): Buffer };
  export default libqp;
}
