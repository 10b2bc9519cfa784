import {
  formatNodeRequirement,
  matchesNodeAffinity,
  matchesNodeRequirement,
  matchesNodeSelector,
  preferredAffinityWeight,
} from '../../../api/node-affinity';
import type { PodSpec } from '../../../api/types';
import type { NodeView } from '../node-info';
import type { PodInfo } from '../pod-info';
import { COST, nodeRemedy, type FilterPlugin, type ScorePlugin } from './plugin';

/** Keeps pods to nodes that their nodeSelector and required node affinity allow. */
export const nodeAffinity: FilterPlugin = {
  name: 'NodeAffinity',
  scope: 'static',
  wakeOn: ['NodeLabelsChanged'],

  filter({ pod: { spec } }, { node }) {
    if (spec.nodeSelector === undefined && spec.affinity?.nodeAffinity === undefined) return;
    return matchesNodeAffinity(spec, node) ? undefined : REFUSAL;
  },

  explain(pod, node) {
    return lacking(pod.pod.spec, node).map((detail) => ({ reason: REASON, detail }));
  },

  remedies(pod, node) {
    const wanted = wantedLabels(pod, node);
    if (wanted === undefined) return [];
    const names = Object.entries(wanted).map(([key, value]) => `${key}=${value}`);
    if (names.length === 0) return [];
    return [
      nodeRemedy(
        `label ${node.name} ${names.join(' ')}`,
        COST.label + names.length - 1,
        (object) => ({
          ...object,
          metadata: {
            ...object.metadata,
            labels: { ...object.metadata.labels, ...wanted },
          },
        }),
      ),
    ];
  },
};

/** Prefers nodes that meet more of the preferred terms, by their weights. */
export const nodeAffinityScore: ScorePlugin = {
  name: 'NodeAffinity',
  scope: 'static',
  normalization: 'by-max',
  isActive: ({ pod }) =>
    (pod.spec.affinity?.nodeAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? [])
      .length > 0,
  score: ({ pod }, { node }) => preferredAffinityWeight(pod.spec, node),
};

const lacking = (spec: PodSpec, { node, labels }: NodeView): readonly string[] => {
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

const requiredOf = (spec: PodSpec) =>
  spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;

/** Labels that would satisfy the pod, or `undefined` where no label can. */
const wantedLabels = (
  { pod: { spec } }: PodInfo,
  { node, labels }: NodeView,
): Readonly<Record<string, string>> | undefined => {
  const bySelector = Object.fromEntries(
    Object.entries(spec.nodeSelector ?? {}).filter(([key, value]) => labels[key] !== value),
  );
  const required = requiredOf(spec);
  if (matchesNodeSelector(required, node)) return bySelector;
  // The first alternative is what the author thought of first.
  const [term] = required?.nodeSelectorTerms ?? [];
  const wanted: Record<string, string> = { ...bySelector };
  for (const requirement of term?.matchExpressions ?? []) {
    if (matchesNodeRequirement(requirement, labels)) continue;
    const { key, operator, values = [] } = requirement;
    if (operator === 'In' && values[0] !== undefined) wanted[key] = values[0];
    else if (operator === 'Exists') wanted[key] = '';
    else return undefined;
  }
  return wanted;
};

const REASON = "node(s) didn't match Pod's node affinity/selector";
const REFUSAL = { reasons: [REASON], isPodBound: false } as const;
