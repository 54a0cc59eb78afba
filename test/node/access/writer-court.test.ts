/** Which logs end because their writer was revoked, by whose word, and where. */
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { mintWriteDelegation } from '../../../src/access/peer-delegation.ts';
import { mintRevocation } from '../../../src/access/revoke.ts';
import { tokenCid } from '../../../src/access/ucan-envelope.ts';
import { readRevocation, type Revocation } from '../../../src/access/ucan-revocations.ts';
import { nodeCrypto, signerFromSeed } from '../../../src/crypto-node.ts';
import type { Signer } from '../../../src/crypto.ts';
import { fault, type Fault } from '../../../src/errors.ts';
import { Identities } from '../../../src/identities.ts';
import { didFromKey } from '../../../src/ids.ts';
import type { LogSummary } from '../../../src/ledger/ledger-types.ts';
import { limits } from '../../../src/limits.ts';
import { WriterCourt } from '../../../src/node/access/writer-court.ts';
import { ok } from '../../../src/result.ts';
import { asStreamName, asTimeMs, asTreeSize, type LogId } from '../../../src/types.ts';
import { fakeLogId } from '../../gossip/fake-ledger.ts';
import { value } from '../../gossip/support.ts';
import { genesisOf, written } from '../../support/succession.ts';
import { Dice } from '../../sim/dice.ts';
import { VirtualHost, VirtualTime } from '../../sim/virtual-time.ts';

const signer = (n: number): Signer => signerFromSeed(new Uint8Array(32).fill(n));
const [acme, branch, writer, stranger] = [signer(51), signer(52), signer(53), signer(54)];
const [owner, peer] = [didFromKey(acme.publicKey), didFromKey(branch.publicKey)];
const { random } = new VirtualHost(new VirtualTime(), new Dice(5));
const name = asStreamName('orders');

/** The organisation's open delegation, and what the peer made out of it for the writer key. */
const open = mintWriteDelegation(acme, random, { audience: branch.publicKey });
const fixed = mintWriteDelegation(branch, random, {
  subject: owner,
  audience: writer.publicKey,
  name,
  partition: 0,
});
const ucan = tokenCid(nodeCrypto, open);

async function genesis(changes: Partial<ReturnType<typeof genesisOf>> = {}): Promise<object> {
  const { ledger, log } = await written(0);
  const made = genesisOf(ledger, log);
  await ledger.close();
  return { ...made, owner, name, proof: [open, fixed], ...changes };
}

interface Kit {
  readonly court: WriterCourt;
  readonly logs: Map<LogId, LogSummary>;
  /** `log size` of each that was ended. */
  readonly ended: string[];
  readonly warned: string[];
  readonly begun: (logId: LogId) => void;
}

function kit(...logs: readonly (readonly [LogId, number, object])[]): Kit {
  const kept = new Map<LogId, LogSummary>();
  for (const [logId, size, of] of logs) {
    kept.set(logId, { logId, size: asTreeSize(size), genesis: of } as LogSummary);
  }
  const ended: string[] = [];
  const warned: string[] = [];
  const begun: ((block: { logId: LogId; firstIndex: number }) => void)[] = [];
  const told: ((logId: LogId, reason: Fault) => void)[] = [];
  const none = { [Symbol.dispose]: (): void => undefined };
  const court = new WriterCourt({
    hasher: nodeCrypto,
    ledger: {
      logs: () => [...kept.values()],
      log: (logId) => kept.get(logId),
      onAppended: (listener) => {
        begun.push(listener);
        return none;
      },
      ends: {
        end: (logId, size) => {
          ended.push(`${logId} ${size}`);
          for (const tell of told) tell(logId, fault('writer-revoked', 'ended'));
          return Promise.resolve(ok(undefined));
        },
        onEnded: (listener) => {
          told.push(listener);
          return none;
        },
      },
      identities: new Identities(),
    },
    track: () => undefined,
    warn: (subject, { code }) => warned.push(`${subject} ${code}`),
  });
  const start = (logId: LogId): void => {
    for (const tell of begun) tell({ logId, firstIndex: 0 });
  };
  return { court, logs: kept, ended, warned, begun: start };
}

function revocation(by: Signer = acme, id = ucan): Revocation {
  const told = { id, path: [], now: asTimeMs(1_772_323_200_000) };
  return value(readRevocation(nodeCrypto, mintRevocation(by, random, told)));
}

const [one, two] = [fakeLogId(1), fakeLogId(2)];

describe('writers that were revoked', () => {
  it('have their logs ended at the last good entry, or where they are', async () => {
    const of = await genesis();
    const { court, ended, warned } = kit([one, 10, of], [two, 20, of]);
    court.take(owner, revocation(), [{ log: one, last: 7 }]);
    assert.deepEqual(ended, [`${one} 8`, `${two} 20`]);
    assert.deepEqual(warned, [`hw:${one} writer-revoked`, `hw:${two} writer-revoked`]);
  });

  it('have logs ended that come later', async () => {
    const of = await genesis();
    const { court, ended, logs, begun } = kit();
    begun(one);
    court.take(owner, revocation(), [{ log: one, last: 7 }]);
    assert.deepEqual(ended, []);
    for (const logId of [one, two]) {
      logs.set(logId, { logId, size: asTreeSize(2), genesis: of } as LogSummary);
      begun(logId);
    }
    assert.deepEqual(ended, [`${one} 8`, `${two} 2`]);
  });

  it('are revoked by issuers of their proof: the owner, or the peer itself', async () => {
    const of = await genesis();
    for (const [by, count] of [
      [acme, 1],
      [branch, 1],
      [writer, 0],
      [stranger, 0],
    ] as const) {
      const { court, ended } = kit([one, 10, of]);
      court.take(owner, revocation(by), []);
      assert.equal(ended.length, count);
    }
  });

  it('are revoked in the registry of the owner of their logs, and in no other one', async () => {
    const { court, ended } = kit([one, 10, await genesis()]);
    court.take(didFromKey(stranger.publicKey), revocation(), [{ log: one, last: 1 }]);
    assert.deepEqual(ended, []);
  });

  it('keep logs that another delegation let them write', async () => {
    const other = mintWriteDelegation(acme, random, { audience: branch.publicKey });
    const { court, ended } = kit([one, 10, await genesis({ proof: [other, fixed] })]);
    court.take(owner, revocation(), [{ log: one, last: 1 }]);
    assert.deepEqual(ended, []);
  });

  it('lose what the second link let them write alone', async () => {
    const { court, ended } = kit([one, 10, await genesis()]);
    court.take(owner, revocation(branch, tokenCid(nodeCrypto, fixed)), []);
    assert.deepEqual(ended, [`${one} 10`]);
  });

  it('are found by the key that a delegation was made out to', async () => {
    const { court } = kit([one, 10, await genesis()], [two, 4, await genesis({ proof: [] })]);
    assert.deepEqual([...court.of(peer).keys()], [ucan]);
    assert.deepEqual(
      court
        .of(peer)
        .get(ucan)
        ?.map(({ logId }) => logId),
      [one],
    );
    assert.equal(court.of(owner).size, 0);
  });

  it('are so many at most for one delegation', async () => {
    const { court, warned } = kit();
    for (let n = 0; n < limits.maxSuccessors; n++) {
      // The same word again is one.
      for (let again = 0; again < 2; again++) {
        court.take(owner, revocation(), [{ log: one, last: n }]);
      }
    }
    assert.deepEqual(warned, []);
    court.take(owner, revocation(), []);
    assert.deepEqual(warned, [`writer ${ucan} revocations-full`]);
  });
});
