import { hasReason } from '../../../api/errors';
import { controllerOf, isOfKind } from '../../../api/owners';
import { JOBS, PODS } from '../../../api/resources';
import { keyOf, type Job, type OwnerReference, type Pod } from '../../../api/types';
import type { Informer } from '../../../client/informer';
import { WorkQueue } from '../../../client/work-queue';
import { subject, Subscriptions, type Controller, type ControllerDeps } from '../controller';
import { isTracked } from './job-pod';
import { OwnedIndex } from '../owned/owned-index';
import { releasePod } from './tracking';

/** Lets go of pods that are held for a job that is no more: nobody would count them. */
export class JobOrphans implements Controller {
  readonly name = 'job-orphans';
  private readonly jobs: Informer<Job>;
  private readonly pods: Informer<Pod>;
  private readonly owned: OwnedIndex<Pod>;
  private readonly queue: WorkQueue;

  constructor(private readonly deps: ControllerDeps) {
    this.jobs = deps.informers.of(JOBS);
    this.pods = deps.informers.of(PODS);
    this.owned = new OwnedIndex(this.pods);
    this.queue = new WorkQueue(this.name, deps, {
      subjectOf: (key) => subject(PODS, this.pods.get(key)),
    });
  }

  async run(signal: AbortSignal): Promise<void> {
    const { name } = this;
    await Promise.all([this.pods.whenSynced(), this.jobs.whenSynced()]);
    using subscriptions = new Subscriptions();
    const look = (pod: Pod) => {
      if (isTracked(pod) && !this.isKnown(pod)) this.queue.add(keyOf(pod));
    };
    subscriptions.add(this.pods.subscribe({ name, onAdd: look, onUpdate: look }));
    subscriptions.add(
      this.jobs.subscribe({ name, onDelete: (job) => this.owned.ownedBy(job).forEach(look) }),
    );
    await this.queue.run((key, each) => this.reconcile(key, each), WORKERS, signal);
  }

  private isKnown(pod: Pod): boolean {
    const owner = jobOf(pod);
    if (owner === undefined) return false;
    return this.jobs.get(jobKey(pod, owner))?.metadata.uid === owner.uid;
  }

  private async reconcile(key: string, signal: AbortSignal): Promise<void> {
    const pod = this.pods.get(key);
    if (pod === undefined || !isTracked(pod) || this.isKnown(pod)) return;
    // The copy of the jobs may be behind that of the pods.
    if (await this.hasJob(pod, signal)) return;
    await releasePod(this.deps.client, this.pods, pod, signal);
  }

  private async hasJob(pod: Pod, signal: AbortSignal): Promise<boolean> {
    const owner = jobOf(pod);
    if (owner === undefined) return false;
    const name = { namespace: pod.metadata.namespace ?? '', name: owner.name };
    try {
      const job = await this.deps.client.get(JOBS, name, signal);
      return job.metadata.uid === owner.uid;
    } catch (error) {
      if (hasReason(error, 'NotFound')) return false;
      throw error;
    }
  }
}

const jobOf = (pod: Pod): OwnerReference | undefined => {
  const owner = controllerOf(pod);
  return owner !== undefined && isOfKind(owner, JOBS) ? owner : undefined;
};

const jobKey = ({ metadata }: Pod, { name }: OwnerReference): string =>
  `${metadata.namespace ?? ''}/${name}`;

const WORKERS = 2;
