import { ConvexProvider, ConvexReactClient, useConvexConnectionState } from "convex/react";
import { createContext, type ReactNode, useCallback, useContext, useEffect, useMemo, useState } from "react";
import { SignIn } from "./sign_in";
import { checkKey, forgetKey, keepKey, storedKey } from "./key";

export interface Session {
  /** The admin key, for what goes over HTTP. */
  key: string;
  /** Whether the key may only read: what changes something is shown and cannot be used. */
  readOnly: boolean;
  signOut: () => void;
}

const RETRY_MS = 2_000;
const SessionContext = createContext<Session | null>(null);

/** The session of whoever is signed in; inside of `SignedIn` alone. */
export function useSession(): Session {
  const session = useContext(SessionContext);
  if (session === null) throw new Error("useSession is for what stands inside of SignedIn.");
  return session;
}

/** Ask for an admin key until there is one that the deployment takes; then show `children` as its client. */
export function SignedIn({ children }: { children: ReactNode }) {
  const [key, setKey] = useState(() => storedKey(sessionStorage));
  const [readOnly, setReadOnly] = useState<boolean | null>(null);
  const [refusal, setRefusal] = useState<string | null>(null);

  const [absence, setAbsence] = useState<string | null>(null);
  const refuse = useCallback((reason: string) => {
    forgetKey(sessionStorage);
    setKey(null);
    setReadOnly(null);
    setRefusal(reason);
  }, []);

  useEffect(() => {
    if (key === null) return;
    let isCurrent = true;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const look = async () => {
      const check = await checkKey(key);
      if (!isCurrent) return;
      setAbsence(check.ok || check.isReached ? null : check.reason);
      if (check.ok) {
        keepKey(sessionStorage, key);
        setReadOnly(check.readOnly);
        setRefusal(null);
      } else if (check.isReached) refuse(check.reason);
      else timer = setTimeout(() => void look(), RETRY_MS);
    };
    void look();
    return () => {
      isCurrent = false;
      clearTimeout(timer);
    };
  }, [key, refuse]);

  const client = useMemo(() => (key === null || readOnly === null ? null : adminClient(key)), [key, readOnly]);
  useEffect(() => () => void client?.close(), [client]);
  const session = useMemo<Session | null>(() => {
    if (key === null || readOnly === null) return null;
    const signOut = () => {
      forgetKey(sessionStorage);
      setKey(null);
      setReadOnly(null);
    };
    return { key, readOnly, signOut };
  }, [key, readOnly]);

  if (key === null) return <SignIn refusal={refusal} onKey={setKey} />;
  if (absence !== null && session === null) {
    return (
      <p role="alert" className="p-6 text-bad">
        {absence} Trying again…
      </p>
    );
  }
  if (session === null || client === null) return null; // for as long as the key is checked
  return (
    <SessionContext value={session}>
      <ConvexProvider client={client}>
        <KeyWatch adminKey={session.key} onRefused={refuse} />
        {children}
      </ConvexProvider>
    </SessionContext>
  );
}

/** Ends the session once the key is not taken any more, which the server says by closing the connection. */
function KeyWatch({ adminKey, onRefused }: { adminKey: string; onRefused: (reason: string) => void }) {
  const { isWebSocketConnected, connectionRetries, connectionCount } = useConvexConnectionState();
  useEffect(() => {
    if (isWebSocketConnected && connectionCount <= 1) return;
    let isCurrent = true;
    void checkKey(adminKey).then((check) => {
      if (isCurrent && !check.ok && check.isReached) onRefused(check.reason);
    });
    return () => {
      isCurrent = false;
    };
  }, [isWebSocketConnected, connectionRetries, connectionCount, adminKey, onRefused]);
  return null;
}

/** A client of this deployment with the rights of an admin key. */
export function adminClient(key: string, actingAs?: Record<string, unknown>): ConvexReactClient {
  const client = new ConvexReactClient(location.origin, { unsavedChangesWarning: false });
  // Every client has this method; the published types leave it out.
  (client as unknown as { setAdminAuth(key: string, actingAs?: object): void }).setAdminAuth(key, actingAs);
  return client;
}
