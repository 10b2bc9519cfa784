import { jsonEqual } from '../../../api/json-value';
import {
  checkSecurityLabels,
  describeFindings,
  nameOfStandard,
  standardFor,
  violationsOf,
  type Standard,
} from '../../../api/pod-security/policy';
import { podShapeOf } from '../../../api/pod-security/pod-shape';
import { NAMESPACES, PODS } from '../../../api/resources';
import type { ApiObject } from '../../../api/types';
import { invalidError } from '../../../api/validation/field-error';
import type { ServedKind } from '../kinds/served-kind';
import type { AdmissionReader } from './admission-reader';
import { forbidden } from './forbidden';

/**
 * Holds a pod to what its namespace enforces, and warns of what it, or the pods of a workload, would
 * violate. @throws Forbidden in upstream's words
 */
export const checkPodSecurity = (
  kind: ServedKind,
  object: ApiObject,
  namespace: ApiObject,
  warnings: string[],
): void => {
  const pod = podShapeOf(object);
  if (pod === undefined) return;
  const { labels } = namespace.metadata;
  const tell = (standard: Standard) => {
    const found = violationsOf(pod, standard);
    return found.length === 0
      ? undefined
      : `violate${kind.resource === PODS ? 's' : ''} PodSecurity "${nameOfStandard(standard)}": ` +
          describeFindings(found);
  };
  const enforced = kind.resource === PODS ? tell(standardFor('enforce', labels)) : undefined;
  if (enforced !== undefined) throw forbidden(kind, object, enforced);
  const warned = tell(standardFor('warn', labels));
  if (warned !== undefined) warnings.push(`would ${warned.replace(/^violates/, 'violate')}`);
};

/** Has an update changed what a standard looks at? Images and tolerations are not among it. */
export const changesPodSecurity = (object: ApiObject, old: ApiObject): boolean =>
  !jsonEqual(podShapeOf(object), podShapeOf(old));

/**
 * The labels of a namespace must name standards; pods that are there already go on, and its author
 * hears of them. @throws Invalid
 */
export const checkNamespaceSecurity = (
  kind: ServedKind,
  namespace: ApiObject,
  old: ApiObject | undefined,
  reader: AdmissionReader,
  warnings: string[],
): void => {
  if (kind.resource !== NAMESPACES) return;
  const { name, labels } = namespace.metadata;
  const errors = checkSecurityLabels(labels);
  if (errors.length > 0) throw invalidError(kind.resource, name, errors);
  if (labels?.[AUDIT] !== undefined)
    warnings.push(`${AUDIT} has no effect: this server keeps no audit log`);
  const standard = standardFor('enforce', labels);
  if (old === undefined || jsonEqual(standard, standardFor('enforce', old.metadata.labels))) return;
  const violating = violatingPods(name, standard, reader);
  if (violating.length === 0) return;
  warnings.push(
    `existing pods in namespace "${name}" violate the new PodSecurity enforce level ` +
      `"${nameOfStandard(standard)}"`,
    ...violating,
  );
};

/** `a (and 2 other pods): privileged, hostPort`, a line for each set of reasons. */
const violatingPods = (
  namespace: string,
  standard: Standard,
  reader: AdmissionReader,
): readonly string[] => {
  const byReasons = new Map<string, string[]>();
  for (const pod of reader.list('pods')) {
    if (pod.metadata.namespace !== namespace) continue;
    const shape = podShapeOf(pod);
    const found = shape === undefined ? [] : violationsOf(shape, standard);
    const reasons = found.map(({ reason }) => reason).join(', ');
    if (found.length > 0)
      byReasons.set(reasons, [...(byReasons.get(reasons) ?? []), pod.metadata.name]);
  }
  return [...byReasons].map(([reasons, [first = '', ...others]]) => {
    const more = others.length === 1 ? '1 other pod' : `${others.length} other pods`;
    return `${first}${others.length === 0 ? '' : ` (and ${more})`}: ${reasons}`;
  });
};

const AUDIT = 'pod-security.kubernetes.io/audit';
