import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { toHex } from '../../src/bytes.ts';
import { withAttestations } from '../../src/lineage/attestations.ts';
import { flowsOf, type LineageGraph } from '../../src/lineage/graph.ts';
import { walkLineage, type WalkOptions } from '../../src/lineage/walk.ts';
import { asLogIndex, asStreamName, type LogId, type LogIndex } from '../../src/types.ts';
import type { Ledger } from '../../src/ledger/ledger.ts';
import { event, events, newLog, publish, signer, withLog } from '../support/ledger-home.ts';
import { must, refused } from '../support/result.ts';
import { portOf, walkOptions } from './support.ts';

async function cite(
  ledger: Ledger,
  log: LogId,
  id: string,
  hwparents: string,
  more: Record<string, string> = {},
): Promise<LogIndex> {
  const [receipt] = await publish(ledger, log, [event(id, { hwparents, ...more })]);
  return receipt?.index ?? asLogIndex(0);
}

async function walk(
  ledger: Ledger,
  logId: LogId,
  index: number,
  options: Partial<WalkOptions> = {},
): Promise<LineageGraph> {
  const event = { logId, index: asLogIndex(index) };
  return must(await walkLineage(portOf(ledger), event, { ...walkOptions, ...options }));
}

function short(ref: string): string {
  return ref.replace(/^hw:[^/]+\//, '').replace(/@(.{4}).*/, '@$1');
}

/** `index: next…` of each node, in order; the log's id and hashes left out. */
function shape(graph: LineageGraph): string[] {
  return [...graph.nodes.values()].map(({ ref, next, verdict, cut, problem }) => {
    const marks = [
      verdict === 'intact' ? '' : ` ${problem?.code}`,
      cut === undefined ? '' : ` ${cut}`,
    ];
    return `${short(ref)}:${next.map((one) => ` ${short(one)}`).join('')}${marks.join('')}`;
  });
}

describe('tracing up', () => {
  it('goes through parents and ranges to the first events, each verified', async () => {
    const { ledger, log } = await withLog();
    await publish(ledger, log, events(4));
    const a = await cite(ledger, log, 'a', `hw:${log}/2-5`);
    const b = await cite(ledger, log, 'b', `hw:${log}/3 hw:${log}/${a}`);
    const graph = await walk(ledger, log, b);
    assert.deepEqual(shape(graph), [`${b}: 3 ${a}`, '3:', `${a}: 2-5`, '2-5: 2 3 4', '2:', '4:']);
    assert.equal(graph.verdict, 'intact');
    assert.equal(graph.incomplete, undefined);
    assert.equal(flowsOf(graph).length, 6);
    const root = graph.nodes.get(graph.root);
    assert.deepEqual(
      [root?.event?.id, root?.event?.type, root?.event?.activity],
      ['b', 'org.test', undefined],
    );
    await ledger.close();
  });

  it('leaves out the seals within a range', async () => {
    const { ledger, log } = await withLog();
    await publish(ledger, log, events(1));
    await publish(ledger, log, events(1, 5));
    const child = await cite(ledger, log, 'c', `hw:${log}/2-5`);
    assert.deepEqual(shape(await walk(ledger, log, child)), [
      `${child}: 2-5`,
      '2-5: 2 4',
      '2:',
      '4:',
    ]);
    await ledger.close();
  });

  it('stops at the depth that is asked for, and says what goes on', async () => {
    const { ledger, log } = await withLog();
    let last = (await publish(ledger, log, events(1)))[0]?.index ?? asLogIndex(0);
    const chain = [last];
    for (let i = 0; i < 4; i++)
      chain.push((last = await cite(ledger, log, `c${i}`, `hw:${log}/${last}`)));
    const graph = await walk(ledger, log, last, { maxDepth: 2 });
    assert.deepEqual(shape(graph), [
      `${chain[4]}: ${chain[3]}`,
      `${chain[3]}: ${chain[2]}`,
      `${chain[2]}: depth`,
    ]);
    assert.equal(graph.verdict, 'intact');
    assert.deepEqual(shape(await walk(ledger, log, last, { maxDepth: 0 })), [`${last}: depth`]);
    await ledger.close();
  });

  it('is cut at its bound with the places from which it can go on', async () => {
    const { ledger, log } = await withLog();
    await publish(ledger, log, events(30));
    const child = await cite(ledger, log, 'c', `hw:${log}/2-12 hw:${log}/20 hw:${log}/21`);
    const graph = await walk(ledger, log, child, { maxNodes: 6, maxPending: 2 });
    assert.equal(graph.nodes.size, 6);
    assert.equal(graph.verdict, 'incomplete');
    assert.equal(graph.incomplete?.fault.code, 'lineage-cut');
    const [rest, next] = graph.incomplete?.pending ?? [];
    assert.equal(rest, `hw:${log}/6-12`);
    assert.ok(next?.startsWith(`hw:${log}/20@`));
    assert.equal(graph.incomplete?.more, 1);
    await ledger.close();
  });

  it('visits a shared ancestor once, however many ways lead to it', async () => {
    const { ledger, log } = await withLog();
    let [x, y] = (await publish(ledger, log, events(2))).map(({ index }) => index);
    for (let i = 0; i < 20; i++) {
      const [a, b] = [`hw:${log}/${x} hw:${log}/${y}`, `hw:${log}/${y} hw:${log}/${x}`];
      const pair = [event(`a${i}`, { hwparents: a }), event(`b${i}`, { hwparents: b })];
      [x, y] = (await publish(ledger, log, pair)).map(({ index }) => index);
    }
    const graph = await walk(ledger, log, x ?? 0);
    assert.equal(graph.nodes.size, 41);
    await ledger.close();
  });

  it('marks what is not kept here, and what is for others only', async () => {
    const { ledger: source, log: inputs } = await withLog();
    const [receipt] = await publish(source, inputs, events(1));
    const hash = toHex(receipt?.leafHash ?? new Uint8Array(32));
    const { ledger, log } = await withLog();
    const child = await cite(ledger, log, 'c', `hw:${inputs}/1@${hash}`);
    assert.deepEqual(shape(await walk(ledger, log, child)), [
      `${child}: 1@${hash.slice(0, 4)}`,
      `1@${hash.slice(0, 4)}: lineage-not-kept`,
    ]);
    const event = { logId: log, index: child };
    const port = portOf(ledger, [], { closed: (logId) => logId === inputs });
    const closed = must(await walkLineage(port, event, walkOptions));
    assert.equal([...closed.nodes.values()][1]?.problem?.code, 'lineage-no-access');
    assert.equal(closed.verdict, 'incomplete');
    refused(
      await walkLineage(port, { logId: inputs, index: asLogIndex(1) }, walkOptions),
      'lineage-no-access',
    );
    await Promise.all([ledger.close(), source.close()]);
  });

  it('says broken where the entry is not the one that was cited', async () => {
    const { ledger: source, log: inputs } = await withLog();
    const { ledger, log } = await withLog();
    const lie = '11'.repeat(32);
    const child = await cite(ledger, log, 'c', `hw:${inputs}/1@${lie} hw:${inputs}/1-3@${lie}`);
    await publish(source, inputs, events(3));
    must(await ledger.follow(inputs));
    for await (const { wire } of source.blocks(inputs, asLogIndex(0)))
      await ledger.apply(wire, 'sync');
    const graph = await walk(ledger, log, child);
    assert.equal(graph.verdict, 'broken');
    assert.deepEqual(shape(graph).slice(1), [
      '1@1111: parent-mismatch',
      '1-3@1111: parent-mismatch',
    ]);
    await Promise.all([ledger.close(), source.close()]);
  });

  it('refuses what is no event, and ends when it is broken off', async () => {
    const { ledger, log } = await withLog();
    await publish(ledger, log, events(1));
    const at = (index: number): { logId: LogId; index: LogIndex } => ({
      logId: log,
      index: asLogIndex(index),
    });
    refused(await walkLineage(portOf(ledger), at(0), walkOptions), 'event-unknown');
    refused(await walkLineage(portOf(ledger), at(99), walkOptions), 'index-over-head');
    const child = await cite(ledger, log, 'c', `hw:${log}/2`);
    const options = { ...walkOptions, signal: AbortSignal.abort() };
    refused(await walkLineage(portOf(ledger), at(child), options), 'interrupted');
    await ledger.close();
  });
});

describe('tracing down', () => {
  it('goes to the events that cite it, singly or in a range, over logs', async () => {
    const { ledger, log } = await withLog();
    const other = must(await ledger.create({ ...newLog, name: asStreamName('derived') }, signer));
    await publish(ledger, log, events(6));
    const a = await cite(ledger, other, 'a', `hw:${log}/3`);
    const b = await cite(ledger, log, 'b', `hw:${log}/1-6`);
    const c = await cite(ledger, other, 'c', `hw:${other}/${a} hw:${log}/${b}`);
    const graph = await walk(ledger, log, 3, { direction: 'down' });
    assert.deepEqual(
      shape(graph).sort(),
      [`${a}: ${c}`, `${b}: ${c}`, `${c}:`, `3: ${a} ${b}`].sort(),
    );
    assert.equal(graph.nodes.get(`hw:${other}/${c}`)?.verdict, 'intact');
    const [flow] = flowsOf(graph);
    assert.equal(flow?.input.ref, `hw:${log}/3`);
    const near = await walk(ledger, log, 3, { direction: 'down', maxDepth: 1 });
    assert.deepEqual(
      [...near.nodes.values()].map(({ cut }) => cut),
      [undefined, 'depth', 'depth'],
    );
    await ledger.close();
  });
});

describe('attestations', () => {
  it('stand beside the event that they are about', async () => {
    const { ledger, log } = await withLog();
    await publish(ledger, log, events(2));
    const child = await cite(ledger, log, 'use', `hw:${log}/2`);
    const type = { type: 'org.headwater.attestation', data: '{"accuracy":"good"}' };
    const attested = await cite(ledger, log, 'att', `hw:${log}/2`, type);
    const graph = await withAttestations(portOf(ledger, [log]), await walk(ledger, log, child), {
      maxAttestations: 4,
      maxAttestedNodes: 10,
    });
    const found = graph.nodes.get(`hw:${log}/2`)?.attestations ?? [];
    assert.deepEqual(
      found.map(({ ref, verdict, organisation, statement }) => [
        ref,
        verdict,
        organisation,
        statement,
      ]),
      [[`hw:${log}/${attested}`, 'intact', 'acme', '{"accuracy":"good"}']],
    );
    assert.deepEqual(graph.nodes.get(graph.root)?.attestations, []);
    await ledger.close();
  });
});
