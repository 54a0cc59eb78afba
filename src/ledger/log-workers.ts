/**
 * Who works on which log: the writer of each own log whose key is here, the replica of each log that
 * takes blocks of others. An own log has both while blocks that it lost come back from peers.
 */
import { equal } from '../bytes.ts';
import type { Signer } from '../crypto.ts';
import { fault } from '../errors.ts';
import { err, ok, type Result } from '../result.ts';
import type { LogId } from '../types.ts';
import { unknownLog } from './create-log.ts';
import type { LedgerEnv } from './ledger-env.ts';
import type { LogHandle } from './log-handle.ts';
import { OwnLog } from './own-log.ts';
import { Replica } from './replica.ts';
import { StoreHealth } from './store-health.ts';
import { unsigned } from './writer-key.ts';

export class LogWorkers {
  readonly #env: LedgerEnv;
  readonly #caughtUp: (logId: LogId) => void;
  readonly #health: StoreHealth;
  readonly #own = new Map<LogId, OwnLog>();
  readonly #replicas = new Map<LogId, Replica>();

  /** `caughtUp` is called when an own log that was behind its guard is open again. */
  constructor(env: LedgerEnv, caughtUp: (logId: LogId) => void) {
    this.#env = env;
    this.#caughtUp = caughtUp;
    this.#health = new StoreHealth(env, ({ logId }) => this.reloaded(logId));
  }

  attach(handle: LogHandle, signer: Signer): void {
    const own = this.#own.get(handle.logId);
    if (own !== undefined) own.addSigner(signer);
    else this.#own.set(handle.logId, new OwnLog(this.#env, handle, this.#health, signer));
  }

  /** Own logs after a restart. Codes: log-unknown, log-read-only, writer-key (not the key in force). */
  attachSigner(logId: LogId, signer: Signer): Result<void> {
    const handle = this.#ownHandle(logId);
    if (!handle.ok) return handle;
    const key = handle.value.stored?.state.writerKey;
    if (key !== undefined && !equal(key, signer.publicKey)) {
      return err(fault('writer-key', 'the signer does not hold the key in force'));
    }
    this.attach(handle.value, signer);
    return ok(undefined);
  }

  /** Codes: log-unknown, log-read-only, those of `unsigned`. */
  writer(logId: LogId): Result<OwnLog> {
    const handle = this.#ownHandle(logId);
    if (!handle.ok) return handle;
    const own = this.#own.get(logId);
    return own === undefined ? err(unsigned(handle.value)) : ok(own);
  }

  replica(handle: LogHandle): Replica {
    const known = this.#replicas.get(handle.logId);
    if (known !== undefined) return known;
    const replica = new Replica(this.#env, handle, this.#health, () => {
      this.reloaded(handle.logId);
      this.#caughtUp(handle.logId);
    });
    this.#replicas.set(handle.logId, replica);
    return replica;
  }

  /** The log was loaded anew from the store: its writer goes on from there. */
  reloaded(logId: LogId): void {
    this.#own.get(logId)?.reloaded();
  }

  idsMended(logId: LogId): void {
    this.#own.get(logId)?.idsMended();
  }

  /** Ends the writing of a log that is closed; what waits is refused. */
  async quiet({ logId }: LogHandle): Promise<void> {
    await this.#own.get(logId)?.rest();
    await this.settled(logId);
  }

  /** Resolves when the blocks that the log's replica has judged are written. */
  async settled(logId: LogId): Promise<void> {
    await this.#replicas.get(logId)?.settled();
  }

  /** Of a log that is not followed any longer and has settled. */
  dropReplica(logId: LogId): void {
    this.#replicas.delete(logId);
  }

  /** Events accepted by writers and not yet durable. */
  pending(): { readonly events: number; readonly bytes: number } {
    let [events, bytes] = [0, 0];
    for (const { pending } of this.#own.values()) {
      events += pending.events;
      bytes += pending.bytes;
    }
    return { events, bytes };
  }

  /** Writes what waits. */
  async close(): Promise<void> {
    await Promise.all([...this.#own.values()].map((own) => own.close()));
    await Promise.all([...this.#replicas.values()].map((replica) => replica.settled()));
    await this.#health.close();
  }

  #ownHandle(logId: LogId): Result<LogHandle> {
    const handle = this.#env.logs.get(logId);
    if (handle === undefined) return err(unknownLog(logId));
    if (handle.row.role !== 'writer') return err(fault('log-read-only', 'the log is followed'));
    return ok(handle);
  }
}
