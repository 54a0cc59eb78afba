/** Reads JSON of unknown shape member by member: what is missing or of another type is undefined. */

export class JsonView {
  readonly value: unknown;

  constructor(value: unknown) {
    this.value = value;
  }

  /** undefined-valued view where the text is not JSON. */
  static parse(text: string): JsonView {
    try {
      return new JsonView(JSON.parse(text));
    } catch {
      return new JsonView(undefined);
    }
  }

  at(name: string): JsonView {
    const { value } = this;
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return nothing;
    return Object.hasOwn(value, name) ? new JsonView(member(value, name)) : nothing;
  }

  list(name: string): readonly JsonView[] {
    return this.at(name).items();
  }

  items(): readonly JsonView[] {
    return Array.isArray(this.value) ? this.value.map((item: unknown) => new JsonView(item)) : [];
  }

  text(name: string): string | undefined {
    const { value } = this.at(name);
    return typeof value === 'string' ? value : undefined;
  }

  number(name: string): number | undefined {
    const { value } = this.at(name);
    return typeof value === 'number' ? value : undefined;
  }

  flag(name: string): boolean {
    return this.at(name).value === true;
  }
}

const nothing = new JsonView(undefined);

function member(value: object, name: string): unknown {
  return Object.getOwnPropertyDescriptor(value, name)?.value;
}
