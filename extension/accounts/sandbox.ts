/** The pretended providers as accounts, one JSON line each, running until they are closed. */
interface Running {
  lines: string;
  close(): Promise<void>;
}

let running: Promise<Running> | undefined;
/**
 * Starts every pretended provider on this machine, inside the extension host; once, however often it is asked for. Its
 * file is read only then.
 */
export function startSandbox(): Promise<Running> {
  running ??= (async () => {
    const file = './sandbox.js';
    const loaded = (await import(file)) as { start?: () => Promise<Running>; default?: { start(): Promise<Running> } };
    return (loaded.start ?? loaded.default!.start)();
  })();
  running.catch(() => {
    running = undefined;
  });
  return running;
}
export const stopSandbox = async (): Promise<void> => {
  await (await running?.catch(() => undefined))?.close();
  running = undefined;
};
