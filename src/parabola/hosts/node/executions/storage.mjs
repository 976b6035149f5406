/**
 * Files that user code stores and reads: JavaScript's Blob on its side, base64 in calls to the engine.
 *
 * Large files travel in parts, since a message has a size limit (docs/explanation/host-protocol.md, "Files").
 */
import { randomUUID } from "node:crypto";
import { checkArguments } from "../outgoing_values.mjs";
/** @import { GetArguments, StoreArguments, UserValue } from "../types/protocol" */

// Each part is several times in memory on both sides: as bytes, in base64 and inside a message.
const PART_BYTES = 4 * 1024 * 1024;

/** @typedef {(op: string, args: string) => Promise<UserValue>} CallEngine */

/**
 * @param {CallEngine} call
 * @param {StoreArguments} asked
 * @param {Blob} blob
 * @returns {Promise<string>} the storage id
 */
export async function storeBlob(call, { requestId, version, options }, blob) {
  const bytes = Buffer.from(await blob.arrayBuffer());
  const args = { requestId, version, contentType: blob.type || undefined, sha256: options?.sha256 };
  // Only these are of user code's making.
  checkArguments(JSON.stringify(args), args);
  const id = bytes.length > PART_BYTES ? randomUUID() : null;
  let index = 0;
  for (let start = 0; ; start += PART_BYTES, index += 1) {
    const isLast = start + PART_BYTES >= bytes.length;
    const part = id === null ? undefined : { upload: id, index, last: isLast };
    const text = JSON.stringify({ ...args, blob: bytes.subarray(start, start + PART_BYTES).toString("base64"), part });
    const answer = await call("1.0/storageStore", text);
    if (isLast) return answer;
  }
}

/**
 * @param {CallEngine} call
 * @param {GetArguments} given
 * @returns {Promise<Blob|null>}
 */
export async function getBlob(call, { requestId, version, storageId }) {
  const asked = { requestId, version, storageId };
  checkArguments(JSON.stringify(asked), asked);
  const parts = [];
  let contentType = null;
  for (let offset = 0; ;) {
    const text = JSON.stringify({ requestId, version, storageId, offset, length: PART_BYTES });
    const answer = await call("1.0/storageGet", text);
    if (answer === null) return null;
    const bytes = Buffer.from(answer.blob, "base64");
    parts.push(bytes);
    contentType = answer.contentType;
    offset += bytes.length;
    // An engine that answers in one piece names no size.
    if (answer.size === undefined || offset >= answer.size || bytes.length === 0) break;
  }
  return new Blob(parts, { type: contentType ?? "" });
}
