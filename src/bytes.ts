/** Byte strings: comparing, joining, and strict text encodings. No Buffer: this runs in browsers. */
import { fault } from './errors.ts';
import { err, ok, type Result } from './result.ts';

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const hexDigits = Array.from({ length: 256 }, (_, n) => n.toString(16).padStart(2, '0'));

export function utf8(text: string): Uint8Array {
  return encoder.encode(text);
}

/** Strict UTF-8: malformed input is an error, a byte order mark is kept. */
export function fromUtf8(bytes: Uint8Array): Result<string> {
  try {
    return ok(decoder.decode(bytes));
  } catch {
    return err(fault('bad-utf8', 'not valid UTF-8'));
  }
}

export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const part of parts) length += part.length;
  const joined = new Uint8Array(length);
  let offset = 0;
  for (const part of parts) {
    joined.set(part, offset);
    offset += part.length;
  }
  return joined;
}

export function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && compare(a, b) === 0;
}

/** Lexicographic order of unsigned bytes; a prefix comes first. */
export function compare(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

export function toHex(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += hexDigits[byte];
  return text;
}

/** Lower-case hex of an even number of digits. */
export function fromHex(text: string): Result<Uint8Array> {
  if (text.length % 2 !== 0 || !/^[0-9a-f]*$/.test(text)) {
    return err(fault('bad-hex', 'not lower-case hex with an even number of digits'));
  }
  const bytes = new Uint8Array(text.length / 2);
  for (let i = 0; i < bytes.length; i++)
    bytes[i] = Number.parseInt(text.slice(2 * i, 2 * i + 2), 16);
  return ok(bytes);
}

export function toBase64(bytes: Uint8Array): string {
  let text = '';
  for (let i = 0; i < bytes.length; i += 0x8000) {
    text += String.fromCharCode(...bytes.subarray(i, i + 0x8000));
  }
  return btoa(text);
}

const standardDigits = digitsOf('+/');
const urlDigits = digitsOf('-_');

/** Value of each digit by its code, 64 for every other code; `last` are the two digits after 9. */
function digitsOf(last: string): Uint8Array {
  const values = new Uint8Array(256).fill(64);
  const digits = `ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789${last}`;
  for (let i = 0; i < 64; i++) values[digits.charCodeAt(i)] = i;
  return values;
}

/** Padded standard base64; white space and non-zero padding bits are refused. */
export function fromBase64(text: string): Result<Uint8Array> {
  const padding = text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0;
  if (text.length % 4 !== 0) return err(fault('bad-base64', 'not padded standard base64'));
  const bytes = utf8(text);
  return decodeBase64(bytes.subarray(0, bytes.length - padding), standardDigits);
}

/** `digits` without padding: 4 for 3 bytes, and 2 or 3 at the end, whose unused bits are zero. */
function decodeBase64(digits: Uint8Array, values: Uint8Array): Result<Uint8Array> {
  const rest = digits.length % 4;
  const whole = digits.length - rest;
  const bytes = new Uint8Array(Math.floor((digits.length * 3) / 4));
  let seen = rest === 1 ? 64 : 0;
  let to = 0;
  for (let at = 0; at < whole; at += 4, to += 3) {
    const a = values[digits[at] ?? 0] ?? 64;
    const b = values[digits[at + 1] ?? 0] ?? 64;
    const c = values[digits[at + 2] ?? 0] ?? 64;
    const d = values[digits[at + 3] ?? 0] ?? 64;
    seen |= a | b | c | d;
    bytes[to] = (a << 2) | (b >>> 4);
    bytes[to + 1] = (b << 4) | (c >>> 2);
    bytes[to + 2] = (c << 6) | d;
  }
  let unused = 0;
  if (rest > 1) {
    const a = values[digits[whole] ?? 0] ?? 64;
    const b = values[digits[whole + 1] ?? 0] ?? 64;
    const c = rest === 3 ? (values[digits[whole + 2] ?? 0] ?? 64) : 0;
    seen |= a | b | c;
    bytes[to] = (a << 2) | (b >>> 4);
    if (rest === 3) bytes[to + 1] = (b << 4) | (c >>> 2);
    unused = rest === 3 ? c & 3 : b & 15;
  }
  if (seen >= 64) return err(fault('bad-base64', 'not base64'));
  if (unused === 0) return ok(bytes);
  return err(fault('bad-base64', 'base64 with padding bits that are not zero'));
}

const base32Digits = utf8('abcdefghijklmnopqrstuvwxyz234567');

/** Multibase `b`: that letter, and lower-case base32 without padding (RFC 4648). */
export function toMultibase32(bytes: Uint8Array): string {
  // Bytes and one decoding: text that is joined digit by digit keeps its parts alive.
  const text = new Uint8Array(1 + Math.ceil((bytes.length * 8) / 5));
  text[0] = 0x62;
  let [to, kept, bits] = [1, 0, 0];
  for (let at = 0; at < bytes.length; at++) {
    kept = ((kept & 31) << 8) | (bytes[at] ?? 0);
    for (bits += 8; bits >= 5; bits -= 5) {
      text[to++] = base32Digits[(kept >>> (bits - 5)) & 31] ?? 0;
    }
  }
  if (bits > 0) text[to] = base32Digits[(kept << (5 - bits)) & 31] ?? 0;
  return decoder.decode(text);
}

export function toBase64url(bytes: Uint8Array): string {
  return toBase64(bytes).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}

/** Base64url without padding, as text or as the bytes of that text. */
export function fromBase64url(text: string | Uint8Array): Result<Uint8Array> {
  return decodeBase64(typeof text === 'string' ? utf8(text) : text, urlDigits);
}

export function readUint16(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
}
export function readUint32(bytes: Uint8Array, at: number): number {
  return readUint16(bytes, at) * 0x10000 + readUint16(bytes, at + 2);
}
export function readUint48(bytes: Uint8Array, at: number): number {
  return readUint16(bytes, at) * 0x100000000 + readUint32(bytes, at + 2);
}
/** May exceed 2^53-1, where it is not exact: check with Number.isSafeInteger. */
export function readUint64(bytes: Uint8Array, at: number): number {
  return readUint32(bytes, at) * 0x100000000 + readUint32(bytes, at + 4);
}
export function writeUint16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 8;
  bytes[at + 1] = value;
}
export function writeUint32(bytes: Uint8Array, at: number, value: number): void {
  writeUint16(bytes, at, Math.floor(value / 0x10000));
  writeUint16(bytes, at + 2, value % 0x10000);
}
export function writeUint48(bytes: Uint8Array, at: number, value: number): void {
  writeUint16(bytes, at, Math.floor(value / 0x100000000));
  writeUint32(bytes, at + 2, value % 0x100000000);
}
export function writeUint64(bytes: Uint8Array, at: number, value: number): void {
  writeUint32(bytes, at, Math.floor(value / 0x100000000));
  writeUint32(bytes, at + 4, value % 0x100000000);
}
