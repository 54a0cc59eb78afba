/**
 * A witness in a process of its own, to be killed: it cosigns one size of a log after the other and
 * writes each size once the answer could be sent. Arguments: folder, size to begin with (`old`).
 */
import { writeSync } from 'node:fs';
import { join } from 'node:path';
import { nodeCrypto, signerFromSeed } from '../../src/crypto-node.ts';
import { GuardFile } from '../../src/ledger/guard-file.ts';
import { LevelStore } from '../../src/ledger/store.ts';
import { parseAddCheckpoint } from '../../src/ledger/witness.ts';
import { ForeignLog } from './foreign-log.ts';
import { openLedger } from './ledger-home.ts';
import { must } from './result.ts';

const [, , folder = '', first = '0'] = process.argv;
const ledger = await openLedger({
  store: must(await LevelStore.open(join(folder, 'store'))),
  guard: must(await GuardFile.open(join(folder, 'marks'), nodeCrypto)),
});
const witness = { name: 'w', signer: signerFromSeed(new Uint8Array(32).fill(3)) };
const log = new ForeignLog('example.org/log');
for (let old = Number(first); ; old++) {
  const request = must(parseAddCheckpoint(await log.request(old, old + 1)));
  const answer = must(await ledger.witnessed.submit(witness, request, [log.key]));
  writeSync(1, `${answer.status} ${old + 1}\n`);
}
