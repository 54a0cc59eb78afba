/**
 * `hw stream recover`: goes on in successor logs, signed by the recovery key of this home (ledger.md "Keys,
 * rotation, recovery"). The key may lie elsewhere; it is read for this and not kept.
 */
import { readSigner } from '../../access/key-file-store.ts';
import type { Signer } from '../../crypto.ts';
import { fault, HeadwaterError, type Fault } from '../../errors.ts';
import type { LogSummary } from '../../ledger/ledger-types.ts';
import type { Ledger } from '../../ledger/ledger.ts';
import { protocol } from '../../limits.ts';
import { err, ok, type Result } from '../../result.ts';
import { asLogIndex, asTreeSize, type TreeSize } from '../../types.ts';
import { keyPath } from '../home-keys.ts';
import type { Home } from '../home.ts';
import type { Actor, StreamView } from '../node-api.ts';
import type { RecoverRequest, RecoveryApi } from '../recovery-api.ts';
import type { Runtime } from '../runtime.ts';
import { chainsOf } from './chains.ts';
import type { Journal } from './journal.ts';
import type { OwnLogs } from './own-logs.ts';
import type { Registries } from './registries.ts';
import type { Streams } from './streams.ts';

export interface RecoveryParts {
  readonly home: Home;
  readonly runtime: Runtime;
  readonly ledger: Ledger;
  readonly ownLogs: OwnLogs;
  readonly registries: Registries;
  readonly streams: Streams;
  readonly journal: Pick<Journal, 'did'>;
}

export class Recovery implements RecoveryApi {
  readonly #parts: RecoveryParts;

  constructor(parts: RecoveryParts) {
    this.#parts = parts;
  }

  async recover(
    stream: StreamView,
    request: RecoverRequest,
    actor: Actor,
  ): Promise<Result<StreamView>> {
    const { ownLogs, streams, registries } = this.#parts;
    // Another peer of ours may have written it: the recovery key is the organisation's.
    if (!stream.own && stream.owner !== ownLogs.organisation)
      return err(fault('stream-not-own', `${stream.display} is of another owner`));
    const targets = this.#targets(stream, request);
    if (!targets.ok) return targets;
    const signer = await this.#recoveryKey(request);
    if (!signer.ok) return signer;
    const registry = await this.#registryFirst(stream, signer.value, actor);
    if (!registry.ok) return registry;
    for (const log of targets.value) {
      const size = await this.#endOf(log, request.at);
      if (!size.ok) return size;
      const done = await ownLogs.succeed(log, size.value, signer.value);
      if (!done.ok) return done;
      this.#done(stream.display, log, `${size.value}`, `${done.value} (${request.reason})`, actor);
    }
    const announced = await ownLogs.announceChain(
      stream.name,
      registries.card(stream)?.description,
    );
    return announced.ok ? streams.view(stream) : announced;
  }

  /** Without a registry that we can write nobody would learn of it: it goes on too. */
  async #registryFirst(stream: StreamView, signer: Signer, actor: Actor): Promise<Result<void>> {
    const { ownLogs } = this.#parts;
    const registry = ownLogs.registry();
    if (registry === undefined || stream.name === registry.genesis?.name) return ok(undefined);
    const keyless = ownLogs.keyless.some(({ logId }) => logId === registry.logId);
    if (!keyless && registry.state !== 'frozen') return ok(undefined);
    const done = await ownLogs.succeed(registry, registry.size, signer);
    if (!done.ok) return done;
    this.#done('_registry', registry, `${registry.size}`, done.value, actor);
    return ok(undefined);
  }

  #done(name: string, log: LogSummary, size: string, next: string, actor: Actor): void {
    const what = `hw:${log.logId} closed at ${size}, hw:${next} goes on`;
    const why = actor.why === undefined ? what : `${actor.why}; ${what}`;
    this.#parts.journal.did('stream.recover', name, { ...actor, why });
  }

  /** The newest log of each partition that the reason is about. */
  #targets(stream: StreamView, request: RecoverRequest): Result<readonly LogSummary[]> {
    const { reason, at, partition } = request;
    const newest = chainsOf(stream)
      .map((chain) => this.#parts.ledger.log(chain.at(-1)?.log ?? stream.id))
      .filter((log) => log !== undefined)
      .filter(({ genesis }) => partition === undefined || genesis?.partition === partition);
    if (newest.length === 0) {
      return err(fault('partition-count', `${stream.display} has no partition ${partition ?? 0}`));
    }
    if (at !== undefined && newest.length > 1) {
      return err(
        fault('position-ambiguous', `${stream.display} has ${newest.length} partitions: name one`),
      );
    }
    const named = at !== undefined || partition !== undefined;
    const meant = named ? newest : newest.filter((log) => this.#isMeant(log, reason));
    return meant.length > 0 ? ok(meant) : err(needless(stream, reason));
  }

  #isMeant(log: LogSummary, reason: RecoverRequest['reason']): boolean {
    const ahead = log.time - this.#parts.runtime.clock.now();
    switch (reason) {
      case 'key':
        return true;
      case 'fork':
        return log.state === 'frozen' || log.state === 'damaged';
      case 'clock':
        return ahead > protocol.maxClockSkewMs;
    }
  }

  /** Where the log ends: its head, or before the block that holds the first entry that is not to count. */
  async #endOf(log: LogSummary, at: number | undefined): Promise<Result<TreeSize>> {
    if (at === undefined || at >= log.size) return ok(log.size);
    try {
      for await (const block of this.#parts.ledger.blocks(log.logId, asLogIndex(at))) {
        if (block.firstIndex > 0) return ok(asTreeSize(block.firstIndex));
      }
    } catch (cause) {
      if (cause instanceof HeadwaterError) return err(cause.fault);
      throw cause;
    }
    const message = 'the first block of a log stays: a log is known by it';
    return err(fault('successor-predecessor', message, { index: at }));
  }

  async #recoveryKey({ keyFile, passphrase }: RecoverRequest): Promise<Result<Signer>> {
    const file = keyFile ?? keyPath(this.#parts.home.paths, 'recovery');
    const signer = await readSigner(file, passphrase);
    if (signer.ok || signer.error.code !== 'key-file-missing') return signer;
    const hint =
      'The recovery key is kept elsewhere: bring its file and name it with --key FILE. Without it this stream cannot go on.';
    return err(fault('key-file-missing', `there is no recovery key at ${file}`, { file }, hint));
  }
}

function needless(stream: StreamView, reason: 'key' | 'fork' | 'clock'): Fault {
  const why = {
    key: '',
    fork: 'none of its logs is frozen or damaged',
    clock: 'none of its logs ends in the future',
  }[reason];
  const hint = 'Name the place with --at INDEX to go on from there all the same.';
  return fault('recover-needless', `${stream.display}: ${why}`, undefined, hint);
}
