/** A fork proof that was checked offline, in the shape of `hw verify --json` and in lines for people. */
import { toHex } from '../bytes.ts';
import { didFromKey } from '../ids.ts';
import type { ProvenBranch, ProvenFork } from '../ledger/fork-proof.ts';
import type { Did, LogId } from '../types.ts';

export interface ForkBranchView {
  readonly size: number;
  readonly root: string;
  readonly signer: Did;
  readonly checkpoint: string;
}

export interface ForkProofView {
  /** The log that it is about is broken; the proof itself is sound. */
  readonly verdict: 'broken';
  readonly code: 'fork';
  readonly log: LogId;
  readonly owner: Did;
  readonly stream: string;
  readonly partition: number;
  readonly a: ForkBranchView;
  readonly b: ForkBranchView;
  readonly rootAtA: string;
}

export function forkProofView(fork: ProvenFork): ForkProofView {
  const { owner, name, partition } = fork.genesis;
  return {
    verdict: 'broken',
    code: 'fork',
    log: fork.logId,
    owner,
    stream: name,
    partition,
    a: branchView(fork.a),
    b: branchView(fork.b),
    rootAtA: toHex(fork.rootAtA),
  };
}

export function forkReport(file: string, view: ForkProofView): readonly string[] {
  const { a, b } = view;
  return [
    `${file}: a sound fork proof: the writer of ${view.stream}, partition ${view.partition}, signed two histories`,
    `  owner       ${view.owner}`,
    `  log         ${view.log}`,
    ...branchLines('A', a),
    ...branchLines('B', b),
    `  at ${a.size} entries the history of B has the root`,
    `              ${view.rootAtA}`,
    '              and not that of A: no log holds both. A stolen key makes this too; ask the owner.',
  ];
}

function branchLines(name: string, { size, root, signer }: ForkBranchView): readonly string[] {
  return [`  ${name}           ${size} entries, signed by ${signer}`, `              root ${root}`];
}

function branchView({ size, root, signer, note }: ProvenBranch): ForkBranchView {
  return { size, root: toHex(root), signer: didFromKey(signer), checkpoint: note };
}
