import type * as networking from 'kubernetes-types/networking/v1';

import { cidrContains } from '../../lib/net/ip';
import { matchesLabelSelector, type Labels } from '../selectors';
import type { DeepReadonly, NetworkPolicy } from '../types';
import { portNamed, type PolicySubject, type Protocol } from './subject';

export type PolicyPeer = DeepReadonly<networking.NetworkPolicyPeer>;
export type PolicyPort = DeepReadonly<networking.NetworkPolicyPort>;
export type PolicyBlock = DeepReadonly<networking.IPBlock>;
export type Direction = 'Ingress' | 'Egress';

/** A rule of either direction; without peers it is about everybody, without ports about all traffic. */
export interface PolicyRule {
  readonly peers: readonly PolicyPeer[];
  readonly ports: readonly PolicyPort[];
}

/** The labels of a namespace; undefined when there is none of the name. */
export type NamespaceLabels = (namespace: string) => Labels | undefined;

/** Whether the policy says anything about the direction: if so, what no rule allows is denied. */
export const isAbout = ({ spec }: NetworkPolicy, direction: Direction): boolean => {
  const { policyTypes = [], egress = [] } = spec ?? {};
  if (policyTypes.length > 0) return policyTypes.includes(direction);
  return direction === 'Ingress' || egress.length > 0;
};

export const rulesOf = ({ spec }: NetworkPolicy, direction: Direction): readonly PolicyRule[] =>
  direction === 'Ingress'
    ? (spec?.ingress ?? []).map(({ from = [], ports = [] }) => ({ peers: from, ports }))
    : (spec?.egress ?? []).map(({ to = [], ports = [] }) => ({ peers: to, ports }));

/** Whether the policy isolates the subject, in the directions that it is about. */
export const isolates = ({ metadata, spec }: NetworkPolicy, subject: PolicySubject): boolean =>
  subject.isSelectable &&
  subject.isService !== true &&
  metadata.namespace === subject.namespace &&
  matchesLabelSelector(spec?.podSelector ?? {}, subject.labels);

/** Whether a peer of a policy in `policyNamespace` is this subject, by its labels. */
export const selectsPeer = (
  { podSelector, namespaceSelector }: PolicyPeer,
  policyNamespace: string,
  subject: PolicySubject,
  namespaceLabels: NamespaceLabels,
): boolean => {
  if (!subject.isSelectable) return false;
  if (podSelector === undefined && namespaceSelector === undefined) return false;
  if (!matchesLabelSelector(podSelector ?? {}, subject.labels)) return false;
  if (namespaceSelector === undefined) return subject.namespace === policyNamespace;
  const labels = namespaceLabels(subject.namespace);
  return labels !== undefined && matchesLabelSelector(namespaceSelector, labels);
};

export const blockContains = ({ cidr, except = [] }: PolicyBlock, address: string): boolean =>
  cidrContains(cidr, address) && !except.some((hole) => cidrContains(hole, address));

/** Whether `to`, reached at a port, is what the policy's port means; a name means a port of each pod. */
export const portMatches = (
  { protocol = 'TCP', port, endPort }: PolicyPort,
  asked: { readonly protocol: Protocol; readonly port: number },
  to: PolicySubject | undefined,
): boolean => {
  if (protocol !== asked.protocol) return false;
  if (port === undefined) return true;
  if (typeof port === 'number') return asked.port >= port && asked.port <= (endPort ?? port);
  return to?.isSelectable === true && portNamed(to, port, asked.protocol) === asked.port;
};
