/**
 * Tokens as text for headers and files (ucan-wg/container):
 *
 *   "C" base64url(dag-cbor {"ctn-v1": [token, …]})      tokens sorted bytewise, each once
 *
 * Written in this form only. Read also raw (`@`) and as padded base64 (`B`), and unsorted, because
 * the published vectors are. The gzip forms are refused: a small text could unfold to anything.
 * A container has no order: a chain of several links is put in order by its reader.
 */
import { compare, fromBase64, fromBase64url, fromUtf8, toBase64url, utf8 } from '../bytes.ts';
import { decodeCborMap, encodeCbor } from '../cbor.ts';
import { fault } from '../errors.ts';
import { protocol } from '../limits.ts';
import { err, ok, type Result } from '../result.ts';

const key = 'ctn-v1';
/** base64 of `maxContainerTokens` full tokens, and their framing. */
const maxLength = Math.ceil((protocol.maxContainerTokens * (protocol.maxTokenBytes + 8) * 4) / 3);

/** The text form of 1 to `maxContainerTokens` tokens; throws outside that. */
export function formatContainer(tokens: readonly Uint8Array[]): string {
  const sorted = [...tokens].sort(compare);
  const unique = sorted.filter((token, i) => i === 0 || compare(token, sorted[i - 1] ?? token) > 0);
  if (unique.length === 0 || unique.length > protocol.maxContainerTokens) {
    throw new RangeError(`a container of ${unique.length} tokens`);
  }
  return `C${toBase64url(encodeCbor({ [key]: unique }))}`;
}

/** Reads the text form; `ucan-container` otherwise. The tokens are not judged here. */
export function parseContainer(text: string): Result<readonly Uint8Array[]> {
  if (text.length > maxLength) return refuse('the container is too long');
  return decodeContainer(utf8(text));
}

/** As `parseContainer`, from bytes; the raw form comes only so. */
export function decodeContainer(bytes: Uint8Array): Result<readonly Uint8Array[]> {
  if (bytes.length > maxLength) return refuse('the container is too long');
  const content = unwrap(bytes);
  if (!content.ok) return refuse(content.error.message);
  const map = decodeCborMap(content.value);
  if (!map.ok) return refuse(map.error.message);
  const list = map.value[key];
  if (Object.keys(map.value).length !== 1 || !Array.isArray(list)) {
    return refuse(`not a map with the one key ${key}`);
  }
  const tokens: Uint8Array[] = [];
  for (const token of list) {
    if (!(token instanceof Uint8Array)) return refuse('a token that is not bytes');
    tokens.push(token);
  }
  if (tokens.length === 0 || tokens.length > protocol.maxContainerTokens) {
    return refuse(`a container of ${tokens.length} tokens`);
  }
  const sorted = [...tokens].sort(compare);
  if (sorted.some((token, i) => i > 0 && compare(token, sorted[i - 1] ?? token) === 0)) {
    return refuse('the same token twice');
  }
  return ok(tokens);
}

function unwrap(bytes: Uint8Array): Result<Uint8Array> {
  const rest = bytes.subarray(1);
  if (bytes[0] === 0x40) return ok(rest);
  if (bytes[0] !== 0x42 && bytes[0] !== 0x43) {
    return err(fault('ucan-container', 'an unknown or compressed form'));
  }
  if (bytes[0] === 0x43) return fromBase64url(rest);
  const text = fromUtf8(rest);
  return text.ok ? fromBase64(text.value) : text;
}

function refuse(message: string): Result<never> {
  return err(fault('ucan-container', message));
}
