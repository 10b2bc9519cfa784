import { createHash } from 'node:crypto';

import {
  isAbout,
  rulesOf,
  type Direction,
  type PolicyPeer,
  type PolicyPort,
  type Protocol,
} from '../../../api/network-policies';
import type {
  NodePolicy,
  NodePolicyPeer,
  NodePolicyPort,
  NodePolicyRule,
} from '../../../api/network-policies/rows';
import { requirementsOf, type LabelRequirement } from '../../../api/selectors';
import { keyOf, type LabelSelector, type NetworkPolicy } from '../../../api/types';

/** Whose addresses a set holds. */
export type SetDefinition =
  | {
      readonly kind: 'pods';
      /** Of one namespace, or of those that the requirements match. */
      readonly namespaces: string | readonly LabelRequirement[];
      readonly pods: readonly LabelRequirement[];
    }
  | { readonly kind: 'ports'; readonly name: string; readonly protocol: Protocol };

export interface CompiledPolicy {
  readonly policy: NodePolicy;
  /** By their ids: what is the same has the same id, whichever policy asks for it. */
  readonly sets: ReadonlyMap<string, SetDefinition>;
}

/** Pure: a policy with its selectors and the names of ports taken out as sets. */
export const compilePolicy = (policy: NetworkPolicy): CompiledPolicy => {
  const sets = new Map<string, SetDefinition>();
  const use = (definition: SetDefinition): string => {
    const id = idOf(definition);
    sets.set(id, definition);
    return id;
  };
  const namespace = policy.metadata.namespace ?? '';
  const directionOf = (direction: Direction): readonly NodePolicyRule[] | undefined =>
    isAbout(policy, direction)
      ? rulesOf(policy, direction).map(({ peers, ports }) => ({
          ...(peers.length === 0 ? {} : { peers: peers.flatMap((p) => peerOf(p, namespace, use)) }),
          ...(ports.length === 0 ? {} : { ports: ports.map((port) => portOf(port, use)) }),
        }))
      : undefined;
  const [ingress, egress] = [directionOf('Ingress'), directionOf('Egress')];
  return {
    policy: {
      key: keyOf(policy),
      ...(ingress === undefined ? {} : { ingress }),
      ...(egress === undefined ? {} : { egress }),
    },
    sets,
  };
};

type Use = (definition: SetDefinition) => string;

const peerOf = (
  { ipBlock, podSelector, namespaceSelector }: PolicyPeer,
  namespace: string,
  use: Use,
): readonly NodePolicyPeer[] => {
  if (ipBlock !== undefined) return [{ cidr: ipBlock.cidr, except: ipBlock.except ?? [] }];
  if (podSelector === undefined && namespaceSelector === undefined) return [];
  const namespaces = namespaceSelector === undefined ? namespace : canonical(namespaceSelector);
  return [{ set: use({ kind: 'pods', namespaces, pods: canonical(podSelector ?? {}) }) }];
};

const portOf = ({ protocol = 'TCP', port, endPort }: PolicyPort, use: Use): NodePolicyPort => {
  const known = protocol as Protocol;
  if (typeof port === 'string')
    return { protocol: known, set: use({ kind: 'ports', name: port, protocol: known }) };
  return {
    protocol: known,
    ...(port === undefined ? {} : { port }),
    ...(endPort === undefined ? {} : { endPort }),
  };
};

/** The same for selectors that are written differently and mean the same. */
const canonical = (selector: LabelSelector): readonly LabelRequirement[] => {
  const requirements = requirementsOf(selector).map(({ key, operator, values }) => ({
    key,
    operator: operator === 'in' && values.length === 1 ? ('=' as const) : operator,
    values: [...new Set(values)].sort(),
  }));
  const byText = new Map(requirements.map((each) => [textOf(each), each]));
  return [...byText].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, each]) => each);
};

const textOf = ({ key, operator, values }: LabelRequirement): string =>
  [key, operator, ...values].join('\n');

const idOf = (definition: SetDefinition): string => {
  const parts =
    definition.kind === 'ports'
      ? ['ports', definition.name, definition.protocol]
      : [
          'pods',
          ...(typeof definition.namespaces === 'string'
            ? ['in', definition.namespaces]
            : ['of', ...definition.namespaces.map(textOf)]),
          'having',
          ...definition.pods.map(textOf),
        ];
  return createHash('sha256').update(parts.join('\0')).digest('hex').slice(0, ID_DIGITS);
};

/** Nobody finds two selectors with one id: that would let the wrong pods in. */
const ID_DIGITS = 32;
