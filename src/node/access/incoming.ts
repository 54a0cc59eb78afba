/**
 * Requests of others for grants of ours. What we answer never depends on whether the stream exists:
 * a request for one that does not is kept and waits like any other, for the operator to reject.
 */
import { fault } from '../../errors.ts';
import type { AccessAnswer, GrantRequest, RequestId } from '../../gossip/access-codec.ts';
import type { Asker } from '../../gossip/access-port.ts';
import { peerKey } from '../../gossip/peer-id.ts';
import { didFromKey, parseDid } from '../../ids.ts';
import { err, ok, type Result } from '../../result.ts';
import { isStreamName, type Did, type TimeMs } from '../../types.ts';
import { formatContainer } from '../../access/ucan-container.ts';
import { journalTypes, type Journal } from '../core/journal.ts';
import type { GrantInput } from '../grants-api.ts';
import type { AccessRule } from '../access-rules.ts';
import { ruleFor } from '../access-rules.ts';
import type { KeptGrant } from './grant-book.ts';
import type { KeptRequest, RequestBook } from './request-book.ts';

export type Given = Partial<Omit<GrantInput, 'to' | 'purpose'>>;

export interface Answering {
  give(request: KeptRequest, input: Given): Promise<Result<KeptGrant>>;
  /** Is there a direct stream of ours of that name? */
  exists(stream: string): boolean;
  /** Is this the id of a grant of ours, not revoked, for that stream and who asks? */
  renewable(request: GrantRequest, organisation: Did): boolean;
  /** Was something taken back from who asks, for this stream? Then no rule gives it again. */
  wasRevoked(request: KeptRequest): boolean;
}

export interface IncomingParts {
  readonly book: RequestBook;
  readonly journal: Journal;
  readonly owner: Did;
  /** One organisation, by any of its DIDs? */
  readonly isSame?: (a: Did, b: Did) => boolean;
  readonly now: () => TimeMs;
  readonly rules: readonly AccessRule[];
  /** Local names of organisations. */
  readonly aliases: Readonly<Record<string, Did>>;
  readonly limits: {
    readonly maxGrantRequests: number;
    readonly maxGrantRequestsPerOrganisation: number;
  };
}

/** Requests of an organisation that are kept, answered ones included, for each that may wait. */
const answeredPerOpen = 64;

export class Incoming {
  readonly #parts: IncomingParts;
  readonly #answering: Answering;

  constructor(parts: IncomingParts, answering: Answering) {
    this.#parts = parts;
    this.#answering = answering;
  }

  async request(request: GrantRequest, asker: Asker): Promise<Result<AccessAnswer>> {
    const { book, owner, now } = this.#parts;
    const known = book.get('in', request.id);
    if (known !== undefined) {
      if (!this.#isSame(known.organisation, asker.organisation)) return ok(pending(request.id));
      return ok(answerTo(known));
    }
    const audience = parseDid(request.audience);
    if (!audience.ok || !isStreamName(request.stream) || !isOwn(audience.value, asker)) {
      return err(fault('grant-args', 'a request is for the organisation that asks or its peer'));
    }
    const full = this.#full(asker.organisation);
    if (full) return err(fault('requests-full', 'too many requests wait for an answer'));
    const { id, stream, purpose, seconds } = request;
    const kept = await book.put({
      side: 'in',
      id,
      owner,
      stream,
      purpose,
      seconds,
      organisation: asker.organisation,
      audience: audience.value,
      since: now(),
      state: 'pending',
      reason: '',
      grant: '',
      grantId: '',
      renews: this.#answering.renewable(request, asker.organisation) ? request.renews : '',
    });
    if (!kept.ok) return kept;
    this.#tell(kept.value, kept.value.renews === '' ? 'requested' : 'renewal requested');
    const ruled = await this.#byRule(kept.value);
    return ok(answerTo(ruled));
  }

  /** `pending` also for a request of somebody else, and for none. */
  stateOf(id: RequestId, asker: Asker): Promise<Result<AccessAnswer>> {
    const known = this.#parts.book.get('in', id);
    const own = known !== undefined && this.#isSame(known.organisation, asker.organisation);
    return Promise.resolve(ok(known !== undefined && own ? answerTo(known) : pending(id)));
  }

  async withdraw(id: RequestId, asker: Asker): Promise<Result<AccessAnswer>> {
    const known = this.#parts.book.get('in', id);
    if (known === undefined || !this.#isSame(known.organisation, asker.organisation))
      return ok(pending(id));
    if (known.state !== 'pending') return ok(answerTo(known));
    const kept = await this.#parts.book.put({ ...known, state: 'withdrawn' });
    if (!kept.ok) return kept;
    this.#tell(kept.value, 'withdrawn');
    return ok(answerTo(kept.value));
  }

  #isSame(a: Did, b: Did): boolean {
    return a === b || this.#parts.isSame?.(a, b) === true;
  }

  /** Gives what was asked for, or less. Codes: stream-unknown, those of giving a grant. */
  async accept(request: KeptRequest, input: Given): Promise<Result<KeptRequest>> {
    if (!this.#answering.exists(request.stream)) {
      return err(fault('stream-unknown', `there is no direct stream ${request.stream} here`));
    }
    const given = await this.#answering.give(request, input);
    if (!given.ok) return given;
    const grant = formatContainer(given.value.tokens);
    const grantId = given.value.scope.id;
    return this.#parts.book.put({ ...request, state: 'accepted', grant, grantId });
  }

  reject(request: KeptRequest, reason: string): Promise<Result<KeptRequest>> {
    return this.#parts.book.put({ ...request, state: 'rejected', reason });
  }

  async #byRule(request: KeptRequest): Promise<KeptRequest> {
    const rule = ruleFor(this.#parts.rules, request, this.#parts.aliases);
    if (rule === undefined || !this.#answering.exists(request.stream)) return request;
    if (rule.accept && this.#answering.wasRevoked(request)) return request;
    const done = rule.accept
      ? await this.accept(request, secondsOf(request, rule))
      : await this.reject(request, rule.reason ?? '');
    if (!done.ok) return request;
    this.#tell(done.value, `${done.value.state} by rule`);
    return done.value;
  }

  #full(organisation: Did): boolean {
    const { book, limits } = this.#parts;
    const open = book.all('in');
    if (open.length >= limits.maxGrantRequests) return true;
    const own = open.filter((one) => this.#isSame(one.organisation, organisation));
    const waiting = own.filter(({ state }) => state === 'pending').length;
    const most = limits.maxGrantRequestsPerOrganisation;
    // What was withdrawn or rejected counts too, or one could fill the book with it.
    return waiting >= most || own.length >= most * answeredPerOpen;
  }

  #tell(request: KeptRequest, step: string): void {
    const { id, stream, organisation, purpose, grantId } = request;
    const data = { step, request: id, organisation, purpose, grant: grantId };
    this.#parts.journal.record({ type: journalTypes.access, subject: stream, data });
  }
}

function isOwn(audience: Did, { organisation, peer }: Asker): boolean {
  const key = peerKey(peer);
  return audience === organisation || (key !== undefined && audience === didFromKey(key));
}

/** What was asked for, cut to what the rule gives at most. */
function secondsOf({ seconds }: KeptRequest, { maxSeconds }: AccessRule): Given {
  if (maxSeconds === undefined) return {};
  return { seconds: seconds === 0 ? maxSeconds : Math.min(seconds, maxSeconds) };
}

function pending(id: RequestId): AccessAnswer {
  return { kind: 'answer', id, state: 'pending', reason: '', grant: '' };
}

function answerTo({ id, state, reason, grant }: KeptRequest): AccessAnswer {
  return { kind: 'answer', id, state, reason, grant };
}
