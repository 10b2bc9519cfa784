import { all, kept, refused, shown, tests, type Effects } from './effect';
import { OBJECT, STATUS } from './metadata';

const LIFECYCLE = tests('test/unit/custom-resources/lifecycle.test.ts');
const CONVERSION = tests('test/unit/custom-resources/conversion.test.ts');
const OBJECTS = tests('test/unit/custom-resources/objects.test.ts');
const SCHEMAS = tests('api/custom-resources/schemas.test.ts');
const VALIDATION = tests('api/custom-resources/definition/validation.test.ts');

const SERVED = shown(LIFECYCLE('serves what is defined, and says so'));
const VERSIONS = shown(LIFECYCLE('show one object each in its own way'));
const CONVERTED = shown(CONVERSION('serves each version as the webhook makes it'));
const DEPRECATED = shown(OBJECTS('warns whoever uses a version that is deprecated'));
const SCALED = shown(OBJECTS('is scaled by the paths that its definition names'));
const PRINTED = shown(OBJECTS('prints the columns of its definition'));
const SELECTED = shown(OBJECTS('is selected by the fields that its definition names'));
const DESCRIBED = shown(OBJECTS('is described to clients, with its list'));
const CHECKED = shown(SCHEMAS('says what is wrong by %j with %j'));
const ALTERNATIVES = shown(SCHEMAS('tells of alternatives: %j with %j'));
const PRUNED = shown(SCHEMAS('drops what the schema does not name, and nothing else'));
const EMBEDDED = shown(SCHEMAS('holds embedded objects to what all objects are'));
const MERGED = shown(OBJECTS('merges lists that are applied by their keys'));
const REFUSED = shown(VALIDATION('refuses the schema %j'));
const RULES = shown(SCHEMAS('asks rules in CEL about objects and about changes'));
const UNSUPPORTED = kept('refused, as upstream refuses it');

/** The schemas that definitions hold: what each keyword does to objects of the kind. */
const SCHEMA_EFFECTS: Effects = {
  JSONSchemaProps: {
    ...all(
      ['$ref', 'additionalItems', 'definitions', 'dependencies', 'id', 'patternProperties'],
      UNSUPPORTED,
    ),
    uniqueItems: REFUSED,
    ...all(['description', 'title', 'externalDocs', 'example', '$schema'], DESCRIBED),
    ...all(['allOf', 'anyOf', 'not', 'oneOf'], ALTERNATIVES),
    ...all(['enum', 'exclusiveMaximum', 'exclusiveMinimum', 'maximum', 'minimum'], CHECKED),
    ...all(['maxItems', 'maxLength', 'maxProperties', 'minItems', 'minLength'], CHECKED),
    ...all(['minProperties', 'multipleOf', 'pattern', 'required', 'type', 'items'], CHECKED),
    format: shown(SCHEMAS('knows the format %s')),
    nullable: shown(SCHEMAS('takes nulls where the schema says so')),
    default: shown(SCHEMAS('fills in defaults deep inside, and nulls that cannot be')),
    ...all(['properties', 'additionalProperties', 'x-kubernetes-preserve-unknown-fields'], PRUNED),
    'x-kubernetes-embedded-resource': EMBEDDED,
    'x-kubernetes-int-or-string': CHECKED,
    ...all(['x-kubernetes-list-map-keys', 'x-kubernetes-list-type'], MERGED),
    'x-kubernetes-map-type': REFUSED,
    'x-kubernetes-validations': RULES,
  },
};

export const CUSTOM_RESOURCE_EFFECTS: Effects = {
  CustomResourceDefinition: { ...OBJECT, spec: SERVED, status: STATUS },
  CustomResourceDefinitionSpec: {
    ...all(['group', 'names', 'scope'], SERVED),
    versions: VERSIONS,
    conversion: CONVERTED,
    preserveUnknownFields: refused(true),
  },
  CustomResourceDefinitionNames: all(
    ['categories', 'kind', 'listKind', 'plural', 'shortNames', 'singular'],
    SERVED,
  ),
  CustomResourceDefinitionVersion: {
    ...all(['name', 'served', 'storage'], VERSIONS),
    ...all(['deprecated', 'deprecationWarning'], DEPRECATED),
    schema: shown(
      OBJECTS('refuses objects that the schema does not allow, in words that say where'),
    ),
    subresources: shown(OBJECTS('keeps spec and status apart, and counts changes of the spec')),
    additionalPrinterColumns: PRINTED,
    selectableFields: SELECTED,
  },
  CustomResourceConversion: {
    strategy: CONVERTED,
    webhook: CONVERTED,
  },
  WebhookConversion: {
    clientConfig: CONVERTED,
    conversionReviewVersions: shown(
      CONVERSION('speaks the first version of reviews that both know'),
    ),
  },
  CustomResourceValidation: { openAPIV3Schema: CHECKED },
  CustomResourceSubresources: {
    scale: SCALED,
    status: shown(OBJECTS('keeps spec and status apart, and counts changes of the spec')),
  },
  CustomResourceSubresourceScale: all(
    ['labelSelectorPath', 'specReplicasPath', 'statusReplicasPath'],
    SCALED,
  ),
  CustomResourceColumnDefinition: {
    ...all(['description', 'jsonPath', 'name', 'priority', 'type'], PRINTED),
    format: kept('passed on to clients, as upstream passes it on'),
  },
  SelectableField: { jsonPath: SELECTED },
  ExternalDocumentation: all(['description', 'url'], DESCRIBED),
  ...SCHEMA_EFFECTS,
  ValidationRule: all(
    ['fieldPath', 'message', 'messageExpression', 'optionalOldSelf', 'reason', 'rule'],
    RULES,
  ),
};
