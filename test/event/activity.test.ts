import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { describe, it } from 'mocha';
import { utf8 } from '../../src/bytes.ts';
import { parseActivity } from '../../src/event/activity.ts';
import { parseJsonEvent } from '../../src/event/parse-json.ts';
import { checkSupported } from '../../src/event/supported.ts';
import { must, refused } from '../support/result.ts';

const log = 'bafkreiewosdncn5e4ftrbapyilnlkinsbdlaxvyupcn2eqlutrkqtphabu';
const did = 'did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK';
const digest = `sha256:${'ab'.repeat(32)}`;

describe('hwactivity', () => {
  it('names the declaration of a flow, or program, version, digest and operator', () => {
    const declared = must(parseActivity(`hw:${log}/12`));
    assert.ok(declared.kind === 'declared');
    assert.deepEqual([declared.reference.logId, declared.reference.from], [log, 12]);
    const whole = { kind: 'stated', program: 'agency', version: '1.2', digest, operator: did };
    assert.deepEqual(must(parseActivity(`agency 1.2 ${digest} ${did}`)), whole);
    assert.deepEqual(must(parseActivity('agency')), { kind: 'stated', program: 'agency' });
    const noVersion = { kind: 'stated', program: 'agency', digest, operator: did };
    assert.deepEqual(must(parseActivity(`agency ${digest} ${did}`)), noVersion);
  });

  const unsound: readonly (readonly [string, string])[] = [
    ['', 'activity-form'],
    ['a  b', 'activity-form'],
    ['a b c', 'activity-form'],
    [`a ${did} 1.0`, 'activity-form'],
    [`a sha256:AB`, 'activity-form'],
    [`a did:web:example.com`, 'bad-did'],
    [`hw:${log}/1-3`, 'activity-form'],
    [`hw:${log}/1@${'00'.repeat(32)}`, 'activity-form'],
    [`hw:${log}`, 'bad-reference'],
    ['hw:x/1', 'bad-logid'],
    ['x'.repeat(1025), 'activity-form'],
  ];
  for (const [text, code] of unsound) {
    it(`is refused as ${code}: ${JSON.stringify(text.slice(0, 40))}`, () => {
      refused(parseActivity(text), code);
    });
  }

  it('is read or refused whatever is in it, never thrown', () => {
    fc.assert(fc.property(fc.string(), (text) => typeof parseActivity(text).ok === 'boolean'));
  });
});

describe('hwparents and hwactivity at ingest', () => {
  const plain = '{"specversion":"1.0","id":"1","source":"/s","type":"t"';
  const code = (more: string): string => {
    const event = parseJsonEvent(utf8(`${plain},${more}}`));
    const checked = event.ok ? checkSupported(event.value) : event;
    return checked.ok ? 'ok' : checked.error.code;
  };

  it('are taken in their own form and refused by the name of the rule', () => {
    assert.equal(code(`"hwparents":"hw:${log}/1 hw:${log}/2-9"`), 'ok');
    assert.equal(code(`"hwactivity":"agency 1.0"`), 'ok');
    assert.equal(code(`"hwparents":"hw:${log}/1  hw:${log}/2"`), 'bad-reference');
    assert.equal(code(`"hwparents":""`), 'bad-reference');
    assert.equal(code(`"hwparents":7`), 'attribute-type');
    assert.equal(code(`"hwparents":"hw:${log}/9007199254740992"`), 'integer-too-large');
    assert.equal(code(`"hwactivity":"a b c"`), 'activity-form');
    const many = Array.from({ length: 257 }, (_, i) => `hw:${log}/${i}`);
    assert.equal(code(`"hwparents":"${many.slice(1).join(' ')}"`), 'ok');
    assert.equal(code(`"hwparents":"${many.join(' ')}"`), 'parents-over-limit');
  });
});
