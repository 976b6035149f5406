import { useQuery } from "convex/react";
import { createContext, type ReactNode, useCallback, useContext, useMemo } from "react";
import { useSearchParams } from "wouter";
import { type DeployedComponent, system } from "../deployment/system";

interface Shown {
  /** What system functions are told: the id of the component, null for the app. */
  componentId: string | null;
  component: DeployedComponent | undefined;
  components: DeployedComponent[] | undefined;
  show: (path: string) => void;
}

const ShownContext = createContext<Shown | null>(null);

/** The component that the pages are about; it stands in the address as `?component=path`. */
export function useComponent(): Shown {
  const shown = useContext(ShownContext);
  if (shown === null) throw new Error("useComponent is for what stands inside of ShownComponent.");
  return shown;
}

export function ShownComponent({ children }: { children: ReactNode }) {
  const components = useQuery(system.components, { componentId: null });
  const [search, setSearch] = useSearchParams();
  const path = search.get("component") ?? "";
  const shown = useMemo<Shown>(() => {
    const component = components?.find((each) => each.path === path);
    const show = (other: string) =>
      setSearch((before) => {
        const next = new URLSearchParams(before);
        next.delete("component");
        if (other !== "") next.set("component", other);
        return next;
      });
    return { componentId: component?.id || null, component, components, show };
  }, [components, path, setSearch]);
  if (components !== undefined && shown.component === undefined) {
    return <p className="p-6">There is no component “{path}” in this deployment (any more).</p>;
  }
  return <ShownContext value={shown}>{components === undefined ? null : children}</ShownContext>;
}

/** Addresses of pages in the component that is shown: of a path, and what else stands behind the question mark. */
export function useWay(): (path: string, more?: Record<string, string>) => string {
  const { component } = useComponent();
  const shown = component?.path ?? "";
  return useCallback(
    (path, more = {}) => {
      const search = new URLSearchParams(shown === "" ? more : { ...more, component: shown });
      return search.size === 0 ? path : `${path}?${search}`;
    },
    [shown],
  );
}

/** Chooses the component; only where there is one beside the app. */
export function ComponentSwitch() {
  const { components = [], component, show } = useComponent();
  if (components.length < 2) return null;
  return (
    <label className="flex items-center gap-2">
      <span className="text-quiet">Component</span>
      <select
        value={component?.path ?? ""}
        onChange={(event) => show(event.target.value)}
        className="min-h-8 rounded-md border border-line bg-surface px-2"
      >
        {components.map((each) => (
          <option key={each.id} value={each.path}>
            {each.path === "" ? "app" : each.path}
            {each.state === "unmounted" ? " (unmounted)" : ""}
          </option>
        ))}
      </select>
    </label>
  );
}
