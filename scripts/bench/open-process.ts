/**
 * Opens the ledger of a folder in a fresh process, hands it its key and closes it: prints the
 * milliseconds from the first read to a log that may be read and written.
 */
import { benchSigner, openLedger } from './bench-ledger.ts';
import { must } from './must.ts';

const folder = process.argv[2];
if (folder === undefined) throw new Error('no folder');
const begun = performance.now();
const ledger = await openLedger(folder);
for (const log of ledger.logs()) {
  must(ledger.attachSigner(log.logId, benchSigner()));
  if (ledger.log(log.logId)?.state !== 'open') throw new Error(`the log is ${log.state}`);
}
console.log(performance.now() - begun);
await ledger.close();
