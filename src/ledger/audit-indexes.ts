/** What the indexes of a log must hold, counted from its blocks, and whether they do. */
import { readUint48 } from '../bytes.ts';
import { keyspace, logKey, numberKey, type Table } from '../keyspace.ts';
import type { ParsedEvent } from '../types.ts';
import type { CheckedBlock } from './audit-range.ts';
import { isEvent, type DecodedBlock } from './block.ts';
import { lookUpIds } from './id-rows.ts';
import { leafKind } from './leaf.ts';
import type { LedgerEnv } from './ledger-env.ts';
import type { LogHandle } from './log-handle.ts';
import { batchesOf } from './replay.ts';
import { asLogIndex } from '../types.ts';

export interface IndexProblem {
  readonly index: number;
  readonly message: string;
}

const page = 5000;

/** Rows of a table that belong to a log; undefined where the store fails. */
export async function countIndexes(
  env: LedgerEnv,
  log: number,
  table: Table,
): Promise<number | undefined> {
  await using scan = env.options.store.scan({
    gte: logKey(table, log),
    lt: logKey(table, log + 1),
    keysOnly: true,
  });
  for (let count = 0; ;) {
    const rows = await scan.next(page);
    if (!rows.ok) return undefined;
    if (rows.value.length === 0) return count;
    count += rows.value.length;
  }
}

export class IndexTally {
  readonly #starts: number[] = [];
  #events = 0;
  /** Events whose body is gone: their id may still have its row. */
  #gone = 0;
  #subjects = 0;
  #controls = 0;
  /** Sealed events with a body: what rows they have is not seen without keys. */
  #sealed = 0;

  block(number: number, block: DecodedBlock, events: readonly (ParsedEvent | undefined)[]): void {
    this.#starts[number] = block.firstIndex;
    for (const event of events) {
      if (event === undefined) continue;
      this.#events += 1;
      if (typeof event.context['subject'] === 'string') this.#subjects += 1;
    }
    for (const entry of block.entries) {
      if (entry.control !== undefined) this.#controls += 1;
      else if (isEvent(entry) && entry.bodyOffset < 0) this.#gone += 1;
      else if (entry.kind === leafKind.sealed) this.#sealed += 1;
    }
  }

  /** Of a block that was checked beside others. */
  checked(number: number, block: CheckedBlock): void {
    this.#starts[number] = block.firstIndex;
    this.#events += block.events;
    this.#subjects += block.subjects;
    this.#controls += block.controls.length;
    this.#gone += block.gone.length;
    this.#sealed += block.sealed;
  }

  /** Empty where all fits. */
  async compare(env: LedgerEnv, handle: LogHandle): Promise<readonly IndexProblem[]> {
    const log = handle.row.number;
    const problems: IndexProblem[] = [];
    const wrongStart = await this.#compareStarts(env, log);
    if (wrongStart !== undefined) problems.push(wrongStart);
    const counts = [
      { name: 'times', table: keyspace.times, wanted: this.#starts.length },
      { name: 'controls', table: keyspace.controls, wanted: this.#controls },
      { name: 'subjects', table: keyspace.subjects, wanted: this.#subjects },
    ];
    for (const { name, table, wanted } of counts) {
      const found = await countIndexes(env, log, table);
      if (found === wanted || (table === keyspace.subjects && this.#maySeal(found))) continue;
      const what = found === undefined ? 'cannot be read' : `has ${found} rows for ${wanted}`;
      problems.push({ index: 0, message: `the index of ${name} ${what}` });
    }
    const ids = await countIndexes(env, log, keyspace.ids);
    const most = this.#events + this.#gone;
    if (ids === this.#events || ids === most || this.#maySeal(ids)) return problems;
    // Fewer rows are right where the writer used an id twice: then each event still finds one.
    const lost = ids !== undefined && ids < most ? await this.#lostId(env, handle) : 0;
    if (lost !== undefined) {
      const what = ids === undefined ? 'cannot be read' : `has ${ids} rows for ${this.#events}`;
      problems.push({ index: lost, message: `the index of ids ${what}` });
    }
    return problems;
  }

  /** In a log of sealed events any number of rows up to theirs may be right: the scrub looks at each. */
  #maySeal(found: number | undefined): boolean {
    return this.#sealed > 0 && found !== undefined && found <= this.#sealed + this.#gone;
  }

  async #compareStarts(env: LedgerEnv, log: number): Promise<IndexProblem | undefined> {
    await using scan = env.options.store.scan({
      gte: numberKey(keyspace.starts, log, 0),
      lt: logKey(keyspace.starts, log + 1),
    });
    let number = 0;
    const wrong = (): IndexProblem => ({
      index: this.#starts[number] ?? 0,
      message: 'the index of block starts does not fit the blocks',
    });
    for (;;) {
      const rows = await scan.next(page);
      if (!rows.ok) return wrong();
      if (rows.value.length === 0) return number === this.#starts.length ? undefined : wrong();
      for (const { key, value } of rows.value) {
        if (readUint48(key, 5) !== this.#starts[number] || readUint48(value, 0) !== number) {
          return wrong();
        }
        number += 1;
      }
    }
  }

  /** First event whose source and id the index does not know. */
  async #lostId(env: LedgerEnv, handle: LogHandle): Promise<number | undefined> {
    const newest = handle.stored?.slices.at(-1)?.number ?? -1;
    const slices = Array.from({ length: newest + 1 }, (_, number) => ({ number }));
    for await (const batch of batchesOf(env, handle, asLogIndex(0))) {
      const keys: Uint8Array[] = [];
      const indexes: number[] = [];
      for (let index: number = batch.from; index < batch.to; index++) {
        const event = batch.event(index);
        const judged = event === undefined ? undefined : env.options.judges.event(event);
        if (judged?.ok !== true) continue;
        keys.push(env.ids.idKey(String(judged.value['source']), String(judged.value['id'])));
        indexes.push(index);
      }
      const rows = await lookUpIds(env.options.store, handle.row.number, () => slices, keys);
      const lost = rows.ok ? rows.value.indexOf(undefined) : 0;
      if (lost >= 0) return indexes[lost] ?? batch.from;
    }
    return undefined;
  }
}
