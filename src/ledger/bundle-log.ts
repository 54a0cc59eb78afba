/**
 * One log of an audit bundle: its checkpoints, keys, cited ranges, blocks and single entries, in the
 * order of bundle-lines.ts. Everything is led back to the root that the writer signed: single
 * entries and control entries by inclusion, cited ranges by range proofs, and of whole blocks every
 * one is verified as a follower would, from the bytes to its own signature, and the tree behind the
 * last one is consistent with the log's.
 */
import { at, fault, type Code, type Fault } from '../errors.ts';
import { protocol } from '../limits.ts';
import { err, ok, type Result } from '../result.ts';
import type { VerifiedBlock } from './block.ts';
import type { Hash, LogId } from '../types.ts';
import { BundleCounts, Intervals, type SeenEntries } from './bundle-counts.ts';
import type { BundleEdges } from './bundle-inputs.ts';
import { checkBundleEntry } from './bundle-entry.ts';
import type {
  AskedRange,
  CitedLine,
  ControlLine,
  CosignedLine,
  EntryLine,
  KeysLine,
  LogLine,
  RangeLine,
  SealLine,
} from './bundle-lines.ts';
import { BundleKeys } from './bundle-keys.ts';
import { BundleOpening, sealedAlone, sealedIn } from './bundle-opening.ts';
import type { BundleLogReport } from './bundle-report.ts';
import { BundleRun } from './bundle-run.ts';
import { bytesOf, hashesOf } from './bundle-values.ts';
import { parseCheckpoint, type ParsedCheckpoint } from './checkpoint.ts';
import type { BlockEnv } from './judges.ts';
import { verifyConsistency, verifyInclusion } from './proof.ts';
import { verifyRange } from './range.ts';
import { leafHash } from './tree.ts';
import type { TrustPolicy } from './trust-policy.ts';

/** What all logs of a bundle share. */
export interface BundleContext {
  readonly env: BlockEnv;
  readonly policy: TrustPolicy;
  readonly edges: BundleEdges;
  readonly seen: SeenEntries;
  /** Counts of blocks and events, for progress. */
  readonly tally: { blocks: number; events: number };
}

/** Order of the lines within a log. */
const ranks = { cosigned: 1, control: 2, seal: 3, cited: 4, range: 5, entry: 6 } as const;

export type InLogLine =
  CosignedLine | ControlLine | SealLine | CitedLine | RangeLine | EntryLine | KeysLine;

interface Part {
  readonly from: number;
  readonly to: number;
}

export class BundleLog {
  readonly logId: LogId;
  readonly counts: BundleCounts;
  readonly opening: BundleOpening;
  /** What the stated policies miss here. */
  untrusted: readonly Fault[] = [];
  readonly #context: BundleContext;
  readonly #checkpoint: ParsedCheckpoint;
  readonly #keys: BundleKeys;
  readonly #cited: Part[] = [];
  /** Cited ranges of more than one entry, for which blocks are carried. */
  readonly #wide = new Intervals();
  readonly #runs: Part[] = [];
  #runAsked = false;
  #rank = 0;
  #lastEntry = -1;
  #run: BundleRun | undefined;

  private constructor(
    context: BundleContext,
    checkpoint: ParsedCheckpoint,
    note: string,
    asked: readonly AskedRange[],
  ) {
    this.logId = checkpoint.logId;
    this.#context = context;
    this.#checkpoint = checkpoint;
    this.#keys = new BundleKeys(context.env, context.policy, checkpoint, note);
    this.counts = new BundleCounts(context, this.logId, asked);
    this.opening = new BundleOpening(context.env, this.logId);
  }

  /** Codes: those of `parseCheckpoint`, bundle-line. */
  static open(
    context: BundleContext,
    line: LogLine,
    asked: readonly AskedRange[],
  ): Result<BundleLog> {
    const checkpoint = parseCheckpoint(line.checkpoint);
    if (!checkpoint.ok) return checkpoint;
    if (checkpoint.value.logId !== line.log) {
      return refuse('block-log', 'the checkpoint is of another log');
    }
    const own = asked.filter(({ log }) => log === line.log);
    return ok(new BundleLog(context, checkpoint.value, line.checkpoint, own));
  }

  /** Any line but a block. */
  line(line: InLogLine): Fault | undefined {
    if (this.opening.waits && line.kind !== 'entry') return order('keys of nothing behind them');
    if (line.kind === 'keys') return this.opening.line(line);
    if (this.#run !== undefined) return order('blocks of a range are missing');
    const rank = ranks[line.kind];
    const repeats = line.kind !== 'cosigned' && line.kind !== 'seal';
    if (rank < this.#rank || (rank === this.#rank && !repeats)) {
      return order(`a line of kind ${line.kind} is not where it should be`);
    }
    if (rank > ranks.seal && this.#rank < ranks.seal) return order('the seal is missing');
    this.#rank = rank;
    switch (line.kind) {
      case 'cosigned':
        return this.#keys.cosigned(line);
      case 'control':
        return this.#keys.control(line);
      case 'seal':
        return this.#keys.seal(line);
      case 'cited':
        return this.#citedLine(line);
      case 'range':
        return this.#rangeLine(line);
      case 'entry':
        return this.#entry(line);
    }
  }

  #citedLine(line: CitedLine): Fault | undefined {
    const { from, to } = line;
    const last = this.#cited.at(-1);
    if (last !== undefined && (from < last.from || (from === last.from && to <= last.to))) {
      return order('cited ranges are not in ascending order');
    }
    if (this.#cited.length >= protocol.maxBundleInputs) {
      return fault('bundle-too-large', `more than ${protocol.maxBundleInputs} cited ranges`);
    }
    const proof = hashesOf(line.proof);
    if (!proof.ok) return proof.error;
    const { size, root } = this.#checkpoint;
    const { crypto } = this.#context.env;
    const range = verifyRange(crypto, from, to, size, proof.value, root);
    if (!range.ok) return at(range.error, { index: from });
    this.#cited.push({ from, to });
    if (to - from > 1) this.#wide.add(from, to);
    this.counts.needs(from, to);
    return this.#context.edges.shows(this.logId, from, to, range.value, false);
  }

  #rangeLine(line: RangeLine): Fault | undefined {
    const { from, to } = line;
    const { size } = this.#checkpoint;
    if (from < (this.#runs.at(-1)?.to ?? 0)) return order('ranges overlap or go back');
    if (from >= to || to > size) return fault('range-invalid', 'a range is empty or over the head');
    const proof = hashesOf(line.proof);
    if (!proof.ok) return proof.error;
    this.#runs.push({ from, to });
    this.#runAsked = this.counts.beginRun(from, to);
    this.#run = new BundleRun(this.#context.env, this.#keys.parts(), line, proof.value, (block) =>
      this.#take(block),
    );
    return undefined;
  }

  #take(verified: VerifiedBlock): Fault | undefined {
    const opened = this.opening.open(sealedIn(verified.block));
    return opened.ok ? this.counts.block(verified, this.#keys, opened.value) : opened.error;
  }

  /** A wire block in base64. */
  block(wire: string): Fault | undefined {
    if (this.#run === undefined) return order('a block outside of a range');
    const bytes = bytesOf(wire);
    if (!bytes.ok) return bytes.error;
    const added = this.#run.add(bytes.value);
    if (!added.ok) return added.error;
    this.#context.tally.blocks += 1;
    const { first, end } = added.value;
    if (!this.#runAsked && !this.#wide.overlaps(first, end)) {
      return at(fault('bundle-unasked', 'a block that nothing cites'), { index: first });
    }
    if (end < this.#run.to) return undefined;
    const { size, root } = this.#checkpoint;
    const { crypto } = this.#context.env;
    const { to, proof } = this.#run;
    const goesOn = verifyConsistency(crypto, to, size, proof, added.value.root, root);
    if (!goesOn.ok) return at(goesOn.error, { index: this.#run.from });
    this.#run = undefined;
    return undefined;
  }

  #entry(line: EntryLine): Fault | undefined {
    const { index } = line;
    if (index <= this.#lastEntry) return order('entries are not in ascending order');
    this.#lastEntry = index;
    const asked = this.counts.isAskedEntry(index);
    if (!asked && this.#runs.some(({ from, to }) => from <= index && index < to)) {
      return order('an entry stands alone and in a range');
    }
    const { env, edges } = this.#context;
    const entry = checkBundleEntry(env, this.#keys.parts(), line);
    if (!entry.ok) return at(entry.error, { index });
    const path = hashesOf(line.path);
    if (!path.ok) return path.error;
    const hash = leafHash(env.crypto, entry.value.leafBytes);
    const wrong = this.#included(hash, index, path.value);
    if (wrong !== undefined) return at(wrong, { index });
    const shown = edges.shows(this.logId, index, index + 1, hash, asked);
    if (shown !== undefined) return at(shown, { index });
    const opened = this.opening.open(sealedAlone(line));
    if (!opened.ok) return opened.error;
    return this.counts.entry({ ...entry.value, ...opened.value.get(index) }, hash, this.#keys);
  }

  #included(hash: Hash, index: number, path: readonly Hash[]): Fault | undefined {
    const { size, root } = this.#checkpoint;
    const { crypto } = this.#context.env;
    const included = verifyInclusion(crypto, hash, index, size, path, root);
    return included.ok ? undefined : included.error;
  }

  /** After the last line of this log. */
  end(): Result<BundleLogReport> {
    if (this.#run !== undefined) return err(order('blocks of a range are missing'));
    if (this.opening.waits) return err(order('keys of nothing behind them'));
    if (this.#rank < ranks.seal) return err(order('the seal is missing'));
    if (this.#runs.length === 0 && this.#lastEntry < 0) {
      return refuse('bundle-unasked', 'a log of which nothing is carried');
    }
    const bare = this.#cited.find(({ from, to }) => !this.#isCovered(from, to));
    if (bare !== undefined) {
      const place = { index: bare.from };
      return err(at(fault('bundle-input-missing', 'what is cited is not carried'), place));
    }
    const absent = this.counts.askedLeft();
    if (absent !== undefined) {
      const place = { index: absent.from };
      return err(at(fault('bundle-manifest', 'what was asked for is not carried'), place));
    }
    const judged = this.#keys.judged(this.counts.end);
    this.untrusted = judged.reasons;
    const { genesis, rotations } = this.#keys.parts().chain;
    const keys = { genesis, rotations: rotations.length, checkpoints: judged.checkpoints };
    const opened = this.opening.keys - this.opening.unused;
    return ok({ logId: this.logId, ...keys, ...this.counts.report(opened) });
  }

  #isCovered(from: number, to: number): boolean {
    let place = from;
    for (const run of this.#runs) {
      if (run.from <= place && place < run.to) place = run.to;
    }
    return place >= to;
  }
}

function order(message: string): Fault {
  return fault('bundle-order', message);
}
function refuse(code: Code, message: string): { readonly ok: false; readonly error: Fault } {
  return err(fault(code, message));
}
