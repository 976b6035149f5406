/**
 * The admin key of this tab. It comes by hand, or in the fragment of the address (`#key=…`), which no server is sent and
 * no log keeps; it stays in the tab's session storage and goes with the tab.
 */
const STORED = "parabola admin key";

/** Take the key out of the address, if it is there: it must not stay where it can be read over a shoulder. */
export function takeKeyFromAddress(address: Location, history: History, storage: Storage): void {
  const given = new URLSearchParams(address.hash.slice(1)).get("key");
  if (given !== null) {
    storage.setItem(STORED, given);
    history.replaceState(null, "", address.pathname + address.search);
  }
}

export function storedKey(storage: Storage): string | null {
  return storage.getItem(STORED);
}

export function keepKey(storage: Storage, key: string): void {
  storage.setItem(STORED, key);
}

export function forgetKey(storage: Storage): void {
  storage.removeItem(STORED);
}

export type KeyCheck = { ok: true; readOnly: boolean } | { ok: false; isReached: boolean; reason: string };

/** Whether the deployment takes the key, and what it may do; or that nobody is there to say so. */
export async function checkKey(key: string): Promise<KeyCheck> {
  try {
    const answer = await fetch("/api/check_admin_key", { headers: { Authorization: `Convex ${key}` } });
    const told = (await answer.json()) as { isReadOnly?: boolean; message?: string };
    if (answer.ok) return { ok: true, readOnly: told.isReadOnly === true };
    const reason = told.message ?? `The server answered with status ${answer.status}.`;
    return { ok: false, isReached: answer.status < 500, reason };
  } catch {
    return { ok: false, isReached: false, reason: "The server does not answer. Is it running?" };
  }
}
