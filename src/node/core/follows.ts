/**
 * What this home follows, beyond its own logs: streams, whole organisations, single logs. A target
 * stands in a form that does not depend on aliases and is turned into logs as registries are learnt,
 * so that following a stream before its card has arrived works, and new streams of a followed
 * organisation come by themselves.
 *
 *   did:key:…            every public stream of the organisation
 *   did:key:…/name       one stream
 *   hw:<logId>           one log
 */
import { fault, type Fault } from '../../errors.ts';
import { parseLogId } from '../../ids.ts';
import type { LogSummary } from '../../ledger/ledger-types.ts';
import type { Successors } from '../../ledger/successors.ts';
import { err, ok, type Result } from '../../result.ts';
import type { LogId } from '../../types.ts';
import { logsOf, type StreamCard } from './cards.ts';
import type { ControlState } from './control-state.ts';
import type { Registries } from './registries.ts';
import type { Streams } from './streams.ts';

export interface FollowLedger {
  logs(): readonly LogSummary[];
  log(logId: LogId): LogSummary | undefined;
  follow(logId: LogId): Promise<Result<void>>;
  unfollow(logId: LogId, options: { readonly purge: boolean }): Promise<Result<void>>;
  /** Absent in a test's. */
  readonly successors?: Pick<Successors, 'judged'>;
}

export interface FollowEvents {
  /** A log has just been followed: its blocks should be fetched. */
  followed(logId: LogId): void;
  unfollowed(logId: LogId): void;
  problem(target: string, problem: Fault): void;
}

export class Follows {
  readonly #ledger: FollowLedger;
  readonly #registries: Registries;
  readonly #streams: Streams;
  readonly #control: ControlState;
  #configured: readonly string[];
  readonly #events: FollowEvents;

  constructor(
    ledger: FollowLedger,
    registries: Registries,
    streams: Streams,
    control: ControlState,
    configured: readonly string[],
    events: FollowEvents,
  ) {
    this.#ledger = ledger;
    this.#registries = registries;
    this.#streams = streams;
    this.#control = control;
    this.#configured = configured;
    this.#events = events;
  }

  /** The form of a target that is kept; a name must be known already, a DID need not. */
  target(text: string): Result<string> {
    if (text.startsWith('did:') && !text.includes('/')) return this.#registries.organisation(text);
    if (text.startsWith('hw:')) {
      const logId = parseLogId(text.slice(3));
      return logId.ok ? ok(`hw:${logId.value}`) : logId;
    }
    const key = this.#streams.parse(text);
    return key.ok ? ok(`${key.value.owner}/${key.value.name}`) : key;
  }

  /** Follows all that is configured or was asked for; targets that are not known yet wait. */
  async start(): Promise<void> {
    for (const text of [...this.#configured, ...this.#control.all('follow')]) {
      const target = this.target(text);
      if (!target.ok) continue; // A name from the configuration: its registry will come.
      for (const logId of this.#logsOf(target.value)) await this.#follow(target.value, logId);
    }
  }

  /** What config.yaml says now: what is new is followed at once. */
  reconfigure(configured: readonly string[]): Promise<void> {
    this.#configured = configured;
    return this.start();
  }

  /** The canonical forms of those that can be resolved now. */
  #targets(texts: readonly string[]): Set<string> {
    const targets = new Set<string>();
    for (const text of texts) {
      const target = this.target(text);
      if (target.ok) targets.add(target.value);
    }
    return targets;
  }

  /** A card was announced or changed. */
  async learned(card: StreamCard): Promise<void> {
    await this.#dropUnlisted(card);
    const targets = this.#targets([...this.#configured, ...this.#control.all('follow')]);
    const name = `${card.owner}/${card.name}`;
    const all = targets.has(name) || targets.has(card.owner);
    for (const partition of card.partitions) {
      const logs = logsOf({ partitions: [partition] });
      // Who follows one log follows what goes on from it.
      if (!all && !logs.some((log) => targets.has(`hw:${log}`))) continue;
      for (const log of all ? logs : logs.slice(1)) await this.#follow(name, log);
    }
  }

  async follow(target: string): Promise<Result<void>> {
    const set = await this.#control.set('follow', target, true);
    if (!set.ok) return set;
    for (const logId of this.#logsOf(target)) {
      const followed = await this.#follow(target, logId);
      if (followed.ok) continue;
      const never = followed.error.code === 'genesis-unlisted';
      if (never) await this.#control.set('follow', target, false);
      return followed;
    }
    return ok(undefined);
  }

  async unfollow(target: string, purge: boolean): Promise<Result<void>> {
    if (this.#targets(this.#configured).has(target)) {
      return err(fault('config-follow', `${target} is followed by config.yaml`));
    }
    // It may stand there under a DID that the owner had before.
    const same = this.#control.all('follow').filter((text) => this.#targets([text]).has(target));
    for (const text of same) {
      const set = await this.#control.set('follow', text, false);
      if (!set.ok) return set;
    }
    for (const logId of this.#logsOf(target)) {
      const log = this.#ledger.log(logId);
      if (log === undefined || log.createdLocally) continue;
      const done = await this.letGo(logId, purge);
      if (!done.ok) return done;
    }
    return ok(undefined);
  }

  /** Targets of which no log is known yet. */
  unresolved(): readonly string[] {
    const targets = [...this.#configured, ...this.#control.all('follow')];
    return targets.filter((text) => {
      const target = this.target(text);
      return !target.ok || (target.value.includes('/') && this.#logsOf(target.value).length === 0);
    });
  }

  #logsOf(target: string): readonly LogId[] {
    if (target.startsWith('hw:')) {
      const logId = parseLogId(target.slice(3));
      return logId.ok ? [logId.value] : [];
    }
    const slash = target.indexOf('/');
    const cards = [...this.#registries.cards()].filter(
      (card) => target === (slash < 0 ? card.owner : `${card.owner}/${card.name}`),
    );
    const listed = cards.flatMap(logsOf);
    const kept = this.#ledger
      .logs()
      .filter(
        (log) =>
          log.genesis !== undefined &&
          target === `${log.genesis.owner}/${log.genesis.name}` &&
          this.#unlisted(log) === undefined,
      );
    return [...new Set([...listed, ...kept.map(({ logId }) => logId)])];
  }

  /** The first block of a log that we follow has come: now it is known what the log claims to be. */
  async begun(logId: LogId): Promise<void> {
    const log = this.#ledger.log(logId);
    if (log !== undefined) await this.#dropIfUnlisted(log);
  }

  async #dropUnlisted({ owner, name }: StreamCard): Promise<void> {
    for (const log of this.#ledger.logs()) {
      if (log.genesis?.owner === owner && log.genesis.name === name)
        await this.#dropIfUnlisted(log);
    }
  }

  /** What it holds is kept as evidence; it is only no longer fetched, shown or passed on. */
  async #dropIfUnlisted(log: LogSummary): Promise<void> {
    const problem = this.#unlisted(log);
    if (problem === undefined) return;
    const done = await this.#ledger.unfollow(log.logId, { purge: false });
    this.#events.unfollowed(log.logId);
    this.#events.problem(`hw:${log.logId}`, done.ok ? problem : done.error);
  }

  /**
   * A stream is what its owner's registry names (ledger.md "Identity"): another genesis of the same
   * owner, name and partition is not followed. A log that an earlier card named remains one of it.
   */
  #unlisted({ logId, genesis, createdLocally }: LogSummary): Fault | undefined {
    if (genesis === undefined || createdLocally) return undefined;
    // Listed or not: who cannot show the recovery key is no successor.
    const judged = this.#ledger.successors?.judged(logId);
    if (judged !== undefined && typeof judged !== 'string') return judged;
    const card = this.#registries.card(genesis);
    if (card === undefined || this.#registries.lists(genesis, logId)) return undefined;
    const named = card.partitions[genesis.partition]?.log ?? 'none';
    return fault('genesis-unlisted', `the registry of ${genesis.owner} names ${named}`);
  }

  /** Follows one log that was found elsewhere; `genesis-unlisted` where its owner lists another. */
  keep(logId: LogId): Promise<Result<void>> {
    return this.#follow(`hw:${logId}`, logId);
  }

  /** Is the log one of those that are followed by name? */
  wants(logId: LogId): boolean {
    const targets = this.#targets([...this.#configured, ...this.#control.all('follow')]);
    return [...targets].some((target) => this.#logsOf(target).includes(logId));
  }

  async letGo(logId: LogId, purge: boolean): Promise<Result<void>> {
    const done = await this.#ledger.unfollow(logId, { purge });
    if (done.ok) this.#events.unfollowed(logId);
    return done;
  }

  async #follow(target: string, logId: LogId): Promise<Result<void>> {
    const log = this.#ledger.log(logId);
    if (log?.createdLocally === true) return ok(undefined);
    const followed = await this.#ledger.follow(logId);
    // One that was let go before still holds its genesis.
    const again = this.#ledger.log(logId);
    const unlisted = again === undefined ? undefined : this.#unlisted(again);
    if (unlisted !== undefined) {
      await this.#ledger.unfollow(logId, { purge: false });
      return err(unlisted);
    }
    if (followed.ok) this.#events.followed(logId);
    else this.#events.problem(target, followed.error);
    return followed;
  }
}
