/** How fresh a view of an owner's revocations is, by the lines that were heard. */
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { nodeCrypto, signerFromSeed } from '../../../src/crypto-node.ts';
import type { Signer } from '../../../src/crypto.ts';
import { didFromKey } from '../../../src/ids.ts';
import { checkpointText, signCheckpoint } from '../../../src/ledger/checkpoint.ts';
import { selfNamedCosigner } from '../../../src/ledger/cosignature.ts';
import { cosignNote, noteAlgorithm, noteKey, type NoteKey } from '../../../src/ledger/note.ts';
import { limits } from '../../../src/limits.ts';
import {
  FreshnessBook,
  type FreshnessLog,
  type FreshnessParts,
} from '../../../src/node/access/freshness-book.ts';
import type { NamedFreshness } from '../../../src/node/core/registries.ts';
import { ok } from '../../../src/result.ts';
import { asHash, asTreeSize, type Hash, type LogId } from '../../../src/types.ts';
import { fakeLogId } from '../../gossip/fake-ledger.ts';
import { Dice } from '../../sim/dice.ts';
import { VirtualHost, VirtualTime } from '../../sim/virtual-time.ts';

const [owner, freshness, other, writer] = [1, 2, 3, 4].map((n) =>
  signerFromSeed(new Uint8Array(32).fill(n)),
);
assert.ok(owner !== undefined && freshness !== undefined && other !== undefined);
assert.ok(writer !== undefined);
const signers = { owner, freshness, other, writer };
const did = didFromKey(owner.publicKey);
const registry = fakeLogId(1);

const rootAt = (size: number): Hash => asHash(nodeCrypto.sha256(Uint8Array.of(size)));

/** A registry of `size` entries, as a peer of its owner sees it. */
class Kit {
  readonly time: VirtualTime = new VirtualTime();
  readonly host: VirtualHost = new VirtualHost(this.time, new Dice(1));
  size = 5;
  state: FreshnessLog['state'] = 'open';
  writes = false;
  next: LogId | undefined;
  named: NamedFreshness | undefined = {
    key: didFromKey(signers.freshness.publicKey),
    since: { log: registry, index: 1 },
  };
  witnesses: readonly NoteKey[] = [];
  grown: (() => void) | undefined;
  readonly book: FreshnessBook;

  constructor(changes: Partial<FreshnessParts> = {}) {
    this.book = new FreshnessBook({
      host: this.host,
      crypto: nodeCrypto,
      ledger: {
        log: (logId) => (logId === registry ? this.log() : undefined),
        proofs: { rangeRoot: (_logId, _from, to) => Promise.resolve(ok(rootAt(to))) },
        cosigned: { policy: () => ok({ witnesses: this.witnesses }) },
        onAppended: (listener) => {
          this.grown = () => listener({ logId: registry });
          return { [Symbol.dispose]: () => undefined };
        },
      },
      registries: {
        owners: () => [did],
        freshness: () => this.named,
        registryOf: (asked) => (asked === did ? registry : undefined),
      },
      organisation: did,
      ownRegistry: () => (this.writes ? this.log() : undefined),
      signer: signers.freshness,
      limits,
      track: () => undefined,
      ...changes,
    });
  }

  log(): FreshnessLog {
    const { size, state, next } = this;
    const [at, root] = [asTreeSize(size), rootAt(size)];
    const checkpoint = signCheckpoint(nodeCrypto, signers.writer, registry, at, root);
    const closing = next === undefined ? {} : { closing: { next } };
    return { logId: registry, size, checkpoint, state, genesis: { owner: did }, ...closing };
  }

  /** A line that was signed `agoMs` ago. */
  line(
    changes: { size?: number; agoMs?: number; by?: Signer; name?: string; root?: Hash } = {},
  ): string {
    const { size = this.size, agoMs = 0, by = signers.freshness, root = rootAt(size) } = changes;
    const { name = didFromKey(by.publicKey) } = changes;
    const at = asTreeSize(size);
    const seconds = BigInt(Math.floor((this.host.clock.now() - agoMs) / 1000));
    const text = checkpointText(registry, at, root);
    return (
      signCheckpoint(nodeCrypto, signers.writer, registry, at, root) +
      cosignNote(nodeCrypto, by, name, text, seconds)
    );
  }

  async offer(...changes: Parameters<Kit['line']>): Promise<string> {
    const taken = await this.book.offer(registry, this.line(...changes));
    return taken.ok ? 'taken' : taken.error.code;
  }
}

describe('freshness', () => {
  it('of who writes the registry is complete, unless its copy of it may not be', () => {
    const kit = new Kit();
    kit.writes = true;
    for (const [state, age] of [
      ['open', 0],
      ['frozen', 0],
      ['waiting', undefined],
      ['damaged', undefined],
    ] as const) {
      kit.state = state;
      assert.equal(kit.book.ageMs(did), age, state);
    }
    assert.equal(kit.book.ageMs(didFromKey(signers.other.publicKey)), undefined);
  });

  it('grows with the time since a line was heard, or since the time it states', async () => {
    const kit = new Kit();
    assert.equal(kit.book.ageMs(did), undefined);
    assert.equal(await kit.offer(), 'taken');
    assert.equal(kit.book.ageMs(did), 0);
    await kit.time.pass(7000);
    assert.equal(kit.book.ageMs(did), 7000);
    assert.equal(await kit.offer({ agoMs: 3000 }), 'taken');
    assert.equal(kit.book.ageMs(did), 3000);
    // A line of before is no news.
    assert.equal(await kit.offer({ agoMs: 5000 }), 'taken');
    assert.equal(kit.book.ageMs(did), 3000);
  });

  it('of a line from the future counts from when it was heard, and none beyond the skew', async () => {
    const kit = new Kit();
    assert.equal(await kit.offer({ agoMs: -61_000 }), 'clock-ahead');
    assert.equal(kit.book.ageMs(did), undefined);
    assert.equal(await kit.offer({ agoMs: -60_000 }), 'taken');
    assert.equal(kit.book.ageMs(did), 0);
    await kit.time.pass(20_000);
    assert.equal(kit.book.ageMs(did), 20_000);
  });

  it('is stated by the key of the profile or by a witness, and by nobody else', async () => {
    const kit = new Kit();
    assert.equal(await kit.offer({ by: signers.other }), 'note-unverified');
    const name = didFromKey(signers.freshness.publicKey);
    assert.equal(await kit.offer({ by: signers.other, name }), 'note-unverified');
    const later = kit.line({ agoMs: 9000 }).replace(/AAAA/, 'AAAB');
    const changed = await kit.book.offer(registry, later);
    assert.ok(!changed.ok && changed.error.code === 'bad-signature');
    kit.witnesses = [selfNamedCosigner(nodeCrypto, signers.other.publicKey)];
    assert.equal(await kit.offer({ by: signers.other }), 'taken');
    assert.equal(kit.book.ageMs(did), 0);
    kit.witnesses = [];
    assert.equal(kit.book.ageMs(did), undefined);
    kit.named = undefined;
    assert.equal(await kit.offer(), 'note-unverified');
  });

  it('is not stated by this home as a witness, whom anybody may ask', async () => {
    const kit = new Kit({ witness: signers.other });
    kit.witnesses = [selfNamedCosigner(nodeCrypto, signers.other.publicKey)];
    assert.equal(await kit.offer({ by: signers.other }), 'note-unverified');
  });

  it('does not come from the signature of the writer, which states no time', async () => {
    const kit = new Kit();
    const { ed25519 } = noteAlgorithm;
    kit.witnesses = [
      noteKey(nodeCrypto, `headwater/${registry}`, ed25519, signers.writer.publicKey),
    ];
    const taken = await kit.book.offer(registry, kit.log().checkpoint);
    assert.ok(!taken.ok && taken.error.code === 'note-unverified');
  });

  it('is stated by the key that the profile names at the size of the line', async () => {
    const kit = new Kit();
    kit.named = {
      key: didFromKey(signers.freshness.publicKey),
      since: { log: registry, index: 3 },
    };
    assert.equal(await kit.offer({ size: 3 }), 'freshness-key');
    assert.equal(await kit.offer({ size: 4 }), 'taken');
    // Another key is named: what the old one said counts no longer.
    kit.named = { key: didFromKey(signers.other.publicKey), since: { log: registry, index: 4 } };
    assert.equal(kit.book.ageMs(did), undefined);
    assert.equal(await kit.offer(), 'note-unverified');
    assert.equal(await kit.offer({ by: signers.other }), 'taken');
  });

  it('is over what we hold: another root is refused, more of it waits', async () => {
    const kit = new Kit();
    assert.equal(await kit.offer({ root: rootAt(99) }), 'fork');
    assert.equal(await kit.offer({ size: 6 }), 'block-ahead');
    assert.equal(kit.book.ageMs(did), undefined);
    kit.size = 6;
    kit.grown?.();
    await kit.time.pass(1);
    assert.equal(kit.book.ageMs(did), 1);
    // A thief's entries are set aside: what was said over them is void.
    kit.size = 5;
    assert.equal(kit.book.ageMs(did), undefined);
  });

  it('ends with a registry that goes on in a successor', async () => {
    const kit = new Kit();
    assert.equal(await kit.offer(), 'taken');
    kit.next = fakeLogId(2);
    assert.equal(kit.book.ageMs(did), undefined);
    assert.equal(await kit.offer(), 'log-unknown');
  });

  it('is not that of another log', async () => {
    const kit = new Kit();
    const foreign = await kit.book.offer(fakeLogId(9), kit.line());
    assert.ok(!foreign.ok && foreign.error.code === 'log-unknown');
  });

  it('is stated by who writes the registry, once in 30 s however often it is asked', async () => {
    const kit = new Kit();
    kit.writes = true;
    const reader = new Kit();
    const first = await kit.book.newest(registry);
    assert.ok(first !== undefined);
    await kit.time.pass(limits.freshnessEveryMs - 1);
    assert.equal(await kit.book.newest(registry), first);
    await kit.time.pass(1);
    const second = await kit.book.newest(registry);
    assert.equal(second?.seconds, first.seconds + 30);
    await reader.time.pass(30_000);
    assert.ok((await reader.book.offer(registry, second.note)).ok);
    assert.equal(reader.book.ageMs(did), 0);
  });

  it('is not stated by a writer whose profile names another key, or that waits', async () => {
    const kit = new Kit();
    kit.writes = true;
    kit.state = 'waiting';
    assert.equal(await kit.book.newest(registry), undefined);
    kit.state = 'open';
    kit.named = { key: didFromKey(signers.other.publicKey), since: { log: registry, index: 1 } };
    assert.equal(await kit.book.newest(registry), undefined);
    const keyless = new Kit({ signer: undefined });
    keyless.writes = true;
    assert.equal(await keyless.book.newest(registry), undefined);
  });

  it('is passed on for a minute', async () => {
    const kit = new Kit();
    assert.equal(await kit.book.newest(registry), undefined);
    assert.equal(await kit.offer(), 'taken');
    await kit.time.pass(limits.freshnessPassMs);
    const passed = await kit.book.newest(registry);
    assert.equal(passed?.note, kit.line({ agoMs: limits.freshnessPassMs }));
    await kit.time.pass(1);
    assert.equal(await kit.book.newest(registry), undefined);
  });

  it('is asked for by peers of the owner as soon as a new line may be there', async () => {
    const kit = new Kit();
    assert.equal(kit.book.urgent(), did);
    assert.deepEqual(kit.book.wanted(9), [{ logId: registry, seconds: 0 }]);
    assert.equal(await kit.offer(), 'taken');
    assert.equal(kit.book.urgent(), undefined);
    await kit.time.pass(limits.freshnessEveryMs);
    assert.equal(kit.book.urgent(), did);
    kit.writes = true;
    assert.equal(kit.book.urgent(), undefined);
    assert.deepEqual(kit.book.wanted(9), []);
  });
});
