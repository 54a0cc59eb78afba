/**
 * Who may call (access.md "Node API"). By entry-points.ts a request needs the token of the home, a
 * UCAN bearer (admins.ts), a ticket (tickets.ts), the read-only token for metrics, or nothing: the
 * last only from this machine. Tokens are compared by their hashes, in the same time wherever the
 * difference lies. Nobody learns from a refusal whether what was asked for exists: nothing is looked
 * up before somebody is let in.
 */
import { timingSafeEqual } from 'node:crypto';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { nodeCrypto } from '../../crypto-node.ts';
import { utf8 } from '../../bytes.ts';
import { fault, type Fault } from '../../errors.ts';
import type { Clock, Random } from '../../host.ts';
import { err, ok, type Result } from '../../result.ts';
import type { NodeApi } from '../node-api.ts';
import type { AdminCourt } from './admins.ts';
import { addressGroup, Attempts, isLoopback } from './attempts.ts';
import { sameOrigin } from './browsers.ts';
import { setCaller, targetOf, type Caller } from './callers.ts';
import { entryPoint, neededCommand, type EntryPoint } from './entry-points.ts';
import type { HttpLimits } from './parts.ts';
import { sendProblem } from './problem.ts';
import { textOf } from './request.ts';
import { Tickets } from './tickets.ts';

export interface ApiSecurity {
  readonly clock: Clock;
  readonly random: Random;
  /** Judges UCAN bearers; without it there are none. */
  readonly admins?: AdminCourt;
  /** The read-only token for metrics as of now; undefined where none was made. */
  metricsToken?(): Promise<string | undefined>;
  /** Told of callers who brought something that was refused; never with what they brought. */
  onDenied?(problem: Fault, request: string): void;
}

/** Longer ones cannot be the token of a home. */
const maxTokenLength = 128;

export class Guard {
  readonly tickets: Tickets;
  readonly #api: NodeApi;
  readonly #token: Uint8Array;
  readonly #security: ApiSecurity;
  readonly #attempts: Attempts;

  constructor(api: NodeApi, token: string, security: ApiSecurity, limits: HttpLimits) {
    this.#api = api;
    this.#token = hashOf(token);
    this.#security = security;
    this.tickets = new Tickets(security.clock, security.random, limits);
    const { maxStrangerRequestsPerSecond, maxCallerAddresses } = limits;
    this.#attempts = new Attempts(security.clock, maxStrangerRequestsPerSecond, maxCallerAddresses);
  }

  /**
   * Who calls, where that may be. Codes: `token-refused`, `ticket-refused`, `origin-refused`,
   * `rate-limited` (an address that tries too much), those of `AdminCourt`.
   */
  async admit(request: FastifyRequest): Promise<Result<Caller>> {
    const { socket } = request.raw;
    const encrypted = 'encrypted' in socket && socket.encrypted === true;
    const local = isLoopback(socket.remoteAddress);
    const { query } = targetOf(request);
    const ticket = new URLSearchParams(query).get('ticket');
    const upgrade = request.headers.upgrade !== undefined;
    const page = upgrade || ticket !== null ? sameOrigin(request, encrypted) : ok(undefined);
    if (!page.ok) return page;
    const given = /^Bearer +(\S+)$/i.exec(request.headers.authorization ?? '')?.[1];
    const isHome = given !== undefined && this.#isHome(given);
    // Without TLS the token would travel for everybody to read.
    if (isHome && (local || encrypted)) return ok({ kind: 'home', key: 'home' });
    const entry = entryPoint(request.method, request.routeOptions.url);
    const address = addressGroup(socket.remoteAddress);
    if (local && this.#isOpen(entry, request)) return ok({ kind: 'open', key: address });
    if (!this.#attempts.take(address)) return err(fault('rate-limited', 'too many requests'));
    if (given !== undefined) return this.#judge(given, entry, request);
    if (ticket !== null && entry.ticket === true && isStreaming(request)) {
      return this.tickets.redeem(ticket, targetOf(request).path);
    }
    return err(fault('token-refused', 'no bearer token was given'));
  }

  #isHome(given: string): boolean {
    return given.length <= maxTokenLength && timingSafeEqual(hashOf(given), this.#token);
  }

  #isOpen({ local }: EntryPoint, request: FastifyRequest): boolean {
    if (local === 'always') return true;
    return local === 'public-log' && this.#api.tree.isPublic(textOf(request.params, 'logId') ?? '');
  }

  async #judge(given: string, entry: EntryPoint, request: FastifyRequest): Promise<Result<Caller>> {
    const { admins } = this.#security;
    const { path, query } = targetOf(request);
    if (given.length > maxTokenLength && admins !== undefined) {
      const command = neededCommand(entry, query);
      const judged = admins.judge(given, { method: request.method, path, query, command });
      if (!judged.ok) return judged;
      const { did, permits, watch } = judged.value;
      return ok({ kind: 'admin', key: did, did, permits: (other) => permits('GET', other), watch });
    }
    if (request.method === 'GET' && path === '/metrics') {
      const wanted = await this.#security.metricsToken?.();
      if (wanted !== undefined && timingSafeEqual(hashOf(given), hashOf(wanted))) {
        return ok({ kind: 'metrics', key: 'metrics' });
      }
    }
    return err(fault('token-refused', 'the token is not the one of this home'));
  }
}

/** Lets in those who may, before anything else is done for a request. */
export function requireCaller(server: FastifyInstance, guard: Guard, told: ApiSecurity): void {
  server.addHook(
    'onRequest',
    async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply | undefined> => {
      const caller = await guard.admit(request);
      if (caller.ok) {
        setCaller(request, caller.value);
        return undefined;
      }
      if (request.headers.authorization !== undefined || caller.error.code !== 'token-refused') {
        // The route, not the path: whoever mistakes one thing for another puts a token anywhere.
        const route = request.routeOptions.url ?? 'no route';
        told.onDenied?.(caller.error, `${request.method} ${route}`);
      }
      return sendProblem(reply, caller.error);
    },
  );
}

function isStreaming({ headers }: FastifyRequest): boolean {
  return headers.upgrade !== undefined || (headers.accept ?? '').includes('text/event-stream');
}

function hashOf(text: string): Uint8Array {
  return nodeCrypto.sha256(utf8(text));
}
