/**
 * Checkpoints that a witness answers a second: request parsed, signature and consistency proof
 * verified, cosigned, and the new state on the disk in store and guard before the answer. 256 logs
 * ask at once, each for its next size when it has its answer.
 */
import { toBase64, utf8 } from '../../src/bytes.ts';
import { nodeCrypto, signerFromSeed } from '../../src/crypto-node.ts';
import { didFromKey } from '../../src/ids.ts';
import { noteAlgorithm, noteKey, signNote } from '../../src/ledger/note.ts';
import { consistencyProof } from '../../src/ledger/proof.ts';
import { emptyRoot, leafHash, nodeHash } from '../../src/ledger/tree.ts';
import { formatAddCheckpoint, parseAddCheckpoint, type Witness } from '../../src/ledger/witness.ts';
import { asTreeSize, type Hash } from '../../src/types.ts';
import { perSecond, rounds, type Bench, type BenchOptions } from './bench.ts';
import { openLedger } from './bench-ledger.ts';
import type { Measured } from './figures.ts';
import { must } from './must.ts';
import { median } from './statistics.ts';
import { temporaryFolder } from './temporary.ts';

const logs = 256;

/** Root of the leaves [from, to). */
function rootOf(leaves: readonly Hash[], from = 0, to = leaves.length): Hash {
  const [only] = leaves.slice(from, to);
  if (only === undefined) return emptyRoot(nodeCrypto);
  if (to - from === 1) return only;
  let split = 1;
  while (split * 2 < to - from) split *= 2;
  const left = rootOf(leaves, from, from + split);
  return nodeHash(nodeCrypto, left, rootOf(leaves, from + split, to));
}

/** The requests of one log, from nothing to `sizes` entries, one more each time. */
async function requestsOf(name: string, seed: number, sizes: number): Promise<Uint8Array[]> {
  const signer = signerFromSeed(new Uint8Array(32).fill(seed));
  const leaves = Array.from({ length: sizes }, (_, i) =>
    leafHash(nodeCrypto, utf8(`${name}/${i}`)),
  );
  const requests: Uint8Array[] = [];
  for (let size = 1; size <= sizes; size++) {
    const present = leaves.slice(0, size);
    const nodes = async (refs: readonly { level: number; index: number }[]): Promise<Hash[]> =>
      refs.map(({ level, index }) => rootOf(present, index * 2 ** level, (index + 1) * 2 ** level));
    const old = asTreeSize(size - 1);
    const proof =
      size === 1 ? [] : await consistencyProof(nodeCrypto, { nodes }, old, asTreeSize(size));
    const text = `${name}\n${size}\n${toBase64(rootOf(present))}\n`;
    const note = signNote(nodeCrypto, signer, name, text);
    requests.push(utf8(formatAddCheckpoint(old, proof, note)));
  }
  return requests;
}

export const witness: Bench = {
  names: ['witness'],
  async run({ quick }: BenchOptions): Promise<readonly Measured[]> {
    const signer = signerFromSeed(new Uint8Array(32).fill(7));
    const cosigner: Witness = { name: didFromKey(signer.publicKey), signer };
    const perRound = quick ? 4 : 12;
    const count = quick ? 2 : 5;
    const all = await Promise.all(
      Array.from({ length: logs }, async (_, i) => {
        const name = `bench.example/${i}`;
        const { publicKey } = signerFromSeed(new Uint8Array(32).fill(i % 200));
        const key = noteKey(nodeCrypto, name, noteAlgorithm.ed25519, publicKey);
        return { key, requests: await requestsOf(name, i % 200, perRound * (count + 1)) };
      }),
    );
    await using folder = await temporaryFolder();
    await using ledger = await openLedger(folder.path);
    const rates = await rounds(count, async (round) => {
      const begun = performance.now();
      await Promise.all(
        all.map(async ({ key, requests }) => {
          for (const body of requests.slice(round * perRound, (round + 1) * perRound)) {
            const request = must(parseAddCheckpoint(body));
            const answer = must(await ledger.witnessed.submit(cosigner, request, [key]));
            if (answer.status !== 200) throw new Error(`answered ${answer.status}`);
          }
        }),
      );
      return perSecond(logs * perRound, begun);
    });
    return [{ name: 'witness', value: median(rates) }];
  },
};
