import * as vscode from 'vscode';
import { isMailError, splitName, type Provider } from '../../shared/index.js';
import { isLentId, type Accounts } from '../accounts/store.js';
import { actionsOn, isSingle, labelOf, operationOf, VERBS, type Binding } from '../fields/tables.js';
import { labelOfDocument, readText, secretsOf } from '../fields/values.js';
import { inTurn, writeValue } from '../form/edits.js';
import { render } from '../form/render.js';
import { t, title } from '../host/text.js';
import { makesSense, stateLabel, statusOf } from '../tree/model.js';
import type { Action, FormModel, Picked, Values } from '../webview/messages.js';
import { connectPage } from '../webview/panel.js';
import type { Documents, Loaded } from './documents.js';

interface EditorOptions {
  extension: vscode.Uri;
  accounts: Accounts;
  documents: Documents;
  /** Runs what a button of the form stands for. */
  act(uri: vscode.Uri, action: string): Promise<void>;
  /** Lets the user pick an object for a field. */
  pick(one: Loaded, field: string, values: Values): Promise<Picked | undefined>;
}

/**
 * The form over an object's document. The document is the truth: every change is an edit of it, so undo, the dirty mark
 * and hot exit are VS Code's.
 */
export function createEditor({
  extension,
  accounts,
  documents,
  act,
  pick,
}: EditorOptions): vscode.CustomTextEditorProvider {
  return {
    resolveCustomTextEditor(document, panel) {
      const { uri } = document;
      const connected = connectPage(panel.webview, panel.onDidDispose, {
        page: 'form',
        extension,
        async ready(again) {
          const sandbox = isLentId(documents.placeOf(uri)?.account ?? '');
          if (again && documents.accountGone(uri)) {
            await vscode.commands.executeCommand(sandbox ? 'mailroom.addSandboxAccount' : 'mailroom.addAccount');
          }
          try {
            fill(await documents.load(uri, again));
          } catch (error) {
            const button = documents.accountGone(uri)
              ? sandbox
                ? t('Add Sandbox Account')
                : t('Add Account')
              : isMailError(error) && error.code === 'unauthorized'
                ? t('Sign In')
                : t('Retry');
            connected.post({ type: 'held', title: labelOfDocument(uri), message: (error as Error).message, button });
          }
        },
        async answer(ask) {
          switch (ask.do) {
            case 'edit':
              await inTurn(document, () => edit(documents, document, ask.field, ask.value));
              return undefined;
            case 'save':
              await document.save();
              return undefined;
            case 'action':
              await act(uri, ask.action);
              return undefined;
            case 'pick':
              return pick(await documents.load(uri), ask.field, ask.values);
            default:
              return undefined;
          }
        },
      });
      /** Tells the menu in the title what the form in sight can do. */
      const able = (model: FormModel) => {
        const can = model.actions.map(({ id }) => id).join(';');
        if (panel.active) void vscode.commands.executeCommand('setContext', 'mailroom.formCan', can);
      };
      const fill = (one: Loaded) => {
        const model = formOf(accounts, document, one);
        connected.post({ type: 'form', form: model });
        able(model);
      };
      const refill = () => {
        const one = documents.get(uri);
        if (one) fill(one);
      };
      const post = (how: { typing?: boolean; refused?: boolean }) => {
        const one = documents.get(uri);
        if (one)
          connected.post({
            type: 'values',
            ...valuesOf(document, one),
            base: one.base ?? one.values,
            issues: one.issues,
            ...how,
          });
      };
      const listening = [
        vscode.workspace.onDidChangeTextDocument(event => {
          if (event.document === document) post({ typing: true });
        }),
        vscode.workspace.onDidSaveTextDocument(saved => {
          if (saved === document && !documents.unsaved(saved)) refill();
        }),
        documents.problems(({ uri: changed, ...how }) => {
          if (changed.toString() === uri.toString()) post(how);
        }),
        documents.form(uri, () => panel.visible),
        panel.onDidChangeViewState(() => {
          const one = documents.get(uri);
          if (one) able(formOf(accounts, document, one));
        }),
        documents.renewed(changed => {
          if (changed.query === uri.query) refill();
        }),
      ];
      panel.onDidDispose(() => {
        for (const one of listening) one.dispose();
      });
    },
  };
}

/** The values that a document's text holds; while it is broken, those that were saved last. */
function valuesOf(document: vscode.TextDocument, one: Loaded): { values: Values; readonly?: string } {
  try {
    return { values: readText(document.getText()) };
  } catch (error) {
    return {
      values: one.values,
      readonly: t(
        '{0} Correct it in the JSON view. Until then, the form shows what was last saved.',
        (error as Error).message,
      ),
    };
  }
}
function formOf(accounts: Accounts, document: vscode.TextDocument, one: Loaded): FormModel {
  const { values, readonly } = valuesOf(document, one);
  const { resource } = one.place;
  const account = accounts.list().find(({ id }) => id === one.place.account);
  const provider = account?.provider;
  const status = statusOf(one.item);
  return {
    mode: 'document',
    title: provider && isSingle(provider, resource) ? labelOfDocument(document.uri) : labelOf(resource, one.item),
    subtitle: [title(resource), status && stateLabel(status), account?.name].filter(Boolean).join(' · '),
    groups: render(one.editing.fields, {
      pickable: ref => provider !== undefined && operationOf(provider, `${ref}.list`) !== undefined,
      general: t('General'),
    }),
    values,
    base: one.base ?? one.values,
    issues: one.issues,
    actions: provider ? actions(one, provider) : [],
    ...(readonly ? { readonly } : {}),
  };
}
/** Writes the value of a field into a document. */
async function edit(documents: Documents, document: vscode.TextDocument, field: string, value: unknown): Promise<void> {
  const {
    editing: { fields },
  } = await documents.load(document.uri);
  if (!Object.hasOwn(fields, field)) throw new Error(t('There is no field “{0}” here.', field));
  await writeValue(document, field, value);
}

/** What can be done with the object of a form, beyond what the form does itself. */
const actionsOf = (provider: Provider, resource: string, binding: Binding): string[] =>
  actionsOn(provider, resource, binding).filter(
    name => name !== `${resource}.update` && makesSense(name, binding.item ?? {}),
  );
const PLACED = new Set([...Object.values(VERBS).flat(), 'delete', 'remove']);
/** Whether an operation stands in the menu of the object's row by itself, and not only among all others. */
const hasPlace = (name: string, resource: string): boolean => {
  const [of, verb] = splitName(name);
  return name === 'sync.start' || name === 'message.sendFrom' || (of === resource && PLACED.has(verb));
};

/** What a form offers behind a button for all that has no place of its own. */
export const othersOf = (provider: Provider, resource: string, binding: Binding): string[] =>
  actionsOf(provider, resource, binding).filter(name => !hasPlace(name, resource));

/** The buttons of a form: what stands in the menu of the row, all else behind one, and what destroys last. */
function actions({ place: { resource }, binding, item }: Loaded, provider: Provider): Action[] {
  const all = actionsOf(provider, resource, { ...binding, item });
  const placed = all.filter(name => hasPlace(name, resource));
  const destroys = (name: string) => operationOf(provider, name)!.effect === 'destroy';
  const label = (name: string) =>
    name === 'sync.start'
      ? t('Synchronize Now')
      : name === 'message.sendFrom'
        ? t('New Message')
        : title(splitName(name)[1]);
  return [
    ...(Object.keys(secretsOf(provider, resource)).length ? [{ id: 'password', label: t('Change Password…') }] : []),
    ...placed.filter(name => !destroys(name)).map(id => ({ id, label: label(id) })),
    { id: 'json', label: t('JSON') },
    ...(all.length > placed.length ? [{ id: 'more', label: t('More…') }] : []),
    ...placed.filter(destroys).map(id => ({ id, label: `${label(id)}…` })),
  ];
}
