import type { Clock } from '../../lib/clock';
import { Stopwatches } from '../../lib/stopwatches';
import type { ObservedContainer, PodObservation } from './observe';

/** When a run was, in monotonic ms: whoever sets the wall clock changes no back-off. */
export interface RunTimes {
  readonly endedMs: number;
  /** How long it ran; 0 for one that never did. */
  readonly ranMs: number;
}

/** Keeps the times of a pod's runs, which the runtime tells as stamps on the wall clock. */
export class RunClock {
  private readonly watches: Stopwatches;

  constructor(private readonly clock: Clock) {
    this.watches = new Stopwatches(clock);
  }

  /** To be called with every observation: a time is right when it is noted soon after the event. */
  note(observation: PodObservation): void {
    const keys = new Set<string>();
    for (const { current } of observation.values()) {
      if (current === undefined) continue;
      this.timesOf(current);
      keys.add(startKey(current));
      keys.add(endKey(current));
    }
    this.watches.keepOnly(keys);
  }

  timesOf(run: ObservedContainer): RunTimes {
    const { state } = run;
    const nowMs = this.clock.monotonicMs();
    if (state.status === 'created') return { endedMs: nowMs, ranMs: 0 };
    const { startedAtMs } = state;
    const startMs =
      startedAtMs === undefined ? undefined : this.watches.startOf(startKey(run), startedAtMs);
    if (state.status === 'running') return { endedMs: nowMs, ranMs: nowMs - (startMs ?? nowMs) };
    const endedMs = this.watches.startOf(endKey(run), state.exit.finishedAtMs);
    return { endedMs, ranMs: Math.max(0, endedMs - (startMs ?? endedMs)) };
  }
}

const startKey = ({ name, id, restartCount }: ObservedContainer): string =>
  `${name}/${id}/${restartCount}/start`;
const endKey = ({ name, id, restartCount }: ObservedContainer): string =>
  `${name}/${id}/${restartCount}/end`;
