/**
 * Attribute values in HTTP headers (CloudEvents 1.0.2 HTTP binding, section 3.1.3.2).
 *
 * Encoding: space, `"`, `%` and everything outside U+0021-007E become percent-encoded UTF-8 with
 * upper-case hex. Decoding: a value in double quotes is unquoted first (backslash escapes), then
 * exactly one round of percent decoding; raw spaces and needless encoding are accepted.
 */
import { fromUtf8, utf8 } from '../bytes.ts';
import { fault } from '../errors.ts';
import { err, ok, type Result } from '../result.ts';

export function encodeHeaderValue(value: string): string {
  if (/^[!#$&-~]*$/.test(value)) return value;
  let header = '';
  for (const byte of utf8(value)) {
    const plain = byte > 0x20 && byte < 0x7f && byte !== 0x22 && byte !== 0x25;
    header += plain
      ? String.fromCharCode(byte)
      : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return header;
}

/** White space at the ends is not part of the value (RFC 9110 section 5.5). `header-value`. */
export function decodeHeaderValue(header: string): Result<string> {
  const raw = trimBlanks(header);
  // Raw bytes above ASCII have no agreed meaning in a header: refuse rather than guess.
  if (/[^\t\x20-\x7e]/.test(raw)) return refuse('a character that must be percent-encoded');
  const unquoted = raw.length > 1 && raw.startsWith('"') && raw.endsWith('"') ? unquote(raw) : raw;
  if (unquoted === undefined) return refuse('a quoted value with a stray quote or backslash');
  if (!unquoted.includes('%')) return ok(unquoted);
  if (/%(?![0-9A-Fa-f]{2})/.test(unquoted)) return refuse('a % without two hex digits');
  const bytes = new Uint8Array(unquoted.length);
  let length = 0;
  for (let i = 0; i < unquoted.length; i++) {
    const encoded = unquoted.charAt(i) === '%';
    bytes[length++] = encoded
      ? Number.parseInt(unquoted.slice(i + 1, i + 3), 16)
      : unquoted.charCodeAt(i);
    if (encoded) i += 2;
  }
  const text = fromUtf8(bytes.subarray(0, length));
  return text.ok ? text : refuse('percent-encoded bytes that are not UTF-8');
}

/** Without spaces and tabs at the ends; other white space is not HTTP's and stays. */
export function trimBlanks(text: string): string {
  let [start, end] = [0, text.length];
  while (start < end && isBlank(text.charCodeAt(start))) start += 1;
  while (end > start && isBlank(text.charCodeAt(end - 1))) end -= 1;
  return text.slice(start, end);
}

function isBlank(unit: number): boolean {
  return unit === 0x20 || unit === 0x09;
}

function unquote(quoted: string): string | undefined {
  if (!/^"(?:[^"\\]|\\.)*"$/.test(quoted)) return undefined;
  return quoted.slice(1, -1).replaceAll(/\\(.)/g, '$1');
}

function refuse(message: string): Result<never> {
  return err(fault('header-value', message));
}
