/** Events, aborting, DOMException and structuredClone. */
export const probes = {
  event: () => {
    const e = new Event("x", { cancelable: true });
    e.preventDefault();
    return [e.type, e.defaultPrevented, e.bubbles, e.cancelable, typeof e.timeStamp];
  },
  eventtarget_once: () => {
    const t = new EventTarget();
    let n = 0;
    t.addEventListener("x", () => n++, { once: true });
    t.dispatchEvent(new Event("x"));
    t.dispatchEvent(new Event("x"));
    return n;
  },
  eventtarget_object: () => {
    const t = new EventTarget();
    const l = {
      n: 0,
      handleEvent(e) {
        this.n++;
      },
    };
    t.addEventListener("x", l);
    t.dispatchEvent(new Event("x"));
    t.removeEventListener("x", l);
    t.dispatchEvent(new Event("x"));
    return l.n;
  },
  eventtarget_signal: () => {
    const t = new EventTarget();
    const c = new AbortController();
    let n = 0;
    t.addEventListener("x", () => n++, { signal: c.signal });
    c.abort();
    t.dispatchEvent(new Event("x"));
    return n;
  },
  eventtarget_sub: () => {
    class T extends EventTarget {
      constructor() {
        super();
        this.v = 1;
      }
    }
    const t = new T();
    let self;
    t.addEventListener("x", function (e) {
      self = [this === t, e.target === t, e.currentTarget === t];
    });
    t.dispatchEvent(new Event("x"));
    return [t.v, self];
  },
  event_sub: () => {
    class E extends Event {
      constructor(t, d) {
        super(t);
        this.detail = d;
      }
    }
    const t = new EventTarget();
    let got;
    t.addEventListener("x", (e) => {
      got = [e instanceof E, e.detail];
    });
    t.dispatchEvent(new E("x", 7));
    return got;
  },
  abort: () => {
    const c = new AbortController();
    const seen = [];
    c.signal.onabort = (e) => seen.push(e.type);
    c.signal.addEventListener("abort", () => seen.push("l"));
    c.abort();
    return [
      c.signal.aborted,
      c.signal.reason.name,
      c.signal.reason instanceof DOMException,
      seen,
      c.signal instanceof EventTarget,
    ];
  },
  abort_reason: () => {
    const r = { why: 1 };
    const c = new AbortController();
    c.abort(r);
    try {
      c.signal.throwIfAborted();
    } catch (e) {
      return e === r;
    }
  },
  abort_static: () => [
    AbortSignal.abort().aborted,
    AbortSignal.abort(5).reason,
    AbortSignal.any([AbortSignal.abort(3)]).reason,
  ],
  abort_any: () => {
    const a = new AbortController(),
      b = new AbortController();
    const s = AbortSignal.any([a.signal, b.signal]);
    let n = 0;
    s.addEventListener("abort", () => n++);
    b.abort("x");
    return [s.aborted, s.reason, n];
  },
  domexception: () => {
    const e = new DOMException("m", "NotFoundError");
    return [
      e.name,
      e.message,
      e.code,
      String(e),
      e instanceof Error,
      DOMException.NOT_FOUND_ERR,
      typeof e.stack,
      Object.prototype.toString.call(e),
    ];
  },
  domexception_default: () => {
    const e = new DOMException();
    return [e.name, e.message, e.code];
  },
  structuredClone: () => {
    const o = {
      a: [1, { b: new Date(5) }],
      m: new Map([[1, new Set([2])]]),
      r: /x/gi,
      n: null,
      u: undefined,
      big: 5n,
      bytes: new Uint8Array([1, 2]),
      e: new RangeError("r"),
    };
    o.self = o;
    const c = structuredClone(o);
    return [
      c !== o,
      c.self === c,
      c.a[1].b.getTime(),
      [...c.m.get(1)],
      String(c.r),
      c.n,
      "u" in c,
      c.big === 5n,
      [...c.bytes],
      c.e instanceof RangeError,
      c.e.message,
    ];
  },
  structuredClone_fn: () => {
    try {
      structuredClone(() => 1);
    } catch (e) {
      return [e instanceof DOMException, e.name];
    }
  },
  structuredClone_class: () => {
    class A {
      x = 1;
      get y() {
        return 2;
      }
      m() {}
    }
    const c = structuredClone(new A());
    return [c.constructor === Object, c.x, c.y];
  },
  structuredClone_sparse: () => {
    const c = structuredClone([1, , 3]);
    return [c.length, 1 in c];
  },
  structuredClone_symbol: () => {
    try {
      structuredClone(Symbol("x"));
    } catch (e) {
      return e.name;
    }
  },
  structuredClone_prim: () => [
    structuredClone(1),
    structuredClone("a"),
    structuredClone(null),
    structuredClone(undefined) === undefined,
    structuredClone(new Boolean(false)) instanceof Boolean,
  ],
};
