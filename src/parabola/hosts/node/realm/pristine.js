/*
 * Tells whether an execution left its realm as it found it, and undoes what can be undone.
 *
 * `take` records every object reachable from the global object. Functions that are neither constructors nor carry
 * properties of their own are frozen on the way, and accessors are made permanent, so that only data properties and
 * the presence of properties need comparing. The comparison itself is generated code: one fixed list of property
 * reads, which V8 makes fast.
 */
(function (compile) {
  "use strict";
  const { ownKeys, getOwnPropertyDescriptor, defineProperty, deleteProperty, isExtensible } = Reflect;
  const { getPrototypeOf } = Object;
  const isObject = (value) => (typeof value === "object" && value !== null) || typeof value === "function";
  const record = [];
  const seen = new Set();

  function take(...roots) {
    roots.forEach(visit);
    const objects = record.map((entry) => entry.object);
    const values = record.map((entry) => entry.values);
    const prototypes = record.map((entry) => entry.prototype);
    const checked = record.map((entry) => entry.checked);
    return compile(source())(checked)(objects, values, prototypes, { ownKeys, isExtensible, getPrototypeOf });
  }

  function visit(object) {
    if (!isObject(object) || seen.has(object)) return;
    seen.add(object);
    visit(getPrototypeOf(object));
    const keys = ownKeys(object);
    const isLeaf = typeof object === "function" && !keys.includes("prototype") && keys.length <= 2;
    if (isLeaf) {
      Object.freeze(object);
      return;
    }
    const entry = { object, keys, checked: [], values: [], descriptors: new Map(), prototype: getPrototypeOf(object) };
    record.push(entry);
    for (const key of keys) {
      const descriptor = getOwnPropertyDescriptor(object, key);
      if (!("value" in descriptor)) {
        if (descriptor.configurable) defineProperty(object, key, { configurable: false });
        visit(descriptor.get);
        visit(descriptor.set);
        continue;
      }
      if (descriptor.writable || descriptor.configurable) {
        entry.checked.push(key);
        entry.values.push(descriptor.value);
        entry.descriptors.set(key, descriptor);
      }
      visit(descriptor.value);
    }
  }

  /** The text of a function that answers whether all recorded objects are as they were. */
  function source() {
    const lines = record.map((entry, i) => {
      const reads = entry.checked
        .map((key, j) => {
          const access = typeof key === "string" ? `[${JSON.stringify(key)}]` : `[k${i}_${j}]`;
          return `&&o${access}===v[${j}]`;
        })
        .join("");
      const shape = `ownKeys(o).length===${entry.keys.length}&&isExtensible(o)&&getPrototypeOf(o)===prototypes[${i}]`;
      return `o=objects[${i}];v=values[${i}];if(!(${shape}${reads}))return false;`;
    });
    const symbols = record.flatMap((entry, i) =>
      entry.checked.flatMap((key, j) => (typeof key === "symbol" ? [`k${i}_${j}=symbols[${i}][${j}]`] : [])),
    );
    return `(function(symbols){${symbols.length > 0 ? `const ${symbols.join(",")};` : ""}
      return function(objects,values,prototypes,{ownKeys,isExtensible,getPrototypeOf}){
      return function(){"use strict";let o,v;${lines.join("\n")}return true;}}})`;
  }

  /** Puts everything back. @returns false if something cannot be put back */
  function restore() {
    for (const { object, keys, checked, values, descriptors, prototype } of record) {
      if (!isExtensible(object) || getPrototypeOf(object) !== prototype) return false;
      for (const key of ownKeys(object)) {
        if (!keys.includes(key) && !deleteProperty(object, key)) return false;
      }
      for (let i = 0; i < checked.length; i++) {
        const now = getOwnPropertyDescriptor(object, checked[i]);
        if (now !== undefined && "value" in now && now.value === values[i]) continue;
        if (!defineProperty(object, checked[i], descriptors.get(checked[i]))) return false;
      }
    }
    return true;
  }

  return { take, restore };
});
