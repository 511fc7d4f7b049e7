import Module, { createRequire } from 'node:module';

/** A module of the extension, loaded anew with this in place of `vscode`; the path is seen from this folder. */
export function loadWith<T>(fake: object, path: string): T {
  const loader = Module as unknown as { _load(name: string, ...rest: unknown[]): unknown }, real = loader._load, require = createRequire(__filename);
  for (const one of Object.keys(require.cache)) if (/[\\/]extension[\\/]/.test(one) && !/[\\/]test[\\/]/.test(one)) delete require.cache[one];
  loader._load = (name, ...rest) => name === 'vscode' ? fake : real.call(loader, name, ...rest);
  try { return require(path) as T; } finally { loader._load = real; }
}
