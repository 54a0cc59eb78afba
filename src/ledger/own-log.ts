/** An own log at work: its keys, its writer, its intake, its dedupe. Made when a signer is there. */
import type { CborMap } from '../cbor.ts';
import type { Signer } from '../crypto.ts';
import { fault, type Fault } from '../errors.ts';
import { err, ok, type Result } from '../result.ts';
import type { ParsedEvent } from '../types.ts';
import { Dedupe } from './dedupe.ts';
import { frozenFault } from './fork-check.ts';
import { Intake } from './intake.ts';
import type { LedgerEnv } from './ledger-env.ts';
import type { Receipt } from './ledger-types.ts';
import type { LogHandle } from './log-handle.ts';
import type { OpenedEpoch } from './sealing.ts';
import type { StoreHealth } from './store-health.ts';
import { Writer } from './writer.ts';
import { recordedTime } from './writer-clock.ts';

export class OwnLog {
  readonly #env: LedgerEnv;
  readonly #handle: LogHandle;
  readonly #dedupe: Dedupe;
  readonly #writer: Writer;
  readonly #intake: Intake;
  readonly #opening = new Map<'epoch' | 'generation', Promise<Result<OpenedEpoch>>>();
  #closed = false;

  constructor(env: LedgerEnv, handle: LogHandle, health: StoreHealth, signer: Signer) {
    this.#env = env;
    this.#handle = handle;
    const slices = handle.stored?.slices ?? [];
    this.#dedupe = new Dedupe(env.options, env.filters, handle.row.number, slices);
    this.#writer = new Writer(env, handle, this.#dedupe, health, signer);
    this.#intake = new Intake(env, handle, this.#writer, this.#dedupe);
    void this.#dedupe.load(); // Until it is done ids are looked up in the store.
  }

  get pending(): { readonly events: number; readonly bytes: number } {
    return this.#intake.pending;
  }

  addSigner(signer: Signer): void {
    this.#writer.addSigner(signer);
  }

  publish(
    events: readonly ParsedEvent[],
    signal: AbortSignal | undefined,
  ): Promise<Result<readonly Result<Receipt>[]>> {
    const refused = this.#refusal();
    if (refused === undefined) return this.#intake.publish(events, signal);
    const { logId, row } = this.#handle;
    const mayHold = row.standing === 'waiting' && this.#env.unconfirmed.holds(logId);
    if (this.#closed || !mayHold) return Promise.resolve(err(refused));
    return this.#held(events, signal);
  }

  /** Tries again when the head is confirmed, or when it has not been in time. */
  async #held(
    events: readonly ParsedEvent[],
    signal: AbortSignal | undefined,
  ): Promise<Result<readonly Result<Receipt>[]>> {
    const { unconfirmed } = this.#env;
    const waited = await unconfirmed.hold(this.#handle.logId, events, signal);
    if (!waited.ok) return waited;
    const refused = this.#refusal();
    return refused === undefined ? this.#intake.publish(events, signal) : err(refused);
  }

  control(map: CborMap | undefined, rotateTo: Signer | undefined): Promise<Result<Receipt>> {
    return this.#append(this.#refusal(), map, rotateTo);
  }

  /** What keeps a log in order, also while it is paused: a control entry, or a block of its seal. */
  maintain(map: CborMap | undefined): Promise<Result<Receipt>> {
    const refused = this.#refusal();
    return this.#append(refused?.code === 'stream-paused' ? undefined : refused, map, undefined);
  }

  /**
   * Opens the next key epoch now, also while the log is paused; calls that come while one is under way
   * share it. Codes: epoch-order (not sealed), those of `maintain` and of `Sealing.next`.
   */
  openEpoch(what: 'epoch' | 'generation'): Promise<Result<OpenedEpoch>> {
    const shared = this.#opening.get('generation') ?? this.#opening.get(what);
    if (shared !== undefined) return shared;
    const opening = this.#openEpoch(what).finally(() => this.#opening.delete(what));
    this.#opening.set(what, opening);
    return opening;
  }

  async #openEpoch(what: 'epoch' | 'generation'): Promise<Result<OpenedEpoch>> {
    const state = this.#handle.stored?.state;
    if (state?.genesis.visibility !== 'sealed') {
      return err(fault('epoch-order', 'only a sealed log has key epochs'));
    }
    this.#writer.openEpoch(what);
    const done = await this.maintain(undefined);
    if (!done.ok) return done;
    const opened = await this.#env.epochs.of(this.#handle.logId);
    const last = opened.ok ? opened.value.at(-1) : undefined;
    if (!opened.ok) return opened;
    return last === undefined ? err(fault('internal', 'no epoch was opened')) : ok(last);
  }

  #append(
    refused: Fault | undefined,
    map: CborMap | undefined,
    rotateTo: Signer | undefined,
  ): Promise<Result<Receipt>> {
    if (refused !== undefined) return Promise.resolve(err(refused));
    const time = recordedTime(this.#env, this.#handle.stored?.state);
    if (!time.ok) return Promise.resolve(time);
    const { promise, resolve } = Promise.withResolvers<Result<Receipt>>();
    if (rotateTo !== undefined) this.#writer.addSigner(rotateTo);
    const item = { kind: 'control', map, rotateTo, settle: resolve } as const;
    this.#intake.inOrder(() => this.#writer.enqueue([item]));
    return promise;
  }

  /** The log was loaded anew, after the store failed or after its blocks came back from peers. */
  reloaded(): void {
    this.#dedupe.reset(this.#handle.stored?.slices ?? []);
    this.#writer.recovered();
  }

  /** Of a log that is not open: resolves when nothing is being written and what waited is refused. */
  async rest(): Promise<void> {
    await this.#intake.close();
    await this.#writer.close();
  }

  /** Rows of the id index were mended: the filters over them are made anew. */
  idsMended(): void {
    this.#dedupe.reset(this.#handle.stored?.slices ?? []);
  }

  /** Writes what waits, keeps the filters. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#intake.close();
    await this.#writer.close();
    await this.#dedupe.close();
  }

  #refusal(): Fault | undefined {
    const { row, paused } = this.#handle;
    if (this.#closed) return fault('store-closed', 'the ledger is closing');
    if (this.#env.storeFailure !== undefined) return this.#env.storeFailure;
    if (row.standing === 'frozen') return frozenFault(row.reason);
    if (row.standing === 'damaged') return damagedFault(row.reason);
    if (row.standing !== 'open') return row.reason ?? standingFault(row.standing);
    if (paused) return fault('stream-paused', 'the operator paused this log');
    return undefined;
  }
}

/** Nothing is signed on what cannot be read; what can be done about it stands in the hint of the code. */
function damagedFault(reason: Fault | undefined): Fault {
  const message = reason?.message ?? 'what is stored of it does not verify';
  return fault('log-damaged', message, reason?.place);
}

function standingFault(standing: 'waiting' | 'frozen' | 'damaged' | 'closed'): Fault {
  const message = `the log is ${standing}`;
  switch (standing) {
    case 'waiting':
      return fault('log-waiting', message);
    case 'frozen':
      return fault('log-frozen', message);
    case 'damaged':
      return fault('log-damaged', message);
    case 'closed':
      return fault('log-closed', message);
  }
}
