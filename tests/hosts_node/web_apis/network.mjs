/** What actions have besides: the network, timers, keys. `u` is the address of network_server.mjs. */
const enc = new TextEncoder();
export const probes = {
  get: async (u) => {
    const r = await fetch(u + "/echo");
    const j = await r.json();
    return [r.ok, r.status, r.url.endsWith("/echo"), j.method, r.type, r.redirected, r instanceof Response];
  },
  post_json: async (u) =>
    await (
      await fetch(u + "/echo", {
        method: "POST",
        headers: { "Content-Type": "application/json", authorization: "Bearer x" },
        body: JSON.stringify({ a: 1 }),
      })
    ).json(),
  put_request: async (u) => (await (await fetch(new Request(u + "/echo", { method: "PUT", body: "z" }))).json()).body,
  url_obj: async (u) => (await fetch(new URL("/echo?x=1", u))).status,
  headers_obj: async (u) => {
    const h = new Headers();
    h.set("x-q", "v");
    return (await (await fetch(u + "/echo", { headers: h })).json()).xq;
  },
  body_usp: async (u) => {
    const j = await (await fetch(u + "/echo", { method: "POST", body: new URLSearchParams({ a: "1 2" }) })).json();
    return [j.body, j.ct];
  },
  body_form: async (u) => {
    const f = new FormData();
    f.append("a", "1");
    f.append("f", new Blob(["file"], { type: "text/plain" }), "n.txt");
    const j = await (await fetch(u + "/echo", { method: "POST", body: f })).json();
    return [j.ct.split(";")[0], j.body.includes('filename="n.txt"'), j.body.includes("file")];
  },
  body_blob: async (u) => {
    const j = await (await fetch(u + "/echo", { method: "POST", body: new Blob(["bb"], { type: "x/y" }) })).json();
    return [j.body, j.ct];
  },
  body_bytes: async (u) =>
    (await (await fetch(u + "/echo", { method: "POST", body: new Uint8Array([65, 66]) })).json()).body,
  body_buffer: async (u) =>
    (await (await fetch(u + "/echo", { method: "POST", body: new Uint8Array([65, 66]).buffer })).json()).body,
  body_sub: async (u) =>
    (await (await fetch(u + "/echo", { method: "POST", body: new Uint8Array([65, 66, 67]).subarray(1) })).json()).body,
  body_stream: async (u) =>
    (
      await (
        await fetch(u + "/echo", {
          method: "POST",
          duplex: "half",
          body: new ReadableStream({
            start(c) {
              c.enqueue(enc.encode("s1"));
              c.enqueue(enc.encode("s2"));
              c.close();
            },
          }),
        })
      ).json()
    ).body,
  body_gen: async (u) =>
    (
      await (
        await fetch(u + "/echo", {
          method: "POST",
          duplex: "half",
          body: ReadableStream.from(
            (async function* () {
              yield enc.encode("g1");
              yield enc.encode("g2");
            })(),
          ),
        })
      ).json()
    ).body,
  stream_read: async (u) => {
    const r = await fetch(u + "/chunks");
    const out = [];
    for await (const c of r.body.pipeThrough(new TextDecoderStream())) out.push(c);
    return out.join("");
  },
  reader: async (u) => {
    const r = (await fetch(u + "/chunks")).body.getReader();
    let n = 0;
    for (;;) {
      const { done, value } = await r.read();
      if (done) break;
      n += value.byteLength;
    }
    return n;
  },
  cancel_body: async (u) => {
    const r = await fetch(u + "/endless");
    const reader = r.body.getReader();
    await reader.read();
    await reader.cancel();
    return "ok";
  },
  redirect: async (u) => {
    const r = await fetch(u + "/redirect");
    return [r.redirected, r.url.endsWith("/echo"), r.status];
  },
  redirect_manual: async (u) => {
    const r = await fetch(u + "/redirect", { redirect: "manual" });
    return [r.status, r.headers.get("location")];
  },
  redirect_error: async (u) => {
    try {
      await fetch(u + "/redirect", { redirect: "error" });
    } catch (e) {
      return [e instanceof TypeError];
    }
  },
  status404: async (u) => {
    const r = await fetch(u + "/404");
    return [r.ok, r.status, await r.text()];
  },
  gzip: async (u) => await (await fetch(u + "/gzip")).text(),
  cookies: async (u) => (await fetch(u + "/cookies")).headers.getSetCookie(),
  abort_mid: async (u) => {
    const c = new AbortController();
    const p = fetch(u + "/hang", { signal: c.signal });
    setTimeout(() => c.abort(), 10);
    try {
      await p;
    } catch (e) {
      return [e.name, e instanceof DOMException, e instanceof Error];
    }
  },
  abort_body: async (u) => {
    const c = new AbortController();
    const r = await fetch(u + "/endless", { signal: c.signal });
    const reader = r.body.getReader();
    await reader.read();
    c.abort();
    try {
      for (;;) await reader.read();
    } catch (e) {
      return [e.name];
    }
  },
  abort_timeout: async (u) => {
    try {
      await fetch(u + "/hang", { signal: AbortSignal.timeout(10) });
    } catch (e) {
      return [e.name, e instanceof DOMException];
    }
  },
  abort_with_reason: async (u) => {
    const c = new AbortController();
    setTimeout(() => c.abort(new RangeError("mine")), 5);
    try {
      await fetch(u + "/hang", { signal: c.signal });
    } catch (e) {
      return [e.name, e instanceof RangeError, e.message];
    }
  },
  parallel: async (u) =>
    (
      await Promise.all(
        Array.from({ length: 30 }, (_, i) =>
          fetch(u + "/echo?i=" + i)
            .then((r) => r.json())
            .then((j) => j.q),
        ),
      )
    ).join(),
  arraybuffer: async (u) => {
    const b = await (await fetch(u + "/chunks")).arrayBuffer();
    return [b instanceof ArrayBuffer, b.byteLength];
  },
  fetched_blob: async (u) => {
    const b = await (await fetch(u + "/chunks")).blob();
    return [b instanceof Blob, b.size];
  },
  fetched_formdata: async (u) => {
    const f = await (await fetch(u + "/form")).formData();
    return [f.get("a"), f instanceof FormData];
  },
  fetched_clone: async (u) => {
    const r = await fetch(u + "/chunks");
    const c = r.clone();
    return [(await r.text()).length, (await c.text()).length];
  },
  head: async (u) => {
    const r = await fetch(u + "/echo", { method: "HEAD" });
    return [r.status, await r.text()];
  },
  nohost: async () => {
    try {
      await fetch("http://127.0.0.1:1/");
    } catch (e) {
      return [e.name, e instanceof TypeError];
    }
  },
  badurl: async () => {
    try {
      await fetch("nope");
    } catch (e) {
      return [e.name, e instanceof TypeError];
    }
  },
  relative: async () => {
    try {
      await fetch("/x");
    } catch (e) {
      return e instanceof TypeError;
    }
  },
  get_body: async (u) => {
    try {
      await fetch(u, { body: "x" });
    } catch (e) {
      return e instanceof TypeError;
    }
  },
  timeout_args: async () => await new Promise((r) => setTimeout((a, b) => r([a, b]), 1, "x", "y")),
  timeout_type: async () => {
    const t = setTimeout(() => {}, 1);
    clearTimeout(t);
    clearTimeout(undefined);
    clearTimeout(null);
    clearTimeout(99999);
    return "ok";
  },
  timers_order: async () => {
    const o = [];
    setTimeout(() => o.push("a"), 2);
    setTimeout(() => o.push("b"), 2);
    await new Promise((r) => setTimeout(r, 20));
    return o;
  },
  micro_before_timer: async () => {
    const o = [];
    setTimeout(() => o.push("t"), 0);
    Promise.resolve().then(() => o.push("m"));
    await new Promise((r) => setTimeout(r, 10));
    return o;
  },
  genkey: async () => {
    const k = await crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, true, ["sign", "verify"]);
    const d = enc.encode("x");
    const s = await crypto.subtle.sign({ name: "ECDSA", hash: "SHA-256" }, k.privateKey, d);
    return [
      k.privateKey instanceof CryptoKey,
      await crypto.subtle.verify({ name: "ECDSA", hash: "SHA-256" }, k.publicKey, s, d),
      (await crypto.subtle.exportKey("jwk", k.publicKey)).crv,
    ];
  },
  rsa: async () => {
    const k = await crypto.subtle.generateKey(
      { name: "RSASSA-PKCS1-v1_5", modulusLength: 1024, publicExponent: new Uint8Array([1, 0, 1]), hash: "SHA-256" },
      true,
      ["sign", "verify"],
    );
    const pk = await crypto.subtle.exportKey("pkcs8", k.privateKey);
    return [pk instanceof ArrayBuffer, (await crypto.subtle.exportKey("spki", k.publicKey)).byteLength > 100];
  },
  ed: async () => {
    const k = await crypto.subtle.generateKey("Ed25519", true, ["sign", "verify"]);
    return k.publicKey.algorithm.name;
  },
  aesgcm: async () => {
    const k = await crypto.subtle.generateKey({ name: "AES-GCM", length: 256 }, true, ["encrypt", "decrypt"]);
    const iv = crypto.getRandomValues(new Uint8Array(12));
    const c = await crypto.subtle.encrypt(
      { name: "AES-GCM", iv, additionalData: enc.encode("ad") },
      k,
      enc.encode("hi"),
    );
    return new TextDecoder().decode(
      await crypto.subtle.decrypt({ name: "AES-GCM", iv, additionalData: enc.encode("ad") }, k, c),
    );
  },
  als_timers: async () => {
    const s = new AsyncLocalStorage();
    return await s.run("v", () => new Promise((r) => setTimeout(() => r(s.getStore()), 1)));
  },
  als_fetch: async (u) => {
    const s = new AsyncLocalStorage();
    return await s.run("v", async () => {
      await fetch(u + "/echo");
      return s.getStore();
    });
  },
  sse: async (u) => {
    const r = await fetch(u + "/chunks");
    const dec = new TextDecoder();
    let buf = "";
    const reader = r.body.getReader();
    while (true) {
      const { value, done } = await reader.read();
      if (done) break;
      buf += dec.decode(value, { stream: true });
    }
    return buf.split("-");
  },
  pipe_to_response: async (u) => {
    const r = await fetch(u + "/chunks");
    return await new Response(r.body, { headers: r.headers }).text();
  },
  tee_upload: async (u) => {
    const r = await fetch(u + "/chunks");
    return (await (await fetch(u + "/echo", { method: "POST", body: r.body, duplex: "half" })).json()).body;
  },
  response_headers_iter: async (u) => {
    const r = await fetch(u + "/echo");
    return r.headers.get("content-type");
  },
  date_adv: async () => {
    const a = Date.now();
    await new Promise((r) => setTimeout(r, 5));
    return Date.now() > a;
  },
  fetch_init_signal_null: async (u) => (await fetch(u + "/echo", { signal: null })).status,
  fetch_undefined_fields: async (u) =>
    (await fetch(u + "/echo", { body: undefined, headers: undefined, method: undefined })).status,
  fetch_method_lower: async (u) => (await (await fetch(u + "/echo", { method: "post", body: "x" })).json()).method,
  keepalive: async (u) =>
    (
      await fetch(u + "/echo", {
        keepalive: true,
        cache: "no-store",
        credentials: "include",
        mode: "cors",
        referrer: "",
        integrity: "",
      })
    ).status,
  json_bad: async (u) => {
    try {
      await (await fetch(u + "/chunks")).json();
    } catch (e) {
      return [e.name, e instanceof SyntaxError];
    }
  },
  async_listener: async () => {
    const t = new EventTarget();
    return await new Promise((r) => {
      t.addEventListener("x", async () => {
        await null;
        r("listened");
      });
      t.dispatchEvent(new Event("x"));
    });
  },
};
