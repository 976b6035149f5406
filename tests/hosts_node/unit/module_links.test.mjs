import assert from "node:assert/strict";
import { test } from "node:test";
import { LinkError, ModuleLinks } from "../../../src/parabola/hosts/node/modules/module_links.mjs";
import { readModuleSyntax } from "../../../src/parabola/hosts/node/modules/module_syntax.mjs";
import { forAll } from "./random_cases.mjs";

const linked = (modules) =>
  new ModuleLinks(
    (path) => readModuleSyntax(modules[path]),
    (specifier) => specifier,
  );
const randomGraph = (random, isCyclic) => {
  const count = 1 + random.below(7);
  const targets = Array.from({ length: count }, (_, i) =>
    random.list(4, () => (isCyclic ? random.below(count) : i + 1 + random.below(count - i))).filter((to) => to < count),
  );
  return { targets, modules: targets.map((list) => list.map((to) => `import "${to}";`).join("\n")) };
};

test("dependencies are evaluated before what needs them, each once", () => {
  forAll(200, (random) => {
    const { targets, modules } = randomGraph(random, false);
    const order = linked(modules).order("0");
    const paths = order.map(({ path }) => path);
    assert.equal(new Set(paths).size, paths.length);
    for (const path of paths) for (const to of targets[path]) assert.ok(paths.indexOf(`${to}`) < paths.indexOf(path));
    assert.ok(order.every(({ isEarly }) => !isEarly));
  });
});

test("the modules of a cycle may be used early, and so may what is first reached from one", () => {
  forAll(300, (random) => {
    const { targets, modules } = randomGraph(random, true);
    const reaches = (from, to, seen = new Set()) =>
      targets[from].some((next) => next === to || (!seen.has(next) && reaches(next, to, seen.add(next))));
    const order = linked(modules).order("0");
    assert.deepEqual(
      order.map(({ path }) => Number(path)).sort(),
      targets
        .map((_, i) => i)
        .filter((i) => i === 0 || reaches(0, i))
        .sort(),
    );
    for (const { path, isEarly } of order) if (reaches(Number(path), Number(path))) assert.ok(isEarly, path);
    const cyclic = order.filter(({ path }) => reaches(Number(path), Number(path))).map(({ path }) => Number(path));
    for (const { path, isEarly } of order) {
      if (isEarly)
        assert.ok(
          cyclic.some((from) => from === Number(path) || reaches(from, Number(path))),
          path,
        );
    }
  });
});

test("a name is followed through re-exports to the variable that is meant", () => {
  const links = linked({
    a: 'export { x as y } from "b"; export * from "c"; import * as all from "c"; export { all };',
    b: 'import { z } from "c"; export { z as x };',
    c: "export const z = 1; export default 2;",
  });
  assert.deepEqual(links.binding("main", "a", "y"), { path: "c", name: "z" });
  assert.deepEqual(links.binding("main", "a", "z"), { path: "c", name: "z" });
  assert.deepEqual(links.binding("main", "a", "all"), { path: "c", name: null });
  assert.deepEqual(
    links.namespace("a").map(([name]) => name),
    ["all", "y", "z"],
  );
  assert.throws(() => links.binding("main", "a", "default"), LinkError);
});

test("a name that two `export *` give is no export unless both mean the same", () => {
  const links = linked({
    same: 'export * from "one"; export * from "again";',
    different: 'export * from "one"; export * from "two";',
    one: "export const x = 1;",
    again: 'export * from "one";',
    two: "export const x = 2; export const y = 3;",
  });
  assert.deepEqual(links.binding("main", "same", "x"), { path: "one", name: "x" });
  assert.throws(() => links.binding("main", "different", "x"), /conflicting star exports for name 'x'/);
  assert.deepEqual(
    links.namespace("different").map(([name]) => name),
    ["y"],
  );
});

test("re-exports in a circle give nothing, and come to an end", () => {
  const links = linked({ a: 'export { x } from "b";', b: 'export { x } from "a";' });
  assert.throws(() => links.binding("main", "a", "x"), /does not provide an export named 'x'/);
  assert.deepEqual(links.namespace("a"), []);
});
