import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import {
  countByNet,
  featureLines,
  hourlyMaxMag,
  knownAnswer,
  seismicEvents,
  smallSeismicEvents,
} from '../../testnet/earthquakes.ts';

describe('the earthquakes of the testnet', () => {
  it('gives the reference answers when computed from the file itself', () => {
    assert.deepEqual(countByNet(featureLines()), knownAnswer('eq.count_by_net'));
    assert.deepEqual(hourlyMaxMag(featureLines()), knownAnswer('eq.hourly_max_mag'));
  });

  it('keeps the text of each feature byte for byte in the event', () => {
    const [events, features] = [seismicEvents(), featureLines()];
    assert.equal(events.length, 1707);
    assert.ok(events.every((event, i) => event.line.includes(features[i] ?? '?')));
  });

  it('gives every event its own source and id', () => {
    const keys = seismicEvents().map(({ line }) => {
      const event: { source: string; id: string } = JSON.parse(line);
      return `${event.source} ${event.id}`;
    });
    assert.equal(new Set(keys).size, 1707);
  });

  it('has a small form of about 400 bytes for the benches', () => {
    const lengths = smallSeismicEvents().map(({ line }) => line.length);
    const mean = lengths.reduce((sum, n) => sum + n, 0) / lengths.length;
    assert.ok(mean > 350 && mean < 450, `mean ${mean}`);
  });
});
