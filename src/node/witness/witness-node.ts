/** Everything about witnesses and acknowledgements in one node, put together and closed here. */
import { equal, fromHex, toHex, utf8 } from '../../bytes.ts';
import { nodeCrypto } from '../../crypto-node.ts';
import { fault } from '../../errors.ts';
import type { CosignedPort, EvidencePort } from '../../gossip/evidence-port.ts';
import type { GossipNode } from '../../gossip/gossip-node.ts';
import { parseCosigner } from '../../ledger/cosignature.ts';
import type { Genesis } from '../../ledger/genesis.ts';
import type { LogSummary } from '../../ledger/ledger-types.ts';
import {
  formatVkey,
  parseCosignature,
  parseNoteText,
  parseVkey,
  type NoteKey,
} from '../../ledger/note.ts';
import type { StatedTrust } from '../../ledger/trust-policy.ts';
import { err, ok, type Result } from '../../result.ts';
import { formatTime } from '../../time.ts';
import {
  asHash,
  asLogIndex,
  asTimeMs,
  type Did,
  type Hash,
  type LogId,
  type TreeSize,
} from '../../types.ts';
import type { VerifyView } from '../evidence-api.ts';
import type { Home } from '../home.ts';
import type { ReceiptView, StreamView } from '../node-api.ts';
import type { Runtime } from '../runtime.ts';
import { statedTrust, withTrust } from '../verify-trust.ts';
import type {
  AckWanted,
  WitnessApi,
  WitnessHttpReply,
  WitnessOfLog,
  WitnessView,
} from '../witness-api.ts';
import { AckWaiting } from './acks.ts';
import { Contradictions, type ContradictionParts } from './contradictions.ts';
import { getCheckpoint, postCheckpoint } from './http-post.ts';
import { noNetwork, WitnessSender, type WitnessRoute, type WitnessTarget } from './sender.ts';
import { WitnessService } from './service.ts';
import { WitnessedKeys } from './witnessed-keys.ts';

export interface WitnessParts extends ContradictionParts {
  readonly home: Home;
  readonly runtime: Runtime;
  /** Has the organisation a registry that is known here? */
  readonly isMember: (owner: Did) => boolean;
}

const maxListed = 1000;

export class WitnessNode implements WitnessApi, AsyncDisposable {
  readonly #parts: WitnessParts;
  readonly #service: WitnessService | undefined;
  readonly #sender: WitnessSender;
  readonly #acks: AckWaiting;
  readonly #urls: readonly WitnessRoute[];
  readonly #owned = new DisposableStack();

  private constructor(
    parts: WitnessParts,
    service: WitnessService | undefined,
    urls: readonly WitnessRoute[],
  ) {
    this.#parts = parts;
    this.#service = service;
    this.#urls = urls;
    const { ledger, runtime, home, gossip } = parts;
    const { limits } = home.config;
    this.#sender = new WitnessSender({
      ledger,
      host: runtime,
      limits,
      routes: (log) => this.#routes(log),
      post: ({ key, url }, body, signal) => {
        if (url !== undefined) return postCheckpoint(url, body, signal);
        const witnessing = gossip()?.evidence.witnessing;
        if (witnessing !== undefined) return witnessing.ask(key.publicKey, body, signal);
        return Promise.resolve(err(noNetwork));
      },
      last: ({ key, url }, origin, signal) => {
        if (url !== undefined) return getCheckpoint(url, origin, signal);
        const witnessing = gossip()?.evidence.witnessing;
        if (witnessing !== undefined) return witnessing.last(key.publicKey, origin, signal);
        return Promise.resolve(err(noNetwork));
      },
    });
    const acks = (): GossipNode['evidence']['acks'] | undefined => gossip()?.evidence.acks;
    this.#acks = new AckWaiting({ ledger, timers: runtime.timers, limits, acks });
    const own = service === undefined ? [] : [service.key];
    ledger.cosigned.trust([...urls.map(({ key }) => key), ...own]);
    this.#owned.use(new Contradictions(parts, service?.key));
  }

  /** Codes: witness-key (the role without its key). */
  static open(parts: WitnessParts): Result<WitnessNode> {
    const { config, keys } = parts.home;
    const origins = config.witness.origins.flatMap((text) => valueOf(parseVkey(nodeCrypto, text)));
    const urls = config.witness.urls.flatMap((text) => {
      const [key = '', url = ''] = text.split(/ +/);
      return valueOf(parseCosigner(nodeCrypto, key)).map((found) => ({ key: found, url }));
    });
    if (!config.roles.includes('witness')) return ok(new WitnessNode(parts, undefined, urls));
    if (keys.witness === undefined) {
      return err(fault('witness-key', 'this home has the role witness and no witness key'));
    }
    const witnessed = new WitnessedKeys({
      ledger: parts.ledger,
      configured: origins,
      now: () => parts.runtime.clock.monotonic(),
      isMember: parts.isMember,
      fetch: (logId) =>
        parts.gossip()?.keys(logId) ??
        Promise.resolve(err(fault('log-unknown', 'this home has no network'))),
    });
    const service = new WitnessService(keys.witness, parts.ledger, witnessed);
    return ok(new WitnessNode(parts, service, urls));
  }

  /** Begins to send checkpoints, once the network is there. */
  start(): void {
    this.#owned.use(this.#sender.start());
    const gossip = this.#parts.gossip();
    if (gossip === undefined) return;
    this.#owned.use(
      gossip.listen((event) => {
        if (event.kind === 'peerReady') this.#sender.retry();
      }),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#owned.dispose();
    await this.#sender[Symbol.asyncDispose]();
  }

  /** What gossip needs of all this. */
  port(): EvidencePort {
    const { ledger, home } = this.#parts;
    const service = this.#service;
    const cosigned: CosignedPort = {
      wants: (logId) => ledger.cosigned.witnesses(logId).length > 0,
      newest: async (logId) => {
        const newest = await ledger.cosigned.newest(logId);
        if (!newest.ok || newest.value === undefined) return newest.ok ? ok(undefined) : newest;
        const { size, note, cosignatures } = newest.value;
        return ok({ size, note, lines: cosignatures.length });
      },
      add: (logId, note) => ledger.cosigned.add(logId, note),
    };
    const witness =
      service === undefined
        ? undefined
        : {
            key: service.key.publicKey,
            addCheckpoint: async (body: Uint8Array) => {
              const { status, body: text } = await service.addCheckpoint(body);
              return { status, body: utf8(text) };
            },
            last: async (origin: Hash) => {
              const note = await this.monitored(toHex(origin));
              const text = note.ok ? note.value : undefined;
              return { status: text === undefined ? 404 : 200, body: utf8(text ?? '') };
            },
          };
    return {
      sign: (message) => home.keys.peer.sign(message),
      durableRoot: async (logId: LogId, size: TreeSize) => {
        if (size === 0 || (ledger.log(logId)?.size ?? 0) < size) return ok(undefined);
        const root = await ledger.proofs.rangeRoot(logId, asLogIndex(0), asLogIndex(size));
        const flushed = root.ok ? await ledger.flush() : root;
        return flushed.ok ? root : flushed;
      },
      cosigned,
      witness,
    };
  }

  async view(): Promise<Result<WitnessView>> {
    const service = this.#service;
    const rows =
      service === undefined ? ok([]) : await this.#parts.ledger.witnessed.list(maxListed);
    if (!rows.ok) return rows;
    return ok({
      ...(service === undefined
        ? {}
        : { self: { did: service.key.name, vkey: formatVkey(service.key) } }),
      answers: Object.fromEntries(this.answers()),
      witnessed: rows.value.map(({ origin, size, cosignature }) => ({
        origin,
        size,
        time: cosignedAt(cosignature),
      })),
      witnesses: this.ofOwnLogs(),
    });
  }

  ofOwnLogs(): readonly WitnessOfLog[] {
    return this.#sender.targets().map((target) => this.#targetView(target));
  }

  answers(): ReadonlyMap<number, number> {
    return this.#service?.answers ?? new Map();
  }

  addCheckpoint(body: Uint8Array): Promise<WitnessHttpReply> {
    if (this.#service !== undefined) return this.#service.addCheckpoint(body);
    const contentType = 'text/plain; charset=utf-8';
    return Promise.resolve({ status: 404, contentType, body: 'this peer is no witness\n' });
  }

  async monitored(originHash: string): Promise<Result<string | undefined>> {
    const id = fromHex(originHash);
    if (this.#service === undefined || !id.ok || id.value.length !== 32) return ok(undefined);
    const last = await this.#parts.ledger.witnessed.last(asHash(id.value));
    if (!last.ok) return last;
    const { note = '', cosignature = '' } = last.value ?? {};
    return ok(note === '' ? undefined : note + cosignature);
  }

  async checkpoint(log: LogId, cosigned: boolean): Promise<Result<string>> {
    const { ledger } = this.#parts;
    const summary = ledger.log(log);
    if (summary === undefined || summary.checkpoint === '') {
      return err(fault('event-unknown', 'nothing of this log has arrived yet'));
    }
    const newest = await ledger.cosigned.newest(log, cosigned ? undefined : summary.size);
    if (!newest.ok) return newest;
    if (newest.value !== undefined) return ok(newest.value.note);
    if (!cosigned) return ok(summary.checkpoint);
    return err(fault('cosigned-none', 'no witness that counts here has cosigned this log'));
  }

  async judge(view: VerifyView, stated: StatedTrust): Promise<Result<VerifyView>> {
    const policy = statedTrust(stated);
    if (!policy.ok) return policy;
    const { ledger, runtime } = this.#parts;
    return withTrust(ledger, view, policy.value, runtime.clock.now());
  }

  check(stream: StreamView, wanted: AckWanted): Result<void> {
    return this.#acks.check(stream, wanted);
  }

  acknowledge(
    receipts: readonly ReceiptView[],
    wanted: AckWanted,
    signal?: AbortSignal,
  ): Promise<readonly ReceiptView[]> {
    return this.#acks.acknowledge(receipts, wanted, signal);
  }

  /** Those that the stream names, and those configured for every stream that peers may copy. */
  #routes(log: LogSummary): readonly WitnessRoute[] {
    const policy = this.#parts.ledger.cosigned.policy(log.logId);
    const named = (policy.ok ? policy.value : undefined)?.witnesses ?? [];
    const { visibility = 'direct' } = log.genesis ?? {};
    const routes: WitnessRoute[] = named.map((key) => this.#byUrl(key) ?? { key });
    for (const route of visibility === 'direct' ? [] : this.#urls) {
      if (!routes.some(({ key }) => sameKey(key, route.key))) routes.push(route);
    }
    return routes;
  }

  #byUrl(key: NoteKey): WitnessRoute | undefined {
    const route = this.#urls.find((one) => sameKey(one.key, key));
    return route === undefined ? undefined : { ...route, key };
  }

  #targetView(target: WitnessTarget): WitnessOfLog {
    const { logId, route, size, behindSince, reason } = target;
    const { genesis, size: head = 0 } = this.#parts.ledger.log(logId) ?? {};
    return {
      stream: genesis === undefined ? logId : nameOf(genesis),
      log: logId,
      witness: route.key.name,
      via: route.url ?? 'network',
      size,
      head,
      ...(behindSince === undefined ? {} : { behindSince }),
      ...(reason === undefined ? {} : { reason }),
    };
  }
}

function nameOf({ name, partition, partitions }: Genesis): string {
  return partitions === 1 ? name : `${name}/${partition}`;
}

function sameKey(a: NoteKey, b: NoteKey): boolean {
  return equal(a.publicKey, b.publicKey);
}

function valueOf<T>(result: Result<T>): readonly T[] {
  return result.ok ? [result.value] : [];
}

/** The time that a cosignature line states. */
function cosignedAt(line: string): string {
  const note = parseNoteText(`-\n\n${line}`);
  const found = note.ok ? note.value.signatures[0] : undefined;
  const cosignature = found === undefined ? undefined : parseCosignature(found.signature);
  if (cosignature?.ok !== true) return '';
  return formatTime(asTimeMs(Number(cosignature.value.timestamp) * 1000));
}
