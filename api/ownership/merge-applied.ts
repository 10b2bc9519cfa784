import { member, objectFrom, type Json } from '../patch/json';
import { asList, itemsByStep, stepOfItem, structureOfItem, type ListStructure } from './list-items';
import { deduced, type MapStructure, type Structure } from './structure';
import { isJsonObject } from '../../lib/json';

/** The live state with everything that the configuration says. */
export const mergeApplied = (structure: Structure, live: unknown, config: unknown): unknown => {
  if (config === undefined) return live;
  const shape = deduced(structure, config);
  switch (shape.kind) {
    case 'map':
      return isJsonObject(config)
        ? mergeMembers(shape, isJsonObject(live) ? live : {}, config)
        : config;
    case 'set':
    case 'keyed':
      return Array.isArray(config) ? mergeItems(shape, asList(live), config) : config;
    case 'leaf':
    case 'any':
      return config;
  }
};

const mergeMembers = (map: MapStructure, live: Json, config: Json): Json =>
  objectFrom([
    ...Object.entries(live),
    ...Object.entries(config).map(
      ([name, value]) => [name, mergeApplied(map.member(name), member(live, name), value)] as const,
    ),
  ]);

/**
 * The configured items in their order; between them the others, each where it stood among those
 * that it shared the live list with.
 */
const mergeItems = (
  list: ListStructure,
  live: readonly unknown[],
  config: readonly unknown[],
): readonly unknown[] => {
  const liveItems = itemsByStep(list, live);
  const configSteps = config.map((item, index) => stepOfItem(list, item, index));
  const isConfigured = new Set(configSteps);
  const merged: unknown[] = [];
  const placed = new Set<string>();
  let next = 0;
  /** Takes live items up to the one that is to come next. */
  const takeLive = (until: string | undefined): void => {
    for (; next < live.length; next++) {
      const item = live[next];
      const step = stepOfItem(list, item, next);
      if (step === until && !placed.has(step)) return;
      if (!isConfigured.has(step)) merged.push(item);
    }
  };
  config.forEach((item, index) => {
    const step = configSteps[index] ?? '';
    takeLive(configSteps.slice(index).find((each) => liveItems.has(each)));
    const same = liveItems.get(step) ?? [];
    // Of several that cannot be told apart none is the one to go on from.
    merged.push(mergeApplied(structureOfItem(list), same.length === 1 ? same[0] : undefined, item));
    placed.add(step);
  });
  takeLive(undefined);
  return merged;
};
