/** Events and genesis proofs judged as every peer judges them, with the hashes and signatures of Node. */
import { checkWriteProof } from '../access/write-proof.ts';
import { nodeCipher } from '../cipher-node.ts';
import { nodeCrypto } from '../crypto-node.ts';
import { judgeEvent } from '../event/judge.ts';
import type { BlockEnv, Judges } from '../ledger/judges.ts';

export const nodeJudges: Judges = {
  event: judgeEvent,
  writeProof: (input) => checkWriteProof(nodeCrypto, input),
};

export const nodeEnv: BlockEnv = {
  crypto: nodeCrypto,
  judges: nodeJudges,
  opener: nodeCipher,
};
