/** What the callbacks of `filter`, `withIndex` and `withSearchIndex` build (js-runtime 3.1). */
import { toJsonOrUndefined } from "./values.js";

class Expression {
  /** @param {object} json */
  constructor(json) {
    this.json = json;
  }
}

/** @param {unknown} given */
function expressionJson(given) {
  return given instanceof Expression ? given.json : { $literal: toJsonOrUndefined(given) };
}

const OPERATORS = ["eq", "neq", "lt", "lte", "gt", "gte", "add", "sub", "mul", "div", "mod"];

/** @type {Record<string, (...parts: any[]) => Expression>} */
const filterBuilder = {
  field: (path) => new Expression({ $field: path }),
  and: (...parts) => new Expression({ $and: parts.map(expressionJson) }),
  or: (...parts) => new Expression({ $or: parts.map(expressionJson) }),
  not: (part) => new Expression({ $not: expressionJson(part) }),
  neg: (part) => new Expression({ $neg: expressionJson(part) }),
};
for (const name of OPERATORS) {
  filterBuilder[name] = (left, right) =>
    new Expression({ [`$${name}`]: [expressionJson(left), expressionJson(right)] });
}

/** The JSON of a filter: `q => q.eq(q.field("a"), 1)`. @param {(q: any) => unknown} predicate */
export function filterJson(predicate) {
  return expressionJson(predicate(filterBuilder));
}

/** Conditions on fields, collected one after the other. */
class Conditions {
  /** @type {object[]} */
  #made = [];

  /** @param {Record<string, string>} types */
  constructor(types) {
    for (const [name, type] of Object.entries(types)) {
      /** @type {any} */ (this)[name] = (/** @type {string} */ fieldPath, /** @type {unknown} */ value) => {
        this.#made.push({ type, fieldPath, value: type === "Search" ? value : toJsonOrUndefined(value) });
        return this;
      };
    }
  }

  /** @param {Record<string, string>} types @param {(q: any) => unknown} build */
  static json(types, build) {
    const conditions = new Conditions(types);
    build(conditions);
    return conditions.#made;
  }
}

/** The conditions of an index range: `q => q.eq("a", 1).gt("b", 2)`. @param {(q: any) => unknown} build */
export function rangeJson(build) {
  return Conditions.json({ eq: "Eq", gt: "Gt", gte: "Gte", lt: "Lt", lte: "Lte" }, build);
}

/**
 * The conditions of a text search: `q => q.search("body", "words").eq("channel", "c")`.
 * @param {(q: any) => unknown} build
 */
export function searchJson(build) {
  return Conditions.json({ search: "Search", eq: "Eq" }, build);
}
