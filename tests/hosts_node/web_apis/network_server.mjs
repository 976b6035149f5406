/** Prints its port, answers what network.mjs asks, and ends with its standard input. */
import http from "node:http";
import zlib from "node:zlib";
const s = http.createServer((q, r) => {
  const u = new URL(q.url, "http://h");
  const chunks = [];
  if (u.pathname === "/chunks") {
    r.write("aa-");
    setTimeout(() => {
      r.write("bb-");
      r.end("cc");
    }, 5);
    return;
  }
  if (u.pathname === "/endless") {
    const t = setInterval(() => r.write("x".repeat(1000)), 5);
    q.on("close", () => clearInterval(t));
    r.on("close", () => clearInterval(t));
    return;
  }
  if (u.pathname === "/redirect") {
    r.writeHead(302, { location: "/echo" });
    return r.end();
  }
  if (u.pathname === "/404") {
    r.writeHead(404);
    return r.end("nf");
  }
  if (u.pathname === "/gzip") {
    r.writeHead(200, { "content-encoding": "gzip" });
    return r.end(zlib.gzipSync("zipped"));
  }
  if (u.pathname === "/cookies") {
    r.writeHead(200, { "set-cookie": ["a=1", "b=2"] });
    return r.end();
  }
  if (u.pathname === "/form") {
    r.writeHead(200, { "content-type": "application/x-www-form-urlencoded" });
    return r.end("a=1");
  }
  if (u.pathname === "/hang") return;
  q.on("data", (c) => chunks.push(c));
  q.on("end", () => {
    r.writeHead(200, { "content-type": "application/json" });
    r.end(
      JSON.stringify({
        method: q.method,
        body: Buffer.concat(chunks).toString(),
        ct: q.headers["content-type"] ?? null,
        auth: q.headers.authorization ?? null,
        xq: q.headers["x-q"] ?? null,
        q: u.searchParams.get("i"),
      }),
    );
  });
});
s.listen(0, () => console.log(s.address().port));

process.stdin.on("end", () => process.exit(0)).resume();
