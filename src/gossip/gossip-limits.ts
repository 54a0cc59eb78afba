/** The limits of gossip and sync as they are configured; `limits.ts` has the usual ones. */
import { limits } from '../limits.ts';

export type GossipLimits = { readonly [Name in keyof typeof limits]: number };

export const usualLimits: GossipLimits = limits;
