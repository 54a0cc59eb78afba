/**
 * Control records (ledger.md "Leaves"; FACTS.md section 5): dag-cbor maps with a text field `type`.
 * A type that is not known here is a sound leaf and is passed over; a known one has exactly its
 * fields.
 *
 *   genesis   see genesis.ts
 *   rotate    newWriterKey 32 · sigOld 64 · sigNew 64
 *   recovery  recoveryKey 32 · newRecoveryHash 32 · sig 64
 *   epoch     epoch uint32 · generation uint32 · check 32
 *   redact    index · reason text
 */
import type { CborMap } from '../cbor.ts';
import { err, ok, type Result } from '../result.ts';
import {
  asHash,
  asLogIndex,
  asPublicKey,
  asSignature,
  type Hash,
  type LogIndex,
  type PublicKey,
  type Signature,
} from '../types.ts';
import { FieldReader } from './fields.ts';
import { parseGenesis, type Genesis } from './genesis.ts';

/** The old writer key hands over to a new one, which proves that it is held. */
export interface Rotate {
  readonly type: 'rotate';
  readonly newWriterKey: PublicKey;
  readonly sigOld: Signature;
  readonly sigNew: Signature;
}
/** The recovery key is revealed and names the hash of the next one. */
export interface Recovery {
  readonly type: 'recovery';
  readonly recoveryKey: PublicKey;
  readonly newRecoveryHash: Hash;
  readonly sig: Signature;
}
/** Opens a key epoch of a sealed log. */
export interface EpochOpening {
  readonly type: 'epoch';
  readonly epoch: number;
  readonly generation: number;
  readonly check: Hash;
}
/** Asks everyone to forget the body of an earlier entry. */
export interface Redact {
  readonly type: 'redact';
  readonly index: LogIndex;
  readonly reason: string;
}
/** A record of a later version. */
export interface OtherControl {
  readonly type: 'other';
  readonly map: CborMap;
}
export type Control = Genesis | Rotate | Recovery | EpochOpening | Redact | OtherControl;

const uint32Most = 0xffffffff;

/**
 * Takes apart the map of a control leaf. Codes: genesis-fields, bad-did, successor-predecessor,
 * rotation-fields, recovery-fields, epoch-fields, redact-fields.
 */
export function parseControl(map: CborMap): Result<Control> {
  switch (map['type']) {
    case 'genesis':
      return parseGenesis(map);
    case 'rotate':
      return parseRotate(map);
    case 'recovery':
      return parseRecovery(map);
    case 'epoch':
      return parseEpoch(map);
    case 'redact':
      return parseRedact(map);
    default:
      return ok({ type: 'other', map });
  }
}

export function parseRotate(map: CborMap): Result<Rotate> {
  const fields = new FieldReader(map, 'rotation-fields');
  fields.text('type');
  const newWriterKey = asPublicKey(fields.bytes('newWriterKey', 32));
  const sigOld = asSignature(fields.bytes('sigOld', 64));
  const sigNew = asSignature(fields.bytes('sigNew', 64));
  const wrong = fields.end();
  return wrong === undefined ? ok({ type: 'rotate', newWriterKey, sigOld, sigNew }) : err(wrong);
}

export function parseRecovery(map: CborMap): Result<Recovery> {
  const fields = new FieldReader(map, 'recovery-fields');
  fields.text('type');
  const recoveryKey = asPublicKey(fields.bytes('recoveryKey', 32));
  const newRecoveryHash = asHash(fields.bytes('newRecoveryHash', 32));
  const sig = asSignature(fields.bytes('sig', 64));
  const wrong = fields.end();
  if (wrong !== undefined) return err(wrong);
  return ok({ type: 'recovery', recoveryKey, newRecoveryHash, sig });
}

function parseEpoch(map: CborMap): Result<EpochOpening> {
  const fields = new FieldReader(map, 'epoch-fields');
  fields.text('type');
  const epoch = fields.uint('epoch', uint32Most);
  const generation = fields.uint('generation', uint32Most);
  const check = asHash(fields.bytes('check', 32));
  const wrong = fields.end();
  return wrong === undefined ? ok({ type: 'epoch', epoch, generation, check }) : err(wrong);
}

function parseRedact(map: CborMap): Result<Redact> {
  const fields = new FieldReader(map, 'redact-fields');
  fields.text('type');
  const index = asLogIndex(fields.uint('index'));
  const reason = fields.text('reason');
  const wrong = fields.end();
  return wrong === undefined ? ok({ type: 'redact', index, reason }) : err(wrong);
}

/** The map of a record; the inverse of the parsers (a genesis has `genesisMap`). */
export function controlMap(control: Exclude<Control, Genesis>): CborMap {
  return control.type === 'other' ? control.map : { ...control };
}
