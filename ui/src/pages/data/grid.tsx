import { useVirtualizer } from "@tanstack/react-virtual";
import type { Value } from "convex/values";
import { type KeyboardEvent, useEffect, useRef, useState } from "react";
import type { Document } from "../../deployment/system";
import { inOneLine } from "../../parts/values";
import { ID } from "./documents";

const ROW = 33;
const AHEAD = 50;
const PAGE_KEYS = 15;
const MOST_COLUMNS = 60;
const TIMES = new Intl.DateTimeFormat(undefined, { dateStyle: "short", timeStyle: "medium" });

/** The columns: the id, what the schema names, what documents have beside it, the creation time. */
export function columnsOf(documents: readonly Document[], declared: readonly string[]): string[] {
  const found = new Set(declared);
  for (const document of documents) {
    for (const name of Object.keys(document)) if (!name.startsWith("_")) found.add(name);
    if (found.size >= MOST_COLUMNS) break;
  }
  return ["_id", ...[...found].slice(0, MOST_COLUMNS), "_creationTime"];
}

interface Place {
  row: number;
  column: number;
}

/** Where a key leads to from a cell of a grid; null for a key that does not move. */
export function moved(key: string, from: Place, rows: number, columns: number): Place | null {
  const row = (to: number) => ({ ...from, row: Math.max(0, Math.min(rows - 1, to)) });
  const column = (to: number) => ({ ...from, column: Math.max(0, Math.min(columns - 1, to)) });
  switch (key) {
    case "ArrowUp":
      return row(from.row - 1);
    case "ArrowDown":
      return row(from.row + 1);
    case "PageUp":
      return row(from.row - PAGE_KEYS);
    case "PageDown":
      return row(from.row + PAGE_KEYS);
    case "ArrowLeft":
      return column(from.column - 1);
    case "ArrowRight":
      return column(from.column + 1);
    case "Home":
      return column(0);
    case "End":
      return column(columns - 1);
    default:
      return null;
  }
}

/**
 * Documents as a grid: only the rows in view are drawn. The arrow keys go from cell to cell, Enter edits a cell or opens
 * the document of an id, the space bar chooses a row.
 */
export function Grid(props: {
  label: string;
  rows: readonly Document[];
  columns: readonly string[];
  hasMore: boolean;
  onMore: () => void;
  chosen?: ReadonlySet<string>;
  onChoose?: (ids: ReadonlySet<string>) => void;
  onOpen: (id: string) => void;
  onEdit?: (id: string, field: string) => void;
}) {
  const { rows, columns, hasMore, onMore, chosen, onChoose, onOpen, onEdit } = props;
  const frame = useRef<HTMLDivElement>(null);
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => frame.current,
    estimateSize: () => ROW,
    overscan: 20,
  });
  const items = virtual.getVirtualItems();
  const last = items.at(-1)?.index ?? 0;
  useEffect(() => {
    if (hasMore && last >= rows.length - AHEAD) onMore();
  }, [hasMore, last, rows.length, onMore]);
  const [active, setActive] = useState<Place>({ row: 0, column: 0 });
  const isMoving = useRef(false);
  const here = { row: Math.min(active.row, rows.length - 1), column: Math.min(active.column, columns.length - 1) };
  useEffect(() => {
    if (!isMoving.current) return;
    isMoving.current = false;
    frame.current?.querySelector<HTMLElement>(`[data-cell="${here.row} ${here.column}"]`)?.focus();
  });
  const choice = onChoose === undefined ? "" : "2.5rem ";
  const template = `${choice}18rem repeat(${columns.length - 2}, minmax(9rem, 1fr)) 12rem`;
  const toggle = (id: string) => {
    const next = new Set(chosen);
    if (!next.delete(id)) next.add(id);
    onChoose?.(next);
  };
  const isAllChosen = rows.every((row) => chosen?.has(row._id));
  const use = (row: Document, column: string) => {
    if (column === "_id" || column === "_creationTime" || onEdit === undefined) onOpen(row._id);
    else onEdit(row._id, column);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if ((event.target as HTMLElement).dataset.cell === undefined) return;
    const to = moved(event.key, here, rows.length, columns.length);
    if (to !== null) {
      event.preventDefault();
      isMoving.current = true;
      virtual.scrollToIndex(to.row);
      setActive(to);
      return;
    }
    const row = rows[here.row];
    if (row === undefined) return;
    if (event.key === "Enter" || event.key === "F2") {
      event.preventDefault();
      use(row, columns[here.column]!);
    } else if (event.key === " " && onChoose !== undefined) {
      event.preventDefault();
      toggle(row._id);
    }
  };
  return (
    <div ref={frame} className="relative h-0 min-h-72 grow overflow-auto" tabIndex={-1}>
      <div
        role="grid"
        aria-label={props.label}
        aria-rowcount={hasMore ? -1 : rows.length + 1}
        aria-multiselectable={onChoose === undefined ? undefined : true}
        onKeyDown={onKeyDown}
        style={{ minWidth: `${columns.length * 9 + 14}rem` }}
      >
        <div
          role="row"
          className="sticky top-0 z-[1] grid border-b border-line bg-surface"
          style={{ gridTemplateColumns: template }}
        >
          {onChoose !== undefined && (
            <div role="columnheader" className="px-3 py-2">
              <input
                type="checkbox"
                aria-label="Choose all that are loaded"
                checked={isAllChosen}
                onChange={() => onChoose(isAllChosen ? new Set() : new Set(rows.map((row) => row._id)))}
              />
            </div>
          )}
          {columns.map((column) => (
            <div key={column} role="columnheader" className="truncate px-3 py-2 font-mono text-xs text-quiet">
              {column}
            </div>
          ))}
        </div>
        <div role="rowgroup" className="relative" style={{ height: virtual.getTotalSize() }}>
          {items.map((item) => {
            const row = rows[item.index]!;
            const isChosen = chosen?.has(row._id) ?? false;
            return (
              <div
                key={row._id}
                role="row"
                aria-rowindex={item.index + 2}
                aria-selected={onChoose === undefined ? undefined : isChosen}
                className={`absolute inset-x-0 grid border-b border-line ${isChosen ? "bg-raised" : "hover:bg-raised"}`}
                style={{ gridTemplateColumns: template, height: ROW, transform: `translateY(${item.start}px)` }}
              >
                {onChoose !== undefined && (
                  <div role="gridcell" className="px-3 py-1.5">
                    <input
                      type="checkbox"
                      tabIndex={-1}
                      aria-label={`Choose ${row._id}`}
                      checked={isChosen}
                      onChange={() => toggle(row._id)}
                    />
                  </div>
                )}
                {columns.map((column, place) => (
                  <Cell
                    key={column}
                    column={column}
                    value={row[column]}
                    at={`${item.index} ${place}`}
                    isActive={here.row === item.index && here.column === place}
                    onFocus={() => setActive({ row: item.index, column: place })}
                    onUse={() => use(row, column)}
                    onOpen={onOpen}
                  />
                ))}
              </div>
            );
          })}
        </div>
      </div>
      {hasMore && <p className="px-5 py-2 text-quiet">Loading more…</p>}
    </div>
  );
}

function Cell(props: {
  column: string;
  value: Value | undefined;
  at: string;
  isActive: boolean;
  onFocus: () => void;
  onUse: () => void;
  onOpen: (id: string) => void;
}) {
  const { column, value, onUse } = props;
  const text = column === "_creationTime" ? TIMES.format(value as number) : inOneLine(value);
  const isNoText = value !== undefined && typeof value !== "string" && column !== "_creationTime";
  const isId = typeof value === "string" && ID.test(value);
  return (
    <div
      role="gridcell"
      data-cell={props.at}
      tabIndex={props.isActive ? 0 : -1}
      onFocus={props.onFocus}
      onDoubleClick={onUse}
      title={text.length > 24 ? text.slice(0, 2000) : undefined}
      className={`truncate px-3 py-1.5 font-mono text-xs focus-visible:-outline-offset-2 ${value === undefined ? "text-quiet" : isNoText ? "text-warm" : ""}`}
    >
      {value === undefined ? (
        <span aria-label="not set">·</span>
      ) : isId ? (
        <button
          type="button"
          tabIndex={-1}
          className="text-accent underline"
          onClick={() => props.onOpen(value)}
          aria-label={column === "_id" ? undefined : `Follow ${value}`}
        >
          {text}
        </button>
      ) : (
        text.slice(0, 300)
      )}
    </div>
  );
}
