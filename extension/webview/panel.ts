import { randomBytes } from 'node:crypto';
import * as vscode from 'vscode';
import { isMailError } from '../../shared/index.js';
import { explain } from '../host/problems.js';
import { t } from '../host/text.js';
import { PAGE_WORDS, readToHost, type Ask, type FormIssue, type Kept, type ToPage } from './messages.js';
import { policyOf, type Page } from './policy.js';

interface PageOptions {
  page: Page;
  extension: vscode.Uri;
  keep?: Kept;
  /**
   * What stands in the way of filling a page that came back by itself, with the button that goes on; asked until that
   * was chosen.
   */
  hold?: (() => Promise<{ message: string; button?: string } | undefined>) | undefined;
  /** Called when the page is there, also after it was hidden and built anew; `ask` where the user asks for it again. */
  ready(again?: 'ask'): void | Promise<void>;
  /** Answers a request; what it throws is told to the page. */
  answer(ask: Ask): unknown;
  /** For the page that shows mail: remote pictures may be loaded. */
  images?: boolean;
}
export interface Connected {
  post(message: ToPage): void;
  render(images: boolean): void;
  readonly alive: boolean;
}

/**
 * Fills a webview with one of our pages and answers it. Nothing is posted before the page is ready; what finds it gone
 * is dropped.
 */
export function connectPage(
  webview: vscode.Webview,
  onGone: vscode.Event<void>,
  { page, extension, ready, answer, images = false, keep, hold }: PageOptions,
): Connected {
  const folder = vscode.Uri.joinPath(extension, 'dist', 'extension', 'pages');
  webview.options = { enableScripts: true, localResourceRoots: [folder] };
  let alive = true;
  let there = false;
  let go = hold === undefined;
  const post = (message: ToPage) => {
    if (alive && there) void webview.postMessage(message);
  };
  const listening = webview.onDidReceiveMessage(async (given: unknown) => {
    const message = readToHost(given);
    if (!message) return;
    if (message.type === 'ready') {
      there = true;
      post({
        type: 'words',
        words: Object.fromEntries(PAGE_WORDS.map(word => [word, t(word)])),
        ...(keep ? { keep } : {}),
      });
      try {
        const held = go ? undefined : await hold?.();
        if (held) {
          post({ type: 'held', ...held });
          return;
        }
        await fill();
      } catch (error) {
        const why = explain(page, error);
        post({ type: 'held', message: why ?? t('Cancelled.'), button: t('Retry') });
      }
      return;
    }
    try {
      if (message.ask.do === 'again') await fill('ask');
      const value = message.ask.do === 'again' ? undefined : await answer(message.ask);
      post({ type: 'reply', id: message.id, ok: true, ...(value === undefined ? {} : { value }) });
    } catch (error) {
      const issues: FormIssue[] | undefined = isMailError(error) ? error.details.issues : undefined;
      const why = explain(page, error);
      // Whoever cancelled knows it.
      if (why === undefined) post({ type: 'reply', id: message.id, ok: true });
      else post({ type: 'reply', id: message.id, ok: false, message: why, ...(issues?.length ? { issues } : {}) });
    }
  });
  const fill = async (again?: 'ask'): Promise<void> => {
    go = true;
    await ready(again);
  };
  const gone = onGone(() => {
    alive = false;
    listening.dispose();
    gone.dispose();
  });
  const render = (withImages: boolean) => {
    there = false;
    const nonce = randomBytes(16).toString('base64');
    const script = webview.asWebviewUri(vscode.Uri.joinPath(folder, `${page}.page.js`));
    const style = webview.asWebviewUri(vscode.Uri.joinPath(folder, 'style.css'));
    webview.html =
      '<!DOCTYPE html>\n' +
      `<html lang="${escapeText(vscode.env.language)}">\n` +
      `<head><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="${escapeText(policyOf(page, withImages, nonce, webview.cspSource))}">` +
      '<meta name="viewport" content="width=device-width, initial-scale=1">\n' +
      `<link rel="stylesheet" href="${escapeText(style.toString())}"><title>Mailroom</title></head>\n` +
      `<body><script nonce="${nonce}" src="${escapeText(script.toString())}"></script></body></html>`;
  };
  render(images);
  return {
    post,
    render,
    get alive() {
      return alive;
    },
  };
}
const escapeText = (text: string): string => text.replace(/[&<>"']/g, c => `&#${c.charCodeAt(0)};`);

const open = new Map<string, { panel: vscode.WebviewPanel; again?: () => void }>();
interface PanelOptions extends PageOptions {
  /** One panel per identity: asked for again, it is shown again. */
  identity: string;
  title: string;
  icon?: string;
  find?: boolean;
  again?: () => void;
  column?: vscode.ViewColumn;
  onClosed?: () => void;
  /** The kind of panel, where it is not the page's own: what comes back after a restart is told apart by it. */
  type?: string;
  /** A panel that came back after a restart, to be filled. */
  panel?: vscode.WebviewPanel | undefined;
}
/** A panel that came back after a restart, and what to ask before it is filled. */
export type Back = Pick<PanelOptions, 'panel' | 'hold'>;
/** A panel of its own for a page; undefined where it was there already and is shown again. */
export function openPanel(options: PanelOptions): { panel: vscode.WebviewPanel; connected: Connected } | undefined {
  const there = open.get(options.identity);
  if (there) {
    options.panel?.dispose();
    there.panel.reveal();
    there.again?.();
    return undefined;
  }
  const panel =
    options.panel ??
    vscode.window.createWebviewPanel(
      options.type ?? `mailroom.${options.page}`,
      options.title,
      options.column ?? vscode.ViewColumn.Active,
      { enableFindWidget: options.find === true },
    );
  if (options.icon) panel.iconPath = new vscode.ThemeIcon(options.icon) as never;
  open.set(options.identity, { panel, ...(options.again ? { again: options.again } : {}) });
  panel.onDidDispose(() => {
    open.delete(options.identity);
    options.onClosed?.();
  });
  return { panel, connected: connectPage(panel.webview, panel.onDidDispose, options) };
}
export const closePanel = (identity: string): void => open.get(identity)?.panel.dispose();
