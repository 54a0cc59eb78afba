/**
 * Every way into this node from the network and what it takes, in one table (access.md). The routes of
 * the HTTP API have theirs in http/entry-points.ts. docs/reference/access.md is made from both, and a
 * test fails when a protocol has no entry.
 */
import { protocols } from '../gossip/serve.ts';

export interface WireEntry {
  /** What a peer must have shown: nothing, a hello that was accepted, or that it is of our organisation. */
  readonly peer: 'anybody' | 'greeted' | 'kin';
  /** What else, by the visibility of the log that it is about. */
  readonly open: string;
  readonly direct: string;
  /** Where the decision is taken. */
  readonly decided: string;
}

const never = 'never: left out of the answer';
const byGrant = 'a grant of `/flow/read` by the owner, shown to a peer of the owner';

export const wireEntries: Readonly<Record<keyof typeof protocols, WireEntry>> = {
  hello: {
    peer: 'anybody',
    open: 'a delegation of `/flow/peer` by the organisation to the key of the connection',
    direct: '–',
    decided: 'src/gossip/hello.ts',
  },
  heads: { peer: 'greeted', open: 'nothing', direct: never, decided: 'src/gossip/heads.ts' },
  keys: { peer: 'greeted', open: 'nothing', direct: byGrant, decided: 'src/gossip/admission.ts' },
  blocks: { peer: 'greeted', open: 'nothing', direct: byGrant, decided: 'src/gossip/admission.ts' },
  proof: {
    peer: 'greeted',
    open: 'nothing',
    direct: `${byGrant}, of attributes alone too; forks and roots: never`,
    decided: 'src/gossip/admission.ts',
  },
  publish: {
    peer: 'kin',
    open: 'a delegation of `/flow/peer` by our organisation',
    direct: 'the same',
    decided: 'src/gossip/publish.ts',
  },
  ack: { peer: 'greeted', open: 'nothing', direct: never, decided: 'src/gossip/acks.ts' },
  witness: {
    peer: 'greeted',
    open: 'a checkpoint signed by a key that is trusted for its log',
    direct: never,
    decided: 'src/gossip/witnessing.ts',
  },
  access: {
    peer: 'greeted',
    open: 'requests: the organisation that asks, for itself or its peer; epoch keys of a sealed log: a grant of `/flow/key` by the owner, shown to a peer of the owner, and they are sealed to the key in the profile of the organisation that asks',
    direct: `cards: ${byGrant}; grants that were handed to it: a peer of our organisation`,
    decided: 'src/node/access/access-gate.ts',
  },
};

/** What is gossiped; by the topic's name. */
export const topicEntries: Readonly<Record<string, string>> = {
  'blocks/…': 'blocks of public and sealed logs, signed by their writers; direct ones never',
  registry: 'checkpoints of registries, signed by their writers',
  alerts:
    'network documents signed by the founder; fork proofs; revocations, each by the key that revokes',
};
