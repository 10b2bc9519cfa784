import type * as core from 'kubernetes-types/core/v1';
import { EXACT, only, textsOf } from '../amounts';
import { isPodLevelResource, type ResourceList } from '../pod-level-resources';
import { containersTotal } from '../pods';
import { isHugePages } from '../resource-names';

/**
 * What a pod that says something of its own resources gets where it does not say all: huge pages may be
 * as many as its containers may have, and what it is limited in it asks for as its containers do, or all of
 * it. Changes the spec in place, after its containers have their defaults.
 * Source: upstream's defaultHugePagePodLimits and defaultPodRequests.
 */
export const defaultPodLevelResources = (spec: core.PodSpec): void => {
  const { resources } = spec;
  if (resources === undefined) return;
  if (sizeOf(resources.limits) + sizeOf(resources.requests) === 0) return;
  const ofContainers = (list: ResourceList, isWanted: (name: string) => boolean) =>
    textsOf(only(containersTotal(partsOf(spec), list, EXACT), isWanted));
  const pages = ofContainers(
    'limits',
    (name) => isHugePages(name) && resources.requests?.[name] === undefined,
  );
  const limits = { ...pages, ...resources.limits };
  if (sizeOf(limits) === 0) return;
  resources.limits = limits;
  const requests = {
    ...Object.fromEntries(Object.entries(limits).filter(([name]) => isPodLevelResource(name))),
    ...ofContainers('requests', (name) => isPodLevelResource(name) && !isHugePages(name)),
    ...resources.requests,
  };
  if (sizeOf(requests) > 0) resources.requests = requests;
};

/** A spec may lack them until it has been validated. */
const partsOf = ({ containers, initContainers }: core.PodSpec) => ({
  containers: (containers as core.Container[] | null | undefined) ?? [],
  initContainers: initContainers ?? [],
});

const sizeOf = (list: object | undefined): number => Object.keys(list ?? {}).length;
