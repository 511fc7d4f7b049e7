import { unreadable, type HttpResponse } from '../http.js';
import { textOf } from '../decode.js';
import { excerpt } from '../excerpt.js';
import type { Context } from '../provider.js';

/**
 * A document: the local name of its root, and what is inside. Elements are objects, repeated ones lists, leaves text;
 * attributes are left out.
 */
export interface XmlDocument {
  root: string;
  value: unknown;
}
/**
 * Reads one document. Throws an `Error` for what is not well-formed, for a document type, and for element names that
 * reach a prototype.
 */
export type XmlReader = (text: string) => XmlDocument;

let reader: Promise<XmlReader> | undefined;
/** The reader; the library behind it is loaded on first use, so an account that never meets XML does not pay for it. */
export const xmlReader = (): Promise<XmlReader> => (reader ??= makeReader());

async function makeReader(): Promise<XmlReader> {
  const { XMLParser } = await import('fast-xml-parser');
  const parser = new XMLParser({
    ignoreAttributes: true,
    ignoreDeclaration: true,
    ignorePiTags: true,
    removeNSPrefix: true,
    parseTagValue: false,
    trimValues: false,
    // Numeric references (XML 1.0 section 4.1) hang on this switch; the entities of a document type cannot arise, see
    // below.
    htmlEntities: true,
    onDangerousProperty: name => {
      throw new Error(`the element name "${name}" is not allowed`);
    },
  });
  return text => {
    // Refused wherever it stands, even in a comment: no vendor sends one, and entities of its own are how a small
    // answer becomes a large one.
    if (/<!(?:DOCTYPE|ENTITY)/i.test(text)) throw new Error('a document type is not allowed');
    // `true` checks well-formedness first: the parser alone takes a truncated document for a whole one.
    const parsed = parser.parse(text.replace(/^\uFEFF/, ''), true) as Record<string, unknown>;
    const [found, second] = Object.entries(parsed).filter(([name]) => name !== '#text');
    // The library lets more roots and text pass after a first one that is empty.
    if (!found || second || Array.isArray(found[1]) || !text.trimEnd().endsWith('>'))
      throw new Error('there is not one root element');
    return { root: found[0], value: withoutLayout(found[1]) };
  };
}

/** Line breaks and indents between elements are not content. */
function withoutLayout(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutLayout);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([name, inner]) => !(name === '#text' && String(inner).trim() === ''))
      .map(([name, inner]) => [name, withoutLayout(inner)]),
  );
}

/** The answer as an XML document. Throws `protocol` with a short, secret-free excerpt where it is none. */
export async function parseXml(
  ctx: Pick<Context, 'provider' | 'operation' | 'hide'>,
  answer: HttpResponse,
): Promise<XmlDocument> {
  const read = await xmlReader();
  try {
    return read(textOf(answer));
  } catch (cause) {
    const seen = excerpt(answer, ctx.hide);
    throw unreadable(ctx, answer, `with XML that cannot be read (${why(cause)})${seen ? `: "${seen}"` : ''}`);
  }
}

/** The library's reason in a few words, without the names it quotes from the document. */
const why = (cause: unknown) =>
  (cause instanceof Error ? cause.message : String(cause))
    .replace(/\[SECURITY\] /, '')
    .replace(/\.?:\d+:\S*$/, '')
    .slice(0, 80);
