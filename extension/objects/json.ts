import {
  ClientCapabilities,
  getLanguageService,
  TextDocument,
  type CompletionItem,
  type Range,
} from 'vscode-json-languageservice';
import type { JsonSchema } from '../fields/schema.js';

/**
 * The one file that knows the JSON language service. It is a file of its own in the package, read with the first text
 * that needs it.
 */
export interface Mark {
  message: string;
  range: Range;
}
/** A help text with the place it is about; `range` is undefined where that is the word under the mouse. */
interface Help {
  lines: string[];
  range: Range | undefined;
}
export type { CompletionItem };

/** The JSON of one kind of object. */
export interface JsonHelper {
  /** What keeps a text from being JSON, and names that stand in it twice, in the order of the text. */
  mistakes(text: string): Promise<Mark[]>;
  /**
   * Where the value of a field stands; its name where it has none, and the beginning of the text where the field is not
   * there.
   */
  place(text: string, field: string | undefined): Range;
  complete(text: string, line: number, character: number): Promise<CompletionItem[]>;
  hover(text: string, line: number, character: number): Promise<Help | undefined>;
}

export function createJsonHelper(schema: JsonSchema): JsonHelper {
  const service = getLanguageService({ clientCapabilities: ClientCapabilities.LATEST });
  // What a field takes is checked by the field itself, in the sentences that the form has too.
  service.configure({
    validate: true,
    allowComments: false,
    schemas: [{ uri: 'mailroom:schema', fileMatch: ['*'], schema }],
  });
  const read = (text: string) => {
    const document = TextDocument.create('mailroom:text.json', 'json', 0, text);
    return { document, json: service.parseJSONDocument(document) };
  };
  return {
    async mistakes(text) {
      const { document, json } = read(text);
      const found = await service.doValidation(document, json, {
        comments: 'error',
        trailingCommas: 'error',
        schemaValidation: 'ignore',
      });
      return found.map(({ message, range }) => ({
        message: typeof message === 'string' ? message : message.value,
        range,
      }));
    },
    place(text, field) {
      const { document, json } = read(text);
      const { root } = json as { root?: { type: string; offset: number; length: number; properties?: Property[] } };
      const at = (node: { offset: number; length: number }): Range => ({
        start: document.positionAt(node.offset),
        end: document.positionAt(node.offset + node.length),
      });
      const property =
        field === undefined ? undefined : root?.properties?.find(({ keyNode }) => keyNode.value === field);
      return at(property?.valueNode ?? property?.keyNode ?? { offset: root?.offset ?? 0, length: 1 });
    },
    async complete(text, line, character) {
      const { document, json } = read(text);
      return (await service.doComplete(document, { line, character }, json))?.items ?? [];
    },
    async hover(text, line, character) {
      const { document, json } = read(text);
      const found = await service.doHover(document, { line, character }, json);
      const lines = found ? [found.contents].flat().map(one => (typeof one === 'string' ? one : one.value)) : [];
      return lines.length ? { lines, range: found!.range } : undefined;
    },
  };
}
interface Property {
  keyNode: { value: string; offset: number; length: number };
  valueNode?: { offset: number; length: number };
}
