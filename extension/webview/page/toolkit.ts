import { provideVSCodeDesignSystem, vsCodeProgressRing } from '@vscode/webview-ui-toolkit';

/**
 * The one file that knows the widget toolkit, which is no longer developed. It weighs 60 kB, so only a page that needs
 * a control the browser does not have loads it; what browsers have themselves is used everywhere else.
 */
provideVSCodeDesignSystem().register(vsCodeProgressRing());

/**
 * A ring that turns as long as something is read. What is read stands beside it in words, which is what is read aloud.
 */
export function progressRing(): HTMLElement {
  const ring = document.createElement('vscode-progress-ring');
  ring.setAttribute('aria-hidden', 'true');
  return ring;
}
