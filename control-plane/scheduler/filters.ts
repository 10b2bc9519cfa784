import type { NodeView } from './node-info';
import type { CallMeter, CallStatus } from './plugin-metrics';
import type { FilterPlugin, FilterTerm, Refusal } from './plugins/plugin';
import type { PodInfo } from './pod-info';
import type { Profile } from './profile';
import type { ClusterView } from './snapshot';

/** What each rule that has a say says of one pod, in the profile's order. */
export interface PodFilters {
  readonly rules: readonly Rule[];
  /** What speaks against the pod wherever it would go; the first rule that says so. */
  readonly rejection: Refused | undefined;
}

export interface Rule {
  readonly plugin: FilterPlugin;
  readonly term: FilterTerm;
  readonly meter?: CallMeter | undefined;
}

export interface Refused {
  readonly plugin: FilterPlugin;
  readonly refusal: Refusal;
}

/** Once an attempt. */
export const filtersFor = (
  pod: PodInfo,
  cluster: ClusterView,
  { filters, meter }: Pick<Profile, 'filters' | 'meter'>,
): PodFilters => {
  const rules: Rule[] = [];
  for (const plugin of filters) {
    const term = termOf(plugin, pod, cluster, meter?.of(plugin.name, 'PreFilter'));
    if (term !== undefined) rules.push({ plugin, term, meter: meter?.of(plugin.name, 'Filter') });
  }
  const rejecting = rules.find(({ term }) => term.rejection !== undefined);
  const refusal = rejecting?.term.rejection;
  const rejection =
    rejecting === undefined || refusal === undefined
      ? undefined
      : { plugin: rejecting.plugin, refusal };
  return { rules, rejection };
};

/** The first rule that refuses, or `undefined` where the pod fits. */
export const firstRefusal = (
  { rules, rejection }: PodFilters,
  node: NodeView,
): Refused | undefined => {
  if (rejection !== undefined) return rejection;
  for (const rule of rules) {
    const refusal = verdictOf(rule, node);
    if (refusal !== undefined) return { plugin: rule.plugin, refusal };
  }
  return undefined;
};

/** What the rules behind the first one that refused have against the node as well. */
export const laterRefusals = (
  { rules }: PodFilters,
  first: FilterPlugin,
  node: NodeView,
): readonly Refusal[] => {
  let found: Refusal[] | undefined;
  let isBehind = false;
  for (const rule of rules) {
    if (isBehind) {
      const refusal = verdictOf(rule, node);
      if (refusal !== undefined) (found ??= []).push(refusal);
    }
    isBehind ||= rule.plugin === first;
  }
  return found ?? NONE;
};

/**
 * The rule's verdict. One that breaks on one node refuses that node: were the attempt to fail, one
 * broken node would keep every pod from all others.
 */
export const verdictOf = ({ plugin, term, meter }: Rule, node: NodeView): Refusal | undefined => {
  const startMs = meter?.begin() ?? 0;
  try {
    const refusal = term.refuse(node);
    meter?.end(startMs, statusOf(refusal));
    return refusal;
  } catch {
    meter?.end(startMs, 'Error');
    return unjudged(plugin);
  }
};

const statusOf = (refusal: Refusal | undefined): CallStatus => {
  if (refusal === undefined) return 'Success';
  return refusal.isPodBound ? 'Unschedulable' : 'UnschedulableAndUnresolvable';
};

/** A plugin that breaks on the pod itself refuses all nodes, and the other rules are told as well. */
export const termOf = (
  plugin: FilterPlugin,
  pod: PodInfo,
  cluster: ClusterView,
  meter?: CallMeter,
): FilterTerm | undefined => {
  const startMs = meter?.begin() ?? 0;
  try {
    const term = plugin.prepare(pod, cluster);
    meter?.end(startMs, term === undefined ? 'Skip' : statusOf(term.rejection));
    return term;
  } catch {
    meter?.end(startMs, 'Error');
    const refusal = unjudged(plugin);
    const [reason] = refusal.reasons;
    return {
      refuse: () => refusal,
      explain: () => [{ reason, detail: reason }],
      remedies: () => NONE,
    };
  }
};

const unjudged = ({ name }: FilterPlugin): Refusal => ({
  reasons: [`node(s) could not be judged by ${name}`],
  isPodBound: false,
});

const NONE: readonly never[] = [];
