import { jsonEqual } from '../../../api/json-value';
import { groupKeyOf, type PodGroup } from '../../../api/pod-groups';
import { POD_GROUPS, PODS } from '../../../api/resources';
import { keyOf, type Pod } from '../../../api/types';
import type { Informer } from '../../../client/informer';
import { KeyedIndex } from '../../../client/keyed-index';
import { WorkQueue } from '../../../client/work-queue';
import { rfc3339 } from '../../../lib/clock';
import { subject, Subscriptions, type Controller, type ControllerDeps } from '../controller';
import { podGroupStatus } from './plan';

/** Says of each pod group how far it has come. */
export class PodGroupController implements Controller {
  readonly name = 'podgroup';
  private readonly queue: WorkQueue;
  private readonly groups: Informer<PodGroup>;
  private readonly pods: Informer<Pod>;
  private readonly members: KeyedIndex<Pod>;

  constructor(private readonly deps: ControllerDeps) {
    this.groups = deps.informers.of(POD_GROUPS);
    this.pods = deps.informers.of(PODS);
    this.members = new KeyedIndex(this.pods, groupKeyOf);
    this.queue = new WorkQueue(this.name, deps, {
      subjectOf: (key) => subject(POD_GROUPS, this.groups.get(key)),
    });
  }

  async run(signal: AbortSignal): Promise<void> {
    const { name } = this;
    using subscriptions = new Subscriptions();
    const enqueue = (group: PodGroup) => this.queue.add(keyOf(group));
    subscriptions.add(this.groups.subscribe({ name, onAdd: enqueue, onUpdate: enqueue }));
    const enqueueOf = (pod: Pod) => {
      const key = groupKeyOf(pod);
      if (key !== undefined) this.queue.add(key);
    };
    subscriptions.add(
      this.pods.subscribe({
        name,
        onAdd: enqueueOf,
        onUpdate: (pod, previous) => {
          enqueueOf(previous);
          enqueueOf(pod);
        },
        onDelete: enqueueOf,
      }),
    );
    await Promise.all([this.groups, this.pods].map((informer) => informer.whenSynced()));
    await this.queue.run((key, work) => this.reconcile(key, work), WORKERS, signal);
  }

  private async reconcile(key: string, signal: AbortSignal): Promise<void> {
    const group = this.groups.get(key);
    if (group === undefined || group.metadata.deletionTimestamp !== undefined) return;
    const { client, clock } = this.deps;
    const status = podGroupStatus(group, this.members.in(key), rfc3339(clock.now()));
    if (jsonEqual({ scheduleStartTime: null, ...group.status }, status)) return;
    const next = { ...group, status };
    const written = await client.update(POD_GROUPS, next, { subresource: 'status' }, signal);
    this.groups.noteWritten(written);
  }
}

const WORKERS = 2;
