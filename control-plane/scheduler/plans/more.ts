import type { RoomForMore } from '../../../api/placement-plans';
import type { PlannedPod } from '../../../client/placements';
import { decide } from '../decide';
import { podInfoOf } from '../pod-info';
import type { Profiles } from '../profile';
import type { Snapshot } from '../snapshot';
import { suggest } from '../suggest';

interface Place {
  /** It is filled up. */
  readonly cluster: Snapshot;
  readonly resolve: (info: ReturnType<typeof podInfoOf>) => ReturnType<typeof podInfoOf>;
  readonly seed: number;
  readonly profiles: Profiles;
  /** Nodes that are not to take any. */
  readonly drained: ReadonlySet<string>;
}

/** How many more pods like this there is room for, nobody being evicted. Yields after each. */
export function* countMore(
  { pod, owner = `Pod/${pod.metadata.name}` }: PlannedPod,
  { cluster, resolve, seed, profiles, drained: except }: Place,
): Generator<void, RoomForMore> {
  const profile = profiles.of(pod);
  for (let count = 0; count < MORE_MAX; count++) {
    const uid = `${pod.metadata.uid ?? pod.metadata.name}/${count}`;
    const info = resolve(podInfoOf({ ...pod, metadata: { ...pod.metadata, uid } }));
    const { nodeName, refusals } = decide(info, cluster, seed, profile);
    if (nodeName === undefined) {
      const suggestion = suggest(info, cluster, { profile, except });
      const found = { owner, count, isAtLimit: false, refusals };
      return suggestion === undefined ? found : { ...found, suggestion };
    }
    cluster.assume(info, nodeName);
    yield;
  }
  return { owner, count: MORE_MAX, isAtLimit: true };
}

const MORE_MAX = 1_000;
