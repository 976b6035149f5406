/** Streams. */
export const probes = {
  rs_basic: async () => {
    const s = new ReadableStream({
      start(c) {
        c.enqueue(1);
        c.enqueue(2);
        c.close();
      },
    });
    const r = s.getReader();
    return [await r.read(), await r.read(), await r.read(), s.locked];
  },
  rs_pull: async () => {
    let n = 0;
    const s = new ReadableStream(
      {
        pull(c) {
          if (n++ < 3) c.enqueue(n);
          else c.close();
        },
      },
      { highWaterMark: 0 },
    );
    const out = [];
    for await (const x of s) out.push(x);
    return out;
  },
  rs_tee: async () => {
    const s = new ReadableStream({
      start(c) {
        c.enqueue("a");
        c.close();
      },
    });
    const [a, b] = s.tee();
    const read = async (s) => {
      const o = [];
      for await (const x of s) o.push(x);
      return o;
    };
    return [await read(a), await read(b)];
  },
  rs_cancel: async () => {
    let why;
    const s = new ReadableStream({
      cancel(r) {
        why = r;
      },
    });
    await s.cancel("because");
    return why;
  },
  rs_error: async () => {
    const s = new ReadableStream({
      start(c) {
        c.error(new TypeError("bad"));
      },
    });
    try {
      await s.getReader().read();
    } catch (e) {
      return [e instanceof TypeError, e.message];
    }
  },
  rs_from: async () => {
    const out = [];
    for await (const x of ReadableStream.from([1, 2])) out.push(x);
    return out;
  },
  rs_from_gen: async () => {
    const out = [];
    for await (const x of ReadableStream.from(
      (async function* () {
        yield 1;
        yield { a: 2 };
      })(),
    ))
      out.push(x);
    return out;
  },
  rs_byob: async () => {
    const s = new ReadableStream({
      type: "bytes",
      pull(c) {
        const v = c.byobRequest.view;
        v[0] = 7;
        c.byobRequest.respond(1);
      },
    });
    const r = s.getReader({ mode: "byob" });
    const { value } = await r.read(new Uint8Array(2));
    return [value instanceof Uint8Array, value.length, value[0]];
  },
  rs_bytes_default: async () => {
    const s = new ReadableStream({
      type: "bytes",
      start(c) {
        c.enqueue(new Uint8Array([1, 2]));
        c.close();
      },
    });
    const { value } = await s.getReader().read();
    return [...value];
  },
  rs_pipeto: async () => {
    const out = [];
    await new ReadableStream({
      start(c) {
        c.enqueue(1);
        c.close();
      },
    }).pipeTo(
      new WritableStream({
        write(x) {
          out.push(x);
        },
      }),
    );
    return out;
  },
  rs_queue_strategy: async () => {
    const s = new ReadableStream(
      {
        start(c) {
          c.enqueue("abc");
        },
      },
      { highWaterMark: 10, size: (c) => c.length },
    );
    const r = s.getReader();
    return (await r.read()).value;
  },
  rs_closed: async () => {
    const s = new ReadableStream({
      start(c) {
        c.close();
      },
    });
    const r = s.getReader();
    await r.closed;
    return "closed";
  },
  rs_release: async () => {
    const s = new ReadableStream({
      start(c) {
        c.enqueue(1);
      },
    });
    const r = s.getReader();
    r.releaseLock();
    return s.locked;
  },
  rs_desired: async () => {
    let d;
    new ReadableStream({
      start(c) {
        d = c.desiredSize;
      },
    });
    return d;
  },
  rs_values: async () => {
    const s = new ReadableStream({
      start(c) {
        c.enqueue(1);
        c.close();
      },
    });
    const out = [];
    for await (const x of s.values({ preventCancel: true })) out.push(x);
    return out;
  },
  ws: async () => {
    const out = [];
    const w = new WritableStream({
      write(x) {
        out.push(x);
      },
      close() {
        out.push("closed");
      },
    }).getWriter();
    await w.ready;
    await w.write({ a: 1 });
    await w.close();
    return out;
  },
  ws_abort: async () => {
    let why;
    const w = new WritableStream({
      abort(r) {
        why = r;
      },
    });
    await w.abort("x");
    return why;
  },
  ws_error: async () => {
    const w = new WritableStream({
      write() {
        throw new RangeError("w");
      },
    }).getWriter();
    w.closed.catch(() => {});
    try {
      await w.write(1);
    } catch (e) {
      return [e instanceof RangeError, e.message];
    }
  },
  ts: async () => {
    const t = new TransformStream({
      transform(x, c) {
        c.enqueue(x * 2);
      },
      flush(c) {
        c.enqueue("end");
      },
    });
    const w = t.writable.getWriter();
    const p = (async () => {
      const o = [];
      for await (const x of t.readable) o.push(x);
      return o;
    })();
    await w.write(1);
    await w.write(2);
    await w.close();
    return await p;
  },
  tds: async () => {
    const s = new ReadableStream({
      start(c) {
        c.enqueue(new Uint8Array([0xe2, 0x82]));
        c.enqueue(new Uint8Array([0xac]));
        c.close();
      },
    }).pipeThrough(new TextDecoderStream());
    const o = [];
    for await (const x of s) o.push(x);
    return o.join("");
  },
  tes: async () => {
    const s = new ReadableStream({
      start(c) {
        c.enqueue("é");
        c.close();
      },
    }).pipeThrough(new TextEncoderStream());
    const o = [];
    for await (const x of s) o.push(...x);
    return o;
  },
};
