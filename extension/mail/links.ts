import { openInBrowser } from '../host/browser.js';
import { t } from '../host/text.js';
import { window } from '../host/window.js';

/**
 * Opens a link of a message after its real address was shown. Only addresses of the web and of mail are opened at all.
 */
export async function followLink(address: string): Promise<void> {
  let url: URL;
  try {
    url = new URL(address);
  } catch {
    return;
  }
  if (!['http:', 'https:', 'mailto:'].includes(url.protocol)) {
    void window.showWarningMessage(t('This link does not lead to a web page, so it was not opened.'));
    return;
  }
  const shown =
    url.protocol === 'mailto:' ? url.href : `${url.protocol}//${url.host}${url.pathname}${url.search}${url.hash}`;
  const puny = /(^|\.)xn--/.test(url.hostname)
    ? `\n\n${t('The host name contains letters of another script that may imitate a known name.')}`
    : '';
  const button = t('Open Link');
  if (
    (await window.showWarningMessage(
      t('Open this link of the message?'),
      { modal: true, detail: `${shown.length > 500 ? `${shown.slice(0, 500)}…` : shown}${puny}` },
      button,
    )) === button
  )
    await openInBrowser(url.href);
}
