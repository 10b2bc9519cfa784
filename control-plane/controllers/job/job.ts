import { controllerOf, isOfKind } from '../../../api/owners';
import { JOBS, PODS } from '../../../api/resources';
import type { Job, Pod } from '../../../api/types';
import { rfc3339 } from '../../../lib/clock';
import type { ControllerDeps } from '../controller';
import { OwnedController } from '../owned/owned-controller';
import { PodControl } from '../owned/pod-control';
import { endOf, type Claim } from './conditions';
import { countPods, type Counting } from './count';
import { deleteExpired, lifeAfterEnd } from './expiry';
import { JobClock } from './job-clock';
import { TRACKING_FINALIZER } from './job-pod';
import { observe, type Observed } from './observe';
import { planPods } from './plan';
import { podDraft } from './pod-draft';
import { forEachPod, releasePod } from './tracking';
import { verdictOf } from './verdict';
import { wantedOf, type Wanted } from './wanted';

/** Runs the pods of jobs until they are done, or have failed, and counts their ends exactly. */
export class JobController extends OwnedController<Job, Pod> {
  private readonly pods: PodControl<Job>;
  private readonly clock: JobClock;

  constructor(deps: ControllerDeps) {
    super('job', deps, {
      owners: JOBS,
      children: PODS,
      selectorOf: ({ spec }) => spec?.selector,
      finalizers: [TRACKING_FINALIZER],
    });
    this.pods = new PodControl(JOBS, this.children, deps);
    this.clock = new JobClock(deps.clock);
  }

  protected override ownerGone(job: Job): void {
    this.clock.forget(job);
    this.pods.forget(job);
  }

  protected override childGone(pod: Pod): void {
    this.pods.gone(pod);
  }

  /** What befalls the pods of a job is looked at together: it may have thousands. */
  protected override enqueueOwnerOf(pod: Pod): void {
    const owner = controllerOf(pod);
    if (owner === undefined || !isOfKind(owner, JOBS)) super.enqueueOwnerOf(pod);
    else this.queue.addAfter(`${pod.metadata.namespace ?? ''}/${owner.name}`, BATCH_MS);
  }

  protected override async reconcile(job: Job, signal: AbortSignal): Promise<void> {
    if (await this.expire(job, signal)) return;
    const { managedBy = CONTROLLER_NAME } = job.spec ?? {};
    if (managedBy !== CONTROLLER_NAME) return;
    if (endOf(job) === undefined) await this.pursue(job, signal);
    // What is left of an ended job is nobody's to count.
    else await this.release(this.index.ownedBy(job), signal);
  }

  /** True when nothing more is to be done for the job. */
  private async expire(job: Job, signal: AbortSignal): Promise<boolean> {
    const life = lifeAfterEnd(job);
    if (life === undefined) return false;
    const leftMs = life.ttlMs - this.clock.sinceStampMs(job, life.endStamp);
    if (leftMs > 0) {
      this.enqueueAfter(job, leftMs);
      return false;
    }
    await deleteExpired(this.deps.client, job, signal);
    return true;
  }

  private async pursue(job: Job, signal: AbortSignal): Promise<void> {
    const wanted = wantedOf(job);
    await this.pods.settleDoubts(job, job.spec?.selector, signal);
    const before = this.look(job, wanted, await this.claims.claim(job, signal));
    this.clock.observe(job, wanted, before.pods);
    const verdict = verdictOf(job, wanted, before, this.isPastDeadline(job, wanted));
    const isPlanned = verdict === undefined && job.metadata.deletionTimestamp === undefined;
    // Their finalizers stay: they count.
    if (verdict !== undefined)
      await forEachPod(before.active, (pod) => this.pods.remove(job, pod, signal));
    const refusal = isPlanned ? await this.scale(job, wanted, before, signal) : undefined;
    const own = this.index.ownedBy(job).filter((pod) => this.claims.selects(job, pod));
    const after = this.look(job, wanted, own);
    const nowText = rfc3339(this.deps.clock.now());
    const counting = countPods(job, wanted, after, { verdict, isPlanned }, nowText);
    await this.writeStatus(job, counting.status, signal);
    this.tell(job, wanted, counting);
    await this.release(counting.release, signal);
    if (refusal !== undefined) throw new Error(refusal);
  }

  private look(job: Job, wanted: Wanted, pods: readonly Pod[]): Observed {
    return observe(job, wanted, pods, (pod) => this.pods.isLeaving(pod));
  }

  /** Not while it is suspended, nor before it starts. */
  private isPastDeadline(job: Job, { activeDeadlineMs, isSuspended }: Wanted): boolean {
    const startTime = job.status?.startTime;
    if (activeDeadlineMs === undefined || startTime === undefined || isSuspended) return false;
    const leftMs = activeDeadlineMs - this.clock.sinceStampMs(job, startTime);
    if (leftMs > 0) this.enqueueAfter(job, leftMs);
    return leftMs <= 0;
  }

  /** Why the API refused a pod, if it did. */
  private async scale(
    job: Job,
    wanted: Wanted,
    observed: Observed,
    signal: AbortSignal,
  ): Promise<string | undefined> {
    const { remove, create, retryInMs } = planPods(wanted, observed, {
      jobWaitMs: this.clock.waitMs(job),
      sinceFailureMs: (pod) => this.clock.sinceFailureMs(job, pod),
    });
    this.enqueueAfter(job, retryInMs);
    await forEachPod(remove, async (pod) => {
      // Given up by the job itself: no failure.
      await releasePod(this.deps.client, this.children, pod, signal);
      await this.pods.remove(job, pod, signal);
    });
    const drafts = create.map((pod) => podDraft(job, wanted, pod));
    const { refusal } = await this.pods.createMany(job, drafts, signal);
    return refusal;
  }

  private release(pods: readonly Pod[], signal: AbortSignal): Promise<void> {
    return forEachPod(pods, (pod) => releasePod(this.deps.client, this.children, pod, signal));
  }

  private tell(job: Job, wanted: Wanted, { suspension, end, status }: Counting): void {
    const say = (type: 'Normal' | 'Warning', reason: string, message: string) =>
      this.deps.events.event(JOBS, job, type, reason, message);
    if (suspension !== undefined)
      say('Normal', suspension, suspension === 'Suspended' ? 'Job suspended' : 'Job resumed');
    if (end === undefined) return;
    if ((status.succeeded ?? 0) > (wanted.completions ?? Infinity))
      say('Warning', 'TooManySucceededPods', TOO_MANY);
    if (isFailure(end)) say('Warning', end.reason, end.message);
    else say('Normal', 'Completed', 'Job completed');
  }
}

const isFailure = ({ type }: Claim): boolean => type === 'Failed';

const BATCH_MS = 100;
const CONTROLLER_NAME = 'kubernetes.io/job-controller';
const TOO_MANY = 'Too many succeeded pods running after completion count reached';
