import { formatTaint } from '../../../api/taints';
import type { Node, Taint } from '../../../api/types';

/**
 * When NoExecute taints came, for those that do not say so themselves: `kubectl taint` sets no time.
 * It is the time at which this process saw them first.
 */
export class TaintTimes {
  /** By node, then by taint. */
  private readonly firstSeen = new Map<string, ReadonlyMap<string, string>>();

  /** The node's taints, those of NoExecute each with its time. */
  stamped({ metadata: { name }, spec: { taints = [] } }: Node, nowMs: number): readonly Taint[] {
    const known = this.firstSeen.get(name);
    const times = new Map<string, string>();
    const stamped = taints.map((taint) => {
      if (taint.effect !== 'NoExecute' || taint.timeAdded !== undefined) return taint;
      const key = formatTaint(taint);
      const timeAdded = known?.get(key) ?? new Date(nowMs).toISOString();
      times.set(key, timeAdded);
      return { ...taint, timeAdded };
    });
    // A taint that went and comes again counts from then.
    if (times.size === 0) this.firstSeen.delete(name);
    else this.firstSeen.set(name, times);
    return stamped;
  }

  forget(nodeName: string): void {
    this.firstSeen.delete(nodeName);
  }
}
