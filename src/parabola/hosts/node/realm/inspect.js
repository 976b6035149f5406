/*
 * Renders a value for the log. The forms are those that apps on the official runtime print, so that log lines and
 * tests over them stay the same: quoted strings, two spaces of indent, objects always over several lines.
 */
/** @import { UserValue } from "../types/protocol" */
/** @import { Inspect } from "../types/realm" */
(function () {
  "use strict";
  const MAX_DEPTH = 5;
  const MAX_STRING = 32768;
  const INDENT = "  ";
  /** @typedef {(part: UserValue, isKey?: boolean) => string} Inner  renders a part of a value */

  const { apply } = Reflect;
  const objectPrototype = Object.prototype;
  const { hasOwnProperty, propertyIsEnumerable, toString: objectToString } = objectPrototype;
  const mapSize = /** @type {Function} */ (Object.getOwnPropertyDescriptor(Map.prototype, "size")?.get);
  const setSize = /** @type {Function} */ (Object.getOwnPropertyDescriptor(Set.prototype, "size")?.get);
  const { forEach: mapForEach } = Map.prototype;
  const { forEach: setForEach } = Set.prototype;
  const { valueOf: boxedNumber } = Number.prototype;
  const { valueOf: boxedBoolean } = Boolean.prototype;
  const { valueOf: boxedString } = String.prototype;
  const { valueOf: boxedBigint } = BigInt.prototype;
  const { toString: boxedSymbol } = Symbol.prototype;
  const { has: weakMapHas } = WeakMap.prototype;
  const { has: weakSetHas } = WeakSet.prototype;
  const { deref } = WeakRef.prototype;

  /** @type {Record<string, string>} */
  const SHORT_ESCAPES = { "\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r", "'": "\\'", "\\": "\\\\" };
  /** @param {string} character */
  const escape = (character) =>
    SHORT_ESCAPES[character] ??
    `\\x${character.charCodeAt(0) < 16 ? "0" : ""}${character.charCodeAt(0).toString(16).toUpperCase()}`;

  /** @param {string} text @returns {string} */
  function quote(text) {
    if (text.length > MAX_STRING) {
      const rest = text.length - MAX_STRING;
      return `${quote(text.slice(0, MAX_STRING))}... ${rest} more character${rest > 1 ? "s" : ""}`;
    }
    return `'${text.replace(/['\\\x00-\x1f]/g, escape)}'`;
  }

  /** @param {unknown} value @returns {string} */
  const tagOf = (value) => apply(objectToString, value, []);
  /**
   * The built-in tag, unless the value disguises itself with Symbol.toStringTag.
   * @param {UserValue} value
   * @param {string} name
   */
  const isBuiltin = (value, name) => tagOf(value) === `[object ${name}]` && !(Symbol.toStringTag in value);

  /**
   * Whether an intrinsic method accepts the value as its receiver.
   * @param {Function} method
   * @param {unknown} value
   * @param {unknown[]} args
   */
  function answers(method, value, ...args) {
    try {
      apply(method, value, args);
      return true;
    } catch {
      return false;
    }
  }

  /** @param {unknown} value */
  const isMap = (value) => answers(mapSize, value) && value instanceof Map;
  /** @param {unknown} value */
  const isSet = (value) => answers(setSize, value) && value instanceof Set;
  /** @param {unknown} value */
  const isWeakMap = (value) => answers(weakMapHas, value, weakMapHas) && value instanceof WeakMap;
  /** @param {unknown} value */
  const isWeakSet = (value) => answers(weakSetHas, value, weakSetHas) && value instanceof WeakSet;

  /**
   * `flat` renders on one line: keys of maps and all that is inside them.
   * @param {UserValue} value
   * @param {number} depth
   * @param {unknown[]} seen
   * @param {boolean} flat
   * @returns {string}
   */
  function inspectWithin(value, depth, seen, flat) {
    switch (typeof value) {
      case "undefined":
        return "undefined";
      case "boolean":
        return value ? "true" : "false";
      case "string":
        return quote(value);
      case "number":
        return Object.is(value, -0) ? "-0" : String(value);
      case "bigint":
        return `${String(value)}n`;
      case "symbol":
        return apply(boxedSymbol, value, []);
    }
    if (value === null) return "null";
    if (depth >= MAX_DEPTH && typeof value === "object") return isBuiltin(value, "Array") ? "[Array]" : "[Object]";
    if (seen.includes(value)) return "[Circular]";
    return inspectObject(value, depth, seen, flat);
  }

  /**
   * @param {UserValue} value
   * @param {number} depth
   * @param {unknown[]} seen
   * @param {boolean} flat
   * @returns {string}
   */
  function inspectObject(value, depth, seen, flat) {
    /** @param {UserValue} part @param {boolean} [isKey] */
    const inner = (part, isKey) => inspectWithin(part, depth + 1, [...seen, value], flat || isKey === true);
    const margin = flat ? null : `\n${INDENT.repeat(depth)}`;
    if (typeof value === "function") return inspectFunction(value, inner);
    if (isBuiltin(value, "Array")) return inspectArray(value, margin, inner);
    if (isBuiltin(value, "Error")) return inspectError(value, inner);
    if (typeof value.inspect === "function") return value.inspect();
    if (isMap(value)) {
      /** @type {string[]} */
      const parts = [];
      apply(mapForEach, value, [(item, key) => parts.push(`${inner(key, true)} => ${inner(item)}`)]);
      return collection("Map", apply(mapSize, value, []), parts, margin);
    }
    if (isSet(value)) {
      /** @type {string[]} */
      const parts = [];
      apply(setForEach, value, [(item) => parts.push(inner(item))]);
      return collection("Set", apply(setSize, value, []), parts, margin);
    }
    if (isWeakMap(value)) return "WeakMap { ? }";
    if (isWeakSet(value)) return "WeakSet { ? }";
    if (answers(deref, value)) return "WeakRef { ? }";
    const boxed = unbox(value);
    if (boxed !== undefined) return `Object(${inner(boxed.value)})`;
    if (value === globalThis) return "{ [object globalThis] }";
    if (isBuiltin(value, "Date") || isBuiltin(value, "RegExp")) return String(value);
    return inspectRecord(value, margin, inner);
  }

  /** @param {UserValue} value */
  function unbox(value) {
    if (isBuiltin(value, "Number")) return { value: apply(boxedNumber, value, []) };
    if (isBuiltin(value, "Boolean")) return { value: apply(boxedBoolean, value, []) };
    if (isBuiltin(value, "String")) return { value: apply(boxedString, value, []) };
    if (answers(boxedBigint, value)) return { value: apply(boxedBigint, value, []) };
    if (answers(boxedSymbol, value)) return { value: Object(value).valueOf() };
    return undefined;
  }

  /** @param {UserValue} value @param {Inner} inner */
  function inspectFunction(value, inner) {
    const name = typeof value.name === "string" && value.name !== "" ? `: ${value.name}` : " (anonymous)";
    const entries = entriesOf(value, inner);
    return `[Function${name}]${entries.length > 0 ? ` { ${entries.join(", ")} }` : ""}`;
  }

  /** @param {UserValue} value @param {string|null} margin @param {Inner} inner */
  function inspectArray(value, margin, inner) {
    if (value.length === 0) return "[]";
    const entries = entriesOf(value, inner);
    const isBlock = margin !== null && entries.some((entry) => entry.includes("\n"));
    return isBlock ? `[${block(entries, margin)}]` : `[ ${entries.join(", ")} ]`;
  }

  /** @param {UserValue} value @param {Inner} inner */
  function inspectError(value, inner) {
    const entries = entriesOf(value, inner);
    if ("cause" in value && !apply(propertyIsEnumerable, value, ["cause"])) {
      entries.unshift(`[cause]: ${inner(value.cause)}`);
    }
    return entries.length === 0 ? `[${String(value)}]` : `{ [${String(value)}] ${entries.join(", ")} }`;
  }

  /** @param {UserValue} value @param {string|null} margin @param {Inner} inner */
  function inspectRecord(value, margin, inner) {
    const entries = entriesOf(value, inner);
    const isPlain = Object.getPrototypeOf(value) === objectPrototype;
    const isRooted = value instanceof Object;
    const name = isPlain || typeof value.constructor !== "function" ? "" : value.constructor.name;
    let tag = "";
    if (!isPlain && Symbol.toStringTag in value) tag = tagOf(value).slice(8, -1);
    else if (!isRooted) tag = "Object";
    const labels = [tag, isRooted ? "" : "null prototype"].filter((label) => label !== "");
    const head = (name ? `${name} ` : "") + (labels.length > 0 ? `[${labels.join(": ")}] ` : "");
    if (entries.length === 0) return `${head}{}`;
    return margin === null ? `${head}{ ${entries.join(", ")} }` : `${head}{${block(entries, margin)}}`;
  }

  /**
   * The rendered own enumerable properties; of an array, every slot first.
   * @param {UserValue} value
   * @param {Inner} inner
   */
  function entriesOf(value, inner) {
    const entries = [];
    const isArray = isBuiltin(value, "Array");
    if (isArray) {
      for (let i = 0; i < value.length; i++) {
        entries.push(apply(hasOwnProperty, value, [i]) ? inner(value[i]) : "");
      }
    }
    for (const key in value) {
      if (!apply(hasOwnProperty, value, [key])) continue;
      if (isArray && String(Number(key)) === key && key < value.length) continue;
      entries.push(`${/[^\w$]/.test(key) ? inner(key) : key}: ${inner(value[key])}`);
    }
    for (const symbol of Object.getOwnPropertySymbols(value)) {
      if (apply(propertyIsEnumerable, value, [symbol])) entries.push(`[${inner(symbol)}]: ${inner(value[symbol])}`);
    }
    return entries;
  }

  /**
   * One entry a line, between the margins of the enclosing value.
   * @param {string[]} entries
   * @param {string} margin
   */
  function block(entries, margin) {
    if (entries.length === 0) return "";
    return `${margin}${INDENT}${entries.join(`,${margin}${INDENT}`)}${margin}`;
  }

  /** @param {string} type @param {number} size @param {string[]} entries @param {string|null} margin */
  function collection(type, size, entries, margin) {
    return `${type} (${size}) {${margin === null ? entries.join(", ") : block(entries, margin)}}`;
  }

  /** @type {Inspect} */
  const inspect = (value) => String(inspectWithin(value, 0, [], false));
  return inspect;
});
