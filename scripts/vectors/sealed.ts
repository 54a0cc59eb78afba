/** Golden vectors of sealed streams: blocks with their epochs, opened bodies, disclosures, and what is refused. */
import { concat, toHex, utf8 } from '../../src/bytes.ts';
import { nodeCipher } from '../../src/cipher-node.ts';
import { nodeCrypto as h } from '../../src/crypto-node.ts';
import type { Code } from '../../src/errors.ts';
import type { Draft } from '../../src/ledger/build-block.ts';
import { makeEventProof, verifyEventProof } from '../../src/ledger/event-proof.ts';
import { openBody, openBodyWith } from '../../src/ledger/sealed-body.ts';
import { verifyBlock } from '../../src/ledger/verify-block.ts';
import type { EventKeys } from '../../src/node/core/bundle-plan.ts';
import type { EventBytes } from '../../src/types.ts';
import { bundleText, ledgerOf, verifyText } from './bundle-logs.ts';
import { evidenceEnv, namedEvent, showNothing, type EvidenceLog } from './evidence-log.ts';
import { accepted, labelled, refused, type Format, type Json } from './format.ts';
import {
  epochDraft,
  eventKeyOf,
  keyOf,
  openSealed,
  sealedDraft,
  sealedRoot,
  type Cheat,
} from './sealed-log.ts';

const name = 'sealed-golden';
const said = ['{"n":1}', '{"n": 2.0}', 'null'].map((data, i) => namedEvent(`s${i}`, data));
const bare: EventBytes = { ...namedEvent('none', ''), kind: 0 };

interface Place {
  readonly index: number;
  readonly epoch: number;
  readonly generation: number;
  readonly event: EventBytes;
}

/** 0 genesis, 1 seal | 2 epoch 0, 3 4, 5 seal | 6 event of epoch 0, 7 epoch 9, 8, 9 seal | 10 epoch 10 of generation 1, 11, 12 seal | 13 shreds 9, 14 seal. */
function golden(): { readonly log: EvidenceLog; readonly places: readonly Place[] } {
  const places: Place[] = [];
  let log = openSealed(name);
  const seal = (position: number, epoch: number, generation: number, event: EventBytes): Draft => {
    places.push({ index: log.state.size + position, epoch, generation, event });
    return sealedDraft(log, position, epoch, event, { key: keyOf(log, epoch, generation) });
  };
  const [first, second, third] = said;
  if (first === undefined || second === undefined || third === undefined) throw new RangeError();
  log = log.with([epochDraft(log, 0), seal(1, 0, 0, first), seal(2, 0, 0, second)]);
  log = log.with([seal(0, 0, 0, third), epochDraft(log, 9), seal(2, 9, 0, bare)]);
  log = log.with([epochDraft(log, 10, 1), seal(1, 10, 1, first)]);
  log = log.with([{ kind: 'control', map: { type: 'shred', epoch: 9 } }]);
  return { log, places };
}

const { log, places } = golden();

function blocks(): readonly Json[] {
  return log.blocks.map(({ wire, state }, i) => {
    const before = log.blocks[i - 1]?.state ?? { logId: state.logId };
    accepted(verifyBlock(evidenceEnv, before, wire, { form: 'gossip' }), `block ${i}`);
    return {
      wire: toHex(wire),
      size: state.size,
      root: toHex(state.root),
      epoch: state.epoch ?? null,
      generation: state.generation ?? null,
    };
  });
}

function events(): readonly Json[] {
  return places.map(({ index, epoch, generation, event }) => {
    const { key, place, body } = eventKeyOf(log, index, epoch, generation);
    const epochKey = keyOf(log, epoch, generation);
    const opened = accepted(openBody(nodeCipher, h, place, epochKey, body), `entry ${index}`);
    accepted(openBodyWith(nodeCipher, h, place, key, body), `entry ${index} by its key`);
    return {
      index,
      epoch,
      generation,
      epochKey: toHex(epochKey),
      eventKey: toHex(key),
      leaf: toHex(place.leaf),
      body: toHex(body),
      salts: toHex(opened.salts),
      attributes: toHex(event.attributes),
      kind: event.kind,
      data: toHex(event.data),
    };
  });
}

async function proofs(): Promise<readonly Json[]> {
  const cases: Json[] = [];
  for (const { index, epoch, generation } of places) {
    const { key, body } = eventKeyOf(log, index, epoch, generation);
    const input = await log.proofInput(index, showNothing);
    const disclosed = { sealed: { key, body } };
    const proof = accepted(makeEventProof(evidenceEnv, { ...input, disclosed }), `proof ${index}`);
    const verdict = verifyEventProof(evidenceEnv, utf8(proof));
    if (verdict.verdict !== 'intact') throw new Error(`proof ${index}: ${verdict.verdict}`);
    cases.push({ index, proof, id: String(verdict.proven.context?.['id']) });
  }
  return cases;
}

async function bundles(): Promise<readonly Json[]> {
  await using ledger = await ledgerOf([log]);
  const cases: Json[] = [];
  for (const epochs of [[], [0], [0, 9, 10]]) {
    const keys: EventKeys = {
      of: () =>
        Promise.resolve((index) => {
          const place = places.find((one) => one.index === index);
          if (place === undefined || !epochs.includes(place.epoch)) return undefined;
          return eventKeyOf(log, index, place.epoch, place.generation).key;
        }),
    };
    const disclose = { keys, inputs: false };
    const text = await bundleText(ledger, [[log, 0, log.state.size]], false, disclose);
    const report = await verifyText(text);
    if (report.verdict !== 'intact') throw new Error(JSON.stringify(report.reasons));
    const opened = report.seen.filter(
      ({ kind, event }) => kind === 'sealed' && event !== undefined,
    );
    cases.push({
      how:
        epochs.length === 0 ? 'ciphertext alone' : `keys of events in epochs ${epochs.join(', ')}`,
      lines: text.split('\n').slice(0, -1),
      opened: opened.map(({ index }) => index),
    });
  }
  return cases;
}

/** Entries that a producer signed and that no reader takes; a relay cannot tell. */
function cheats(): readonly Json[] {
  const [first, second, third] = said;
  if (first === undefined || second === undefined || third === undefined) throw new RangeError();
  const honest = openSealed(name);
  const draft = (cheat: Cheat): EvidenceLog =>
    honest.with([
      epochDraft(honest, 0),
      sealedDraft(honest, 1, 0, first),
      sealedDraft(honest, 2, 0, second, cheat),
    ]);
  const neighbour = eventKeyOf(draft({}), 3, 0).body;
  const cases: readonly (readonly [how: string, cheat: Cheat, code: Code])[] = [
    ['sealed for another index', { index: 3 }, 'sealed-decrypt'],
    ['the ciphertext of its neighbour', { body: neighbour }, 'sealed-decrypt'],
    ['sealed with the key of another epoch', { key: keyOf(honest, 1) }, 'sealed-decrypt'],
    ['other attributes than committed to', { event: third }, 'attributes-commitment'],
    ['other data than committed to', { event: { ...second, data: utf8('3') } }, 'data-commitment'],
    ['another kind than committed to', { event: { ...second, kind: 2 } }, 'data-commitment'],
    ['kind none with data', { event: { ...second, kind: 0 } }, 'body-kind'],
    ['noise', { body: concat(labelled('noise'), labelled('more noise')) }, 'sealed-decrypt'],
  ];
  return cases.map(([how, cheat, code]) => {
    const made = draft(cheat);
    const { place, body } = eventKeyOf(made, 4, 0);
    const epochKey = keyOf(made, 0);
    refused(openBody(nodeCipher, h, place, epochKey, body), code, how);
    const shown = { index: 4, epochKey: toHex(epochKey), leaf: toHex(place.leaf) };
    return { how, wire: toHex(made.last.wire), ...shown, body: toHex(body), code };
  });
}

export const sealed: Format = {
  name: 'sealed',
  make: async () => ({
    logId: log.state.logId,
    roots: [0, 1].map((generation) => toHex(sealedRoot(name, generation).key)),
    blocks: blocks(),
    events: events(),
    proofs: await proofs(),
    bundles: await bundles(),
    refused: cheats(),
  }),
};
