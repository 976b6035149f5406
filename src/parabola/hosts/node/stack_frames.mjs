/**
 * Stack frames in terms of the author's files.
 *
 * V8 hands over the call sites when the stack of an error is first asked for. Frames of bundles are mapped through
 * the source map; frames of the host, and of modules without a map, are left out.
 */
/** @import { SourceMap } from "./modules/source_maps.mjs" */
/** @import { UserValue } from "./types/protocol" */
const LIBRARY = "convex/src/server/impl";

/** @typedef {Pick<SourceMap, "lookup">} SourcePositions */
/** @typedef {{text: string, isInternal: boolean}} Place  a frame, or the place in it */

export class StackFrames {
  /** @type {WeakMap<object, {callSites: NodeJS.CallSite[], frames: string[]|null}>} */
  #known = new WeakMap();

  /**
   * @param {(url: string) => {sourceMap: SourcePositions|null}|null} findModule
   * @param {(url: string) => string|null} nameOf  how a file is called whose positions cannot be mapped; null leaves it out
   */
  constructor(findModule, nameOf = () => null) {
    this.findModule = findModule;
    this.nameOf = nameOf;
  }

  /**
   * Stands in for V8's rendering of `error.stack`; remembers the frames for a later report.
   * @param {unknown} error
   * @param {NodeJS.CallSite[]} callSites
   */
  format(error, callSites) {
    const frames = this.render(callSites);
    if (typeof error === "object" && error !== null) this.#known.set(error, { callSites: [], frames });
    return [header(error), ...frames.map((frame) => `    at ${frame}`)].join("\n");
  }

  /**
   * Remembers the frames of an error whose stack somebody else renders.
   * @param {unknown} error
   * @param {NodeJS.CallSite[]} callSites
   */
  remember(error, callSites) {
    if (typeof error === "object" && error !== null)
      this.#known.set(error, { callSites: [...callSites], frames: null });
  }

  /**
   * The frames of an error, outermost last; none for other values.
   * @param {UserValue} error
   * @returns {string[]}
   */
  of(error) {
    if (typeof error !== "object" || error === null) return [];
    let stack;
    try {
      ({ stack } = error);
    } catch {
      // A library that renders stacks, or a getter of the error's own, has failed.
    }
    const known = this.#known.get(error);
    if (known !== undefined) return (known.frames ??= this.render(known.callSites));
    return typeof stack === "string" ? this.#readStack(stack) : [];
  }

  /** @param {NodeJS.CallSite[]} callSites @returns {string[]} */
  render(callSites) {
    const frames = [];
    for (const site of callSites) {
      try {
        const place = this.#place(site);
        if (place !== null) frames.push({ text: `${describe(site)} (${place.text})`, isInternal: place.isInternal });
      } catch {
        // A library has handed over what is no call site.
      }
    }
    return trim(frames);
  }

  /** @param {NodeJS.CallSite} site @returns {Place|null} */
  #place(site) {
    if (site.isNative()) return { text: "native", isInternal: false };
    const file = site.getFileName() ?? site.getScriptNameOrSourceURL?.();
    if (!file)
      return { text: site.isPromiseAll?.() ? "index " + site.getPromiseIndex() : "<anonymous>", isInternal: false };
    return this.#map(file, site.getLineNumber() ?? 0, site.getColumnNumber() ?? 0);
  }

  /** @param {string} file @param {number} line @param {number} column @returns {Place|null} */
  #map(file, line, column) {
    const position = this.findModule(file)?.sourceMap?.lookup(line - 1, column - 1);
    if (!position) {
      const name = this.nameOf(file);
      return name === null ? null : { text: `${name}:${line}:${column}`, isInternal: false };
    }
    return {
      text: `${position.source}:${position.line + 1}:${position.column + 1}`,
      isInternal: position.source.includes(LIBRARY),
    };
  }

  /** Frames from the text of a stack that some library rendered by itself. @param {string} stack */
  #readStack(stack) {
    const frames = [];
    for (const match of stack.matchAll(/^ {4}at (?:(.*?) \()?((?:convex:|file:\/)?\/[^\s]*?):(\d+):(\d+)\)?$/gm)) {
      const place = this.#map(match[2], Number(match[3]), Number(match[4]));
      if (place !== null)
        frames.push({ text: `${match[1] ?? "<anonymous>"} (${place.text})`, isInternal: place.isInternal });
    }
    return trim(frames);
  }
}

/**
 * Drops the library's own frames at both ends: what called the handler, and what the handler called.
 * @param {Place[]} frames
 */
function trim(frames) {
  let start = 0;
  let end = frames.length;
  while (start < end && frames[start].isInternal) start += 1;
  while (end > start && frames[end - 1].isInternal) end -= 1;
  return frames.slice(start, end).map((frame) => frame.text);
}

/** @param {NodeJS.CallSite} site */
function describe(site) {
  const functionName = site.getFunctionName();
  const parts = [];
  if (site.isAsync?.()) parts.push("async");
  if (site.isPromiseAll?.()) return [...parts, "Promise.all"].join(" ");
  if (site.isConstructor()) parts.push("new");
  if (!functionName) return [...parts, "<anonymous>"].join(" ");
  let name = functionName;
  const typeName = site.isConstructor() || site.isToplevel() ? null : site.getTypeName();
  const methodName = site.isConstructor() ? null : site.getMethodName();
  if (typeName && functionName.startsWith(typeName) && !functionName.startsWith(`${typeName}.`))
    name = `${typeName}.${name}`;
  if (methodName && functionName.endsWith(methodName)) name += functionName === methodName ? "" : ` [as ${methodName}]`;
  return [...parts, name].join(" ");
}

/** @param {unknown} error */
function header(error) {
  try {
    return String(error);
  } catch {
    return "Error";
  }
}
