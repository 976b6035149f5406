import { lazy, StrictMode, Suspense } from "react";
import { createRoot } from "react-dom/client";
import { Route, Router, Switch, useLocation } from "wouter";
import { Overview } from "./pages/overview";
import { Empty, Guarded, Loading } from "./parts/states";
import { takeKeyFromAddress } from "./session/key";
import { SignedIn } from "./session/session";
import { ShownComponent } from "./shell/component";
import { Shell } from "./shell/shell";
import { startTheme } from "./shell/theme";
import "./styles.css";

// Each page comes with its first visit: who looks at logs loads no editor.
const Archives = lazy(() => import("./pages/archives"));
const Backups = lazy(() => import("./pages/backups"));
const Contention = lazy(() => import("./pages/contention"));
const Data = lazy(() => import("./pages/data/data"));
const Files = lazy(() => import("./pages/files"));
const Functions = lazy(() => import("./pages/functions/functions"));
const History = lazy(() => import("./pages/history"));
const Live = lazy(() => import("./pages/live"));
const Logs = lazy(() => import("./pages/logs/logs"));
const Schedules = lazy(() => import("./pages/schedules"));
const Schema = lazy(() => import("./pages/schema/schema"));
const SettingsPage = lazy(() => import("./pages/settings"));

takeKeyFromAddress(location, history, sessionStorage);
startTheme();

function Pages() {
  const [location] = useLocation();
  return (
    <Guarded of={location}>
      <Suspense fallback={<Loading what="the page" />}>
        <Switch>
          <Route path="/" component={Overview} />
          <Route path="/data/:table?" component={Data} />
          <Route path="/schema" component={Schema} />
          <Route path="/functions/*?" component={Functions} />
          <Route path="/logs" component={Logs} />
          <Route path="/live" component={Live} />
          <Route path="/contention" component={Contention} />
          <Route path="/schedules" component={Schedules} />
          <Route path="/files" component={Files} />
          <Route path="/archives" component={Archives} />
          <Route path="/backups" component={Backups} />
          <Route path="/history" component={History} />
          <Route path="/settings" component={SettingsPage} />
          <Route>
            <Empty title="There is no such page.">Choose one beside.</Empty>
          </Route>
        </Switch>
      </Suspense>
    </Guarded>
  );
}

createRoot(document.getElementById("root")!).render(
  <StrictMode>
    <SignedIn>
      <Router base="/dashboard">
        <ShownComponent>
          <Shell>
            <Pages />
          </Shell>
        </ShownComponent>
      </Router>
    </SignedIn>
  </StrictMode>,
);
