/**
 * What a verified stream is worth: the stream's own witness policy, and the one that is stated
 * (`--trust`, `--witness`, `--quorum`). Sound but not met is `untrusted`. A quorum must have cosigned
 * all entries but those of the last minute (`witnessGraceMs`), which the witnesses of a stream that
 * is written to cannot have seen yet.
 */
import { nodeCrypto } from '../crypto-node.ts';
import { fault, type Fault } from '../errors.ts';
import { parseCosigner } from '../ledger/cosignature.ts';
import type { CosignedCheckpoint } from '../ledger/cosigned.ts';
import type { Ledger } from '../ledger/ledger.ts';
import {
  isStated,
  noPolicy,
  quorumMet,
  statedPolicy,
  type StatedTrust,
  type TrustPolicy,
} from '../ledger/trust-policy.ts';
import { limits } from '../limits.ts';
import { err, ok, type Result } from '../result.ts';
import { formatTime } from '../time.ts';
import { asLogIndex, asTimeMs, type LogId } from '../types.ts';
import type { VerifyView } from './evidence-api.ts';

type LogView = VerifyView['logs'][number];

/** The policy of a command line or query. Code usage. */
export function statedTrust(stated: StatedTrust): Result<TrustPolicy> {
  const policy = statedPolicy(nodeCrypto, stated);
  if (policy.ok) return policy;
  return err(fault('usage', `the stated trust: ${policy.error.message}`));
}

/** Makes the witnesses of `witness.urls` count in a ledger that no node runs on. */
export function trustWitnesses(ledger: Pick<Ledger, 'cosigned'>, urls: readonly string[]): void {
  const keys = urls.map((text) => parseCosigner(nodeCrypto, text.split(' ', 1)[0] ?? ''));
  ledger.cosigned.trust(keys.flatMap((key) => (key.ok ? [key.value] : [])));
}

/** The view with its witnesses, and `untrusted` in place of `intact` where a policy is not met. */
export async function withTrust(
  ledger: Pick<Ledger, 'cosigned' | 'log' | 'entry'>,
  view: VerifyView,
  stated: TrustPolicy = noPolicy,
  nowMs: number,
): Promise<Result<VerifyView>> {
  const logs: LogView[] = [];
  const reasons: Fault[] = [];
  for (const log of view.logs) {
    const judged = await judgeLog(ledger, log, stated, nowMs);
    if (!judged.ok) return judged;
    logs.push(judged.value.log);
    reasons.push(...judged.value.reasons);
  }
  const isUntrusted = view.verdict === 'intact' && reasons.length > 0;
  return ok({
    ...view,
    verdict: isUntrusted ? 'untrusted' : view.verdict,
    logs,
    trust: { stated: isStated(stated), ...(isStated(stated) ? { met: reasons.length === 0 } : {}) },
    ...(reasons.length === 0
      ? {}
      : { reasons: reasons.map(({ code, message, hint }) => ({ code, message, hint })) }),
  });
}

async function judgeLog(
  ledger: Pick<Ledger, 'cosigned' | 'log' | 'entry'>,
  log: LogView,
  stated: TrustPolicy,
  nowMs: number,
): Promise<Result<{ readonly log: LogView; readonly reasons: readonly Fault[] }>> {
  const own = ledger.cosigned.policy(log.log);
  const kept = await ledger.cosigned.kept(log.log);
  if (!kept.ok) return kept;
  const policies = [stated, ...(own.ok && own.value !== undefined ? [own.value] : [])];
  const met = kept.value.findLast((row) => policies.every((policy) => meets(policy, row)));
  const shown = met ?? kept.value.at(-1);
  const reasons: Fault[] = own.ok ? [] : [own.error];
  const asked = policies.some(({ quorum }) => quorum.kind !== 'none');
  const missing = asked ? await uncovered(ledger, log, met?.size ?? 0, nowMs) : undefined;
  if (missing !== undefined) reasons.push(missing);
  const { genesis, formerOwner } = ledger.log(log.log) ?? {};
  const owner = genesis?.owner;
  if (
    stated.owners.length > 0 &&
    !stated.owners.some((did) => [owner, formerOwner, log.signer].includes(did))
  ) {
    reasons.push(fault('owner-untrusted', `the owner is ${owner ?? 'not known'}`));
  }
  const seen = shown === undefined ? {} : { witnessed: witnessedView(shown) };
  const witnesses = shown?.cosignatures.map(({ name }) => name) ?? [];
  return ok({ log: { ...log, witnesses, ...seen }, reasons });
}

/** Whether entries that witnesses have had time to see are above what they cosigned. */
async function uncovered(
  ledger: Pick<Ledger, 'entry'>,
  { log, size }: { readonly log: LogId; readonly size: number },
  cosigned: number,
  nowMs: number,
): Promise<Fault | undefined> {
  if (cosigned >= size) return undefined;
  const entry = await ledger.entry(log, asLogIndex(cosigned));
  const isLate = !entry.ok || entry.value.recordedTime < nowMs - limits.witnessGraceMs;
  if (cosigned > 0 && !isLate) return undefined;
  return fault(
    'quorum-missing',
    `a quorum of the witnesses has cosigned ${cosigned} of ${size} entries`,
  );
}

function meets({ quorum }: TrustPolicy, { cosignatures }: CosignedCheckpoint): boolean {
  return quorumMet(
    quorum,
    cosignatures.map(({ key }) => key.publicKey),
  );
}

/** How far the witnesses' word goes, and by when all of them had given it. */
function witnessedView({ size, cosignatures }: CosignedCheckpoint): {
  readonly size: number;
  readonly by: string;
} {
  const times = cosignatures.map(({ timestamp = 0n }) => Number(timestamp));
  return { size, by: formatTime(asTimeMs(Math.max(...times) * 1000)) };
}
