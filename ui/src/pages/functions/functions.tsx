import { useQuery } from "convex/react";
import { Lock } from "lucide-react";
import { useMemo, useState } from "react";
import { Link, useParams, useSearch } from "wouter";
import { type DeployedFunction, type DeployedModule, system } from "../../deployment/system";
import { Empty, Loading } from "../../parts/states";
import { useComponent } from "../../shell/component";
import { PageHead } from "../../shell/shell";
import { Runner } from "./runner";

export interface NamedFunction extends DeployedFunction {
  /** As it is called: `module:name`. */
  path: string;
}

interface ListedModule {
  path: string;
  functions: NamedFunction[];
}

/** Every function of the component, by module; the chosen one can be run. */
export default function Functions() {
  const { componentId } = useComponent();
  const modules = useQuery(system.modules, { componentId });
  const { "*": chosen = "" } = useParams();
  const [sought, setSought] = useState("");
  const listed = useMemo(() => modules?.map(([path, module]) => listedModule(path, module)), [modules]);
  const functions = listed?.flatMap((module) => module.functions);
  const shown = functions?.find((each) => each.path === decodeURIComponent(chosen));
  return (
    <>
      <PageHead name="Functions">
        <input
          type="search"
          aria-label="Find a function"
          placeholder="Find a function"
          value={sought}
          onChange={(event) => setSought(event.target.value)}
          className="min-h-8 w-52 rounded-md border border-line bg-surface px-2"
        />
      </PageHead>
      {listed === undefined ? (
        <Loading what="the functions" />
      ) : functions!.length === 0 ? (
        <Empty title="No functions are deployed.">
          <code className="font-mono">parabola dev</code> or <code className="font-mono">npx convex dev</code> pushes
          them.
        </Empty>
      ) : (
        <div className="flex min-w-0 grow flex-col md:flex-row">
          <nav
            aria-label="Functions"
            className="shrink-0 border-r border-line bg-surface p-3 md:w-72 md:overflow-y-auto"
          >
            {listed.map((module) => (
              <Module key={module.path} module={module} sought={sought} chosen={shown?.path} />
            ))}
          </nav>
          <div className="min-w-0 grow p-5">
            {shown === undefined ? (
              <Empty title="Choose a function to see and run it." />
            ) : (
              <Runner key={shown.path} shown={shown} />
            )}
          </div>
        </div>
      )}
    </>
  );
}

function Module({ module, sought, chosen }: { module: ListedModule; sought: string; chosen: string | undefined }) {
  const search = useSearch();
  const found = module.functions.filter((each) => each.path.toLowerCase().includes(sought.toLowerCase()));
  if (found.length === 0) return null;
  return (
    <section className="mb-3">
      <h2 className="px-2 font-mono text-xs text-quiet">{module.path}</h2>
      {found.map((each) => (
        <Link
          key={`${each.udfType} ${each.path}`}
          href={`/functions/${encodeURIComponent(each.path)}${search === "" ? "" : `?${search}`}`}
          aria-current={each.path === chosen ? "true" : undefined}
          className={`flex items-center gap-2 rounded-md px-2 py-1 font-mono ${each.path === chosen ? "bg-raised text-accent" : "hover:bg-raised"}`}
        >
          <span className="grow break-all">{each.name}</span>
          {each.visibility.kind === "internal" && <Lock size={12} aria-label="internal" className="text-quiet" />}
          <span className="text-xs text-quiet">
            {each.udfType === "HttpAction" ? "HTTP" : each.udfType.toLowerCase()}
          </span>
        </Link>
      ))}
    </section>
  );
}

function listedModule(path: string, { environment, functions }: DeployedModule): ListedModule {
  const module = path.replace(/\.js$/, "");
  return {
    path: environment === "python" ? `${module}.py` : path,
    functions: functions.map((each) => ({
      ...each,
      path: each.udfType === "HttpAction" ? each.name : `${module}:${each.name}`,
    })),
  };
}
