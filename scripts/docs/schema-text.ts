/** A JSON Schema in a few words, for a table cell. */
import { code } from './markdown.ts';

type Fields = Readonly<Record<string, unknown>>;

export function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** `text`, `integer from 1 to 256`, `list of text`, `"a" or "b"`. */
export function schemaText(schema: unknown): string {
  if (!isFields(schema)) return 'anything';
  if ('const' in schema) return code(JSON.stringify(schema['const']));
  for (const name of ['enum', 'anyOf', 'oneOf']) {
    const choices = schema[name];
    if (!Array.isArray(choices)) continue;
    const texts = choices.map((choice: unknown) =>
      name === 'enum' ? code(JSON.stringify(choice)) : schemaText(choice),
    );
    return [...new Set(texts)].join(' or ');
  }
  const type = schema['type'];
  switch (type) {
    case 'string':
      return 'text';
    case 'integer':
    case 'number':
      return numberText(schema, type);
    case 'array':
      return `list of ${schemaText(schema['items'])}`;
    case 'object':
      return objectText(schema);
    case 'boolean':
      return 'true or false';
    case 'null':
      return 'null';
    default:
      return Array.isArray(type) ? type.join(' or ') : 'anything';
  }
}

function numberText(schema: Fields, type: string): string {
  const bound = (name: string, word: string): string => {
    const value = schema[name];
    return typeof value === 'number' ? ` ${word} ${value}` : '';
  };
  const least = bound('minimum', 'from') + bound('exclusiveMinimum', 'above');
  const most = bound('maximum', 'to') + bound('exclusiveMaximum', 'below');
  return `${type}${least}${least !== '' && most === '' && least.startsWith(' from') ? ' on' : most}`;
}

function objectText(schema: Fields): string {
  const properties = schema['properties'];
  if (isFields(properties)) {
    return `{${Object.keys(properties)
      .map((name) => `"${name}"`)
      .join(', ')}}`;
  }
  const others = schema['additionalProperties'];
  return isFields(others) ? `map of names to ${schemaText(others)}` : 'map';
}
