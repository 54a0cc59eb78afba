/** Golden audit bundles: their lines, the policies they are held against, verdicts; and changed ones. */
import { nodeCrypto as h } from '../../src/crypto-node.ts';
import type { Code } from '../../src/errors.ts';
import { didFromKey } from '../../src/ids.ts';
import { statedPolicy, type StatedTrust } from '../../src/ledger/trust-policy.ts';
import type { BundleVerdict } from '../../src/ledger/bundle-report.ts';
import {
  bundleText,
  closed,
  cosign,
  inputsLog,
  ledgerOf,
  opened,
  sumsLog,
  verifyText,
  witnessDids,
} from './bundle-logs.ts';
import { accepted, labelledSigner, type Format, type Json } from './format.ts';

const inputs = inputsLog();
const stranger = didFromKey(labelledSigner('stranger').publicKey);

async function sound(
  how: string,
  text: string,
  verdict: BundleVerdict,
  codes: readonly Code[] = [],
  stated: StatedTrust = {},
): Promise<Json> {
  const policy = accepted(statedPolicy(h, stated), how);
  const report = await verifyText(text, policy);
  const found = report.reasons.map(({ code }) => code);
  if (report.verdict !== verdict || found.join() !== codes.join()) {
    throw new Error(`${how}: ${report.verdict} ${JSON.stringify(report.reasons)}`);
  }
  const { blocks, events } = report.checked;
  const owners = stated.owners ?? [];
  const policyJson = { owners, witnesses: stated.witnesses ?? [], quorum: stated.quorum ?? 0 };
  const seen = report.seen.map(({ logId, index }) => `hw:${logId}/${index}`);
  return {
    how,
    lines: text.split('\n').slice(0, -1),
    policy: policyJson,
    verdict,
    codes,
    blocks,
    events,
    seen,
  };
}

async function valid(): Promise<readonly Json[]> {
  const sums = await sumsLog(inputs);
  await using both = await ledgerOf([inputs, sums]);
  await using alone = await ledgerOf([sums]);
  await using redacted = await ledgerOf([inputs], (_, index) => index !== 3);
  await using witnessed = await ledgerOf([inputs]);
  await cosign(witnessed, inputs);
  await using older = await ledgerOf([inputs]);
  await cosign(older, inputs.until(1));
  const whole = await bundleText(both, [[inputs, 0, 12]], false);
  const cosigned = await bundleText(witnessed, [[inputs, 8, 9, false]], false);
  const before = await bundleText(older, [[inputs, 2, 5]], false);
  const owner = didFromKey(labelledSigner('writer/bundle-inputs').publicKey);
  const two = { witnesses: witnessDids, quorum: 2 };
  return Promise.all([
    sound('one event', await bundleText(both, [[inputs, 3, 4, false]], false), 'intact'),
    sound('a whole log', whole, 'intact'),
    sound('its owner trusted', whole, 'intact', [], { owners: [owner] }),
    sound('another owner trusted', whole, 'untrusted', ['owner-untrusted'], { owners: [stranger] }),
    sound('blocks behind a rotation', await bundleText(both, [[inputs, 8, 12]], false), 'intact'),
    sound(
      'two logs',
      await bundleText(
        both,
        [
          [inputs, 2, 6],
          [sums, 0, 6],
        ],
        false,
      ),
      'intact',
    ),
    sound('inputs left out', await bundleText(both, [[sums, 2, 3, false]], false), 'intact'),
    sound('inputs of inputs', await bundleText(both, [[sums, 4, 5, false]], true), 'intact'),
    sound('a stream with its inputs', await bundleText(both, [[sums, 0, 6]], true), 'intact'),
    sound(
      'inputs that are not kept',
      await bundleText(alone, [[sums, 4, 5, false]], true),
      'incomplete',
      ['input-missing'],
    ),
    sound('a body withheld', await bundleText(redacted, [[inputs, 0, 12]], false), 'incomplete', [
      'body-withheld',
    ]),
    sound('cosigned', cosigned, 'intact', [], two),
    sound('an older checkpoint cosigned', before, 'intact', [], two),
    sound('not cosigned', whole, 'untrusted', ['quorum-missing'], two),
  ]);
}

type Edit = readonly [how: string, code: Code, edit: (lines: string[]) => readonly string[]];

const edits: readonly Edit[] = [
  ['no line', 'bundle-truncated', () => []],
  ['the last line twice', 'bundle-order', (lines) => [...lines, lines.at(-1) ?? '']],
  ['the last line missing', 'bundle-truncated', (lines) => lines.slice(0, -1)],
  ['the rotation missing', 'checkpoint-key-id', (lines) => lines.toSpliced(3, 1)],
  ['the seal missing', 'bundle-order', (lines) => lines.toSpliced(4, 1)],
  ['a line of an unknown kind', 'bundle-line', (lines) => lines.toSpliced(2, 0, '{"kind":"note"}')],
  [
    'a blank in a line',
    'bundle-line',
    (lines) => lines.with(1, (lines[1] ?? '').replace(':', ': ')),
  ],
  [
    'another version',
    'bundle-version',
    (lines) => lines.with(0, (lines[0] ?? '').replace('"version":1', '"version":3')),
  ],
];

async function broken(): Promise<readonly Json[]> {
  await using ledger = await ledgerOf([inputs]);
  const text = await bundleText(ledger, [[inputs, 3, 4, false]], false);
  const lines = text.split('\n').slice(0, -1);
  const cases: Json[] = [];
  for (const [how, code, edit] of edits) {
    const changed = edit([...lines]);
    const report = await verifyText(changed.map((line) => `${line}\n`).join(''));
    const found = report.reasons[0]?.code;
    if (report.verdict !== 'broken' || found !== code) throw new Error(`${how}: ${found}`);
    cases.push({ how, lines: changed, code });
  }
  if (closed(opened(text)) !== text) throw new Error('the last line is not what it should be');
  return cases;
}

export const bundle: Format = {
  name: 'bundle',
  make: async () => ({
    note: 'Lines without their LF; a file is one gzip member of them, each with its LF.',
    valid: await valid(),
    broken: await broken(),
  }),
};
