/** A producer of a sealed log and its readers, with the parts that deliver keys put between them. */
import { randomBytes } from 'node:crypto';
import { encryptionPair } from '../../src/access/encryption-key.ts';
import {
  handOn,
  keyCommand,
  mintGrant,
  mintGranting,
  orderGrant,
  type GrantTerms,
} from '../../src/access/grant.ts';
import type { KeyDelivery } from '../../src/access/key-delivery.ts';
import { mintRevocation } from '../../src/access/revoke.ts';
import { nodeCipher } from '../../src/cipher-node.ts';
import { nodeCrypto, signerFromSeed } from '../../src/crypto-node.ts';
import type { Signer } from '../../src/crypto.ts';
import type { Fault } from '../../src/errors.ts';
import {
  decodeAccess,
  encodeAccess,
  type AccessMessage,
  type AskKeys,
  type KeysAnswer,
} from '../../src/gossip/access-codec.ts';
import type { Asker } from '../../src/gossip/access-port.ts';
import { peerIdFromKey } from '../../src/gossip/peer-id.ts';
import { didFromKey } from '../../src/ids.ts';
import type { EpochPolicy } from '../../src/ledger/epoch-policy.ts';
import type { Ledger } from '../../src/ledger/ledger.ts';
import type { NewLog } from '../../src/ledger/ledger-types.ts';
import { MemoryStore } from '../../src/ledger/memory-store.ts';
import { TableRows } from '../../src/ledger/table-rows.ts';
import { limits } from '../../src/limits.ts';
import { AccessGate, type GateParts } from '../../src/node/access/access-gate.ts';
import { GrantBook, type KeptGrant } from '../../src/node/access/grant-book.ts';
import { RevocationBook } from '../../src/node/access/revocation-book.ts';
import { epochLength, Generations } from '../../src/node/sealed/generations.ts';
import { HandedOut } from '../../src/node/sealed/handed-out.ts';
import { GotKeys } from '../../src/node/sealed/got-keys.ts';
import { KeyAsking, type WrongKeys } from '../../src/node/sealed/key-asking.ts';
import { KeyGiving, type Given } from '../../src/node/sealed/key-giving.ts';
import { Leases } from '../../src/node/sealed/leases.ts';
import { OwnKeys, sealingOf } from '../../src/node/sealed/own-keys.ts';
import { err, ok, type Result } from '../../src/result.ts';
import { fault } from '../../src/errors.ts';
import { asStreamName, asTimeMs, type Did, type LogId, type PeerId } from '../../src/types.ts';
import { newLog, openLedger, testHost, type TestHost } from './ledger-home.ts';
import { must } from './result.ts';

export const orders: ReturnType<typeof asStreamName> = asStreamName('orders');
export const hour = 3_600_000;

export interface Member {
  readonly owner: Signer;
  readonly peer: Signer;
  readonly did: Did;
  readonly peerDid: Did;
  readonly asker: Asker;
  readonly pair: ReturnType<typeof encryptionPair>;
}

export function member(n: number): Member {
  const owner = signerFromSeed(new Uint8Array(32).fill(n));
  const peer = signerFromSeed(new Uint8Array(32).fill(n + 100));
  const did = didFromKey(owner.publicKey);
  return {
    owner,
    peer,
    did,
    peerDid: didFromKey(peer.publicKey),
    asker: { peer: peerIdFromKey(peer.publicKey), organisation: did },
    pair: encryptionPair(nodeCipher, new Uint8Array(32).fill(n)),
  };
}

const fresh: GateParts['freshness'] = {
  ageMs: () => 0,
  wanted: () => [],
  urgent: () => undefined,
  newest: () => Promise.resolve(undefined),
  offer: () => Promise.resolve(ok(undefined)),
};

const nobody = (): Promise<never> => Promise.reject(new Error('nobody asks'));

function gateOf(
  host: TestHost,
  { peer, did }: Member,
): { gate: AccessGate; grants: GrantBook; revocations: RevocationBook } {
  const rows = new TableRows(new MemoryStore());
  const grants = new GrantBook(rows, nodeCrypto, 1000);
  const revocations = new RevocationBook(rows, nodeCrypto, 1000);
  const gate = new AccessGate({
    host,
    crypto: nodeCrypto,
    signer: peer,
    organisation: did,
    grants,
    revocations,
    limits,
    freshness: fresh,
    knows: () => true,
    cardOf: () => undefined,
    kinship: [],
    onAllowed: () => undefined,
    onDenied: () => undefined,
    onAnswered: () => undefined,
    desk: { request: nobody, stateOf: nobody, withdraw: nobody },
  });
  return { gate, grants, revocations };
}

/** What goes over the wire, as it arrives. */
function passed<M extends AccessMessage>(message: M): M {
  const decoded = must(decodeAccess(encodeAccess(message)));
  if (!isLike(message, decoded)) throw new Error('another message arrived');
  return decoded;
}

function isLike<M extends AccessMessage>(sent: M, arrived: AccessMessage): arrived is M {
  return sent.kind === arrived.kind;
}

export class Producer {
  readonly member: Member;
  readonly host: TestHost;
  readonly ledger: Ledger;
  readonly log: LogId;
  readonly own: OwnKeys;
  readonly leases: Leases;
  readonly giving: KeyGiving;
  readonly handedOut: HandedOut;
  readonly generations: Generations;
  readonly grants: GrantBook;
  readonly revocations: RevocationBook;
  readonly gate: AccessGate;
  readonly given: Given[] = [];
  readonly warnings: Fault[] = [];
  /** Encryption keys by organisation, as their profiles say. */
  readonly profiles: Map<Did, Uint8Array> = new Map();
  /** Instead of the true ones: a producer who lies. */
  held: OwnKeys['held'];

  private constructor(
    who: Member,
    host: TestHost,
    parts: { readonly ledger: Ledger; readonly log: LogId; readonly own: OwnKeys },
  ) {
    this.member = who;
    this.host = host;
    this.ledger = parts.ledger;
    this.log = parts.log;
    this.own = parts.own;
    this.held = (log) => this.own.held(log);
    this.leases = new Leases(this.ledger.rows);
    const { gate, grants, revocations } = gateOf(host, who);
    this.gate = gate;
    this.grants = grants;
    this.revocations = revocations;
    this.giving = new KeyGiving({
      ledger: this.ledger,
      own: { held: (log) => this.held(log) },
      leases: this.leases,
      may: (genesis, grant, asker) => gate.may(genesis, grant, asker, 'keys'),
      ended: (permit) => gate.ended(permit),
      encryptionKey: (organisation) => this.profiles.get(organisation),
      epochMs: (log) => epochLength(this.ledger, log),
      signer: who.peer,
      random: host.random,
      clock: host.clock,
      limits,
      onGiven: (given) => {
        this.given.push(given);
        this.handedOut.given(given.permit);
      },
    });
    this.generations = this.begin();
    this.handedOut = new HandedOut({ grants, gate: () => gate, organisation: who.did, limits });
    revocations.onTaken((revocation) =>
      this.generations.revoked(this.handedOut.streamsOf(revocation)),
    );
  }

  /** What a start of the node does with what was due. */
  begin(): Generations {
    return new Generations({
      ledger: this.ledger,
      leases: this.leases,
      host: this.host,
      track: () => undefined,
      onBegun: () => undefined,
      warn: (_subject, problem) => this.warnings.push(problem),
    });
  }

  /** acme with a sealed log whose epochs last an hour, its keys in `folder`. */
  static async open(
    folder: string,
    epochs: EpochPolicy = { everyMs: hour },
    who: Member = member(1),
  ): Promise<Producer> {
    const host = testHost();
    const own = must(await OwnKeys.open(folder, new Uint8Array(32).fill(3), host.random));
    const sealing = sealingOf(own, { keyFor: () => undefined });
    const ledger = await openLedger({ host, sealing });
    const wanted: NewLog = { ...newLog, visibility: 'sealed', epochs };
    const log = must(await ledger.create(wanted, who.owner));
    const producer = new Producer(who, host, { ledger, log, own });
    // Invocations of the second of the start are refused.
    host.offsetMs += 2000;
    return producer;
  }

  /** A grant for a reader, handed to its peer. */
  grantTo(reader: Member, changes: Partial<GrantTerms> = {}): readonly Uint8Array[] {
    const { owner, peer, did, peerDid } = this.member;
    const { random } = this.host;
    const granting = mintGranting(owner, random, peerDid, keyCommand);
    const given = mintGrant(peer, random, [granting], {
      command: keyCommand,
      owner: did,
      audience: reader.did,
      stream: orders,
      handOns: 1,
      ...changes,
    });
    return handOn(reader.owner, random, given, { owner: did, audience: reader.peerDid });
  }

  /** Revokes the grant that was given to a reader: the second link; or another, by whomever. */
  async revoke(
    tokens: readonly Uint8Array[],
    link = 1,
    by: Signer = this.member.peer,
  ): Promise<void> {
    const { cids } = must(orderGrant(nodeCrypto, tokens));
    const told = { id: cids[link] ?? '', path: cids, now: this.host.clock.now() };
    const token = mintRevocation(by, this.host.random, told);
    must(await this.gate.takeRevocation(token));
    await this.generations.idle();
  }

  /** `o<epoch>.<generation>` of each epoch that was opened. */
  async opened(): Promise<string> {
    const epochs = must(await this.ledger.epochs(this.log));
    return epochs.map(({ epoch, generation }) => `o${epoch}.${generation}`).join(' ');
  }
}

export class Reader {
  readonly member: Member;
  readonly producer: Producer;
  readonly got: GotKeys;
  readonly gate: AccessGate;
  readonly grants: GrantBook;
  readonly asking: KeyAsking;
  readonly answers: (Fault | undefined)[] = [];
  readonly wrong: WrongKeys[] = [];
  readonly deliveries: KeyDelivery[] = [];
  /** What it has besides. */
  kin: readonly KeptGrant[] = [];
  asks = 0;
  online = true;
  /** Changes what arrives. */
  tamper: (answer: KeysAnswer) => KeysAnswer = (answer) => answer;

  constructor(producer: Producer, who: Member, got: GotKeys = new GotKeys()) {
    this.member = who;
    this.producer = producer;
    this.got = got;
    const { host, ledger } = producer;
    const { gate, grants } = gateOf(host, who);
    this.gate = gate;
    this.grants = grants;
    producer.profiles.set(who.did, who.pair.publicKey);
    this.asking = new KeyAsking({
      ledger: {
        logs: () => ledger.logs().map((log) => ({ ...log, createdLocally: false })),
        log: (log) => {
          const summary = ledger.log(log);
          return summary && { ...summary, createdLocally: false };
        },
        epochs: (log) => ledger.epochs(log),
      },
      got,
      grants: () => [...grants.got(), ...this.kin],
      isRevoked: (kept) => gate.isRevoked(kept),
      show: (kept, peer) => gate.showKept(kept, peer),
      exchange: () => ({ keys: (...ask) => this.#ask(...ask) }),
      encryption: { current: who.pair, older: [] },
      host,
      limits,
      answered: (_kept, refusal) => this.answers.push(refusal),
      onGot: (_log, _kept, deliveries) => this.deliveries.push(...deliveries),
      onWrong: (_log, _kept, wrong) => this.wrong.push(wrong),
      onFault: (problem) => {
        throw new Error(problem.message);
      },
    });
  }

  async keep(tokens: readonly Uint8Array[]): Promise<KeptGrant> {
    const grant = must(orderGrant(nodeCrypto, tokens));
    return must(await this.grants.keep('got', grant, this.producer.host.clock.now()));
  }

  /** What this reader would send now. */
  message(kept: KeptGrant, log: LogId = this.producer.log): AskKeys {
    const peer = peerIdFromKey(this.producer.member.peer.publicKey);
    return { kind: 'askKeys', log, from: 0, grant: must(this.gate.showKept(kept, peer)) };
  }

  /** Epochs whose keys are here and right. */
  async epochs(): Promise<string> {
    const { ledger, log } = this.producer;
    const opened = must(await ledger.epochs(log));
    const held = opened.filter((opening) => this.got.keyFor(log, opening) !== undefined);
    return held.map(({ epoch }) => epoch).join(' ');
  }

  async #ask(
    _owner: Did,
    log: LogId,
    from: number,
    show: (peer: PeerId) => Result<Uint8Array>,
  ): Promise<Result<{ readonly peer: PeerId; readonly answer: KeysAnswer }>> {
    if (!this.online) return err(fault('no-holder', 'nobody is there'));
    this.asks += 1;
    const peer = peerIdFromKey(this.producer.member.peer.publicKey);
    const grant = show(peer);
    if (!grant.ok) return grant;
    const ask = passed<AskKeys>({ kind: 'askKeys', log, from, grant: grant.value });
    const answer = await this.producer.giving.keys(ask, this.member.asker);
    return answer.ok ? ok({ peer, answer: this.tamper(passed(answer.value)) }) : answer;
  }
}

/** A folder's worth of random bytes, for texts that are searched for. */
export function randomText(): string {
  return randomBytes(48).toString('base64');
}

export const later = (host: TestHost, ms: number): ReturnType<typeof asTimeMs> =>
  asTimeMs(host.clock.now() + ms);
