/** Any message of each protocol, for the properties of their codecs. */
import * as fc from 'fast-check';
import { fault } from '../../src/errors.ts';
import type { Alert, Announcement } from '../../src/gossip/announcement-codec.ts';
import type { BlocksMessage } from '../../src/gossip/blocks-codec.ts';
import type { HeadRow, HeadsMessage } from '../../src/gossip/heads-codec.ts';
import type { HelloMessage } from '../../src/gossip/hello-codec.ts';
import type { KeysMessage } from '../../src/gossip/keys-codec.ts';
import { peerIdFromKey } from '../../src/gossip/peer-id.ts';
import type { ProofMessage } from '../../src/gossip/proof-codec.ts';
import type { PublishMessage } from '../../src/gossip/publish-codec.ts';
import { logIdFromHash } from '../../src/ids.ts';
import { err, ok } from '../../src/result.ts';
import {
  asBlockNumber,
  asHash,
  asLogIndex,
  asPublicKey,
  asTimeMs,
  asTreeSize,
  type DataKind,
} from '../../src/types.ts';

const hash = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((b) => asHash(b));
const logId = hash.map((h) => logIdFromHash(h));
const count = fc.nat({ max: 2 ** 31 - 1 }).map((n) => n * 2 ** 22);
const index = count.map((n) => asLogIndex(n));
const size = count.map((n) => asTreeSize(n));
const time = fc.nat({ max: 2 ** 31 - 1 }).map((n) => asTimeMs(n * 100_000));
const text = (max: number): fc.Arbitrary<string> =>
  fc.string({ maxLength: max, unit: 'grapheme' }).map((s) => s.slice(0, max).toWellFormed());
export const bytes = (maxLength: number): fc.Arbitrary<Uint8Array> => fc.uint8Array({ maxLength });
const peer = fc
  .uint8Array({ minLength: 32, maxLength: 32 })
  .map((b) => peerIdFromKey(asPublicKey(b)));
const address = fc.constantFrom(
  '/ip4/127.0.0.1/tcp/4001',
  '/dns4/a-b.example/tcp/1/ws',
  '/memory/x',
);
const addresses = fc.array(address, { maxLength: 4 });
const known = fc.record({ peer, addresses });

const row: fc.Arbitrary<HeadRow> = fc.record(
  {
    logId,
    size,
    root: hash,
    checkpoint: text(200),
    cosignatures: fc.array(text(80), { maxLength: 3 }),
    freshness: text(80),
  },
  { requiredKeys: ['logId', 'size', 'root', 'checkpoint', 'cosignatures'] },
);
const rows = fc.array(row, { maxLength: 4 });
export const heads: fc.Arbitrary<HeadsMessage> = fc.oneof(
  fc.record({ kind: fc.constant('compare' as const), now: time, digest: hash }),
  fc.record({ kind: fc.constantFrom('same' as const, 'differs' as const), now: time }),
  fc.record({
    kind: fc.constant('page' as const),
    more: fc.boolean(),
    sizes: fc.array(fc.record({ logId, size }), { maxLength: 5 }),
  }),
  fc.record({ kind: fc.constant('rows' as const), more: fc.boolean(), rows }),
  fc.constant({ kind: 'goOn' as const }),
  fc.record({ kind: fc.constant('askRegistries' as const), now: time, digest: hash }),
  fc.record({
    kind: fc.constant('registries' as const),
    now: time,
    digest: hash,
    more: fc.boolean(),
    rows,
  }),
);
export const alert: fc.Arbitrary<Alert> = fc.oneof(
  fc.record({ kind: fc.constant('network' as const), document: bytes(300) }),
  fc.record({ kind: fc.constant('fork' as const), proof: bytes(300) }),
  fc.record({ kind: fc.constant('revocation' as const), token: bytes(300) }),
);
export const proof: fc.Arbitrary<ProofMessage> = fc.oneof(
  fc.record({ kind: fc.constant('inclusion' as const), logId, index, size }),
  fc.record({ kind: fc.constant('consistency' as const), logId, from: size, size }),
  fc.record({ kind: fc.constant('range' as const), logId, from: index, to: index, size }),
  fc.record({
    kind: fc.constant('proof' as const),
    size,
    root: hash,
    checkpoint: text(200),
    hashes: fc.array(hash, { maxLength: 4 }),
  }),
  fc.record({ kind: fc.constant('askFork' as const), logId }),
  fc.record({ kind: fc.constant('fork' as const), proof: bytes(300) }),
  fc.record({ kind: fc.constant('askForks' as const), digest: hash }),
  fc.record({ kind: fc.constant('forks' as const), logs: fc.array(logId, { maxLength: 4 }) }),
  fc.record({
    kind: fc.constant('askRoots' as const),
    rows: fc.array(fc.record({ logId, size, root: hash }), { maxLength: 4 }),
  }),
  fc.record({
    kind: fc.constant('roots' as const),
    rows: fc.array(fc.record({ logId, checkpoint: text(200) }), { maxLength: 4 }),
  }),
  fc.record({ kind: fc.constant('granted' as const), grant: bytes(64), request: bytes(64) }),
  fc.record({
    kind: fc.constant('askAttributes' as const),
    logId,
    from: index,
    count: fc.nat(128),
  }),
  fc.record({
    kind: fc.constant('attributes' as const),
    next: index,
    size,
    proofs: fc.array(text(60), { maxLength: 3 }),
  }),
);
export const blocks: fc.Arbitrary<BlocksMessage> = fc.oneof(
  fc.record(
    {
      kind: fc.constant('read' as const),
      logId,
      from: index,
      maxBytes: count,
      live: fc.boolean(),
      grant: bytes(64),
    },
    { requiredKeys: ['kind', 'logId', 'from', 'maxBytes', 'live'] },
  ),
  fc.record({
    kind: fc.constant('blocks' as const),
    next: size,
    wires: fc.array(bytes(100), { maxLength: 5 }),
  }),
  fc.record({ kind: fc.constantFrom('end' as const, 'pulse' as const), size }),
  fc.record({ kind: fc.constant('ack' as const), next: index }),
);
export const keys: fc.Arbitrary<KeysMessage> = fc.oneof(
  fc.record(
    { kind: fc.constant('ask' as const), logId, from: index, grant: bytes(64) },
    { requiredKeys: ['kind', 'logId', 'from'] },
  ),
  fc.record(
    {
      kind: fc.constant('page' as const),
      size,
      checkpoint: text(200),
      next: index,
      entries: fc.array(
        fc.record({ index, leaf: bytes(300), path: fc.array(hash, { maxLength: 5 }) }),
        { maxLength: 4 },
      ),
    },
    { requiredKeys: ['kind', 'size', 'checkpoint', 'entries'] },
  ),
);
const dataKinds: readonly DataKind[] = [0, 1, 2, 3];
const receipt = fc
  .record({ index, leafHash: hash, size, root: hash, duplicate: fc.boolean(), block: count })
  .map((r) => ({ ...r, block: asBlockNumber(r.block) }));
export const publish: fc.Arbitrary<PublishMessage> = fc.oneof(
  fc.record({
    kind: fc.constant('events' as const),
    logId,
    more: fc.boolean(),
    events: fc.array(
      fc.record({ kind: fc.constantFrom(...dataKinds), attributes: bytes(200), data: bytes(200) }),
      { maxLength: 4 },
    ),
  }),
  fc.record({
    kind: fc.constant('results' as const),
    results: fc.array(
      fc.oneof(
        receipt.map((r) => ok(r)),
        text(100).map((message) => err(fault('peer-paused', message))),
      ),
      { maxLength: 4 },
    ),
  }),
);
export const hello: fc.Arbitrary<HelloMessage> = fc.oneof(
  fc.record(
    {
      kind: fc.constant('hello' as const),
      network: hash,
      documentVersion: count,
      now: time,
      delegations: fc.array(bytes(300), { maxLength: 3 }),
      roles: fc.array(text(32), { maxLength: 3 }),
      software: text(64),
      addresses,
      peers: fc.array(known, { maxLength: 3 }),
      document: bytes(300),
    },
    {
      requiredKeys: [
        'kind',
        'network',
        'documentVersion',
        'now',
        'delegations',
        'roles',
        'software',
        'addresses',
        'peers',
      ],
    },
  ),
  fc.record({ kind: fc.constant('document' as const), document: bytes(300) }),
  fc.constant({ kind: 'accepted' as const }),
);
export const announcement: fc.Arbitrary<Announcement> = fc.record({
  checkpoint: text(300),
  server: known,
});
