/** What is known of revocations, for how long, and how they get into the registry. */
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { mintGrant, mintGranting, orderGrant } from '../../../src/access/grant.ts';
import { mintRevocation } from '../../../src/access/revoke.ts';
import { readRevocation, type Revocation } from '../../../src/access/ucan-revocations.ts';
import { nodeCrypto, signerFromSeed } from '../../../src/crypto-node.ts';
import type { Signer } from '../../../src/crypto.ts';
import { fault } from '../../../src/errors.ts';
import { peerIdFromKey } from '../../../src/gossip/peer-id.ts';
import { didFromKey } from '../../../src/ids.ts';
import { keyspace } from '../../../src/keyspace.ts';
import { MemoryStore } from '../../../src/ledger/memory-store.ts';
import { TableRows } from '../../../src/ledger/table-rows.ts';
import { GrantBook } from '../../../src/node/access/grant-book.ts';
import { Recording, type RecordingParts } from '../../../src/node/access/recording.ts';
import { RevocationBook } from '../../../src/node/access/revocation-book.ts';
import { readRegistryEntry, registryTypes } from '../../../src/node/core/cards.ts';
import { err, ok } from '../../../src/result.ts';
import { asStreamName, asTimeMs, dataKind } from '../../../src/types.ts';
import { value } from '../../gossip/support.ts';
import { Dice } from '../../sim/dice.ts';
import { epochMs, VirtualHost, VirtualTime } from '../../sim/virtual-time.ts';

const signer = (n: number): Signer => signerFromSeed(new Uint8Array(32).fill(n));
const [acme, peer, beta, stranger] = [signer(41), signer(42), signer(43), signer(44)];
const owner = didFromKey(acme.publicKey);
const seconds = epochMs / 1000;

interface Kit {
  readonly rows: TableRows;
  readonly book: RevocationBook;
  readonly recording: Recording;
  readonly grants: GrantBook;
  /** What was put into the registry. */
  readonly registry: string[];
  nowMs: number;
  refuses: boolean;
  readonly warned: string[];
}

const host = new VirtualHost(new VirtualTime(), new Dice(3));

function kit(rows: TableRows = new TableRows(new MemoryStore())): Kit {
  const ours = didFromKey(peer.publicKey);
  const book = new RevocationBook(rows, nodeCrypto, 100, (revoker) => revoker === ours);
  const grants = new GrantBook(rows, nodeCrypto, 100);
  const made = {
    rows,
    book,
    grants,
    registry: [],
    nowMs: epochMs,
    refuses: false,
    warned: [],
  } as Omit<Kit, 'recording'> as Kit;
  const peers = [{ id: peerIdFromKey(peer.publicKey), addresses: [] }];
  const parts: RecordingParts = {
    crypto: nodeCrypto,
    revocations: book,
    grants,
    gate: () => ({
      takeRevocation: async (token) => {
        const taken = await book.take(token, value(readRevocation(nodeCrypto, token)));
        return taken.ok ? ok(taken.value ? 'new' : 'known') : taken;
      },
    }),
    registries: {
      profile: (asked) => (asked === owner ? { owner, name: 'acme', peers } : undefined),
    },
    ownLogs: {
      announce: (type, subject, data) => {
        if (made.refuses) return Promise.resolve(err(fault('writer-unreachable', 'away')));
        const event = { attributes: new Uint8Array(0), data, kind: dataKind.json };
        const entry = value(readRegistryEntry(owner, { type, subject }, event));
        assert.ok(entry.kind === 'revoked');
        made.registry.push(`${subject} ${entry.expires}`);
        return Promise.resolve(ok(undefined));
      },
    },
    writers: { take: () => assert.fail('no writer') },
    now: () => made.nowMs,
    warn: (_subject, { code }) => made.warned.push(code),
  };
  return Object.assign(made, { recording: new Recording(parts) });
}

/** A revocation of a delegation that is not here. */
function revocation(by: Signer, id: string): readonly [Uint8Array, Revocation] {
  const token = mintRevocation(by, host.random, { id, path: [], now: asTimeMs(epochMs) });
  return [token, value(readRevocation(nodeCrypto, token))];
}

/** A grant that ends an hour from the epoch. */
async function given({ grants }: Kit): Promise<string> {
  const granting = mintGranting(acme, host.random, didFromKey(peer.publicKey));
  const terms = {
    owner,
    audience: didFromKey(beta.publicKey),
    stream: asStreamName('orders'),
    expires: asTimeMs(epochMs + 3_600_000),
    handOns: 1,
  };
  const tokens = mintGrant(peer, host.random, [granting], terms);
  const kept = value(
    await grants.keep('given', value(orderGrant(nodeCrypto, tokens)), asTimeMs(epochMs)),
  );
  return kept.scope.id;
}

describe('the book of revocations', () => {
  it('has one in force before it is written, and again after a restart', async () => {
    const at = kit();
    const id = await given(at);
    const [token, read] = revocation(peer, id);
    let seen = false;
    using _ = at.book.onTaken(() => (seen = at.book.set.mentions(id)));
    assert.equal(value(await at.book.take(token, read)), true);
    assert.ok(seen);
    assert.equal(value(await at.book.take(token, read)), false);
    const again = kit(at.rows);
    value(await again.book.load());
    assert.ok(again.book.set.mentions(id) && again.book.knows(read));
    assert.equal(again.book.unrecorded().length, 1);
  });

  it('keeps one for as long as its delegation may be shown, and until the registry has it', async () => {
    const at = kit();
    const id = await given(at);
    const [token, read] = revocation(peer, id);
    value(await at.book.take(token, read));
    at.refuses = true;
    at.nowMs = epochMs + 3_600_000 + 120_999;
    await at.recording.look();
    assert.ok(at.book.set.mentions(id), 'in no registry yet');
    at.refuses = false;
    await at.recording.look();
    assert.deepEqual(at.registry, [`${id} ${seconds + 3600}`]);
    assert.ok(at.book.set.mentions(id), 'what was said is not yet read');
    at.book.stands(read, undefined);
    at.nowMs = epochMs + 3_600_000 + 120_000;
    await at.recording.look();
    assert.ok(at.book.set.mentions(id), 'within the skew of others');
    at.nowMs += 1;
    await at.recording.look();
    assert.ok(!at.book.set.mentions(id));
    assert.equal(at.book.set.size, 0);
    assert.deepEqual(value(await at.rows.all(keyspace.revocations)), []);
  });

  it('keeps for good what never expires, or of which that is not known', async () => {
    const at = kit();
    const id = await given(at);
    const [, read] = revocation(peer, id);
    const other = kit();
    const [token] = revocation(peer, id);
    await other.recording.read(owner, { kind: 'revoked', token });
    other.nowMs = 2 ** 47;
    await other.recording.look();
    assert.ok(other.book.set.mentions(read.ucan));
  });

  it('believes an owner when its own revocations become needless, and no other one', async () => {
    const at = kit();
    const id = await given(at);
    const past = seconds - 121;
    for (const by of [acme, peer]) {
      const [token] = revocation(by, id);
      await at.recording.read(owner, { kind: 'revoked', token, expires: past });
      assert.equal(at.book.set.size, 0, 'it is not even taken');
    }
    for (const by of [beta, stranger]) {
      const [token] = revocation(by, id);
      await at.recording.read(owner, { kind: 'revoked', token, expires: past });
    }
    const [token] = revocation(peer, id);
    const foreign = didFromKey(stranger.publicKey);
    await at.recording.read(foreign, { kind: 'revoked', token, expires: past });
    assert.equal(at.book.set.size, 3);
  });

  it('drops the word of one revoker and keeps that of another', async () => {
    const at = kit();
    const [first, a] = revocation(peer, await given(at));
    const [second, b] = revocation(beta, a.ucan);
    value(await at.book.take(first, a));
    value(await at.book.take(second, b));
    at.book.stands(a, undefined);
    at.nowMs = epochMs + 4_000_000;
    await at.recording.look();
    assert.equal(at.book.set.size, 1);
    assert.ok(at.book.set.mentions(a.ucan) && at.book.knows(b) && !at.book.knows(a));
  });

  it('puts what is ours into the registry when that can be written again, once', async () => {
    const at = kit();
    const [token, read] = revocation(peer, await given(at));
    const [foreign, other] = revocation(beta, read.ucan);
    value(await at.book.take(token, read));
    value(await at.book.take(foreign, other));
    at.refuses = true;
    for (let n = 0; n < 3; n++) await at.recording.look();
    assert.deepEqual(at.warned, ['writer-unreachable']);
    at.refuses = false;
    for (let n = 0; n < 3; n++) await at.recording.look();
    assert.equal(at.registry.length, 1);
    // After a restart nobody knows whether it arrived: it is said again until it is read there.
    const again = kit(at.rows);
    value(await again.book.load());
    await again.recording.read(owner, { kind: 'revoked', token });
    await again.recording.look();
    assert.deepEqual(again.registry, []);
  });

  it('reads in a registry only what is signed', async () => {
    const at = kit();
    const [token] = revocation(peer, await given(at));
    token[token.length - 1] = (token.at(-1) ?? 0) ^ 1;
    assert.equal(await at.recording.read(owner, { kind: 'revoked', token }), undefined);
    assert.equal(at.book.set.size, 0);
    assert.equal(registryTypes.revoked, 'org.headwater.grant.revoked');
  });
});
