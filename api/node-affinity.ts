import { comparesInteger, type Labels } from './selectors';
import type { NodeSelector, NodeSelectorRequirement, NodeSelectorTerm, PodSpec } from './types';

/** What node affinity looks at. */
export interface AffinityNode {
  readonly metadata: { readonly name: string; readonly labels?: Labels };
}

/** What node affinity reads of a pod. */
type AffinityOf = Pick<PodSpec, 'nodeSelector' | 'affinity'>;

/** True when the pod's `nodeSelector` and required node affinity both allow the node. */
export const matchesNodeAffinity = (spec: PodSpec | AffinityOf, node: AffinityNode): boolean =>
  matchesSelectorLabels(spec.nodeSelector, node.metadata.labels) &&
  matchesNodeSelector(
    spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution,
    node,
  );

/** The terms of a node selector are alternatives. Absent allows every node; no term, none. */
export const matchesNodeSelector = (
  selector: NodeSelector | undefined,
  node: AffinityNode,
): boolean =>
  selector === undefined ||
  selector.nodeSelectorTerms.some((term) => matchesNodeSelectorTerm(term, node));

/** All requirements of a term must hold; an empty term matches no node. */
export const matchesNodeSelectorTerm = (term: NodeSelectorTerm, node: AffinityNode): boolean => {
  const { matchExpressions = [], matchFields = [] } = term;
  if (matchExpressions.length + matchFields.length === 0) return false;
  const fields = { 'metadata.name': node.metadata.name };
  return (
    matchExpressions.every((each) => matchesNodeRequirement(each, node.metadata.labels)) &&
    matchFields.every((each) => matchesNodeRequirement(each, fields))
  );
};

/**
 * The names of the only nodes that a selector may be met by; undefined when it names none in some
 * term. Source: upstream's node_affinity.go, PreFilter.
 */
export const namedNodes = (selector: NodeSelector | undefined): ReadonlySet<string> | undefined => {
  const names = new Set<string>();
  for (const { matchFields = [] } of selector?.nodeSelectorTerms ?? []) {
    const lists = matchFields
      .filter(({ key, operator }) => key === 'metadata.name' && operator === 'In')
      .map(({ values = [] }) => values);
    const [first, ...others] = lists;
    if (first === undefined) return undefined;
    for (const name of first) if (others.every((list) => list.includes(name))) names.add(name);
  }
  return names.size === 0 ? undefined : names;
};

export const matchesNodeRequirement = (
  { key, operator, values = [] }: NodeSelectorRequirement,
  labels: Labels = {},
): boolean => {
  const value = Object.hasOwn(labels, key) ? labels[key] : undefined;
  switch (operator) {
    case 'In':
      return value !== undefined && values.includes(value);
    case 'NotIn':
      return value === undefined || !values.includes(value);
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
    case 'Gt':
      return comparesInteger(value, 'gt', values[0]);
    case 'Lt':
      return comparesInteger(value, 'lt', values[0]);
    default:
      return false;
  }
};

/** Sum of the weights of the preferred terms that the node meets. */
export const preferredAffinityWeight = (spec: PodSpec | AffinityOf, node: AffinityNode): number =>
  (spec.affinity?.nodeAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? [])
    .filter(({ preference }) => matchesPreference(preference, node))
    .reduce((sum, { weight }) => sum + weight, 0);

/** Upstream: an empty preference is met by every node, unlike an empty required term. */
const matchesPreference = (preference: NodeSelectorTerm, node: AffinityNode): boolean =>
  (preference.matchExpressions ?? []).length + (preference.matchFields ?? []).length === 0 ||
  matchesNodeSelectorTerm(preference, node);

const matchesSelectorLabels = (selector: Labels | undefined, labels: Labels = {}): boolean =>
  Object.entries(selector ?? {}).every(
    ([key, value]) => Object.hasOwn(labels, key) && labels[key] === value,
  );

/** The requirements that the node fails, as text, for explanations: `disk In [ssd]`. */
export const formatNodeRequirement = ({
  key,
  operator,
  values = [],
}: NodeSelectorRequirement): string =>
  values.length === 0 ? `${key} ${operator}` : `${key} ${operator} [${values.join(', ')}]`;
