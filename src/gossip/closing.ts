/**
 * Fetching what leads to the end of a closed log (ledger.md "Keys, rotation, recovery"). Its successor names
 * size and root, so only who states exactly that head is asked: others may hold more of the log, or
 * another history of it.
 */
import { equal } from '../bytes.ts';
import type { Hash } from '../types.ts';
import type { PortLog } from './ledger-port.ts';
import type { Net } from './net.ts';

/** Pages of one peer that may show that our history is not the chosen one, before another is asked. */
export const maxLeaves = 64;

/** Whether a statement that a peer has `size` entries of the log is worth asking it. */
export function isWanted(log: PortLog | undefined, size: number, root: Hash | undefined): boolean {
  const closing = log?.closing;
  if (closing === undefined) return true;
  if (closing.whole || size !== closing.size) return false;
  return root !== undefined && equal(root, closing.root);
}

/** Forgets who had how much of a log that is closed now, and asks anew. */
export function askWhenClosed(net: Net, ask: () => void): Disposable {
  const listening = net.ledger.successors?.onNews(({ logId, kind }) => {
    if (kind !== 'wanted') return;
    net.sources.forgetLog(logId);
    ask();
  });
  return { [Symbol.dispose]: () => listening?.[Symbol.dispose]() };
}
