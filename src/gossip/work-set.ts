/**
 * Work that an event began and nobody awaits: kept until it ends, so that its owner can wait for it
 * when it closes. A throw in it is a mistake of ours: it is reported and does not end the process.
 */
export class WorkSet {
  readonly #work = new Set<Promise<unknown>>();
  readonly #defect: (cause: unknown) => void;

  constructor(defect: (cause: unknown) => void) {
    this.#defect = defect;
  }

  add(work: Promise<unknown>): void {
    const tracked = work.catch(this.#defect).finally(() => this.#work.delete(tracked));
    this.#work.add(tracked);
  }

  /** Resolves when all that was added before has ended. */
  async settled(): Promise<void> {
    await Promise.all(this.#work);
  }
}
