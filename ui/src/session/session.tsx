import { ConvexProvider, ConvexReactClient } from "convex/react";
import { createContext, type ReactNode, useContext, useEffect, useMemo, useState } from "react";
import { SignIn } from "./sign_in";
import { checkKey, forgetKey, keepKey, storedKey } from "./key";

export interface Session {
  /** The admin key, for what goes over HTTP. */
  key: string;
  /** Whether the key may only read: what changes something is shown and cannot be used. */
  readOnly: boolean;
  signOut: () => void;
}

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

  useEffect(() => {
    if (key === null) return;
    let isCurrent = true;
    void checkKey(key).then((check) => {
      if (!isCurrent) return;
      if (check.ok) {
        keepKey(sessionStorage, key);
        setReadOnly(check.readOnly);
        setRefusal(null);
      } else {
        forgetKey(sessionStorage);
        setKey(null);
        setRefusal(check.reason);
      }
    });
    return () => {
      isCurrent = false;
    };
  }, [key]);

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
  if (session === null || client === null) return null; // for as long as the key is checked
  return (
    <SessionContext value={session}>
      <ConvexProvider client={client}>{children}</ConvexProvider>
    </SessionContext>
  );
}

/** A client of this deployment with the rights of an admin key. */
export function adminClient(key: string, actingAs?: Record<string, unknown>): ConvexReactClient {
  const client = new ConvexReactClient(location.origin, { unsavedChangesWarning: false });
  // Every client has this method; the published types leave it out.
  (client as unknown as { setAdminAuth(key: string, actingAs?: object): void }).setAdminAuth(key, actingAs);
  return client;
}
