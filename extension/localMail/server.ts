import { join } from 'node:path';
import type * as vscode from 'vscode';
import { startMailServer, type MailServer, type MailServerOptions, type Misbehaviour } from '../../shared/index.js';
import type { Accounts } from '../accounts/store.js';
import { t } from '../host/text.js';
import { isOn } from './misbehave.js';

interface LocalMailOptions {
  accounts: Accounts;
  /** Where mail is kept, on this machine. */
  folder: string;
  /** Remembers for this workspace that the server runs, so that it does again when the window comes back. */
  state: Pick<vscode.Memento, 'get' | 'update'>;
  log: Pick<vscode.LogOutputChannel, 'info' | 'error'>;
  start?: (options: MailServerOptions) => Promise<MailServer>;
}
export type LocalMail = ReturnType<typeof createLocalMail>;

/** The id of its account. */
export const LOCAL_MAIL = 'local-mail';
const RUNS = 'localMail';
/** What it has of all that servers of its kind may have: no rules, for it has no ManageSieve, and no quota. */
const HAS = ['folder', 'message', 'thread', 'attachment'] as const;

/** The mail server of this window and its account. Its code is loaded when it is started. */
export function createLocalMail({
  accounts,
  folder,
  state,
  log,
  start = options => startMailServer(options),
}: LocalMailOptions) {
  let running: Promise<MailServer> | undefined;
  let resumed = false;
  const ports = ({ smtp, imap }: MailServer) => ({ smtp: smtp.port, imap: imap.port });
  const show = (server: MailServer): void => {
    const { smtp, imap } = ports(server);
    const { provider, account } = server;
    const on = isOn(server.misbehaving);
    accounts.lendLocal(
      LOCAL_MAIL,
      t('Local Mail'),
      { provider, account, has: HAS },
      [t('SMTP {0}, IMAP {1}', String(smtp), String(imap)), ...on].join(' · '),
    );
  };
  /** Starts it; once, however often it is asked for. Mail that came to the same port before is there again. */
  function begin(): Promise<MailServer> {
    running ??= start({ folder: port => join(folder, String(port)) }).then(async server => {
      log.info(
        `local mail server: SMTP ${server.smtp.port}, IMAP ${server.imap.port}, ${server.messages} messages kept`,
      );
      show(server);
      await state.update(RUNS, true);
      return server;
    });
    running.catch(() => {
      running = undefined;
    });
    return running;
  }
  return {
    begin,
    /** The server, if it runs. */
    now: async (): Promise<MailServer | undefined> => running,
    /** Starts again what ran when the window closed. */
    resume(): void {
      if (resumed || running) return;
      resumed = true;
      if (state.get<boolean>(RUNS, false))
        begin().catch((error: unknown) => log.error('local mail server: not started again', String(error)));
    },
    async misbehave(how: Misbehaviour): Promise<void> {
      const server = await running;
      if (!server) return;
      server.misbehave(how);
      show(server);
    },
    async end(): Promise<void> {
      const server = await running?.catch(() => undefined);
      running = undefined;
      accounts.giveBack(LOCAL_MAIL);
      await state.update(RUNS, undefined);
      await server?.close();
    },
    /** The window closes: the server goes, and comes back with it. */
    dispose(): void {
      const old = running;
      running = undefined;
      void old?.then(server => server.close()).catch(() => {});
    },
  };
}
