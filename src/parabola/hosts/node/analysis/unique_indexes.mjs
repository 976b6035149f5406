/**
 * Unique indexes in a schema of TypeScript. npm's library has no word for them, and leaves the list of an index's
 * fields as it is: so the list is marked, with a symbol that no JSON shows. To other servers it is an index like any.
 */
/** @import { UserValue } from "../types/protocol" */

const UNIQUE = Symbol.for("parabola.unique");
const LISTS = ["indexes", "stagedDbIndexes"];

/**
 * The description of a schema, in which the indexes say whether they are unique.
 * @param {UserValue} description what the schema exports
 * @param {UserValue} tables the definitions of its tables
 */
export function withUniqueIndexes(description, tables) {
  for (const table of description?.tables ?? []) {
    const definition = tables?.[table.tableName];
    const exported = typeof definition?.export === "function" ? definition.export() : undefined;
    for (const list of LISTS) {
      for (const [at, index] of (table[list] ?? []).entries()) {
        if (exported?.[list]?.[at]?.fields?.[UNIQUE] === true) index.unique = true;
      }
    }
  }
  return description;
}
