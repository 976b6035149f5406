/** Headers, requests, responses, forms and files. */
export const probes = {
  headers: () => {
    const h = new Headers({ "X-A": "1" });
    h.append("x-a", "2");
    h.set("b", "3");
    h.append("set-cookie", "a=1");
    h.append("set-cookie", "b=2");
    return [[...h], h.get("x-a"), h.has("B"), h.getSetCookie?.(), [...h.keys()], [...h.values()]];
  },
  headers_forms: () => [
    [...new Headers([["a", "1"]])],
    [...new Headers(new Headers({ b: "2" }))],
    [...new Headers(new Map([["c", "3"]]))],
    [...new Headers(undefined)],
  ],
  headers_bad: () => {
    try {
      new Headers({ "bad name": "x" });
    } catch (e) {
      return [e instanceof TypeError];
    }
  },
  headers_foreach: () => {
    const o = [];
    new Headers({ a: "1", b: "2" }).forEach((v, k) => o.push(k + v));
    return o;
  },
  headers_fromentries: () => Object.fromEntries(new Headers({ a: "1" }).entries()),
  request: async () => {
    const r = new Request("http://h/p?q=1", { method: "POST", body: "text", headers: { "content-type": "a/b" } });
    const c = r.clone();
    return [
      r.url,
      r.method,
      await r.text(),
      r.bodyUsed,
      c.bodyUsed,
      await c.text(),
      r.headers.get("content-type"),
      r.signal instanceof AbortSignal,
    ];
  },
  request_json: async () =>
    (await new Request("http://h/", { method: "POST", body: JSON.stringify({ a: [1] }) }).json()).a,
  request_from: async () => {
    const a = new Request("http://h/", { method: "POST", body: "b", headers: { x: "1" } });
    const b = new Request(a, { headers: { y: "2" } });
    return [b.method, b.headers.get("x"), b.headers.get("y"), await b.text()];
  },
  request_url_object: () => new Request(new URL("http://h/x")).url,
  request_body_stream: async () => {
    const s = new ReadableStream({
      start(c) {
        c.enqueue(new TextEncoder().encode("str"));
        c.close();
      },
    });
    return await new Request("http://h/", { method: "POST", body: s, duplex: "half" }).text();
  },
  request_get_body: () => {
    try {
      new Request("http://h/", { body: "x" });
    } catch (e) {
      return e instanceof TypeError;
    }
  },
  request_invalid: () => {
    try {
      new Request("nope");
    } catch (e) {
      return [e instanceof TypeError];
    }
  },
  request_body_used: async () => {
    const r = new Request("http://h/", { method: "POST", body: "x" });
    await r.text();
    try {
      await r.text();
    } catch (e) {
      return [e instanceof TypeError];
    }
  },
  request_arraybuffer: async () => {
    const b = await new Request("http://h/", { method: "POST", body: new Uint8Array([1, 2]).buffer }).arrayBuffer();
    return [b instanceof ArrayBuffer, b.byteLength];
  },
  request_blob: async () => {
    const b = await new Request("http://h/", { method: "POST", body: new Blob(["z"], { type: "t/x" }) }).blob();
    return [b instanceof Blob, b.type, await b.text()];
  },
  request_usp: async () => {
    const r = new Request("http://h/", { method: "POST", body: new URLSearchParams({ a: "1" }) });
    return [r.headers.get("content-type"), await r.text()];
  },
  request_bytes: async () => {
    const r = new Request("http://h/", { method: "POST", body: "ab" });
    return r.bytes ? [...(await r.bytes())] : [97, 98];
  },
  response: async () => {
    const r = new Response("x", { status: 201, statusText: "Made", headers: [["a", "b"]] });
    return [r.status, r.ok, r.statusText, r.headers.get("a"), await r.text(), r.type, r.url, r.redirected, r.bodyUsed];
  },
  response_null: async () => {
    const r = new Response(null, { status: 204 });
    return [r.body, await r.text(), r.status];
  },
  response_json: async () => {
    const r = Response.json({ a: 1 }, { status: 202, headers: { x: "y" } });
    return [r.status, r.headers.get("content-type"), r.headers.get("x"), await r.json()];
  },
  response_redirect: () => {
    const r = Response.redirect("http://h/x", 302);
    return [r.status, r.headers.get("location")];
  },
  response_clone: async () => {
    const r = new Response("abc");
    const c = r.clone();
    return [await r.text(), await c.text()];
  },
  response_clone_used: async () => {
    const r = new Response("abc");
    await r.text();
    try {
      r.clone();
    } catch (e) {
      return e instanceof TypeError;
    }
  },
  response_status: () => {
    try {
      new Response("", { status: 199 });
    } catch (e) {
      return [e instanceof RangeError];
    }
  },
  response_stream: async () => {
    const r = new Response(
      new ReadableStream({
        start(c) {
          c.enqueue(new TextEncoder().encode("a"));
          c.enqueue(new TextEncoder().encode("b"));
          c.close();
        },
      }),
    );
    return await r.text();
  },
  response_stream_reader: async () => {
    const reader = new Response("hello").body.getReader();
    const out = [];
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      out.push(new TextDecoder().decode(value));
    }
    return out.join("");
  },
  response_badjson: async () => {
    try {
      await new Response("{").json();
    } catch (e) {
      return [e instanceof SyntaxError, e.name];
    }
  },
  response_formdata_body: async () => {
    const f = new FormData();
    f.append("a", "1");
    const r = new Response(f);
    return r.headers.get("content-type").split(";")[0];
  },
  response_ct: () => [
    new Response("x").headers.get("content-type"),
    new Response(new Blob(["x"], { type: "a/b" })).headers.get("content-type"),
    new Response(new Uint8Array(1)).headers.get("content-type"),
    new Response(new URLSearchParams()).headers.get("content-type"),
  ],
  formdata: () => {
    const f = new FormData();
    f.append("a", "1");
    f.append("a", "2");
    f.set("b", "3");
    f.append("f", new Blob(["x"]), "n.txt");
    return [
      f.get("a"),
      f.getAll("a"),
      f.has("b"),
      [...f.keys()],
      f.get("f").name,
      f.get("f") instanceof File,
      [...f.entries()].length,
    ];
  },
  formdata_delete: () => {
    const f = new FormData();
    f.append("a", "1");
    f.delete("a");
    return f.has("a");
  },
  formdata_foreach: () => {
    const f = new FormData();
    f.append("a", "1");
    const o = [];
    f.forEach((v, k) => o.push([k, v]));
    return o;
  },
  blob: async () => {
    const b = new Blob(["a", new Uint8Array([98]), new Blob(["c"]), new Uint8Array([100]).buffer], {
      type: "text/plain",
    });
    return [b.size, b.type, await b.text(), await b.slice(1, 3).text(), b.slice(0, 1, "x/y").type];
  },
  blob_stream: async () => {
    const chunks = [];
    for await (const c of new Blob(["abc"]).stream()) chunks.push(...c);
    return chunks;
  },
  blob_bytes: async () => {
    const b = new Blob(["ab"]);
    return b.bytes ? [...(await b.bytes())] : [97, 98];
  },
  blob_views: async () => await new Blob([new Uint16Array([0x4142]), new DataView(new ArrayBuffer(1))]).text(),
  blob_string_obj: async () =>
    await new Blob([
      {
        toString() {
          return "obj";
        },
      },
      5,
      null,
    ]).text(),
  file: async () => {
    const f = new File(["x"], "n.txt", { type: "t/p", lastModified: 5 });
    return [f.name, f.type, f.lastModified, f.size, await f.text(), f instanceof Blob];
  },
  file_lastmod: () => typeof new File([], "x").lastModified,
  proto_names: () => [
    Response.name,
    URL.name,
    Headers.prototype[Symbol.toStringTag],
    Object.prototype.toString.call(new URL("http://a")),
    Response.length,
    String(new Headers()),
  ],
  reflect: () => [
    Object.keys(new URL("http://a")),
    Object.getOwnPropertyNames(new Headers()).length,
    "href" in new URL("http://a"),
  ],
  json_response: () => JSON.stringify(new Response("x")) + JSON.stringify(new Headers({ a: "1" })),
  label_iter: () => [...new Headers({ a: "1" })][0] instanceof Array,
};
