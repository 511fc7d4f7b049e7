import { isFile, splitName } from '../../shared/index.js';
import { lastFailure } from '../fields/figures.js';
import { operationOf } from '../fields/tables.js';
import { openInBrowser } from '../host/browser.js';
import { inSentence, t, title } from '../host/text.js';
import { window } from '../host/window.js';
import { shortDate } from '../tree/model.js';
import type { Values } from '../webview/messages.js';
import { saveFile } from './files.js';
import { operationFor, type Target } from './target.js';

interface Next {
  showJson(label: string, value: unknown): Promise<void>;
  run(target: Target, operation: string): Promise<boolean>;
}

/** Says what happened, with the step that may follow. */
export async function tell(target: Target, name: string, answer: unknown, { showJson, run }: Next): Promise<void> {
  const { summary, effect } = operationFor(target, name);
  const [resource, verb] = splitName(name);
  if (isFile(answer)) {
    await saveFile(answer.name, async () => answer);
    return;
  }
  const object =
    typeof answer === 'object' && answer !== null && !Array.isArray(answer) ? (answer as Values) : undefined;
  const outcome = object?.outcome;
  if (outcome === 'unknown') {
    void window.showWarningMessage(t('{0}: it may have been done. Check before you try again.', summary));
    return;
  }
  const label = `${inSentence(title(resource))} “${target.label}”`;
  // That the vendor answered a test does not say that the test succeeded.
  if (/^(test|check)/.test(verb) && object?.status === 'error') {
    const native = object.native as ({ attributes?: Values } & Values) | undefined;
    const flat = { ...native, ...native?.attributes };
    const last = lastFailure(flat, shortDate);
    const words = Object.entries(flat)
      .filter(([key, value]) => /error|fail/i.test(key) && !/at$/i.test(key) && typeof value === 'string' && value)
      .map(([key, value]) => `${title(key)}: ${String(value)}`);
    const said = [...(last ? [`${last}.`] : []), ...words];
    void window
      .showWarningMessage(
        [t('{0}: {1} reports that {2} needs attention.', summary, target.account.provider.name, label), ...said].join(
          ' ',
        ),
        t('Show'),
      )
      .then(picked => (picked ? showJson(target.label, answer) : undefined));
    return;
  }
  if (verb === 'delete' && operationOf(target.account.provider, `${resource}.restore`)) {
    void window
      .showInformationMessage(t('The deletion of {0} is scheduled.', target.label), t('Restore'))
      .then(picked => (picked ? run(target, `${resource}.restore`) : undefined));
    return;
  }
  const link =
    object &&
    [object, object.native as Values | undefined]
      .flatMap(one => Object.entries(one ?? {}))
      .find(
        ([key, value]) =>
          /url$/i.test(key) &&
          typeof value === 'string' &&
          /^https:/.test(value) &&
          /authori[sz]|connect|redirect/i.test(key),
      );
  if (link) {
    void window
      .showInformationMessage(t('{0}: continue in your browser.', summary), t('Open Browser'))
      .then(picked => (picked ? openInBrowser(String(link[1])) : undefined));
    return;
  }
  if (
    effect === 'read' ||
    (object &&
      Object.keys({ ...object, ...(object.native as Values) }).some(key =>
        /^(secret|token|apiKey|browser_redirect_url)$/i.test(key),
      ))
  ) {
    await showJson(`${summary} ${target.label}`, answer);
    return;
  }
  window.setStatusBarMessage(
    'check',
    outcome === 'queued' ? t('{0}: queued', summary) : t('{0}: {1}', summary, verb === 'create' ? t('done') : label),
    6000,
  );
}
