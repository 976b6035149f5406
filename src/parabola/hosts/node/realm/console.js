/*
 * The console of the default runtime: each argument is formatted on its own and becomes one message of the line.
 */
(function (host, api, inspect) {
  "use strict";
  const { install, resets, answer } = api;
  const now = () => answer(host.performanceNow());
  const format = (args) => args.map((value) => inspect(value));
  const write = (level, args) => host.log(level, format(args));
  const timers = new Map();
  const label = (name) => (name === undefined ? "default" : String(name));
  const elapsed = (name, since) => `${name}: ${now() - since}ms`;
  const report = (name, rest, end) => {
    const since = timers.get(name);
    if (since === undefined) {
      host.log("WARN", [`Timer '${name}' does not exist`]);
      return;
    }
    if (end) timers.delete(name);
    host.log("INFO", [elapsed(name, since), ...format(rest)]);
  };

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
});
