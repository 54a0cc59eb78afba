/** The real judges, wired as a node wires them. */
import { checkWriteProof } from '../../src/access/write-proof.ts';
import { nodeCrypto } from '../../src/crypto-node.ts';
import { judgeEvent } from '../../src/event/judge.ts';
import type { BlockEnv } from '../../src/ledger/judges.ts';

export const env: BlockEnv = {
  crypto: nodeCrypto,
  judges: {
    event: judgeEvent,
    writeProof: (input) => checkWriteProof(nodeCrypto, input),
  },
};
