import type { MessageStructureObject } from '../libraries.js';
import type { Value } from './value.js';

/**
 * A parameter whose value is what it says: no part of a longer one, nothing encoded (RFC 2231), no name that objects
 * have already.
 */
const NAME = /^(?!constructor$|prototype$)[a-z][a-z0-9-]*$/i;
/** A message within a message is read with its envelope, which is the library's. */
const TYPE = /^(?!message$)[a-z0-9][a-z0-9.+-]*$/i;
const SUBTYPE = /^[a-z0-9][a-z0-9.+-]*$/i;
const DIGITS = /^\d{1,15}$/;

const textOf = (value: Value | undefined): string | undefined =>
  value && !Array.isArray(value) && typeof value.value === 'string' ? value.value : undefined;
/** A text or NIL, which is empty; undefined for everything else. */
const said = (value: Value | undefined): string | undefined => {
  const text = value === null ? '' : textOf(value);
  return text === undefined || text.includes('=?') ? undefined : text;
};

function parametersOf(list: Value[]): Record<string, string> | undefined {
  const out: Record<string, string> = {};
  for (let i = 0; i < list.length; i += 2) {
    const name = textOf(list[i]);
    const value = said(list[i + 1]);
    if (name === undefined || value === undefined || !NAME.test(name) || value.includes("'")) return undefined;
    out[name.toLowerCase()] = value;
  }
  return out;
}

/** The extension data that all parts have: disposition, language and location. False where it is not plain. */
function extended(node: MessageStructureObject, values: Value[], from: number): boolean {
  const disposition = values[from];
  // A language or a location, which hardly anybody writes.
  if (values[from + 1] || values[from + 2]) return false;
  if (!disposition) return true;
  if (!Array.isArray(disposition)) return false;
  const kind = textOf(disposition[0]);
  const parameters = disposition[1];
  if (kind === undefined || disposition.length !== 2) return false;
  node.disposition = kind.toLowerCase();
  if (!parameters) return true;
  const read = Array.isArray(parameters) ? parametersOf(parameters) : undefined;
  if (!read) return false;
  node.dispositionParameters = read;
  return true;
}

/** A part with its parameters; undefined where those are not plain. */
function begun(
  node: Partial<MessageStructureObject>,
  path: string,
  parameters: Value | undefined,
): MessageStructureObject | undefined {
  if (path) node.part = path;
  if (parameters) {
    const read = Array.isArray(parameters) ? parametersOf(parameters) : undefined;
    if (!read) return undefined;
    node.parameters = read;
  }
  return node as MessageStructureObject;
}

function leafOf(values: Value[], path: string): MessageStructureObject | undefined {
  const type = textOf(values[0]) ?? '';
  const subtype = textOf(values[1]) ?? '';
  const size = textOf(values[6]) ?? '';
  const id = said(values[3]);
  const description = said(values[4]);
  const encoding = textOf(values[5]);
  if (!TYPE.test(type) || !SUBTYPE.test(subtype) || !DIGITS.test(size)) return undefined;
  if (id === undefined || description === undefined || encoding === undefined) return undefined;
  const node = begun({ type: `${type.toLowerCase()}/${subtype.toLowerCase()}` }, path, values[2]);
  if (!node) return undefined;
  if (values[3]) node.id = id;
  if (values[4]) node.description = description;
  node.encoding = encoding.toLowerCase();
  node.size = Number(size);
  let at = 7;
  if (node.type.startsWith('text/')) {
    const lines = textOf(values[at++]);
    // Some servers leave it out, and what stands behind it moves up.
    if (lines === undefined || !DIGITS.test(lines)) return undefined;
    node.lineCount = Number(lines);
  }
  // A checksum, which nobody writes.
  return values[at] || !extended(node, values, at + 1) ? undefined : node;
}

function multipartOf(values: Value[], path: string): MessageStructureObject | undefined {
  const childNodes: MessageStructureObject[] = [];
  let at = 0;
  for (; Array.isArray(values[at]); at++) {
    const child = partOf(values[at] as Value[], path ? `${path}.${at + 1}` : String(at + 1));
    if (!child) return undefined;
    childNodes.push(child);
  }
  const subtype = textOf(values[at++]);
  const parameters = values[at++];
  if (subtype === undefined || !SUBTYPE.test(subtype)) return undefined;
  const node = begun({ childNodes, type: `multipart/${subtype.toLowerCase()}` }, path, parameters);
  return node && extended(node, values, at) ? node : undefined;
}

const partOf = (values: Value[], path: string): MessageStructureObject | undefined =>
  Array.isArray(values[0]) ? multipartOf(values, path) : leafOf(values, path);

/**
 * A plain BODYSTRUCTURE (RFC 9051 section 7.5.2) as the library makes it, at a third of the cost; undefined for
 * whatever is not quite plain.
 */
export const plainStructure = (values: Value[]): MessageStructureObject | undefined => partOf(values, '');
