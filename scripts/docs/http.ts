/** docs/reference/http.md from the OpenAPI description that the node serves itself. */
import { openApi } from '../../src/node/http/server.ts';
import { code, prose, readSource, sentence, table, type Page } from './markdown.ts';
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

/** The paths that need no token, as the hook that asks for it lists them. */
function openPaths(): readonly string[] {
  const found = /const open = new Set\(\[([^\]]*)\]\)/.exec(readSource('src/node/http/auth.ts'));
  const paths = [...(found?.[1] ?? '').matchAll(/'([^']+)'/g)].map((match) => match[1] ?? '');
  if (paths.length === 0) throw new Error('src/node/http/auth.ts: the open paths were not found');
  return paths;
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
    'src/node/http/auth.ts',
  ],
  make: async () => {
    const operations = operationsOf(await openApi(''));
    const open = openPaths().map(code).join(', ');
    return [
      `At the address of ${code('http.listen')}; ${code('hw status')} prints it. A node describes itself as OpenAPI 3.1 at`,
      `${code('GET /openapi.json')}, from which this page is made. Every request carries`,
      `${code('Authorization: Bearer <token>')} with the token in ${code('api.token')} of the home (${code('hw key token')}), but`,
      `for ${open}. A parameter that is not listed is refused`,
      `with ${code('not-supported')}. A failure is ${code('application/problem+json')} (RFC 9457) with a code of`,
      '[errors.md](errors.md); 429 and 503 say in `Retry-After` when to come again.',
      '',
      ...table(
        ['method', 'path', 'does'],
        operations.map(({ method, path, summary }) => [method, code(path), prose(summary)]),
      ),
      ...operations.flatMap(operationLines),
    ].join('\n');
  },
};
