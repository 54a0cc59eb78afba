/**
 * Reads the fields of a control map strictly: every field has its type and length, none is left
 * over. The first fault sticks, so that a parser reads all fields and checks once.
 */
import { isCborMap, type CborMap, type CborValue } from '../cbor.ts';
import { fault, type Code, type Fault } from '../errors.ts';

export class FieldReader {
  failed: Fault | undefined;
  readonly #map: CborMap;
  readonly #code: Code;
  readonly #seen = new Set<string>();

  /** `code` is given to every fault of this map. */
  constructor(map: CborMap, code: Code) {
    this.#map = map;
    this.#code = code;
  }

  has(name: string): boolean {
    return Object.hasOwn(this.#map, name);
  }
  text(name: string): string {
    const value = this.#take(name);
    if (typeof value === 'string') return value;
    this.refuse(`field ${name} is not text`);
    return '';
  }
  /** A byte string of exactly this length. */
  bytes(name: string, length: number): Uint8Array {
    const value = this.#take(name);
    if (value instanceof Uint8Array && value.length === length) return value;
    this.refuse(`field ${name} is not ${length} bytes`);
    return new Uint8Array(length);
  }
  /** A byte string of any length. */
  blob(name: string): Uint8Array {
    const value = this.#take(name);
    if (value instanceof Uint8Array) return value;
    this.refuse(`field ${name} is not a byte string`);
    return new Uint8Array(0);
  }
  list(name: string): readonly CborValue[] {
    const value = this.#take(name);
    if (Array.isArray(value)) return value;
    this.refuse(`field ${name} is not a list`);
    return [];
  }
  /** An integer from 0 to `most`. */
  uint(name: string, most: number = Number.MAX_SAFE_INTEGER): number {
    const value = this.#take(name);
    if (typeof value === 'number' && value >= 0 && value <= most) return value;
    this.refuse(`field ${name} is not a number from 0 to ${most}`);
    return 0;
  }
  map(name: string): CborMap {
    const value = this.#take(name);
    if (isCborMap(value)) return value;
    this.refuse(`field ${name} is not a map`);
    return {};
  }
  bytesList(name: string): readonly Uint8Array[] {
    const value = this.#take(name);
    const items: Uint8Array[] = [];
    if (!Array.isArray(value)) this.refuse(`field ${name} is not a list`);
    else {
      for (const item of value) {
        if (item instanceof Uint8Array) items.push(item);
        else this.refuse(`field ${name} holds something else than bytes`);
      }
    }
    return items;
  }
  refuse(message: string): void {
    this.failed ??= fault(this.#code, message);
  }
  /** After the last field: anything that was not read is unknown. */
  end(): Fault | undefined {
    for (const name of Object.keys(this.#map)) {
      if (!this.#seen.has(name)) this.refuse(`unknown field ${name}`);
    }
    return this.failed;
  }

  #take(name: string): CborValue | undefined {
    this.#seen.add(name);
    if (Object.hasOwn(this.#map, name)) return this.#map[name];
    this.refuse(`field ${name} is missing`);
    return undefined;
  }
}
