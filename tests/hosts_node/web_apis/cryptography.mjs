/** Cryptography that needs no randomness of its own. */
export const probes = {
  digest: async () => {
    const h = async (a) =>
      [...new Uint8Array(await crypto.subtle.digest(a, new TextEncoder().encode("abc")))].slice(0, 4);
    return [await h("SHA-1"), await h("SHA-256"), await h({ name: "SHA-384" }), await h("sha-512")];
  },
  digest_forms: async () => {
    const b = new Uint8Array([97, 98, 99]);
    const one = async (d) => new Uint8Array(await crypto.subtle.digest("SHA-256", d))[0];
    return [await one(b), await one(b.buffer), await one(new DataView(b.buffer)), await one(b.subarray(1))];
  },
  hmac: async () => {
    const k = await crypto.subtle.importKey(
      "raw",
      new TextEncoder().encode("key"),
      { name: "HMAC", hash: "SHA-256" },
      true,
      ["sign", "verify"],
    );
    const s = await crypto.subtle.sign("HMAC", k, new TextEncoder().encode("m"));
    return [
      [...new Uint8Array(s)].slice(0, 3),
      await crypto.subtle.verify("HMAC", k, s, new TextEncoder().encode("m")),
      k.type,
      k.extractable,
      k.algorithm.name,
      k.algorithm.hash.name,
      k.usages,
      [...new Uint8Array(await crypto.subtle.exportKey("raw", k))].length,
      (await crypto.subtle.exportKey("jwk", k)).kty,
    ];
  },
  aes: async () => {
    const k = await crypto.subtle.importKey("raw", new Uint8Array(16), "AES-CBC", false, ["encrypt", "decrypt"]);
    const iv = new Uint8Array(16);
    const e = await crypto.subtle.encrypt({ name: "AES-CBC", iv }, k, new TextEncoder().encode("hello"));
    return [e.byteLength, new TextDecoder().decode(await crypto.subtle.decrypt({ name: "AES-CBC", iv }, k, e))];
  },
  pbkdf2: async () => {
    const k = await crypto.subtle.importKey("raw", new TextEncoder().encode("pw"), "PBKDF2", false, [
      "deriveBits",
      "deriveKey",
    ]);
    const b = await crypto.subtle.deriveBits(
      { name: "PBKDF2", salt: new Uint8Array(8), iterations: 10, hash: "SHA-256" },
      k,
      128,
    );
    const d = await crypto.subtle.deriveKey(
      { name: "PBKDF2", salt: new Uint8Array(8), iterations: 10, hash: "SHA-256" },
      k,
      { name: "AES-GCM", length: 256 },
      true,
      ["encrypt"],
    );
    return [[...new Uint8Array(b)].slice(0, 3), d.algorithm.length];
  },
  hkdf: async () => {
    const k = await crypto.subtle.importKey("raw", new Uint8Array(8), "HKDF", false, ["deriveBits"]);
    return new Uint8Array(
      await crypto.subtle.deriveBits(
        { name: "HKDF", salt: new Uint8Array(0), info: new Uint8Array(0), hash: "SHA-256" },
        k,
        64,
      ),
    ).length;
  },
  jwk_import: async () => {
    const k = await crypto.subtle.importKey(
      "jwk",
      { kty: "oct", k: "AAAA", alg: "HS256", ext: true },
      { name: "HMAC", hash: "SHA-256" },
      true,
      ["sign"],
    );
    return k instanceof CryptoKey;
  },
  crypto_bad: async () => {
    try {
      await crypto.subtle.digest("MD5", new Uint8Array(1));
    } catch (e) {
      return [e instanceof DOMException || e instanceof Error, e.name];
    }
  },
  crypto_badkey: async () => {
    try {
      await crypto.subtle.importKey("raw", new Uint8Array(3), "AES-GCM", false, ["encrypt"]);
    } catch (e) {
      return [e instanceof DOMException, e.name];
    }
  },
  uuid: () => /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/.test(crypto.randomUUID()),
  grv: () => {
    const a = new Uint8Array(8);
    const b = crypto.getRandomValues(a);
    return [a === b, crypto.getRandomValues(new BigUint64Array(1)).length];
  },
  grv_bad: () => {
    try {
      crypto.getRandomValues(new Float32Array(1));
    } catch (e) {
      return [e instanceof DOMException, e.name];
    }
  },
};
