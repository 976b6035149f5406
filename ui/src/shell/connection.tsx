import { useConvexConnectionState } from "convex/react";

/** Said while the server cannot be reached: what is shown then may have changed. */
export function ConnectionNotice() {
  const { isWebSocketConnected, hasEverConnected, connectionRetries } = useConvexConnectionState();
  if (isWebSocketConnected || (!hasEverConnected && connectionRetries === 0)) return null;
  return (
    <p role="status" className="bg-bad-surface px-4 py-2 text-bad">
      The server cannot be reached; what you see may have changed. Trying again…
    </p>
  );
}
