import { ArrowDown, ArrowUp, Plus, X } from "lucide-react";
import { Button } from "../../parts/button";
import { type Clause, type Filters, OPERATORS, type Operator, TYPES } from "./filters";

const FIELD = "min-h-8 rounded-md border border-line bg-surface px-2";

/** What is looked for in a table: conditions that all must hold, and the order by creation time. */
export function FilterBar(props: {
  filters: Filters;
  fields: readonly string[];
  onChange: (filters: Filters) => void;
}) {
  const { filters, fields, onChange } = props;
  const change = (place: number, changes: Partial<Clause>) =>
    onChange({
      ...filters,
      clauses: filters.clauses.map((each, at) => (at === place ? { ...each, ...changes } : each)),
    });
  const isDescending = filters.order === "desc";
  return (
    <div role="group" aria-label="Filters" className="flex flex-wrap items-center gap-2 border-b border-line px-5 py-2">
      <datalist id="fields">
        {fields.map((field) => (
          <option key={field} value={field} />
        ))}
      </datalist>
      {filters.clauses.map((clause, place) => (
        <div key={place} className="flex flex-wrap items-center gap-1">
          <input
            aria-label="Field"
            placeholder="field"
            list="fields"
            value={clause.field}
            onChange={(event) => change(place, { field: event.target.value })}
            className={`${FIELD} w-32 font-mono`}
          />
          <select
            aria-label="Condition"
            value={clause.op}
            onChange={(event) => {
              const op = event.target.value as Operator;
              const isType = op === "type" || op === "notype";
              const wasType = clause.op === "type" || clause.op === "notype";
              change(place, isType === wasType ? { op } : { op, value: isType ? "string" : "" });
            }}
            className={FIELD}
          >
            {OPERATORS.map(([op, words]) => (
              <option key={op} value={op}>
                {words}
              </option>
            ))}
          </select>
          {clause.op === "type" || clause.op === "notype" ? (
            <select
              aria-label="Type"
              value={clause.value}
              onChange={(event) => change(place, { value: event.target.value })}
              className={FIELD}
            >
              {TYPES.map((type) => (
                <option key={type}>{type}</option>
              ))}
            </select>
          ) : (
            <input
              aria-label="Value"
              placeholder='5, true, "text", text'
              value={clause.value}
              onChange={(event) => change(place, { value: event.target.value })}
              className={`${FIELD} w-40 font-mono`}
            />
          )}
          <Button
            kind="quiet"
            aria-label="Remove this condition"
            onClick={() => onChange({ ...filters, clauses: filters.clauses.filter((_, at) => at !== place) })}
          >
            <X size={14} aria-hidden />
          </Button>
        </div>
      ))}
      <Button
        kind="quiet"
        onClick={() => onChange({ ...filters, clauses: [...filters.clauses, { field: "", op: "eq", value: "" }] })}
      >
        <Plus size={14} aria-hidden /> Filter
      </Button>
      <Button kind="quiet" onClick={() => onChange({ ...filters, order: isDescending ? "asc" : "desc" })}>
        {isDescending ? <ArrowDown size={14} aria-hidden /> : <ArrowUp size={14} aria-hidden />}
        {isDescending ? "newest first" : "oldest first"}
      </Button>
    </div>
  );
}
