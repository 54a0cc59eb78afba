import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { utf8 } from '../../../src/bytes.ts';
import { nodeCrypto, signerFromSeed } from '../../../src/crypto-node.ts';
import type { WitnessReply } from '../../../src/gossip/evidence-port.ts';
import { didFromKey } from '../../../src/ids.ts';
import { checkpointOrigin } from '../../../src/ledger/checkpoint.ts';
import { selfNamedCosigner } from '../../../src/ledger/cosignature.ts';
import type { Ledger } from '../../../src/ledger/ledger.ts';
import { MemoryStore } from '../../../src/ledger/memory-store.ts';
import { cosignNote } from '../../../src/ledger/note.ts';
import { witnessesMap } from '../../../src/ledger/trust-policy.ts';
import { parseAddCheckpoint, type AddCheckpoint } from '../../../src/ledger/witness.ts';
import { limits } from '../../../src/limits.ts';
import { WitnessSender, type WitnessTarget } from '../../../src/node/witness/sender.ts';
import { fault } from '../../../src/errors.ts';
import { err, ok, type Result } from '../../../src/result.ts';
import { asTreeSize, type Hash, type LogId } from '../../../src/types.ts';
import { events, newLog, openLedger, publish, signer } from '../../support/ledger-home.ts';
import { VirtualHost, VirtualTime } from '../../sim/virtual-time.ts';
import { Dice } from '../../sim/dice.ts';
import { must } from '../../support/result.ts';

const key = signerFromSeed(new Uint8Array(32).fill(41));
const other = signerFromSeed(new Uint8Array(32).fill(42));
const name = didFromKey(key.publicKey);
const cosigner = selfNamedCosigner(nodeCrypto, key.publicKey);

type Answer = (request: AddCheckpoint, signal: AbortSignal) => Promise<Result<WitnessReply>>;

const reply = (status: number, body: string): Result<WitnessReply> =>
  ok({ status, body: utf8(body) });

function cosign(request: AddCheckpoint, by = key, seconds = 1_700_000_000n): string {
  return cosignNote(nodeCrypto, by, didFromKey(by.publicKey), request.text, seconds);
}

/** A witness that does what it should. */
class Honest {
  size = 0;
  readonly asked: number[] = [];
  answer: Answer = (request) => {
    this.asked.push(request.size);
    if (request.old !== this.size) return Promise.resolve(reply(409, `${this.size}\n`));
    this.size = request.size;
    return Promise.resolve(reply(200, cosign(request)));
  };
}

class Scene implements AsyncDisposable {
  readonly time: VirtualTime = new VirtualTime();
  readonly ledger: Ledger;
  readonly log: LogId;
  readonly sender: WitnessSender;
  answer: Answer;
  /** What the witness says that it cosigned last. */
  last: (origin: Hash) => Promise<Result<WitnessReply>> = () => Promise.resolve(reply(404, ''));
  readonly #started: Disposable;

  private constructor(ledger: Ledger, log: LogId, answer: Answer) {
    this.ledger = ledger;
    this.log = log;
    this.answer = answer;
    this.sender = new WitnessSender({
      ledger,
      host: new VirtualHost(this.time, new Dice(3)),
      limits,
      routes: () => [{ key: cosigner }],
      last: (_route, origin) => this.last(origin),
      post: (_route, body, signal) => this.answer(must(parseAddCheckpoint(body)), signal),
    });
    this.#started = this.sender.start();
  }

  static async start(answer: Answer): Promise<Scene> {
    const ledger = await openLedger();
    const log = must(
      await ledger.create({ ...newLog, witnesses: witnessesMap([name], 1) }, signer),
    );
    return new Scene(ledger, log, answer);
  }

  /** A home as it was before its newest events, and the checkpoint that it had signed then. */
  static async restored(answer: Answer): Promise<{ scene: Scene; newest: string }> {
    const store = new MemoryStore();
    const first = await openLedger({ store });
    const log = must(await first.create({ ...newLog, witnesses: witnessesMap([name], 1) }, signer));
    const copy = store.crash('nothing');
    const live = await openLedger({ store: copy.crash('nothing') });
    must(live.attachSigner(log, signer));
    await publish(live, log, events(3));
    const newest = live.log(log)?.checkpoint ?? '';
    const waits = { restoreGuardMs: 20 };
    const ledger = await openLedger({ store: copy.crash('nothing'), limits: waits });
    must(ledger.attachSigner(log, signer));
    return { scene: new Scene(ledger, log, answer), newest };
  }

  get target(): WitnessTarget {
    const [target] = this.sender.targets();
    assert.ok(target !== undefined);
    return target;
  }

  get size(): number {
    return this.ledger.log(this.log)?.size ?? 0;
  }

  /** Lets real promises run, then virtual time. */
  async pass(ms: number): Promise<void> {
    for (let left = ms; left >= 0; left -= 250) {
      for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
      if (left > 0) await this.time.pass(Math.min(250, left));
    }
  }

  async covered(): Promise<boolean> {
    return must(await this.ledger.cosigned.covers(this.log, asTreeSize(this.size)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#started[Symbol.dispose]();
    await this.sender[Symbol.asyncDispose]();
    await this.ledger.close();
  }
}

describe('sending checkpoints to witnesses', () => {
  it('sends the newest once an interval, however many blocks there are', async () => {
    const witness = new Honest();
    await using scene = await Scene.start(witness.answer);
    await scene.pass(0);
    for (let i = 0; i < 10; i++) await publish(scene.ledger, scene.log, events(3, i * 3));
    await scene.pass(100);
    assert.equal(witness.asked.length, 1);
    await scene.pass(1000);
    assert.deepEqual(witness.asked.slice(1), [scene.size]);
    assert.ok(await scene.covered());
    await scene.pass(5000);
    assert.equal(witness.asked.length, 2);
  });

  it('learns from a conflict which size the witness holds, and proves from there', async () => {
    const witness = new Honest();
    await using scene = await Scene.start(witness.answer);
    await scene.pass(0);
    scene.target.size = asTreeSize(0);
    await publish(scene.ledger, scene.log, events(5));
    await scene.pass(1500);
    assert.deepEqual(witness.asked.slice(-2), [scene.size, scene.size]);
    assert.ok(await scene.covered());
    assert.equal(scene.target.reason, undefined);
  });

  it('says of a witness that is ahead of us that it is, and asks on', async () => {
    await using scene = await Scene.start(() => Promise.resolve(reply(409, '500\n')));
    await scene.pass(500);
    assert.equal(scene.target.reason?.code, 'witness-ahead');
    assert.ok(scene.target.behindSince !== undefined);
  });

  it('stops where a witness shows what its own key signed beyond its head', async () => {
    const { scene, newest } = await Scene.restored(() => Promise.resolve(reply(409, '6\n')));
    await using _ = scene;
    const line = newest.slice(newest.lastIndexOf('\n\n') + 2);
    const cosigned = newest + cosignNote(nodeCrypto, key, name, newest.split('\n\n')[0] + '\n', 1n);
    let asked = 0;
    const enough = (): boolean => asked > 2;
    scene.last = (origin) => {
      asked += 1;
      assert.deepEqual(origin, nodeCrypto.sha256(utf8(checkpointOrigin(scene.log))));
      // At first it cannot say, then somebody else has signed it.
      if (asked === 1) return Promise.resolve(err(fault('witness-unreachable', 'busy')));
      const forged = newest.replace(line, line.replace(/ \S+\n$/, ` ${'A'.repeat(92)}\n`));
      return Promise.resolve(reply(200, asked === 2 ? forged : cosigned));
    };
    await scene.pass(250);
    assert.equal(scene.target.reason?.code, 'witness-ahead');
    assert.equal(scene.ledger.log(scene.log)?.state, 'open');
    for (let i = 0; i < 40 && !enough(); i++) {
      scene.target.size = asTreeSize(0);
      scene.target.restUntilMs = 0;
      scene.sender.grown(scene.log);
      await scene.pass(1000);
    }
    const { state, reason } = scene.ledger.log(scene.log) ?? {};
    assert.deepEqual([state, reason?.code], ['waiting', 'store-behind-guard']);
    assert.equal(scene.sender.targets().length, 1);
    assert.deepEqual(
      must(
        await scene.ledger
          .publish(scene.log, events(1))
          .then((result) =>
            result.ok ? err(fault('internal', 'it signed')) : ok(result.error.code),
          ),
      ),
      'store-behind-guard',
    );
  });

  it('does not run after a witness that names another size each time', async () => {
    let asked = 0;
    await using scene = await Scene.start(() => Promise.resolve(reply(409, `${asked++ % 2}\n`)));
    await scene.pass(500);
    assert.equal(asked, 2);
    assert.equal(scene.target.reason?.code, 'witness-refused');
  });

  const lies: readonly (readonly [string, Answer, string])[] = [
    ['signs with another key', async (r) => reply(200, cosign(r, other)), 'witness-answer'],
    [
      'signs another checkpoint',
      async (r) => reply(200, cosign({ ...r, text: r.text.replace(/\n1\n|\n2\n/, '\n9\n') })),
      'witness-answer',
    ],
    ['gives no time', async (r) => reply(200, cosign(r, key, 0n)), 'witness-answer'],
    ['answers garbage', async () => reply(200, '\u0000\n\n— x'), 'witness-answer'],
    ['answers nothing', async () => reply(200, ''), 'witness-answer'],
    ['answers a conflict without a size', async () => reply(409, 'many\n'), 'witness-answer'],
    ['does not know the log', async () => reply(404, 'no'), 'witness-refused'],
    ['refuses the proof', async () => reply(422, '\u001b[31mno'), 'witness-refused'],
    ['fails', async () => reply(500, ''), 'witness-refused'],
    [
      'cannot be reached',
      async () => err(fault('witness-unreachable', 'x')),
      'witness-unreachable',
    ],
  ];
  for (const [what, answer, code] of lies) {
    it(`keeps nothing of a witness that ${what}, and asks it again later`, async () => {
      let asked = 0;
      await using scene = await Scene.start((request, signal) => {
        asked += 1;
        return answer(request, signal);
      });
      await scene.pass(250);
      assert.equal(scene.target.reason?.code, code);
      assert.doesNotMatch(scene.target.reason.message, /\p{Cc}/u);
      assert.equal(must(await scene.ledger.cosigned.newest(scene.log)), undefined);
      const before = asked;
      await scene.pass(3000);
      assert.ok(asked > before, 'it is asked again');
      const witness = new Honest();
      scene.answer = witness.answer;
      await scene.pass(61_000);
      assert.ok(await scene.covered());
      assert.equal(scene.target.reason, undefined);
    });
  }

  it('gives a slow witness up after a time, and publishing does not wait for it', async () => {
    let aborted = 0;
    await using scene = await Scene.start(async (_request, signal) => {
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
      aborted += 1;
      return err(fault('witness-unreachable', 'no answer in time'));
    });
    await scene.pass(250);
    const receipts = await publish(scene.ledger, scene.log, events(3));
    assert.equal(receipts.length, 3);
    await scene.pass(limits.witnessTimeoutMs + 250);
    assert.ok(aborted >= 1);
    assert.equal(scene.target.reason?.code, 'witness-unreachable');
  });

  it('takes a stale answer, one for an earlier checkpoint, as none', async () => {
    let first: string | undefined;
    await using scene = await Scene.start(async (request) => {
      first ??= cosign(request);
      return reply(200, first);
    });
    await scene.pass(250);
    assert.ok(await scene.covered());
    await publish(scene.ledger, scene.log, events(3));
    await scene.pass(1500);
    assert.equal(scene.target.reason?.code, 'witness-answer');
    assert.equal(await scene.covered(), false);
  });
});
