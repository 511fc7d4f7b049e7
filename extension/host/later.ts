/** Runs something after so many milliseconds, unless what it gives is called. */
export type Later = (run: () => void, ms: number) => () => void;

/** By the clock, which keeps no process alive. */
export const later: Later = (run, ms) => {
  const timer = setTimeout(run, ms);
  timer.unref?.();
  return () => clearTimeout(timer);
};
