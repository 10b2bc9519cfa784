export const COORDINATION_GROUP = 'coordination.k8s.io';
/** Where the nodes keep their leases. */
export const NODE_LEASE_NAMESPACE = 'kube-node-lease';

type Labels = Readonly<Record<string, string>>;

/**
 * The labels that differ between two states of a Node and that a node may not set on itself: a
 * stolen node must not attract chosen pods. Sorted. Source: KEP-279, upstream's NodeRestriction.
 */
export const forbiddenLabelChanges = (
  before: Labels | undefined = {},
  after: Labels | undefined = {},
): readonly string[] =>
  [...new Set([...Object.keys(before), ...Object.keys(after)])]
    .filter((key) => before[key] !== after[key] && !isLabelForNodes(key))
    .sort();

/** May a node give itself this label? Any of its own domains, and a few of Kubernetes' domains. */
export const isLabelForNodes = (key: string): boolean => {
  const slash = key.indexOf('/');
  const domain = slash < 0 ? '' : key.slice(0, slash);
  if (isWithin(domain, 'node-restriction.kubernetes.io')) return false;
  if (!KUBERNETES_DOMAINS.some((each) => isWithin(domain, each))) return true;
  return NODE_LABELS.has(key) || NODE_DOMAINS.some((each) => isWithin(domain, each));
};

const isWithin = (domain: string, parent: string): boolean =>
  domain === parent || domain.endsWith(`.${parent}`);

const KUBERNETES_DOMAINS = ['kubernetes.io', 'k8s.io'];
const NODE_DOMAINS = ['kubelet.kubernetes.io', 'node.kubernetes.io'];
const NODE_LABELS: ReadonlySet<string> = new Set([
  'kubernetes.io/hostname',
  'kubernetes.io/os',
  'kubernetes.io/arch',
  'topology.kubernetes.io/zone',
  'topology.kubernetes.io/region',
  'failure-domain.beta.kubernetes.io/zone',
  'failure-domain.beta.kubernetes.io/region',
  'beta.kubernetes.io/instance-type',
  'node.kubernetes.io/instance-type',
  'beta.kubernetes.io/os',
  'beta.kubernetes.io/arch',
]);
