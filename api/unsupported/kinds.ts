import type { ApiObject } from '../types';
import { always, IGNORED, is, presentIn, type Rules } from './words';

/** Fields of kinds other than those that make pods. */
export const unsupportedInKind = (object: ApiObject): readonly string[] => {
  const { kind, spec } = object as ApiObject & { readonly spec?: object };
  switch (kind) {
    case 'ServiceAccount':
      return presentAtTop(object, ACCOUNT);
    case 'PriorityClass':
      return presentAtTop(object, PRIORITY);
    case 'Node':
      return presentIn(spec, NODE, 'spec');
    case 'Lease':
      return presentIn(spec, LEASE, 'spec');
    default:
      return [];
  }
};

const presentAtTop = (object: object, rules: Rules): readonly string[] =>
  presentIn(object, rules, '').map((text) => text.slice(1));

const ACCOUNT: Rules = {
  automountServiceAccountToken: {
    why: 'not supported by Dhow yet; no token is mounted',
    when: is(true),
  },
};
const PRIORITY: Rules = {
  preemptionPolicy: {
    why: 'no pod is evicted for another yet; the priority decides who is placed first',
    when: is('PreemptLowerPriority'),
  },
};
const NODE = {
  ...always('deprecated in v1.22, and without effect', 'configSource'),
  ...always('this field is deprecated, and is unused by Kubernetes', 'externalID'),
};
const LEASE = always(IGNORED, 'preferredHolder', 'strategy');
