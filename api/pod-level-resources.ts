import { isHugePages } from './resource-names';
import type { PodSpec } from './types';

type Texts = Readonly<Record<string, string>>;

/** What all containers of a pod ask for, or may use, together. */
export type ResourceList = 'requests' | 'limits';

/**
 * Resources that a pod itself may ask for and be limited in, whatever its containers say (KEP-2837). All
 * others are their containers' alone.
 */
export const isPodLevelResource = (name: string): boolean =>
  name === 'cpu' || name === 'memory' || isHugePages(name);

/** What the pod itself says of them; empty where it says nothing. */
export const podLevelList = (
  { resources }: Pick<PodSpec, 'resources'>,
  list: ResourceList,
): Texts => {
  const entries = Object.entries(resources?.[list] ?? {});
  return entries.length === 0
    ? NOTHING
    : Object.fromEntries(entries.filter(([name]) => isPodLevelResource(name)));
};

/** Does the pod itself ask for anything, or is it limited in anything? */
export const hasPodLevelResources = (spec: Pick<PodSpec, 'resources'>): boolean =>
  (['requests', 'limits'] as const).some(
    (list) => Object.keys(podLevelList(spec, list)).length > 0,
  );

const NOTHING: Texts = {};
