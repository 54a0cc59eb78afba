/**
 * Walks one log step by step and mends what it finds on the way: the one piece that the background
 * scrub (a step now and then) and `hw verify --repair` (all steps at once) share.
 */
import { fault } from '../errors.ts';
import { ok, type Result } from '../result.ts';
import type { LogId } from '../types.ts';
import type { Finding, Findings } from './findings.ts';
import { healLog } from './heal.ts';
import type { LedgerEnv } from './ledger-env.ts';
import type { LogHandle } from './log-handle.ts';
import { LogWalk, type Damage } from './log-walk.ts';
import { mendBlocks, mendLocally, type Mended, type RepairSource } from './repair.ts';
import { strayRows } from './stray-rows.ts';

export interface MendOptions {
  /** False: what is wrong is found and told, and nothing is written. */
  readonly repair: boolean;
  /** Who else has the log; without it only what this home's blocks give is mended. */
  readonly source: RepairSource | undefined;
  readonly signal: AbortSignal;
  readonly onFinding?: ((finding: Finding) => void) | undefined;
}

/** What mending needs of the ledger's other parts. */
export interface MendHooks {
  /** Rows of the id index were written: filters over them are to be made anew. */
  idsMended(logId: LogId): void;
  /** A damaged log was loaded anew and is open. */
  healed(logId: LogId): void;
}

export interface MendStep {
  readonly entries: number;
  readonly bytes: number;
  /** The last block was seen. */
  readonly done: boolean;
}

export class LogMender {
  readonly handle: LogHandle;
  readonly walk: LogWalk;
  readonly #env: LedgerEnv;
  readonly #findings: Findings;
  readonly #hooks: MendHooks;
  /** The block that was said to be mended last: a second time it is left out. */
  #tried = -1;

  constructor(
    env: LedgerEnv,
    findings: Findings,
    hooks: MendHooks,
    handle: LogHandle,
    from: number = 0,
  ) {
    this.#env = env;
    this.#findings = findings;
    this.#hooks = hooks;
    this.handle = handle;
    this.walk = new LogWalk(env, handle, from);
  }

  /** Heals a damaged log as far as this home can. Codes: those of a store that fails. */
  async heal({ repair }: MendOptions): Promise<Result<void>> {
    if (!repair || this.handle.row.standing !== 'damaged') return ok(undefined);
    const healed = await healLog(this.#env, this.handle);
    if (!healed.ok) return healed;
    if (healed.value) this.#hooks.healed(this.handle.logId);
    return ok(undefined);
  }

  /** The next block, or the end of the log. Codes: those of a store that fails. */
  async step(options: MendOptions): Promise<Result<MendStep>> {
    if (this.walk.done) return this.#end(options);
    const { number } = this.walk;
    const step = await this.walk.step();
    if (!step.ok) return step;
    const { entries, bytes, damage } = step.value;
    for (const one of damage) {
      const mended = options.repair ? await this.#mend(one, options) : undefined;
      this.#tell(one, mended, options);
      if (one.kind !== 'block') continue;
      const again = mended !== undefined && 'from' in mended && this.#tried !== this.walk.number;
      this.#tried = this.walk.number;
      if (!again) this.walk.skip();
    }
    if (entries > 0) this.#findings.sound(this.handle.logId, number);
    return ok({ entries, bytes, done: false });
  }

  async #end(options: MendOptions): Promise<Result<MendStep>> {
    const head = await this.walk.head();
    if (!head.ok) return head;
    for (const one of head.value) {
      this.#tell(one, options.repair ? await this.#mend(one, options) : undefined, options);
    }
    const { counts } = this.walk;
    const strays = counts === undefined ? [] : await strayRows(this.#env, this.handle, counts);
    if (strays.length > 0) {
      const wrong = fault('index-damaged', `${strays.length} index rows point at nothing`);
      const damage: Damage = { kind: 'rows', index: 0, fault: wrong, writes: strays };
      this.#tell(damage, options.repair ? await this.#mend(damage, options) : undefined, options);
    }
    await this.heal(options);
    return ok({ entries: 0, bytes: 0, done: true });
  }

  async #mend(damage: Damage, { source, signal }: MendOptions): Promise<Mended> {
    if (damage.kind === 'block') {
      const { number, state } = this.walk;
      return mendBlocks(this.#env, this.handle, number, state, source, signal);
    }
    const mended = await mendLocally(this.#env, this.handle, damage);
    if (damage.ids === true) this.#hooks.idsMended(this.handle.logId);
    return mended;
  }

  #tell(damage: Damage, mended: Mended | undefined, options: MendOptions): void {
    const now = this.#env.options.host.clock.now();
    const finding = this.#findings.add(this.handle.logId, damage, mended, now);
    options.onFinding?.(finding);
  }
}
