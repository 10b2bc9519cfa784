import { keyOf, type NetworkPolicy } from '../types';
import {
  blockContains,
  portMatches,
  rulesOf,
  selectsPeer,
  type Direction,
  type NamespaceLabels,
  type PolicyRule,
} from './selection';
import type { PolicySubject, Protocol } from './subject';

/** One end of a connection: a pod, or whatever has an address. */
export interface ConnectionEnd {
  readonly address: string;
  readonly subject?: PolicySubject;
}

export interface Connection {
  readonly from: ConnectionEnd;
  readonly to: ConnectionEnd;
  readonly protocol: Protocol;
  readonly port: number;
}

/** The cluster as policies see it. */
export interface PolicyWorld {
  /** The policies that isolate a pod, in the order in which they are asked. */
  readonly isolating: (subject: PolicySubject, direction: Direction) => readonly NetworkPolicy[];
  readonly namespaceLabels: NamespaceLabels;
  /** All addresses of a node. */
  readonly nodeAddresses: (nodeName: string) => readonly string[];
}

export interface ConnectionVerdict {
  readonly isAllowed: boolean;
  readonly egress: DirectionVerdict;
  readonly ingress: DirectionVerdict;
}

/**
 * What one end's policies say. `NotIsolated`: none is about it. `OwnNode`: a pod and its node always
 * reach each other. `Itself`: so does a pod itself. `Exempt`: it is no pod of the pod network.
 */
export type DirectionVerdict =
  | { readonly isAllowed: true; readonly because: 'NotIsolated' | 'OwnNode' | 'Itself' | 'Exempt' }
  | {
      readonly isAllowed: true;
      readonly because: 'Rule';
      /** `namespace/name`, and which of its rules, from 0. */
      readonly policy: string;
      readonly rule: number;
    }
  | {
      readonly isAllowed: false;
      readonly because: 'NoRule';
      /** All that isolate it: one rule of one of them would be enough. */
      readonly policies: readonly PolicyLack[];
    };

export interface PolicyLack {
  readonly policy: string;
  readonly rules: readonly { readonly peer: boolean; readonly port: boolean }[];
}

/**
 * Whether a connection may be opened, by the rules of the NetworkPolicy API: the policies of where it
 * comes from and those of where it goes must both let it. Answers to what has been opened always pass.
 * Source: the API's documentation of NetworkPolicySpec, and the concept page "Network Policies".
 */
export const decideConnection = (connection: Connection, world: PolicyWorld): ConnectionVerdict => {
  const egress = directionVerdict(connection, 'Egress', world);
  const ingress = directionVerdict(connection, 'Ingress', world);
  return { isAllowed: egress.isAllowed && ingress.isAllowed, egress, ingress };
};

const directionVerdict = (
  connection: Connection,
  direction: Direction,
  world: PolicyWorld,
): DirectionVerdict => {
  const { from, to } = connection;
  const [own, other] = direction === 'Egress' ? [from, to] : [to, from];
  const { subject } = own;
  if (subject === undefined || !subject.isSelectable || subject.isService === true)
    return { isAllowed: true, because: 'Exempt' };
  if (from.address === to.address || isSamePod(from, to))
    return { isAllowed: true, because: 'Itself' };
  if (isOwnNode(subject, other, world)) return { isAllowed: true, because: 'OwnNode' };
  const policies = world.isolating(subject, direction);
  if (policies.length === 0) return { isAllowed: true, because: 'NotIsolated' };
  const lacks: PolicyLack[] = [];
  for (const policy of policies) {
    const rules = rulesOf(policy, direction).map((rule) => ({
      peer: peerMatches(rule, subject.namespace, other, world),
      port: rulePortMatches(rule, connection),
    }));
    const rule = rules.findIndex(({ peer, port }) => peer && port);
    if (rule >= 0) return { isAllowed: true, because: 'Rule', policy: keyOf(policy), rule };
    lacks.push({ policy: keyOf(policy), rules });
  }
  return { isAllowed: false, because: 'NoRule', policies: lacks };
};

/** It may have an address of each family. */
const isSamePod = ({ subject: a }: ConnectionEnd, { subject: b }: ConnectionEnd): boolean =>
  a?.isSelectable === true &&
  b?.isSelectable === true &&
  a.namespace === b.namespace &&
  a.name === b.name;

/** The resolver listens on the node, and is what policies say of it all the same. */
const isOwnNode = (
  { nodeName }: PolicySubject,
  { address, subject }: ConnectionEnd,
  world: PolicyWorld,
): boolean =>
  nodeName !== '' && subject?.isService !== true && world.nodeAddresses(nodeName).includes(address);

const peerMatches = (
  { peers }: PolicyRule,
  policyNamespace: string,
  { address, subject }: ConnectionEnd,
  { namespaceLabels }: PolicyWorld,
): boolean =>
  peers.length === 0 ||
  peers.some((peer) =>
    peer.ipBlock === undefined
      ? subject !== undefined && selectsPeer(peer, policyNamespace, subject, namespaceLabels)
      : blockContains(peer.ipBlock, address),
  );

const rulePortMatches = ({ ports }: PolicyRule, connection: Connection): boolean =>
  ports.length === 0 || ports.some((port) => portMatches(port, connection, connection.to.subject));
