/** Instantiates a module graph with V8's own loader: for cycles, live bindings and whatever factories cannot hold. */
import vm from "node:vm";
/** @import { ModuleSet } from "./module_set.mjs" */
/** @import { Realm } from "../realm.mjs" */

/**
 * @param {ModuleSet} modules
 * @param {Realm} realm
 * @param {string} path
 * @param {Map<string, vm.SourceTextModule>} instances  what this execution has instantiated already
 * @returns {Promise<object>} the namespace of the entry module, evaluated in the realm
 */
export async function instantiateNatively(modules, realm, path, instances) {
  /** @param {string} target */
  const load = (target) => {
    let instance = instances.get(target);
    if (instance === undefined) {
      const module = modules.get(target);
      instance = new vm.SourceTextModule(module.source, {
        context: realm.context,
        identifier: module.url,
        cachedData: module.cachedData,
        initializeImportMeta: (meta) => realm.poisonMeta(meta),
        importModuleDynamically: async (specifier) => {
          const found = realm.import(modules, target, specifier);
          return /** @type {any} */ (await found);
        },
      });
      instances.set(target, instance);
    }
    return instance;
  };
  const entry = load(path);
  if (entry.status === "unlinked")
    await entry.link((specifier, referencing) => load(modules.resolve(specifier, pathOf(referencing.identifier))));
  await entry.evaluate();
  return entry.namespace;
}

/** @param {string} url */
function pathOf(url) {
  return url.slice(url.indexOf(":/") + 2);
}
