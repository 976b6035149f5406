import { useQuery } from "convex/react";
import type { ReactNode } from "react";
import { Link } from "wouter";
import { system } from "../deployment/system";
import { Time } from "../parts/times";
import { useComponent } from "../shell/component";
import { PageHead } from "../shell/shell";

/** How the deployment is, in one look: what runs here, where it is reached, what was pushed last. */
export function Overview() {
  const { componentId, components = [] } = useComponent();
  const app = { componentId: null };
  const cloudUrl = useQuery(system.cloudUrl, app);
  const siteUrl = useQuery(system.siteUrl, app);
  const push = useQuery(system.lastPush, app);
  const modules = useQuery(system.modules, { componentId });
  const tables = useQuery(system.tables, { componentId });
  const functions = modules?.flatMap(([, module]) => module.functions);
  const userTables = tables && Object.values(tables).filter((name) => !name.startsWith("_"));
  const unmounted = components.filter((each) => each.state === "unmounted");
  return (
    <>
      <PageHead name="Overview" />
      <div className="grid gap-4 p-5 md:grid-cols-2 xl:grid-cols-3">
        <Card title="Addresses">
          <Fact name="API and sockets">{cloudUrl ?? "…"}</Fact>
          <Fact name="HTTP actions">{siteUrl ?? "…"}</Fact>
        </Card>
        <Card title="Last push">
          {push === undefined ? (
            "…"
          ) : push === null ? (
            <p>
              Nothing has been pushed yet. <code className="font-mono">parabola dev</code> or{" "}
              <code className="font-mono">npx convex dev</code> does it.
            </p>
          ) : (
            <>
              <Fact name="When">
                <Time ms={push._creationTime} />
              </Fact>
              {typeof push.metadata.message === "string" && <Fact name="Message">{push.metadata.message}</Fact>}
              <Link href="/history" className="text-accent underline">
                All of the history
              </Link>
            </>
          )}
        </Card>
        <Card title="Deployed">
          <Fact name="Functions">{functions?.length ?? "…"}</Fact>
          <Fact name="Tables">{userTables?.length ?? "…"}</Fact>
          <Fact name="Components">{components.length - 1}</Fact>
        </Card>
        {unmounted.length > 0 && (
          <Card title="Needs attention">
            <p>
              Components that are not mounted any more keep their data: {unmounted.map((each) => each.path).join(", ")}.
            </p>
          </Card>
        )}
      </div>
    </>
  );
}

function Card({ title, children }: { title: string; children: ReactNode }) {
  return (
    <section className="flex flex-col gap-2 rounded-lg border border-line bg-surface p-4">
      <h2 className="font-semibold">{title}</h2>
      {children}
    </section>
  );
}

function Fact({ name, children }: { name: string; children: ReactNode }) {
  return (
    <div className="flex flex-wrap justify-between gap-x-4">
      <span className="text-quiet">{name}</span>
      <span className="break-all">{children}</span>
    </div>
  );
}
