import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { describe, it } from 'mocha';
import { concat } from '../../src/bytes.ts';
import { fault } from '../../src/errors.ts';
import { FrameDecoder, frameHeader, Inbox } from '../../src/gossip/frames.ts';
import { protocol } from '../../src/limits.ts';
import { must } from '../support/result.ts';

const encode = (frames: readonly Uint8Array[]): Uint8Array =>
  concat(...frames.flatMap((frame) => [frameHeader(frame.length), frame]));

describe('frames', () => {
  it('begin with their length as four bytes, big-endian', () => {
    assert.deepEqual(frameHeader(0x01020304), Uint8Array.of(1, 2, 3, 4));
    const decoder = new FrameDecoder();
    const frames = must(decoder.push(Uint8Array.of(0, 0, 0, 2, 7, 8, 0, 0, 0, 0, 0, 0, 0, 1)));
    assert.deepEqual(frames, [Uint8Array.of(7, 8), new Uint8Array(0)]);
    assert.equal(decoder.partial, true);
    assert.deepEqual(must(decoder.push(Uint8Array.of(9))), [Uint8Array.of(9)]);
    assert.equal(decoder.partial, false);
  });

  it('come back whole however they are cut', () => {
    const frame = fc.uint8Array({ maxLength: 9000 });
    const cuts = fc.array(fc.integer({ min: 1, max: 5000 }), { minLength: 1, maxLength: 20 });
    fc.assert(
      fc.property(fc.array(frame, { maxLength: 8 }), cuts, (frames, sizes) => {
        const bytes = encode(frames);
        const decoder = new FrameDecoder();
        const got: Uint8Array[] = [];
        for (let at = 0, turn = 0; at < bytes.length; turn++) {
          const end = at + (sizes[turn % sizes.length] ?? 1);
          got.push(...must(decoder.push(bytes.subarray(at, end))));
          at = end;
        }
        assert.deepEqual(got, frames);
        assert.equal(decoder.partial, false);
      }),
      { numRuns: 200 },
    );
  });

  it('are incomplete at every truncation', () => {
    const bytes = encode([Uint8Array.of(1, 2, 3)]);
    for (let length = 1; length < bytes.length; length++) {
      const decoder = new FrameDecoder();
      assert.deepEqual(must(decoder.push(bytes.subarray(0, length))), []);
      assert.equal(decoder.partial, true);
    }
  });

  it('never make the decoder throw, whatever the bytes', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 64 }), { maxLength: 8 }), (chunks) => {
        const decoder = new FrameDecoder(32);
        for (const chunk of chunks) {
          const result = decoder.push(chunk);
          if (result.ok) for (const frame of result.value) assert.ok(frame.length <= 32);
          else assert.equal(result.error.code, 'frame-too-large');
        }
      }),
    );
  });

  it('may have the largest length and not one more', () => {
    const largest = new Uint8Array(protocol.maxFrameBytes).fill(5);
    assert.deepEqual(must(new FrameDecoder().push(encode([largest]))), [largest]);
    const decoder = new FrameDecoder();
    const refused = decoder.push(frameHeader(protocol.maxFrameBytes + 1));
    assert.equal(!refused.ok && refused.error.code, 'frame-too-large');
    // The decoder stays dead: what follows is not read as a frame.
    assert.equal(decoder.push(encode([Uint8Array.of(1)])).ok, false);
  });

  it('are copies: changing the input does not change them', () => {
    const bytes = encode([Uint8Array.of(1, 2, 3)]);
    const frames = must(new FrameDecoder().push(Buffer.from(bytes)));
    const input = Buffer.from(bytes);
    const [frame] = must(new FrameDecoder().push(input));
    input.fill(0);
    assert.deepEqual(frame, Uint8Array.of(1, 2, 3));
    assert.equal(Buffer.isBuffer(frames[0]), false);
  });

  it('cost no memory before they arrive', () => {
    const decoders = Array.from({ length: 2000 }, () => new FrameDecoder());
    const before = process.memoryUsage().arrayBuffers;
    for (const decoder of decoders) must(decoder.push(frameHeader(protocol.maxFrameBytes)));
    for (const decoder of decoders) must(decoder.push(Uint8Array.of(1)));
    // 2,000 announced frames of 320 KiB are 625 MiB; 4 KiB of each are kept.
    assert.ok(process.memoryUsage().arrayBuffers - before < 32 * 1024 * 1024);
  });
});

describe('the inbox of a stream', () => {
  it('is full above its bytes and says when there is room again', async () => {
    let rooms = 0;
    const inbox = new Inbox(200, () => rooms++);
    inbox.push(new Uint8Array(100));
    assert.equal(inbox.full, false);
    inbox.push(new Uint8Array(100));
    assert.equal(inbox.full, true);
    must(await inbox.receive());
    assert.deepEqual([inbox.full, rooms], [false, 1]);
    must(await inbox.receive());
    assert.equal(rooms, 1);
  });

  it('counts empty frames too', () => {
    const inbox = new Inbox(6400, () => undefined);
    for (let i = 0; i < 100; i++) inbox.push(new Uint8Array(0));
    assert.equal(inbox.full, false);
    inbox.push(new Uint8Array(0));
    assert.equal(inbox.full, true);
  });

  it('gives out what arrived before the end, then the end again and again', async () => {
    const inbox = new Inbox(1000, () => undefined);
    inbox.push(Uint8Array.of(1));
    inbox.end(fault('stream-reset', 'gone'));
    inbox.end();
    inbox.push(Uint8Array.of(2));
    assert.deepEqual(must(await inbox.receive()), Uint8Array.of(1));
    for (let i = 0; i < 2; i++) {
      const end = await inbox.receive();
      assert.equal(!end.ok && end.error.code, 'stream-reset');
    }
  });

  it('hands a frame or the end to whoever waits, and lets one wait', async () => {
    const inbox = new Inbox(1000, () => undefined);
    const first = inbox.receive();
    assert.throws(() => inbox.receive(), /one receive at a time/);
    inbox.push(Uint8Array.of(3));
    assert.deepEqual(must(await first), Uint8Array.of(3));
    const second = inbox.receive();
    inbox.end();
    assert.equal(must(await second), undefined);
  });

  it('drops what waits when the stream is dropped', async () => {
    const inbox = new Inbox(10, () => undefined);
    inbox.push(new Uint8Array(100));
    inbox.end();
    inbox.drop(fault('stream-reset', 'dropped'));
    assert.equal(inbox.full, false);
    const end = await inbox.receive();
    assert.equal(!end.ok && end.error.code, 'stream-reset');
  });
});
