/** docs/reference/http.md from the OpenAPI description that the node serves itself. */
import { openApi } from '../../src/node/http/server.ts';
import { entryPoints, type EntryPoint } from '../../src/node/http/entry-points.ts';
import { code, prose, sentence, table, type Page } from './markdown.ts';
import { isFields, schemaText } from './schema-text.ts';

type Fields = Readonly<Record<string, unknown>>;

const methods = ['get', 'post', 'put', 'patch', 'delete'] as const;

function fieldsOf(value: unknown): Fields {
  return isFields(value) ? value : {};
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function listOf(value: unknown): readonly Fields[] {
  return Array.isArray(value) ? value.filter(isFields) : [];
}

/** What a caller needs besides the token of the home, which opens everything. */
function needs({ method, path }: Operation): readonly [string, string] {
  const route = path.replace('{*}', '*').replaceAll(/\{(\w+)\}/g, ':$1');
  const entry = entryPoints[`${method} ${route}`];
  if (entry === undefined) throw new Error(`${method} ${path} is not in entry-points.ts`);
  const { command, unless, ticket } = entry;
  const more = unless === undefined ? '' : `; with ${unless.flag} ${code(unless.command)}`;
  const tickets = ticket === true ? '; a ticket' : '';
  return [`${code(command)}${more}${tickets}`, openTo(entry)];
}

function openTo({ local, public: everybody }: EntryPoint): string {
  const where = everybody === true ? 'this machine, `http.public`' : 'this machine';
  if (local === undefined) return '';
  return local === 'public-log' ? `${where}: of public streams` : where;
}

interface Operation {
  readonly method: string;
  readonly path: string;
  readonly summary: string;
  readonly fields: Fields;
}

function operationsOf(document: unknown): readonly Operation[] {
  const operations = Object.entries(fieldsOf(fieldsOf(document)['paths'])).flatMap(([path, item]) =>
    methods.flatMap((method) => {
      const operation = fieldsOf(item)[method];
      if (!isFields(operation)) return [];
      const summary = textOf(operation['summary']);
      return [{ method: method.toUpperCase(), path, summary, fields: operation }];
    }),
  );
  if (operations.length === 0) throw new Error('the OpenAPI description has no paths');
  return operations;
}

/** `(where, name, type, description)` of every parameter and body member. */
function inputsOf({ fields }: Operation): readonly (readonly string[])[] {
  const parameters = listOf(fields['parameters']).map((parameter) => [
    code(textOf(parameter['name'])),
    textOf(parameter['in']),
    schemaText(parameter['schema']),
    inputRemark(textOf(parameter['description']), parameter['required'] === true),
  ]);
  const order = ['path', 'query', 'header'];
  parameters.sort((a, b) => order.indexOf(a[1] ?? '') - order.indexOf(b[1] ?? ''));
  return [...parameters, ...bodyMembers(fieldsOf(fields['requestBody']))];
}

function bodyMembers(body: Fields): readonly (readonly string[])[] {
  const schema = fieldsOf(fieldsOf(fieldsOf(body['content'])['application/json'])['schema']);
  const required = Array.isArray(schema['required']) ? schema['required'] : [];
  return Object.entries(fieldsOf(schema['properties'])).map(([name, member]) => [
    code(name),
    'body',
    schemaText(member),
    inputRemark(textOf(fieldsOf(member)['description']), required.includes(name)),
  ]);
}

function inputRemark(description: string, required: boolean): string {
  return [required ? 'required' : '', prose(description)].filter((part) => part !== '').join('; ');
}

function operationLines(operation: Operation): readonly string[] {
  const inputs = inputsOf(operation);
  const summary = operation.summary.charAt(0).toUpperCase() + operation.summary.slice(1);
  return [
    '',
    `## ${operation.method} ${operation.path}`,
    '',
    prose(sentence(summary)),
    ...(inputs.length === 0 ? [] : ['', ...table(['name', 'in', 'type', ''], inputs)]),
  ];
}

export const http: Page = {
  name: 'http',
  title: 'HTTP API',
  sources: [
    'src/node/http/server.ts',
    'src/node/http/schemas.ts',
    'src/node/http/admin-routes.ts',
    'src/node/http/reading.ts',
    'src/node/http/ingest.ts',
    'src/node/http/entry-points.ts',
  ],
  make: async () => {
    const operations = operationsOf(await openApi(''));
    return [
      `At the address of ${code('http.listen')}; ${code('hw status')} prints it. A node describes itself as OpenAPI 3.1 at`,
      `${code('GET /openapi.json')}, from which this page is made. A request carries`,
      `${code('Authorization: Bearer <token>')} with the token in ${code('api.token')} of the home (${code('hw key token')}), which opens`,
      'everything, or a UCAN container with an invocation of the command in the table and its delegations',
      `(${code('hw key token --request')}): ${code('sub')} the organisation, ${code('aud')} the did:key of the peer, ${code('args')}`,
      `{node, method, path, query} as sent (node is ${code('aud')}; query is left out where there is none). It is good`,
      'once, for five minutes at most. The last column says who needs neither, besides this machine for',
      `${code('GET /openapi.json')}; the public listener has nothing else. A parameter that is not listed is refused`,
      `with ${code('not-supported')}. A failure is ${code('application/problem+json')} (RFC 9457) with a code of`,
      '[errors.md](errors.md); 429 and 503 say in `Retry-After` when to come again.',
      '',
      ...table(
        ['method', 'path', 'does', 'needs', 'open to'],
        operations.map((operation) => {
          const { method, path, summary } = operation;
          return [method, code(path), prose(summary), ...needs(operation)];
        }),
      ),
      ...operations.flatMap(operationLines),
    ].join('\n');
  },
};
