/** `hw stream create --sealed`, `show` and `rekey`, as an operator types them. */
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { hw, json, tempFolder } from '../cli/harness.ts';
import { dig } from '../http/client.ts';
import { heldNode } from '../running.ts';

describe('sealed streams on the command line', function () {
  this.timeout(30_000);

  it('are created with the length of their epochs, shown, and rekeyed', async () => {
    using folder = tempFolder();
    await using _node = await heldNode(folder.path);
    const run = (...words: string[]): ReturnType<typeof hw> =>
      hw([...words, '--home', folder.path]);
    const made = await run('stream', 'create', 'a', '--sealed', '--epoch=1000events', '--epoch=2h');
    assert.equal(made.code, 0, made.stderr);
    const shown = (await run('stream', 'show', 'a')).stdout;
    assert.match(shown, /visibility {2}sealed, 1 partition/);
    assert.match(shown, /new keys {4}after 2 h or 1,000 events/);
    assert.doesNotMatch(shown, /epoch {5}/);
    const rekeyed = json(await run('stream', 'rekey', 'a', '--json'));
    assert.equal(dig(rekeyed, 'opened', 0, 'epoch'), 0);
    const after = (await run('stream', 'show', 'a')).stdout;
    assert.match(after, /epoch {5}0, generation 0, since 20\d\d-/);
    const plain = await run('stream', 'create', 'b', '--visibility', 'sealed');
    assert.equal(plain.code, 0, plain.stderr);
    assert.match((await run('stream', 'show', 'b')).stdout, /new keys {4}after 1 h/);
  });

  it('say what is wrong with what was typed', async () => {
    using folder = tempFolder();
    await using _node = await heldNode(folder.path);
    const refusal = async (...words: string[]): Promise<string> => {
      const done = await hw(['stream', ...words, '--home', folder.path]);
      assert.notEqual(done.code, 0);
      return done.stderr;
    };
    assert.match(await refusal('create', 'a', '--sealed', '--epoch', '1x'), /--epoch 1x: a time/);
    assert.match(
      await refusal('create', 'a', '--sealed', '--epoch', '0events'),
      /epoch-policy|usage/,
    );
    assert.match(await refusal('create', 'a', '--epoch', '1h'), /only a sealed stream has/);
    assert.match(
      await refusal('create', 'a', '--sealed', '--visibility', 'direct'),
      /--sealed contradicts --visibility direct/,
    );
    assert.match(await refusal('create', 'a', '--sealed', '--compact'), /it is not compacted/);
    assert.match(await refusal('rekey', 'nothing'), /stream-unknown/);
    assert.equal((await hw(['stream', 'create', 'o', '--home', folder.path])).code, 0);
    assert.match(await refusal('rekey', 'o'), /stream-not-sealed/);
  });
});
