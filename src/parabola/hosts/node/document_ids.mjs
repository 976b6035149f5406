/** Reads document ids: what `db.normalizeId` needs to answer without a round trip. */
import { createHash } from "node:crypto";

const ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz";
const BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/**
 * @param {string} text
 * @returns {{tableNumber: number, internal: Uint8Array}|null} null unless the text is an id in canonical form
 */
export function decodeId(text) {
  const bytes = [];
  let buffer = 0;
  let bits = 0;
  for (const character of text) {
    const digit = ALPHABET.indexOf(character);
    if (digit < 0) return null;
    buffer = (buffer << 5) | digit;
    bits += 5;
    if (bits >= 8) {
      bits -= 8;
      bytes.push((buffer >> bits) & 255);
      buffer &= (1 << bits) - 1;
    }
  }
  let tableNumber = 0;
  let length = 0;
  do {
    if (length === 5 || length >= bytes.length) return null;
    tableNumber += (bytes[length] & 127) * 2 ** (7 * length);
  } while (bytes[length++] & 128);
  if (bytes.length !== length + 18 || tableNumber === 0 || tableNumber > 0xffffffff) return null;
  const internal = Uint8Array.from(bytes.slice(length, length + 16));
  return encodeId(tableNumber, internal) === text ? { tableNumber, internal } : null;
}

/** @param {number} tableNumber @param {Uint8Array} internal */
export function encodeId(tableNumber, internal) {
  const bytes = [];
  for (let rest = tableNumber; ; rest = Math.floor(rest / 128)) {
    bytes.push(rest >= 128 ? (rest % 128) | 128 : rest);
    if (rest < 128) break;
  }
  bytes.push(...internal);
  let low = 0;
  let high = 0;
  for (const byte of bytes) {
    low = (low + byte) & 255;
    high = (high + low) & 255;
  }
  bytes.push(low, high);
  let text = "";
  let buffer = 0;
  let bits = 0;
  for (const byte of bytes) {
    buffer = (buffer << 8) | byte;
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      text += ALPHABET[(buffer >> bits) & 31];
    }
    buffer &= (1 << bits) - 1;
  }
  return bits > 0 ? text + ALPHABET[(buffer << (5 - bits)) & 31] : text;
}

/**
 * The id of table `tableNumber` that `text` means, in current or one of two legacy forms, or null.
 * @param {number} tableNumber
 * @param {string} text
 */
export function normalizeId(tableNumber, text) {
  const id = decodeId(text);
  if (id !== null) return id.tableNumber === tableNumber ? text : null;
  const internal = legacyBase64(text) ?? legacyBase62(text);
  return internal === null ? null : encodeId(tableNumber, internal);
}

/** @param {string} text */
function legacyBase64(text) {
  if (!/^[A-Za-z0-9_-]{22}$/.test(text)) return null;
  const bytes = Buffer.from(text, "base64url");
  return bytes.length === 16 && bytes.toString("base64url") === text ? bytes : null;
}

/**
 * A 17-byte number in base 62; its first 15 bytes are hashed to 14, the last two carry the day.
 * @param {string} text
 */
function legacyBase62(text) {
  if (!/^[A-Za-z0-9]{21,23}$/.test(text)) return null;
  let number = 0n;
  for (const character of text) number = number * 62n + BigInt(BASE62.indexOf(character));
  if (number >= 1n << 136n) return null;
  const bytes = Buffer.from(number.toString(16).padStart(34, "0"), "hex");
  const digest = createHash("sha256").update(bytes.subarray(0, 15)).digest();
  return Buffer.concat([digest.subarray(0, 14), bytes.subarray(15, 17)]);
}
