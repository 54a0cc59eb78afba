/**
 * A map of at most `max` entries: where it is full, the one that was set or used longest ago goes.
 * For what can be had again, and for what others could make us remember without end.
 */
export class RecentMap<K, V> extends Map<K, V> {
  readonly #max: number;

  constructor(max: number) {
    super();
    this.#max = max;
  }

  override set(key: K, value: V): this {
    super.delete(key);
    super.set(key, value);
    if (this.size <= this.#max) return this;
    const oldest = this.keys().next();
    if (oldest.done !== true) super.delete(oldest.value);
    return this;
  }

  /** As `get`, and the entry counts as just set. */
  use(key: K): V | undefined {
    const value = this.get(key);
    if (value !== undefined) this.set(key, value);
    return value;
  }
}
