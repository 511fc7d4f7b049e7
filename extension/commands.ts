import * as vscode from 'vscode';
import type { Accounts } from './accounts.js';
import type { RequestLog } from './log.js';
import type { BranchNode, Model, Node, NoteNode } from './model.js';
import type { Problems } from './problems.js';
import type { createAttention, createTree } from './tree.js';
import { t } from './words.js';

export interface Parts {
  context: vscode.ExtensionContext; accounts: Accounts; model: Model; tree: ReturnType<typeof createTree>; view: vscode.TreeView<Node>;
  attention: ReturnType<typeof createAttention>; problems: Problems; requests: RequestLog; log: vscode.LogOutputChannel;
}

/** Registers every command through one function: a log line, one error handling, no double run, all arguments passed on. */
export function registerCommands(parts: Parts): void {
  const { context, model, problems, log } = parts;
  const running = new Set<string>();
  const register = (name: string, run: (...args: never[]) => unknown) => {
    context.subscriptions.push(vscode.commands.registerCommand(`mailroom.${name}`, async (...args: unknown[]) => {
      const key = `${name} ${(args[0] as Node | undefined)?.id ?? ''}`;
      if (running.has(key)) return undefined;
      running.add(key);
      log.debug(`mailroom.${name}`);
      try { return await run(...args as never[]); } catch (error) {
        await problems.tell('', error, { account: (args[0] as Node | undefined)?.account?.id });
        return undefined;
      } finally { running.delete(key); }
    }));
  };
  register('refresh', async (node?: Node) => { await model.refresh(node?.kind === 'note' ? (node as NoteNode).of : node); if (!node) parts.tree.fire(undefined); });
  register('loadMore', (node: NoteNode | BranchNode) => vscode.window.withProgress({ location: { viewId: 'mailroom.accounts' } }, () => model.more(node.kind === 'note' ? node.of : node)));
  register('showLog', () => log.show());
  void t;
}
