import { OUT_OF_SERVICE } from '../nodes';
import type { PodGroup } from '../pod-groups';
import type { Lease, Node, Secret } from '../types';
import { annotationsOfNode } from './annotations';
import { always, IGNORED, presentIn, type Rules } from './words';

/*
 * Fields of kinds other than those that make pods.
 */

export const unsupportedInSecret = (secret: Secret): readonly string[] =>
  presentAtTop(secret, SECRET);

export const unsupportedInNode = (node: Node): readonly string[] => [
  ...presentIn(node.spec, NODE, 'spec'),
  ...unusedTaints(node.spec),
  ...annotationsOfNode(node),
];

export const unsupportedInLease = ({ spec }: Lease): readonly string[] =>
  presentIn(spec, LEASE, 'spec');

export const unsupportedInPodGroup = ({ spec }: PodGroup): readonly string[] =>
  presentIn(spec, POD_GROUP, 'spec');

const presentAtTop = (object: object, rules: Rules): readonly string[] =>
  presentIn(object, rules, '').map((text) => text.slice(1));

/** What a taint of the name does beyond what its effect does. */
const unusedTaints = (spec: Partial<Node['spec']> | undefined): readonly string[] =>
  (spec?.taints ?? []).flatMap(({ key }, i) =>
    key === OUT_OF_SERVICE ? [`spec.taints[${i}]: ${NOT_FORCED}`] : [],
  );

const NOT_FORCED =
  'not supported by Dhow yet; it counts as any other taint, and no pod is deleted by force';

const SECRET: Rules = {
  type: {
    why: 'not supported by Dhow yet; no token is put into it or taken from it',
    when: (value) =>
      value === 'kubernetes.io/service-account-token' || value === 'bootstrap.kubernetes.io/token',
  },
};
const NODE = {
  ...always('deprecated in v1.22, and without effect', 'configSource'),
  ...always('this field is deprecated, and is unused by Kubernetes', 'externalID'),
};
const LEASE = always(IGNORED, 'preferredHolder', 'strategy');
const POD_GROUP = always(
  'has no effect: each pod is placed by what it asks for itself',
  'minResources',
);
