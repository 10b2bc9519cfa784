import { CUSTOM_RESOURCE_DEFINITIONS } from '../../resources';
import { CUSTOM_RESOURCE_DEFINITION_KIND } from '../../kinds/custom-resource-definition';
import type { KindRules } from '../../kinds/kind';
import type { CustomResourceDefinition } from '../../types';
import { made, refusal } from '../../testing';
import { warningsFor } from '../../scheme';

const definition = (spec: object = {}, schema: object = {}, version: object = {}) => ({
  metadata: { name: 'things.example.com', resourceVersion: '1' },
  spec: {
    group: 'example.com',
    scope: 'Cluster',
    names: { plural: 'things', kind: 'Thing' },
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        schema: { openAPIV3Schema: { type: 'object', ...schema } },
        ...version,
      },
    ],
    ...spec,
  },
});

const refused = (body: object, old?: object) => refusal(CUSTOM_RESOURCE_DEFINITIONS, body, old);

const WEBHOOK = { clientConfig: { url: 'https://hook.example/convert' } };

it('takes a definition that is sound', () => {
  expect(refused(definition())).toEqual([]);
});

it.each<[string, object, string]>([
  [
    'a name of another',
    { names: { plural: 'others', kind: 'Thing' } },
    'metadata.name: Invalid value: "things.example.com": must be spec.names.plural+"."+spec.group',
  ],
  [
    'a group without a dot',
    { group: 'example' },
    'spec.group: Invalid value: "example": should be a domain with at least one dot',
  ],
  [
    'an unknown scope',
    { scope: 'World' },
    'spec.scope: Unsupported value: "World": supported values: "Cluster", "Namespaced"',
  ],
  ['no kind', { names: { plural: 'things' } }, 'spec.names.kind: Required value'],
  [
    'a list that is called as one',
    { names: { plural: 'things', kind: 'Thing', listKind: 'Thing' } },
    'spec.names.listKind: Invalid value: "Thing": kind and listKind may not be the same',
  ],
  [
    'unknown fields for all',
    { preserveUnknownFields: true },
    'spec.preserveUnknownFields: Invalid value: true: cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead',
  ],
  [
    'an unknown conversion',
    { conversion: { strategy: 'Magic' } },
    'spec.conversion.strategy: Unsupported value: "Magic": supported values: "None", "Webhook"',
  ],
  [
    'a conversion by nobody',
    { conversion: { strategy: 'Webhook' } },
    'spec.conversion.webhookClientConfig: Required value: required when strategy is set to Webhook',
  ],
  [
    'a conversion by a webhook that is nowhere',
    { conversion: { strategy: 'Webhook', webhook: { clientConfig: {} } } },
    'spec.conversion.webhookClientConfig: Required value: exactly one of url or service is required',
  ],
  [
    'a conversion in no version of its reviews',
    { conversion: { strategy: 'Webhook', webhook: WEBHOOK } },
    'spec.conversion.conversionReviewVersions: Required value',
  ],
  [
    'a conversion in reviews that nobody speaks',
    {
      conversion: {
        strategy: 'Webhook',
        webhook: { ...WEBHOOK, conversionReviewVersions: ['v9'] },
      },
    },
    'spec.conversion.conversionReviewVersions: Invalid value: ["v9"]: must include at least one of v1, v1beta1',
  ],
  [
    'a conversion in the same reviews twice',
    {
      conversion: {
        strategy: 'Webhook',
        webhook: { ...WEBHOOK, conversionReviewVersions: ['v1', 'v1'] },
      },
    },
    'spec.conversion.conversionReviewVersions[1]: Invalid value: "v1": duplicate version',
  ],
])('refuses %s', (_what, spec, message) => {
  expect(refused(definition(spec))).toContain(message);
});

it.each<[string, object, string]>([
  [
    'no version that is stored',
    { storage: false },
    'must have exactly one version marked as storage version',
  ],
  [
    'a warning of what is not deprecated',
    { deprecationWarning: 'x' },
    'can only be set for deprecated versions',
  ],
  [
    'a schema that is missing',
    { schema: {} },
    'spec.versions[0].schema.openAPIV3Schema: Required value',
  ],
  [
    'columns of no type',
    { additionalPrinterColumns: [{ name: 'A', type: 'colour', jsonPath: '.a' }] },
    'must be one of boolean,date,integer,number,string',
  ],
  [
    'columns of no path',
    { additionalPrinterColumns: [{ name: 'A', type: 'string', jsonPath: 'a' }] },
    'must be a simple json path starting with .',
  ],
  [
    'replicas outside of the spec',
    { subresources: { scale: { specReplicasPath: '.status.r', statusReplicasPath: '.status.r' } } },
    'spec.subresources.scale.specReplicasPath: Invalid value: ".status.r": should be a json path under .spec',
  ],
  [
    'fields to select by that are not there',
    { selectableFields: [{ jsonPath: '.spec.x' }] },
    'spec.selectableFields[0].jsonPath: Invalid value: ".spec.x": is an invalid path',
  ],
])('refuses a version with %s', (_what, version, message) => {
  expect(refused(definition({}, {}, version)).join('\n')).toContain(message);
});

const A = 'spec.validation.openAPIV3Schema.properties[a]';

it.each<[object, string]>([
  [{}, `${A}.type: Required value: must not be empty for specified object fields`],
  [
    { type: 'text' },
    `${A}.type: Unsupported value: "text": supported values: "array", "boolean", "integer", "number", "object", "string"`,
  ],
  [{ type: 'array' }, `${A}.items: Required value: must be specified`],
  [
    { type: 'object', uniqueItems: true },
    `${A}.uniqueItems: Forbidden: uniqueItems cannot be set to true since the runtime complexity becomes quadratic`,
  ],
  [{ type: 'string', $ref: '#/x' }, `${A}.$ref: Forbidden: $ref is not supported`],
  [
    {
      type: 'object',
      properties: { b: { type: 'string' } },
      additionalProperties: { type: 'string' },
    },
    `${A}.additionalProperties: Forbidden: additionalProperties and properties are mutual exclusive`,
  ],
  [
    { type: 'string', pattern: '(' },
    `${A}.pattern: Invalid value: "(": must be a valid regular expression, but isn't: error parsing regexp: missing closing ): \`(\``,
  ],
  [
    { type: 'integer', default: 'x' },
    `${A}.default: Invalid value: "string":  in body must be of type integer: "string"`,
  ],
  [
    { type: 'object', default: { b: 1 } },
    `${A}.default: Invalid value: {"b":1}: must not have unknown fields`,
  ],
  [
    { type: 'object', anyOf: [{ type: 'object' }] },
    `${A}.anyOf[0].type: Forbidden: must be empty to be structural`,
  ],
  [
    {
      type: 'string',
      'x-kubernetes-int-or-string': true,
      'x-kubernetes-preserve-unknown-fields': true,
    },
    `${A}.x-kubernetes-preserve-unknown-fields: Invalid value: true: must be false if x-kubernetes-int-or-string is true`,
  ],
  [
    { type: 'object', 'x-kubernetes-list-type': 'set' },
    `${A}.type: Invalid value: "object": must be array if x-kubernetes-list-type is specified`,
  ],
  [
    { type: 'array', items: { type: 'string' }, 'x-kubernetes-list-type': 'map' },
    `${A}.x-kubernetes-list-map-keys: Required value: must not be empty if x-kubernetes-list-type is map`,
  ],
  [
    {
      type: 'array',
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['k'],
      items: { type: 'object', properties: { k: { type: 'string' } } },
    },
    `${A}.items.properties[k].default: Required value: this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property`,
  ],
  [
    { type: 'object', 'x-kubernetes-map-type': 'odd' },
    `${A}.x-kubernetes-map-type: Unsupported value: "odd": supported values: "atomic", "granular"`,
  ],
  [
    { type: 'object', 'x-kubernetes-embedded-resource': true },
    `${A}.properties: Required value: must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields`,
  ],
  [
    { type: 'object', nullable: true, 'x-kubernetes-preserve-unknown-fields': false },
    `${A}.x-kubernetes-preserve-unknown-fields: Invalid value: false: must be true or undefined`,
  ],
])('refuses the schema %j', (schema, message) => {
  expect(refused(definition({}, { properties: { a: schema } }))).toContain(message);
});

it('takes integers that may be texts, in the one form that there is', () => {
  const either = {
    'x-kubernetes-int-or-string': true,
    anyOf: [{ type: 'integer' }, { type: 'string' }],
  };
  expect(refused(definition({}, { properties: { a: either } }))).toEqual([]);
});

it('speaks in alternatives only of what is there', () => {
  const schema = { anyOf: [{ properties: { b: { minimum: 1 } } }] };
  const root = 'spec.validation.openAPIV3Schema';
  expect(refused(definition({}, schema))).toEqual([
    `${root}.properties[b]: Required value: because it is defined in ${root}.anyOf[0].properties[b]`,
  ]);
});

it('says nothing of metadata but its names', () => {
  const metadata = { type: 'object', properties: { labels: { type: 'object' } } };
  expect(refused(definition({}, { properties: { metadata } }))).toEqual([
    'spec.validation.openAPIV3Schema.properties[metadata]: Forbidden: must not specify anything other than name and generateName, but metadata is implicitly specified',
  ]);
});

it('names the version when versions differ', () => {
  const [first] = definition().spec.versions;
  const second = {
    ...first,
    name: 'v2',
    storage: false,
    schema: { openAPIV3Schema: { type: 'object', properties: { a: {} } } },
  };
  expect(refused(definition({ versions: [first, second] }))).toEqual([
    'spec.versions[1].schema.openAPIV3Schema.properties[a].type: Required value: must not be empty for specified object fields',
  ]);
});

it('changes neither group nor plural, nor kind and scope once it is established', () => {
  const old = definition();
  const changed = definition({ scope: 'Namespaced', names: { plural: 'things', kind: 'Other' } });
  expect(refused(changed, old)).toEqual([]);
  const status = { conditions: [{ type: 'Established', status: 'True' }], storedVersions: ['v1'] };
  expect(refused({ ...changed, status }, { ...old, status })).toEqual([
    'spec.scope: Invalid value: "Namespaced": field is immutable',
    'spec.names.kind: Invalid value: "Other": field is immutable',
  ]);
});

it('asks for approval of what is added to groups of Kubernetes', () => {
  const body = { ...definition({ group: 'net.k8s.io' }), metadata: { name: 'things.net.k8s.io' } };
  expect(refused(body)).toEqual([
    'metadata.annotations[api-approved.kubernetes.io]: Required value: protected groups must have approval annotation "api-approved.kubernetes.io", see https://github.com/kubernetes/enhancements/pull/1111',
  ]);
});

it('warns of formats that nothing comes of', () => {
  const body = definition({}, { properties: { a: { type: 'string', format: 'colour' } } });
  expect(warningsFor(made(CUSTOM_RESOURCE_DEFINITIONS, body))).toEqual([
    'unrecognized format "colour"',
  ]);
});

it('compiles rules in CEL against the schema that they stand in', () => {
  const withRule = (rule: string) =>
    definition(
      {},
      { properties: { a: { type: 'integer', 'x-kubernetes-validations': [{ rule }] } } },
    );
  expect(refused(withRule('self > 1 && self >= oldSelf'))).toEqual([]);
  expect(refused(withRule('self.b'))[0]).toContain(
    `${A}.x-kubernetes-validations[0].rule: Invalid value: {"rule":"self.b"}: compilation failed`,
  );
});

it.each<[string, object]>([
  ['too many', { 'x-kubernetes-validations': Array(4000).fill({ rule: 'true' }) }],
  [
    'too long',
    { 'x-kubernetes-validations': Array(40).fill({ rule: Array(1000).fill('true').join(' && ') }) },
  ],
])('refuses rules that are %s, before it compiles them', (_title, schema) => {
  expect(refused(definition({}, schema))).toEqual([
    expect.stringContaining('too many or too long to be compiled'),
  ]);
});

it('refuses a default whose embedded object has no metadata that could be', () => {
  const pod = {
    ...{ type: 'object', 'x-kubernetes-embedded-resource': true },
    'x-kubernetes-preserve-unknown-fields': true,
    default: { apiVersion: 'v1', kind: 'Pod', metadata: { name: false } },
  };
  expect(refused(definition({}, { properties: { pod } })).join()).toContain(
    'metadata.name: Invalid value: false',
  );
});

it('refuses versions that are null as versions that are none', () => {
  expect(refused(definition({ versions: null })).join()).toContain(
    'must have exactly one version marked as storage version',
  );
});

describe('what rules may cost', () => {
  const ROOT = 'spec.validation.openAPIV3Schema';
  const ADVICE =
    '(try simplifying the rule, or adding maxItems, maxProperties, and maxLength where arrays, maps, and ' +
    'strings are declared)';
  const list = (bounds: object, ...rules: readonly object[]) =>
    definition(
      {},
      {
        properties: {
          a: {
            ...{ type: 'array', items: { type: 'string', ...bounds }, ...bounds },
            'x-kubernetes-validations': rules,
          },
        },
      },
    );
  const UNIQUE = { rule: 'self.all(x, self.exists_one(y, x == y))' };

  it('is held to a bound for each, and for all together', () => {
    const at = `${A}.x-kubernetes-validations[0].rule: Forbidden`;
    expect(refused(list({}, UNIQUE))).toEqual([
      `${at}: estimated rule cost exceeds budget by factor of more than 100x ${ADVICE}`,
      `${at}: contributed to estimated rule cost total exceeding cost limit for entire OpenAPIv3 schema`,
      `${ROOT}: Forbidden: x-kubernetes-validations estimated rule cost total for entire OpenAPIv3 ` +
        `schema exceeds budget by factor of more than 100x ${ADVICE}`,
    ]);
    expect(refused(list({ maxItems: 50, maxLength: 50 }, UNIQUE))).toEqual([]);
    const [message] = refused(list({ maxItems: 900, maxLength: 63 }, UNIQUE));
    expect(message).toBe(`${at}: estimated rule cost exceeds budget by factor of 2.4x ${ADVICE}`);
  });

  it('counts a rule for as many values as there may be', () => {
    const items = {
      type: 'string',
      maxLength: 100,
      'x-kubernetes-validations': [{ rule: "self.matches('^a+$')" }],
    };
    const many = (bounds: object) =>
      refused(definition({}, { properties: { a: { type: 'array', items, ...bounds } } }));
    expect(many({})[0]).toContain(
      `${A}.items.x-kubernetes-validations[0].rule: Forbidden: estimated rule cost exceeds budget by factor of`,
    );
    expect(many({ maxItems: 100 })).toEqual([]);
  });

  it('holds messages to the same bound', () => {
    const rule = { rule: 'true', messageExpression: "'have ' + self[0]" };
    expect(refused(list({ maxItems: 5 }, rule))).toEqual([]);
    const dear = { ...rule, messageExpression: "'have ' + string(self.size())" };
    expect(refused(list({ maxItems: 5 }, dear))[0]).toBe(
      `${A}.x-kubernetes-validations[0].messageExpression: Forbidden: estimated messageExpression cost ` +
        `exceeds budget by factor of more than 100x ${ADVICE}`,
    );
  });

  it('lets what was too dear before be changed', () => {
    const old = list({}, UNIQUE);
    expect(refused(list({}, UNIQUE, { rule: 'true' }), old)).toEqual([]);
    expect(refused(list({}, UNIQUE), list({}))).toHaveLength(3);
  });
});

it('tells what is wrong with a schema between the scope and the names', () => {
  const names = { names: { plural: 'things' } };
  expect(refused(definition({ ...names, scope: 'World' }, { nullable: true }))).toEqual([
    'spec.scope: Unsupported value: "World": supported values: "Cluster", "Namespaced"',
    'spec.validation.openAPIV3Schema.nullable: Forbidden: nullable cannot be true at the root',
    'spec.names.singular: Required value',
    'spec.names.kind: Required value',
    'spec.names.listKind: Required value',
  ]);
});

it.each<[string, object]>([
  ['fields', { type: 'string' }],
  [
    'rules',
    { type: 'string', 'x-kubernetes-validations': [{ rule: `'${'a'.repeat(200)}' != ''` }] },
  ],
  ['fields of a junctor', { type: 'string', not: { minLength: 5 } }],
])('judges many %s in many steps', (_what, field) => {
  const properties = Object.fromEntries(Array.from({ length: 800 }, (_, i) => [`f${i}`, field]));
  const made = definition({}, { properties }) as unknown as CustomResourceDefinition;
  const { judge } = CUSTOM_RESOURCE_DEFINITION_KIND.rules as unknown as KindRules<typeof made>;
  const steps = judge?.(made, undefined, []);
  let count = 0;
  for (let step = steps?.next(); step?.done === false; step = steps?.next()) count++;
  expect(count).toBeGreaterThan(8);
});
