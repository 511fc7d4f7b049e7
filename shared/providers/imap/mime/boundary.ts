import { structured } from './decode.js';

/**
 * The kind and boundary of a multipart as its header means them, where programs leave out the semicolon, put a comma in
 * its place, forget the kind or to close a quote before. Undefined for what is no multipart, or names no boundary.
 */
export function multipartOf(contentType: string): { kind: string; boundary: string } | undefined {
  const found = /^[\s"']*multipart\b\s*\/?\s*([\w.+-]*)[\s,;"']*(.*)$/is.exec(contentType.slice(0, LONGEST));
  if (!found) return undefined;
  const [, kind, rest] = found as unknown as [string, string, string];
  const said =
    structured(`multipart/${kind || 'mixed'}; ${rest}`).params.boundary?.trim() ||
    /\bboundary\s*=\s*(?:"\s*([^"]{1,200})|([^\s;,"]{1,200}))/i.exec(rest)?.slice(1).find(Boolean)?.trim();
  return said ? { kind: (kind || 'mixed').toLowerCase(), boundary: said } : undefined;
}
/** What is read of one field, in characters. */
const LONGEST = 2_000;

/**
 * What is used of the splitter's nodes besides its documented calls. Without it a malformed boundary is as the library
 * reads it.
 */
interface Node {
  headers?: { getFirst?(name: string): string };
  parseHeaders?(): void;
  multipart?: string | false;
  _boundary?: Buffer | false;
}
interface Splitting {
  node: Node;
  newNode?(parent?: unknown): void;
}

/** Lets a splitter find the parts of multiparts whose header it cannot read. Call it before anything is written. */
export function withMalformed(splitter: object): void {
  const inside = splitter as Splitting;
  const begin = inside.newNode?.bind(splitter);
  if (!begin) return;
  const mend = (node: Node) => {
    const read = node.parseHeaders?.bind(node);
    if (!read) return;
    node.parseHeaders = () => {
      if (node.headers) return;
      read();
      if (node.multipart && node._boundary && !/^\s/.test(node._boundary.toString())) return;
      const meant = multipartOf((node as Node).headers?.getFirst?.('Content-Type') ?? '');
      if (meant) Object.assign(node, { multipart: meant.kind, _boundary: Buffer.from(meant.boundary) });
    };
  };
  mend(inside.node);
  inside.newNode = parent => {
    begin(parent);
    mend(inside.node);
  };
}
