/*
 * Comparisons of many properties with what they have been, made so that V8 has next to nothing to do.
 *
 * Each is one function that names all its properties, and in which objects and values are constants. What optimized code reads
 * of a constant object V8 takes as given until somebody writes there, and then reads again: so a comparison costs nothing while
 * nothing changes, and is as exact as any other. It wants objects whose properties V8 keeps in its fast way.
 */
/** @import { UserValue } from "../types/protocol" */
/** @import { Comparisons } from "../types/realm" */
(function (/** @type {(text: string) => UserValue} */ compile) {
  "use strict";
  const { stringify } = JSON;
  const { is } = Object;
  /** With more properties a text costs more than it saves. */
  const MOST = 4000;
  /** Nor is a longer text made, as texts are kept for other realms: keys may be of any length. */
  const MOST_TEXT = 400_000;
  /**
   * V8 makes good code of what has been called some 500 times, which is long where many realms take turns. So at first it is
   * called many times more each time, while its data is at hand: that costs a call a fifth of a millisecond, and saves more later.
   */
  const MORE_CALLS = 19;
  const WARM_UP = 30;
  /** The key of a property that no object has, not even with an accessor. */
  const NOTHING = Symbol("nothing");

  /**
   * @param {object[]} objects
   * @param {PropertyKey[][]} keys
   * @param {UserValue[][]} values
   */
  const byLoop = (objects, keys, values) => () => {
    for (let i = 0; i < objects.length; i++) {
      const object = /** @type {UserValue} */ (objects[i]);
      for (let j = 0; j < keys[i].length; j++) if (!is(object[keys[i][j]], values[i][j])) return false;
    }
    return true;
  };

  /** @param {() => boolean} compare */
  const warming = (compare) => {
    let left = WARM_UP;
    return () => {
      if (left > 0) {
        left -= 1;
        for (let i = 0; i < MORE_CALLS; i++) compare();
      }
      return compare();
    };
  };

  /** @type {Comparisons} */
  const comparisons = {
    make(objects, keys, values) {
      /** @type {UserValue[]} what the function is to know, one after the other */
      const known = [is];
      let constants = "const is=known[0]";
      let reads = "true";
      let count = 0;
      /** @param {UserValue} one @returns {string} its name in the text */
      const name = (one) => {
        const at = known.length;
        known[at] = one;
        constants += `,c${at}=known[${at}]`;
        return `c${at}`;
      };
      for (let i = 0; i < objects.length; i++) {
        if (keys[i].length === 0) continue;
        if ((count += keys[i].length) > MOST) return byLoop(objects, keys, values);
        const object = name(objects[i]);
        for (let j = 0; j < keys[i].length; j++) {
          const key = keys[i][j];
          const value = values[i][j];
          const now = `${object}[${typeof key === "string" ? stringify(key) : name(key)}]`;
          // Of all values only these differ from themselves, or equal others.
          const isOdd = value === 0 || is(value, NaN);
          if (reads.length + now.length > MOST_TEXT) return byLoop(objects, keys, values);
          reads += isOdd ? `&&is(${now},${name(value)})` : `&&${now}===${name(value)}`;
        }
      }
      return warming(compile(`(function(known){"use strict";${constants};return()=>${reads}})`)(known));
    },
    makeFast(object) {
      // V8 does so with what objects inherit from, once something is looked up there.
      const heir = function () {};
      heir.prototype = object;
      return /** @type {any} */ (new /** @type {any} */ (heir)())[NOTHING];
    },
  };
  return comparisons;
});
