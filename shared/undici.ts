/** The HTTP library, loaded with the first request: evaluating it is most of what the core costs. */
export const undici = () => (library ??= import('undici'));
let library: Promise<typeof import('undici')> | undefined;

/**
 * A `Dispatcher` of undici 7 or newer (handlers have `onRequestStart`), as far as whoever brings one must know it. The
 * library's own types stay inside the package, which bundles it.
 */
export interface HttpDispatcher {
  dispatch(options: any, handler: any): boolean;
  close(): Promise<void>;
  destroy(): Promise<void>;
}
