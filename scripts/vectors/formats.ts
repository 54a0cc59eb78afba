/** The golden files, in the order in which they are made. */
import { block } from './block.ts';
import { bundle } from './bundle.ts';
import { checkpoint } from './checkpoint.ts';
import { commitment } from './commitment.ts';
import { eventProof } from './event-proof.ts';
import { forkProof } from './fork-proof.ts';
import type { Format } from './format.ts';
import { keyDelivery } from './key-delivery.ts';
import { leaf } from './leaf.ts';
import { sealed } from './sealed.ts';
import { tile } from './tile.ts';
import { tree } from './tree.ts';

export const formats: readonly Format[] = [
  tree,
  tile,
  checkpoint,
  leaf,
  commitment,
  block,
  eventProof,
  forkProof,
  bundle,
  keyDelivery,
  sealed,
];

/** Text of every file, by name with `.json`. */
export async function goldenFiles(): Promise<ReadonlyMap<string, string>> {
  const files = new Map<string, string>();
  for (const format of formats) {
    files.set(`${format.name}.json`, `${JSON.stringify(await format.make(), null, 1)}\n`);
  }
  return files;
}
