/**
 * Checks an audit bundle (bundle-lines.ts) as it comes, in bounded memory, trusting nobody: every
 * block and entry from its bytes to a root that its writer signed, the keys from the log's id on,
 * cosignatures, every citation against the log that it means, that nothing was left out or put in,
 * and that the first line says so. What the checks of a single log are says bundle-log.ts.
 *
 * Verdicts (ledger.md "Proofs"): `broken` at the first thing that is wrong; then `untrusted`, where a
 * policy is not met by a log of the bundle, whether that was asked for or is cited; `incomplete`,
 * where bodies are gone or inputs are missing; else `intact`. That a sealed event is there as ciphertext
 * and nothing opens it leaves nothing out: the report counts them.
 */
import { fromBase64, toHex } from '../bytes.ts';
import type { Opener } from '../cipher.ts';
import type { RunningHash } from '../crypto.ts';
import { HeadwaterError, at, fault, type Fault } from '../errors.ts';
import { parseLogId } from '../ids.ts';
import { protocol } from '../limits.ts';
import { decodeBlock } from './block-codec.ts';
import { SeenEntries } from './bundle-counts.ts';
import { bundleTextLines, type Inflate, type TextLine } from './bundle-gzip.ts';
import { BundleEdges } from './bundle-inputs.ts';
import {
  bundleVersion,
  completenessText,
  decodeBundleLine,
  grantsNotRecorded,
  openedVersion,
  type AskedRange,
  type BundleLine,
  type EndLine,
  type InputsState,
  type LeftOut,
  type LogLine,
  type ManifestLine,
  type MissingLine,
} from './bundle-lines.ts';
import { sealedAlone, sealedIn } from './bundle-opening.ts';
import { BundleLog, type BundleContext } from './bundle-log.ts';
import type { BundleLogReport, BundleReport } from './bundle-report.ts';
import type { BlockEnv } from './judges.ts';
import { isStated, noPolicy, type TrustPolicy } from './trust-policy.ts';

export interface VerifyBundleOptions {
  readonly policy?: TrustPolicy;
  /** Entries that the report shows; none where absent. */
  readonly maxSeen?: number;
  /** After each block: how many, and events so far. */
  readonly onProgress?: (blocks: number, events: number) => void;
}

/** Missing inputs, and reasons, that a report lists. */
const maxListed = 1000;

/** Checks the bytes of a .hwb file. Throws only what reading them throws. */
export async function verifyBundle(
  env: BlockEnv,
  file: AsyncIterable<Uint8Array>,
  inflate: Inflate,
  options: VerifyBundleOptions = {},
): Promise<BundleReport> {
  const check = new BundleCheck(env, options);
  try {
    for await (const line of bundleTextLines(file, inflate)) {
      if (env.opener?.prepare !== undefined) await check.prepare(env.opener, line);
      const wrong = check.line(line);
      if (wrong !== undefined) return check.broken(wrong);
    }
  } catch (cause) {
    if (cause instanceof HeadwaterError) return check.broken(cause.fault);
    throw cause;
  }
  return check.end();
}

class BundleCheck {
  readonly #options: VerifyBundleOptions;
  readonly #env: BlockEnv;
  readonly #policy: TrustPolicy;
  readonly #hash: RunningHash;
  readonly #reports: BundleLogReport[] = [];
  readonly #derived: AskedRange[] = [];
  readonly #missing: MissingLine[] = [];
  readonly #untrusted: Fault[] = [];
  readonly #inputsLeftOut: LeftOut = { retention: 0, redacted: 0, withheld: 0 };
  readonly #seen: SeenEntries;
  readonly #tally = { blocks: 0, events: 0 };
  #lines = 0;
  /** Keys of sealed events, and those that nobody here could use. */
  #keys = 0;
  #unused = 0;
  #manifest: ManifestLine | undefined;
  #context: BundleContext | undefined;
  #log: BundleLog | undefined;
  #lastLog = '';
  #lastMissing = '';
  #ended = false;

  constructor(env: BlockEnv, options: VerifyBundleOptions) {
    this.#env = env;
    this.#options = options;
    this.#policy = options.policy ?? noPolicy;
    this.#hash = env.crypto.startSha256();
    this.#seen = new SeenEntries(options.maxSeen ?? 0);
  }

  /** What an opener that works ahead must know before the line is taken. */
  async prepare(opener: Opener, { text }: TextLine): Promise<void> {
    const opening = this.#log?.opening;
    if (opening?.waits !== true) return;
    const line = decodeBundleLine(text);
    if (line.ok && line.value.kind === 'entry') {
      await opening.prepare(opener, sealedAlone(line.value));
    } else if (line.ok && line.value.kind === 'block') {
      const wire = fromBase64(line.value.wire);
      const block = wire.ok ? decodeBlock(wire.value, { reduced: true }) : wire;
      if (block.ok) await opening.prepare(opener, sealedIn(block.value));
    }
  }

  line({ bytes, text }: TextLine): Fault | undefined {
    const line = decodeBundleLine(text);
    const wrong = line.ok ? this.#take(line.value) : line.error;
    if (!this.#ended) this.#hash.update(bytes);
    this.#lines += 1;
    return wrong === undefined ? undefined : at(wrong, { line: this.#lines, ...wrong.place });
  }

  #take(line: BundleLine): Fault | undefined {
    if (this.#ended) return order('something follows the last line');
    if (line.kind === 'manifest') return this.#begin(line);
    const context = this.#context;
    if (context === undefined) return order('the first line is not the manifest');
    if (line.kind === 'log') return this.#openLog(context, line);
    if (line.kind === 'missing') return this.#missed(context, line);
    if (line.kind === 'end') return this.#end(context, line);
    if (this.#log === undefined) return order('a line outside of a log');
    if (line.kind === 'keys') this.#keys += line.keys.length;
    if (line.kind !== 'block') return this.#log.line(line);
    const wrong = this.#log.block(line.wire);
    this.#options.onProgress?.(this.#tally.blocks, this.#tally.events);
    return wrong;
  }

  #begin(line: ManifestLine): Fault | undefined {
    if (this.#lines > 0) return order('a second manifest');
    this.#manifest = line;
    let last: AskedRange | undefined;
    for (const range of line.asked) {
      const ascends = last === undefined || range.log > last.log;
      if (!ascends && (range.log !== last?.log || range.from < last.to)) {
        return order('what was asked for is not in ascending order');
      }
      last = range;
    }
    if (line.asked.length === 0) return fault('bundle-manifest', 'nothing was asked for');
    if (line.asked.length > protocol.maxPartitions) {
      return fault('bundle-too-large', `more than ${protocol.maxPartitions} ranges`);
    }
    this.#context = {
      env: this.#env,
      policy: this.#policy,
      edges: new BundleEdges(line.inputs.state),
      seen: this.#seen,
      tally: this.#tally,
    };
    return undefined;
  }

  #openLog(context: BundleContext, line: LogLine): Fault | undefined {
    const closed = this.#closeLog();
    if (closed !== undefined) return closed;
    if (line.log <= this.#lastLog || this.#lastMissing !== '') {
      return order('logs are not in ascending order');
    }
    if (this.#reports.length >= protocol.maxBundleLogs) {
      return fault('bundle-too-large', `more than ${protocol.maxBundleLogs} logs`);
    }
    this.#lastLog = line.log;
    const log = BundleLog.open(context, line, this.#manifest?.asked ?? []);
    if (!log.ok) return log.error;
    this.#log = log.value;
    return undefined;
  }

  #closeLog(): Fault | undefined {
    const log = this.#log;
    if (log === undefined) return undefined;
    const report = log.end();
    if (!report.ok) return report.error;
    this.#log = undefined;
    this.#reports.push(report.value);
    this.#unused += log.opening.unused;
    const { owner, name, partition } = report.value.genesis;
    this.#derived.push(...log.counts.derived(owner, name, partition));
    for (const why of ['retention', 'redacted', 'withheld'] as const) {
      this.#inputsLeftOut[why] += log.counts.inputsLeftOut[why];
    }
    const pointer = `hw:${log.logId}`;
    this.#untrusted.push(...log.untrusted.map((reason) => at(reason, { pointer })));
    return undefined;
  }

  #missed(context: BundleContext, line: MissingLine): Fault | undefined {
    const closed = this.#closeLog();
    if (closed !== undefined) return closed;
    const log = parseLogId(line.log);
    if (!log.ok) return log.error;
    // Numbers of equal width, so that text compares as they do.
    const place = `${line.log}/${padded(line.from)}-${padded(line.to)}`;
    if (place <= this.#lastMissing) return order('missing inputs are not in ascending order');
    this.#lastMissing = place;
    const wrong = context.edges.isMissing({ ...line, log: log.value });
    if (wrong === undefined && this.#missing.length < maxListed) this.#missing.push(line);
    return wrong;
  }

  #end(context: BundleContext, line: EndLine): Fault | undefined {
    const closed = this.#closeLog();
    if (closed !== undefined) return closed;
    this.#ended = true;
    if (line.lines !== this.#lines || line.sha256 !== toHex(this.#hash.digest())) {
      return fault('bundle-hash', 'the lines are not those that were written');
    }
    const loose = context.edges.end();
    if (loose !== undefined) return loose;
    const stated = this.#manifest;
    const derived = this.#derivedManifest(context);
    if (stated !== undefined && same(stated, derived)) return undefined;
    return fault('bundle-manifest', 'the first line does not say what the file holds');
  }

  /** The manifest as it follows from everything else. */
  #derivedManifest({ edges }: BundleContext): ManifestLine {
    const state = this.#manifest?.inputs.state;
    const references = edges.references;
    const followed: InputsState = state === 'followed' ? 'followed' : 'left out';
    return {
      kind: 'manifest',
      version: this.#keys > 0 ? openedVersion : bundleVersion,
      asked: this.#derived,
      inputs: {
        references,
        state: references === 0 ? 'none' : followed,
        missing: edges.missing,
        completeness: completenessText(this.#inputsLeftOut),
      },
      grants: grantsNotRecorded,
      ...(this.#keys > 0 ? { opened: this.#keys } : {}),
    };
  }

  broken(reason: Fault): BundleReport {
    return this.#report('broken', [reason]);
  }

  end(): BundleReport {
    if (!this.#ended) {
      return this.broken(fault('bundle-truncated', 'the last line is missing'));
    }
    const untrusted = this.#untrusted;
    const incomplete = this.#incomplete();
    const verdict =
      untrusted.length > 0 ? 'untrusted' : incomplete.length > 0 ? 'incomplete' : 'intact';
    return this.#report(verdict, [...untrusted, ...incomplete].slice(0, maxListed));
  }

  #incomplete(): readonly Fault[] {
    const reasons: Fault[] = [];
    for (const { log, from, to, completeness } of this.#derived) {
      if (completeness === completenessText(nothing)) continue;
      reasons.push(fault('body-withheld', completeness, { pointer: `hw:${log}/${from}-${to}` }));
    }
    const inputs = completenessText(this.#inputsLeftOut);
    if (inputs !== completenessText(nothing)) {
      reasons.push(fault('body-withheld', `of inputs ${inputs}`));
    }
    if (this.#unused > 0) {
      const what = `the keys of ${this.#unused} sealed events were not used`;
      reasons.push(fault('cipher-missing', what));
    }
    const missing = this.#manifest?.inputs.missing ?? 0;
    if (missing > 0) reasons.push(fault('input-missing', `${missing} inputs are not in the file`));
    return reasons;
  }

  #report(verdict: BundleReport['verdict'], reasons: readonly Fault[]): BundleReport {
    return {
      verdict,
      reasons,
      ...(this.#manifest === undefined ? {} : { manifest: this.#manifest }),
      logs: this.#reports,
      missing: this.#missing,
      seen: this.#seen.list,
      unseen: this.#seen.more,
      checked: { lines: this.#lines, ...this.#tally },
      stated: isStated(this.#policy),
    };
  }
}

const nothing: LeftOut = { retention: 0, redacted: 0, withheld: 0 };

function same(a: ManifestLine, b: ManifestLine): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

function padded(number: number): string {
  return String(number).padStart(16, '0');
}

function order(message: string): Fault {
  return fault('bundle-order', message);
}
