import assert from 'node:assert/strict';
import { createPublicKey, verify } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import * as fc from 'fast-check';
import { describe, it } from 'mocha';
import { equal, utf8 } from '../../src/bytes.ts';
import { nodeCrypto } from '../../src/crypto-node.ts';
import { openEnvelope, pae, payloadJson, signEnvelope } from '../../src/lineage/dsse.ts';
import {
  checkDescriptor,
  checkProvenance,
  checkStatement,
  statementOf,
} from '../../src/lineage/intoto.ts';
import { openLineageEvents } from '../../src/lineage/openlineage.ts';
import { provOf } from '../../src/lineage/prov-export.ts';
import { parseProvJson } from '../../src/lineage/prov-json.ts';
import { parseProvN } from '../../src/lineage/prov-n-read.ts';
import { provStatements } from '../../src/lineage/prov.ts';
import { renderTrace, traceFormats } from '../../src/lineage/render.ts';
import type { Result } from '../../src/result.ts';
import { asSignature } from '../../src/types.ts';
import { signer } from '../support/ledger-home.ts';
import { must, refused } from '../support/result.ts';
import { hex, ran, suite } from '../support/vectors.ts';
import { chain, rendered, sample } from './graphs.ts';
import { loadSchemas, type FacetTest } from './schemas.ts';

const ownKey = (message: Uint8Array, signature: Uint8Array): boolean =>
  signature.length === 64 && nodeCrypto.verify(signer.publicKey, message, asSignature(signature));

describe('golden exports', () => {
  for (const format of traceFormats) {
    it(`of the sample as ${format}`, () => {
      const file = fileURLToPath(new URL(`../vectors/lineage/sample.${format}`, import.meta.url));
      const { text } = rendered(sample(), format);
      if (process.env['HW_WRITE_GOLDEN'] !== undefined) writeFileSync(file, text);
      assert.equal(text, readFileSync(file, 'utf8'));
    });
  }
});

describe('PROV of a trace', () => {
  it('is read back as it was in both notations', () => {
    for (const graph of [sample(), chain(20), { ...sample(), direction: 'down' as const }]) {
      const said = provStatements(provOf(graph));
      const json = must(parseProvJson(rendered(graph, 'prov-json').text));
      assert.deepEqual(provStatements(json), said);
      const notation = must(parseProvN(rendered(graph, 'prov-n').text));
      assert.deepEqual(provStatements(notation), said);
    }
  });

  it('invents no activity where none is stated', () => {
    const { records } = provOf(chain(3));
    assert.deepEqual([...new Set(records.map(({ kind }) => kind))].toSorted(), [
      'agent',
      'entity',
      'wasAttributedTo',
      'wasDerivedFrom',
    ]);
    const stated = provOf(sample()).records.filter(({ kind }) => kind === 'activity');
    assert.equal(stated.length, 1);
  });
});

describe('OpenLineage', () => {
  it('events of others are judged by the schema as they say', function () {
    const schemas = loadSchemas(this);
    const path = 'openlineage/events.json';
    const events = suite<{ file: string; schemaValid: boolean; event: unknown }[]>(this, path);
    for (const { file, schemaValid, event } of events) {
      assert.equal(schemas.event(event) === undefined, schemaValid, file);
    }
    ran(path, events.length);
    const own = 'openlineage/events-authored.json';
    interface Authored {
      cases: { name: string; valid: boolean; event: unknown }[];
    }
    const { cases: authored } = suite<Authored>(this, own);
    for (const { name, valid, event } of authored) {
      assert.equal(schemas.event(event) === undefined, valid, name);
    }
    ran(own, authored.length);
  });

  it('facets of others are sound by their schemas, and changed they are not', function () {
    const schemas = loadSchemas(this);
    const path = 'openlineage/facet-tests.json';
    const tests = suite<FacetTest[]>(this, path);
    for (const { facet, file, value } of tests) {
      if (facet === null) assert.equal(schemas.event(value), undefined, file);
      for (const [name, one] of Object.entries(facet === null ? {} : value)) {
        assert.equal(schemas.facet(name, one), undefined, file);
        assert.notEqual(schemas.facet(name, 7), undefined, file);
      }
    }
    ran(path, tests.length);
  });

  it('events that we export keep the schema, and so do their facets', function () {
    const schemas = loadSchemas(this);
    for (const graph of [sample(), chain(5), { ...sample(), direction: 'down' as const }]) {
      for (const event of openLineageEvents(graph)) {
        assert.equal(schemas.event(event), undefined);
        const { job, inputs, outputs } = event as {
          job: { facets: Record<string, unknown> };
          inputs: { facets: Record<string, unknown> }[];
          outputs: { facets: Record<string, unknown> }[];
        };
        for (const { facets } of [job, ...inputs, ...outputs]) {
          for (const [name, facet] of Object.entries(facets)) {
            assert.equal(schemas.facet(name, facet), undefined, name);
          }
        }
      }
    }
  });

  it('runs start and complete once, and have the same id each time', () => {
    const events = openLineageEvents(chain(3)) as { eventType: string; run: { runId: string } }[];
    assert.deepEqual(
      events.map(({ eventType }) => eventType),
      ['START', 'COMPLETE', 'START', 'COMPLETE'],
    );
    assert.deepEqual(events, openLineageEvents(chain(3)));
    assert.match(
      events[0]?.run.runId ?? '',
      /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
    );
  });
});

describe('DSSE', () => {
  it('signs the bytes that the specification gives', function () {
    const path = 'intoto/dsse-pae.json';
    interface Case {
      name: string;
      payloadType: string;
      payloadBase64: string;
      paeHex: string;
    }
    const cases = suite<Case[]>(this, path);
    for (const { name, payloadType, payloadBase64, paeHex } of cases) {
      const payload = new Uint8Array(Buffer.from(payloadBase64, 'base64'));
      assert.deepEqual(pae(payloadType, payload), hex(paeHex), name);
    }
    ran(path, cases.length);
  });

  it('opens the envelopes of others, or refuses them', function () {
    const path = 'intoto/dsse-envelopes.json';
    interface Suite {
      key: { jwk: Record<string, string> };
      cases: { name: string; verdict: string; envelope: unknown; threshold?: number }[];
    }
    const { key, cases } = suite<Suite>(this, path);
    const trusted = createPublicKey({ key: key.jwk, format: 'jwk' });
    const isSigned = (message: Uint8Array, signature: Uint8Array): boolean =>
      verify('sha256', message, { key: trusted, dsaEncoding: 'ieee-p1363' }, signature);
    for (const { name, verdict, envelope, threshold = 1 } of cases) {
      const opened = openEnvelope(JSON.stringify(envelope), [isSigned], threshold);
      assert.equal(opened.ok, verdict === 'valid', name);
    }
    ran(path, cases.length);
  });

  it('refuses an envelope with any byte of it changed', () => {
    const text = signEnvelope(signer, 't', utf8('payload'));
    assert.ok(equal(must(openEnvelope(text, [ownKey], 1)).payload, utf8('payload')));
    const keyid = text.indexOf('keyid');
    for (let i = 0; i < text.length; i++) {
      // The key id is a hint and not signed.
      if (i >= keyid - 1 && i < text.indexOf('"sig"')) continue;
      const changed = `${text.slice(0, i)}${text[i] === 'x' ? 'y' : 'x'}${text.slice(i + 1)}`;
      const opened = openEnvelope(changed, [ownKey], 1);
      assert.ok(!opened.ok || equal(opened.value.payload, utf8('payload')), `byte ${i}`);
      if (opened.ok) assert.equal(opened.value.type, 't');
    }
    refused(openEnvelope(text, [], 1), 'dsse-signature');
    refused(openEnvelope(text, [ownKey], 0), 'dsse-signature');
    refused(openEnvelope('{}', [ownKey], 1), 'dsse-shape');
  });

  it('gives back what was signed, and reads anything without throwing', () => {
    fc.assert(
      fc.property(fc.string(), fc.uint8Array(), (type, payload) => {
        const opened = must(openEnvelope(signEnvelope(signer, type, payload), [ownKey], 1));
        return opened.type === type && equal(opened.payload, payload);
      }),
      { numRuns: 30 },
    );
    fc.assert(fc.property(fc.json(), (text) => !openEnvelope(text, [ownKey], 1).ok));
  });
});

describe('in-toto', () => {
  it('structures are judged as the Go library does', function () {
    const path = 'intoto/structures.json';
    interface Suite {
      cases: { kind: string; name: string; verdict: string; document: unknown }[];
    }
    const { cases } = suite<Suite>(this, path);
    const checks: Readonly<Record<string, (value: unknown) => Result<void>>> = {
      statement: checkStatement,
      resourceDescriptor: checkDescriptor,
      slsaProvenanceV1: checkProvenance,
    };
    for (const { kind, name, verdict, document } of cases) {
      if (name === 'missing predicate') continue; // Doubtful, says the suite.
      const judged = checks[kind]?.(document);
      assert.equal(judged?.ok, verdict === 'valid', `${kind} ${name}`);
    }
    ran(path, cases.length);
    const example = suite<Record<string, unknown>>(this, 'intoto/examples/slsa-provenance-v1.json');
    must('_type' in example ? checkStatement(example) : checkProvenance(example));
    ran('intoto/examples/slsa-provenance-v1.json', 1);
  });

  it('statement of a trace is sound and signed by the peer', () => {
    const statement = statementOf(sample());
    must(checkStatement(statement));
    must(checkProvenance(statement['predicate']));
    const opened = must(openEnvelope(rendered(sample(), 'intoto').text, [ownKey], 1));
    assert.equal(opened.type, 'application/vnd.in-toto+json');
    assert.deepEqual(payloadJson(opened), JSON.parse(JSON.stringify(statement)));
    refused(renderTrace({ ...sample(), direction: 'down' }, 'intoto', signer), 'usage');
  });
});
