import { podCondition } from '../../../api/pods';
import type { Pod, Service } from '../../../api/types';

interface Seen {
  readonly serviceTime: string;
  readonly podTimes: ReadonlyMap<string, string>;
}

/**
 * When that happened which a look at a Service finds changed, for the annotation by which the delay
 * until it has spread is measured. Source: upstream's trigger_time_tracker.go.
 */
export class TriggerTimes {
  private readonly seen = new Map<string, Seen>();

  /** The earliest change since the last look, as RFC 3339; undefined when nothing is dated later. */
  look(key: string, service: Service, pods: readonly Pod[]): string | undefined {
    const serviceTime = service.metadata.creationTimestamp ?? '';
    const podTimes = new Map(
      pods.flatMap((pod) => {
        const time = podCondition(pod, 'Ready')?.lastTransitionTime;
        return time === undefined ? [] : [[pod.metadata.name, time]];
      }),
    );
    const before = this.seen.get(key);
    this.seen.set(key, { serviceTime, podTimes });
    if (before === undefined) return serviceTime === '' ? undefined : serviceTime;
    const changed = [...podTimes].flatMap(([name, time]) =>
      isLater(time, before.podTimes.get(name)) ? [time] : [],
    );
    if (isLater(serviceTime, before.serviceTime)) changed.push(serviceTime);
    return changed.sort((a, b) => Date.parse(a) - Date.parse(b))[0];
  }

  forget(key: string): void {
    this.seen.delete(key);
  }
}

const isLater = (time: string, than: string | undefined): boolean =>
  than === undefined || Date.parse(time) > Date.parse(than);
