import type { ApiObject, Container, DeepReadonly, PodSpec } from './types';
import type * as core from 'kubernetes-types/core/v1';
import { volumeSourcesOf } from './validation/volumes';

/**
 * What of an object Dhow accepts and cannot carry out yet, one sentence per field, for `Warning:`
 * headers. Nothing is dropped silently: the field is stored, and its author is told.
 */
export const unsupportedFields = (object: ApiObject): readonly string[] => {
  const at = podSpecIn(object);
  return at === undefined ? [] : unsupportedInPod(at.spec, at.field);
};

/** Volume sources that keep a pod from starting. */
export const isSupportedVolumeSource = (name: string): boolean => VOLUME_SOURCES.includes(name);

const VOLUME_SOURCES = ['emptyDir', 'hostPath', 'configMap', 'secret', 'projected', 'downwardAPI'];
const NOT_STARTED = 'not supported by Dhow yet; the pod will not start';
const IGNORED = 'not supported by Dhow yet; it has no effect';

const POD_FIELDS: Readonly<Record<string, string>> = {
  ephemeralContainers: IGNORED,
  resourceClaims: NOT_STARTED,
  runtimeClassName: IGNORED,
  hostnameOverride: IGNORED,
  resources: IGNORED,
};
const SECURITY_FIELDS = ['seLinuxOptions', 'windowsOptions', 'appArmorProfile', 'procMount'];
const POD_SECURITY_FIELDS = [...SECURITY_FIELDS, 'seLinuxChangePolicy', 'supplementalGroupsPolicy'];
const PROJECTIONS: Readonly<Record<string, string>> = {
  clusterTrustBundle: NOT_STARTED,
  serviceAccountToken: IGNORED,
};
const CONTAINER_FIELDS: Readonly<Record<string, string>> = {
  volumeDevices: NOT_STARTED,
  resizePolicy: IGNORED,
  restartPolicyRules: IGNORED,
};

type Fields = Readonly<Record<string, unknown>>;

/** The pod spec of a pod, or of the template of a workload, and where it stands. */
export const podSpecIn = (
  object: ApiObject,
): { readonly spec: PodSpec; readonly field: string } | undefined => {
  const { spec } = object as ApiObject & { readonly spec?: Fields };
  if (object.kind === 'Pod') return spec && { spec: spec as unknown as PodSpec, field: 'spec' };
  const template = spec?.['template'] as { readonly spec?: PodSpec } | undefined;
  return template?.spec && { spec: template.spec, field: 'spec.template.spec' };
};

const unsupportedInPod = (spec: PodSpec, field: string): readonly string[] => [
  ...presentIn(spec, POD_FIELDS, field),
  ...(spec.hostUsers === false ? [`${field}.hostUsers: ${IGNORED}`] : []),
  ...presentIn(spec.securityContext, ignored(POD_SECURITY_FIELDS), `${field}.securityContext`),
  ...(spec.volumes ?? []).flatMap((volume, i) =>
    unsupportedInVolume(volume, `${field}.volumes[${i}]`),
  ),
  ...(['initContainers', 'containers'] as const).flatMap((list) =>
    ((spec[list] as readonly Container[] | null | undefined) ?? []).flatMap((container, i) =>
      unsupportedInContainer(container, `${field}.${list}[${i}]`),
    ),
  ),
];

const unsupportedInVolume = (
  volume: DeepReadonly<core.Volume>,
  field: string,
): readonly string[] => [
  ...volumeSourcesOf(volume)
    .filter((name) => !isSupportedVolumeSource(name))
    .map((name) => `${field}.${name}: ${NOT_STARTED}`),
  ...(volume.projected?.sources ?? []).flatMap((source, i) =>
    presentIn(source, PROJECTIONS, `${field}.projected.sources[${i}]`),
  ),
];

const unsupportedInContainer = (container: Container, field: string): readonly string[] => [
  ...presentIn(container, CONTAINER_FIELDS, field),
  ...presentIn(container.securityContext, ignored(SECURITY_FIELDS), `${field}.securityContext`),
  ...((container.resources?.claims ?? []).length > 0
    ? [`${field}.resources.claims: ${NOT_STARTED}`]
    : []),
];

const ignored = (names: readonly string[]): Readonly<Record<string, string>> =>
  Object.fromEntries(names.map((name) => [name, IGNORED]));

const presentIn = (
  value: object | undefined,
  fields: Readonly<Record<string, string>>,
  field: string,
): readonly string[] =>
  value === undefined
    ? []
    : Object.entries(fields)
        .filter(([name]) => Object.hasOwn(value, name))
        .map(([name, why]) => `${field}.${name}: ${why}`);
