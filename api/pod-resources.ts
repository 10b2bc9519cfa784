import { EXACT, quantitiesOf, sumOf, type Amounts as ExactAmounts } from './amounts';
import { jsonEqual } from './json-value';
import { isRestartableInit, podCondition, podTotal, RESIZE_PENDING } from './pods';
import { compareQuantities, parseQuantity } from './quantity';
import type { Container, ContainerStatus, Pod, PodSpec } from './types';

/** What a container asks for and may use, as the API has it. */
export interface ContainerResources {
  readonly requests?: Amounts;
  readonly limits?: Amounts;
}

type Amounts = Readonly<Record<string, string>>;

/** The reason of a pending resize that the pod's node can never grant. */
export const INFEASIBLE = 'Infeasible';

/** Main containers and sidecars: the others are gone before anybody could resize them. */
export const resizableIn = ({ containers, initContainers = [] }: PodSpec): readonly Container[] => [
  ...initContainers.filter(isRestartableInit),
  ...containers,
];

/** Requests and limits alone; what is empty is left out. */
export const resourcesOf = ({ resources }: Pick<Container, 'resources'>): ContainerResources => ({
  ...(isEmpty(resources?.limits) ? {} : { limits: resources?.limits ?? {} }),
  ...(isEmpty(resources?.requests) ? {} : { requests: resources?.requests ?? {} }),
});

/** Do they amount to the same, however they are written? */
export const isSameResources = (a: ContainerResources, b: ContainerResources): boolean =>
  jsonEqual(a, b) ||
  (isSameAmounts(a.requests ?? {}, b.requests ?? {}) &&
    isSameAmounts(a.limits ?? {}, b.limits ?? {}));

/**
 * The spec that a pod is counted by on its node and in quotas: while a resize is under way, the larger of
 * what is asked for, allocated and in force; what the node can never grant does not count. The spec itself
 * where all agree. Source: upstream's component-helpers/resource, with status resources.
 * @throws QuantityError
 */
export const countedSpec = (pod: Pod): PodSpec => {
  const { spec } = pod;
  // Of one that is being made nothing has been told yet.
  const { status } = pod as Partial<Pod>;
  const statuses = new Map<string, ContainerStatus>();
  for (const each of status?.containerStatuses ?? []) statuses.set(each.name, each);
  for (const each of status?.initContainerStatuses ?? []) statuses.set(each.name, each);
  if (statuses.size === 0) return spec;
  const isInfeasible = podCondition(pod, RESIZE_PENDING)?.reason === INFEASIBLE;
  const counted = (container: Container): Container =>
    countedContainer(container, statuses.get(container.name), isInfeasible);
  return withContainers(spec, (container, isInit) =>
    isInit && !isRestartableInit(container) ? container : counted(container),
  );
};

/** What a pod takes from its node now, exactly, however much it is. @throws QuantityError */
export const exactRequests = (pod: Pod): ExactAmounts => {
  const spec = countedSpec(pod);
  return sumOf(podTotal(spec, 'requests', EXACT), quantitiesOf(spec.overhead));
};

const countedContainer = (
  container: Container,
  status: ContainerStatus | undefined,
  isInfeasible: boolean,
): Container => {
  if (status?.resources === undefined) return container;
  const { resources: actual, allocatedResources } = status;
  const asked = container.resources;
  const requests = largest([
    isInfeasible ? undefined : asked?.requests,
    actual.requests,
    allocatedResources,
  ]);
  const limits = largest([isInfeasible ? undefined : asked?.limits, actual.limits]);
  const isAsAsked =
    isSameAmounts(requests, asked?.requests ?? {}) && isSameAmounts(limits, asked?.limits ?? {});
  return isAsAsked ? container : { ...container, resources: { ...asked, requests, limits } };
};

const largest = (lists: readonly (Amounts | undefined)[]): Amounts => {
  const most = new Map<string, string>();
  for (const list of lists)
    for (const [name, text] of Object.entries(list ?? {})) {
      const known = most.get(name);
      if (known === undefined || isMore(text, known)) most.set(name, text);
    }
  return Object.fromEntries(most);
};

const isMore = (a: string, b: string): boolean =>
  a !== b && compareQuantities(parseQuantity(a), parseQuantity(b)) > 0;

const isSameAmounts = (a: Amounts, b: Amounts): boolean => {
  const names = Object.keys(a);
  return (
    names.length === Object.keys(b).length &&
    names.every((name) => {
      const [x, y] = [a[name], b[name]];
      if (x === undefined || y === undefined) return false;
      return x === y || compareQuantities(parseQuantity(x), parseQuantity(y)) === 0;
    })
  );
};

const isEmpty = (list: Amounts | undefined): boolean =>
  list === undefined || Object.keys(list).length === 0;

/** The spec with its main and init containers changed; the spec itself where none is. */
export const withContainers = (
  spec: PodSpec,
  change: (container: Container, isInit: boolean) => Container,
): PodSpec => {
  const { initContainers: before = [] } = spec;
  const containers = mapped(spec.containers, (each) => change(each, false));
  const initContainers = mapped(before, (each) => change(each, true));
  if (containers === spec.containers && initContainers === before) return spec;
  return { ...spec, containers, ...(initContainers.length === 0 ? {} : { initContainers }) };
};

/** The list itself where nothing in it changes. */
const mapped = (
  list: readonly Container[],
  change: (container: Container) => Container,
): readonly Container[] => {
  const next = list.map(change);
  return next.every((each, i) => each === list[i]) ? list : next;
};
