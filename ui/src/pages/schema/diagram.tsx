import { useMemo, useState } from "react";
import { Button } from "../../parts/button";
import { BOX_HEIGHT, BOX_WIDTH, layOut, type Reference } from "./diagram_layout";

/** The tables and how they refer to each other. Each box leads to its table below, and says in words what is drawn. */
export function Diagram({ tables, references }: { tables: readonly string[]; references: readonly Reference[] }) {
  const layout = useMemo(() => layOut(tables, references), [tables, references]);
  const [near, setNear] = useState<string | null>(null);
  const [isFitted, setIsFitted] = useState(false);
  const touches = (each: Reference) => near === null || each.from === near || each.to === near;
  const isNear = (name: string) =>
    near === null ||
    near === name ||
    layout.edges.some((edge) => touches(edge) && (edge.from === name || edge.to === name));
  return (
    <div>
      <div className="flex items-center justify-between pb-2">
        <p className="text-quiet">An arrow leads from a table that keeps ids to the table they are of.</p>
        <Button kind="quiet" aria-pressed={isFitted} onClick={() => setIsFitted(!isFitted)}>
          {isFitted ? "Full size" : "Fit to the page"}
        </Button>
      </div>
      <div className="max-h-[34rem] overflow-auto rounded-lg border border-line bg-surface">
        <svg
          role="group"
          aria-label="Diagram of the tables"
          viewBox={`0 0 ${layout.width} ${layout.height}`}
          width={isFitted ? "100%" : layout.width}
          height={isFitted ? undefined : layout.height}
          className="block"
        >
          <defs>
            <marker id="arrow" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" orient="auto">
              <path d="M 0 0 L 8 4 L 0 8 z" className="fill-quiet" />
            </marker>
          </defs>
          {layout.edges.map((edge) => (
            <path
              key={`${edge.from} ${edge.to}`}
              d={edge.path}
              markerEnd="url(#arrow)"
              className={`fill-none ${touches(edge) ? (near === null ? "stroke-quiet" : "stroke-accent stroke-2") : "stroke-line opacity-40"}`}
            >
              <title>{`${edge.from}.${edge.fields.join(", ")} → ${edge.to}`}</title>
            </path>
          ))}
          {layout.boxes.map(({ name, x, y }) => (
            <a
              key={name}
              href={`#table-${name}`}
              aria-label={inWords(name, references)}
              onFocus={() => setNear(name)}
              onBlur={() => setNear(null)}
              onMouseEnter={() => setNear(name)}
              onMouseLeave={() => setNear(null)}
              className={isNear(name) ? "" : "opacity-40"}
            >
              <rect
                x={x}
                y={y}
                width={BOX_WIDTH}
                height={BOX_HEIGHT}
                rx="8"
                className={`fill-raised ${near === name ? "stroke-accent stroke-2" : "stroke-line"}`}
              />
              <text x={x + 12} y={y + 25} className="fill-ink font-mono text-[13px]">
                {name.length > 20 ? `${name.slice(0, 19)}…` : name}
              </text>
            </a>
          ))}
        </svg>
      </div>
    </div>
  );
}

/** What the arrows of a table say. */
function inWords(name: string, references: readonly Reference[]): string {
  const to = references.filter((each) => each.from === name).map((each) => `${each.to} by ${each.fields.join(", ")}`);
  const from = references.filter((each) => each.to === name && each.from !== name).map((each) => each.from);
  const parts = [name];
  if (to.length > 0) parts.push(`refers to ${to.join(", ")}`);
  if (from.length > 0) parts.push(`is referred to by ${from.join(", ")}`);
  return parts.join("; ");
}
