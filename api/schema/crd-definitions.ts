import type { Definitions, Schema } from './schema';
import { count, flag, list, map, object, text } from './describe';

/*
 * CustomResourceDefinition, which upstream declares apart from the other types: written by hand, with
 * what Go's declarations say of empty fields.
 */

const META = 'io.k8s.apimachinery.pkg.apis.meta.v1.';
const PREFIX = 'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.';
const GROUP = 'apiextensions.k8s.io';

const to = (name: string): Schema => ({
  $ref: `#/components/schemas/${name.startsWith(META) ? '' : PREFIX}${name}`,
});
const ref = (name: string, description: string): Schema => ({ description, allOf: [to(name)] });
const always = (schema: Schema): Schema => ({ ...schema, 'x-go-presence': 'zero' });
const orNull = (schema: Schema): Schema => ({ ...schema, 'x-go-presence': 'null' });
/** A zero that is given stays. */
const given = (schema: Schema): Schema => ({ ...schema, 'x-go-presence': 'pointer' });
const strings = (description: string): Schema => list(description, { type: 'string', default: '' });
const number = (description: string): Schema => ({ type: 'number', format: 'double', description });
const long = (description: string): Schema => ({ type: 'integer', format: 'int64', description });
const time = (description: string): Schema => ({
  ...ref(`${META}Time`, description),
  'x-go-presence': 'null',
});

const API_VERSION = text(
  'APIVersion defines the versioned schema of this representation of an object.',
);
const KIND = text('Kind is the REST resource this object represents.');

const gvk = (kind: string): Schema => ({
  'x-kubernetes-group-version-kind': [{ group: GROUP, kind, version: 'v1' }],
});

const VALUE: Schema = {
  description: 'Any value of JSON.',
  type: 'object',
  'x-kubernetes-preserve-unknown-fields': true,
};

const NAMES = {
  plural: always(text('The name in paths, in lower case: /apis/GROUP/VERSION/.../PLURAL.')),
  singular: text('The name of one, in lower case. Default: the kind in lower case.'),
  shortNames: strings('What people may type instead.'),
  kind: always(text('The kind of one object, in CamelCase.')),
  listKind: text('The kind of a list of them. Default: KINDList.'),
  categories: strings('Groups of kinds that clients list together, as `all`.'),
};

const SCHEMA_PROPS: Readonly<Record<string, Schema>> = {
  $ref: given(text('Not supported.')),
  $schema: text('The address of the schema language.'),
  additionalItems: given(ref('JSONSchemaPropsOrBool', 'Not supported.')),
  additionalProperties: given(
    ref('JSONSchemaPropsOrBool', 'What members without a property of their own are.'),
  ),
  allOf: list('All of these must hold.', to('JSONSchemaProps')),
  anyOf: list('At least one of these must hold.', to('JSONSchemaProps')),
  default: given(ref('JSON', 'The value where none is given.')),
  definitions: map('Not supported.', to('JSONSchemaProps')),
  dependencies: map('Not supported.', to('JSONSchemaPropsOrStringArray')),
  description: text('What the value is for.'),
  enum: list('The values that are allowed.', to('JSON')),
  example: given(ref('JSON', 'A value, for readers.')),
  exclusiveMaximum: flag('The maximum itself is not allowed.'),
  exclusiveMinimum: flag('The minimum itself is not allowed.'),
  externalDocs: given(ref('ExternalDocumentation', 'Where to read on.')),
  format: text('The form of a text or number: unknown ones are ignored.'),
  id: text('Not supported.'),
  items: given(ref('JSONSchemaPropsOrArray', 'What the items of a list are.')),
  maxItems: given(long('How many items a list may have.')),
  maxLength: given(long('How many characters a text may have.')),
  maxProperties: given(long('How many members an object may have.')),
  maximum: given(number('The largest number.')),
  minItems: given(long('How many items a list must have.')),
  minLength: given(long('How many characters a text must have.')),
  minProperties: given(long('How many members an object must have.')),
  minimum: given(number('The smallest number.')),
  multipleOf: given(number('The number must be a multiple of it.')),
  not: given(ref('JSONSchemaProps', 'This must not hold.')),
  nullable: flag('Null is a value too.'),
  oneOf: list('Exactly one of these must hold.', to('JSONSchemaProps')),
  pattern: text('A regular expression of RE2 that texts must match.'),
  patternProperties: map('Not supported.', to('JSONSchemaProps')),
  properties: map('What members are, by their names.', to('JSONSchemaProps')),
  required: strings('Members that must be there.'),
  title: text('A short name, for readers.'),
  type: text('object, array, string, integer, number or boolean.'),
  uniqueItems: flag('Not supported.'),
  'x-kubernetes-embedded-resource': flag('The value is an object of the API itself.'),
  'x-kubernetes-int-or-string': flag('The value is an integer or a text.'),
  'x-kubernetes-list-map-keys': strings(
    'The members that tell the items of a list of type map apart.',
  ),
  'x-kubernetes-list-type': given(text('How a list is merged: atomic, set or map.')),
  'x-kubernetes-map-type': given(text('How an object is merged: granular or atomic.')),
  'x-kubernetes-preserve-unknown-fields': given(
    flag('Members that the schema does not name stay.'),
  ),
  'x-kubernetes-validations': {
    ...list('Rules in CEL that the value must satisfy.', to('ValidationRule')),
    'x-kubernetes-list-type': 'map',
    'x-kubernetes-list-map-keys': ['rule'],
    'x-kubernetes-patch-merge-key': 'rule',
    'x-kubernetes-patch-strategy': 'merge',
  },
};

const KINDS: Definitions = {
  CustomResourceDefinition: {
    ...object('A kind that is served from its description.', {
      apiVersion: API_VERSION,
      kind: KIND,
      metadata: always(ref(`${META}ObjectMeta`, "Standard object's metadata.")),
      spec: always(ref('CustomResourceDefinitionSpec', 'The kind.')),
      status: always(ref('CustomResourceDefinitionStatus', 'Whether it is served.')),
    }),
    required: ['spec'],
    ...gvk('CustomResourceDefinition'),
  },
  CustomResourceDefinitionList: {
    ...object('A list of CustomResourceDefinition objects.', {
      apiVersion: API_VERSION,
      items: orNull(list('The objects.', to('CustomResourceDefinition'))),
      kind: KIND,
      metadata: always(ref(`${META}ListMeta`, 'Standard list metadata.')),
    }),
    required: ['items'],
    ...gvk('CustomResourceDefinitionList'),
  },
};

const SPEC: Definitions = {
  CustomResourceDefinitionSpec: {
    ...object('The kind.', {
      group: always(text('The group of the kind. The object is called PLURAL.GROUP.')),
      names: always(ref('CustomResourceDefinitionNames', 'What the kind is called.')),
      scope: always(text('Namespaced or Cluster.')),
      versions: orNull(
        list(
          'The versions of the kind, one of them stored.',
          to('CustomResourceDefinitionVersion'),
        ),
      ),
      conversion: given(
        ref('CustomResourceConversion', 'How objects of one version become those of another.'),
      ),
      preserveUnknownFields: flag('Must be false: schemas say which fields stay.'),
    }),
    required: ['group', 'names', 'scope', 'versions'],
  },
  CustomResourceDefinitionNames: {
    ...object('What the kind is called.', NAMES),
    required: ['plural', 'kind'],
  },
  CustomResourceDefinitionVersion: {
    ...object('One version of the kind.', {
      name: always(text('v1, v1beta1, ...')),
      served: always(flag('Is there a path for it?')),
      storage: always(flag('Are objects stored in it? True for exactly one version.')),
      deprecated: flag('Whoever uses it is warned.'),
      deprecationWarning: given(text('The words of that warning.')),
      schema: given(ref('CustomResourceValidation', 'What objects of this version are.')),
      subresources: given(ref('CustomResourceSubresources', 'Which subresources it has.')),
      additionalPrinterColumns: list(
        'Columns beside the name. Default: the age.',
        to('CustomResourceColumnDefinition'),
      ),
      selectableFields: list('Fields that field selectors may name.', to('SelectableField')),
    }),
    required: ['name', 'served', 'storage'],
  },
  CustomResourceValidation: object('What objects are.', {
    openAPIV3Schema: given(ref('JSONSchemaProps', 'A structural schema of OpenAPI v3.')),
  }),
  CustomResourceSubresources: object('Which subresources there are.', {
    status: given(
      ref('CustomResourceSubresourceStatus', 'Status is written through /status alone.'),
    ),
    scale: given(ref('CustomResourceSubresourceScale', 'Replicas are read and written by /scale.')),
  }),
  CustomResourceSubresourceStatus: object('Nothing more is to be said.', {}),
  CustomResourceSubresourceScale: {
    ...object('Where /scale finds what it tells.', {
      specReplicasPath: always(text('The replicas that are wanted: a path under .spec.')),
      statusReplicasPath: always(text('The replicas that are there: a path under .status.')),
      labelSelectorPath: given(text('The selector of the pods, as text: under .status or .spec.')),
    }),
    required: ['specReplicasPath', 'statusReplicasPath'],
  },
  CustomResourceColumnDefinition: {
    ...object('A column of what is printed.', {
      name: always(text('Its head.')),
      type: always(text('boolean, date, integer, number or string.')),
      format: text('A form of the type, for clients.'),
      description: text('What it shows.'),
      priority: count('0: always. Greater: with -o wide.'),
      jsonPath: always(text('Where its value is.')),
    }),
    required: ['name', 'type', 'jsonPath'],
  },
  SelectableField: {
    ...object('A field that field selectors may name.', {
      jsonPath: always(text('Where it is: a text, an integer or a truth value outside metadata.')),
    }),
    required: ['jsonPath'],
  },
};

const CONVERSION: Definitions = {
  CustomResourceConversion: {
    ...object('How objects of one version become those of another.', {
      strategy: always(text('None: only the version changes. Webhook: a service converts.')),
      webhook: given(ref('WebhookConversion', 'The service.')),
    }),
    required: ['strategy'],
  },
  WebhookConversion: {
    ...object('A service that converts.', {
      clientConfig: given(ref('WebhookClientConfig', 'Where it is.')),
      conversionReviewVersions: orNull(strings('The versions of ConversionReview that it takes.')),
    }),
    required: ['conversionReviewVersions'],
  },
  WebhookClientConfig: object('Where a service is.', {
    url: given(text('Its address.')),
    service: given(ref('ServiceReference', 'A service of the cluster.')),
    caBundle: { type: 'string', format: 'byte', description: 'Who may vouch for it, in PEM.' },
  }),
  ServiceReference: {
    ...object('A service of the cluster.', {
      namespace: always(text('Its namespace.')),
      name: always(text('Its name.')),
      path: given(text('The path of requests.')),
      port: given(count('The port. Default: 443.')),
    }),
    required: ['namespace', 'name'],
  },
};

const STATUS: Definitions = {
  CustomResourceDefinitionStatus: object('Whether the kind is served.', {
    conditions: {
      ...orNull(list('What is true of it.', to('CustomResourceDefinitionCondition'))),
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['type'],
    },
    acceptedNames: always(ref('CustomResourceDefinitionNames', 'The names that it has.')),
    storedVersions: orNull(strings('Every version that objects have been stored in.')),
    observedGeneration: long('The generation that the status is about.'),
  }),
  CustomResourceDefinitionCondition: {
    ...object('Something that is true, false or unknown.', {
      type: always(text('Established, NamesAccepted, Terminating, ...')),
      status: always(text('True, False or Unknown.')),
      lastTransitionTime: time('When the status last changed.'),
      reason: text('Why, in one word.'),
      message: text('Why, for people.'),
      observedGeneration: long('The generation that it is about.'),
    }),
    required: ['type', 'status'],
  },
};

const SCHEMAS: Definitions = {
  JSONSchemaProps: object('A schema, as OpenAPI v3 has it.', SCHEMA_PROPS),
  JSON: VALUE,
  JSONSchemaPropsOrArray: { ...VALUE, description: 'A schema, or several.' },
  JSONSchemaPropsOrBool: { ...VALUE, description: 'A schema, or a truth value.' },
  JSONSchemaPropsOrStringArray: { ...VALUE, description: 'A schema, or names.' },
  ExternalDocumentation: object('Where to read on.', {
    description: text('What is there.'),
    url: text('The address.'),
  }),
  ValidationRule: {
    ...object('A rule in CEL.', {
      rule: always(text('True where the value is as it should be.')),
      message: text('What is wrong where it is not.'),
      messageExpression: text('The same, as an expression in CEL.'),
      reason: given(text('Why, in one word.')),
      fieldPath: text('The field that it is about.'),
      optionalOldSelf: given(flag('The rule holds for new values too.')),
    }),
    required: ['rule'],
  },
};

export const CRD_DEFINITIONS: Definitions = Object.fromEntries(
  Object.entries({ ...KINDS, ...SPEC, ...CONVERSION, ...STATUS, ...SCHEMAS }).map(
    ([name, schema]) => [`${PREFIX}${name}`, schema],
  ),
);
