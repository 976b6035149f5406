import assert from "node:assert/strict";
import { createServer } from "node:http";
import { once } from "node:events";
import { after, test } from "node:test";
import { fetchOverHttp } from "../../../src/parabola/hosts/node/fetching.mjs";

const server = createServer((request, response) => {
  if (request.url === "/loop") response.writeHead(302, { location: "/loop" }).end();
  else if (request.url === "/moved") response.writeHead(307, { location: "/" }).end();
  else if (request.url === "/headers") response.end(JSON.stringify(request.headers));
  else if (request.url !== "/never") response.end("hello");
}).listen(0, "127.0.0.1");
await once(server, "listening");
const base = `http://127.0.0.1:${server.address().port}`;
const never = new AbortController().signal;
after(() => server.closeAllConnections() ?? server.close());

test("a response is what the server said", async () => {
  assert.equal(await (await fetchOverHttp(base, undefined, never)).text(), "hello");
});

test("a request says which trace it belongs to, unless it says so itself", async () => {
  const traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
  const asked = async (init, trace) =>
    JSON.parse(await (await fetchOverHttp(`${base}/headers`, init, never, trace)).text());
  const all = await asked({ headers: { "x-a": "b" } }, { traceparent, tracestate: "a=1" });
  assert.deepEqual([all.traceparent, all.tracestate, all["x-a"]], [traceparent, "a=1", "b"]);
  const own = await asked({ headers: { traceparent: "mine" } }, { traceparent, tracestate: "a=1" });
  assert.deepEqual([own.traceparent, own.tracestate], ["mine", undefined]);
  assert.equal((await asked(undefined, undefined)).traceparent, undefined);
});

test("other protocols than http and https are refused", async () => {
  for (const url of ["file:///etc/passwd", "data:text/plain,x", "blob:nodedata:x"])
    await assert.rejects(fetchOverHttp(url, undefined, never), /fetch only supports http and https/);
});

test("an error names its cause", async () => {
  await assert.rejects(
    fetchOverHttp("http://127.0.0.1:1", undefined, never),
    (error) => error instanceof TypeError && /bad port|ECONNREFUSED/.test(error.message),
  );
  await assert.rejects(fetchOverHttp(`${base}/loop`, undefined, never), { message: "fetch too many redirects" });
  await assert.rejects(fetchOverHttp(`${base}/loop`, { redirect: "error" }, never), {
    message: "fetch attempted redirect",
  });
  const body = new ReadableStream({ start: (controller) => controller.close() });
  await assert.rejects(fetchOverHttp(`${base}/moved`, { method: "POST", body, duplex: "half" }, never), {
    message: "fetch cannot redirect with streamed body",
  });
});

test("both the request's own signal and the end of the action abort it", async () => {
  const [own, ended] = [new AbortController(), new AbortController()];
  const waiting = [
    fetchOverHttp(`${base}/never`, { signal: own.signal }, never),
    fetchOverHttp(`${base}/never`, undefined, ended.signal),
  ];
  own.abort();
  ended.abort();
  for (const one of waiting) await assert.rejects(one, { name: "AbortError" });
});
