import { versionsIn } from '../definitions';
import { jsonEqual } from '../../json-value';
import type { CustomResourceDefinition } from '../../types';
import {
  forbidden,
  immutable,
  invalid,
  notSupported,
  required,
  type FieldError,
} from '../../validation/field-error';
import {
  subdomainName,
  validateMetadata,
  validateMetadataUpdate,
  type MetadataRules,
} from '../../validation/metadata';
import { validateWebhookClient } from '../../validation/webhook-client';
import { dns1035LabelProblems, dns1123SubdomainProblems } from '../../names';
import { CONVERSION_REVIEW_VERSIONS } from '../conversion';
import { validateNames } from './names';
import { exceedsCosts } from './rules';
import { Pacer, type Steps } from '../steps';
import { schemaOf, schemaProblems, validateVersions } from './versions';

/* Source: apiextensions-apiserver/pkg/apis/apiextensions/validation/validation.go, in its order. */

type Spec = Partial<CustomResourceDefinition['spec']>;
type Status = Partial<CustomResourceDefinition['status']>;

/** Bodies may lack what their types promise. */
const specOf = ({ spec }: Partial<CustomResourceDefinition>): Spec => ({
  ...spec,
  versions: versionsIn(spec),
});
const statusOf = ({ status }: Partial<CustomResourceDefinition>): Status => status ?? {};

export const validateCustomResourceDefinition = (
  definition: CustomResourceDefinition,
): readonly FieldError[] => {
  const { names, group = '' } = specOf(definition);
  const rules: MetadataRules = {
    ...METADATA,
    name: (name) => [
      ...subdomainName(name),
      ...(name === `${names?.plural ?? ''}.${group}`
        ? []
        : ['must be spec.names.plural+"."+spec.group']),
    ],
  };
  return [
    ...validateMetadata(definition, rules),
    ...validateSpec(specOf(definition)),
    ...validateStatus(definition),
    ...validateApproval(definition),
  ];
};

export const validateCustomResourceDefinitionUpdate = (
  definition: CustomResourceDefinition,
  old: CustomResourceDefinition,
): readonly FieldError[] => {
  const [spec, oldSpec] = [specOf(definition), specOf(old)];
  const isApprovalSame = approvalOf(definition) === approvalOf(old);
  return [
    ...versionProblems(definition),
    ...validateMetadataUpdate(definition, old, METADATA),
    ...(jsonEqual(spec, oldSpec) ? [] : validateSpec(spec)),
    ...(isEstablished(old) ? unchanged(spec, oldSpec, ['scope', 'kind']) : []),
    ...unchanged(spec, oldSpec, ['group', 'plural']),
    ...validateStatus(definition),
    ...(isApprovalSame ? [] : validateApproval(definition)),
  ];
};

/** All that is wrong, with what `errors` do not say: what is wrong with the schemas. In upstream's order. */
export function* judgeCustomResourceDefinition(
  definition: CustomResourceDefinition,
  old: CustomResourceDefinition | undefined,
  errors: readonly FieldError[],
): Steps<readonly FieldError[]> {
  const [spec, oldSpec] = [specOf(definition), old && specOf(old)];
  // What is being deleted only loses its finalizers: its schemas were judged, perhaps by other rules.
  if (oldSpec !== undefined && jsonEqual(spec, oldSpec)) return errors;
  const pacer = new Pacer();
  const problems = yield* schemaProblems(spec, pacer, function* () {
    return oldSpec === undefined || !(yield* hasDearRules(oldSpec, pacer));
  });
  const later = errors.findIndex(({ field }) => !BEFORE_SCHEMAS.test(field));
  const at = later < 0 ? errors.length : later;
  return [...errors.slice(0, at), ...problems, ...errors.slice(at)];
}

/** Fields that are judged before schemas are. */
const BEFORE_SCHEMAS =
  /^(?:metadata\.(?!annotations\[)|spec\.(?:group|scope)$|spec\.versions\[\d+\]\.(?:schema|name|deprecationWarning))/;

export const validateCustomResourceDefinitionStatusUpdate = (
  definition: CustomResourceDefinition,
  old: CustomResourceDefinition,
): readonly FieldError[] => [
  ...validateMetadataUpdate(definition, old, METADATA),
  ...validateNames(statusOf(definition).acceptedNames ?? {}, 'status.acceptedNames'),
];

const METADATA: MetadataRules = { isNamespaced: false, name: subdomainName };

/** Nobody replaces a definition, or an object of one, without saying which state they replace. */
export const versionProblems = ({
  metadata,
}: Pick<CustomResourceDefinition, 'metadata'>): readonly FieldError[] =>
  (metadata.resourceVersion ?? '') === ''
    ? [
        {
          ...invalid('metadata.resourceVersion', 0, ''),
          message: 'Invalid value: 0x0: must be specified for an update',
        },
      ]
    : [];

const isEstablished = (definition: CustomResourceDefinition): boolean =>
  (statusOf(definition).conditions ?? []).some(
    ({ type, status }) => type === 'Established' && status === 'True',
  );

const unchanged = (
  spec: Spec,
  old: Spec,
  fields: readonly ('scope' | 'group' | 'kind' | 'plural')[],
): readonly FieldError[] =>
  fields.flatMap((field) => {
    const isName = field === 'kind' || field === 'plural';
    const [value, before] = isName
      ? [spec.names?.[field], old.names?.[field]]
      : [spec[field], old[field]];
    const path = isName ? `spec.names.${field}` : `spec.${field}`;
    return value === before ? [] : [immutable(path, value ?? '')];
  });

/** What was too dear before may be so on: the bound came later. */
function* hasDearRules({ versions = [] }: Spec, pacer: Pacer): Steps<boolean> {
  for (const version of versions) {
    const schema = schemaOf(version);
    if (schema !== undefined && (yield* exceedsCosts(schema, pacer))) return true;
  }
  return false;
}

const validateSpec = (spec: Spec): readonly FieldError[] => {
  const { names = {} as NonNullable<Spec['names']> } = spec;
  const versions = spec.versions ?? [];
  return [
    ...groupProblems(spec.group ?? ''),
    ...scopeProblems(spec.scope ?? ''),
    ...versions.flatMap((version, i) =>
      schemaOf(version) === undefined
        ? [required(`spec.versions[${i}].schema.openAPIV3Schema`)]
        : [],
    ),
    ...validateVersions({ ...spec, versions }),
    ...versionSetProblems(versions),
    ...(['plural', 'singular', 'kind', 'listKind'] as const)
      .filter((name) => (names[name] ?? '') === '')
      .map((name) => required(`spec.names.${name}`)),
    ...validateNames(names, 'spec.names'),
    ...conversionProblems(spec),
    ...(spec.preserveUnknownFields === true
      ? [
          invalid(
            'spec.preserveUnknownFields',
            true,
            'cannot set to true, set x-kubernetes-preserve-unknown-fields to true in ' +
              'spec.versions[*].schema instead',
          ),
        ]
      : []),
  ];
};

const groupProblems = (group: string): readonly FieldError[] => {
  if (group === '') return [required('spec.group')];
  const problems = dns1123SubdomainProblems(group);
  if (problems.length > 0) return [invalid('spec.group', group, problems.join(','))];
  return group.includes('.')
    ? []
    : [invalid('spec.group', group, 'should be a domain with at least one dot')];
};

const SCOPES = ['Cluster', 'Namespaced'];

const scopeProblems = (scope: string): readonly FieldError[] => {
  if (scope === '') return [required('spec.scope')];
  return SCOPES.includes(scope) ? [] : [notSupported('spec.scope', scope, SCOPES)];
};

const versionSetProblems = (versions: NonNullable<Spec['versions']>): readonly FieldError[] => {
  const names = new Set(versions.map(({ name }) => name));
  const storedCount = versions.filter(({ storage }) => storage).length;
  return [
    ...(names.size < versions.length
      ? [invalid('spec.versions', shown(versions), 'must contain unique version names')]
      : []),
    ...(storedCount === 1
      ? []
      : [
          invalid(
            'spec.versions',
            shown(versions),
            'must have exactly one version marked as storage version',
          ),
        ]),
  ];
};

/** Without the schemas, which nobody could read in a message. */
const shown = (versions: NonNullable<Spec['versions']>): unknown =>
  versions.map(({ name, served, storage }) => ({ name, served, storage }));

const STRATEGIES = ['None', 'Webhook'];

const conversionProblems = ({ conversion }: Spec): readonly FieldError[] => {
  if (conversion === undefined) return [];
  const { strategy = '', webhook } = conversion as Partial<typeof conversion>;
  const field = 'spec.conversion.strategy';
  if (strategy === '') return [required(field)];
  if (!STRATEGIES.includes(strategy)) return [notSupported(field, strategy, STRATEGIES)];
  if (strategy === 'Webhook') return webhookProblems(webhook);
  return [
    ...(webhook?.clientConfig === undefined
      ? []
      : [
          forbidden(
            'spec.conversion.webhookClientConfig',
            'should not be set when strategy is not set to Webhook',
          ),
        ]),
    ...((webhook?.conversionReviewVersions ?? []).length === 0
      ? []
      : [
          forbidden(
            'spec.conversion.conversionReviewVersions',
            'should not be set when strategy is not set to Webhook',
          ),
        ]),
  ];
};

type Webhook = NonNullable<NonNullable<Spec['conversion']>['webhook']>;

/** In the words of upstream's own form, whose fields lie otherwise. */
const webhookProblems = (webhook: Partial<Webhook> | undefined): readonly FieldError[] => {
  const field = 'spec.conversion.webhookClientConfig';
  const { clientConfig, conversionReviewVersions: versions } = webhook ?? {};
  return [
    ...(clientConfig === undefined
      ? [required(field, 'required when strategy is set to Webhook')]
      : validateWebhookClient(clientConfig, field)),
    ...reviewVersionProblems((versions as readonly string[] | null | undefined) ?? []),
  ];
};

const reviewVersionProblems = (versions: readonly string[]): readonly FieldError[] => {
  const field = 'spec.conversion.conversionReviewVersions';
  if (versions.length === 0) return [required(field)];
  const isKnown = versions.some((version) => CONVERSION_REVIEW_VERSIONS.includes(version));
  return [
    ...versions.flatMap((version, i) =>
      versions.indexOf(version) < i
        ? [invalid(`${field}[${i}]`, version, 'duplicate version')]
        : dns1035LabelProblems(version).map((why) => invalid(`${field}[${i}]`, version, why)),
    ),
    ...(isKnown
      ? []
      : [
          invalid(
            field,
            versions,
            `must include at least one of ${CONVERSION_REVIEW_VERSIONS.join(', ')}`,
          ),
        ]),
  ];
};

const validateStatus = (definition: CustomResourceDefinition): readonly FieldError[] => {
  const { acceptedNames = {} } = statusOf(definition);
  const storedVersions = (statusOf(definition).storedVersions as readonly string[] | null) ?? [];
  const { versions = [] } = specOf(definition);
  const field = 'status.storedVersions';
  if (storedVersions.length === 0)
    return [
      ...validateNames(acceptedNames, 'status.acceptedNames'),
      invalid(field, storedVersions, 'must have at least one stored version'),
    ];
  return [
    ...validateNames(acceptedNames, 'status.acceptedNames'),
    ...versions
      .filter(({ storage, name }) => storage && !storedVersions.includes(name))
      .map(({ name }) => invalid(field, storedVersions, `must have the storage version ${name}`)),
    ...storedVersions.flatMap((name, i) =>
      versions.some((version) => version.name === name)
        ? []
        : [
            invalid(
              `${field}[${i}]`,
              name,
              `missing from spec.versions; ${name} was previously a storage version, and must remain ` +
                'in spec.versions until a storage migration ensures no data remains persisted in ' +
                `${name} and removes ${name} from status.storedVersions`,
            ),
          ],
    ),
  ];
};

const APPROVED = 'api-approved.kubernetes.io';
const APPROVAL_RULES = 'https://github.com/kubernetes/enhancements/pull/1111';

type Approval = 'approved' | 'bypassed' | 'missing' | 'invalid';

const approvalOf = ({ metadata }: CustomResourceDefinition): Approval => {
  const text = metadata.annotations?.[APPROVED];
  if (text === undefined || text === '') return 'missing';
  if (text.startsWith('unapproved')) return 'bypassed';
  return /^[A-Za-z][A-Za-z0-9+.-]*:\/\/[^\s/]+/.test(text) ? 'approved' : 'invalid';
};

/** Is the group one of Kubernetes' own, which not everyone may add to? */
export const isProtectedGroup = (group: string): boolean =>
  /(?:^|\.)(?:k8s|kubernetes)\.io$/.test(group);

const validateApproval = (definition: CustomResourceDefinition): readonly FieldError[] => {
  if (!isProtectedGroup(specOf(definition).group ?? '')) return [];
  const field = `metadata.annotations[${APPROVED}]`;
  const needed = `protected groups must have approval annotation ${JSON.stringify(APPROVED)}`;
  switch (approvalOf(definition)) {
    case 'missing':
      return [required(field, `${needed}, see ${APPROVAL_RULES}`)];
    case 'invalid':
      return [
        invalid(
          field,
          definition.metadata.annotations?.[APPROVED],
          `${needed} with either a URL or a reason starting with "unapproved", see ${APPROVAL_RULES}`,
        ),
      ];
    default:
      return [];
  }
};
