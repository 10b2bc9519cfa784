import type { JsonSchema } from '../../structural/json-schema';
import { jsonEqual } from '../../json-value';
import type { CustomResourceDefinition, CustomResourceDefinitionVersion } from '../../types';
import { forbidden, invalid, required, type FieldError } from '../../validation/field-error';
import { validateDefaults } from './defaults';
import { label } from './names';
import { validatePath, validateSelectable } from './paths';
import type { Pacer, Steps } from '../steps';
import { rulesProblems } from './rules';
import { validateSchema } from './schema';
import { validateStructural } from './structural';
import { isJsonObject } from '../../../lib/json';

type Spec = Partial<CustomResourceDefinition['spec']>;
type Version = Partial<CustomResourceDefinitionVersion>;

export const schemaOf = ({ schema }: Version): JsonSchema | undefined => schema?.openAPIV3Schema;

/**
 * Every version by itself. What is the same in all versions is judged once and named as if the
 * definition said it of the whole: `spec.validation`, as upstream does, whose own form has it so.
 */
export const validateVersions = ({ versions = [] }: Spec): readonly FieldError[] => [
  ...versions.flatMap((version, i) => [
    ...label(version.name, `spec.versions[${i}].name`, true),
    ...deprecationProblems(version, `spec.versions[${i}].deprecationWarning`),
  ]),
  ...judged(versions, 'subresources', 'subresources', validateSubresources),
  ...judged(versions, 'additionalPrinterColumns', 'additionalPrinterColumns', validateColumns),
  ...judged(
    versions,
    'selectableFields',
    'selectableFields',
    ({ selectableFields, ...version }, path) => {
      const schema = schemaOf(version);
      return schema === undefined || selectableFields === undefined
        ? []
        : validateSelectable(selectableFields, schema, path);
    },
  ),
];

type Judge = (version: Version, path: string, all: readonly Version[]) => readonly FieldError[];

const judged = (
  versions: readonly Version[],
  own: keyof Version,
  common: string,
  judge: Judge,
): readonly FieldError[] =>
  apart(versions, own, common).flatMap(({ version, path, all }) => judge(version, path, all));

const apart = (
  versions: readonly Version[],
  own: keyof Version,
  common: string,
): readonly {
  readonly version: Version;
  readonly path: string;
  readonly all: readonly Version[];
}[] => {
  const [first] = versions;
  if (first === undefined) return [];
  const isSame = versions.every((version) => jsonEqual(version[own], first[own]));
  if (isSame) return [{ version: first, path: `spec.${common}`, all: versions }];
  return versions.map((version, i) => ({
    ...{ version, path: `spec.versions[${i}].${own}`, all: [version] },
  }));
};

/** What is wrong with their schemas, the rules in CEL among them: that alone may take long. */
export function* schemaProblems(
  { versions = [] }: Spec,
  pacer: Pacer,
  isCostHeld: () => Steps<boolean>,
): Steps<readonly FieldError[]> {
  const problems: FieldError[] = [];
  for (const { version, path, all } of apart(versions, 'schema', 'validation'))
    problems.push(...(yield* validateVersionSchema(version, path, all, pacer, isCostHeld)));
  return problems;
}

const deprecationProblems = (
  { deprecated = false, deprecationWarning: text }: Version,
  field: string,
): readonly FieldError[] => {
  if (text === undefined) return [];
  if (!deprecated) return [invalid(field, text, 'can only be set for deprecated versions')];
  const strange = /[^\P{C}]|[\u2028\u2029]/u.exec(text);
  return [
    ...(Buffer.byteLength(text) > 256
      ? [invalid(field, text, 'must be <= 256 characters long')]
      : []),
    ...(text === '' ? [invalid(field, text, 'must not be an empty string')] : []),
    ...(strange === null
      ? []
      : [
          invalid(
            field,
            text,
            'must only contain printable UTF-8 characters; non-printable character found at index ' +
              String(Buffer.byteLength(text.slice(0, strange.index))),
          ),
        ]),
  ];
};

function* validateVersionSchema(
  version: Version,
  parent: string,
  all: readonly Version[],
  pacer: Pacer,
  isCostHeld: () => Steps<boolean>,
): Steps<readonly FieldError[]> {
  const schema = schemaOf(version);
  if (schema === undefined) return [];
  const path = `${parent}.openAPIV3Schema`;
  const hasStatus = all.some(({ subresources }) => subresources?.status !== undefined);
  const structural = yield* validateStructural(schema, path, pacer);
  const keywords = yield* validateSchema(schema, path, pacer);
  const isSound = structural.length + keywords.length === 0;
  return [
    ...(hasStatus ? rootProblems(schema, path) : []),
    ...(schema.nullable === true
      ? [forbidden(`${path}.nullable`, 'nullable cannot be true at the root')]
      : []),
    ...(structural.length > 0 ? structural : yield* validateDefaults(schema, path, pacer)),
    ...keywords,
    // Rules of a schema that is wrong say nothing that its author could use.
    ...(isSound ? yield* rulesProblems(schema, path, pacer, isCostHeld) : []),
  ];
}

/** With a status of its own, the root says nothing that would be lost for it. */
const rootProblems = (schema: JsonSchema, path: string): readonly FieldError[] => {
  if (schema.type !== 'object')
    return [
      invalid(
        `${path}.type`,
        schema.type ?? '',
        'only "object" is allowed as the type at the root of the schema if the status subresource ' +
          'is enabled',
      ),
    ];
  const isStrange = Object.keys(schema).some((name) => !ROOT_FIELDS.has(name));
  const why =
    `only [${[...ROOT_FIELDS.values()].join(' ')}] fields are allowed at the root of the schema if ` +
    'the status subresource is enabled';
  return isStrange ? [invalid(path, schema, why)] : [];
};

const ROOT_FIELDS: ReadonlyMap<string, string> = new Map(
  [
    ...['Description', 'Type', 'Format', 'Title', 'Maximum', 'ExclusiveMaximum', 'Minimum'],
    ...['ExclusiveMinimum', 'MaxLength', 'MinLength', 'Pattern', 'MaxItems', 'MinItems'],
    ...['UniqueItems', 'MultipleOf', 'Required', 'Items', 'Properties', 'ExternalDocs', 'Example'],
  ]
    .map((name): [string, string] => [`${name.charAt(0).toLowerCase()}${name.slice(1)}`, name])
    .concat([
      ['x-kubernetes-preserve-unknown-fields', 'XPreserveUnknownFields'],
      ['x-kubernetes-validations', 'XValidations'],
    ]),
);

const validateSubresources: Judge = ({ subresources }, path) => {
  const scale = subresources?.scale as Partial<NonNullable<typeof subresources>['scale']>;
  if (!isJsonObject(scale)) return [];
  const { specReplicasPath, statusReplicasPath, labelSelectorPath = '' } = scale;
  return [
    ...validatePath(specReplicasPath, `${path}.scale.specReplicasPath`, ['.spec']),
    ...validatePath(statusReplicasPath, `${path}.scale.statusReplicasPath`, ['.status']),
    ...(labelSelectorPath === ''
      ? []
      : validatePath(labelSelectorPath, `${path}.scale.labelSelectorPath`, ['.spec', '.status'])),
  ];
};

const validateColumns: Judge = ({ additionalPrinterColumns = [] }, path) =>
  additionalPrinterColumns.flatMap((column, i) => {
    const { name = '', type = '', format = '', jsonPath } = column as Partial<typeof column>;
    const at = `${path}[${i}]`;
    const types = `must be one of ${COLUMN_TYPES.join(',')}`;
    return [
      ...(name === '' ? [required(`${at}.name`)] : []),
      ...(type === ''
        ? [required(`${at}.type`, types)]
        : COLUMN_TYPES.includes(type)
          ? []
          : [invalid(`${at}.type`, type, types)]),
      ...(format === '' || COLUMN_FORMATS.includes(format)
        ? []
        : [invalid(`${at}.format`, format, `must be one of ${COLUMN_FORMATS.join(',')}`)]),
      ...validatePath(jsonPath, `${at}.JSONPath`),
    ];
  });

const COLUMN_TYPES = ['boolean', 'date', 'integer', 'number', 'string'];
const COLUMN_FORMATS = [
  'byte',
  'date',
  'date-time',
  'double',
  'float',
  'int32',
  'int64',
  'password',
];
