import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { fieldsOf } from '../../extension/accounts/store.js';
import { PAGE_WORDS } from '../../extension/webview/messages.js';
import { plural, title } from '../../extension/host/text.js';
import { providers, splitName, type Field, type Operation } from '../../shared/index.js';

/** What the extension says, for translators: `npm run golden` writes it to `l10n/bundle.l10n.json`; a test compares. */
const root = join(__dirname, '../..');
const file = join(root, 'l10n/bundle.l10n.json');
const sources = () =>
  readdirSync(join(root, 'extension'), { recursive: true, encoding: 'utf8' })
    .filter(one => one.endsWith('.ts'))
    .map(one => join(root, 'extension', one));

/** Every text given to `t`, found in the syntax so that nothing is missed. */
function inCode(): string[] {
  const found: string[] = [];
  for (const path of sources()) {
    const visit = (node: ts.Node): void => {
      if (
        ts.isCallExpression(node) &&
        ts.isIdentifier(node.expression) &&
        node.expression.text === 't' &&
        node.arguments[0] &&
        ts.isStringLiteralLike(node.arguments[0])
      )
        found.push(node.arguments[0].text);
      ts.forEachChild(node, visit);
    };
    visit(ts.createSourceFile(path, readFileSync(path, 'utf8'), ts.ScriptTarget.Latest, true));
  }
  return found;
}
const ofField = (field: Field): string[] =>
  [
    field.label,
    field.help,
    field.group,
    ...(field.type === 'choice' ? Object.values(field.choices) : []),
    ...(field.type === 'list' ? ofField(field.of) : []),
  ].filter((text): text is string => typeof text === 'string' && text !== '');
/** What the tables of the providers say: fields, choices, sentences of operations, names of resources and verbs. */
export const inTables = (): string[] =>
  providers.flatMap(provider => [
    ...(provider.notice ? [provider.notice] : []),
    ...Object.values(fieldsOf(provider)).flatMap(ofField),
    ...Object.entries(provider.operations as Record<string, Operation>).flatMap(([name, { summary, input }]) => {
      const [resource, verb] = splitName(name);
      return [summary, title(resource), plural(resource), title(verb), ...Object.values(input).flatMap(ofField)];
    }),
  ]);
/** What the extension says by itself. */
export const inExtension = (): string[] => [...new Set<string>([...PAGE_WORDS, ...inCode()])];
/** All of it, sorted, each once. */
export const spoken = (): string[] => [...new Set([...inExtension(), ...inTables()])].sort();

if (process.argv.includes('--write'))
  writeFileSync(file, `${JSON.stringify(Object.fromEntries(spoken().map(text => [text, text])), null, 2)}\n`);
