import * as vscode from 'vscode';
import { splitName } from '../../shared/index.js';
import { isConversation, isMailbox, operationOf } from '../fields/tables.js';
import { inSentence, plural, t, title, withoutMarkup } from '../host/text.js';
import { window } from '../host/window.js';
import { operationFor, type Target } from './target.js';

/**
 * Asks before something is destroyed, naming it and what goes with it; for mailboxes and what holds them by typing the
 * name, for several the number.
 */
export async function confirm(targets: readonly Target[], name: string): Promise<boolean> {
  const first = targets[0]!;
  const operation = operationFor(first, name);
  const [resource, verb] = splitName(name);
  const many = targets.length > 1;
  const providers = [...new Set(targets.map(one => one.account.provider))];
  // What was taken off a list or unlinked is no object that is gone: what undoes it stands beside it.
  const own = verb === 'delete';
  const back = verb.replace(/^remove/, 'add').replace(/^unlink/, 'link');
  const undo =
    back !== verb && providers.every(one => operationOf(one, `${resource}.${back}`))
      ? back.startsWith('add')
        ? t('You can add it again.')
        : t('You can link it again.')
      : operation.input.forever
        ? t('It moves to the trash. If it is already there, it is deleted permanently.')
        : !providers.every(one => operationOf(one, `${resource}.restore`))
          ? t('This cannot be undone.')
          : many
            ? t('They can be restored as long as the deletion is only scheduled.')
            : t('It can be restored as long as the deletion is only scheduled.');
  const outlook = [verb === 'delete' ? lossOf(resource, providers.map(one => one.name).join(', ')) : '', undo]
    .filter(Boolean)
    .join(' ');
  const button = !own
    ? title(verb)
    : many
      ? t('{0} {1} {2}', title(verb), targets.length, inSentence(plural(resource)))
      : t('{0} {1}', title(verb), inSentence(title(resource)));
  const names = [
    ...targets.slice(0, 10).map(one => one.label),
    ...(targets.length > 10 ? [t('and {0} more', targets.length - 10)] : []),
  ];
  const byTyping =
    verb === 'delete' &&
    /(mailbox|domain|tenant)$/i.test(resource) &&
    vscode.workspace.getConfiguration('mailroom').get<string>('confirmDelete', 'type') === 'type';
  if (byTyping) {
    // What is compared is what is shown.
    const wanted = many ? String(targets.length) : withoutMarkup(first.label);
    const prompt = t('Type {0} to confirm. {1}', wanted, many ? `${outlook}\n${names.join(', ')}` : outlook);
    const typed = await window.showInputBox({
      title: `${many ? button : operation.summary} · ${[...new Set(targets.map(one => one.account.name))].join(', ')}`,
      ignoreFocusOut: true,
      placeHolder: wanted,
      prompt,
      validateInput: value =>
        value === wanted ? undefined : { message: prompt, severity: vscode.InputBoxValidationSeverity.Info },
    });
    return typed === wanted;
  }
  const question = !own ? t('{0}?', operation.summary) : many ? `${button}?` : t('{0} “{1}”?', button, first.label);
  const detail = `${many || !own ? `${names.join('\n')}\n\n` : ''}${own ? `${operation.summary}. ` : ''}${outlook}`;
  return (await window.showWarningMessage(question, { modal: true, detail }, button)) === button;
}

/** What goes along with an object that is deleted, in a sentence; empty where there is nothing beside it. */
function lossOf(resource: string, provider: string): string {
  if (isMailbox(resource)) return t('Mail and settings that {0} keeps for a mailbox are lost with it.', provider);
  if (/^(domain|tenant)$/.test(resource))
    return t('Everything below it is lost too: mailboxes with their mail, aliases and settings.');
  if (resource === 'folder') return t('The messages in a folder are lost with it.');
  if (resource === 'alias') return t('Mail to the address of an alias no longer arrives.');
  if (isConversation(resource)) return t('All messages of a conversation are lost with it.');
  return '';
}
