// A React page that signs in: what ConvexProviderWithAuth and the hooks make of a session that the test controls.
import { ConvexProviderWithAuth, ConvexReactClient, useConvexAuth, useMutation, useQuery } from "convex/react";
import { anyApi as api } from "convex/server";
import { useCallback, useMemo, useState } from "react";
import { createRoot } from "react-dom/client";

declare global {
  interface Window {
    client: ConvexReactClient;
    fetchToken: (forceRefreshToken: boolean) => Promise<string | null>;
  }
}

const client = (window.client = new ConvexReactClient(location.origin));

function Page({ setSignedIn }: { setSignedIn: (signedIn: boolean) => void }) {
  const { isLoading, isAuthenticated } = useConvexAuth();
  const me = useQuery(api.who.me);
  const notes = useQuery(api.who.notes);
  const add = useMutation(api.who.add);
  return (
    <main>
      <button onClick={() => setSignedIn(true)}>Sign in</button>
      <button onClick={() => setSignedIn(false)}>Sign out</button>
      <button onClick={() => void add({ text: `note ${notes?.length}` })}>Add</button>
      <output aria-label="State">{isLoading ? "loading" : isAuthenticated ? "signed in" : "signed out"}</output>
      <output aria-label="Me">
        {me === undefined ? "…" : me === null ? "nobody" : `${me.name}, token ${me.serial}`}
      </output>
      <ul aria-label="Notes">
        {notes?.map((note: string) => (
          <li key={note}>{note}</li>
        ))}
      </ul>
    </main>
  );
}

function App() {
  const [signedIn, setSignedIn] = useState(false);
  const useAuth = () => {
    const fetchAccessToken = useCallback(
      ({ forceRefreshToken }: { forceRefreshToken: boolean }) => window.fetchToken(forceRefreshToken),
      [],
    );
    return useMemo(
      () => ({ isLoading: false, isAuthenticated: signedIn, fetchAccessToken }),
      [fetchAccessToken, signedIn],
    );
  };
  return (
    <ConvexProviderWithAuth client={client} useAuth={useAuth}>
      <Page setSignedIn={setSignedIn} />
    </ConvexProviderWithAuth>
  );
}

createRoot(document.getElementById("root")!).render(<App />);
