/** The fuzzer's loop: draws a seed, an edit and a judge for each input. Same seed, same inputs. */
import { compare, concat, fromUtf8, toBase64, utf8 } from '../../src/bytes.ts';
import type { Signer } from '../../src/crypto.ts';
import { didKey } from '../../src/ids.ts';
import { nodeCrypto } from '../../src/crypto-node.ts';
import { asSignature } from '../../src/types.ts';
import { Dice } from '../../test/sim/dice.ts';
import { people, readCorpus, type Seed } from './corpus.ts';
import { editBytes, StructureEditor } from './edits.ts';
import { head, text } from './items.ts';
import { policy, Properties, selector } from './properties.ts';

export interface FuzzOptions {
  readonly inputs: number;
  readonly seed: number;
  /** Stops then, wherever it is. */
  readonly seconds?: number;
  readonly note?: (text: string) => void;
}

export interface FuzzReport {
  readonly inputs: number;
  readonly seconds: number;
  /** How often each kind of seed ended with each code, or `ok`. */
  readonly outcomes: ReadonlyMap<string, number>;
  /** The slowest input: best of four runs, so that a pause of the process does not count. */
  readonly slowest: { readonly ms: number; readonly kind: string; readonly input: string };
  /** Broken properties, the first ten. */
  readonly broken: readonly {
    readonly why: string;
    readonly kind: string;
    readonly input: string;
  }[];
}

/** An input that takes longer is a broken property, also on a slow machine. */
const maxMs = 100;

interface Input {
  readonly seed: Seed;
  readonly bytes: Uint8Array;
  readonly signed: boolean;
}

export function fuzz(options: FuzzOptions): FuzzReport {
  const dice = new Dice(options.seed);
  const seeds = readCorpus();
  const maker = new Maker(dice, seeds);
  const properties = new Properties(seeds);
  const outcomes = new Map<string, number>();
  const broken: { why: string; kind: string; input: string }[] = [];
  let slowest = { ms: 0, kind: '', input: '' };
  const begun = performance.now();
  let last = begun;
  let done = 0;
  for (; done < options.inputs && broken.length < 10; done++) {
    const input = maker.next();
    const { kind } = input.seed;
    const started = performance.now();
    try {
      const outcome = `${kind} ${judge(properties, input)}`;
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    } catch (cause) {
      const why = cause instanceof Error ? `${cause.name}: ${cause.message}` : String(cause);
      broken.push({ why, kind, input: toBase64(input.bytes) });
      continue;
    }
    const ended = performance.now();
    if (ended - started > slowest.ms) {
      const ms = best(properties, input, ended - started);
      if (ms > slowest.ms) slowest = { ms, kind, input: toBase64(input.bytes) };
      if (ms > maxMs) broken.push({ why: `it takes ${ms} ms`, kind, input: toBase64(input.bytes) });
    }
    if (options.seconds !== undefined && ended - begun > options.seconds * 1000) break;
    if (ended - last > 30_000) {
      last = ended;
      options.note?.(`${done + 1} inputs, ${Math.round((ended - begun) / 1000)} s`);
    }
  }
  return { inputs: done, seconds: (performance.now() - begun) / 1000, outcomes, slowest, broken };
}

function best(properties: Properties, input: Input, first: number): number {
  let ms = first;
  for (let n = 0; n < 3; n++) {
    const started = performance.now();
    judge(properties, input);
    ms = Math.min(ms, performance.now() - started);
  }
  return ms;
}

function judge(properties: Properties, { seed, bytes, signed }: Input): string {
  switch (seed.kind) {
    case 'delegation':
      return properties.delegation(bytes, signed);
    case 'invocation':
      return properties.invocation(bytes, signed);
    case 'revocation':
      return properties.revocation(bytes, signed);
    case 'policy':
      return policy(bytes);
    case 'container':
    case 'grant':
      return properties.container(bytes, signed);
    case 'selectors': {
      const decoded = fromUtf8(bytes);
      return decoded.ok ? selector(decoded.value) : decoded.error.code;
    }
  }
}

/** Draws the inputs. */
class Maker {
  readonly #dice: Dice;
  readonly #seeds: readonly Seed[];
  readonly #cbor: readonly Uint8Array[];
  readonly #editor = new StructureEditor();
  readonly #lines: readonly Uint8Array[];

  constructor(dice: Dice, seeds: readonly Seed[]) {
    this.#dice = dice;
    this.#seeds = seeds;
    const textual = new Set(['container', 'grant', 'selectors']);
    const own = seeds.filter(({ kind }) => !textual.has(kind)).map(({ bytes }) => bytes);
    this.#cbor = [...own, ...seeds.flatMap(({ tokens }) => tokens)];
    const selectors = seeds.find(({ kind }) => kind === 'selectors')?.bytes ?? new Uint8Array(0);
    this.#lines = new TextDecoder().decode(selectors).split('\n').map(utf8);
  }

  next(): Input {
    const seed = this.#pick(this.#seeds);
    if (seed.kind === 'selectors') {
      const bytes = editBytes(this.#dice, this.#pick(this.#lines), this.#pick(this.#lines));
      return { seed, bytes, signed: false };
    }
    if (seed.tokens.length > 0) return this.#container(seed);
    const bytes = this.#edit(seed.bytes);
    const again = seed.kind !== 'policy' && this.#dice.chance(0.1);
    return again
      ? { seed, bytes: resign(seed.bytes, bytes), signed: true }
      : { seed, bytes, signed: false };
  }

  #edit(bytes: Uint8Array): Uint8Array {
    const other = this.#pick(this.#cbor);
    if (this.#dice.chance(0.3)) return editBytes(this.#dice, bytes, other);
    const edited = this.#editor.edit(this.#dice, bytes, other);
    return this.#dice.chance(0.1) ? editBytes(this.#dice, edited, other) : edited;
  }

  #container(seed: Seed): Input {
    const dice = this.#dice;
    if (dice.chance(0.3)) {
      const bytes = editBytes(dice, seed.bytes, this.#pick(this.#seeds).bytes);
      return { seed, bytes, signed: false };
    }
    let tokens = [...seed.tokens];
    const at = dice.below(tokens.length);
    const before = tokens[at] ?? new Uint8Array(0);
    let signed = false;
    switch (dice.below(5)) {
      case 0:
        tokens.splice(at, 1, ...(dice.chance(0.5) ? [] : [before, before]));
        break;
      case 1:
        tokens.push(this.#pick(this.#cbor));
        break;
      case 2:
        tokens = dice.shuffle(tokens);
        break;
      default:
        signed = dice.chance(0.15);
        tokens[at] = signed ? resign(before, this.#edit(before)) : this.#edit(before);
    }
    if (dice.chance(0.7)) tokens.sort(compare);
    const items = tokens.map((token) => concat(head(2, BigInt(token.length)), token));
    const list = concat(head(4, BigInt(items.length)), ...items);
    return { seed, bytes: this.#wrap(concat(head(5, 1n), text('ctn-v1'), list)), signed };
  }

  #wrap(content: Uint8Array): Uint8Array {
    const edited = this.#dice.chance(0.1) ? editBytes(this.#dice, content, content) : content;
    const form = this.#dice.below(10);
    if (form === 0) return concat(utf8('@'), edited);
    if (form === 1) return utf8(`B${toBase64(edited)}`);
    return utf8(`C${Buffer.from(edited).toString('base64url')}`);
  }

  #pick<T>(items: readonly T[]): T {
    const found = this.#dice.pick(items);
    if (found === undefined) throw new RangeError('an empty corpus');
    return found;
  }
}

/** The edited bytes with a true signature of who signed the seed, so that checks behind it are met. */
function resign(seed: Uint8Array, edited: Uint8Array): Uint8Array {
  if (edited[0] !== 0x82 || edited[1] !== 0x58 || edited[2] !== 0x40) return edited;
  const signed = edited.subarray(67);
  return concat(edited.subarray(0, 3), signerOf(seed).sign(signed), signed);
}

const signers = new Map<Uint8Array, Signer>();
function signerOf(seed: Uint8Array): Signer {
  const known = signers.get(seed);
  if (known !== undefined) return known;
  const signature = asSignature(seed.slice(3, 67));
  const found = people.find(({ did }) =>
    nodeCrypto.verify(didKey(did), seed.subarray(67), signature),
  );
  if (found === undefined) throw new RangeError('a seed that nobody signed');
  signers.set(seed, found.signer);
  return found.signer;
}
