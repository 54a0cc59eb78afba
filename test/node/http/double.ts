/** A small node in memory behind the real HTTP server: what it answers is up to the test. */
import type { WitnessApi } from '../../../src/node/witness-api.ts';
import type { RecoveryApi } from '../../../src/node/recovery-api.ts';
import type { AddressInfo } from 'node:net';
import { fault, HeadwaterError, type Fault } from '../../../src/errors.ts';
import { utf8 } from '../../../src/bytes.ts';
import { didFromKey, logIdFromHash } from '../../../src/ids.ts';
import { limits } from '../../../src/limits.ts';
import type { ApiSecurity } from '../../../src/node/http/auth.ts';
import type { HttpLimits } from '../../../src/node/http/parts.ts';
import { buildServer } from '../../../src/node/http/server.ts';
import type { BackupApi } from '../../../src/node/core/backup.ts';
import type { EvidenceApi } from '../../../src/node/evidence-api.ts';
import type { AttributesApi } from '../../../src/node/core/attributes.ts';
import type { GrantsApi } from '../../../src/node/grants-api.ts';
import type { RevocationsApi } from '../../../src/node/revocations-api.ts';
import type { RekeyApi } from '../../../src/node/rekey-api.ts';
import type { SealedApi } from '../../../src/node/sealed-api.ts';
import type { ForksApi } from '../../../src/node/forks-api.ts';
import type { TreeApi, UrlApi } from '../../../src/node/tree-api.ts';
import type {
  Delivery,
  NodeApi,
  ReadRequest,
  ReceiptView,
  StreamView,
} from '../../../src/node/node-api.ts';
import { err, ok, type Result } from '../../../src/result.ts';
import {
  asHash,
  asLogIndex,
  asPublicKey,
  asStreamName,
  asTimeMs,
  type LogId,
  type ParsedEvent,
} from '../../../src/types.ts';
import { real } from '../cli/harness.ts';
import type { Consumer, Handed, UsagePort } from '../../../src/gossip/usage-port.ts';
import type { UsageApi } from '../../../src/node/usage-api.ts';
import type { RetentionApi } from '../../../src/node/retention-api.ts';
import { Client } from './client.ts';

export const log: LogId = logIdFromHash(asHash(new Uint8Array(32).fill(5)));
const owner = didFromKey(asPublicKey(new Uint8Array(32).fill(6)));

const none = (): Promise<Result<never>> => Promise.resolve(err(fault('grant-unknown', 'none')));
const noAttributes: AttributesApi = { page: none };
const noGrants: GrantsApi = {
  list: () => ok({ grants: [], requests: [] }),
  show: () => err(fault('grant-unknown', 'none')),
  create: none,
  accept: none,
  revoke: none,
  followable: () => ok(undefined),
  handOn: none,
  renew: none,
  request: none,
  withdraw: none,
  answer: none,
};

export const stream: StreamView = {
  display: 'orders',
  owner,
  name: asStreamName('orders'),
  id: log,
  visibility: 'public',
  partitions: 1,
  own: true,
  followed: false,
  paused: false,
  logs: [
    {
      log,
      partition: 0,
      size: 0,
      root: '',
      blocks: 0,
      role: 'writer',
      state: 'open',
      lagEntries: 0,
      writerKey: owner,
      lowest: 0,
    },
  ],
};

/** A delivery whose data is a JSON string of so many characters. */
export function delivery(index: number, dataLength = 2): Delivery {
  return {
    log,
    index: asLogIndex(index),
    recordedTime: asTimeMs(1_763_683_200_000 + index),
    event: {
      attributes: utf8(`{"id":"${index}","source":"/test","specversion":"1.0","type":"t"}`),
      kind: 1,
      data: utf8(`"${'x'.repeat(dataLength)}"`),
    },
    position: () => `p${index + 1}`,
  };
}

type Publish = NodeApi['publish'];
type Read = (request: ReadRequest, signal: AbortSignal) => AsyncIterable<readonly Delivery[]>;

/** One block for each call, one entry an event. */
const accept: Publish = (_stream, events) =>
  Promise.resolve(ok(events.map((_, index) => ok(receipt(index)))));

export function receipt(index: number, block = 1): ReceiptView {
  const hash = '00'.repeat(32);
  const size = index + 1;
  return { log, index: asLogIndex(index), leafHash: hash, block, size, root: hash, ack: 'local' };
}

const notUsed = (): never => {
  throw new Error('the double does not do that');
};

export class Double implements NodeApi {
  isReady = true;
  publishWith: Publish = accept;
  readWith: Read = () => history(0);
  readonly published: ParsedEvent[] = [];
  readonly requests: ReadRequest[] = [];
  shutdowns = 0;
  roomAsked = 0;

  /** Readers who are told of forks, and what they are told at once. */
  readonly told: Set<(notice: Fault) => void> = new Set();
  readonly frozen: Fault[] = [];
  readonly forks: ForksApi = {
    view: () => Promise.resolve(err(fault('fork-unknown', 'none'))),
    proof: () => Promise.resolve(ok(Uint8Array.of(0x88, 1))),
    notices: () => this.frozen,
    onNotice: (logs, listener) => {
      if (logs.length > 0) this.told.add(listener);
      return { [Symbol.dispose]: () => void this.told.delete(listener) };
    },
  };

  grants: GrantsApi = noGrants;
  readonly revocations: RevocationsApi = { revokeWriter: none, revokeDelegation: none };
  readonly attributes: AttributesApi = noAttributes;
  readonly rekeying: RekeyApi = { rekey: notUsed };
  readonly keyEpochs: SealedApi = { epochs: () => Promise.resolve(ok([])), shred: notUsed };
  /** What readers with a bearer were given. */
  readonly handed: (readonly [Consumer, Handed])[] = [];
  readonly deliveries: UsagePort = {
    meter: (consumer) => ({ delivered: (handed) => this.handed.push([consumer, handed]) }),
    delivered: (consumer, handed) => this.handed.push([consumer, handed]),
  };
  usage: UsageApi = {
    ofGrant: () => undefined,
    readers: () => [],
    ofEntry: () => [],
    deliveriesOf: () => Promise.resolve([]),
  };

  ready(): boolean {
    return this.isReady;
  }
  stream(_organisation: string | undefined, name: string): Result<StreamView> {
    if (name === 'orders') return ok(stream);
    if (name === 'foreign') return ok({ ...stream, own: false, display: 'other/foreign' });
    return err(fault('stream-unknown', `no stream ${name}`));
  }
  publish(
    view: StreamView,
    events: readonly ParsedEvent[],
    signal?: AbortSignal,
  ): ReturnType<Publish> {
    this.published.push(...events);
    return this.publishWith(view, events, signal);
  }
  room(): Promise<void> {
    this.roomAsked += 1;
    return Promise.resolve();
  }
  read(
    _stream: StreamView,
    request: ReadRequest,
    signal: AbortSignal,
  ): Promise<Result<AsyncIterable<readonly Delivery[]>>> {
    this.requests.push(request);
    return Promise.resolve(ok(this.readWith(request, signal)));
  }
  shutdown(): void {
    this.shutdowns += 1;
  }
  evidence: EvidenceApi = {
    checkpoint: notUsed,
    proof: notUsed,
    consistency: notUsed,
    range: notUsed,
    rangeFile: notUsed,
    bundle: notUsed,
    verify: notUsed,
    repair: notUsed,
    trace: notUsed,
    marquez: notUsed,
  };
  witness: WitnessApi = {
    view: notUsed,
    ofOwnLogs: notUsed,
    answers: notUsed,
    addCheckpoint: notUsed,
    monitored: notUsed,
    checkpoint: notUsed,
    judge: notUsed,
    check: () => ok(undefined),
    acknowledge: (receipts, wanted) => this.acknowledgeWith(receipts, wanted),
  };
  acknowledgeWith: WitnessApi['acknowledge'] = notUsed;
  retention: RetentionApi = { setPolicy: notUsed, redact: notUsed };
  tree: TreeApi = { isPublic: () => false, file: notUsed, mayBeReduced: notUsed };
  backup: BackupApi = { rows: notUsed };
  recovery: RecoveryApi = { recover: notUsed };
  urls: UrlApi = { list: notUsed, follow: notUsed, unfollow: notUsed };
  status: () => never = notUsed;
  checks: () => never = notUsed;
  streamByText: () => never = notUsed;
  streams: () => never = notUsed;
  createStream: () => never = notUsed;
  setStreamPaused: () => never = notUsed;
  follow: () => never = notUsed;
  unfollow: () => never = notUsed;
  logId: () => never = notUsed;
  event: () => never = notUsed;
  setCursor: () => never = notUsed;
  peers: () => never = notUsed;
  enrolled: () => never = notUsed;
  setPeerState: () => never = notUsed;
  network: () => never = notUsed;
  invite: () => never = notUsed;
  acceptMember: () => never = notUsed;
  metrics: () => never = notUsed;
}

export interface Served extends AsyncDisposable {
  readonly api: Double;
  readonly client: Client;
  readonly token: string;
  /** Faults that the server told of. */
  readonly told: Fault[];
  close(): Promise<void>;
}

export async function serveDouble(
  given: Partial<HttpLimits> = {},
  security: Partial<ApiSecurity> = {},
): Promise<Served> {
  const api = new Double();
  const told: Fault[] = [];
  const token = 'the-token-of-this-home';
  const server = await buildServer(api, {
    token,
    timers: real.timers,
    version: '1.2.3',
    security: { clock: real.clock, random: real.random, ...security },
    limits: { ...limits, ...given },
    onFault: (problem) => told.push(problem),
  });
  await server.listen({ host: '127.0.0.1', port: 0 });
  const { port } = server.server.address() as AddressInfo;
  const client = new Client(`http://127.0.0.1:${port}`, token);
  let closing: Promise<void> | undefined;
  const close = (): Promise<void> => {
    closing ??= server.close().then(() => undefined);
    return closing;
  };
  return {
    api,
    client,
    token,
    told,
    close,
    async [Symbol.asyncDispose]() {
      client[Symbol.dispose]();
      await close();
    },
  };
}

/** Deliveries 0 to `count`, in batches of `size`, then what `after` does. */
export async function* history(
  count: number,
  options: { readonly size?: number; readonly dataLength?: number; readonly fault?: Fault } = {},
): AsyncGenerator<readonly Delivery[]> {
  const { size = 10, dataLength = 2 } = options;
  for (let from = 0; from < count; from += size) {
    const length = Math.min(size, count - from);
    yield Array.from({ length }, (_, i) => delivery(from + i, dataLength));
  }
  if (options.fault !== undefined) throw new HeadwaterError(options.fault);
}
