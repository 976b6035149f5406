/** How many realms with evaluated modules are kept for the next calls. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Deployment } from "../../../src/parabola/hosts/node/deployment.mjs";
import { RealmPool } from "../../../src/parabola/hosts/node/realm_pool.mjs";

const MODULES = 40;

/** @param {number} length */
function deploymentOf(length) {
  const text = `export const text = ${JSON.stringify("x".repeat(length))};`;
  const modules = Array.from({ length: MODULES }, (_, i) => ({ path: `m${i}.js`, source: text }));
  return new Deployment(
    /** @type {any} */ ({
      deployment: "d",
      environment: "isolate",
      modules,
      env: {},
      instance: {},
      importPhase: { now: 0, seed: "" },
    }),
  );
}

/** @param {RealmPool} pool @param {Deployment} deployment */
function useAllModules(pool, deployment) {
  for (let i = 0; i < MODULES; i++) {
    pool.release(pool.instance(deployment, `m${i}.js`, "transaction", () => {}));
    while (pool.prepareOne(() => true));
  }
}

test("modules of long texts are kept in few realms, those of short ones in many", () => {
  const kept = [1_000_000, 1_000].map((length) => {
    const pool = new RealmPool(1, (work) => work());
    useAllModules(pool, deploymentOf(length));
    return pool.size;
  });
  assert.ok(kept[0] <= 8 + 4, `${kept[0]} with long texts`);
  assert.ok(kept[1] >= 32, `${kept[1]} with short texts`);
});
