import type { ExtensionPoint, KnownPlugin } from '../plugins/registry';

/** Which plugins of a set a profile adds and takes away; `*` takes all away. */
export interface PluginSet {
  readonly enabled: readonly NamedPlugin[];
  readonly disabled: readonly { readonly name: string }[];
}

export interface NamedPlugin {
  readonly name: string;
  /** 0: whatever is usual. */
  readonly weight: number;
}

export interface EnabledPlugin {
  readonly plugin: KnownPlugin;
  readonly weight: number;
}

export type PluginSets = Readonly<Partial<Record<ExtensionPoint | 'multiPoint', PluginSet>>>;

const EMPTY: PluginSet = { enabled: [], disabled: [] };
export const ALL = '*';

/**
 * The plugins that run at an extension point, in order, with what their scores count. Pure. A set that
 * names a point says more than `multiPoint`, which says more than the defaults. Source: upstream's
 * mergePlugins (apis/config/v1/default_plugins.go) and expandMultiPointPlugins (framework/runtime).
 */
export const enabledAt = (
  point: ExtensionPoint,
  sets: PluginSets,
  known: readonly KnownPlugin[],
): readonly EnabledPlugin[] => {
  const { multiPoint = EMPTY } = sets;
  const own = sets[point] ?? EMPTY;
  const everywhere = merged(known, multiPoint).filter(({ name }) => hasPoint(known, name, point));
  const isOwn = ({ name }: NamedPlugin) => own.enabled.some((each) => each.name === name);
  const isDisabled = ({ name }: NamedPlugin) =>
    own.disabled.some((each) => each.name === ALL || each.name === name);
  const named = (each: NamedPlugin) => everywhere.some(({ name }) => name === each.name);
  const general = everywhere.filter((each) => !isOwn(each) && !isDisabled(each));
  // What the point itself says of a plugin that is everywhere comes first: so its order can be chosen.
  const ordered = [
    ...own.enabled.filter(named),
    ...general,
    ...own.enabled.filter((each) => !named(each)),
  ];
  return ordered.flatMap(({ name, weight }) => {
    const plugin = known.find((each) => each.name === name);
    return plugin === undefined ? [] : [{ plugin, weight: weight === 0 ? 1 : weight }];
  });
};

/** The defaults with a set's changes; a default that is enabled again keeps its place. */
const merged = (
  known: readonly KnownPlugin[],
  { enabled, disabled }: PluginSet,
): readonly NamedPlugin[] => {
  const isDisabled = (name: string) =>
    disabled.some((each) => each.name === ALL || each.name === name);
  const kept = known.flatMap(({ name, weight = 0 }): readonly NamedPlugin[] =>
    isDisabled(name) ? [] : [enabled.find((each) => each.name === name) ?? { name, weight }],
  );
  const added = enabled.filter(({ name }) => kept.every((each) => each.name !== name));
  return [...kept, ...added];
};

const hasPoint = (known: readonly KnownPlugin[], name: string, point: ExtensionPoint): boolean =>
  known.find((each) => each.name === name)?.points.includes(point) === true;
