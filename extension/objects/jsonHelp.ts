import * as vscode from 'vscode';
import type { Documents } from './documents.js';
import type { CompletionItem } from './json.js';
import { jsonHelper } from './marks.js';
import { SCHEME } from './places.js';

const SELECTOR = { language: 'mailroom', scheme: SCHEME };
const rangeOf = ({ start, end }: { start: Point; end: Point }) =>
  new vscode.Range(start.line, start.character, end.line, end.character);
interface Point {
  line: number;
  character: number;
}

/** Completion and hover over the JSON of an object, from what its fields say. */
export function registerJsonHelp(documents: Documents): vscode.Disposable {
  const helperOf = async ({ uri }: vscode.TextDocument) => {
    const one = documents.get(uri);
    return one && jsonHelper(one.editing.fields);
  };
  return vscode.Disposable.from(
    vscode.languages.registerCompletionItemProvider(
      SELECTOR,
      {
        async provideCompletionItems(document, { line, character }) {
          const helper = await helperOf(document);
          return ((await helper?.complete(document.getText(), line, character)) ?? []).map(completion);
        },
      },
      '"',
      ':',
      ' ',
    ),
    vscode.languages.registerHoverProvider(SELECTOR, {
      async provideHover(document, { line, character }) {
        const found = await (await helperOf(document))?.hover(document.getText(), line, character);
        return (
          found &&
          new vscode.Hover(
            found.lines.map(text => new vscode.MarkdownString(text)),
            found.range && rangeOf(found.range),
          )
        );
      },
    }),
  );
}

/** An item of the language service as one of VS Code's. Both count kinds in the same order, one of them from 1. */
function completion(given: CompletionItem): vscode.CompletionItem {
  const { label, kind, detail, documentation, insertText, textEdit, filterText, sortText, insertTextFormat } = given;
  const item = new vscode.CompletionItem(label, (kind ?? 1) - 1);
  const text = textEdit?.newText ?? insertText ?? label;
  const about = documentation;
  item.insertText = insertTextFormat === 2 ? new vscode.SnippetString(text) : text;
  if (textEdit && 'range' in textEdit) item.range = rangeOf(textEdit.range);
  if (detail !== undefined) item.detail = detail;
  if (about !== undefined)
    item.documentation = typeof about === 'string' ? about : new vscode.MarkdownString(about.value);
  if (filterText !== undefined) item.filterText = filterText;
  if (sortText !== undefined) item.sortText = sortText;
  return item;
}
