/**
 * The order of events that a PROV instance implies (PROV-CONSTRAINTS 30 to 49). All generations of
 * an entity are at one moment, and so are its invalidations and the starts and the ends of an
 * activity (31, 32, 39, 40): one event stands for them. An order exists unless there is a way from
 * an event to itself over a strict step (42).
 */
import type { Fault } from '../errors.ts';
import { invalid, nothing, type Statement, type Terms } from './prov-terms.ts';

interface Step {
  readonly to: string;
  readonly strict: boolean;
}

/** Constraints 30 to 49. */
export function ordered(terms: Terms, statements: readonly Statement[]): Fault | undefined {
  const order = new Order(terms);
  for (const statement of statements) order.read(statement);
  const event = order.ownCause();
  return event === undefined ? undefined : invalid(42, `${event} comes before itself`);
}

class Order {
  readonly #terms: Terms;
  readonly #steps = new Map<string, Step[]>();

  constructor(terms: Terms) {
    this.#terms = terms;
  }

  read({ kind, id, args }: Statement): void {
    const [a = nothing, b = nothing, c = nothing] = args;
    switch (kind) {
      case 'entity':
        return this.#before(generation(id), invalidation(id));
      case 'activity':
        return this.#before(start(id), end(id));
      case 'wasGeneratedBy':
        this.#before(generation(a), invalidation(a));
        return this.#within(generation(a), b);
      case 'wasInvalidatedBy':
        this.#before(generation(a), invalidation(a));
        return this.#within(invalidation(a), b);
      case 'used':
        this.#within(usage(id), a);
        this.#before(generation(b), usage(id));
        return this.#before(usage(id), invalidation(b));
      case 'wasInformedBy':
        return this.#before(start(b), end(a));
      case 'wasStartedBy':
        return this.#triggered(start(a), b, c);
      case 'wasEndedBy':
        return this.#triggered(end(a), b, c);
      case 'wasDerivedFrom':
        if (c !== nothing) this.#before(usage(args[4] ?? nothing), generation(a));
        return this.#before(generation(b), generation(a), true);
      case 'specializationOf':
        this.#before(generation(b), generation(a));
        return this.#before(invalidation(a), invalidation(b));
      case 'wasAssociatedWith':
        this.#before(start(a), invalidation(b));
        return this.#before(generation(b), end(a));
      case 'wasAttributedTo':
        return this.#before(generation(b), generation(a));
      case 'actedOnBehalfOf':
        return this.#before(generation(b), invalidation(a));
      case 'agent':
      case 'alternateOf':
      case 'hadMember':
      case 'mentionOf':
      case 'wasInfluencedBy':
        return undefined;
    }
  }

  /** An event that comes before itself. */
  ownCause(): string | undefined {
    for (const [from, steps] of this.#steps) {
      for (const { to, strict } of steps) {
        if (strict && this.#reaches(to, from)) return from;
      }
    }
    return undefined;
  }

  #reaches(from: string, to: string): boolean {
    const seen = new Set([from]);
    for (const event of seen) {
      if (event === to) return true;
      for (const step of this.#steps.get(event) ?? []) seen.add(step.to);
    }
    return false;
  }

  /** During an activity. */
  #within(event: Event, activity: string): void {
    this.#before(start(activity), event);
    this.#before(event, end(activity));
  }

  /** Started or ended by an entity, which the starting or ending activity generated. */
  #triggered(event: Event, trigger: string, activity: string): void {
    this.#before(generation(trigger), event);
    this.#before(event, invalidation(trigger));
    this.#within(generation(trigger), activity);
  }

  #before(first: Event, second: Event, strict: boolean = false): void {
    const [from, to] = [first, second].map(([what, term]) => `${what} ${this.#terms.find(term)}`);
    if (from === undefined || to === undefined) return;
    const steps = this.#steps.get(from) ?? [];
    steps.push({ to, strict });
    this.#steps.set(from, steps);
  }
}

type Event = readonly [what: string, term: string];
const generation = (term: string): Event => ['generation', term];
const invalidation = (term: string): Event => ['invalidation', term];
const usage = (term: string): Event => ['usage', term];
const start = (term: string): Event => ['start', term];
const end = (term: string): Event => ['end', term];
