import * as vscode from 'vscode';
import type { MailServer } from '../../shared/index.js';
import { inView, type Register } from '../host/commands.js';
import { t } from '../host/text.js';
import { window } from '../host/window.js';
import { askMisbehaviour, isOn } from './misbehave.js';
import type { LocalMail } from './server.js';
import { FORMATS } from './settings.js';

interface Parts {
  register: Register;
  localMail: LocalMail;
  /** Opens the list of what came. */
  showMail(): Promise<void>;
}

/** The commands of the local mail server. */
export function registerLocalMailCommands({ register, localMail, showMail }: Parts): void {
  /** The server, or an offer to start it. */
  const running = async (): Promise<MailServer | undefined> => {
    const server = await localMail.now();
    if (server) return server;
    const button = t('Start Local Mail Server');
    return (await window.showInformationMessage(t('The local mail server is not running.'), button)) === button
      ? inView(() => localMail.begin())
      : undefined;
  };
  const copy = async (server: MailServer): Promise<void> => {
    const picked = await window.showQuickPick(FORMATS, {
      title: t('Copy Mail Settings'),
      placeHolder: t('For which program?'),
    });
    if (!picked) return;
    await vscode.env.clipboard.writeText(
      picked.text({ host: server.host, smtp: server.smtp.port, imap: server.imap.port }),
    );
    window.setStatusBarMessage('check', t('Copied'), 3000);
  };
  register('startLocalMail', async () => {
    const server = await inView(() => localMail.begin());
    await vscode.commands.executeCommand('mailroom.accounts.focus');
    await showMail();
    const button = t('Copy Settings');
    void window
      .showInformationMessage(
        t(
          'The local mail server takes mail for every address at {0}, port {1}. Nothing leaves this machine.',
          server.host,
          String(server.smtp.port),
        ),
        button,
      )
      .then(picked => (picked === button ? copy(server) : undefined));
  });
  register('stopLocalMail', async () => {
    if (!(await localMail.now())) return;
    await localMail.end();
    window.setStatusBarMessage('check', t('The local mail server is stopped. Its mail is kept.'), 5000);
  });
  register('copyMailSettings', async () => {
    const server = await running();
    if (server) await copy(server);
  });
  register('misbehave', async () => {
    const server = await running();
    const how = server && (await askMisbehaviour(server.misbehaving));
    if (!how) return;
    await localMail.misbehave(how);
    const on = isOn(how);
    window.setStatusBarMessage(
      on.length ? 'warning' : 'check',
      on.length
        ? t('The local mail server simulates failures: {0}', on.join(', '))
        : t('The local mail server behaves well.'),
      5000,
    );
  });
  register('clearLocalMail', async () => {
    const server = await running();
    if (!server) return;
    const button = t('Delete All Mail');
    if (
      (await window.showWarningMessage(
        t('Delete all mail of the local mail server?'),
        { modal: true, detail: t('{0} messages are deleted. You cannot undo this.', server.messages) },
        button,
      )) === button
    )
      server.clear();
  });
}
