/** Flags as the command line gave them, read with coded faults. */
import { fault } from '../../errors.ts';
import { err, ok, type Result } from '../../result.ts';

export class Options {
  readonly #values: Readonly<Record<string, unknown>>;

  constructor(values: Readonly<Record<string, unknown>>) {
    this.#values = values;
  }

  flag(name: string): boolean {
    return this.#values[name] === true;
  }

  text(name: string): string | undefined {
    const value = this.#values[name];
    return typeof value === 'string' ? value : undefined;
  }

  /** What a flag that may be repeated was given, in order. */
  list(name: string): readonly string[] {
    const value = this.#values[name];
    return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : [];
  }

  /** Undefined where the flag is absent, `usage` where it is no whole number from `least` on. */
  count(name: string, least = 0): Result<number | undefined> {
    const text = this.text(name);
    if (text === undefined) return ok(undefined);
    const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
    if (Number.isSafeInteger(value) && value >= least) return ok(value);
    return err(
      fault('usage', `--${dashed(name)} takes a whole number from ${least} on`, {
        pointer: `--${dashed(name)}`,
      }),
    );
  }

  /** Undefined where the flag is absent, `usage` where it is no positive number. */
  positive(name: string): Result<number | undefined> {
    const text = this.text(name);
    if (text === undefined) return ok(undefined);
    const value = /^\d+(?:\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
    if (value > 0) return ok(value);
    return err(
      fault('usage', `--${dashed(name)} takes a number above 0`, { pointer: `--${dashed(name)}` }),
    );
  }
}

function dashed(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}
