import { hasReason } from '../../../api/errors';
import { isControlledBy } from '../../../api/owners';
import { CRON_JOBS, JOBS } from '../../../api/resources';
import { nameOf, uidOf, type CronJob, type Job } from '../../../api/types';
import { rfc3339 } from '../../../lib/clock';
import { describeError } from '../../../lib/describe-error';
import type { ControllerDeps } from '../controller';
import { OwnedController } from '../owned/owned-controller';
import { isNamespaceTerminating } from '../owned/pod-control';
import { expendable } from './history';
import { jobDraft } from './job-draft';
import { planStart, type JobReference, type Told } from './plan';
import { seenOf } from './seen';

type Status = NonNullable<CronJob['status']>;

/**
 * Starts jobs when their time comes by the wall clock: one for each time, whatever dies in between,
 * for the time is in the job's name, and in the status before the next job is thought of.
 */
export class CronJobController extends OwnedController<CronJob, Job> {
  /** By uid: what was said when it was last looked at, so that it is not said again each time. */
  private readonly said = new Map<string, ReadonlySet<string>>();

  constructor(deps: ControllerDeps) {
    super('cron-job', deps, {
      owners: CRON_JOBS,
      children: JOBS,
      // Jobs are its own by their owner reference alone.
      selectorOf: () => undefined,
    });
  }

  protected override ownerGone(cronJob: CronJob): void {
    this.said.delete(uidOf(cronJob));
  }

  protected override async reconcile(cronJob: CronJob, signal: AbortSignal): Promise<void> {
    const jobs = this.index.ownedBy(cronJob);
    const seen = seenOf(cronJob, jobs);
    const gone = await this.goneAmong(seen.missing, signal);
    const active = seen.active.filter((reference) => !gone.includes(reference));
    const nowMs = this.deps.clock.now();
    const plan = planStart(cronJob, active, nowMs);
    const missing = gone.map(({ name = '' }): Told => {
      return { type: 'Normal', reason: 'MissingJob', message: `Active job went missing: ${name}` };
    });
    this.tell(cronJob, [...seen.told, ...missing, ...plan.told]);
    const { lastSuccessfulTime } = seen;
    const known: Status = {
      ...cronJob.status,
      active,
      ...(lastSuccessfulTime === undefined ? {} : { lastSuccessfulTime }),
    };
    const status =
      plan.startMs === undefined ? known : await this.start(cronJob, known, plan.startMs, signal);
    await this.writeStatus(cronJob, withoutEmpty(status), signal);
    for (const job of expendable(cronJob, jobs)) await this.delete(cronJob, job, signal);
    // Whoever sets the clock forward is noticed within the minute.
    if (plan.lookAtMs !== undefined)
      this.enqueueAfter(cronJob, Math.min(plan.lookAtMs - nowMs, LOOK_MAX_MS));
  }

  /** Those that the API does not know either. */
  private async goneAmong(
    references: readonly JobReference[],
    signal: AbortSignal,
  ): Promise<readonly JobReference[]> {
    const gone: JobReference[] = [];
    for (const reference of references) {
      const { namespace = '', name = '', uid } = reference;
      try {
        const job = await this.deps.client.get(JOBS, { namespace, name }, signal);
        if (job.metadata.uid !== uid) gone.push(reference);
      } catch (error) {
        if (!hasReason(error, 'NotFound')) throw error;
        gone.push(reference);
      }
    }
    return gone;
  }

  /** The status once the job for this time is there. */
  private async start(
    cronJob: CronJob,
    status: Status,
    startMs: number,
    signal: AbortSignal,
  ): Promise<Status> {
    let { active = [] } = status;
    if (cronJob.spec?.concurrencyPolicy === 'Replace') {
      for (const reference of active) await this.replace(cronJob, reference, signal);
      active = [];
    }
    const job = await this.make(cronJob, startMs, signal);
    // Somebody else's of that name: nothing of ours was started.
    if (job === undefined) return { ...status, active };
    return { ...status, active: [...active, referenceTo(job)], lastScheduleTime: rfc3339(startMs) };
  }

  private async make(
    cronJob: CronJob,
    startMs: number,
    signal: AbortSignal,
  ): Promise<Job | undefined> {
    const { client } = this.deps;
    const draft = jobDraft(cronJob, startMs);
    try {
      const job = await client.create(JOBS, draft, {}, signal);
      this.children.noteWritten(job);
      const message = `Created job ${job.metadata.name}`;
      this.say(cronJob, { type: 'Normal', reason: 'SuccessfulCreate', message });
      return job;
    } catch (error) {
      if (hasReason(error, 'AlreadyExists')) {
        // Started before, by one who did not live to say so.
        const { name = '', namespace = '' } = draft.metadata;
        const job = await client.get(JOBS, { namespace, name }, signal);
        return isControlledBy(job, cronJob) ? job : undefined;
      }
      if (!signal.aborted && !isNamespaceTerminating(error)) {
        const message = `Error creating job: ${describeError(error)}`;
        this.say(cronJob, { type: 'Warning', reason: 'FailedCreate', message });
      }
      throw error;
    }
  }

  private async replace(
    cronJob: CronJob,
    { namespace = '', name = '', uid }: JobReference,
    signal: AbortSignal,
  ): Promise<void> {
    const job = this.children.get(`${namespace}/${name}`);
    if (job !== undefined && job.metadata.uid === uid) await this.delete(cronJob, job, signal);
  }

  private async delete(cronJob: CronJob, job: Job, signal: AbortSignal): Promise<void> {
    const { name } = job.metadata;
    const options = {
      propagationPolicy: 'Background',
      preconditions: { uid: uidOf(job) },
    } as const;
    try {
      await this.deps.client.delete(JOBS, nameOf(job), options, signal);
    } catch (error) {
      if (hasReason(error, 'NotFound', 'Conflict')) return;
      if (!signal.aborted) {
        const message = `Deleted job: ${describeError(error)}`;
        this.say(cronJob, { type: 'Warning', reason: 'FailedDelete', message });
      }
      throw error;
    }
    this.say(cronJob, {
      type: 'Normal',
      reason: 'SuccessfulDelete',
      message: `Deleted job ${name}`,
    });
  }

  /** What was not said at the last look. */
  private tell(cronJob: CronJob, told: readonly Told[]): void {
    const before = this.said.get(uidOf(cronJob));
    for (const each of told) if (before?.has(keyOfTold(each)) !== true) this.say(cronJob, each);
    this.said.set(uidOf(cronJob), new Set(told.map(keyOfTold)));
  }

  private say(cronJob: CronJob, { type, reason, message }: Told): void {
    this.deps.events.event(CRON_JOBS, cronJob, type, reason, message);
  }
}

const keyOfTold = ({ reason, message }: Told): string => `${reason} ${message}`;

const referenceTo = ({ metadata }: Job): JobReference => ({
  ...{ apiVersion: 'batch/v1', kind: 'Job', name: metadata.name },
  ...(metadata.namespace === undefined ? {} : { namespace: metadata.namespace }),
  ...(metadata.uid === undefined ? {} : { uid: metadata.uid }),
  ...(metadata.resourceVersion === undefined ? {} : { resourceVersion: metadata.resourceVersion }),
});

const withoutEmpty = ({ active = [], ...status }: Status): Status =>
  active.length === 0 ? status : { ...status, active };

const LOOK_MAX_MS = 60_000;
