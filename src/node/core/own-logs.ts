/**
 * The logs that this home writes: its organisation's registry, its journal, and its streams. A
 * stream's logs are made in the order of their partitions and then announced in the registry; what a
 * crash left half made is completed at the next start.
 */
import { equal } from '../../bytes.ts';
import type { CborMap } from '../../cbor.ts';
import { fault } from '../../errors.ts';
import { makeEvent } from '../../event/make.ts';
import type { Host } from '../../host.ts';
import type { Identities } from '../../identities.ts';
import { didFromKey } from '../../ids.ts';
import type { Genesis } from '../../ledger/genesis.ts';
import type { EpochPolicy } from '../../ledger/epoch-policy.ts';
import { keepAll, policyMap } from '../../ledger/retention-policy.ts';
import type { LogSummary, NewLog, Receipt } from '../../ledger/ledger-types.ts';
import type { Signer } from '../../crypto.ts';
import type { Successors } from '../../ledger/successors.ts';
import { witnessesMap } from '../../ledger/trust-policy.ts';
import { err, ok, type Result } from '../../result.ts';
import { formatTime } from '../../time.ts';
import { v7 } from 'uuid';
import {
  asStreamName,
  dataKind,
  type Did,
  type LogId,
  type ParsedEvent,
  type PeerId,
  type StreamName,
  type TreeSize,
} from '../../types.ts';
import { genesisProof } from '../home-keys.ts';
import type { Home } from '../home.ts';
import type { NewStream } from '../node-api.ts';
import { writeLeave } from '../write-leave.ts';
import { namedRegistry, nowhere, type Forward } from './named-registry.ts';
import { cardPartitions, ownChains, ownNewest, streamIdOf, unreadable } from './own-chains.ts';
import { checkNewStream } from './new-stream.ts';
import { journalPolicy } from './retention-view.ts';
import {
  logsOf,
  profileData,
  registryTypes,
  streamData,
  type Profile,
  type StreamCard,
} from './cards.ts';

export interface OwnLedger {
  create(log: NewLog, signer: Signer): Promise<Result<LogId>>;
  readonly successors: Pick<Successors, 'succeed'>;
  /** Absent in a test's. */
  readonly identities?: Pick<Identities, 'now'>;
  attachSigner(logId: LogId, signer: Signer): Result<void>;
  epochPolicy(logId: LogId): Promise<Result<EpochPolicy>>;
  logs(): readonly LogSummary[];
  publish(
    logId: LogId,
    events: readonly ParsedEvent[],
  ): Promise<Result<readonly Result<Receipt>[]>>;
}

const registryName = asStreamName('_registry');
export const journalName: StreamName = asStreamName('_journal');

export class OwnLogs {
  readonly #ledger: OwnLedger;
  readonly #home: Home;
  readonly #host: Host;
  readonly #peer: PeerId;
  /** Logs are made one stream after the other, or two calls could make one stream twice. */
  #making: Promise<unknown> = Promise.resolve();
  /** The registry that another peer of ours writes: what is announced goes there. */
  readonly #elsewhere: LogId | undefined;
  /** Set once there is a network. */
  forward: Forward = nowhere;
  /** Announced in this run; the view of the registry follows a moment later. */
  readonly #announced = new Set<StreamName>();

  constructor(ledger: OwnLedger, home: Home, host: Host, peer: PeerId) {
    this.#ledger = ledger;
    this.#home = home;
    this.#host = host;
    this.#peer = peer;
    this.#elsewhere = namedRegistry(home, host.clock.now());
  }

  /**
   * Own logs whose key in force is not ours, now: a thief's rotation, or one that a restored backup
   * does not know and that came back from a peer. Only their recovery makes them writable.
   */
  get keyless(): readonly LogSummary[] {
    return this.#ledger.logs().filter((log) => {
      if (!log.createdLocally || log.state === 'closed' || log.writerKey === undefined)
        return false;
      return !equal(log.writerKey, this.#signerOf(log).publicKey);
    });
  }
  /** As it is called now: another peer of ours may have learned of a new DID first. */
  get organisation(): Did {
    const { organisation } = this.#home.identity;
    return this.#ledger.identities?.now(organisation) ?? organisation;
  }
  /** Owner of `_journal`: did:key of the peer key. */
  get peerOwner(): Did {
    return didFromKey(this.#home.identity.peerKey);
  }
  registry(): LogSummary | undefined {
    return this.#find(this.organisation, registryName);
  }
  /** What our delegation names: the first log of the registry's chain. */
  registryId(): LogId | undefined {
    const registry = this.registry();
    return registry === undefined ? this.#elsewhere : streamIdOf(registry);
  }
  /** Whether another peer of our organisation writes its registry. */
  get isBranch(): boolean {
    return this.registry() === undefined && this.#elsewhere !== undefined;
  }
  journal(): LogSummary | undefined {
    return this.#find(this.peerOwner, journalName);
  }

  /** Hands the signers to the logs of earlier runs and makes registry and journal where missing. */
  async open(): Promise<Result<void>> {
    const { journal } = this.#home.keys;
    for (const log of this.#ledger.logs()) {
      if (!log.createdLocally || log.state === 'closed') continue;
      const attached = this.#ledger.attachSigner(log.logId, this.#signerOf(log));
      // One that is `keyless` is read, and waits for its recovery.
      if (!attached.ok && attached.error.code !== 'writer-key') return attached;
    }
    if (unreadable(this.#ledger.logs()) !== undefined) return ok(undefined);
    if (this.registry() === undefined && this.#elsewhere === undefined) {
      const made = await this.#create(registryName, 0, { partitions: 1, visibility: 'public' });
      if (!made.ok) return made;
    }
    if (this.journal() !== undefined) return ok(undefined);
    const made = await this.#ledger.create(
      {
        owner: this.peerOwner,
        name: journalName,
        partition: 0,
        partitions: 1,
        recoveryHash: this.#home.identity.recoveryHash,
        visibility: 'direct',
        retention: policyMap(journalPolicy(this.#home.config.limits)),
        proof: [],
      },
      journal,
    );
    return made.ok ? ok(undefined) : made;
  }

  #signerOf({ genesis }: LogSummary): Signer {
    const { writer, journal } = this.#home.keys;
    return genesis?.name === journalName ? journal : writer;
  }

  /** Appends to the registry, or has its writer do so; the receipt says that it is durable. */
  async announce(type: string, subject: string, data: Uint8Array): Promise<Result<void>> {
    const own = this.registry()?.logId;
    const registry = own ?? this.#elsewhere;
    if (registry === undefined) {
      const lost = unreadable(this.#ledger.logs());
      return err(lost ?? fault('internal', 'there is no registry log'));
    }
    const now = this.#host.clock.now();
    const attributes = {
      specversion: '1.0',
      id: v7({ msecs: now, random: this.#host.random.bytes(16) }),
      source: this.organisation,
      type,
      subject,
      time: formatTime(now),
      datacontenttype: 'application/json',
    };
    const event = makeEvent(attributes, dataKind.json, data);
    if (!event.ok) return event;
    const published =
      own === undefined
        ? await this.forward(registry, [event.value])
        : await this.#ledger.publish(registry, [event.value]);
    const receipt = published.ok ? published.value[0] : published;
    if (receipt === undefined) return err(fault('internal', 'an event without a result'));
    return receipt.ok ? ok(undefined) : receipt;
  }

  announceProfile(profile: Profile): Promise<Result<void>> {
    return this.announce(registryTypes.profile, profile.owner, profileData(profile));
  }

  /**
   * Makes the logs of a new stream and announces it, unless it is `direct`. Where an earlier call
   * failed half way (a full disk) the same call completes it: `listed` says whether it is announced.
   */
  createStream(input: NewStream, listed: Listed): Promise<Result<StreamName>> {
    const made = this.#making.then(() => this.#createStream(input, listed));
    this.#making = made.catch(() => undefined);
    return made;
  }

  async #createStream(input: NewStream, listed: Listed): Promise<Result<StreamName>> {
    const checked = this.#check(input, listed);
    if (!checked.ok) return checked;
    const name = checked.value;
    const { witnesses, ...rest } = input;
    const shape = {
      ...rest,
      ...(witnesses === undefined
        ? {}
        : { witnesses: witnessesMap(witnesses.keys, witnesses.quorum) }),
      partitions: input.partitions ?? 1,
      visibility: input.visibility ?? 'public',
      retention: policyMap(input.retention ?? keepAll),
    };
    const made = await this.#complete(name, shape);
    if (!made.ok) return made;
    if (shape.visibility === 'direct') return ok(name);
    const announced = await this.#announceStream(name, input.description);
    return announced.ok ? ok(name) : announced;
  }

  /**
   * Finishes what a crash or a registry that could not be signed interrupted: missing partitions, and
   * cards that the registry lacks. `described` is what the last card of a stream says of it.
   */
  repair(listed: Listed, described: Described): Promise<Result<readonly StreamName[]>> {
    const repaired = this.#making.then(() => this.#repair(listed, described));
    this.#making = repaired.catch(() => undefined);
    return repaired;
  }

  async #repair(listed: Listed, described: Described): Promise<Result<readonly StreamName[]>> {
    const repaired: StreamName[] = [];
    for (const { genesis, logId } of this.#ledger.logs()) {
      if (genesis?.owner !== this.organisation || genesis.partition !== 0) continue;
      if (genesis.name.startsWith('_') || genesis.visibility === 'direct') continue;
      if (repaired.includes(genesis.name) || listed(genesis.name, this.#logsOf(genesis.name))) {
        continue;
      }
      const { name, partitions, contentType, retention, witnesses, visibility } = genesis;
      const shape = {
        partitions,
        retention,
        visibility,
        ...(await this.#epochsOf(visibility, logId)),
        ...(witnesses === undefined ? {} : { witnesses }),
        ...(contentType === undefined ? {} : { contentType }),
      };
      const made = await this.#complete(name, shape);
      if (!made.ok) return made;
      const announced = await this.#announceStream(name, described(name));
      if (!announced.ok) return announced;
      repaired.push(name);
    }
    return ok(repaired);
  }

  async #epochsOf(
    visibility: Genesis['visibility'],
    logId: LogId,
  ): Promise<{ readonly epochs?: EpochPolicy }> {
    const policy = visibility === 'sealed' ? await this.#ledger.epochPolicy(logId) : undefined;
    return policy?.ok === true ? { epochs: policy.value } : {};
  }

  #check(input: NewStream, listed: Listed): Result<StreamName> {
    const { name, partitions = 1, visibility = 'public' } = input;
    const sound = checkNewStream(input);
    if (!sound.ok) return sound;
    const leave = writeLeave(this.#home, this.#host, sound.value);
    if (!leave.ok) return leave;
    const genesis = this.#find(this.organisation, sound.value)?.genesis;
    const lost = genesis === undefined ? unreadable(this.#ledger.logs()) : undefined;
    if (lost !== undefined) return err(lost);
    if (genesis === undefined) return sound;
    const same = genesis.visibility === visibility && genesis.partitions === partitions;
    if (same && !this.#isWhole(sound.value, genesis, listed)) return sound;
    return err(fault('stream-exists', `there is a stream ${name} already`));
  }

  #isWhole(name: StreamName, { partitions, visibility }: Genesis, listed: Listed): boolean {
    for (let partition = 0; partition < partitions; partition++) {
      if (this.#find(this.organisation, name, partition) === undefined) return false;
    }
    return visibility === 'direct' || this.#announced.has(name) || listed(name);
  }

  async #complete(name: StreamName, shape: Shape): Promise<Result<void>> {
    for (let partition = 0; partition < shape.partitions; partition++) {
      if (this.#find(this.organisation, name, partition) !== undefined) continue;
      const made = await this.#create(name, partition, shape);
      if (!made.ok) return made;
    }
    return ok(undefined);
  }

  #create(name: StreamName, partition: number, shape: Shape): Promise<Result<LogId>> {
    const { keys, identity } = this.#home;
    const first = partition === 0 ? undefined : this.#find(this.organisation, name, 0);
    const log: NewLog = {
      owner: identity.organisation,
      name,
      partition,
      partitions: shape.partitions,
      ...(first === undefined ? {} : { stream: streamIdOf(first) }),
      recoveryHash: identity.recoveryHash,
      visibility: shape.visibility,
      retention: shape.retention ?? policyMap(keepAll),
      ...(shape.epochs === undefined ? {} : { epochs: shape.epochs }),
      ...(shape.witnesses === undefined ? {} : { witnesses: shape.witnesses }),
      ...(shape.contentType === undefined ? {} : { contentType: shape.contentType }),
      proof: genesisProof(this.#home, this.#host.random, name, partition),
    };
    return this.#ledger.create(log, keys.writer);
  }

  /**
   * Goes on from an own log in a successor, written with the home's keys as they are now. Codes: those of
   * `Successors.succeed`.
   */
  async succeed(log: LogSummary, size: TreeSize, recovery: Signer): Promise<Result<LogId>> {
    const { genesis } = log;
    if (genesis === undefined) return err(fault('log-not-synced', 'the log cannot be read'));
    const { keys, identity } = this.#home;
    const { owner, name, partition } = genesis;
    const isJournal = owner === this.peerOwner && name === journalName;
    const proof = isJournal ? [] : genesisProof(this.#home, this.#host.random, name, partition);
    // Of a log from before a succession the owner is another one now.
    const heir = isJournal ? {} : { owner: identity.organisation };
    const plan = { size, ...heir, recoveryHash: identity.recoveryHash, proof };
    const writer = isJournal ? keys.journal : keys.writer;
    return this.#ledger.successors.succeed(log.logId, plan, recovery, writer);
  }

  /** Says in the registry which logs a stream has now; nothing to say of one that is listed nowhere. */
  async announceChain(name: StreamName, description: string | undefined): Promise<Result<void>> {
    const log = this.#find(this.organisation, name);
    const visibility = log?.genesis?.visibility ?? 'direct';
    if (visibility === 'direct' || name.startsWith('_')) return ok(undefined);
    return this.#announceStream(name, description);
  }

  async #announceStream(name: StreamName, description: string | undefined): Promise<Result<void>> {
    const chains = ownChains(this.#ledger.logs(), this.organisation, name);
    const first = chains[0]?.[0];
    if (first?.genesis === undefined) return err(fault('internal', 'a stream without logs'));
    const card: StreamCard = {
      owner: this.organisation,
      name,
      id: first.logId,
      visibility: first.genesis.visibility === 'sealed' ? 'sealed' : 'public',
      partitions: cardPartitions(chains, this.#peer),
      ...(first.genesis.contentType === undefined
        ? {}
        : { contentType: first.genesis.contentType }),
      ...(description === undefined ? {} : { description }),
    };
    const recovered = chains.some((chain) => chain.length > 1);
    const type = recovered ? registryTypes.updated : registryTypes.created;
    const announced = await this.announce(type, name, streamData(card));
    if (announced.ok) this.#announced.add(name);
    return announced;
  }

  #logsOf(name: StreamName): readonly LogId[] {
    const chains = ownChains(this.#ledger.logs(), this.organisation, name);
    return logsOf({ partitions: cardPartitions(chains, this.#peer) });
  }

  #find(owner: Did, name: StreamName, partition = 0): LogSummary | undefined {
    return ownNewest(this.#ledger.logs(), owner, name, partition);
  }
}

export type Described = (name: StreamName) => string | undefined;

/** True where the registry has a card of the stream, with all of its logs where they are given. */
export type Listed = (name: StreamName, logs?: readonly LogId[]) => boolean;

interface Shape {
  readonly partitions: number;
  readonly visibility: Genesis['visibility'];
  readonly epochs?: EpochPolicy;
  readonly contentType?: string;
  readonly retention?: CborMap;
  readonly witnesses?: CborMap;
}
