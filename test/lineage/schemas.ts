/** The JSON Schemas of OpenLineage, with the validator that fastify brings along. */
import { createRequire } from 'node:module';
import type { Context } from 'mocha';
import { ran, suite, suiteText } from '../support/vectors.ts';

type Validate = ((value: unknown) => boolean) & { readonly errors?: unknown };
interface Validator {
  addSchema(schema: unknown): void;
  compile(schema: unknown): Validate;
}

export interface FacetTest {
  readonly facet: string | null;
  readonly file: string;
  readonly value: Readonly<Record<string, unknown>>;
}

export interface Schemas {
  /** What is wrong with an event; undefined where nothing is. */
  event(value: unknown): unknown;
  /** The same of a facet by its key; ours and unknown ones have no schema. */
  facet(name: string, value: unknown): unknown;
}

const core = 'https://openlineage.io/spec/2-0-2/OpenLineage.json';

export function loadSchemas(context: Context): Schemas {
  const require = createRequire(import.meta.url);
  const { Ajv2020 } = require('ajv/dist/2020') as {
    Ajv2020: new (options: object) => Validator;
  };
  const ajv = new Ajv2020({ strict: false, validateFormats: false });
  const schema = suite<object>(context, 'openlineage/schema/OpenLineage-2-0-2.json');
  ajv.addSchema(schema);
  const event = ajv.compile(schema);
  const facets = new Map<string, Validate>();
  const tests = suite<FacetTest[]>(context, 'openlineage/facet-tests.json');
  for (const file of new Set(tests.map(({ facet }) => facet))) {
    if (file === null) continue;
    // Some name other versions of the core schema, which is the same in what they use of it.
    const text = suiteText(context, `openlineage/schema/facets/${file}.json`);
    const facet = JSON.parse(
      text.replaceAll(/https:\/\/openlineage\.io\/spec\/\d-\d-\d\/OpenLineage\.json/g, core),
    ) as { properties?: Record<string, unknown> };
    const compiled = ajv.compile(facet);
    for (const name of Object.keys(facet.properties ?? {})) facets.set(name, compiled);
  }
  ran('openlineage/schema/facets', facets.size);
  return {
    event: (value) => (event(value) ? undefined : (event.errors ?? 'wrong')),
    facet: (name, value) => {
      const validate = facets.get(name);
      if (validate === undefined) return name.startsWith('headwater_') ? undefined : 'unknown';
      return validate({ [name]: value }) ? undefined : (validate.errors ?? 'wrong');
    },
  };
}
