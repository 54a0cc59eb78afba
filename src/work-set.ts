/**
 * Work that an event began and nobody awaits: kept until it ends, so that its owner can wait for it
 * when it closes. A throw in it is a mistake of ours: `defect` is told and the process goes on;
 * without `defect` it is a rejection that nothing handled, of which the process tells.
 */
export class WorkSet {
  readonly #work = new Set<Promise<unknown>>();
  readonly #defect: ((cause: unknown) => void) | undefined;

  constructor(defect?: (cause: unknown) => void) {
    this.#defect = defect;
  }

  add(work: Promise<unknown>): void {
    const told = this.#defect === undefined ? work : work.catch(this.#defect);
    const tracked = told.finally(() => this.#work.delete(tracked));
    this.#work.add(tracked);
  }

  /** Resolves when all that was added before has ended, well or not. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#work);
  }
}
