import { uidOf, type Pod } from '../../api/types';
import { describeError, type Log } from '../../lib/log';
import type { ContainerRuntime, ContainerState } from '../../runtime/container-runtime';
import { LABEL } from '../inventory/labels';
import type { Refusal } from '../plan/admission';
import type { ResizeRefusal } from '../plan/resize';
import type { CpuShare } from '../pod-spec/cpu-share';
import { classOf } from '../pod-spec/requests';
import { formatCpuList, without, type CpuList } from './cpu-list';
import type { CpuAssignments, CpuStore } from './cpu-store';
import { planCpus, type PodCpus } from './plan';
import { RESIZE_OF_OWNERS, type CpuManager } from './pod-cpus';
import type { CpuTopology } from './topology';

interface StaticCpusDeps {
  readonly topology: CpuTopology;
  /** Never a container's own; those that share may run there. */
  readonly reserved: CpuList;
  readonly store: CpuStore;
  readonly runtime: Pick<ContainerRuntime, 'containers' | 'container' | 'updateResources'>;
  /** Does what the pod had need to be kept for it no longer? */
  readonly hasGivenUp: (podUid: string) => boolean;
  readonly log: Log;
}

/**
 * Whole processors for containers that are guaranteed them; all others share what is left. What is given is
 * noted first: whatever an agent leaves half done the next one does again. Source: KEP-3570
 */
export class StaticCpus implements CpuManager {
  private assignments: CpuAssignments;
  /** What each container was kept to last, by runtime id. */
  private readonly placed = new Map<string, string>();

  constructor(private readonly deps: StaticCpusDeps) {
    this.assignments = this.restored();
  }

  refuse(pod: Pod): Refusal | undefined {
    const plan = this.plan(pod);
    return 'refusal' in plan ? plan.refusal : undefined;
  }

  take(pod: Pod): Refusal | undefined {
    const plan = this.plan(pod);
    if ('refusal' in plan) return plan.refusal;
    if (plan.cpus === this.assignments.get(uidOf(pod)) || Object.keys(plan.cpus).length === 0)
      return undefined;
    this.keep(new Map([...this.held(pod), [uidOf(pod), plan.cpus]]));
    // Before anything of it starts: those that share make room.
    this.update();
    return undefined;
  }

  refuseResize({ spec }: Pod): ResizeRefusal | undefined {
    return classOf(spec) === 'Guaranteed' ? RESIZE_OF_OWNERS : undefined;
  }

  shareOf(podUid: string, container: string): CpuShare {
    const own = this.assignments.get(podUid)?.[container];
    return own === undefined
      ? { cpus: this.shared(), isOwn: false }
      : { cpus: formatCpuList(own), isOwn: true };
  }

  isOwner(podUid: string): boolean {
    return this.assignments.has(podUid);
  }

  place(containerId: string): void {
    const state = this.deps.runtime.container(containerId);
    if (state !== undefined) this.confine(state);
  }

  release(podUid: string): void {
    if (!this.assignments.has(podUid)) return;
    this.keep(new Map([...this.assignments].filter(([uid]) => uid !== podUid)));
    this.update();
  }

  podUids(): readonly string[] {
    return [...this.assignments.keys()];
  }

  update(): void {
    const states = this.deps.runtime.containers();
    const known = new Set(states.map(({ id }) => id));
    for (const id of this.placed.keys()) if (!known.has(id)) this.placed.delete(id);
    for (const state of states) {
      // One that is being made is placed when it is there.
      const isThere = state.status === 'running' || this.placed.has(state.id);
      if (isThere && state.status !== 'exited') this.confine(state);
    }
  }

  private plan(pod: Pod): { readonly cpus: PodCpus } | { readonly refusal: Refusal } {
    const own = this.assignments.get(uidOf(pod));
    if (own !== undefined) return { cpus: own };
    const { topology, reserved } = this.deps;
    const taken = [...this.held(pod).values()].flatMap((each) => Object.values(each).flat());
    const all = topology.map(({ id }) => id);
    const plan = planCpus(topology, without(all, [...reserved, ...taken]), pod);
    if (plan.fits) return { cpus: plan.cpus };
    const { requestedCount, availableCount } = plan;
    return {
      refusal: {
        reason: 'UnexpectedAdmissionError',
        message:
          'Pod was rejected: Allocate failed due to not enough cpus available to satisfy request: ' +
          `requested=${requestedCount}, available=${availableCount}, which is unexpected`,
      },
    };
  }

  /** A pod that has ended gives way to one that was sent into its room. */
  private held(pod: Pod): CpuAssignments {
    const { hasGivenUp } = this.deps;
    return new Map([...this.assignments].filter(([uid]) => uid === uidOf(pod) || !hasGivenUp(uid)));
  }

  private shared(): string {
    const own = [...this.assignments.values()].flatMap((each) => Object.values(each).flat());
    return formatCpuList(
      without(
        this.deps.topology.map(({ id }) => id),
        own,
      ),
    );
  }

  private confine({ id, labels }: ContainerState): void {
    const { cpus } = this.shareOf(labels[LABEL.uid] ?? '', labels[LABEL.container] ?? '');
    if (this.placed.get(id) === cpus) return;
    this.placed.set(id, cpus);
    void this.move(id, cpus);
  }

  private async move(id: string, cpus: string): Promise<void> {
    const { runtime, log } = this.deps;
    try {
      await runtime.updateResources(id, { cpus });
    } catch (error) {
      // Tried again with the next update.
      if (this.placed.get(id) === cpus) this.placed.set(id, '');
      if (runtime.container(id)?.status === 'exited') return;
      log.warn({ container: id, err: describeError(error) }, 'a container cannot be moved');
    }
  }

  /** What was noted, but for what names processors that this machine no longer has, or no longer gives. */
  private restored(): CpuAssignments {
    const { topology, reserved, store, log } = this.deps;
    const givable = new Set(
      without(
        topology.map(({ id }) => id),
        reserved,
      ),
    );
    const kept = new Map<string, PodCpus>();
    for (const [uid, cpus] of store.read() ?? []) {
      const isThere = Object.values(cpus)
        .flat()
        .every((cpu) => givable.has(cpu));
      if (isThere) kept.set(uid, cpus);
      else log.warn({ uid }, 'processors of a pod are no longer there: it gets others if it can');
    }
    return kept;
  }

  private keep(assignments: CpuAssignments): void {
    this.deps.store.write(assignments);
    this.assignments = assignments;
  }
}
