import type { PodDeps } from '../containers/pod-deps';
import type { Refusal } from '../plan/admission';
import type { PodRecord } from './pod-record';
import type { PodTrace } from './pod-trace';
import { isFinalRefusal } from './worker-plan';

interface PodAdmissionDeps {
  readonly deps: Pick<PodDeps, 'admit' | 'clock' | 'cpus' | 'settings'>;
  readonly record: PodRecord;
  readonly trace: PodTrace;
}

/** Whether the node has let a pod in. */
export class PodAdmission {
  private isDone = false;
  /** Monotonic: since when labels or taints that may be stale speak against the pod. */
  private refusedSinceMs: number | undefined;

  constructor(private readonly parts: PodAdmissionDeps) {}

  get isAdmitted(): boolean {
    return this.isDone;
  }

  /** When to ask again, in monotonic ms; undefined: nothing has been refused. */
  get dueMs(): number | undefined {
    const { retryMs } = this.parts.deps.settings;
    return this.refusedSinceMs === undefined ? undefined : this.refusedSinceMs + retryMs;
  }

  /**
   * Lets the pod in, if it may. `isKnown`: it was let in before, by an earlier agent. Returns what keeps it
   * out for good; undefined also while that is not sure.
   */
  ask(isKnown: boolean): Refusal | undefined {
    const { deps, record, trace } = this.parts;
    if (isKnown) this.takeCpusAgain();
    const refusal = isKnown ? undefined : deps.admit(record.pod);
    if (refusal === undefined) {
      this.isDone = true;
      if (!isKnown) trace.begin(record.pod);
      return undefined;
    }
    const nowMs = deps.clock.monotonicMs();
    const refusedSinceMs = (this.refusedSinceMs ??= nowMs);
    const times = { refusedSinceMs, nowMs, retryMs: deps.settings.retryMs };
    return isFinalRefusal(refusal, times) ? refusal : undefined;
  }

  /** That it has no processors of its own any more does not end it. */
  private takeCpusAgain(): void {
    const { deps, record } = this.parts;
    const shortage = deps.cpus.take(record.pod);
    if (shortage !== undefined)
      record.log.warn({ err: shortage.message }, 'a pod shares processors');
  }
}
