import { LAST_APPLIED } from '../annotations';
import type { ApiObject, Metadata } from '../types';
import {
  forbidden,
  immutable,
  invalid,
  invalidFor,
  nonNegative,
  required,
  tooLong,
  type FieldError,
} from './field-error';
import { validateManagers } from './managers';
import {
  dns1123LabelProblems,
  dns1123SubdomainProblems,
  labelValueProblems,
  qualifiedNameProblems,
} from '../names';

export type NameRule = (name: string) => readonly string[];

/** Names that are one DNS label, as namespaces have. */
export const labelName: NameRule = dns1123LabelProblems;
/** Names that are DNS subdomains, as most kinds have. */
export const subdomainName: NameRule = dns1123SubdomainProblems;

const ANNOTATIONS_BYTES_MAX = 256 * 1024;
const STANDARD_FINALIZERS = ['kubernetes', 'foregroundDeletion', 'orphan'];

export interface MetadataRules {
  readonly isNamespaced: boolean;
  readonly name: NameRule;
  /** Kinds of Kubernetes' own know their finalizers. */
  readonly takesAnyFinalizer?: boolean;
}

export const validateMetadata = (
  { metadata }: ApiObject,
  { isNamespaced, name: nameRule, takesAnyFinalizer }: MetadataRules,
): readonly FieldError[] => [
  ...validateNames(metadata, nameRule),
  ...validateNamespace(metadata.namespace ?? '', isNamespaced),
  ...nonNegative('metadata.generation', metadata.generation),
  ...validateLabels(metadata.labels, 'metadata.labels'),
  ...validateAnnotations(metadata.annotations, 'metadata.annotations'),
  ...validateOwnerReferences(metadata),
  ...validateManagers(metadata),
  ...(metadata.finalizers ?? []).flatMap((name) => validateFinalizer(name, takesAnyFinalizer)),
];

/** What no update may change. The server has restored the fields that only it writes. */
export const validateMetadataUpdate = (
  object: ApiObject,
  old: ApiObject,
  rules: MetadataRules,
): readonly FieldError[] => {
  const { metadata } = object;
  return [
    ...IMMUTABLE_FIELDS.filter(
      (field) => (metadata[field] ?? '') !== (old.metadata[field] ?? ''),
    ).map((field) => immutable(`metadata.${field}`, metadata[field] ?? '')),
    // Names were checked on creation; rules may have become stricter since.
    ...validateNamespace(metadata.namespace ?? '', rules.isNamespaced),
    ...validateLabels(metadata.labels, 'metadata.labels'),
    ...validateAnnotations(metadata.annotations, 'metadata.annotations'),
    ...validateOwnerReferences(metadata),
    ...validateManagers(metadata),
    ...(metadata.finalizers ?? []).flatMap((name) =>
      validateFinalizer(name, rules.takesAnyFinalizer),
    ),
  ];
};

const IMMUTABLE_FIELDS = ['name', 'namespace', 'uid'] as const;

const validateNames = (
  { name, generateName = '' }: Metadata,
  nameRule: NameRule,
): readonly FieldError[] => [
  // A prefix may end in a dash: a suffix follows.
  ...invalidFor(
    'metadata.generateName',
    generateName,
    generateName === '' ? [] : nameRule(generateName.replace(/-$/, 'a')),
  ),
  // A body may lack the name although its type says otherwise.
  ...((name as string | undefined) === undefined || name === ''
    ? [required('metadata.name', 'name or generateName is required')]
    : invalidFor('metadata.name', name, nameRule(name))),
];

const validateNamespace = (namespace: string, isNamespaced: boolean): readonly FieldError[] => {
  if (!isNamespaced) {
    return namespace === '' ? [] : [forbidden('metadata.namespace', 'not allowed on this type')];
  }
  return namespace === ''
    ? [required('metadata.namespace')]
    : invalidFor('metadata.namespace', namespace, dns1123LabelProblems(namespace));
};

export const validateLabels = (
  labels: Readonly<Record<string, string>> | undefined,
  field: string,
): readonly FieldError[] =>
  Object.entries(labels ?? {}).flatMap(([key, value]) => [
    ...invalidFor(field, key, qualifiedNameProblems(key)),
    ...invalidFor(field, value, labelValueProblems(value)),
  ]);

export const validateAnnotations = (
  annotations: Readonly<Record<string, string>> | undefined,
  field: string,
): readonly FieldError[] => {
  const entries = Object.entries(annotations ?? {});
  const bytes = entries.reduce(
    (sum, [key, value]) => sum + Buffer.byteLength(key) + Buffer.byteLength(value),
    0,
  );
  return [
    ...entries.flatMap(([key]) => invalidFor(field, key, qualifiedNameProblems(key.toLowerCase()))),
    ...(bytes > ANNOTATIONS_BYTES_MAX
      ? [withHint(tooLong(field, ANNOTATIONS_BYTES_MAX), annotations?.[LAST_APPLIED])]
      : []),
  ];
};

/** Most often it is what kubectl keeps of the object itself. */
const withHint = (error: FieldError, lastApplied: string | undefined): FieldError =>
  lastApplied === undefined || Buffer.byteLength(lastApplied) < ANNOTATIONS_BYTES_MAX / 2
    ? error
    : {
        ...error,
        message:
          `${error.message}: ${LAST_APPLIED} holds ${Buffer.byteLength(lastApplied)} of them; ` +
          "apply the object on the server's side (--server-side), which keeps no copy",
      };

const validateOwnerReferences = ({ ownerReferences = [] }: Metadata): readonly FieldError[] => {
  const field = 'metadata.ownerReferences';
  const controllers = ownerReferences.filter(({ controller }) => controller === true);
  const names = controllers.map(({ kind, name }) => `${kind} ${name}`);
  return [
    ...ownerReferences.flatMap((reference, i) =>
      (['apiVersion', 'kind', 'name', 'uid'] as const)
        .filter((key) => reference[key] === '')
        .map((key) =>
          invalid(
            `${field}[${i}].${key}`,
            reference[key],
            key === 'apiVersion' ? 'version must not be empty' : 'must not be empty',
          ),
        ),
    ),
    ...(controllers.length > 1
      ? [
          invalid(
            field,
            ownerReferences,
            'Only one reference can have Controller set to true. Found "true" in references for ' +
              `${names[0] ?? ''} and ${names[1] ?? ''}`,
          ),
        ]
      : []),
  ];
};

const validateFinalizer = (finalizer: string, takesAny = false): readonly FieldError[] => {
  const field = 'metadata.finalizers';
  const problems = qualifiedNameProblems(finalizer);
  if (problems.length > 0) return invalidFor(field, finalizer, problems);
  return takesAny || finalizer.includes('/') || STANDARD_FINALIZERS.includes(finalizer)
    ? []
    : [
        invalid(
          field,
          finalizer,
          'name is neither a standard finalizer name nor is it fully qualified',
        ),
      ];
};
