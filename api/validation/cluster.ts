import { jsonEqual } from '../json-value';
import type { Lease, Namespace, Node, ServiceAccount } from '../types';
import { validateTaints } from './affinity';
import {
  forbidden,
  invalid,
  invalidFor,
  nonNegative,
  positive,
  type FieldError,
} from './field-error';
import {
  labelName,
  subdomainName,
  validateMetadata,
  validateMetadataUpdate,
  type MetadataRules,
} from './metadata';
import { qualifiedNameProblems } from '../names';
import { validateAccountProtections } from './protections';
import { parseQuantity } from '../quantity';

const CLUSTER: MetadataRules = { isNamespaced: false, name: subdomainName };
const NAMESPACE: MetadataRules = { isNamespaced: false, name: labelName };
const NAMESPACED: MetadataRules = { isNamespaced: true, name: subdomainName };

export const validateNamespace = (namespace: Namespace): readonly FieldError[] => [
  ...validateMetadata(namespace, NAMESPACE),
  ...validateNamespaceFinalizers(namespace),
];

export const validateNamespaceUpdate = (
  namespace: Namespace,
  old: Namespace,
): readonly FieldError[] => [
  ...validateMetadataUpdate(namespace, old, NAMESPACE),
  ...validateNamespaceFinalizers(namespace),
];

const validateNamespaceFinalizers = ({ spec }: Namespace): readonly FieldError[] =>
  (spec?.finalizers ?? []).flatMap((finalizer, i) => {
    const at = `spec.finalizers[${i}]`;
    const problems = qualifiedNameProblems(finalizer);
    if (problems.length > 0) return invalidFor(at, finalizer, problems);
    return finalizer.includes('/') || finalizer === 'kubernetes'
      ? []
      : [
          invalid(
            at,
            finalizer,
            'name is neither a standard finalizer name nor is it fully qualified',
          ),
        ];
  });

export const validateNode = (node: Node): readonly FieldError[] => [
  ...validateMetadata(node, CLUSTER),
  ...validateTaints(node.spec.taints ?? [], 'spec.taints'),
  ...validateCapacity(node),
];

export const validateNodeUpdate = (node: Node, old: Node): readonly FieldError[] => [
  ...validateMetadataUpdate(node, old, CLUSTER),
  ...validateTaints(node.spec.taints ?? [], 'spec.taints'),
  ...(old.spec.podCIDR !== undefined && !jsonEqual(node.spec.podCIDR, old.spec.podCIDR)
    ? [forbidden('spec.podCIDRs', 'node updates may not change podCIDR except from "" to valid')]
    : []),
  ...(old.spec.providerID !== undefined && node.spec.providerID !== old.spec.providerID
    ? [
        forbidden(
          'spec.providerID',
          'node updates may not change providerID except from "" to valid',
        ),
      ]
    : []),
];

export const validateNodeStatusUpdate = (node: Node, old: Node): readonly FieldError[] => [
  ...validateMetadataUpdate(node, old, CLUSTER),
  ...validateCapacity(node),
];

const validateCapacity = ({ status }: Node): readonly FieldError[] =>
  (['capacity', 'allocatable'] as const).flatMap((list) =>
    Object.entries(status.capacity === undefined ? {} : (status[list] ?? {})).flatMap(
      ([name, text]) =>
        parseQuantity(text).nanos < 0n
          ? [invalid(`status.${list}[${name}]`, text, 'must be greater than or equal to 0')]
          : [],
    ),
  );

export const validateServiceAccount = (account: ServiceAccount): readonly FieldError[] => [
  ...validateMetadata(account, NAMESPACED),
  ...validateAccountProtections(account),
];

export const validateServiceAccountUpdate = (
  account: ServiceAccount,
  old: ServiceAccount,
): readonly FieldError[] => [
  ...validateMetadataUpdate(account, old, NAMESPACED),
  ...validateAccountProtections(account, old),
];

export const validateLease = (lease: Lease): readonly FieldError[] => [
  ...validateMetadata(lease, NAMESPACED),
  ...validateLeaseSpec(lease),
];

export const validateLeaseUpdate = (lease: Lease, old: Lease): readonly FieldError[] => [
  ...validateMetadataUpdate(lease, old, NAMESPACED),
  ...validateLeaseSpec(lease),
];

const validateLeaseSpec = ({ spec }: Lease): readonly FieldError[] => [
  ...positive('spec.leaseDurationSeconds', spec?.leaseDurationSeconds),
  ...nonNegative('spec.leaseTransitions', spec?.leaseTransitions),
];
