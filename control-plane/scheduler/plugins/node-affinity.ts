import {
  formatNodeRequirement,
  matchesNodeAffinity,
  matchesNodeRequirement,
  matchesNodeSelector,
  namedNodes,
  preferredAffinityWeight,
} from '../../../api/node-affinity';
import type { Affinity, NodeSelectorRequirement, PodSpec } from '../../../api/types';
import type { NodeView } from '../node-info';
import {
  byMax,
  COST,
  nodeRemedy,
  type FilterPlugin,
  type FilterTerm,
  type Remedy,
  type ScorePlugin,
} from './plugin';

/** What the profile asks of nodes besides what pods do: upstream's addedAffinity. */
export type AddedAffinity = NonNullable<Affinity['nodeAffinity']>;

/** Keeps pods to nodes that their nodeSelector and required node affinity, and the profile's, allow. */
export const nodeAffinity = (added?: AddedAffinity): FilterPlugin => {
  const enforced = requiredOf(specOf(added)) === undefined ? undefined : specOf(added);
  return {
    name: 'NodeAffinity',
    scope: 'static',
    wakeOn: ['NodeLabelsChanged'],

    prepare({ pod: { spec } }) {
      const isFree = spec.nodeSelector === undefined && requiredOf(spec) === undefined;
      const own = isFree ? undefined : spec;
      return own === undefined && enforced === undefined ? undefined : termOf(own, enforced);
    },
  };
};

/** What node affinity reads of a pod; an added one stands for a pod that asks for just that. */
type Asked = Pick<PodSpec, 'nodeSelector' | 'affinity'>;

const specOf = (added: AddedAffinity | undefined): Asked =>
  added === undefined ? {} : { affinity: { nodeAffinity: added } };

const termOf = (own: Asked = {}, enforced: Asked = {}): FilterTerm => ({
  refuse({ node }) {
    if (!matchesNodeAffinity(enforced, node)) return ENFORCED;
    if (matchesNodeAffinity(own, node)) return undefined;
    return isMeantForOthers(own, node.metadata.name) ? NOT_MEANT : REFUSAL;
  },

  explain(node) {
    const reason = isMeantForOthers(own, node.name) ? NOT_MEANT.reasons[0] : REASON;
    return [
      ...lacking(enforced, node).map((detail) => ({
        reason: ENFORCED.reasons[0],
        detail: `of the scheduler's profile, ${detail}`,
      })),
      ...lacking(own, node).map((detail) => ({ reason, detail })),
    ];
  },

  remedies(node) {
    const all = new Map<string, string | undefined>();
    for (const spec of [enforced, own]) {
      if (matchesNodeAffinity(spec, node.node)) continue;
      const changes = smallestLabelChange(spec, node);
      if (changes === undefined) return [];
      for (const [key, value] of changes) all.set(key, value);
    }
    return all.size === 0 ? [] : [labelRemedy(node.name, all)];
  },
});

/** Labels to set, or to remove where the value is undefined. */
export type LabelChanges = ReadonlyMap<string, string | undefined>;

export const labelRemedy = (nodeName: string, changes: LabelChanges): Remedy => {
  const words = [...changes].map(([key, value]) =>
    value === undefined ? `${key}-` : `${key}=${value}`,
  );
  return nodeRemedy(
    `label ${nodeName} ${words.join(' ')}`,
    COST.label + changes.size - 1,
    (object) => ({
      ...object,
      metadata: { ...object.metadata, labels: labelsAfter(object.metadata.labels, changes) },
    }),
  );
};

/** Prefers nodes that meet more of the preferred terms, the pod's and the profile's, by their weights. */
export const nodeAffinityScore = (added?: AddedAffinity): ScorePlugin => {
  const enforced = preferredIn(specOf(added)) ? specOf(added) : undefined;
  return {
    name: 'NodeAffinity',
    scope: 'static',
    prepare({ pod: { spec } }) {
      const specs = [...(enforced === undefined ? [] : [enforced]), spec].filter(preferredIn);
      if (specs.length === 0) return undefined;
      return {
        normalize: byMax,
        score: ({ node }) =>
          specs.reduce((sum, each) => sum + preferredAffinityWeight(each, node), 0),
      };
    },
  };
};

const preferredIn = ({ affinity }: Asked): boolean =>
  (affinity?.nodeAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []).length > 0;

/** Does the pod name its nodes, as a daemon does, and not this one? */
const isMeantForOthers = (spec: Asked, nodeName: string): boolean =>
  namedNodes(requiredOf(spec))?.has(nodeName) === false;

const lacking = (spec: Asked, { node, labels }: NodeView): readonly string[] => {
  const selector = Object.entries(spec.nodeSelector ?? {})
    .filter(
      ([key, value]) => !matchesNodeRequirement({ key, operator: 'In', values: [value] }, labels),
    )
    .map(([key, value]) => `label ${key}=${value} is wanted, ${stateOf(key, labels)}`);
  const required = requiredOf(spec);
  if (matchesNodeSelector(required, node)) return selector;
  const terms = (required?.nodeSelectorTerms ?? []).map((term) =>
    [
      ...(term.matchExpressions ?? []).filter((each) => !matchesNodeRequirement(each, labels)),
      ...(term.matchFields ?? []).filter(
        (each) => !matchesNodeRequirement(each, { 'metadata.name': node.metadata.name }),
      ),
    ]
      .map(formatNodeRequirement)
      .join(' and '),
  );
  return [...selector, `required affinity is not met: ${terms.join(', or ') || 'it has no term'}`];
};

const stateOf = (key: string, labels: NodeView['labels']): string =>
  Object.hasOwn(labels, key) ? `the node has ${key}=${labels[key] ?? ''}` : 'the node has none';

const requiredOf = (spec: Asked) =>
  spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;

/** What would satisfy the pod, or `undefined` where no label can. */
const smallestLabelChange = (spec: Asked, { node, labels }: NodeView): LabelChanges | undefined => {
  const bySelector = Object.entries(spec.nodeSelector ?? {})
    .filter(([key, value]) => labels[key] !== value)
    .map(([key, value]) => ({ key, operator: 'In', values: [value] }));
  const required = requiredOf(spec);
  const terms = matchesNodeSelector(required, node) ? [{}] : (required?.nodeSelectorTerms ?? []);
  return terms
    .flatMap(({ matchExpressions = [], matchFields = [] }) =>
      matchFields.every((each) =>
        matchesNodeRequirement(each, { 'metadata.name': node.metadata.name }),
      )
        ? [labelChanges([...bySelector, ...matchExpressions], labels)]
        : [],
    )
    .filter((changes) => changes !== undefined)
    .sort((a, b) => a.size - b.size)[0];
};

const labelChanges = (
  requirements: readonly NodeSelectorRequirement[],
  labels: NodeView['labels'],
): LabelChanges | undefined => {
  const changes = new Map<string, string | undefined>();
  for (const requirement of requirements) {
    if (matchesNodeRequirement(requirement, labels)) continue;
    const value = satisfying(requirement);
    if (value === 'impossible' || IDENTITY_LABELS.has(requirement.key)) return undefined;
    changes.set(requirement.key, value.set);
  }
  return changes.size === 0 ? undefined : changes;
};

const satisfying = ({
  operator,
  values: [value] = [],
}: NodeSelectorRequirement): { readonly set: string | undefined } | 'impossible' => {
  switch (operator) {
    case 'In':
      return value === undefined ? 'impossible' : { set: value };
    case 'Exists':
      return { set: '' };
    case 'NotIn':
    case 'DoesNotExist':
      return { set: undefined };
    case 'Gt':
      return { set: String(BigInt(value ?? 0) + 1n) };
    case 'Lt':
      return { set: String(BigInt(value ?? 0) - 1n) };
    default:
      return 'impossible';
  }
};

const labelsAfter = (labels: NodeView['labels'] = {}, changes: LabelChanges) => {
  const kept = Object.entries(labels).filter(([key]) => !changes.has(key));
  const set = [...changes].flatMap(([key, value]) =>
    value === undefined ? [] : [[key, value] as const],
  );
  return Object.fromEntries([...kept, ...set]);
};

/** What a node is, as its agent reports it: not for an operator to change. */
const IDENTITY_LABELS = new Set([
  'kubernetes.io/hostname',
  'kubernetes.io/arch',
  'kubernetes.io/os',
  'beta.kubernetes.io/arch',
  'beta.kubernetes.io/os',
]);

const REASON = "node(s) didn't match Pod's node affinity/selector";
const REFUSAL = { reasons: [REASON], isPodBound: false } as const;
const ENFORCED = {
  reasons: ["node(s) didn't match scheduler-enforced node affinity"],
  isPodBound: false,
} as const;
// Upstream does not look at such nodes at all, and counts them so.
const NOT_MEANT = {
  reasons: ["node(s) didn't satisfy plugin(s) [NodeAffinity]"],
  isPodBound: false,
} as const;
