// A page that signs up, in and out with Better Auth, on an origin of its own.
import { ConvexBetterAuthProvider } from "@convex-dev/better-auth/react";
import { convexClient, crossDomainClient } from "@convex-dev/better-auth/client/plugins";
import { createAuthClient } from "better-auth/react";
import { ConvexReactClient, useConvexAuth, useQuery } from "convex/react";
import { anyApi as api } from "convex/server";
import { useState } from "react";
import { createRoot } from "react-dom/client";

const given = new URLSearchParams(location.search);
const client = new ConvexReactClient(given.get("cloud")!);
const auth = createAuthClient({ baseURL: given.get("site")!, plugins: [convexClient(), crossDomainClient()] });

function Page() {
  const { isLoading, isAuthenticated } = useConvexAuth();
  const me = useQuery(api.people.me);
  const [error, setError] = useState("");
  const say = ({ error }: { error: { message?: string } | null }) => setError(error?.message ?? "");
  const credentials = (form: FormData) => ({
    email: String(form.get("email")),
    password: String(form.get("password")),
  });
  return (
    <main>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          const form = new FormData(event.currentTarget);
          const isNew = (event.nativeEvent as SubmitEvent).submitter?.textContent === "Sign up";
          const given = credentials(form);
          void (isNew ? auth.signUp.email({ ...given, name: "Ann" }) : auth.signIn.email(given)).then(say);
        }}
      >
        <input aria-label="Email" name="email" />
        <input aria-label="Password" name="password" type="password" />
        <button>Sign up</button>
        <button>Sign in</button>
      </form>
      <button onClick={() => void auth.signOut().then(say)}>Sign out</button>
      <output aria-label="State">{isLoading ? "loading" : isAuthenticated ? "signed in" : "signed out"}</output>
      <output aria-label="Me">{me === undefined ? "…" : me === null ? "nobody" : `${me.name} ${me.email}`}</output>
      <output aria-label="Error">{error}</output>
    </main>
  );
}

createRoot(document.getElementById("root")!).render(
  <ConvexBetterAuthProvider client={client} authClient={auth}>
    <Page />
  </ConvexBetterAuthProvider>,
);
