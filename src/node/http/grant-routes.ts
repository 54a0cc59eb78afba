/** `/grants`: who may read direct and sealed streams, given and got, and requests for it. */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { Type, type TObject, type TOptional, type TString } from 'typebox';
import { fieldSets } from '../../access/grant.ts';
import { fault } from '../../errors.ts';
import { requestStates } from '../../gossip/access-codec.ts';
import { protocol } from '../../limits.ts';
import { err, ok, type Result } from '../../result.ts';
import { parseTime } from '../../time.ts';
import type { TimeMs } from '../../types.ts';
import { grantSides } from '../access/grant-book.ts';
import { usualPage } from '../access/grant-list.ts';
import {
  grantStates,
  type GrantInput,
  type GrantPage,
  type GrantQuery,
  type GrantText,
} from '../grants-api.ts';
import type { NodeApi } from '../node-api.ts';
import type { UsageApi } from '../usage-api.ts';
import { answer } from './answer.ts';
import { sendProblem } from './problem.ts';
import { actorOf, flagOf, memberOf, numberOf, textOf } from './request.ts';

const states: readonly NonNullable<GrantQuery['state']>[] = [...grantStates, ...requestStates];
const optional = (description: string, maxLength = 4096): TOptional<TString> =>
  Type.Optional(Type.String({ description, maxLength }));
const why = optional('reason, for the journal');
const seconds = Type.Optional(
  Type.Integer({ minimum: 1, maximum: 2 ** 40, description: 'expires so long from now' }),
);
const range = {
  from: optional('first recorded time, RFC 3339', 64),
  until: optional('last recorded time, exclusive, RFC 3339', 64),
  depth: Type.Optional(
    Type.Integer({ minimum: 0, maximum: 7, description: 'how often it may be handed on' }),
  ),
};
const grantBody: TObject = Type.Object(
  {
    stream: Type.String({ maxLength: 256 }),
    to: Type.String({ maxLength: 256, description: 'DID, alias or registry name' }),
    ...range,
    seconds,
    purpose: optional('for what it is given', protocol.maxPurpose),
    fields: Type.Optional(Type.Union(fieldSets.map((one) => Type.Literal(one)))),
    why,
  },
  { additionalProperties: false },
);
const importBody: TObject = Type.Object(
  { grant: Type.String({ description: 'container, text form', maxLength: 262_144 }), why },
  { additionalProperties: false },
);
const requestBody: TObject = Type.Object(
  {
    stream: Type.String({ maxLength: 256 }),
    purpose: Type.String({ maxLength: protocol.maxPurpose }),
    seconds,
    why,
  },
  { additionalProperties: false },
);
const answerBody: TObject = Type.Object(
  {
    state: Type.Union([
      Type.Literal('accepted'),
      Type.Literal('rejected'),
      Type.Literal('withdrawn'),
    ]),
    reason: optional('of a rejection; the asker sees it', protocol.maxPurpose),
    ...range,
    seconds,
    why,
  },
  { additionalProperties: false },
);
const listQuery: TObject = Type.Object(
  {
    stream: optional('of this stream alone', 256),
    state: Type.Optional(Type.Union(states.map((state) => Type.Literal(state)))),
    side: Type.Optional(Type.Union(grantSides.map((side) => Type.Literal(side)))),
    limit: Type.Optional(
      Type.Integer({ minimum: 1, maximum: usualPage, description: 'of a page' }),
    ),
    after: optional('`next` of the page before', 128),
    usage: Type.Optional(
      Type.Boolean({ description: 'with what was read, and who reads without a grant' }),
    ),
  },
  { additionalProperties: false },
);
const renewBody: TObject = Type.Object(
  { seconds, purpose: optional('for what; the owner reads it', protocol.maxPurpose), why },
  { additionalProperties: false },
);
const handOnBody: TObject = Type.Object(
  { peer: Type.String({ maxLength: 128, description: 'peer id or did:key' }), why },
  { additionalProperties: false },
);
const whyBody: TObject = Type.Object({ why }, { additionalProperties: false });
const idParams: TObject = Type.Object({ id: Type.String({ maxLength: 128 }) });

export function grantRoutes(server: FastifyInstance, api: NodeApi): void {
  server.get(
    '/grants',
    { schema: { querystring: listQuery, summary: 'grants given and got, and requests for them' } },
    (request, reply) => {
      const query = queryOf(request.query);
      const page = api.grants.list(query);
      if (!page.ok || !flagOf(request, 'usage')) return answer(reply, page);
      return answer(reply, ok(withUsage(api.usage, page.value, query)));
    },
  );
  server.get(
    '/grants/:id',
    { schema: { params: idParams, summary: 'one grant, with its text for the holder' } },
    (request, reply) => answer(reply, api.grants.show(idOf(request))),
  );
  server.post(
    '/grants',
    { schema: { body: grantBody, summary: 'let somebody read a direct or sealed stream' } },
    async (request, reply) => answer(reply, create(api, request), 201),
  );
  server.post(
    '/grants/import',
    { schema: { body: importBody, summary: 'keep a grant that was made out to us' } },
    async (request, reply) => {
      const text = textOf(request.body, 'grant') ?? '';
      return answer(reply, api.grants.accept(text, actorOf(request)), 201);
    },
  );
  server.delete(
    '/grants/:id',
    { schema: { params: idParams, body: whyBody, summary: 'revoke a grant, for good' } },
    async (request, reply) => answer(reply, api.grants.revoke(idOf(request), actorOf(request))),
  );
  server.post(
    '/grants/:id/hand-on',
    { schema: { params: idParams, body: handOnBody, summary: 'hand a grant to another peer' } },
    async (request, reply) => {
      const peer = textOf(request.body, 'peer') ?? '';
      return answer(reply, await api.grants.handOn(idOf(request), peer, actorOf(request)), 201);
    },
  );
  server.post(
    '/grants/:id/renew',
    { schema: { params: idParams, body: renewBody, summary: 'ask for a new grant in its place' } },
    async (request, reply) => {
      const [life, purpose] = [numberOf(request.body, 'seconds'), textOf(request.body, 'purpose')];
      const input = {
        ...(life === undefined ? {} : { seconds: life }),
        ...(purpose === undefined ? {} : { purpose }),
      };
      return answer(reply, await api.grants.renew(idOf(request), input, actorOf(request)), 201);
    },
  );
  requestRoutes(server, api);
}

/** Who reads without a grant is on the last page, where neither state nor side was asked for. */
function withUsage(usage: UsageApi, page: GrantPage, query: GrantQuery): unknown {
  const grants = page.grants.map((grant) => {
    const read = grant.side === 'got' ? undefined : usage.ofGrant(grant.id);
    return read === undefined ? grant : { ...grant, usage: read };
  });
  const { stream, state, side } = query;
  if (page.next !== undefined || state !== undefined || side !== undefined) {
    return { ...page, grants };
  }
  const isAsked = (display: string): boolean =>
    stream === undefined || display === stream || display.endsWith(`/${stream}`);
  return { ...page, grants, readers: usage.readers().filter((one) => isAsked(one.stream)) };
}

function queryOf(query: unknown): GrantQuery {
  const [stream, after] = [textOf(query, 'stream'), textOf(query, 'after')];
  const state = states.find((one) => one === textOf(query, 'state'));
  const side = grantSides.find((one) => one === textOf(query, 'side'));
  const limit = numberOf(query, 'limit');
  return {
    ...(stream === undefined ? {} : { stream }),
    ...(after === undefined ? {} : { after }),
    ...(state === undefined ? {} : { state }),
    ...(side === undefined ? {} : { side }),
    ...(limit === undefined ? {} : { limit }),
  };
}

function requestRoutes(server: FastifyInstance, api: NodeApi): void {
  server.post(
    '/grants/requests',
    { schema: { body: requestBody, summary: 'ask the owner of a stream for a grant' } },
    async (request, reply) => {
      const stream = textOf(request.body, 'stream') ?? '';
      const input = {
        purpose: textOf(request.body, 'purpose') ?? '',
        seconds: numberOf(request.body, 'seconds') ?? 0,
      };
      return answer(reply, api.grants.request(stream, input, actorOf(request)), 201);
    },
  );
  const schema = { params: idParams, body: answerBody, summary: 'answer or withdraw a request' };
  server.patch('/grants/requests/:id', { schema }, async (request, reply) => {
    const { body } = request;
    const [id, actor] = [idOf(request), actorOf(request)];
    const state = textOf(body, 'state');
    if (state === 'withdrawn') return answer(reply, api.grants.withdraw(id, actor));
    if (state === 'rejected') {
      const decision = { accept: false as const, reason: textOf(body, 'reason') ?? '' };
      return answer(reply, api.grants.answer(id, decision, actor));
    }
    const input = inputOf(body);
    if (!input.ok) return sendProblem(reply, input.error);
    const decision = { accept: true as const, input: input.value };
    return answer(reply, api.grants.answer(id, decision, actor));
  });
}

async function create(api: NodeApi, request: FastifyRequest): Promise<Result<GrantText>> {
  const { body } = request;
  const stream = api.streamByText(textOf(body, 'stream') ?? '');
  if (!stream.ok) return stream;
  const input = inputOf(body);
  if (!input.ok) return input;
  const purpose = textOf(body, 'purpose');
  const fields = fieldSets.find((one) => one === textOf(body, 'fields'));
  const to = textOf(body, 'to') ?? '';
  const given = {
    to,
    ...input.value,
    ...(purpose === undefined ? {} : { purpose }),
    ...(fields === undefined ? {} : { fields }),
  };
  return api.grants.create(stream.value, given, actorOf(request));
}

/** Range, life and depth of a grant. Code: `usage`. */
function inputOf(body: unknown): Result<Omit<GrantInput, 'to' | 'purpose'>> {
  const from = timeOf(body, 'from');
  if (!from.ok) return from;
  const until = timeOf(body, 'until');
  if (!until.ok) return until;
  const [life, depth] = [numberOf(body, 'seconds'), numberOf(body, 'depth')];
  return ok({
    ...(from.value === undefined ? {} : { from: from.value }),
    ...(until.value === undefined ? {} : { until: until.value }),
    ...(life === undefined ? {} : { seconds: life }),
    ...(depth === undefined ? {} : { depth }),
  });
}

function timeOf(body: unknown, name: string): Result<TimeMs | undefined> {
  if (memberOf(body, name) === undefined) return ok(undefined);
  const time = parseTime(textOf(body, name) ?? '');
  if (time.ok) return time;
  return err(fault('usage', `${name}: ${time.error.message}`, { pointer: `body/${name}` }));
}

function idOf(request: FastifyRequest): string {
  return textOf(request.params, 'id') ?? '';
}
