/** Addresses, text and base64. */
export const probes = {
  url_all: () => {
    const u = new URL("https://user:pw@h:81/a/b?x=1&y=2#z");
    return [
      u.href,
      u.origin,
      u.protocol,
      u.username,
      u.password,
      u.host,
      u.hostname,
      u.port,
      u.pathname,
      u.search,
      u.hash,
      String(u),
      JSON.stringify(u),
    ];
  },
  url_set: () => {
    const u = new URL("https://h/a");
    u.pathname = "/b";
    u.search = "?q=1";
    u.hash = "k";
    u.port = "8080";
    u.protocol = "http:";
    u.searchParams.append("z", "2");
    u.searchParams.delete("q");
    return u.href;
  },
  url_static: () => [URL.canParse("http://a"), URL.canParse("/x", "http://a"), URL.parse?.("nope")],
  usp: () => {
    const p = new URLSearchParams({ a: "1", b: "2" });
    p.append("a", "3");
    p.sort();
    return [
      String(p),
      [...p],
      [...p.keys()],
      [...p.values()],
      p.getAll("a"),
      p.has("b"),
      p.has("a", "3"),
      p.size,
      p.get("no"),
    ];
  },
  usp_forms: () => [
    String(
      new URLSearchParams([
        ["a", "1"],
        ["b", "2"],
      ]),
    ),
    String(new URLSearchParams("?x=1")),
    String(new URLSearchParams(new URLSearchParams("q=2"))),
    String(new URLSearchParams(new Map([["m", "1"]]))),
  ],
  usp_foreach: () => {
    const out = [];
    new URLSearchParams("a=1&b=2").forEach((v, k, p) => out.push([v, k, p instanceof URLSearchParams]));
    return out;
  },
  usp_object_entries: () => Object.fromEntries(new URLSearchParams("a=1&b=2")),
  te: () => [...new TextEncoder().encode("héλ😀")],
  te_into: () => {
    const b = new Uint8Array(4);
    const r = new TextEncoder().encodeInto("héllo", b);
    return [r.read, r.written, [...b]];
  },
  te_enc: () => new TextEncoder().encoding,
  te_lone: () => [...new TextEncoder().encode("\ud800")],
  td: () => [
    new TextDecoder().decode(new Uint8Array([104, 105])),
    new TextDecoder("utf-8").encoding,
    new TextDecoder("latin1").decode(new Uint8Array([233])),
    new TextDecoder("utf-16le").decode(new Uint8Array([104, 0])),
  ],
  td_buffer: () => new TextDecoder().decode(new Uint8Array([104, 105]).buffer),
  td_dataview: () => new TextDecoder().decode(new DataView(new Uint8Array([104, 105]).buffer)),
  td_sub: () => new TextDecoder().decode(new Uint8Array([104, 105, 106]).subarray(1)),
  td_empty: () => new TextDecoder().decode(),
  td_fatal: () => {
    try {
      new TextDecoder("utf-8", { fatal: true }).decode(new Uint8Array([255]));
    } catch (e) {
      return [e instanceof TypeError, e.name, e.code];
    }
  },
  td_stream: () => {
    const d = new TextDecoder();
    return d.decode(new Uint8Array([0xe2, 0x82]), { stream: true }) + d.decode(new Uint8Array([0xac]));
  },
  td_bad: () => {
    try {
      new TextDecoder("nope");
    } catch (e) {
      return [e instanceof RangeError, e.name];
    }
  },
  td_bom: () => [
    new TextDecoder().decode(new Uint8Array([0xef, 0xbb, 0xbf, 65])),
    new TextDecoder("utf-8", { ignoreBOM: true }).decode(new Uint8Array([0xef, 0xbb, 0xbf, 65])).length,
  ],
  atob: () => [atob("aGk="), btoa("hi"), atob(" aG k= ")],
  atob_bad: () => {
    try {
      atob("*");
    } catch (e) {
      return [e instanceof DOMException, e.name, e.code];
    }
  },
  btoa_bad: () => {
    try {
      btoa("é€");
    } catch (e) {
      return [e instanceof DOMException, e.name];
    }
  },
  escape: () => [escape("é"), encodeURIComponent("é"), decodeURI("%C3%A9")],
};
