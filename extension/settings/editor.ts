import * as vscode from 'vscode';
import { editingOf, list, text, type Fields } from '../../shared/index.js';
import { localizedFields, localizedProviders } from '../fields/localized.js';
import { readText, same, textOf } from '../fields/values.js';
import { render } from '../form/render.js';
import { t, title } from '../host/text.js';
import type { FormIssue, FormModel, Values } from '../webview/messages.js';
import { connectPage } from '../webview/panel.js';
import { rootOf, settingsFolder } from './folder.js';

/** What a file is made from: the fields of its kind, and the values that were pulled. */
interface Pulled {
  fields: Fields;
  base: Values;
  resource: string;
}

/** The form over a document that is a file: it edits the text, asks no server, and a save writes the file. */
export const createSettingsEditor = ({ extension }: { extension: vscode.Uri }): vscode.CustomTextEditorProvider => ({
  resolveCustomTextEditor(document, panel) {
    const { uri } = document;
    let pulled: Pulled | undefined;
    const connected = connectPage(panel.webview, panel.onDidDispose, {
      page: 'form',
      extension,
      async ready() {
        pulled = await pulledOf(uri);
        if (pulled) connected.post({ type: 'form', form: formOf(document, pulled) });
        else
          connected.post({
            type: 'held',
            title: nameOf(uri),
            message: t('This file was not pulled from an account. Open it as text.'),
          });
      },
      async answer(ask) {
        if (ask.do === 'edit' && pulled && Object.hasOwn(pulled.fields, ask.field))
          await edit(document, ask.field, ask.value);
        if (ask.do === 'save') await document.save();
        if (ask.do === 'action')
          await vscode.commands.executeCommand(COMMANDS[ask.action as keyof typeof COMMANDS] ?? '', uri, 'default');
        return undefined;
      },
    });
    const listening = vscode.workspace.onDidChangeTextDocument(event => {
      if (event.document !== document || !pulled) return;
      const { values, readonly, issues } = stateOf(document);
      connected.post({
        type: 'values',
        values,
        base: pulled.base,
        issues,
        typing: true,
        ...(readonly ? { readonly } : {}),
      });
    });
    panel.onDidDispose(() => listening.dispose());
  },
});

/** What the buttons of the form stand for. */
const COMMANDS = {
  compare: 'mailroom.compareSettings',
  apply: 'mailroom.applySettings',
  json: 'vscode.openWith',
} as const;
const nameOf = (uri: vscode.Uri): string =>
  uri.path
    .split('/')
    .at(-1)!
    .replace(/\.mailroom$/, '');

async function pulledOf(uri: vscode.Uri): Promise<Pulled | undefined> {
  const found = await rootOf(uri);
  const index = found && (await settingsFolder(found.root).read('mailroom.json'));
  if (!found || index === undefined) return undefined;
  const given = readText(index) as {
    provider?: string;
    documents?: Record<string, { resource: string; refs: Record<string, string>; base: Values }>;
  };
  const provider = localizedProviders().find(({ id }) => id === given.provider);
  const one = given.documents && Object.hasOwn(given.documents, found.path) ? given.documents[found.path] : undefined;
  if (!provider || typeof one?.resource !== 'string' || typeof one.base !== 'object') return undefined;
  const editing = editingOf(provider, one.resource, { refs: one.refs, choices: {} });
  // A list of bare texts has no operation that changes it as a whole.
  const fields = editing?.fields ?? localizedFields({ entries: list('Entries', text('Entry')) });
  return { fields, base: one.base, resource: one.resource };
}
function stateOf(document: vscode.TextDocument): { values: Values; readonly?: string; issues: FormIssue[] } {
  try {
    return { values: readText(document.getText()), issues: [] };
  } catch (error) {
    return { values: {}, issues: [], readonly: t('{0} Correct it in the JSON view.', (error as Error).message) };
  }
}
function formOf(document: vscode.TextDocument, { fields, base, resource }: Pulled): FormModel {
  return {
    mode: 'document',
    title: nameOf(document.uri),
    subtitle: [title(resource), t('file')].join(' · '),
    groups: render(fields, { pickable: () => false, general: t('General') }),
    ...stateOf(document),
    base,
    actions: [
      { id: 'compare', label: t('Compare with Server') },
      { id: 'apply', label: t('Apply…') },
      { id: 'json', label: t('JSON') },
    ],
  };
}
/** Writes the value of a field into the document. */
async function edit(document: vscode.TextDocument, field: string, value: unknown): Promise<void> {
  const now = readText(document.getText());
  if (same(now[field], value)) return;
  const change = new vscode.WorkspaceEdit();
  change.replace(
    document.uri,
    new vscode.Range(0, 0, document.lineCount, 0),
    textOf({ ...now, [field]: value ?? null }),
  );
  if (!(await vscode.workspace.applyEdit(change))) throw new Error(t('The change could not be applied.'));
}
