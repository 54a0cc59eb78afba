/** `hw peer revoke` and `hw key revoke`: see revocations-api.ts. */
import { mintRevocation } from '../../access/revoke.ts';
import { parseContainer } from '../../access/ucan-container.ts';
import { decodeDelegation, type Delegation } from '../../access/ucan-delegation.ts';
import { tokenCid } from '../../access/ucan-envelope.ts';
import { readRevocation } from '../../access/ucan-revocations.ts';
import { equal } from '../../bytes.ts';
import type { Signer } from '../../crypto.ts';
import { nodeCrypto } from '../../crypto-node.ts';
import { fault, type Fault } from '../../errors.ts';
import type { AccessExchange } from '../../gossip/access-exchange.ts';
import { peerKey } from '../../gossip/peer-id.ts';
import { didFromKey } from '../../ids.ts';
import type { LogSummary } from '../../ledger/ledger-types.ts';
import type { LogEnds } from '../../ledger/log-ends.ts';
import { err, ok, type Result } from '../../result.ts';
import { asTreeSize, type PeerId } from '../../types.ts';
import { readPowers } from '../admin-tokens.ts';
import { registryTypes, revokedData, type LastGood } from '../core/cards.ts';
import type { Journal } from '../core/journal.ts';
import type { OwnLogs } from '../core/own-logs.ts';
import { enrolledTokens, forgetEnrolled } from '../enrolled.ts';
import type { Home } from '../home.ts';
import type { Actor } from '../node-api.ts';
import { organisationKey, type KeySource } from '../organisation-key.ts';
import type {
  RevocationsApi,
  RevokedLogView,
  RevokedView,
  RevokedWriterView,
  RevokeWriterRequest,
} from '../revocations-api.ts';
import type { Runtime } from '../runtime.ts';
import type { AccessGate } from './access-gate.ts';
import { Recording, type RecordingParts } from './recording.ts';
import type { RevocationBook } from './revocation-book.ts';
import { WriterCourt, type CourtParts } from './writer-court.ts';

export interface RevokingParts {
  readonly home: Home;
  readonly runtime: Runtime;
  readonly ledger: { readonly ends: Pick<LogEnds, 'isBlockEnd'> };
  readonly ownLogs: OwnLogs;
  readonly journal: Pick<Journal, 'did'>;
  readonly revocations: RevocationBook;
  readonly recording: Recording;
  readonly writers: WriterCourt;
  readonly gate: () => Pick<AccessGate, 'standings' | 'takeRevocation'>;
  readonly exchange: () => AccessExchange | undefined;
  readonly warn: (subject: string, problem: Fault) => void;
}

/** What of all that is taken back is kept, recorded and enforced. */
export interface Taking extends Disposable {
  readonly recording: Recording;
  readonly revoking: RevocationsApi;
}

export function openTaking(
  parts: Omit<RevokingParts, 'recording' | 'writers'> &
    Omit<RecordingParts, 'crypto' | 'writers' | 'now'> &
    Omit<CourtParts, 'hasher'>,
): Taking {
  const now = (): number => parts.runtime.clock.now();
  const writers = new WriterCourt({ ...parts, hasher: nodeCrypto });
  const recording = new Recording({ ...parts, crypto: nodeCrypto, writers, now });
  const revoking = new Revoking({ ...parts, recording, writers });
  return { recording, revoking, [Symbol.dispose]: () => writers[Symbol.dispose]() };
}

export class Revoking implements RevocationsApi {
  readonly #parts: RevokingParts;

  constructor(parts: RevokingParts) {
    this.#parts = parts;
  }

  async revokeWriter(
    peer: PeerId,
    request: RevokeWriterRequest,
    actor: Actor,
  ): Promise<Result<RevokedWriterView>> {
    const { writers, journal } = this.#parts;
    const key = peerKey(peer);
    if (key === undefined) return err(fault('peer-unknown', `${peer} is not the id of a peer`));
    if (equal(key, this.#parts.home.identity.peerKey)) return err(ownPeer());
    const found = writers.of(didFromKey(key));
    const all = [...found.values()].flat();
    const named = [...request.good.keys()].find((id) => !all.some(({ logId }) => logId === id));
    const given = await enrolledTokens(this.#parts.home.paths, peer);
    if (!given.ok) return given;
    const absent = this.#parts.gate().standings.of(peer) === undefined;
    const idle = found.size === 0 && given.value.length === 0 && absent;
    if (idle || named !== undefined) {
      const what = named === undefined ? 'no log is here' : `hw:${named} is not one`;
      return err(fault('writer-unknown', `${what} that ${peer} was let write`));
    }
    const signer = await organisationKey(this.#parts.home, request);
    if (!signer.ok) return signer;
    const revoked: { readonly ucan: string; readonly logs: readonly RevokedLogView[] }[] = [];
    for (const [ucan, logs] of found) {
      const views = await this.#ends(logs, request);
      if (!views.ok) return views;
      revoked.push({ ucan, logs: views.value });
    }
    for (const { ucan, logs } of revoked) {
      const done = await this.#writer(signer.value, ucan, logs);
      if (!done.ok) return done;
    }
    const standing = await this.#standing(signer.value, peer);
    if (!standing.ok) return standing;
    const enrolled = await this.#enrolled(signer.value, peer, given.value, found);
    if (!enrolled.ok) return enrolled;
    const logs = revoked.flatMap((one) => one.logs);
    journal.did('peer.revoke', peer, actor);
    const delegations = revoked.map(({ ucan }) => ucan);
    return ok({ peer, delegations, logs, standing: standing.value || enrolled.value });
  }

  async revokeDelegation(
    delegation: string,
    key: KeySource,
    actor: Actor,
  ): Promise<Result<RevokedView>> {
    const tokens = parseContainer(delegation.trim());
    if (!tokens.ok) return tokens;
    const powers = readPowers(tokens.value);
    if (!powers.ok) return powers;
    const chain: Delegation[] = [];
    for (const token of powers.value.tokens) {
      const link = decodeDelegation(token);
      if (!link.ok) return link;
      chain.push(link.value);
    }
    const last = chain.at(-1);
    if (last === undefined) return err(fault('ucan-chain', 'there is no delegation'));
    const signer = await this.#issuer(chain, key);
    if (!signer.ok) return signer;
    const path = powers.value.tokens.map((token) => tokenCid(nodeCrypto, token));
    const id = path.at(-1) ?? '';
    const { revocations, recording, journal, runtime } = this.#parts;
    const told = { id, path, now: runtime.clock.now() };
    const token = mintRevocation(signer.value, runtime.random, told);
    const read = readRevocation(nodeCrypto, token);
    if (!read.ok) return read;
    const taken = await revocations.take(token, read.value, last.expires ?? undefined);
    if (!taken.ok) return taken;
    journal.did('key.revoke', last.audience, actor);
    if (taken.value) await this.#announce(token);
    const recorded = await recording.look();
    const { command, audience: holder } = last;
    return ok({ delegation: id, command, holder, revoker: read.value.revoker, recorded });
  }

  /** The registry first: without the places where logs end nobody could tell good entries from bad ones. */
  async #writer(
    signer: Signer,
    ucan: string,
    logs: readonly RevokedLogView[],
  ): Promise<Result<void>> {
    const { runtime, ownLogs, revocations } = this.#parts;
    const told = { id: ucan, path: [], now: runtime.clock.now() };
    const token = mintRevocation(signer, runtime.random, told);
    const read = readRevocation(nodeCrypto, token);
    if (!read.ok) return read;
    const good: readonly LastGood[] = logs.map(({ log, last }) => ({ log, last }));
    const data = revokedData(ucan, token, { logs: good });
    const said = await ownLogs.announce(registryTypes.writerRevoked, ucan, data);
    if (!said.ok) return said;
    const taken = await revocations.take(token, read.value);
    if (!taken.ok) return taken;
    revocations.stands(read.value, undefined);
    await this.#announce(token);
    return ok(undefined);
  }

  /** That it is a peer of ours, as it last said hello; false where it did not in this run. */
  async #standing(signer: Signer, peer: PeerId): Promise<Result<boolean>> {
    const { gate, revocations, recording, runtime } = this.#parts;
    const standing = gate().standings.of(peer);
    const id = standing?.cids.at(-1);
    if (standing === undefined || id === undefined) return ok(false);
    const told = { id, path: standing.cids, now: runtime.clock.now() };
    const token = mintRevocation(signer, runtime.random, told);
    const read = readRevocation(nodeCrypto, token);
    if (!read.ok) return read;
    const expires = standing.chain.at(-1)?.expires ?? undefined;
    const taken = await revocations.take(token, read.value, expires);
    if (!taken.ok) return taken;
    if (taken.value) await this.#announce(token);
    await recording.look();
    return ok(true);
  }

  /** All that it was given when it was enrolled here, whether it ever came or not; false: nothing was. */
  async #enrolled(
    signer: Signer,
    peer: PeerId,
    tokens: readonly Uint8Array[],
    done: ReadonlyMap<string, unknown>,
  ): Promise<Result<boolean>> {
    if (tokens.length === 0) return ok(false);
    const { home, revocations, recording, runtime } = this.#parts;
    const now = runtime.clock.now();
    for (const given of tokens) {
      const link = decodeDelegation(given);
      if (!link.ok) return link;
      const expires = link.value.expires ?? undefined;
      if (expires !== undefined && expires * 1000 < now) continue;
      const id = tokenCid(nodeCrypto, given);
      if (done.has(id)) continue;
      const token = mintRevocation(signer, runtime.random, { id, path: [id], now });
      const read = readRevocation(nodeCrypto, token);
      if (!read.ok) return read;
      const taken = await revocations.take(token, read.value, expires);
      if (!taken.ok) return taken;
      if (taken.value) await this.#announce(token);
    }
    await recording.look();
    const forgotten = await forgetEnrolled(home.paths, peer);
    return forgotten.ok ? ok(true) : forgotten;
  }

  async #announce(token: Uint8Array): Promise<void> {
    const announced = await this.#parts.exchange()?.announce(token);
    if (announced?.ok === false) this.#parts.warn('alerts', announced.error);
  }

  async #ends(
    logs: readonly LogSummary[],
    { good }: RevokeWriterRequest,
  ): Promise<Result<readonly RevokedLogView[]>> {
    const views: RevokedLogView[] = [];
    for (const { logId, size, genesis } of logs) {
      const last = good.get(logId) ?? size - 1;
      if (last >= size) {
        const message = `hw:${logId} has ${size} entries here`;
        return err(fault('index-over-head', message, { index: last }));
      }
      const end = await this.#parts.ledger.ends.isBlockEnd(logId, asTreeSize(last + 1));
      if (!end.ok) return end;
      const { name = '', partition = 0 } = genesis ?? {};
      views.push({ log: logId, stream: name, partition, last, beyond: size - last - 1 });
    }
    return ok(views);
  }

  /** A key of ours that issued a link: what it revokes is void for the whole chain. */
  async #issuer(chain: readonly Delegation[], key: KeySource): Promise<Result<Signer>> {
    const issuers = chain.map(({ issuer }) => issuer);
    const isIssuer = ({ publicKey }: Signer): boolean => issuers.includes(didFromKey(publicKey));
    const { peer } = this.#parts.home.keys;
    if (key.keyFile === undefined && isIssuer(peer)) return ok(peer);
    const signer = await organisationKey(this.#parts.home, key);
    if (!signer.ok || isIssuer(signer.value)) return signer;
    return err(fault('key-not-issuer', 'this key issued no part of the delegation'));
  }
}

/** Its registry would end with its other logs, and nobody could say so. */
function ownPeer(): Fault {
  const hint =
    'Ask another peer of the organisation; of a stolen key: hw stream recover --reason key.';
  return fault('usage', 'a peer does not take back its own right', { pointer: 'peer' }, hint);
}
