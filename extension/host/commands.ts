import * as vscode from 'vscode';
import type { Problems } from './problems.js';
import { window } from './window.js';

/** Registers a command of ours by its name without the prefix. */
export type Register = (name: string, run: (...args: any[]) => unknown) => void;
interface RegisterOptions {
  context: vscode.ExtensionContext;
  log: vscode.LogOutputChannel;
  problems: Problems;
  /** What a command was called on: in words, and the account it belongs to. */
  about(on: unknown): { name?: string | undefined; account?: string | undefined; id?: string | undefined };
}

/** The one way to register a command: a log line, one error handling, no double run, all arguments passed on. */
export function createRegister({ context, log, problems, about }: RegisterOptions): Register {
  const running = new Set<string>();
  const manifest = context.extension.packageJSON as { contributes: { commands: { command: string; title: string }[] } };
  const titles = new Map(manifest.contributes.commands.map(one => [one.command, one.title.replace(/…$/, '')]));
  return (name, run) => {
    const command = `mailroom.${name}`;
    context.subscriptions.push(
      vscode.commands.registerCommand(command, async (...args: unknown[]) => {
        const { name: on, account, id } = about(args[0]);
        const key = `${name} ${id ?? String(args[0] ?? '')}`;
        if (running.has(key)) return undefined;
        running.add(key);
        log.debug(command);
        try {
          return await run(...args);
        } catch (error) {
          problems.tell(titles.get(command) ?? name, error, { on, ...(account === undefined ? {} : { account }) });
          return undefined;
        } finally {
          running.delete(key);
        }
      }),
    );
  };
}

/** Work with its progress shown in the view of the accounts. */
export const inView = <T>(work: () => Thenable<T>): Thenable<T> =>
  window.withProgress({ location: { viewId: 'mailroom.accounts' } }, work);
