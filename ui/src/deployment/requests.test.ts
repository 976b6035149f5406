import { expect, test, vi } from "vitest";
import { request } from "./requests";

test("the key goes in a header, beside others", async () => {
  const fetched = vi.fn(async (_path: string, init?: RequestInit) => Response.json({ headers: init?.headers }));
  vi.stubGlobal("fetch", fetched);
  const told = await request<{ headers: object }>("me|01", "/api/x", { headers: { "Content-Type": "text/csv" } });
  expect(told.headers).toEqual({ Authorization: "Convex me|01", "Content-Type": "text/csv" });
  expect(fetched.mock.calls[0]![0]).toBe("/api/x");
});

test("a refusal is thrown in the server's words, or by its status", async () => {
  vi.stubGlobal("fetch", async () => Response.json({ message: "There is no table x." }, { status: 404 }));
  await expect(request("k", "/")).rejects.toThrow("There is no table x.");
  vi.stubGlobal("fetch", async () => new Response("gateway", { status: 502 }));
  await expect(request("k", "/")).rejects.toThrow("status 502");
});

test("an answer that says nothing is null", async () => {
  vi.stubGlobal("fetch", async () => new Response());
  expect(await request("k", "/")).toBeNull();
});
