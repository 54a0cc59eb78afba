/** Why bodies of a block that a peer shows are missing, as far as the block and the log's keys say. */
import { parseControl } from './control.ts';
import type { KeyEntry } from './key-chain.ts';
import { decodeLeaf } from './leaf.ts';

/** By the seal of the block itself: an older one may say less than the newest. */
export function lowestOf(
  wire: Uint8Array,
  { entries }: { readonly entries: readonly { leafOffset: number; leafLength: number }[] },
): number {
  const seal = entries.at(-1);
  if (seal === undefined || seal.leafOffset < 0) return 0;
  const leaf = decodeLeaf(wire.subarray(seal.leafOffset, seal.leafOffset + seal.leafLength));
  return leaf.ok && leaf.value.kind === 2 ? leaf.value.lowest : 0;
}

export function redactedBy(controls: readonly KeyEntry[]): ReadonlySet<number> {
  const redacted = new Set<number>();
  for (const { leaf } of controls) {
    const decoded = decodeLeaf(leaf);
    if (!decoded.ok || decoded.value.kind !== 3) continue;
    const control = parseControl(decoded.value.map);
    if (control.ok && 'type' in control.value && control.value.type === 'redact') {
      redacted.add(control.value.index);
    }
  }
  return redacted;
}
