import * as assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { nodeCrypto } from '../../src/crypto-node.ts';
import { toHex, utf8 } from '../../src/bytes.ts';
import { bodyLength } from '../../src/event/data.ts';
import { compareEvents, contentHash, dedupeKey, stringForms } from '../../src/event/identity.ts';
import { judgeEvent } from '../../src/event/judge.ts';
import { parseHttp } from '../../src/event/parse-http.ts';
import { parseJsonEvent } from '../../src/event/parse-json.ts';
import { partitionKey, partitionOf } from '../../src/event/partition.ts';
import { renderHttp, renderJson, renderLine } from '../../src/event/render.ts';
import type { Fault } from '../../src/errors.ts';
import { ok, type Result } from '../../src/result.ts';
import { dataKind, type Attributes, type ParsedEvent } from '../../src/types.ts';
import { hex, ran, suite } from '../support/vectors.ts';

interface Request {
  headers: [string, string][];
  body_hex: string;
}
interface EventBytesSuite {
  nodeSecret_hex: string;
  valid: {
    id: string;
    request: Request;
    events: {
      attributes: Attributes;
      attributes_hex: string;
      data_hex: string;
      kind: number;
      bodyLength: number;
    }[];
  }[];
  invalid: { id: string; request: Request; code: string; reason: string }[];
  pairs: {
    id: string;
    first: Request;
    second: Request;
    verdict: string;
    firstStringForms_hex: string;
    secondStringForms_hex: string;
    contentHashes_hex: [string, string];
  }[];
}

function parse(request: Request): Result<readonly Result<ParsedEvent>[]> {
  return parseHttp({ headers: request.headers, body: hex(request.body_hex) });
}

function only(request: Request): ParsedEvent {
  const events = eventsOf(request);
  assert.equal(events.length, 1);
  return events[0] as ParsedEvent;
}

function eventsOf(request: Request): ParsedEvent[] {
  const parsed = parse(request);
  assert.ok(parsed.ok, JSON.stringify(parsed));
  return parsed.value.map((result) => {
    assert.ok(result.ok, JSON.stringify(result));
    return result.value;
  });
}

function firstFault(parsed: Result<readonly Result<ParsedEvent>[]>): Fault | undefined {
  if (!parsed.ok) return parsed.error;
  for (const result of parsed.value) if (!result.ok) return result.error;
  return undefined;
}

describe('event bytes of headwater/event-bytes.json', () => {
  it('keeps attributes, data and kind of every sound request to the byte', function () {
    const { valid } = suite<EventBytesSuite>(this, 'headwater/event-bytes.json');
    for (const { id, request, events } of valid) {
      const found = eventsOf(request).map((event) => ({
        attributes: { ...event.context },
        attributes_hex: toHex(event.attributes),
        data_hex: toHex(event.data),
        kind: event.kind,
        bodyLength: bodyLength(event),
      }));
      assert.deepEqual(found, events, id);
    }
    ran('headwater/event-bytes.json', valid.length);
  });

  it('refuses every unsound request with its code and a place', function () {
    const { invalid } = suite<EventBytesSuite>(this, 'headwater/event-bytes.json');
    for (const { id, request, code } of invalid) {
      const error = firstFault(parse(request));
      assert.equal(error?.code, code, id);
      const place = error?.place;
      assert.ok(place?.pointer !== undefined || place?.offset !== undefined, `${id}: no place`);
    }
    ran('headwater/event-bytes.json', invalid.length);
  });

  it('tells equal, conflicting and different events apart and hashes their content', function () {
    const { pairs, nodeSecret_hex } = suite<EventBytesSuite>(this, 'headwater/event-bytes.json');
    const secret = hex(nodeSecret_hex);
    for (const pair of pairs) {
      const [first, second] = [only(pair.first), only(pair.second)];
      assert.equal(compareEvents(first, second), pair.verdict, pair.id);
      assert.equal(toHex(stringForms(first)), pair.firstStringForms_hex, pair.id);
      assert.equal(toHex(stringForms(second)), pair.secondStringForms_hex, pair.id);
      const hashes = [first, second].map((event) => toHex(contentHash(nodeCrypto, secret, event)));
      assert.deepEqual(hashes, pair.contentHashes_hex, pair.id);
    }
    ran('headwater/event-bytes.json', pairs.length);
  });

  it('accepts as a replica whatever ingest kept, and reads its own JSON rendering back', function () {
    const { valid } = suite<EventBytesSuite>(this, 'headwater/event-bytes.json');
    for (const { id, request } of valid) {
      for (const event of eventsOf(request)) {
        assert.deepEqual(judgeEvent(event), ok(event.context), id);
        const trimmed =
          event.kind === dataKind.json
            ? utf8(new TextDecoder().decode(event.data).replaceAll(/^[ \t\r\n]+|[ \t\r\n]+$/g, ''))
            : event.data;
        // The JSON form implies JSON where data stands without a type, so an untyped body differs.
        for (const bytes of [renderJson(event), renderLine(event)]) {
          const again = parseJsonEvent(bytes);
          assert.deepEqual(again, ok({ ...event, data: trimmed }), id);
        }
      }
    }
  });

  it('reads its own binary mode back, but for what that mode cannot say', function () {
    const { valid } = suite<EventBytesSuite>(this, 'headwater/event-bytes.json');
    for (const { id, request } of valid) {
      for (const event of eventsOf(request)) {
        const again = parseHttp(renderHttp(event));
        const untyped = event.context['datacontenttype'] === undefined;
        if (event.kind === dataKind.binary && !untyped && again.ok) continue; // may be JSON by type
        const found = again.ok && again.value[0]?.ok ? again.value[0].value : undefined;
        assert.ok(found !== undefined, id);
        assert.deepEqual(found.data, event.data, id);
        const emptied = event.data.length === 0 ? dataKind.none : event.kind;
        assert.equal(found.kind, emptied, id);
      }
    }
  });
});

interface PartitionSuite {
  keys: { key: string; key_utf8_hex: string; byCount: Record<string, number> }[];
  choice: {
    id: string;
    attributes: Attributes;
    key: string;
    partitionOf8: number;
    partitionOf256: number;
  }[];
  invalid: { id: string; count?: number; attributes?: Attributes; code: string }[];
}

describe('partitions of headwater/partition.json', () => {
  it('computes the partition of every key and count', function () {
    const { keys } = suite<PartitionSuite>(this, 'headwater/partition.json');
    for (const { key, byCount } of keys) {
      for (const [count, expected] of Object.entries(byCount)) {
        assert.deepEqual(partitionOf(nodeCrypto, key, Number(count)), ok(expected), key);
      }
    }
    ran('headwater/partition.json', keys.length);
  });

  it('takes partitionkey, else subject, else source', function () {
    const { choice } = suite<PartitionSuite>(this, 'headwater/partition.json');
    for (const { id, attributes, key, partitionOf8, partitionOf256 } of choice) {
      const event = parseJsonEvent(utf8(JSON.stringify(attributes)));
      assert.ok(event.ok, id);
      assert.equal(partitionKey(event.value.context), key, id);
      assert.deepEqual(partitionOf(nodeCrypto, key, 8), ok(partitionOf8), id);
      assert.deepEqual(partitionOf(nodeCrypto, key, 256), ok(partitionOf256), id);
    }
    ran('headwater/partition.json', choice.length);
  });

  it('refuses bad counts and bad partition keys', function () {
    const { invalid } = suite<PartitionSuite>(this, 'headwater/partition.json');
    for (const { id, count, attributes, code } of invalid) {
      const result =
        count === undefined
          ? parseJsonEvent(utf8(JSON.stringify(attributes)))
          : partitionOf(nodeCrypto, 'x', count);
      assert.equal(result.ok ? undefined : result.error.code, code, id);
    }
    ran('headwater/partition.json', invalid.length);
  });
});

interface DedupeSuite {
  dedupeRows: {
    nodeSecret_hex: string;
    source: string;
    eventId: string;
    input_hex: string;
    key_hex: string;
  }[];
}

describe('dedupe rows of headwater/ids.json', () => {
  it('keys a row by source and id under the secret of the node', function () {
    const { dedupeRows } = suite<DedupeSuite>(this, 'headwater/ids.json');
    for (const row of dedupeRows) {
      const key = dedupeKey(nodeCrypto, hex(row.nodeSecret_hex), row.source, row.eventId);
      assert.equal(toHex(key), row.key_hex);
      assert.equal(toHex(nodeCrypto.sha256(hex(row.input_hex)).slice(0, 16)), row.key_hex);
    }
    ran('headwater/ids.json', dedupeRows.length);
  });
});
