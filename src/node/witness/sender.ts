/**
 * Sends the newest checkpoint of each own log to its witnesses: at most once per
 * `witnessIntervalMs` each, all witnesses of a log the same checkpoint as a rule, so that a quorum
 * comes together on one size. A witness that does not answer is tried again, later each time; nobody
 * waits for it but `ack=witnessed`.
 */
import { utf8 } from '../../bytes.ts';
import { nodeCrypto } from '../../crypto-node.ts';
import { fault, type Fault } from '../../errors.ts';
import type { WitnessReply } from '../../gossip/evidence-port.ts';
import type { Host } from '../../host.ts';
import { parseCheckpoint } from '../../ledger/checkpoint.ts';
import { addLines, readCosignatures } from '../../ledger/cosignature.ts';
import type { Ledger } from '../../ledger/ledger.ts';
import type { LogSummary } from '../../ledger/ledger-types.ts';
import type { NoteKey } from '../../ledger/note.ts';
import { formatAddCheckpoint, parseConflict } from '../../ledger/witness.ts';
import { err, ok, type Result } from '../../result.ts';
import { asTreeSize, type Hash, type LogId, type TreeSize } from '../../types.ts';
import { WorkSet } from '../../work-set.ts';
import type { Limits } from '../config-schema.ts';
import { learnAhead } from './ahead.ts';

export const noNetwork: Fault = fault('witness-unreachable', 'this home has no network');

/** Where a witness is asked. */
export interface WitnessRoute {
  readonly key: NoteKey;
  /** Submission prefix; absent: a peer of the network. */
  readonly url?: string;
}

export interface SenderParts {
  readonly ledger: Ledger;
  readonly host: Host;
  readonly limits: Limits;
  /** The witnesses of an own log, from its policy and the configuration. */
  readonly routes: (log: LogSummary) => readonly WitnessRoute[];
  readonly post: (
    route: WitnessRoute,
    body: Uint8Array,
    signal: AbortSignal,
  ) => Promise<Result<WitnessReply>>;
  /** Asks for what it cosigned last, by the SHA-256 of the origin. */
  readonly last: (
    route: WitnessRoute,
    origin: Hash,
    signal: AbortSignal,
  ) => Promise<Result<WitnessReply>>;
}

/** One witness of one log. */
export interface WitnessTarget {
  readonly logId: LogId;
  readonly route: WitnessRoute;
  /** Cosigned last, as far as is known. */
  size: TreeSize;
  /** Milliseconds since 1970; since when it has been behind our head. */
  behindSince: number | undefined;
  reason: Fault | undefined;
  failures: number;
  /** Monotonic: not asked before. */
  restUntilMs: number;
  busy: boolean;
}

export class WitnessSender implements AsyncDisposable {
  readonly #parts: SenderParts;
  readonly #targets = new Map<LogId, readonly WitnessTarget[]>();
  readonly #timers = new Map<LogId, Disposable>();
  readonly #closing = new AbortController();
  readonly #work = new WorkSet();
  readonly #queue: (() => void)[] = [];
  #running = 0;

  constructor(parts: SenderParts) {
    this.#parts = parts;
  }

  /** Begins with all own logs; later ones come by `grown`. */
  start(): Disposable {
    for (const { logId } of this.#parts.ledger.logs()) this.grown(logId);
    return this.#parts.ledger.onAppended(({ logId, local }) => {
      if (local) this.grown(logId);
    });
  }

  /** All targets of logs that were looked at, for reports; but for those that have signed all of a closed log. */
  targets(): readonly WitnessTarget[] {
    const isOver = ({ logId, size }: WitnessTarget): boolean => {
      const log = this.#parts.ledger.log(logId);
      return log?.state === 'closed' && size >= log.size;
    };
    return [...this.#targets.values()].flat().filter((target) => !isOver(target));
  }

  /** A witness may be reachable again: those that rest are tried at once. */
  retry(): void {
    for (const [logId, targets] of this.#targets) {
      if (!targets.some(({ reason }) => reason?.code === 'witness-unreachable')) continue;
      for (const target of targets) target.restUntilMs = 0;
      this.#schedule(logId, 0);
    }
  }

  /** The log has grown: a round is due, now or when the interval since the last has passed. */
  grown(logId: LogId): void {
    if (this.#closing.signal.aborted || this.#timers.has(logId)) return;
    const log = this.#parts.ledger.log(logId);
    if (log?.role !== 'writer' || log.genesis === undefined || log.size === 0) return;
    const targets = this.#targets.get(logId) ?? this.#newTargets(log);
    this.#targets.set(logId, targets);
    if (targets.length > 0) this.#round(logId);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    for (const timer of this.#timers.values()) timer[Symbol.dispose]();
    this.#timers.clear();
    for (const wake of this.#queue.splice(0)) wake();
    await this.#work.settled();
  }

  #newTargets(log: LogSummary): readonly WitnessTarget[] {
    return this.#parts.routes(log).map((route) => ({
      logId: log.logId,
      route,
      size: asTreeSize(0),
      behindSince: undefined,
      reason: undefined,
      failures: 0,
      restUntilMs: 0,
      busy: false,
    }));
  }

  /** Sends the head to every witness that is free and behind, and again after an interval if due. */
  #round(logId: LogId): void {
    const { ledger, host, limits } = this.#parts;
    const log = ledger.log(logId);
    if (log === undefined || log.size === 0 || log.state === 'frozen') return;
    const nowMs = host.clock.monotonic();
    for (const target of this.#targets.get(logId) ?? []) {
      if (target.size >= log.size) {
        target.behindSince = undefined;
        continue;
      }
      target.behindSince ??= host.clock.now();
      if (!target.busy && target.restUntilMs <= nowMs) this.#work.add(this.#send(target, log));
    }
    this.#schedule(logId, limits.witnessIntervalMs);
  }

  #schedule(logId: LogId, ms: number): void {
    this.#timers.get(logId)?.[Symbol.dispose]();
    this.#timers.delete(logId);
    if (this.#closing.signal.aborted) return;
    const timer = this.#parts.host.timers.after(ms, () => {
      this.#timers.delete(logId);
      const size = this.#parts.ledger.log(logId)?.size ?? 0;
      const isDue = (this.#targets.get(logId) ?? []).some((target) => target.size < size);
      if (isDue) this.#round(logId);
    });
    this.#timers.set(logId, timer);
  }

  async #send(target: WitnessTarget, log: LogSummary): Promise<void> {
    target.busy = true;
    const { host, limits } = this.#parts;
    await this.#slot();
    try {
      const sent = this.#closing.signal.aborted ? err(closing) : await this.#attempt(target, log);
      if (this.#closing.signal.aborted) return;
      if (sent.ok) {
        target.reason = undefined;
        target.failures = 0;
        const head = this.#parts.ledger.log(target.logId)?.size ?? 0;
        target.behindSince = target.size < head ? host.clock.now() : undefined;
        return;
      }
      target.reason = sent.error;
      const restMs = Math.min(
        limits.witnessBackoffMs * 2 ** Math.min(target.failures, 16),
        limits.maxWitnessBackoffMs,
      );
      target.failures += 1;
      target.restUntilMs = host.clock.monotonic() + restMs;
    } finally {
      target.busy = false;
      this.#release();
    }
  }

  /** At most twice: a witness that holds another size than we think says so (409). */
  async #attempt(target: WitnessTarget, log: LogSummary): Promise<Result<void>> {
    for (let tries = 0; tries < 2; tries++) {
      const answer = await this.#ask(target, log);
      if (!answer.ok) return answer;
      const { status, body } = answer.value;
      if (status === 200) return this.#keep(target, log, body);
      if (status !== 409) return err(refusal(status, body));
      const size = parseConflict(body);
      if (!size.ok) return size;
      target.size = size.value;
      if (size.value > log.size) {
        const learned = await learnAhead(this.#parts.ledger, log.logId, (origin) =>
          this.#patiently((signal) => this.#parts.last(target.route, origin, signal)),
        );
        // It is asked again: as long as we do not know its checkpoint we could sign another one.
        if (!learned) target.size = asTreeSize(0);
        return err(fault('witness-ahead', `it has cosigned ${size.value}, we have ${log.size}`));
      }
    }
    return err(fault('witness-refused', 'it names another size each time'));
  }

  async #ask(target: WitnessTarget, log: LogSummary): Promise<Result<WitnessReply>> {
    const { ledger } = this.#parts;
    const old = target.size > log.size ? asTreeSize(0) : target.size;
    const proof = old === 0 ? ok([]) : await ledger.proofs.consistency(log.logId, old, log.size);
    if (!proof.ok) return proof;
    const body = utf8(formatAddCheckpoint(old, proof.value, log.checkpoint));
    return this.#patiently((signal) => this.#parts.post(target.route, body, signal));
  }

  async #patiently<T>(run: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const { limits, host } = this.#parts;
    const patience = new AbortController();
    using _ = host.timers.after(limits.witnessTimeoutMs, () => patience.abort());
    return await run(AbortSignal.any([patience.signal, this.#closing.signal]));
  }

  /** What a witness answered counts only once it is verified and kept. */
  async #keep(target: WitnessTarget, log: LogSummary, body: Uint8Array): Promise<Result<void>> {
    const parsed = parseCheckpoint(log.checkpoint);
    if (!parsed.ok) return parsed;
    const lines = readCosignatures(nodeCrypto, parsed.value.text, body, [target.route.key]);
    if (!lines.ok) return err(fault('witness-answer', lines.error.message));
    const note = addLines(log.checkpoint, lines.value);
    if (!note.ok) return note;
    const kept = await this.#parts.ledger.cosigned.add(log.logId, note.value);
    if (!kept.ok) return kept;
    target.size = log.size;
    // It knows of nothing beyond our head: a log that waited for such a word may go on.
    await this.#parts.ledger.confirming.reported(log.logId, log.checkpoint);
    return ok(undefined);
  }

  async #slot(): Promise<void> {
    this.#running += 1;
    if (this.#running <= this.#parts.limits.maxWitnessRequests) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#queue.push(resolve);
    await promise;
  }

  #release(): void {
    this.#running -= 1;
    this.#queue.shift()?.();
  }
}

const closing = fault('draining', 'the node is stopping');

function refusal(status: number, body: Uint8Array): Fault {
  const text = Buffer.from(body)
    .toString('utf8', 0, 200)
    .replaceAll(/[\p{Cc}\p{Cf}]+/gu, ' ');
  const message = `it answered ${status}: ${text.trim()}`;
  const hint =
    status === 404
      ? 'The witness must follow the stream, or have its key under witness.origins.'
      : undefined;
  return fault('witness-refused', message, undefined, hint);
}
