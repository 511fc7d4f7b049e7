import Module from 'node:module';

/** As much of VS Code as a unit test brings along; what is not there is undefined. */
export const vscode: Record<string, any> = {
  CancellationError: class extends Error {
    override name = 'Canceled';
  },
  ThemeIcon: class {
    constructor(readonly id: string) {}
  },
  ViewColumn: { Active: -1 },
  env: { language: 'en' },
  window: {},
  commands: {},
  StatusBarAlignment: { Left: 1, Right: 2 },
  workspace: {},
  ProgressLocation: { Notification: 15 },
  InputBoxValidationSeverity: { Info: 1 },
  EventEmitter: class {
    event = () => ({ dispose() {} });
    fire() {}
    dispose() {}
  },
  TreeItemCollapsibleState: { None: 0, Collapsed: 1 },
  TreeItem: class {
    constructor(
      readonly label: unknown,
      readonly collapsibleState: number,
    ) {}
  },
  Uri: {
    from: (parts: object) => parts,
    joinPath: (base: unknown, ...parts: string[]) => ({ toString: () => [String(base), ...parts].join('/') }),
  },
};
// Import this before what imports `vscode`.
const loader = Module as unknown as { _load(request: string, ...rest: unknown[]): unknown };
const load = loader._load;
loader._load = (request, ...rest) => (request === 'vscode' ? vscode : load.call(Module, request, ...rest));
