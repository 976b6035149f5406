// @vitest-environment jsdom
import { beforeEach, expect, test, vi } from "vitest";
import { checkKey, storedKey, takeKeyFromAddress } from "./key";

beforeEach(() => {
  sessionStorage.clear();
  history.replaceState(null, "", "/dashboard/data?table=notes");
});

test("a key in the fragment is kept, and leaves the address", () => {
  location.hash = `#key=${encodeURIComponent("me|01ab+/=")}`;
  takeKeyFromAddress(location, history, sessionStorage);
  expect(storedKey(sessionStorage)).toBe("me|01ab+/=");
  expect(location.href).toMatch(/\/dashboard\/data\?table=notes$/);
});

test("an address without one changes nothing", () => {
  sessionStorage.setItem("parabola admin key", "kept");
  takeKeyFromAddress(location, history, sessionStorage);
  expect(storedKey(sessionStorage)).toBe("kept");
});

test("a refusal is told in the server's words, and a server that is gone in ours", async () => {
  vi.stubGlobal("fetch", async () => Response.json({ message: "This admin key was revoked." }, { status: 401 }));
  expect(await checkKey("x")).toEqual({ ok: false, isReached: true, reason: "This admin key was revoked." });
  vi.stubGlobal("fetch", async () => Response.json({ isReadOnly: true }));
  expect(await checkKey("x")).toEqual({ ok: true, readOnly: true });
  vi.stubGlobal("fetch", () => Promise.reject(new TypeError("failed")));
  expect(await checkKey("x")).toMatchObject({
    ok: false,
    isReached: false,
    reason: expect.stringContaining("Is it running?"),
  });
  vi.stubGlobal("fetch", async () => new Response("bad gateway", { status: 502 }));
  expect(await checkKey("x")).toMatchObject({ ok: false, isReached: false });
});
