import * as vscode from 'vscode';
import type { Fields } from '../../shared/index.js';
import { schemaOf } from '../fields/schema.js';
import type { FormIssue } from '../webview/messages.js';
import type { JsonHelper } from './json.js';

const helpers = new WeakMap<Fields, Promise<JsonHelper>>();
/** What knows JSON of these fields. Its file is read with the first text that needs it. */
export function jsonHelper(fields: Fields): Promise<JsonHelper> {
  const known =
    helpers.get(fields) ?? import('./json.js').then(({ createJsonHelper }) => createJsonHelper(schemaOf(fields)));
  helpers.set(fields, known);
  return known;
}

/**
 * Values that are not what their fields take, or what a save was refused for, where they stand in the text; and what is
 * wrong with the JSON itself.
 */
export async function marksOf(
  fields: Fields,
  issues: readonly FormIssue[],
  text: string,
): Promise<vscode.Diagnostic[]> {
  const json = await jsonHelper(fields);
  const broken = isJson(text) ? [] : await json.mistakes(text);
  const found = broken.length
    ? broken
    : issues.map(({ field, message }) => ({ message, range: json.place(text, field) }));
  return found.map(({ message, range: { start, end } }) => {
    const one = new vscode.Diagnostic(
      new vscode.Range(start.line, start.character, end.line, end.character),
      message,
      vscode.DiagnosticSeverity.Error,
    );
    one.source = 'Mailroom';
    return one;
  });
}
/** What keeps a text from being JSON, and in which line, counted from 1; undefined where nothing does. */
export async function firstMistake(
  fields: Fields,
  text: string,
): Promise<{ message: string; line: number } | undefined> {
  const [first] = isJson(text) ? [] : await (await jsonHelper(fields)).mistakes(text);
  return first && { message: first.message, line: first.range.start.line + 1 };
}
function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
