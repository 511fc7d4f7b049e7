import * as vscode from 'vscode';

/** More lines of a provider's words are not marked. */
const MOST = 100;

/**
 * What a provider says of a text, at the lines that it names (`line 3: …`); what names none stands at the first.
 * `valid`: they are warnings.
 */
export function marksOf(words: string, valid: boolean, text: string): vscode.Diagnostic[] {
  const lines = text.split('\n');
  const told = words
    .split(/\r?\n/)
    .map(one => one.trim())
    .filter(Boolean)
    .slice(0, MOST);
  const found = told.flatMap(one => {
    const [, line, kind, message] = /(?:^|\s)line (\d{1,7}): *(?:(error|warning): *)?(.+)$/i.exec(one) ?? [];
    return line === undefined
      ? []
      : [
          {
            line: Math.min(Number(line), lines.length),
            warns: valid || /warning/i.test(kind ?? ''),
            message: message!,
          },
        ];
  });
  return (found.length ? found : [{ line: 1, warns: valid, message: told.join(' ') || words }]).map(
    ({ line, warns, message }) => {
      const at = line - 1;
      const content = lines[at] ?? '';
      const from = content.length - content.trimStart().length;
      const range = new vscode.Range(at, from, at, Math.max(from + 1, content.trimEnd().length));
      const one = new vscode.Diagnostic(
        range,
        message,
        warns ? vscode.DiagnosticSeverity.Warning : vscode.DiagnosticSeverity.Error,
      );
      one.source = 'Mailroom';
      return one;
    },
  );
}
