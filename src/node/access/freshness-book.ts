/**
 * How fresh our view of each owner's revocations is (access.md "Tokens", Freshness). They stand in the
 * owner's registry, so what counts is a proof that our copy of it was whole a moment ago: a
 * cosignature/v1 over a checkpoint of it that we hold, by the freshness key that its newest profile
 * names, or by a witness that the registry itself names. The newest line of each registry is kept in
 * memory and passed on; who writes the registry needs none, and makes one for others, now and then,
 * when asked.
 *
 *   age   the time since a line was heard, or since the time it states, whichever is more
 */
import { equal, utf8 } from '../../bytes.ts';
import type { Crypto, Signer } from '../../crypto.ts';
import { fault, type Fault } from '../../errors.ts';
import type { FreshLine, FreshnessPort, FreshSeconds } from '../../gossip/freshness-port.ts';
import type { Host } from '../../host.ts';
import { didFromKey, didKey } from '../../ids.ts';
import { parseCheckpoint, type ParsedCheckpoint } from '../../ledger/checkpoint.ts';
import { selfNamedCosigner } from '../../ledger/cosignature.ts';
import {
  cosignNote,
  formatSignatureLine,
  openNote,
  type NoteKey,
  type NoteSignature,
  type VerifiedSignature,
} from '../../ledger/note.ts';
import { limits, protocol } from '../../limits.ts';
import { err, ok, type Result } from '../../result.ts';
import { asLogIndex, type Did, type Hash, type LogId, type LogIndex } from '../../types.ts';
import type { NamedFreshness } from '../core/registries.ts';

/** What is needed of a log, and of the ledger. */
export interface FreshnessLog {
  readonly logId: LogId;
  readonly size: number;
  readonly checkpoint: string;
  readonly state: 'open' | 'waiting' | 'frozen' | 'damaged' | 'closed';
  readonly genesis?: { readonly owner: Did } | undefined;
  readonly closing?: { readonly next: LogId } | undefined;
}
export interface FreshnessLedger {
  log(logId: LogId): FreshnessLog | undefined;
  readonly proofs: {
    rangeRoot(logId: LogId, from: LogIndex, to: LogIndex): Promise<Result<Hash>>;
  };
  /** The witnesses that a log names itself: whom else this node trusts says nothing here. */
  readonly cosigned: {
    policy(logId: LogId): Result<{ readonly witnesses: readonly NoteKey[] } | undefined>;
  };
  onAppended(listener: (block: { readonly logId: LogId }) => void): Disposable;
}

export interface FreshnessParts {
  readonly host: Host;
  readonly crypto: Crypto;
  readonly ledger: FreshnessLedger;
  readonly registries: {
    owners(): Iterable<Did>;
    freshness(owner: Did): NamedFreshness | undefined;
    registryOf(owner: Did): LogId | undefined;
  };
  readonly organisation: Did;
  /** The log of our registry that takes entries, where this node writes it. */
  readonly ownRegistry: () => FreshnessLog | undefined;
  /** The freshness key of this home. */
  readonly signer: Signer | undefined;
  /** The key of this home as a witness. */
  readonly witness?: Signer | undefined;
  readonly limits: {
    readonly freshnessEveryMs: number;
    readonly freshnessPassMs: number;
    readonly maxFreshRegistries: number;
  };
  readonly track: (work: Promise<unknown>) => void;
}

interface Kept extends FreshLine {
  readonly size: number;
  readonly key: NoteKey;
  /** Monotonic. */
  readonly heardMs: number;
}

export class FreshnessBook implements FreshnessPort, Disposable {
  readonly #parts: FreshnessParts;
  /** By the first log of the registry: its owner may go by another DID later. */
  readonly #kept = new Map<LogId, Kept>();
  /** Lines over more than we hold, by registry. */
  readonly #ahead = new Map<LogId, string>();
  readonly #listening: Disposable;

  constructor(parts: FreshnessParts) {
    this.#parts = parts;
    this.#listening = parts.ledger.onAppended(({ logId }) => {
      const waiting = this.#ahead.get(logId);
      if (waiting === undefined) return;
      this.#ahead.delete(logId);
      parts.track(this.offer(logId, waiting));
    });
  }

  [Symbol.dispose](): void {
    this.#listening[Symbol.dispose]();
  }

  /** Age of our view of the owner's revocations; undefined where nothing sound is known. */
  ageMs(owner: Did): number | undefined {
    if (this.writes(owner)) return 0;
    const kept = this.#sound(owner);
    if (kept === undefined) return undefined;
    const { clock } = this.#parts.host;
    return Math.max(0, clock.now() - kept.seconds * 1000, clock.monotonic() - kept.heardMs);
  }

  /** Whether this node writes the owner's registry, and so knows what is in it. */
  writes(owner: Did): boolean {
    const { organisation, registries } = this.#parts;
    const first = registries.registryOf(organisation);
    const same = first !== undefined && registries.registryOf(owner) === first;
    if (owner !== organisation && !same) return false;
    const state = this.#parts.ownRegistry()?.state;
    // One that waits or is damaged may lack what others have of it.
    return state !== undefined && state !== 'waiting' && state !== 'damaged';
  }

  wanted(max: number): readonly FreshSeconds[] {
    const { organisation } = this.#parts;
    const wanted: FreshSeconds[] = [];
    const add = (owner: Did): void => {
      const logId = this.#registry(owner);
      if (logId === undefined || this.writes(owner)) return;
      wanted.push({ logId, seconds: this.#sound(owner)?.seconds ?? 0 });
    };
    add(organisation);
    // Those that were heard of longest ago come first: each has its turn.
    const others = [...this.#parts.registries.owners()].filter((owner) => owner !== organisation);
    const heard = (owner: Did): number => this.#of(owner)?.heardMs ?? -1;
    for (const owner of others.toSorted((a, b) => heard(a) - heard(b))) {
      if (wanted.length >= max) break;
      add(owner);
    }
    return wanted;
  }

  urgent(): Did | undefined {
    const { organisation, limits } = this.#parts;
    if (this.#registry(organisation) === undefined) return undefined;
    const age = this.ageMs(organisation) ?? Infinity;
    return age < limits.freshnessEveryMs ? undefined : organisation;
  }

  newest(logId: LogId): Promise<FreshLine | undefined> {
    return Promise.resolve(this.#own(logId) ?? this.#passable(logId));
  }

  /**
   * Codes: log-unknown (no registry that counts here), block-ahead (kept until we have as much), fork (over
   * another root than ours), freshness-key (of an earlier profile), clock-ahead, those of `parseCheckpoint`
   * and `openNote`, those of the store.
   */
  async offer(logId: LogId, note: string): Promise<Result<void>> {
    const { ledger, registries, crypto, host } = this.#parts;
    const log = ledger.log(logId);
    const owner = log?.genesis?.owner;
    if (log === undefined || owner === undefined || this.#registry(owner) !== logId) {
      return err(fault('log-unknown', 'not a registry that counts here'));
    }
    if (this.writes(owner)) return ok(undefined);
    const parsed = parseCheckpoint(note);
    if (!parsed.ok) return parsed;
    const { size, root } = parsed.value;
    if (parsed.value.logId !== logId) return err(fault('log-unknown', 'a line of another log'));
    if (size > log.size) {
      this.#wait(logId, note);
      return err(fault('block-ahead', `a line over ${size} entries, we have ${log.size}`));
    }
    const named = registries.freshness(owner);
    const own = named === undefined ? [] : [selfNamedCosigner(crypto, didKey(named.key))];
    const opened = openNote(crypto, utf8(note), [...own, ...this.#witnesses(logId)]);
    if (!opened.ok) return opened;
    const line = newestLine(opened.value.verified);
    if (line === undefined) return err(fault('note-unverified', 'no line states a time'));
    const seconds = Number(line.timestamp ?? 0n);
    if (seconds * 1000 > host.clock.now() + protocol.tokenSkewSeconds * 1000) {
      return err(fault('clock-ahead', 'the line was signed in the future'));
    }
    const ours = await ledger.proofs.rangeRoot(logId, asLogIndex(0), asLogIndex(size));
    if (!ours.ok) return ours;
    if (!equal(ours.value, root)) return err(fault('fork', 'the line is over another root'));
    const heardMs = host.clock.monotonic();
    const kept = {
      logId,
      size,
      seconds,
      key: line.key,
      note: noteOf(log, parsed.value, line),
      heardMs,
    };
    const unsound = this.#unsound(owner, kept);
    if (unsound !== undefined) return err(unsound);
    this.#keep(owner, kept);
    return ok(undefined);
  }

  #keep(owner: Did, kept: Kept): void {
    const before = this.#sound(owner);
    if (before !== undefined && before.seconds >= kept.seconds) return;
    const first = this.#parts.registries.registryOf(owner);
    if (first === undefined) return;
    this.#kept.delete(first);
    this.#kept.set(first, kept);
    const [oldest] = this.#kept.keys();
    const full = this.#kept.size > this.#parts.limits.maxFreshRegistries;
    if (full && oldest !== undefined) this.#kept.delete(oldest);
  }

  #wait(logId: LogId, note: string): void {
    this.#ahead.delete(logId);
    this.#ahead.set(logId, note);
    const [oldest] = this.#ahead.keys();
    if (this.#ahead.size > protocol.maxFreshRows && oldest !== undefined) {
      this.#ahead.delete(oldest);
    }
  }

  /** The log of the owner's registry that counts now: the last one of its chain. */
  #registry(owner: Did): LogId | undefined {
    let logId = this.#parts.registries.registryOf(owner);
    for (let steps = 0; logId !== undefined && steps <= limits.maxSuccessors; steps++) {
      const next: LogId | undefined = this.#parts.ledger.log(logId)?.closing?.next;
      if (next === undefined) return logId;
      logId = next;
    }
    return logId;
  }

  #of(owner: Did): Kept | undefined {
    const first = this.#parts.registries.registryOf(owner);
    return first === undefined ? undefined : this.#kept.get(first);
  }

  #sound(owner: Did): Kept | undefined {
    const kept = this.#of(owner);
    return kept === undefined || this.#unsound(owner, kept) !== undefined ? undefined : kept;
  }

  /** Asked again each time: a thief's entries may be set aside, and keys are replaced. */
  #unsound(owner: Did, { logId, size, key }: Kept): Fault | undefined {
    const { ledger, registries } = this.#parts;
    if (this.#registry(owner) !== logId || (ledger.log(logId)?.size ?? 0) < size) {
      return fault('log-unknown', 'the registry goes on elsewhere');
    }
    const named = registries.freshness(owner);
    if (named !== undefined && didFromKey(key.publicKey) === named.key) {
      // Of the same log: the profile with this key stands within what was signed.
      if (named.since.log !== logId || size > named.since.index) return undefined;
    }
    if (this.#witnesses(logId).some((witness) => equal(witness.publicKey, key.publicKey)))
      return undefined;
    return fault('freshness-key', 'the profile at this size names another key');
  }

  /**
   * Not our own: anybody may have a witness cosign anew what it saw last, and one that is cut off with us
   * would call an old registry fresh.
   */
  #witnesses(logId: LogId): readonly NoteKey[] {
    const policy = this.#parts.ledger.cosigned.policy(logId);
    const named = policy.ok ? (policy.value?.witnesses ?? []) : [];
    const own = this.#parts.witness?.publicKey;
    return own === undefined ? named : named.filter(({ publicKey }) => !equal(publicKey, own));
  }

  /** A line that is young enough to be handed on. */
  #passable(logId: LogId): Kept | undefined {
    const owner = this.#parts.ledger.log(logId)?.genesis?.owner;
    const kept = owner === undefined ? undefined : this.#sound(owner);
    if (owner === undefined || kept?.logId !== logId) return undefined;
    const age = this.ageMs(owner) ?? Infinity;
    return age <= this.#parts.limits.freshnessPassMs ? kept : undefined;
  }

  #minted: (FreshLine & { readonly atMs: number }) | undefined;
  /** Over our own registry as it is, at most one each `freshnessEveryMs`. */
  #own(logId: LogId): FreshLine | undefined {
    const { host, crypto, signer, limits, organisation, registries } = this.#parts;
    const log = this.#parts.ownRegistry();
    if (log?.logId !== logId || log.state !== 'open' || signer === undefined) return undefined;
    const nowMs = host.clock.monotonic();
    const last = this.#minted?.logId === logId ? this.#minted : undefined;
    if (last !== undefined && nowMs - last.atMs < limits.freshnessEveryMs) return last;
    const named = registries.freshness(organisation);
    const name = didFromKey(signer.publicKey);
    if (named?.key !== name) return undefined;
    if (named.since.log === logId && log.size <= named.since.index) return undefined;
    const seconds = Math.floor(host.clock.now() / 1000);
    const text = log.checkpoint.slice(0, log.checkpoint.lastIndexOf('\n\n') + 1);
    const line = cosignNote(crypto, signer, name, text, BigInt(seconds));
    this.#minted = { logId, seconds, note: log.checkpoint + line, atMs: nowMs };
    return this.#minted;
  }
}

/** As it is handed on: over our head with the writer's line, which is verified, else without. */
function noteOf(log: FreshnessLog, { size, text }: ParsedCheckpoint, line: NoteSignature): string {
  const signed = size === log.size ? log.checkpoint : `${text}\n`;
  return signed + formatSignatureLine(line);
}

function newestLine(lines: readonly VerifiedSignature[]): VerifiedSignature | undefined {
  const [newest] = lines.toSorted((a, b) => ((a.timestamp ?? 0n) < (b.timestamp ?? 0n) ? 1 : -1));
  return newest?.timestamp === undefined ? undefined : newest;
}
