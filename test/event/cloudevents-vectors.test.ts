import * as assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { parseAllDocuments } from 'yaml';
import { toBase64, utf8 } from '../../src/bytes.ts';
import { decodeHeaderValue, encodeHeaderValue } from '../../src/event/header-value.ts';
import { contentMode, parseHttp, type HttpMessage } from '../../src/event/parse-http.ts';
import { parseJsonEvent } from '../../src/event/parse-json.ts';
import { renderHttp, renderJson } from '../../src/event/render.ts';
import { ok } from '../../src/result.ts';
import { dataKind, type ParsedEvent } from '../../src/types.ts';
import { ran, suite, suiteText } from '../support/vectors.ts';

/** The rule that each unsound event of json-events.json breaks, by the beginning of its name. */
const brokenRules: readonly (readonly [RegExp, string])[] = [
  [/^(?:missing|null) /, 'attribute-missing'],
  [/^empty specversion|^specversion 0.3/, 'attribute-specversion'],
  [/^empty |dataschema empty/, 'attribute-empty'],
  [/^source with space|^dataschema relative/, 'attribute-uri'],
  [/^time as number|^object ext|^array ext/, 'attribute-type'],
  [/^time |^impossible date/, 'attribute-time'],
  [/^bad datacontenttype/, 'attribute-media-type'],
  [/^integer too large|^fraction/, 'attribute-integer'],
  [/ name$| in name$/, 'attribute-name'],
  [/control/, 'attribute-control-character'],
  [/^noncharacter/, 'attribute-noncharacter'],
  [/^both data/, 'data-twice'],
  [/base64/, 'data-base64'],
];

function eventOf(message: HttpMessage): ParsedEvent {
  const parsed = parseHttp(message);
  assert.ok(parsed.ok, JSON.stringify(parsed));
  const [first, ...more] = parsed.value;
  assert.equal(more.length, 0);
  assert.ok(first?.ok, JSON.stringify(first));
  return first.value;
}

function contentTypeOf(message: HttpMessage): string | null {
  return message.headers.find(([name]) => name === 'Content-Type')?.[1] ?? null;
}

function jsonOf(bytes: Uint8Array): unknown {
  return JSON.parse(new TextDecoder().decode(bytes));
}

describe('the CloudEvents suites', () => {
  it('judge every event of json-events.json as the specification does', function () {
    const path = 'cloudevents/json-events.json';
    const { cases } = suite<{
      cases: { name: string; valid: boolean; event: Record<string, unknown> }[];
    }>(this, path);
    for (const { name, valid, event } of cases) {
      const parsed = parseJsonEvent(utf8(JSON.stringify(event)));
      const rule = brokenRules.find(([pattern]) => pattern.test(name))?.[1];
      const expected = valid ? 'accepted' : (rule ?? 'no rule given');
      assert.equal(parsed.ok ? 'accepted' : parsed.error.code, expected, name);
      if (!parsed.ok) assert.match(parsed.error.place?.pointer ?? '', /^\/[a-zA-Z0-9_-]+$/, name);
    }
    ran(path, cases.length);
  });

  it('map data between JSON and HTTP as data-mapping.json does, and back', function () {
    const path = 'cloudevents/data-mapping.json';
    const { cases } = suite<{
      cases: {
        note: string;
        datacontenttype: string | null;
        member: 'data' | 'data_base64';
        value: unknown;
        httpContentType: string | null;
        httpBodyBase64: string;
      }[];
    }>(this, path);
    for (const mapping of cases) {
      const { note, member, value, datacontenttype, httpContentType, httpBodyBase64 } = mapping;
      const core = { specversion: '1.0', id: '1', source: '/s', type: 't', datacontenttype };
      const parsed = parseJsonEvent(utf8(JSON.stringify({ ...core, [member]: value })));
      assert.ok(parsed.ok, note);
      const http = renderHttp(parsed.value);
      assert.equal(contentTypeOf(http), httpContentType, note);
      assert.equal(toBase64(http.body), httpBodyBase64, note);
      const back = eventOf(http);
      assert.deepEqual(back.data, parsed.value.data, note);
      // A JSON event without a content type goes out as application/json, as the format demands.
      const stated = datacontenttype ?? (member === 'data' ? 'application/json' : undefined);
      assert.equal(back.context['datacontenttype'], stated, note);
      const again = jsonOf(renderJson(back)) as Record<string, unknown>;
      const kept = member === 'data' || back.kind === dataKind.json ? 'data' : 'data_base64';
      assert.deepEqual(again[kept], kept === member ? value : jsonOf(back.data), note);
    }
    ran(path, cases.length);
  });

  it('encode and decode header values as http-header-values.json does', function () {
    const path = 'cloudevents/http-header-values.json';
    const { encode, decode } = suite<{
      encode: { value: string; header: string }[];
      decode: { header: string; value: string | null; why: string }[];
    }>(this, path);
    for (const { value, header } of encode) {
      assert.equal(encodeHeaderValue(value), header);
      assert.deepEqual(decodeHeaderValue(header), ok(value));
    }
    for (const { header, value, why } of decode) {
      const decoded = decodeHeaderValue(header);
      if (value === null) assert.equal(decoded.ok || decoded.error.code, 'header-value', why);
      else assert.deepEqual(decoded, ok(value), why);
    }
    ran(path, encode.length + decode.length);
  });

  it('tell content modes apart as http-content-modes.json does', function () {
    const path = 'cloudevents/http-content-modes.json';
    const cases = suite<{ contentType: string | null; mode: string }[]>(this, path);
    for (const { contentType, mode } of cases) {
      assert.equal(contentMode(contentType ?? undefined), mode, String(contentType));
    }
    ran(path, cases.length);
  });

  it('parse the requests of the HTTP conformance feature', function () {
    const path = 'cloudevents/conformance/features/http-protocol-binding.feature';
    const scenarios = readFeature(suiteText(this, path));
    for (const { request, attributes, data } of scenarios) {
      const event = eventOf(request);
      assert.deepEqual({ ...event.context }, attributes);
      assert.deepEqual(jsonOf(event.data), data);
    }
    assert.equal(scenarios.length, 4);
    ran(path, scenarios.length);
  });

  for (const path of ['v1.yaml', 'v1.0/v1_minimum.yaml', 'v03.yaml', 'v0.3/v03_minimum.yaml']) {
    it(`read what conformance/yaml/${path} describes, in both modes`, function () {
      const file = `cloudevents/conformance/yaml/${path}`;
      const described = readDescriptions(suiteText(this, file));
      for (const { attributes, data } of described) {
        const binary = parseHttp(binaryRequest(attributes, data));
        const structured = parseHttp(structuredRequest(attributes, data));
        for (const parsed of [binary, structured]) {
          assert.ok(parsed.ok);
          const [event] = parsed.value;
          if (path.includes('v03')) {
            const code = event?.ok === false ? event.error.code : 'accepted';
            assert.match(code, /^attribute-(?:specversion|missing)$/);
            continue;
          }
          assert.ok(event?.ok, JSON.stringify(event));
          assert.deepEqual({ ...event.value.context }, attributes);
          const found = new TextDecoder().decode(event.value.data);
          // A slice of JSON has no white space around it; a body is kept whole.
          const isSlice = parsed === structured && event.value.kind === dataKind.json;
          assert.equal(found, isSlice ? data.trimEnd() : data);
        }
      }
      assert.ok(described.length > 0);
      ran(file, described.length);
    });
  }
});

interface Scenario {
  request: HttpMessage;
  attributes: Record<string, string>;
  data: unknown;
}

/** As much of Gherkin as the feature needs: outlines with one column of examples. */
function readFeature(text: string): Scenario[] {
  return text
    .split(/Scenario Outline:/)
    .slice(1)
    .flatMap((outline) => {
      const [body = '', examples = ''] = outline.split(/Examples:/);
      const values = examples
        .split('\n')
        .map((line) =>
          line
            .trim()
            .replaceAll(/^\||\|$/g, '')
            .trim(),
        )
        .filter((value) => value !== '' && value !== 'contentType');
      return values.map((value) => readScenario(body.replaceAll('<contentType>', value)));
    });
}

function readScenario(text: string): Scenario {
  const [request = '', data = ''] = [...text.matchAll(/"""\n([^]*?)\n *"""/g)].map((match) =>
    (match[1] ?? '').replaceAll(/^ {8}/gm, ''),
  );
  const [head = '', ...body] = request.split('\n\n');
  const headers = head
    .split('\n')
    .slice(1)
    .map((line): [string, string] => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon), line.slice(colon + 1)];
    });
  const rows = [...text.matchAll(/^ *\| *(\w+) *\| *(.*?) *\|$/gm)].map(
    ([, key = '', value = '']): [string, string] => [key, value],
  );
  const attributes = Object.fromEntries(rows.filter(([key]) => key !== 'key'));
  return {
    request: { headers, body: utf8(body.join('\n\n')) },
    attributes,
    data: JSON.parse(data),
  };
}

interface Description {
  attributes: Record<string, string>;
  data: string;
}

/** Scalars as strings; the line break that a YAML block ends with is not part of an attribute. */
function readDescriptions(text: string): Description[] {
  return parseAllDocuments(text, { schema: 'failsafe' }).map((document) => {
    const { ContextAttributes, Data } = document.toJS() as {
      ContextAttributes: { Extensions?: Record<string, string> };
      Data: string;
    };
    const { Extensions, ...core } = ContextAttributes;
    const all = Object.entries<string>({ ...core, ...Extensions });
    return {
      attributes: Object.fromEntries(all.map(([name, value]) => [name, value.trimEnd()])),
      data: Data,
    };
  });
}

function binaryRequest(attributes: Record<string, string>, data: string): HttpMessage {
  const headers = Object.entries(attributes).map(([name, value]): [string, string] =>
    name === 'datacontenttype' ? ['Content-Type', value] : [`ce-${name}`, encodeHeaderValue(value)],
  );
  return { headers, body: utf8(data) };
}

/** JSON data stands in the event as it is, text as a string, the rest in base64. */
function structuredRequest(attributes: Record<string, string>, data: string): HttpMessage {
  const type = attributes['datacontenttype'];
  const text = JSON.stringify(data);
  const base64 = `"data_base64":${JSON.stringify(toBase64(utf8(data)))}`;
  const typed = type?.includes('json') ? `"data":${data}` : `"data":${text}`;
  const member = type === undefined ? base64 : typed;
  const body = utf8(`${JSON.stringify(attributes).slice(0, -1)},${member}}`);
  return { headers: [['Content-Type', 'application/cloudevents+json']], body };
}
