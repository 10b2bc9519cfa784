import type { SchedulingDecision } from '../../../api/decisions';
import type { WatchEvent } from '../../../client/api-client';

export type RecordEvent = WatchEvent<SchedulingDecision> & { readonly object: SchedulingDecision };

/** What happened to the records lately: for those who resume a watch. */
export class RecordHistory {
  private events: RecordEvent[] = [];

  /**
   * @param start The version after which all is known.
   * @param countMax How many events are kept at least, once there were as many.
   */
  constructor(
    private start: number,
    private readonly countMax: number,
  ) {}

  append(event: RecordEvent): void {
    this.events.push(event);
    if (this.events.length < 2 * this.countMax) return;
    const dropped = this.events.length - this.countMax;
    this.start = versionOf(this.events[dropped - 1] as RecordEvent);
    this.events = this.events.slice(dropped);
  }

  /** The events after `version`, or `undefined` where not all of them are known. */
  since(version: number): readonly RecordEvent[] | undefined {
    if (version < this.start) return undefined;
    return this.events.slice(this.events.findLastIndex((each) => versionOf(each) <= version) + 1);
  }
}

const versionOf = ({ object }: RecordEvent): number => Number(object.metadata.resourceVersion);
