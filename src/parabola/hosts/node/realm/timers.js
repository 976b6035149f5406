/*
 * Timers. Only actions have them: elsewhere the call itself gives an id, and the refusal fails the execution as a
 * rejection that nobody handles.
 */
/** @import { UserValue } from "../types/protocol" */
/** @import { RealmApi, RealmHost } from "../types/realm" */
(function (/** @type {RealmHost} */ host, /** @type {RealmApi} */ api) {
  "use strict";
  const { install, raise } = api;
  /**
   * @param {string} what
   * @param {UserValue} callback
   * @param {UserValue} delay
   * @param {unknown[]} args
   * @param {boolean} repeat
   */
  const start = (what, callback, delay, args, repeat) => {
    if (typeof callback !== "function") {
      throw new TypeError(`The first argument of ${what} must be a function: strings are not evaluated`);
    }
    const refusal = host.timerRefusal(what);
    if (refusal !== undefined) {
      Promise.reject(raise(refusal));
      return 0;
    }
    return host.setTimer(() => callback(...args), Number(delay) || 0, repeat);
  };
  api.startTimer = (what, callback, delay) => start(what, callback, delay, [], false);
  install("setTimeout", function setTimeout(callback, delay, ...args) {
    return start("setTimeout", callback, delay, args, false);
  });
  install("setInterval", function setInterval(callback, delay, ...args) {
    return start("setInterval", callback, delay, args, true);
  });
  /** @param {UserValue} id */
  const clear = (id) => host.clearTimer(Number(id));
  install("clearTimeout", function clearTimeout(id) {
    clear(id);
  });
  install("clearInterval", function clearInterval(id) {
    clear(id);
  });
});
