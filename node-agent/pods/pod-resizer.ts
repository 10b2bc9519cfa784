import type { ContainerResources } from '../../api/pod-resources';
import { amountsOf, RESIZE_IN_PROGRESS, RESIZE_PENDING, type ConditionInput } from '../../api/pods';
import { uidOf, type Container, type Pod } from '../../api/types';
import { describeError } from '../../lib/log';
import type { PodDeps } from '../containers/pod-deps';
import type { PodAllocation } from '../inventory/allocation-store';
import { sandboxIdOf } from '../inventory/labels';
import type { ObservedContainer, PodObservation } from '../inventory/observe';
import {
  actualOf,
  decreaseProblem,
  firstAllocation,
  isDecrease,
  isGranted,
  largerLimits,
  resizeMessage,
  resizeStepOf,
  wantedOf,
  withResources,
  type MemoryChange,
  type ResizeRefusal,
} from '../plan/resize';
import {
  containerResources,
  podMemoryLimitBytes,
  podResources,
} from '../pod-spec/cgroup-resources';
import { containerNamed } from '../pod-spec/environment';

type ResizerDeps = Pick<
  PodDeps,
  | 'runtime'
  | 'allocations'
  | 'refuseResize'
  | 'events'
  | 'clock'
  | 'settings'
  | 'node'
  | 'podPidsLimit'
  | 'groups'
>;

/** A run, how it should be, and what it has. */
interface Resizing {
  readonly run: ObservedContainer;
  readonly container: Container;
  readonly actual: ContainerResources;
}

/**
 * What one pod has been granted of what it asks for, and what of that is in force in its containers. A
 * grant is noted before anything follows from it, and what is in force after it is: whatever an agent
 * leaves half done the next one does again.
 */
export class PodResizer {
  private allocation: PodAllocation | undefined;
  private pending: (ResizeRefusal & { readonly generation: number }) | undefined;
  private error: string | undefined;
  /** Monotonic. */
  private retryAtMs = -Infinity;
  private granted: { readonly asked: Pod; readonly of: unknown; readonly pod: Pod } | undefined;

  constructor(private readonly deps: ResizerDeps) {}

  /** The pod with what it has been granted in its spec: what all of the node goes by. */
  grantedPod(pod: Pod): Pod {
    const { allocation } = this;
    if (allocation === undefined) return pod;
    if (this.granted?.asked !== pod || this.granted.of !== allocation)
      this.granted = { asked: pod, of: allocation, pod: withResources(pod, allocation.allocated) };
    return this.granted.pod;
  }

  /** When to look again, monotonic; undefined: nothing waits for that. */
  get dueMs(): number | undefined {
    return this.error === undefined ? undefined : this.retryAtMs;
  }

  /** What an agent before this one has noted. A pod that was let in has what it came with. */
  load(pod: Pod, observe: () => PodObservation): void {
    this.allocation ??= this.deps.allocations.read(uidOf(pod)) ?? firstAllocation(pod, observe());
  }

  /** Does it ask for what it has not been granted? */
  isWaiting(pod: Pod): boolean {
    return this.allocation !== undefined && !isGranted(wantedOf(pod), this.allocation);
  }

  /** Grants what the pod asks for, or keeps why not. It has been loaded. */
  decide(pod: Pod): void {
    const uid = uidOf(pod);
    const known = this.allocation;
    if (known === undefined) return;
    const wanted = wantedOf(pod);
    if (isGranted(wanted, known)) {
      this.pending = undefined;
      return;
    }
    const generation = pod.metadata.generation ?? 0;
    const refusal = this.deps.refuseResize(pod);
    if (refusal === undefined) {
      this.keep(uid, { ...known, allocated: wanted, resizing: generation });
      this.pending = undefined;
      this.error = undefined;
      this.retryAtMs = -Infinity;
      this.tell(pod, 'Normal', 'ResizeStarted', 'started', generation);
      this.deps.groups.update();
      return;
    }
    const { reason, message } = refusal;
    const isNews = this.pending?.reason !== reason || this.pending.generation !== generation;
    this.pending = { ...refusal, generation };
    if (isNews) this.tell(pod, 'Warning', `Resize${reason}`, reason, generation, message);
  }

  /** Must the run end to get what it was granted? */
  needsRestart(run: ObservedContainer, container: Container): boolean {
    const { allocation } = this;
    return (
      allocation?.resizing !== undefined &&
      resizeStepOf(container, actualOf(run, allocation)) === 'restart'
    );
  }

  /** Noted before the run is ended to be resized: the next starts whatever the restart policy says. */
  noteEnd(pod: Pod, runId: string): void {
    const known = this.allocation;
    if (known === undefined || this.wasEnded(runId)) return;
    const others = (known.ended ?? []).filter(
      (id) => this.deps.runtime.container(id) !== undefined,
    );
    this.keep(uidOf(pod), { ...known, ended: [...others, runId] });
  }

  wasEnded(runId: string): boolean {
    return this.allocation?.ended?.includes(runId) === true;
  }

  /** What the run has now; of one that does not run, what its next will have. */
  resourcesOf(name: string, run: ObservedContainer | undefined): ContainerResources | undefined {
    const { allocation } = this;
    if (allocation === undefined) return undefined;
    return run?.state.status === 'running' && run.exists
      ? actualOf(run, allocation)
      : allocation.allocated[name];
  }

  conditions(): readonly ConditionInput[] {
    const { pending, allocation, error } = this;
    const resizing = allocation?.resizing;
    return [
      ...(pending === undefined
        ? []
        : [
            {
              type: RESIZE_PENDING,
              status: 'True' as const,
              reason: pending.reason,
              message: pending.message,
              observedGeneration: pending.generation,
            },
          ]),
      ...(resizing === undefined
        ? []
        : [
            {
              type: RESIZE_IN_PROGRESS,
              status: 'True' as const,
              ...(error === undefined ? {} : { reason: 'Error', message: error }),
              observedGeneration: resizing,
            },
          ]),
    ];
  }

  /** Puts in force what was granted, as far as no container has to end for it. Its sandbox is there. */
  async enforce(pod: Pod, runs: () => readonly ObservedContainer[]): Promise<void> {
    const { allocation } = this;
    const { clock, settings } = this.deps;
    if (allocation?.resizing === undefined || clock.monotonicMs() < this.retryAtMs) return;
    try {
      await this.apply(this.grantedPod(pod), allocation, allocation.resizing, runs());
      this.error = undefined;
    } catch (error) {
      const text = describeError(error);
      if (text !== this.error)
        this.tell(pod, 'Warning', 'ResizeError', 'error', allocation.resizing, text);
      this.error = text;
      this.retryAtMs = clock.monotonicMs() + settings.retryMs;
    }
  }

  private async apply(
    pod: Pod,
    allocation: PodAllocation,
    generation: number,
    runs: readonly ObservedContainer[],
  ): Promise<void> {
    const { runtime, node, podPidsLimit } = this.deps;
    const alive = runs.flatMap((run) => {
      const container = containerNamed(pod, run.name);
      const isKnown = allocation.allocated[run.name] !== undefined;
      if (run.state.status !== 'running' || container === undefined || !isKnown) return [];
      const actual = actualOf(run, allocation);
      return [{ run, container, actual, step: resizeStepOf(container, actual) }];
    });
    const before = withResources(
      pod,
      Object.fromEntries(alive.map(({ run, actual }) => [run.name, actual])),
    );
    const updates = alive.filter(({ step }) => step === 'update');
    const isLast = alive.every(({ step }) => step !== 'restart');
    await this.checkDecreases(pod, before, isLast, updates);
    const sandboxId = sandboxIdOf(uidOf(pod));
    const wanted = podResources(pod, podPidsLimit);
    // Containers fit into their pod at every moment.
    await runtime.updateSandbox(
      sandboxId,
      largerLimits(podResources(before, podPidsLimit), wanted),
    );
    for (const { run, container } of updates)
      await runtime.updateResources(
        run.id,
        containerResources(pod, container, node().capacityBytes),
      );
    if (isLast) await runtime.updateSandbox(sandboxId, wanted);
    const actuated = Object.fromEntries(
      alive
        .filter(({ run, step }) => step === 'update' || allocation.actuated[run.id] !== undefined)
        .map(({ run, actual, step }) => [
          run.id,
          step === 'update' ? (allocation.allocated[run.name] ?? {}) : actual,
        ]),
    );
    const { resizing: _resizing, ...others } = allocation;
    if (isLast) this.settle(pod, { ...others, actuated }, generation);
    else if (updates.length > 0)
      this.keep(uidOf(pod), { ...others, actuated, resizing: generation });
  }

  /** @throws when a limit would go below what is used under it */
  private async checkDecreases(
    pod: Pod,
    before: Pod,
    isLast: boolean,
    updates: readonly Resizing[],
  ): Promise<void> {
    const { runtime } = this.deps;
    const changes: MemoryChange[] = [];
    const ofPod = {
      beforeBytes: podMemoryLimitBytes(before),
      afterBytes: podMemoryLimitBytes(pod),
    };
    if (isLast && isDecrease(ofPod)) {
      const { memoryBytes } = await runtime.sandboxStats(sandboxIdOf(uidOf(pod)));
      changes.push({ of: 'pod', ...ofPod, usedBytes: memoryBytes });
    }
    for (const { run, container, actual } of updates) {
      const limits = {
        beforeBytes: amountsOf(actual.limits).memoryBytes,
        afterBytes: amountsOf(container.resources?.limits).memoryBytes,
      };
      if (!isDecrease(limits)) continue;
      const { memoryBytes } = await runtime.stats(run.id);
      changes.push({ of: `container "${run.name}"`, ...limits, usedBytes: memoryBytes });
    }
    const problem = decreaseProblem(changes);
    if (problem !== undefined) throw new Error(problem);
  }

  private settle(pod: Pod, allocation: PodAllocation, generation: number): void {
    this.keep(uidOf(pod), allocation);
    this.tell(pod, 'Normal', 'ResizeCompleted', 'completed', generation);
    this.deps.groups.update();
  }

  private keep(uid: string, allocation: PodAllocation): void {
    this.deps.allocations.write(uid, allocation);
    this.allocation = allocation;
  }

  private tell(
    pod: Pod,
    type: 'Normal' | 'Warning',
    reason: string,
    what: string,
    generation: number,
    error?: string,
  ): void {
    const message = resizeMessage(pod, what, generation, error);
    this.deps.events.emit(pod, { type, reason, message });
  }
}
