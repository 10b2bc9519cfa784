import { conflict } from '../../../api/errors';
import { NODES } from '../../../api/resources';
import type { ApiObject } from '../../../api/types';
import type { Clock } from '../../../lib/clock';
import type { Store } from '../../store/store';
import type { WatchCache } from '../../store/watch-cache';
import type { AdmissionPlugin, Reservation } from '../admission/admission-plugin';
import { isWriteOf, objectOf, type AdmissionAttributes } from '../admission/attributes';
import { listAt, valueAt } from '../kinds/mutable';
import { AllocationRight, type Allocator } from './allocation-right';

export interface NodeRangesDeps {
  /** Of all nodes. */
  readonly cache: () => WatchCache;
  readonly store: Store;
  readonly allocator: Allocator;
  readonly clock: Clock;
}

/**
 * Keeps two nodes from one range of pods, whichever server makes them: traffic would reach either. A range that another
 * node has is a conflict, and whoever chose it chooses again.
 */
export const nodeRanges = (deps: NodeRangesDeps): AdmissionPlugin => {
  const ranges = new NodeRanges(deps);
  return {
    name: 'NodeRanges',
    handles: (asked) => isWriteOf(asked, NODES),
    allocate: (asked, signal) => ranges.claim(asked, signal),
  };
};

class NodeRanges {
  private readonly right: AllocationRight;
  /** Of writes under way. */
  private readonly claimed = new Set<string>();

  constructor(private readonly deps: NodeRangesDeps) {
    this.right = new AllocationRight('nodes', deps);
  }

  async claim(asked: AdmissionAttributes, signal: AbortSignal): Promise<Reservation | undefined> {
    const wanted = rangesOf(objectOf(asked));
    const before = asked.old === undefined ? [] : rangesOf(asked.old);
    if (asked.isDryRun || wanted.every((range) => before.includes(range))) return undefined;
    if (this.right.guard === undefined) await this.right.take(signal);
    // What other servers have stored while they had the right, and what this one has.
    await this.deps.cache().ready(signal);
    await this.deps.cache().waitFresh(signal);
    const { guard } = this.right;
    const name = objectOf(asked).metadata.name;
    if (guard === undefined || wanted.some((range) => this.isTaken(range, name)))
      throw conflict(NODES.plural, NODES.group, name, 'a range of pods is of another node');
    asked.guards = [...(asked.guards ?? []), guard];
    for (const range of wanted) this.claimed.add(range);
    return {
      settle: (outcome) => {
        if (outcome !== 'stored') this.right.doubt(guard);
        for (const range of wanted) this.claimed.delete(range);
      },
    };
  }

  private isTaken(range: string, name: string): boolean {
    if (this.claimed.has(range)) return true;
    return this.deps
      .cache()
      .list()
      .items.some(
        ({ object }) => object.metadata.name !== name && rangesOf(object).includes(range),
      );
  }
}

/** Nodes that others have made may have the older field alone. */
const rangesOf = (node: ApiObject): readonly string[] => [
  ...new Set(
    [...listAt(node, 'spec', 'podCIDRs'), valueAt(node, 'spec', 'podCIDR')].filter(
      (range) => typeof range === 'string' && range !== '',
    ) as string[],
  ),
];
