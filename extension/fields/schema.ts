import type { Field, Fields } from '../../shared/index.js';

/** As much of JSON Schema (draft-07, with VS Code's `enumDescriptions`) as the fields need. */
export interface JsonSchema {
  type?: string | string[];
  title?: string;
  description?: string;
  format?: string;
  enum?: unknown[];
  enumDescriptions?: string[];
  default?: unknown;
  examples?: unknown[];
  anyOf?: JsonSchema[];
  minimum?: number;
  maximum?: number;
  minLength?: number;
  maxLength?: number;
  pattern?: string;
  items?: JsonSchema;
  minItems?: number;
  maxItems?: number;
  properties?: Record<string, JsonSchema>;
  additionalProperties?: boolean;
}

/**
 * The schema of an object's document, for completion and hover: what a field takes in its own type, and null where
 * nothing is set.
 */
export const schemaOf = (fields: Fields): JsonSchema => ({
  type: 'object',
  additionalProperties: false,
  properties: Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, described(field)])),
});

function described(field: Field): JsonSchema {
  const value = valueOf(field);
  const examples = field.example === undefined || field.type === 'list' ? {} : { examples: [field.example] };
  return {
    title: field.label,
    ...(field.help ? { description: field.help } : {}),
    ...examples,
    ...(field.default === undefined ? {} : { default: field.default }),
    ...(field.required ? value : { anyOf: [value, { type: 'null' }] }),
  };
}

/** The values themselves: what the check takes in the field's own type. */
function valueOf(field: Field): JsonSchema {
  switch (field.type) {
    case 'text':
      return {
        type: 'string',
        ...bounds({ minLength: field.minLength, maxLength: field.maxLength, pattern: field.pattern }),
      };
    case 'number':
      return { type: field.fraction ? 'number' : 'integer', ...bounds({ minimum: field.min, maximum: field.max }) };
    case 'flag':
      return { type: 'boolean' };
    case 'time':
      return { type: 'string', format: 'date-time' };
    case 'json':
      return { type: 'object' };
    case 'file':
      return {};
    case 'choice': {
      const known = { enum: Object.keys(field.choices), enumDescriptions: Object.values(field.choices) };
      return field.open ? { anyOf: [known, { type: 'string' }] } : known;
    }
    case 'list':
      return {
        type: 'array',
        items: { ...valueOf(field.of), ...(field.of.example ? { examples: [field.of.example] } : {}) },
        ...bounds({ minItems: field.minItems, maxItems: field.maxItems }),
      };
  }
}
const bounds = (given: JsonSchema): JsonSchema =>
  Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
