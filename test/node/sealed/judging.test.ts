/** A reader judges what a producer has sealed: nobody on its way could. */
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { ledgerOf } from '../../../scripts/vectors/bundle-logs.ts';
import { namedEvent } from '../../../scripts/vectors/evidence-log.ts';
import { openSealed, sealedRoot, withSealed } from '../../../scripts/vectors/sealed-log.ts';
import { utf8 } from '../../../src/bytes.ts';
import { GotKeys } from '../../../src/node/sealed/got-keys.ts';
import { OwnKeys } from '../../../src/node/sealed/own-keys.ts';
import { SealedRoom } from '../../../src/node/sealed/sealed-room.ts';
import { asLogIndex } from '../../../src/types.ts';
import { nodeSecret } from '../../support/ledger-home.ts';
import { must } from '../../support/result.ts';
import { keyRandom } from '../../support/sealed.ts';
import { tempDir } from '../../support/temp-dir.ts';

describe('node/sealed judging', () => {
  it('what is sealed under a delivered key and is no event is not delivered as one', async () => {
    await using folder = await tempDir();
    const nonsense = { attributes: utf8('{"id": "1"}'), kind: 1, data: utf8('1') } as const;
    const log = withSealed(openSealed('no-events'), 0, [nonsense, namedEvent('1', '{"n":1}')]);
    await using ledger = await ledgerOf([log]);
    const got = new GotKeys();
    const { logId } = log.state;
    must(await got.add(logId, 0, [sealedRoot(log.name)]));
    const own = must(await OwnKeys.open(folder.path, nodeSecret, keyRandom));
    const room = new SealedRoom(ledger, { own, got });
    const seen: unknown[] = [];
    for await (const batch of ledger.batches(logId, asLogIndex(0))) {
      const read = await room.reader(logId, batch);
      for (let index: number = batch.from; index < batch.to; index++) {
        const content = read(index);
        if (content !== undefined) seen.push('event' in content ? 'event' : content.sealed);
      }
    }
    assert.deepEqual(seen, [{ epoch: 0, reason: 'invalid', code: 'event-invalid' }, 'event']);
  });
});
