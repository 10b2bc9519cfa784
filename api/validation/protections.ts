import { containersIn, podIn, type PodIn } from '../pod-in';
import type { ApiObject, Container, ServiceAccount } from '../types';
import { invalid, type FieldError } from './field-error';

/**
 * What a pod asks for its own or its neighbours' safety and Dhow cannot give: it is refused, for
 * whoever asks for a wall must not run without. What stands in the stored object already is let be,
 * so that it can still be changed and deleted; its pods are refused one by one.
 */
export const validateProtections = (object: ApiObject, old?: ApiObject): readonly FieldError[] =>
  newlyMissing((each) => missingInPod(podIn(each)), object, old);

/** The same of a service account, for all pods that run as it. */
export const validateAccountProtections = (
  account: ServiceAccount,
  old?: ServiceAccount,
): readonly FieldError[] => newlyMissing(missingInAccount, account, old);

const newlyMissing = <T extends ApiObject>(
  missingIn: (object: T) => readonly FieldError[],
  object: T,
  old: T | undefined,
): readonly FieldError[] => {
  const known = new Set((old === undefined ? [] : missingIn(old)).map(keyOf));
  return missingIn(object).filter((error) => !known.has(keyOf(error)));
};

const missingInAccount = ({ metadata }: ServiceAccount): readonly FieldError[] =>
  metadata.annotations?.[MOUNTABLE] === 'true'
    ? [
        missing(
          `metadata.annotations[${MOUNTABLE}]`,
          'true',
          'its pods to be held to a list of secrets',
        ),
      ]
    : [];

const keyOf = ({ field, message }: FieldError): string => `${field}: ${message}`;

const missingInPod = (pod: PodIn | undefined): readonly FieldError[] => {
  if (pod === undefined) return [];
  const { spec, field } = pod;
  return [
    ...(spec.hostUsers === false ? [missing(`${field}.hostUsers`, false, 'user namespaces')] : []),
    ...missingInContext(spec.securityContext, `${field}.securityContext`),
    ...strictGroups(spec.securityContext, `${field}.securityContext.supplementalGroupsPolicy`),
    ...containersIn(spec).flatMap(([container, at]) => {
      const context = `${field}.${at}.securityContext`;
      return [
        ...missingInContext(container.securityContext, context),
        ...unmasked(container, `${context}.procMount`),
      ];
    }),
    ...missingInAnnotations(pod),
  ];
};

interface Context {
  readonly appArmorProfile?: { readonly type: string };
  readonly seLinuxOptions?: object;
  readonly windowsOptions?: object;
  readonly supplementalGroupsPolicy?: string;
}

const missingInContext = (context: Context | undefined, field: string): readonly FieldError[] => {
  const { appArmorProfile: profile, seLinuxOptions, windowsOptions } = context ?? {};
  return [
    ...(profile === undefined || profile.type === UNCONFINED
      ? []
      : [missing(`${field}.appArmorProfile.type`, profile.type, 'AppArmor')]),
    ...(isSet(seLinuxOptions)
      ? [missing(`${field}.seLinuxOptions`, seLinuxOptions, 'SELinux')]
      : []),
    ...(isSet(windowsOptions)
      ? [missing(`${field}.windowsOptions`, windowsOptions, 'Windows')]
      : []),
  ];
};

const strictGroups = (context: Context | undefined, field: string): readonly FieldError[] =>
  context?.supplementalGroupsPolicy === 'Strict'
    ? [missing(field, 'Strict', 'the groups that an image gives its user to be left out')]
    : [];

/** Upstream's rule and words: all of /proc is only for whoever is nobody on the host. */
const unmasked = ({ securityContext }: Container, field: string): readonly FieldError[] =>
  securityContext?.procMount === 'Unmasked'
    ? [invalid(field, 'Unmasked', '`hostUsers` must be false to use `Unmasked`')]
    : [];

/** How profiles were named before there was a field. */
const missingInAnnotations = ({ annotations, metadataField }: PodIn): readonly FieldError[] =>
  Object.entries(annotations)
    .filter(([key, value]) => key.startsWith(APP_ARMOR) && !['', 'unconfined'].includes(value))
    .map(([key, value]) => missing(`${metadataField}.annotations[${key}]`, value, 'AppArmor'));

const missing = (field: string, value: unknown, what: string): FieldError =>
  invalid(
    field,
    value,
    `needs ${what}, which Dhow does not support; nothing runs with less than it asks for`,
  );

/** An empty object asks for nothing. */
const isSet = (value: object | undefined): boolean =>
  value !== undefined && Object.keys(value).length > 0;

const MOUNTABLE = 'kubernetes.io/enforce-mountable-secrets';
const UNCONFINED = 'Unconfined';
const APP_ARMOR = 'container.apparmor.security.beta.kubernetes.io/';
