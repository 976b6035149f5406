/*
 * The performance interface over the execution's clock.
 */
/** @import { UserValue } from "../types/protocol" */
/** @import { RealmApi, RealmHost } from "../types/realm" */
(function (/** @type {RealmHost} */ host, /** @type {RealmApi} */ api) {
  "use strict";
  const { install, resets, traces, answer } = api;
  const now = () => answer(host.performanceNow());
  const OWN = Symbol("own");
  /** @typedef {{name: string, entryType: string, startTime: number, duration: number, detail: unknown}} Fields */

  /** @type {PerformanceEntry[]} */
  let entries = [];
  resets.push(() => {
    entries = [];
  });
  traces.push(() => entries.length > 0);

  class PerformanceEntry {
    #fields;
    /** @param {symbol} key @param {Fields} fields */
    constructor(key, fields) {
      if (key !== OWN) throw new TypeError("Illegal constructor");
      this.#fields = fields;
    }
    get name() {
      return this.#fields.name;
    }
    get entryType() {
      return this.#fields.entryType;
    }
    get startTime() {
      return this.#fields.startTime;
    }
    get duration() {
      return this.#fields.duration;
    }
    get detail() {
      return this.#fields.detail;
    }
    toJSON() {
      return { ...this.#fields };
    }
  }
  class PerformanceMark extends PerformanceEntry {
    /** @param {UserValue} name @param {{startTime?: number, detail?: unknown}} [options] */
    constructor(name, { startTime = now(), detail = null } = {}) {
      super(OWN, { name: `${name}`, entryType: "mark", startTime, duration: 0, detail });
    }
  }
  class PerformanceMeasure extends PerformanceEntry {}

  /** @param {UserValue} mark @returns {number} */
  const timeOf = (mark) => {
    if (typeof mark === "number") return mark;
    const found = entries.findLast((entry) => entry.entryType === "mark" && entry.name === mark);
    if (found === undefined)
      throw new api.DOMException(`The "${mark}" performance mark has not been set`, "SyntaxError");
    return found.startTime;
  };
  /** @param {string} type @param {string} [name] */
  const remove = (type, name) => {
    entries = entries.filter((entry) => entry.entryType !== type || (name !== undefined && entry.name !== name));
  };

  class Performance {
    /** @param {symbol} key */
    constructor(key) {
      if (key !== OWN) throw new TypeError("Illegal constructor");
    }
    get timeOrigin() {
      return answer(host.timeOrigin());
    }
    now() {
      return answer(host.performanceNow());
    }
    /** @param {UserValue} name @param {{startTime?: number, detail?: unknown}} [options] */
    mark(name, options) {
      const mark = new PerformanceMark(name, options);
      entries.push(mark);
      return mark;
    }
    /** @param {UserValue} name @param {UserValue} startOrOptions @param {UserValue} endMark */
    measure(name, startOrOptions, endMark) {
      const options =
        typeof startOrOptions === "object" && startOrOptions !== null
          ? startOrOptions
          : { start: startOrOptions, end: endMark };
      const { start, end, duration, detail = null } = options;
      let endTime = now();
      if (end !== undefined) endTime = timeOf(end);
      else if (start !== undefined && duration !== undefined) endTime = timeOf(start) + duration;
      let startTime = 0;
      if (start !== undefined) startTime = timeOf(start);
      else if (duration !== undefined) startTime = endTime - duration;
      const fields = { name: `${name}`, entryType: "measure", startTime, duration: endTime - startTime, detail };
      const measure = new PerformanceMeasure(OWN, fields);
      entries.push(measure);
      return measure;
    }
    getEntries() {
      return entries.toSorted((a, b) => a.startTime - b.startTime);
    }
    /** @param {string} name @param {string} [type] */
    getEntriesByName(name, type) {
      return this.getEntries().filter(
        (entry) => entry.name === name && (type === undefined || entry.entryType === type),
      );
    }
    /** @param {string} type */
    getEntriesByType(type) {
      return this.getEntries().filter((entry) => entry.entryType === type);
    }
    /** @param {string} [name] */
    clearMarks(name) {
      remove("mark", name);
    }
    /** @param {string} [name] */
    clearMeasures(name) {
      remove("measure", name);
    }
    toJSON() {
      return { timeOrigin: this.timeOrigin };
    }
  }
  install("PerformanceEntry", PerformanceEntry);
  install("PerformanceMark", PerformanceMark);
  install("PerformanceMeasure", PerformanceMeasure);
  install("Performance", Performance);
  install("performance", new Performance(OWN));
});
