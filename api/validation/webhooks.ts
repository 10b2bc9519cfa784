import { jsonEqual } from '../json-value';
import { compileConditions } from '../policies/compile';
import type {
  MutatingWebhook,
  MutatingWebhookConfiguration,
  ValidatingWebhook,
  ValidatingWebhookConfiguration,
} from '../types';
import { validateLabelSelector } from './affinity';
import { duplicate, invalid, invalidFor, required, type FieldError, oneOf } from './field-error';
import { CONDITIONS_MAX, validateConditions } from './expressions';
import { validateMatchRules } from './match-rules';
import {
  subdomainName,
  validateMetadata,
  validateMetadataUpdate,
  type MetadataRules,
} from './metadata';
import { dns1035LabelProblems, dns1123SubdomainProblems } from '../names';
import { validateWebhookClient } from './webhook-client';

const RULES: MetadataRules = { isNamespaced: false, name: subdomainName };

type Configuration = MutatingWebhookConfiguration | ValidatingWebhookConfiguration;
type Webhook = MutatingWebhook | ValidatingWebhook;

export const validateWebhooks = (configuration: Configuration): readonly FieldError[] => [
  ...validateMetadata(configuration, RULES),
  ...validateAll(configuration, STRICT),
];

/** What an older object has that is refused of new ones stays allowed in it, as upstream has it. */
export const validateWebhooksUpdate = (
  configuration: Configuration,
  old: Configuration,
): readonly FieldError[] => [
  ...validateMetadataUpdate(configuration, old, RULES),
  ...validateAll(configuration, strictnessAfter(configuration, old)),
];

interface Strictness {
  readonly sideEffects: readonly string[];
  readonly needsKnownVersion: boolean;
  readonly needsUniqueNames: boolean;
  readonly checksConditions: boolean;
}

const NO_SIDE_EFFECTS = ['None', 'NoneOnDryRun'];
const SIDE_EFFECTS = ['None', 'NoneOnDryRun', 'Some', 'Unknown'];
const STRICT: Strictness = {
  sideEffects: NO_SIDE_EFFECTS,
  needsKnownVersion: true,
  needsUniqueNames: true,
  checksConditions: true,
};

const strictnessAfter = (next: Configuration, old: Configuration): Strictness => {
  const before = hooksOf(old);
  const names = before.map(({ name }) => name);
  const conditions = (hooks: readonly Webhook[]) =>
    hooks.map(({ matchConditions = [] }) => matchConditions);
  return {
    sideEffects: before.every(({ sideEffects }) => NO_SIDE_EFFECTS.includes(sideEffects))
      ? NO_SIDE_EFFECTS
      : SIDE_EFFECTS,
    needsKnownVersion: before
      .map(versionsOf)
      .every((versions) => versions.length === 0 || isAnyKnown(versions)),
    needsUniqueNames: names.length === new Set(names).size,
    checksConditions: !jsonEqual(conditions(hooksOf(next)), conditions(before)),
  };
};

const hooksOf = ({ webhooks }: Configuration): readonly Webhook[] => webhooks ?? [];

const validateAll = (configuration: Configuration, strict: Strictness): readonly FieldError[] => {
  const names = new Set<string>();
  return hooksOf(configuration).flatMap((hook, i) => {
    const at = `webhooks[${i}]`;
    const isTwice = strict.needsUniqueNames && hook.name !== '' && names.has(hook.name);
    names.add(hook.name);
    return [
      ...validateWebhook(hook, strict, at),
      ...validateVersions(hook, strict.needsKnownVersion, `${at}.admissionReviewVersions`),
      ...(isTwice ? [duplicate(`${at}.name`, hook.name)] : []),
    ];
  });
};

const validateWebhook = (hook: Webhook, strict: Strictness, at: string): readonly FieldError[] => [
  ...validateName(hook.name, `${at}.name`),
  ...validateMatchRules(hook.rules, `${at}.rules`),
  ...oneOf(`${at}.failurePolicy`, hook.failurePolicy, FAILURE_POLICIES),
  ...oneOf(`${at}.matchPolicy`, hook.matchPolicy, MATCH_POLICIES),
  ...validateSideEffects(hook.sideEffects, strict.sideEffects, `${at}.sideEffects`),
  ...validateTimeout(hook.timeoutSeconds, `${at}.timeoutSeconds`),
  ...validateLabelSelector(hook.namespaceSelector, `${at}.namespaceSelector`),
  ...validateLabelSelector(hook.objectSelector, `${at}.objectSelector`),
  ...('reinvocationPolicy' in hook
    ? oneOf(`${at}.reinvocationPolicy`, hook.reinvocationPolicy, REINVOCATION_POLICIES)
    : []),
  ...validateWebhookClient(hook.clientConfig, `${at}.clientConfig`),
  ...(strict.checksConditions ? validateHookConditions(hook, `${at}.matchConditions`) : []),
];

const validateName = (name: string, field: string): readonly FieldError[] => {
  if (name === '') return [required(field)];
  const problems = dns1123SubdomainProblems(name);
  if (problems.length > 0) return [invalid(field, name, problems.join(','))];
  return name.split('.').length < 3
    ? [invalid(field, name, 'should be a domain with at least three segments separated by dots')]
    : [];
};

/** A body may lack what its type promises. */
const validateSideEffects = (
  value: string | null | undefined,
  allowed: readonly string[],
  field: string,
): readonly FieldError[] =>
  value === undefined || value === null
    ? [required(field, `must specify one of ${allowed.join(', ')}`)]
    : oneOf(field, value, allowed);

const validateTimeout = (seconds: unknown, field: string): readonly FieldError[] =>
  typeof seconds === 'number' && (seconds > 30 || seconds < 1)
    ? [invalid(field, seconds, 'the timeout value must be between 1 and 30 seconds')]
    : [];

const validateVersions = (
  hook: Webhook,
  needsKnown: boolean,
  field: string,
): readonly FieldError[] => {
  const versions = versionsOf(hook);
  if (versions.length === 0)
    return [required(field, `must specify one of ${KNOWN_VERSIONS.join(', ')}`)];
  return [
    ...versions.flatMap((version, i) =>
      versions.indexOf(version) < i
        ? [invalid(`${field}[${i}]`, version, 'duplicate version')]
        : invalidFor(`${field}[${i}]`, version, dns1035LabelProblems(version)),
    ),
    ...(needsKnown && !isAnyKnown(versions)
      ? [invalid(field, versions, `must include at least one of ${KNOWN_VERSIONS.join(', ')}`)]
      : []),
  ];
};

/** A body may lack what its type promises. */
const versionsOf = ({
  admissionReviewVersions: versions,
}: {
  readonly admissionReviewVersions?: readonly string[] | null;
}): readonly string[] => versions ?? [];

const isAnyKnown = (versions: readonly string[]): boolean =>
  versions.some((version) => KNOWN_VERSIONS.includes(version));

/** Too many are not even compiled. */
const validateHookConditions = (
  { matchConditions = [] }: Webhook,
  at: string,
): readonly FieldError[] =>
  validateConditions(
    matchConditions,
    compileConditions(matchConditions.slice(0, CONDITIONS_MAX)),
    at,
  );

/** Of AdmissionReview. */
const KNOWN_VERSIONS = ['v1', 'v1beta1'];
const FAILURE_POLICIES = ['Fail', 'Ignore'];
const MATCH_POLICIES = ['Equivalent', 'Exact'];
const REINVOCATION_POLICIES = ['IfNeeded', 'Never'];
