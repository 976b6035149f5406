/*
 * The syscalls that carry JavaScript objects: files, and the requests and responses of HTTP actions.
 */
/** @import { Raised, UserValue } from "../types/protocol" */
/** @import { Crossing, RealmApi, RealmHost, Settle } from "../types/realm" */
(function (/** @type {RealmHost} */ host, /** @type {RealmApi} */ api, /** @type {Crossing} */ crossing) {
  "use strict";
  const { raise, refuse, Response, Blob } = api;
  const { wrap, behind, guard } = crossing;

  /**
   * @param {(resolve: Settle<UserValue>, reject: Settle<Raised>) => void} start
   * @returns {Promise<UserValue>}
   */
  const asPromise = (start) =>
    new Promise((resolve, reject) =>
      start(
        (value) => resolve(wrap(value)),
        (failure) => reject(raise(failure)),
      ),
    );

  /** @type {Record<string, (input: UserValue) => UserValue>} */
  const syscalls = {
    /** @param {UserValue} input */
    async "storage/storeBlob"({ requestId, version, blob, options }) {
      refuse("storage.store()");
      if (!(blob instanceof Blob)) {
        throw new Error(
          "store() expects a Blob. If you are trying to store a Request, `await request.blob()` will give you the correct input.",
        );
      }
      const args = JSON.stringify({ requestId, version, options });
      return asPromise((resolve, reject) => host.storeBlob(args, behind.get(blob), resolve, reject));
    },
    /** @param {UserValue} input */
    async "storage/getBlob"({ requestId, version, storageId }) {
      refuse("storage.get()");
      if (typeof storageId !== "string") {
        throw new Error(`storage.get requires a string storageId but received ${String(storageId)}`);
      }
      const args = JSON.stringify({ requestId, version, storageId });
      return asPromise((resolve, reject) => host.getBlob(args, resolve, reject));
    },
    /** @param {UserValue} input */
    requestFromConvexJson({ convexJson }) {
      return guard(() => host.makeRequest(JSON.stringify(convexJson) ?? "null"));
    },
    /** @param {UserValue} input */
    convexJsonFromResponse({ response }) {
      if (!(response instanceof Response)) throw new Error("HTTP actions must return a Response");
      const headerPairs = [...response.headers];
      const length = api.bodyLengths.get(response);
      if (length !== undefined && !response.headers.has("content-length"))
        headerPairs.push(["content-length", String(length)]);
      const streamId = guard(() => host.takeResponse(behind.get(response)));
      return { headerPairs, status: response.status, streamId, url: response.url || undefined };
    },
  };

  api.jsSyscall = (op, input) => {
    if (!Object.hasOwn(syscalls, op)) throw raise(host.unknownJsSyscall(String(op)));
    return syscalls[op](input);
  };
});
