import assert from "node:assert/strict";
import { createServer } from "node:net";
import { test } from "node:test";
import { count, OpenResources, ownTimer } from "../../../src/parabola/hosts/node/open_resources.mjs";

const resources = new OpenResources();

test("what has been opened since is more, until it is closed", async () => {
  const own = count();
  assert.equal(resources.isMoreThan(own), false);
  const timer = setTimeout(() => {}, 1e6);
  assert.equal(resources.isMoreThan(own), true);
  clearTimeout(timer);
  assert.equal(resources.isMoreThan(own), false);
});

test("what modules open while they are imported is nobody's", async () => {
  const own = count();
  const server = await resources.importing(
    () =>
      new Promise((resolve) => {
        const opened = createServer().listen(0, "127.0.0.1", () => resolve(opened));
      }),
  );
  assert.equal(resources.isMoreThan(own), false);
  const timer = setTimeout(() => {}, 1e6);
  assert.equal(resources.isMoreThan(own), true);
  clearTimeout(timer);
  await new Promise((resolve) => server.close(resolve));
});

test("a timer that keeps no process alive is noticed while it runs, the host's own is not", async () => {
  const own = ownTimer(() => {}, 1e6);
  assert.equal(resources.hasQuietTimers, false);
  const quiet = setTimeout(() => {}, 1e6).unref();
  assert.equal(resources.hasQuietTimers, true);
  clearTimeout(quiet);
  assert.equal(resources.hasQuietTimers, false);
  for (let i = 0; i < 2000; i++) clearTimeout(setTimeout(() => {}, 1e6));
  assert.equal(resources.hasQuietTimers, false);
  clearTimeout(own);
});
