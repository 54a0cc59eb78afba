/**
 * DSSE 1.0.2 envelopes (../vectors/intoto FACTS.md): a signature over
 *
 *   PAE = "DSSEv1" SP LEN(type) SP type SP LEN(payload) SP payload
 *
 * with decimal lengths in bytes. `keyid` is a hint and decides nothing: every trusted key is tried,
 * and each counts once.
 */
import { concat, fromUtf8, utf8 } from '../bytes.ts';
import type { Signer } from '../crypto.ts';
import { fault } from '../errors.ts';
import { didFromKey } from '../ids.ts';
import { err, ok, type Result } from '../result.ts';

/** What is signed. */
export function pae(type: string, payload: Uint8Array): Uint8Array {
  const typeBytes = utf8(type);
  return concat(
    utf8(`DSSEv1 ${typeBytes.length} `),
    typeBytes,
    utf8(` ${payload.length} `),
    payload,
  );
}

/** An envelope as JSON, signed with Ed25519; `keyid` is the did:key of the signer. */
export function signEnvelope(signer: Signer, type: string, payload: Uint8Array): string {
  return JSON.stringify({
    payload: toBase64(payload),
    payloadType: type,
    signatures: [
      { keyid: didFromKey(signer.publicKey), sig: toBase64(signer.sign(pae(type, payload))) },
    ],
  });
}

export interface Opened {
  readonly type: string;
  /** The bytes that were verified: parse these and nothing else. */
  readonly payload: Uint8Array;
}

/** A trusted key, as a function: whether a signature over a message is its. */
export type TrustedKey = (message: Uint8Array, signature: Uint8Array) => boolean;

/** Codes: dsse-shape; dsse-signature where fewer than `threshold` different keys signed it. */
export function openEnvelope(
  text: string,
  keys: readonly TrustedKey[],
  threshold: number,
): Result<Opened> {
  const envelope = readEnvelope(text);
  if (!envelope.ok) return envelope;
  const { type, payload, signatures } = envelope.value;
  const message = pae(type, payload);
  const signed = keys.filter((key) => signatures.some((signature) => key(message, signature)));
  if (threshold >= 1 && signed.length >= threshold) return ok({ type, payload });
  return err(fault('dsse-signature', `${signed.length} of ${threshold} keys signed it`));
}

function readEnvelope(
  text: string,
): Result<Opened & { readonly signatures: readonly Uint8Array[] }> {
  const value = parseJson(text);
  const type = member(value, 'payloadType');
  const payload = fromBase64(member(value, 'payload'));
  const list = member(value, 'signatures');
  if (typeof type !== 'string' || payload === undefined || !Array.isArray(list)) {
    return err(fault('dsse-shape', 'payload, payloadType or signatures are missing or malformed'));
  }
  const signatures = list.map((item: unknown) => fromBase64(member(item, 'sig')));
  const sound = signatures.filter((signature) => signature !== undefined);
  return ok({ type, payload, signatures: sound });
}

/** The value of a JSON text; undefined where it is none. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** An own member of an object; undefined where there is none. */
export function member(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined;
  const found: unknown = Reflect.get(value, name);
  return found;
}

function toBase64(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text);
}

/** Standard or URL-safe; undefined where it is neither. */
function fromBase64(value: unknown): Uint8Array | undefined {
  if (typeof value !== 'string') return undefined;
  const standard = value.replaceAll('-', '+').replaceAll('_', '/').replace(/=+$/, '');
  if (!/^[A-Za-z0-9+/]*$/.test(standard) || standard.length % 4 === 1) return undefined;
  return Uint8Array.from(atob(standard), (char) => char.charCodeAt(0));
}

/** The payload as JSON; undefined where it is none. */
export function payloadJson({ payload }: Opened): unknown {
  const text = fromUtf8(payload);
  return text.ok ? parseJson(text.value) : undefined;
}
