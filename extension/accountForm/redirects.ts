/**
 * What an address of return says. Depending on how it came here the percent signs were taken out once already, so that
 * a plus is more likely part of the code than a space.
 */
function readReturn(query: string): URLSearchParams {
  const given = new URLSearchParams(query);
  const code = new URLSearchParams(query.replaceAll('+', '%2B')).get('code');
  if (code !== null) given.set('code', code);
  return given;
}

/** The sign-ins under way in this window, each known by its state (RFC 6749 section 10.12). */
export function createRedirects() {
  const waiting = new Map<string, (address: string) => void>();
  return {
    /** Expects the browser back with this state; what is returned ends that. */
    expect(state: string, take: (address: string) => void): () => void {
      waiting.set(state, take);
      return () => {
        waiting.delete(state);
      };
    },
    /**
     * Hands an answer on to the sign-in it belongs to. False where there is none: a page of somebody else may call us
     * too, and ends nothing.
     */
    arrived(query: string): boolean {
      const given = readReturn(query);
      const take = waiting.get(given.get('state') ?? '');
      take?.(`return:?${given}`);
      return take !== undefined;
    },
  };
}
