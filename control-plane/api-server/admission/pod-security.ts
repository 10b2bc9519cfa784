import { jsonEqual } from '../../../api/json-value';
import {
  checkSecurityLabels,
  describeFindings,
  nameOfStandard,
  standardFor,
  violationsOf,
  type Standard,
} from '../../../api/pod-security/policy';
import { podShapeOf, type PodShape } from '../../../api/pod-security/pod-shape';
import { NAMESPACES, PODS } from '../../../api/resources';
import type { ApiObject } from '../../../api/types';
import { invalidError } from '../../../api/validation/field-error';
import type { AdmissionPlugin } from './admission-plugin';
import { namespaceOf, type AdmissionReader } from './admission-reader';
import { objectOf, type AdmissionAttributes } from './attributes';
import { nameIn, refusal } from './refusal';

/**
 * Holds a pod to what its namespace enforces, warns of what it, or the pods of a workload, would
 * violate, and keeps the labels of namespaces to standards. Refuses in upstream's words.
 */
export const podSecurity = (reader: AdmissionReader): AdmissionPlugin => ({
  name: 'PodSecurity',
  handles: ({ operation, kind: { resource }, subresource }) =>
    (operation === 'CREATE' || operation === 'UPDATE') &&
    (resource === NAMESPACES || (resource.isNamespaced && GUARDED.has(subresource))),
  validate: (asked, signal) =>
    asked.kind.resource === NAMESPACES
      ? checkNamespace(asked, reader)
      : checkPod(asked, reader, signal),
});

/** Where containers come in: of a pod, and of one that runs. */
const GUARDED: ReadonlySet<string> = new Set(['', 'ephemeralcontainers']);

const checkPod = async (
  asked: AdmissionAttributes,
  reader: AdmissionReader,
  signal: AbortSignal,
): Promise<void> => {
  const pod = podShapeOf(objectOf(asked));
  // Images and tolerations are not among what a standard looks at.
  if (pod === undefined || (asked.old !== undefined && jsonEqual(pod, podShapeOf(asked.old))))
    return;
  const namespace = await namespaceOf(reader, asked, signal);
  if (namespace !== undefined) holdTo(namespace.metadata.labels, pod, asked);
};

const holdTo = (
  labels: ApiObject['metadata']['labels'],
  pod: PodShape,
  asked: AdmissionAttributes,
): void => {
  const isPod = asked.kind.resource === PODS;
  const tell = (standard: Standard) => {
    const found = violationsOf(pod, standard);
    return found.length === 0
      ? undefined
      : `violate${isPod ? 's' : ''} PodSecurity "${nameOfStandard(standard)}": ` +
          describeFindings(found);
  };
  const audited = tell(standardFor('audit', labels));
  if (audited !== undefined)
    asked.annotate?.(AUDIT_VIOLATIONS, `would ${audited.replace(/^violates/, 'violate')}`);
  const enforced = isPod ? tell(standardFor('enforce', labels)) : undefined;
  if (enforced !== undefined) throw refusal(asked, enforced);
  const warned = tell(standardFor('warn', labels));
  if (warned !== undefined) asked.warnings.push(`would ${warned.replace(/^violates/, 'violate')}`);
};

/** Pods that are there already go on, and the author of the labels hears of them. @throws Invalid */
const checkNamespace = (asked: AdmissionAttributes, reader: AdmissionReader): void => {
  const { kind, old, warnings } = asked;
  const { labels } = objectOf(asked).metadata;
  const errors = checkSecurityLabels(labels);
  if (errors.length > 0) throw invalidError(kind.resource, nameIn(asked), errors);
  const standard = standardFor('enforce', labels);
  if (old === undefined || jsonEqual(standard, standardFor('enforce', old.metadata.labels))) return;
  const violating = violatingPods(asked.name, standard, reader);
  if (violating.length === 0) return;
  warnings.push(
    `existing pods in namespace "${asked.name}" violate the new PodSecurity enforce level ` +
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

const AUDIT_VIOLATIONS = 'pod-security.kubernetes.io/audit-violations';
