import assert from "node:assert/strict";
import { test } from "node:test";
import { Deployment } from "../../../src/parabola/hosts/node/deployment.mjs";

const load = {
  deployment: "d",
  modules: [],
  env: { A: "1", CONVEX_SITE_URL: "mine" },
  instance: { cloudUrl: "http://c", siteUrl: "http://s" },
  importPhase: { now: 5, seed: "a text" },
};

test("variables are those of the app and the deployment's addresses, and nothing that objects inherit", () => {
  const deployment = new Deployment(load);
  assert.equal(deployment.env("A"), "1");
  assert.equal(deployment.env("CONVEX_CLOUD_URL"), "http://c");
  assert.equal(deployment.env("CONVEX_SITE_URL"), "mine");
  assert.equal(deployment.env("toString"), undefined);
  assert.equal(new Deployment({ deployment: "d", modules: [] }).env("CONVEX_CLOUD_URL"), undefined);
});

test("a component's modules have the clock and the seed of the push, and not the app's variables", () => {
  const deployment = new Deployment(load);
  const component = deployment.withModules([{ path: "m.js", source: "" }]);
  assert.equal(component.env("A"), undefined);
  assert.equal(component.env("CONVEX_SITE_URL"), "http://s");
  assert.deepEqual([component.importNow, component.importSeed], [5, deployment.importSeed]);
  assert.deepEqual(component.modules.paths, ["m.js"]);
});

test("a seed is 32 bytes in hex, whatever names it", () => {
  const seedOf = (seed) => new Deployment({ ...load, importPhase: { seed } }).importSeed;
  assert.equal(seedOf("ab".repeat(32)), "ab".repeat(32));
  assert.match(seedOf("a text"), /^[0-9a-f]{64}$/);
  assert.notEqual(seedOf("a text"), seedOf("another"));
});
