import { randomUUID } from 'node:crypto';

import { TimeSlice } from '../../lib/async/time-slice';
import type { Clock } from '../../lib/clock';
import { stringifyJson } from '../../lib/json';
import type { ContainerRuntime, ContainerState } from '../../runtime/container-runtime';
import { LABEL } from '../inventory/labels';
import { summaryOf, type MeasuredContainer, type MeasuredNode } from './summary';

export interface UsageReport {
  /** Names the clock of `monotonicMs`. */
  readonly clockId: string;
  readonly monotonicMs: number;
  /** JSON as of the kubelet's `stats/summary`. */
  readonly summary: Uint8Array;
}

/** Reads what everything on this node has used, when somebody asks: nothing is counted meanwhile. */
export class UsageMeter {
  private readonly clockId = randomUUID();

  constructor(
    private readonly deps: {
      readonly runtime: Pick<ContainerRuntime, 'containers' | 'stats' | 'hostStats'>;
      readonly node: Omit<MeasuredNode, 'stats'>;
      readonly clock: Clock;
    },
  ) {}

  async report(): Promise<UsageReport> {
    const { runtime, clock, node } = this.deps;
    const [nowMs, monotonicMs] = [clock.now(), clock.monotonicMs()];
    const stats = await runtime.hostStats();
    const containers: MeasuredContainer[] = [];
    const slice = new TimeSlice(clock);
    for (const state of runtime.containers()) {
      const measured = await this.measure(state);
      if (measured !== undefined) containers.push(measured);
      if (slice.isOver) await slice.turn();
    }
    const summary = Buffer.from(stringifyJson(summaryOf({ ...node, stats }, containers, nowMs)));
    return { clockId: this.clockId, monotonicMs, summary };
  }

  private async measure(state: ContainerState): Promise<MeasuredContainer | undefined> {
    const { id, status, labels } = state;
    if (status !== 'running') return undefined;
    try {
      return {
        namespace: labels[LABEL.namespace] ?? '',
        podName: labels[LABEL.podName] ?? '',
        podUid: labels[LABEL.uid] ?? '',
        name: labels[LABEL.container] ?? '',
        startedAtMs: state.startedAtMs,
        stats: await this.deps.runtime.stats(id),
      };
    } catch {
      // Removed since it was listed.
      return undefined;
    }
  }
}
