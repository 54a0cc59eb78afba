/**
 * Invocations that were admitted, so that none is admitted twice (access.md "Tokens"). Kept until it
 * would be refused as expired anyway. After a restart the memory is empty: what was issued before
 * the start is refused.
 */
import { toHex } from '../bytes.ts';
import { fault } from '../errors.ts';
import { protocol } from '../limits.ts';
import { err, ok, type Result } from '../result.ts';
import type { Invocation } from './ucan-invocation.ts';

/** Shorter ones are too easy to meet by chance (12 random bytes suffice, says the standard). */
const minNonceBytes = 12;

export class Replays {
  readonly #startedAt: number;
  readonly #max: number;
  /** Issuer and nonce → second after which it may be forgotten; in order of admission. */
  readonly #seen = new Map<string, number>();

  /** `startedAt` in seconds since 1970; at most `max` invocations are remembered at a time. */
  constructor(startedAt: number, max: number) {
    this.#startedAt = startedAt;
    this.#max = max;
  }

  /** Codes: `ucan-replayed`, `rate-limited` (the memory is full of invocations that may still be replayed). */
  admit({ issuer, nonce, issuedAt = 0, expires }: Invocation, now: number): Result<void> {
    if (issuedAt < this.#startedAt) {
      return err(fault('ucan-replayed', 'the invocation was issued before this node started'));
    }
    if (nonce.length < minNonceBytes) {
      return err(fault('ucan-field', `a nonce of less than ${minNonceBytes} bytes`));
    }
    const key = `${issuer} ${toHex(nonce)}`;
    if (this.#seen.has(key)) return err(fault('ucan-replayed', 'this invocation was seen before'));
    if (this.#seen.size >= this.#max) this.#forget(now);
    if (this.#seen.size >= this.#max)
      return err(fault('rate-limited', 'too many invocations at once'));
    const until = (expires ?? now) + protocol.tokenSkewSeconds;
    this.#seen.set(key, until);
    return ok(undefined);
  }

  get size(): number {
    return this.#seen.size;
  }

  #forget(now: number): void {
    for (const [key, until] of this.#seen) if (until < now) this.#seen.delete(key);
  }
}
