import type * as core from 'kubernetes-types/core/v1';
import { countOf, EXACT, largerOf, ONE, only, quantitiesOf, sumOf, type Amounts } from '../amounts';
import { secondsToMs } from '../int64';
import { countedSpec } from '../pod-resources';
import { hasPodLevelResources } from '../pod-level-resources';
import { isTerminal, podTotal } from '../pods';
import type { Quantity } from '../quantity';
import { isExtendedQuotaResource, isExtendedResource, isHugePages } from '../resource-names';
import { EVENTS, PODS, qualifiedName, type Resource } from '../resources';
import type { ApiObject, DeepReadonly, Pod, PodSpec } from '../types';

/** Of which kind something is, in the version that nobody asks for here. */
export type Counted = Pick<Resource, 'group' | 'plural' | 'isNamespaced'>;

/** Does any quota bound the kind? Events come and go by themselves. */
export const isCounted = ({ isNamespaced, group, plural }: Counted): boolean =>
  isNamespaced && !(plural === EVENTS.plural && (group === '' || group === 'events.k8s.io'));

/** What there may be of one object besides one more of its kind. May updates change it? */
export const mayGrow = (kind: Counted): boolean =>
  [PODS.plural, SERVICES, CLAIMS].includes(qualifiedName(kind));

/** Does an amount of the name, in a quota, bound objects of the kind? */
export const concerns = (kind: Counted, name: string): boolean => {
  const kindName = qualifiedName(kind);
  if (name === `count/${kindName}`) return true;
  switch (kindName) {
    case PODS.plural:
      return isOfPods(name);
    case SERVICES:
      return name === SERVICES || name.startsWith(`${SERVICES}.`);
    case CLAIMS:
      return OF_CLAIMS.some((each) => name === each || name.endsWith(`${OF_CLASS}${each}`));
    default:
      return name === kindName && PLAIN_COUNTS.has(name);
  }
};

/** What an object uses of all that quotas may bound. @throws QuantityError */
export const usageOf = (kind: Counted, object: ApiObject, nowMs: number): Amounts => {
  const kindName = qualifiedName(kind);
  const counts = new Map([[`count/${kindName}`, ONE]]);
  switch (kindName) {
    case PODS.plural:
      return isCharged(object as Pod, nowMs)
        ? sumOf(
            counts,
            memoized(object, () => podUsage(countedSpec(object as Pod))),
          )
        : counts;
    case SERVICES:
      return sumOf(counts, serviceUsage(object as Service));
    case CLAIMS:
      return sumOf(
        counts,
        memoized(object, () => claimUsage(object as Claim)),
      );
    default:
      return PLAIN_COUNTS.has(kindName) ? counts.set(kindName, ONE) : counts;
  }
};

/**
 * Which of the containers of a pod do not say what they ask for, by the name of what a quota bounds.
 * Upstream calls it a mistake, and keeps it for cpu and memory of pods that say nothing themselves.
 */
export const unspecifiedIn = (
  spec: PodSpec,
  names: readonly string[],
): ReadonlyMap<string, readonly string[]> => {
  const missing = new Map<string, string[]>();
  if (hasPodLevelResources(spec)) return missing;
  const { containers, initContainers = [] } = spec;
  for (const container of [...containers, ...initContainers]) {
    const usage = computeUsage(container.resources?.requests, container.resources?.limits);
    for (const name of names) {
      if (!MUST_BE_SAID.has(name) || usage.has(name)) continue;
      missing.set(name, [...(missing.get(name) ?? []), container.name]);
    }
  }
  return new Map([...missing].sort(([a], [b]) => (a < b ? -1 : 1)));
};

type Service = ApiObject & DeepReadonly<core.Service>;
type Claim = ApiObject & DeepReadonly<core.PersistentVolumeClaim>;
type Texts = Readonly<Record<string, string>>;

const SERVICES = 'services';
const CLAIMS = 'persistentvolumeclaims';
const STORAGE = 'requests.storage';
const OF_CLAIMS = [CLAIMS, STORAGE];
const OF_CLASS = '.storageclass.storage.k8s.io/';
const PLAIN_COUNTS: ReadonlySet<string> = new Set([
  ...['configmaps', 'secrets', 'replicationcontrollers', 'resourcequotas'],
]);
const COMPUTE = ['cpu', 'memory', 'ephemeral-storage'] as const;
const MUST_BE_SAID: ReadonlySet<string> = new Set([
  ...['cpu', 'memory', 'requests.cpu', 'requests.memory', 'limits.cpu', 'limits.memory'],
]);
const POD_NAMES: ReadonlySet<string> = new Set([
  'pods',
  ...COMPUTE.flatMap((name) => [name, `requests.${name}`, `limits.${name}`]),
]);

const isOfPods = (name: string): boolean =>
  POD_NAMES.has(name) ||
  isHugePages(name) ||
  name.startsWith('requests.hugepages-') ||
  isExtendedQuotaResource(name);

/** Objects that are stored stay as they are, and are looked at again and again. */
const usages = new WeakMap<ApiObject, Amounts>();

const memoized = (object: ApiObject, reckon: () => Amounts): Amounts => {
  // What is not stored yet may still change.
  if ((object.metadata.resourceVersion ?? '') === '') return reckon();
  let usage = usages.get(object);
  if (usage === undefined) {
    usage = reckon();
    usages.set(object, usage);
  }
  return usage;
};

/** Not once it has ended, or should have: its node may be unable to say so. */
const isCharged = (pod: Pod, nowMs: number): boolean => {
  if (isTerminal(pod)) return false;
  const { deletionTimestamp, deletionGracePeriodSeconds } = pod.metadata;
  if (deletionTimestamp === undefined || deletionGracePeriodSeconds === undefined) return true;
  const endMs = Date.parse(deletionTimestamp) + secondsToMs(deletionGracePeriodSeconds);
  return !(nowMs > endMs);
};

const podUsage = (spec: PodSpec): Amounts => {
  const overhead = quantitiesOf(spec.overhead);
  const requests = podTotal(spec, 'requests', EXACT);
  const limits = podTotal(spec, 'limits', EXACT);
  // Overhead adds to limits only where there are any.
  const overLimits = only(overhead, (name) => limits.has(name));
  return usageFrom(sumOf(requests, overhead), sumOf(limits, overLimits));
};

const computeUsage = (requests: Texts | undefined, limits: Texts | undefined): Amounts =>
  usageFrom(quantitiesOf(requests), quantitiesOf(limits));

const usageFrom = (requests: Amounts, limits: Amounts): Amounts => {
  const usage = new Map<string, Quantity>([['pods', ONE]]);
  for (const [name, amount] of requests) {
    const isCompute = (COMPUTE as readonly string[]).includes(name);
    if (isCompute || isHugePages(name)) usage.set(name, amount);
    if (isCompute || isHugePages(name) || isExtendedResource(name))
      usage.set(`requests.${name}`, amount);
  }
  for (const name of COMPUTE) {
    const amount = limits.get(name);
    if (amount !== undefined) usage.set(`limits.${name}`, amount);
  }
  return usage;
};

const serviceUsage = ({ spec }: Service): Amounts => {
  const ports = spec?.ports ?? [];
  const asked = ports.filter(({ nodePort = 0 }) => nodePort !== 0).length;
  const isBalanced = spec?.type === 'LoadBalancer';
  const allocates = spec?.type === 'NodePort' || spec?.allocateLoadBalancerNodePorts !== false;
  const nodePorts =
    isBalanced || spec?.type === 'NodePort' ? (allocates ? ports.length : asked) : 0;
  return new Map([
    [SERVICES, ONE],
    [`${SERVICES}.nodeports`, countOf(nodePorts)],
    [`${SERVICES}.loadbalancers`, countOf(isBalanced ? 1 : 0)],
  ]);
};

/** A claim that shrinks counts as long as its volume has not. */
const claimUsage = ({ spec, status, metadata }: Claim): Amounts => {
  const storage = largerOf(
    only(quantitiesOf(spec?.resources?.requests), (name) => name === 'storage'),
    only(quantitiesOf(status?.allocatedResources), (name) => name === 'storage'),
  ).get('storage');
  const className =
    metadata.annotations?.['volume.beta.kubernetes.io/storage-class'] ??
    spec?.storageClassName ??
    '';
  const usage = new Map([
    [CLAIMS, ONE],
    ...(storage === undefined ? [] : ([[STORAGE, storage]] as const)),
  ]);
  if (className === '') return usage;
  return new Map([
    ...usage,
    ...[...usage].map(([name, amount]) => [`${className}${OF_CLASS}${name}`, amount] as const),
  ]);
};
