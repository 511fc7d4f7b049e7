import * as vscode from 'vscode';
import type { Proxies } from '../../shared/index.js';

/** The settings that decide how requests leave this machine; a workspace cannot change them. */
const PARTS = [
  'http.proxy',
  'http.noProxy',
  'http.proxyStrictSSL',
  'http.proxyAuthorization',
  'http.proxySupport',
] as const;

/**
 * VS Code's own proxy settings. Without `http.proxy` the environment counts; with `http.proxySupport` off nothing does.
 */
export function proxySettings(): Proxies {
  const http = vscode.workspace.getConfiguration('http');
  if (http.get<string>('proxySupport') === 'off') return { except: ['*'] };
  const url = http.get<string>('proxy')?.trim();
  const authorization = http.get<string | null>('proxyAuthorization');
  return {
    except: http.get<string[]>('noProxy') ?? [],
    strict: http.get<boolean>('proxyStrictSSL') !== false,
    ...(url ? { url } : {}),
    ...(authorization ? { authorization } : {}),
  };
}
/** Calls back when one of them was changed. */
export const onProxySettings = (changed: () => void): vscode.Disposable =>
  vscode.workspace.onDidChangeConfiguration(event => {
    if (PARTS.some(part => event.affectsConfiguration(part))) changed();
  });
