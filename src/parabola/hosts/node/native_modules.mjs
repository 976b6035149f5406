/** Instantiates a module graph with V8's own loader: for cycles, live bindings and whatever factories cannot hold. */
import vm from "node:vm";

/** @returns {Promise<object>} the namespace of the entry module, evaluated in the realm */
export async function instantiateNatively(modules, realm, path) {
  const instances = new Map();
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
          throw realm.dynamicImportRefusal(specifier);
        },
      });
      instances.set(target, instance);
    }
    return instance;
  };
  const entry = load(path);
  await entry.link((specifier, referencing) => load(modules.resolve(specifier, pathOf(referencing.identifier))));
  await entry.evaluate();
  return entry.namespace;
}

function pathOf(url) {
  return url.slice(url.indexOf(":/") + 2);
}
