import type { Pod } from '../../api/types';
import type { ProfileMeter } from './plugin-metrics';
import type { FilterPlugin, ScorePlugin, WakeEvent } from './plugins/plugin';
import {
  DEFAULT_ARGS,
  KNOWN_PLUGINS,
  type KnownPlugin,
  type PluginArgs,
  type PreemptionLimits,
} from './plugins/registry';

/** Which plugins run, in which order, and how much each score counts. */
export interface Profile {
  /** Pods that name it are placed by this profile. */
  readonly schedulerName: string;
  /** The first that refuses names the reason in messages: upstream's order. */
  readonly filters: readonly FilterPlugin[];
  readonly scores: readonly { readonly plugin: ScorePlugin; readonly weight: number }[];
  /** Absent: nobody is evicted for these pods. */
  readonly preemption?: PreemptionLimits;
  /** Pods without constraints of their own may be refused for how they are spread. */
  readonly isSpreadByDefault: boolean;
  /** It fills one node after another. */
  readonly isPacking: boolean;
  readonly bindTimeoutMs: number;
  /** Told of what plugins are asked. Absent: nothing is measured. */
  readonly meter?: ProfileMeter;
}

/** What of the known plugins a profile has, each in its order. */
export interface ProfileParts {
  readonly schedulerName: string;
  readonly filters: readonly KnownPlugin[];
  readonly scores: readonly { readonly plugin: KnownPlugin; readonly weight: number }[];
  readonly isPreempting: boolean;
  readonly args: PluginArgs;
}

export const profileOf = ({
  schedulerName,
  filters,
  scores,
  isPreempting,
  args,
}: ProfileParts): Profile => ({
  schedulerName,
  filters: filters.flatMap(({ filter }) => filter?.(args) ?? []),
  scores: scores.flatMap(({ plugin, weight }) => {
    const made = plugin.score?.(args);
    return made === undefined ? [] : [{ plugin: made, weight }];
  }),
  ...(isPreempting ? { preemption: args.DefaultPreemption } : {}),
  isSpreadByDefault:
    filters.some(({ name }) => name === 'PodTopologySpread') &&
    args.PodTopologySpread.constraints.some(
      ({ whenUnsatisfiable }) => whenUnsatisfiable === 'DoNotSchedule',
    ),
  isPacking:
    scores.some(({ plugin }) => plugin.name === 'NodeResourcesFit') &&
    args.NodeResourcesFit.scoringStrategy.type === 'MostAllocated',
  bindTimeoutMs: args.VolumeBinding.bindTimeoutMs,
});

/** The same for who is only to be told where there is room as things are. */
export const withoutPreemption = ({ preemption: _none, ...profile }: Profile): Profile => profile;

/** The profiles of one scheduler, by the names that pods choose them by. */
export class Profiles {
  private readonly byName: ReadonlyMap<string, Profile>;

  constructor(profiles: readonly Profile[]) {
    this.byName = new Map(profiles.map((profile) => [profile.schedulerName, profile]));
  }

  get all(): readonly Profile[] {
    return [...this.byName.values()];
  }

  /** The same, whose plugins are measured as well. */
  measuredBy(meterOf: (schedulerName: string) => ProfileMeter): Profiles {
    return new Profiles(
      this.all.map((profile) => ({ ...profile, meter: meterOf(profile.schedulerName) })),
    );
  }

  /** `undefined`: the pod is another scheduler's to place. */
  find(pod: Pod): Profile | undefined {
    return this.byName.get(pod.spec.schedulerName ?? DEFAULT_SCHEDULER_NAME);
  }

  /** What may lift a refusal by a plugin of this name; it is the same in all profiles. */
  wakeEventsOf(plugin: string): readonly WakeEvent[] {
    for (const { filters } of this.byName.values()) {
      const found = filters.find(({ name }) => name === plugin);
      if (found !== undefined) return found.wakeOn;
    }
    return [];
  }

  /** For a pod that is another's: what the first profile would do with it. */
  of(pod: Pod): Profile {
    return this.find(pod) ?? [...this.byName.values()][0] ?? DEFAULT_PROFILE;
  }
}

export const DEFAULT_SCHEDULER_NAME = 'default-scheduler';

/** Upstream's plugins and weights. */
export const DEFAULT_PROFILE: Profile = profileOf({
  schedulerName: DEFAULT_SCHEDULER_NAME,
  filters: KNOWN_PLUGINS,
  scores: KNOWN_PLUGINS.map((plugin) => ({ plugin, weight: plugin.weight ?? 1 })),
  isPreempting: true,
  args: DEFAULT_ARGS,
});

export const DEFAULT_PROFILES = new Profiles([DEFAULT_PROFILE]);
