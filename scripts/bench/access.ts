/**
 * What a decision who may read costs: cold, a chain of three delegations and an invocation of which
 * nothing is known yet; and again, a permit that is in use, beside 100,000 revocations.
 */
import {
  handOn,
  mintGrant,
  mintGranting,
  mintReading,
  orderGrant,
} from '../../src/access/grant.ts';
import { may, stillMay, type AccessState, type ReadRequest } from '../../src/access/may.ts';
import { decodeDelegation } from '../../src/access/ucan-delegation.ts';
import { Replays } from '../../src/access/ucan-replays.ts';
import { Revocations } from '../../src/access/ucan-revocations.ts';
import { utf8 } from '../../src/bytes.ts';
import { nodeCrypto } from '../../src/crypto-node.ts';
import { didFromKey } from '../../src/ids.ts';
import { asStreamName, asTimeMs } from '../../src/types.ts';
import { labelledSigner } from '../vectors/format.ts';
import { callsPerSecond, type Bench, type BenchOptions } from './bench.ts';
import type { Measured } from './figures.ts';
import { must } from './must.ts';
import { median } from './statistics.ts';

const [owner, serving, organisation, reader] = [
  labelledSigner('access/owner'),
  labelledSigner('access/serving'),
  labelledSigner('access/organisation'),
  labelledSigner('access/reader'),
];
const now = asTimeMs(1_763_683_200_000);
const stream = asStreamName('orders');
const dids = {
  owner: didFromKey(owner.publicKey),
  serving: didFromKey(serving.publicKey),
  organisation: didFromKey(organisation.publicKey),
  reader: didFromKey(reader.publicKey),
};

let drawn = 0;
const random = {
  bytes(length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    new DataView(bytes.buffer).setUint32(0, drawn++);
    return bytes;
  },
};

function requests(count: number): readonly ReadRequest[] {
  const granting = mintGranting(owner, random, dids.serving);
  const terms = { owner: dids.owner, audience: dids.organisation, stream, handOns: 1 };
  const given = mintGrant(serving, random, [granting], terms);
  const own = { owner: dids.owner, audience: dids.reader };
  const grant = must(orderGrant(nodeCrypto, handOn(organisation, random, given, own)));
  const args = { stream, from: 0, fields: 'data' };
  const reading = { owner: dids.owner, audience: dids.serving, args, now };
  return Array.from({ length: count }, () => ({
    wanted: { owner: dids.owner, stream, visibility: 'direct' },
    grant: utf8(mintReading(reader, random, grant, reading)),
    peer: dids.reader,
    organisation: dids.organisation,
  }));
}

function state(revoked: number): AccessState {
  const revocations = new Revocations(revoked + 1);
  for (let n = 0; n < revoked; n++) {
    must(revocations.add({ ucan: `of another grant ${n}`, revoker: dids.owner, path: [] }));
  }
  const replays = new Replays(0, 1_000_000);
  return {
    court: { crypto: nodeCrypto, self: dids.serving, replays, revocations },
    organisation: dids.owner,
    now,
    viewAgeMs: () => 0,
    maxRevocationLagMs: 300_000,
  };
}

export const access: Bench = {
  names: ['accessVerify', 'accessCold', 'accessAgain'],
  run({ quick }: BenchOptions): Promise<readonly Measured[]> {
    const calls = quick ? 200 : 1000;
    const asked = requests(calls * 6);
    const at = state(100_000);
    let next = 0;
    const link = must(decodeDelegation(mintGranting(owner, random, dids.serving)));
    const verified = callsPerSecond(5, calls, () => {
      const good = nodeCrypto.verify(owner.publicKey, link.signed, link.signature);
      if (!good) throw new Error('refused');
    });
    const cold = callsPerSecond(5, calls, () => {
      const request = asked[next++];
      if (request === undefined || may(request, at).kind === 'deny') throw new Error('refused');
    });
    const [request] = requests(1);
    const decision = request === undefined ? undefined : may(request, at);
    const permit = decision?.kind === 'allow' ? decision.permit : undefined;
    if (permit === undefined) throw new Error('refused');
    const again = callsPerSecond(5, quick ? 50_000 : 500_000, () => {
      if (stillMay(permit, at) !== undefined) throw new Error('ended');
    });
    return Promise.resolve([
      { name: 'accessVerify', value: median(verified) },
      { name: 'accessCold', value: median(cold) },
      { name: 'accessAgain', value: median(again) },
    ]);
  },
};
