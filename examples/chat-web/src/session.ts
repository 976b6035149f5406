// Signing in with the local issuer of services.py. The page keeps a name, and asks for a token when Convex wants one.
import { useCallback, useMemo, useSyncExternalStore } from "react";

const parameters = new URLSearchParams(location.search);
const issuer = parameters.get("issuer") ?? "http://127.0.0.1:3220";
const listeners = new Set<() => void>();
let problem = "";

export const session = {
  get name() {
    return sessionStorage.getItem("name");
  },
  set name(name: string | null) {
    problem = "";
    if (name === null) sessionStorage.removeItem("name");
    else sessionStorage.setItem("name", name);
    for (const listener of listeners) listener();
  },
  /** Signs out, and says why. */
  fail(why: string) {
    this.name = null;
    problem = why;
    for (const listener of listeners) listener();
  },
};

function subscribe(listener: () => void) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export const useName = () => useSyncExternalStore(subscribe, () => session.name);
export const useProblem = () => useSyncExternalStore(subscribe, () => problem);

/** What `ConvexProviderWithAuth` asks for. */
export function useAuth() {
  const name = useName();
  const fetchAccessToken = useCallback(async () => {
    if (name === null) return null;
    try {
      const response = await fetch(`${issuer}/token?${new URLSearchParams({ name })}`);
      if (response.ok) return (await response.json()).token as string;
    } catch {
      // Nobody answers there.
    }
    session.fail(`The issuer at ${issuer} gives no token. Does services.py run?`);
    return null;
  }, [name]);
  return useMemo(
    () => ({ isLoading: false, isAuthenticated: name !== null, fetchAccessToken }),
    [name, fetchAccessToken],
  );
}
