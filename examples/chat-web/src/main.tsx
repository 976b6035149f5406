import { Authenticated, AuthLoading, ConvexProviderWithAuth, ConvexReactClient, Unauthenticated } from "convex/react";
import { createRoot } from "react-dom/client";
import { Chat } from "./Chat";
import { SignIn } from "./SignIn";
import { useAuth } from "./session";
import "./style.css";

// The deployment serves this page, so it is at the same origin.
export const convex = new ConvexReactClient(location.origin);

createRoot(document.getElementById("root")!).render(
  <ConvexProviderWithAuth client={convex} useAuth={useAuth}>
    <Authenticated>
      <Chat />
    </Authenticated>
    <Unauthenticated>
      <SignIn />
    </Unauthenticated>
    <AuthLoading>
      <p className="notice">Signing in…</p>
    </AuthLoading>
  </ConvexProviderWithAuth>,
);
