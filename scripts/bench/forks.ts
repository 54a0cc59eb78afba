/** How fast a fork proof is verified: two checkpoints, a rotation on one branch, the way between them. */
import { nodeCrypto } from '../../src/crypto-node.ts';
import { makeForkProof, verifyForkProof } from '../../src/ledger/fork-proof.ts';
import { offlineEnv } from '../../src/verify.ts';
import { EvidenceLog } from '../vectors/evidence-log.ts';
import { labelledSigner } from '../vectors/format.ts';
import { callsPerSecond, type Bench, type BenchOptions } from './bench.ts';
import type { Measured } from './figures.ts';
import { must } from './must.ts';
import { median } from './statistics.ts';

export const forkProof: Bench = {
  names: ['forkProof'],
  async run({ quick }: BenchOptions): Promise<readonly Measured[]> {
    const [writer, next] = [labelledSigner('writer/forked'), labelledSigner('writer/forked/2')];
    const shared = EvidenceLog.open('forked').withEvents(['1', '2']);
    const one = shared.withEvents(['"one"']);
    const two = shared.withRotation(writer, next).withEvents(['3', '4', '5', '6'], next);
    const env = offlineEnv(nodeCrypto);
    const { genesisLeaf } = one.state;
    const proof = must(await makeForkProof(env, genesisLeaf, one.side(), two.side()));
    const rates = callsPerSecond(5, quick ? 200 : 1000, () => {
      must(verifyForkProof(env, proof));
    });
    return [{ name: 'forkProof', value: median(rates) }];
  },
};
