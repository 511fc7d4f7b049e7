import * as vscode from 'vscode';
import { editingOf, list, readSettingsIndex, SETTINGS_INDEX, text, type Fields } from '../../shared/index.js';
import { localizedFields, localizedProviders } from '../fields/localized.js';
import { labelOfDocument, readText } from '../fields/values.js';
import { inTurn, writeValue } from '../form/edits.js';
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
            title: labelOfDocument(uri),
            message: t('This file was not pulled from an account. Open it as text.'),
          });
      },
      async answer(ask) {
        if (ask.do === 'edit' && pulled && Object.hasOwn(pulled.fields, ask.field))
          await inTurn(document, () => writeValue(document, ask.field, ask.value));
        if (ask.do === 'save') await document.save();
        if (ask.do === 'action' && Object.hasOwn(COMMANDS, ask.action))
          await vscode.commands.executeCommand(COMMANDS[ask.action as keyof typeof COMMANDS], uri, 'default');
        return undefined;
      },
    });
    const listening: vscode.Disposable[] = [];
    let closed = false;
    const fill = async () => {
      pulled = (await pulledOf(uri)) ?? pulled;
      if (pulled) connected.post({ type: 'form', form: formOf(document, pulled) });
    };
    void rootOf(uri).then(found => {
      if (!found || closed) return;
      // A pull and an apply change what the values are compared with.
      const watcher = vscode.workspace.createFileSystemWatcher(new vscode.RelativePattern(found.root, SETTINGS_INDEX));
      listening.push(watcher, watcher.onDidChange(fill), watcher.onDidCreate(fill));
    });
    listening.push(
      vscode.workspace.onDidChangeTextDocument(event => {
        if (event.document !== document || !pulled) return;
        const { values, readonly, issues } = stateOf(document, pulled.base);
        connected.post({
          type: 'values',
          values,
          base: pulled.base,
          issues,
          typing: true,
          ...(readonly ? { readonly } : {}),
        });
      }),
    );
    panel.onDidDispose(() => {
      closed = true;
      for (const one of listening) one.dispose();
    });
  },
});

/** What the buttons of the form stand for. */
const COMMANDS = {
  compare: 'mailroom.compareSettings',
  apply: 'mailroom.applySettings',
  json: 'vscode.openWith',
} as const;
async function pulledOf(uri: vscode.Uri): Promise<Pulled | undefined> {
  const found = await rootOf(uri);
  const index = found && (await readSettingsIndex(settingsFolder(found.root)));
  if (!found || !index) return undefined;
  const provider = localizedProviders().find(({ id }) => id === index.provider);
  const one = Object.hasOwn(index.documents, found.path) ? index.documents[found.path] : undefined;
  if (!provider || !one) return undefined;
  const editing = editingOf(provider, one.resource, { refs: one.refs, choices: one.choices ?? {} });
  // A list of bare texts has no operation that changes it as a whole.
  const fields = editing?.fields ?? localizedFields({ entries: list('Entries', text('Entry')) });
  return { fields, base: one.base, resource: one.resource };
}
/** A value that the file leaves out is the one that was pulled. */
function stateOf(
  document: vscode.TextDocument,
  base: Values,
): { values: Values; readonly?: string; issues: FormIssue[] } {
  try {
    return { values: { ...base, ...readText(document.getText()) }, issues: [] };
  } catch (error) {
    return { values: base, issues: [], readonly: t('{0} Correct it in the JSON view.', (error as Error).message) };
  }
}
function formOf(document: vscode.TextDocument, { fields, base, resource }: Pulled): FormModel {
  return {
    mode: 'document',
    title: labelOfDocument(document.uri),
    subtitle: [title(resource), t('file')].join(' · '),
    groups: render(fields, { pickable: () => false, general: t('General') }),
    ...stateOf(document, base),
    base,
    actions: [
      { id: 'compare', label: t('Compare with Server') },
      { id: 'apply', label: t('Apply…') },
      { id: 'json', label: t('JSON') },
    ],
  };
}
