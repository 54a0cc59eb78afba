/** Fixed logs of two organisations in a ledger that keeps them, and the bundles that are made of it. */
import { gzipSync } from 'node:zlib';
import { toHex, utf8 } from '../../src/bytes.ts';
import { nodeCrypto } from '../../src/crypto-node.ts';
import type { Signer } from '../../src/crypto.ts';
import { didFromKey } from '../../src/ids.ts';
import { reduceBlock } from '../../src/ledger/block-encode.ts';
import { encodeBundleLine } from '../../src/ledger/bundle-lines.ts';
import type { BundleReport } from '../../src/ledger/bundle-report.ts';
import { selfNamedCosigner } from '../../src/ledger/cosignature.ts';
import { MemoryGuard } from '../../src/ledger/guard.ts';
import { Ledger } from '../../src/ledger/ledger.ts';
import { encodeParents, type Parent } from '../../src/ledger/leaf.ts';
import { MemoryStore } from '../../src/ledger/memory-store.ts';
import { cosignNote, parseNoteText } from '../../src/ledger/note.ts';
import { alignedSubtrees, rangeRoot } from '../../src/ledger/range.ts';
import { noPolicy, witnessesMap, type TrustPolicy } from '../../src/ledger/trust-policy.ts';
import { verifyBundle } from '../../src/ledger/verify-bundle.ts';
import { limits, protocol } from '../../src/limits.ts';
import type { BundleLedger } from '../../src/node/core/bundle-ledger.ts';
import { planBundle, type BundleRequest } from '../../src/node/core/bundle-plan.ts';
import { bundleLines } from '../../src/node/core/bundle-write.ts';
import { inflateRaw } from '../../src/node/inflate.ts';
import { asLogIndex, asStreamName, asTimeMs } from '../../src/types.ts';
import { EvidenceLog, evidenceEnv, namedEvent } from './evidence-log.ts';
import { accepted, labelled, labelledSigner } from './format.ts';

export const witnesses: readonly Signer[] = [1, 2].map((n) => labelledSigner(`witness/${n}`));
export const witnessDids: readonly string[] = witnesses.map(({ publicKey }) =>
  didFromKey(publicKey),
);

const next = labelledSigner('writer/bundle-inputs/2');

/** 0 genesis, 1 seal | 2 3 4 events, 5 seal | 6 rotation, 7 seal | 8 9 10 events, 11 seal. */
export function inputsLog(policy = 0): EvidenceLog {
  const more = policy === 0 ? {} : { witnesses: witnessesMap(witnessDids, policy) };
  return EvidenceLog.open('bundle-inputs', more)
    .withEvents(['{"n":1}', '{"n":2}', '"three"'])
    .withRotation(labelledSigner('writer/bundle-inputs'), next)
    .withEvents(['[4]', '5', 'null'], next);
}

/** The parent that cites [from, to) of a log. */
export async function parentIn(log: EvidenceLog, from: number, to: number): Promise<Parent> {
  const hashes = await log.tree().nodes(alignedSubtrees(from, to));
  const range = { from: asLogIndex(from), to: asLogIndex(to) };
  return { log: log.state.log, ...range, rangeRoot: rangeRoot(nodeCrypto, hashes) };
}

/** 0 genesis, 1 seal | 2 cites a range and a single event of the inputs, 3 seal | 4 cites 2, 5 seal. */
export async function sumsLog(inputs: EvidenceLog): Promise<EvidenceLog> {
  const opened = EvidenceLog.open('bundle-sums', { name: asStreamName('sums') });
  const parents = encodeParents([await parentIn(inputs, 2, 5), await parentIn(inputs, 9, 10)]);
  const first = opened.with([{ kind: 'event', event: namedEvent('sum', '{"n":3}'), parents }]);
  const own = encodeParents([await parentIn(first, 2, 3)]);
  return first.with([{ kind: 'event', event: namedEvent('again', '{"n":3}'), parents: own }]);
}

/** A ledger that follows these logs; blocks for which `keep` says no lose those bodies. */
export async function ledgerOf(
  logs: readonly EvidenceLog[],
  keep: (log: EvidenceLog, index: number) => boolean = () => true,
  store: MemoryStore = new MemoryStore(),
): Promise<Ledger> {
  const opened = await Ledger.open({
    store,
    guard: new MemoryGuard([]),
    host: {
      clock: { now: () => asTimeMs(1_763_683_300_000), monotonic: () => 0 },
      timers: {
        after: () => ({ [Symbol.dispose]: () => undefined }),
        every: () => ({ [Symbol.dispose]: () => undefined }),
        sleep: () => Promise.resolve(),
      },
      random: { bytes: (length) => new Uint8Array(length) },
    },
    crypto: nodeCrypto,
    judges: evidenceEnv.judges,
    limits: { ...protocol, ...limits },
    nodeSecret: labelled('node secret'),
  });
  const ledger = accepted(opened, 'ledger');
  for (const log of logs) {
    accepted(await ledger.follow(log.state.logId), 'follow');
    for (const { block, leaves, wire } of log.blocks) {
      const kept = block.entries.map((_, i) => keep(log, block.firstIndex + i));
      const reduced = kept.includes(false)
        ? reduceBlock(nodeCrypto, block, leaves, (i) => kept[i] ?? true)
        : wire;
      const outcome = await ledger.apply(reduced, 'sync');
      if (outcome.applied !== true) throw new Error(`not applied: ${JSON.stringify(outcome)}`);
    }
  }
  return ledger;
}

/** Keeps a checkpoint of a log with lines of these witnesses. */
export async function cosign(
  ledger: Ledger,
  log: EvidenceLog,
  by: readonly Signer[] = witnesses,
): Promise<void> {
  const { text } = accepted(parseNoteText(log.checkpoint), 'checkpoint');
  const keys = by.map(({ publicKey }) => selfNamedCosigner(nodeCrypto, publicKey));
  ledger.cosigned.trust(keys);
  const lines = by.map((signer, i) =>
    cosignNote(nodeCrypto, signer, keys[i]?.name ?? '', text, BigInt(1_763_690_000 + i)),
  );
  accepted(await ledger.cosigned.add(log.state.logId, log.checkpoint + lines.join('')), 'cosign');
}

export type Asked = readonly [log: EvidenceLog, from: number, to: number, whole?: boolean];

/** The lines of a bundle, its last one included. */
export async function bundleText(
  ledger: BundleLedger,
  asked: readonly Asked[],
  ancestors: boolean,
  disclose?: BundleRequest['disclose'],
): Promise<string> {
  const { signal } = new AbortController();
  const request: BundleRequest = {
    asked: asked.map(([log, from, to, whole = true]) => {
      return { logId: log.state.logId, from, to, whole };
    }),
    ancestors,
    disclose,
  };
  const plan = accepted(await planBundle(ledger, request, signal), 'plan');
  const lines: string[] = [];
  const decoder = new TextDecoder();
  for await (const line of bundleLines(ledger, plan, signal)) {
    lines.push(decoder.decode(encodeBundleLine(line)));
  }
  return closed(lines.join(''));
}

/** Lines without a last one, with it. */
export function closed(text: string): string {
  const hash = nodeCrypto.startSha256();
  hash.update(utf8(text));
  const lines = text.split('\n').length - 1;
  return `${text}{"kind":"end","lines":${lines},"sha256":"${toHex(hash.digest())}"}\n`;
}

/** The text without its last line. */
export function opened(text: string): string {
  return text.slice(0, text.lastIndexOf('\n', text.length - 2) + 1);
}

/** One gzip member of any text. */
export function packed(text: Uint8Array): Uint8Array {
  return new Uint8Array(gzipSync(text, { level: 1 }));
}

export async function* oneChunk(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

/** The verdict of a file with these lines. */
export async function verifyText(
  text: string | Uint8Array,
  policy: TrustPolicy = noPolicy,
  maxSeen = 100,
): Promise<BundleReport> {
  const bytes = packed(typeof text === 'string' ? utf8(text) : text);
  return verifyBundle(evidenceEnv, oneChunk(bytes), inflateRaw, { policy, maxSeen });
}
