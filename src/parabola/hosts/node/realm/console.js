/*
 * The console of the default runtime: each argument is formatted on its own and becomes one message of the line.
 */
/** @import { Level } from "../types/protocol" */
/** @import { Inspect, RealmApi, RealmHost } from "../types/realm" */
(function (/** @type {RealmHost} */ host, /** @type {RealmApi} */ api, /** @type {Inspect} */ inspect) {
  "use strict";
  const { install, resets, traces, answer } = api;
  const now = () => answer(host.performanceNow());
  /** @param {unknown[]} args */
  const format = (args) => args.map((value) => inspect(value));
  /** @param {Level} level @param {unknown[]} args */
  const write = (level, args) => host.log(level, format(args));
  /** @type {Map<string, number>} */
  const timers = new Map();
  /** @param {unknown} name */
  const label = (name) => (name === undefined ? "default" : String(name));
  /** @param {string} name @param {number} since */
  const elapsed = (name, since) => `${name}: ${now() - since}ms`;
  /** @param {string} name @param {unknown[]} rest @param {boolean} end */
  const report = (name, rest, end) => {
    const since = timers.get(name);
    if (since === undefined) {
      host.log("WARN", [`Timer '${name}' does not exist`]);
      return;
    }
    if (end) timers.delete(name);
    host.log("INFO", [elapsed(name, since), ...format(rest)]);
  };

  /** @type {Record<string, (...args: any[]) => void>} */
  const methods = {
    debug: (...args) => write("DEBUG", args),
    error: (...args) => write("ERROR", args),
    info: (...args) => write("INFO", args),
    log: (...args) => write("LOG", args),
    warn: (...args) => write("WARN", args),
    trace(...args) {
      const messages = format(args);
      const holder = new Error();
      const frames = host.traceFrames(holder, holder.stack);
      messages.push(`${messages.pop() ?? ""}\n${frames}`);
      host.log("LOG", messages);
    },
    time(name) {
      if (timers.has(label(name))) host.log("WARN", [`Timer '${label(name)}' already exists`]);
      else timers.set(label(name), now());
    },
    timeLog: (name, ...rest) => report(label(name), rest, false),
    timeEnd: (name) => report(label(name), [], true),
  };
  // V8 brings a console of its own, for debuggers.
  install("console", methods);
  resets.push(() => timers.clear());
  traces.push(() => timers.size > 0);
});
