/*
 * The web interfaces of the default runtime, over those of Node.js.
 */
/** @import { UserValue } from "../types/protocol" */
/** @import { Class, Crossing, FacadeOptions, Facades, Interfaces, Outer, RealmApi, RealmHost, UserFunction } from "../types/realm" */
(function (
  /** @type {RealmHost} */ host,
  /** @type {RealmApi} */ api,
  /** @type {Crossing} */ crossing,
  /** @type {Facades} */ facades,
  /** @type {Interfaces} */ outer,
) {
  "use strict";
  const { facade, notImplemented } = facades;
  const { install, raise } = api;
  const { wrap, unwrap, behind, handlers, follow, guard } = crossing;
  const { apply, defineProperty } = Reflect;

  /** @param {string} name @param {Class} Outer @param {FacadeOptions} [options] */
  const expose = (name, Outer, options) => {
    const Face = facade(name, Outer, options);
    install(name, Face);
    return Face;
  };
  /** @param {string} what */
  const refuse = (what) => {
    const refusal = host.refusal(what);
    if (refusal !== undefined) throw raise(refusal);
  };
  /** @param {object} target @param {string} name @param {UserFunction} value */
  const method = (target, name, value) =>
    defineProperty(target, name, { value, writable: true, enumerable: true, configurable: true });

  // ---- errors, events and aborting ----------------------------------------------------------------------------
  const DOMException = expose("DOMException", outer.DOMException, {
    onConstruct: (face) => Error.captureStackTrace(face, DOMException),
  });
  Object.setPrototypeOf(DOMException.prototype, Error.prototype);
  const makeFace = /** @type {(object: any, proto: object) => UserValue} */ (
    handlers.get(outer.DOMException.prototype)
  );
  handlers.set(outer.DOMException.prototype, (object) => {
    const face = makeFace(object, outer.DOMException.prototype);
    Error.captureStackTrace(face);
    return face;
  });

  expose("Event", outer.Event);
  const EventTarget = expose("EventTarget", outer.EventTarget);
  /** @type {WeakMap<object, Function>} */
  const listeners = new WeakMap();
  /** Listener objects keep one wrapper, so that they can be removed again. @param {UserValue} value */
  const listener = (value) => {
    if (typeof value !== "object" || value === null) return unwrap(value);
    if (!listeners.has(value)) listeners.set(value, (/** @type {Event} */ event) => value.handleEvent(wrap(event)));
    return listeners.get(value);
  };
  for (const name of ["addEventListener", "removeEventListener"]) {
    const native = outer.EventTarget.prototype[name];
    method(
      EventTarget.prototype,
      name,
      {
        /** @param {UserValue} type @param {UserValue} callback @param {UserValue} options */
        [name](type, callback, options) {
          const object = behind.get(this);
          if (object === undefined) throw new TypeError("Illegal invocation");
          guard(() => apply(native, object, [type, listener(callback), unwrap(options)]));
        },
      }[name],
    );
  }
  const AbortSignal = expose("AbortSignal", outer.AbortSignal, {
    parent: EventTarget,
    passive: ["abort"],
    isAbstract: true,
  });
  const AbortController = expose("AbortController", outer.AbortController, { passive: ["abort"] });
  method(AbortSignal, "timeout", function timeout(delay) {
    const controller = new AbortController();
    api.startTimer("setTimeout", () => controller.abort(new DOMException("Signal timed out.", "TimeoutError")), delay);
    return controller.signal;
  });

  // ---- addresses and text ---------------------------------------------------------------------------------------
  const URLSearchParams = expose("URLSearchParams", outer.URLSearchParams);
  const URL = expose("URL", outer.URL, { refused: ["set host", "set username", "set password"] });
  for (const name of ["createObjectURL", "revokeObjectURL"]) delete URL[name];
  const TextDecoder = expose("TextDecoder", outer.TextDecoder);
  const { decode } = TextDecoder.prototype;
  method(
    TextDecoder.prototype,
    "decode",
    {
      /** @param {UserValue} input @param {UserValue} options */
      decode(input = new Uint8Array(0), options = {}) {
        const stream = Boolean(options?.stream);
        // Half of a character is kept for the next call.
        if (stream) api.watch(this);
        return apply(decode, this, [input, { stream }]);
      },
    }.decode,
  );
  const TextEncoder = expose("TextEncoder", outer.TextEncoder);
  const { encodeInto } = outer.TextEncoder.prototype;
  method(TextEncoder.prototype, "encode", function encode(text = "") {
    const string = `${text}`;
    const object = behind.get(this);
    const bytes = new Uint8Array(string.length * 3);
    const { written } = apply(encodeInto, object, [string, bytes]);
    return bytes.slice(0, written);
  });
  install("atob", function atob(text) {
    return guard(() => outer.atob(`${text}`));
  });
  install("btoa", function btoa(text) {
    return guard(() => outer.btoa(`${text}`));
  });

  // ---- streams --------------------------------------------------------------------------------------------------
  /**
   * Gives the host a stream's source or sink: its methods see this realm's controllers.
   * @param {string[]} names
   */
  const streamParts = (names) => (/** @type {UserValue[]} */ args) =>
    args.map((part, i) => {
      if (i > 0 || part === null || typeof part !== "object") return part;
      /** @type {Record<string, unknown>} */
      const copy = {};
      for (const name of names) {
        const value = part[name];
        if (value === undefined) continue;
        copy[name] =
          typeof value === "function" ? (/** @type {unknown[]} */ ...given) => apply(value, part, given) : value;
      }
      return copy;
    });
  for (const name of [
    "ReadableStreamDefaultController",
    "ReadableByteStreamController",
    "WritableStreamDefaultController",
    "TransformStreamDefaultController",
  ]) {
    facade(name, outer[name], { passive: ["enqueue", "error"], isAbstract: true });
  }
  facade("ReadableStreamBYOBRequest", outer.ReadableStreamBYOBRequest, { isAbstract: true });
  expose("ReadableStream", outer.ReadableStream, {
    passive: ["cancel", "from"],
    prepare: streamParts(["start", "pull", "cancel", "type", "autoAllocateChunkSize"]),
  });
  expose("ReadableStreamDefaultReader", outer.ReadableStreamDefaultReader, {
    passive: ["cancel"],
    settled: ["closed"],
  });
  expose("ReadableStreamBYOBReader", outer.ReadableStreamBYOBReader, { passive: ["cancel"], settled: ["closed"] });
  expose("WritableStream", outer.WritableStream, {
    passive: ["abort"],
    prepare: streamParts(["start", "write", "close", "abort", "type"]),
  });
  expose("WritableStreamDefaultWriter", outer.WritableStreamDefaultWriter, {
    passive: ["write", "abort"],
    settled: ["closed", "ready"],
  });
  expose("TransformStream", outer.TransformStream, {
    prepare: streamParts(["start", "transform", "flush", "cancel", "readableType", "writableType"]),
  });
  expose("TextEncoderStream", outer.TextEncoderStream);
  expose("TextDecoderStream", outer.TextDecoderStream);

  // ---- bodies and requests ----------------------------------------------------------------------------------------
  const Blob = expose("Blob", outer.Blob);
  expose("File", outer.File, { parent: Blob });
  expose("FormData", outer.FormData);
  const Headers = expose("Headers", outer.Headers);
  /** @param {UserValue[]} args */
  const withDuplex = ([input, init]) => {
    const body = init?.body;
    const isStream = typeof body === "object" && body !== null && behind.get(body) instanceof outer.ReadableStream;
    return isStream && init.duplex === undefined ? [input, { ...init, duplex: "half" }] : [input, init];
  };
  const Request = expose("Request", outer.Request, {
    prepare: withDuplex,
    refused:
      "cache mode credentials destination integrity isHistoryNavigation isReloadNavigation keepalive redirect referrer referrerPolicy".split(
        " ",
      ),
  });
  /** The length of bodies that are known in full. @type {WeakMap<object, number>} */
  const bodyLengths = new WeakMap();
  /** @param {UserValue} body */
  const lengthOf = (body) => {
    if (body === null || body === undefined) return undefined;
    if (typeof body === "string") return new TextEncoder().encode(body).length;
    if (body instanceof ArrayBuffer || ArrayBuffer.isView(body)) return body.byteLength;
    if (body instanceof Blob) return body.size;
    return body instanceof URLSearchParams ? new TextEncoder().encode(`${body}`).length : undefined;
  };
  /** Statuses that have no body: one that is given all the same is left out, where Node.js would throw. */
  const BODILESS = [204, 205, 304];
  /** @param {UserValue} init */
  const isBodiless = (init) => BODILESS.includes(Number(init?.status));
  const Response = expose("Response", outer.Response, {
    prepare: ([body, init]) => [isBodiless(init) ? null : body, init],
    onConstruct(face, [body, init]) {
      const length = isBodiless(init) ? undefined : lengthOf(body);
      if (length !== undefined) bodyLengths.set(face, length);
    },
  });
  method(Response, "error", function error() {
    return new Response(null, { status: 500 });
  });
  method(Response, "json", function json(data, init) {
    const response = new Response(JSON.stringify(data), init);
    if (!new Headers(init?.headers).has("content-type")) response.headers.set("content-type", "application/json");
    return response;
  });
  for (const Face of [Request, Response]) {
    method(Face.prototype, "formData", async function formData() {
      refuse("formData()");
      const contentType = this.headers.get("content-type") ?? "";
      const body = await this.arrayBuffer();
      const most = host.wholeBodyBytes();
      if (body.byteLength > most) throw new TypeError(`formData() supports bodies up to ${most / 2 ** 20} MiB`);
      const copy = new outer.Response(unwrap(body), { headers: { "content-type": contentType } });
      return follow(copy.formData(), "formData");
    });
  }
  install("fetch", async function fetch(input, init) {
    refuse("fetch()");
    return api.fetch(input, init);
  });
  api.fetch = (input, init) => {
    const [target, options] = withDuplex([input, init]);
    return new Promise((resolve, reject) => {
      host.fetch(
        unwrap(target),
        unwrap(options),
        (response) => resolve(wrap(response)),
        (error) => reject(wrap(error)),
      );
    });
  };

  // ---- context that follows asynchronous calls -------------------------------------------------------------------
  /**
   * Storages that were used: Node.js keeps those, and looks at each for every promise, until they are disabled.
   * @type {Set<import("node:async_hooks").AsyncLocalStorage<unknown>>}
   */
  let used = new Set();
  api.resets.push(() => {
    for (const storage of used) storage.disable();
    used = new Set();
  });
  api.traces.push(() => used.size > 0);
  /** Node.js would refuse it with an error of its own realm. @param {UserValue} callback */
  const callable = (callback) => {
    if (typeof callback !== "function") throw new TypeError("The callback must be a function");
    return callback;
  };
  class AsyncLocalStorage {
    #native = new outer.AsyncLocalStorage();
    get #storage() {
      used.add(this.#native);
      return this.#native;
    }
    /** @param {Function} callback */
    static bind(callback) {
      const bound = outer.AsyncLocalStorage.bind(callable(callback));
      return /** @type {UserFunction} */ (
        function (...args) {
          return apply(bound, this, args);
        }
      );
    }
    static snapshot() {
      const snapshot = outer.AsyncLocalStorage.snapshot();
      return (/** @type {Function} */ callback, /** @type {unknown[]} */ ...args) =>
        snapshot(callable(callback), ...args);
    }
    /** @param {unknown} store @param {Function} callback @param {unknown[]} args */
    run(store, callback, ...args) {
      return this.#storage.run(store, callable(callback), ...args);
    }
    /** @param {Function} callback @param {unknown[]} args */
    exit(callback, ...args) {
      return this.#storage.exit(callable(callback), ...args);
    }
    getStore() {
      return this.#storage.getStore();
    }
    /** @param {unknown} store */
    enterWith(store) {
      this.#storage.enterWith(store);
    }
    disable() {
      this.#storage.disable();
    }
  }
  class AsyncResource {
    #resource;
    /** @param {UserValue} type */
    constructor(type) {
      this.#resource = new outer.AsyncResource(`${type}`);
    }
    /** @param {Function} callback @param {string} [type] */
    static bind(callback, type) {
      return new AsyncResource(type ?? callback.name ?? "bound-anonymous-fn").bind(callback);
    }
    /** @param {Function} callback */
    bind(callback) {
      const resource = this.#resource;
      callable(callback);
      return /** @type {UserFunction} */ (
        function (...args) {
          return resource.runInAsyncScope(callback, this, ...args);
        }
      );
    }
    /** @param {Function} callback @param {unknown} thisArgument @param {unknown[]} args */
    runInAsyncScope(callback, thisArgument, ...args) {
      return this.#resource.runInAsyncScope(callable(callback), thisArgument, ...args);
    }
    asyncId() {
      return this.#resource.asyncId();
    }
    triggerAsyncId() {
      return this.#resource.triggerAsyncId();
    }
    emitDestroy() {
      this.#resource.emitDestroy();
      return this;
    }
  }
  install("AsyncLocalStorage", AsyncLocalStorage);
  install("AsyncResource", AsyncResource);
  Object.assign(api, { notImplemented, refuse, Request, Response, Blob, DOMException, bodyLengths });
});
