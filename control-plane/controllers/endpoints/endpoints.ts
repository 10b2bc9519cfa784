import { LEADER_ANNOTATION } from '../../../api/endpoint-slices';
import { hasReason } from '../../../api/errors';
import { ENDPOINTS, PODS, SERVICES } from '../../../api/resources';
import { hasSelector } from '../../../api/service-endpoints';
import { keyOf, nameOf, uidOf, type Endpoints, type Pod, type Service } from '../../../api/types';
import type { Informer } from '../../../client/informer';
import { WorkQueue } from '../../../client/work-queue';
import { describeError } from '../../../lib/log';
import { subject, Subscriptions, type Controller, type ControllerDeps } from '../controller';
import type { SelectedPods } from '../endpoint-slice/selected-pods';
import { TriggerTimes } from '../endpoint-slice/trigger-times';
import { isNamespaceTerminating } from '../owned/pod-control';
import { planEndpoints } from './plan';

/**
 * Keeps, for each Service with a selector, the Endpoints of its name, for clients that know no slices.
 * Those of a Service that is gone are deleted with it, and any that have none when this begins.
 */
export class EndpointsController implements Controller {
  readonly name = 'endpoints';
  private readonly queue: WorkQueue;
  private readonly services: Informer<Service>;
  private readonly pods: Informer<Pod>;
  private readonly endpoints: Informer<Endpoints>;
  private readonly triggerTimes = new TriggerTimes();

  constructor(
    private readonly deps: ControllerDeps,
    private readonly selected: SelectedPods,
  ) {
    this.services = deps.informers.of(SERVICES);
    this.pods = deps.informers.of(PODS);
    this.endpoints = deps.informers.of(ENDPOINTS);
    this.queue = new WorkQueue(this.name, deps, {
      subjectOf: (key) => subject(SERVICES, this.services.get(key)),
    });
  }

  async run(signal: AbortSignal): Promise<void> {
    const { name } = this;
    using subscriptions = new Subscriptions();
    const enqueue = (object: Service | Endpoints) => this.queue.add(keyOf(object));
    subscriptions.add(
      this.services.subscribe({ name, onAdd: enqueue, onUpdate: enqueue, onDelete: enqueue }),
    );
    subscriptions.add(this.selected.onChange((key) => this.queue.add(key)));
    await Promise.all(
      [this.services, this.pods, this.endpoints].map((informer) => informer.whenSynced()),
    );
    // Left by services that went while nobody looked. Later ones without a service are somebody's.
    for (const each of this.endpoints.list()) enqueue(each);
    subscriptions.add(this.endpoints.subscribe({ name, onDelete: enqueue }));
    await this.queue.run((key, work) => this.reconcile(key, work), WORKERS, signal);
  }

  private async reconcile(key: string, signal: AbortSignal): Promise<void> {
    const service = this.services.get(key);
    const current = this.endpoints.get(key);
    if (service === undefined) {
      await this.removeLeft(key, current, signal);
      return;
    }
    if (!hasSelector(service)) return;
    if (current === undefined && service.metadata.deletionTimestamp !== undefined) return;
    const pods = this.selected.of(key);
    const time = this.triggerTimes.look(key, service, pods);
    const next = planEndpoints(service, pods, current, time);
    if (next === undefined) return;
    try {
      const { client } = this.deps;
      const written =
        current === undefined
          ? await client.create(ENDPOINTS, next, {}, signal)
          : await client.update(ENDPOINTS, next, {}, signal);
      this.endpoints.noteWritten(written);
    } catch (error) {
      if (isNamespaceTerminating(error)) return;
      if (!signal.aborted && !hasReason(error, 'Conflict', 'NotFound', 'AlreadyExists'))
        this.tell(service, current, error);
      throw error;
    }
  }

  private async removeLeft(
    key: string,
    endpoints: Endpoints | undefined,
    signal: AbortSignal,
  ): Promise<void> {
    this.triggerTimes.forget(key);
    if (endpoints === undefined) return;
    if (endpoints.metadata.annotations?.[LEADER_ANNOTATION] !== undefined) return;
    try {
      const options = { preconditions: { uid: uidOf(endpoints) } };
      await this.deps.client.delete(ENDPOINTS, nameOf(endpoints), options, signal);
    } catch (error) {
      if (!hasReason(error, 'NotFound')) throw error;
    }
  }

  private tell(service: Service, current: Endpoints | undefined, error: unknown): void {
    const { namespace = '', name } = service.metadata;
    const [reason, what] =
      current === undefined
        ? ['FailedToCreateEndpoint', 'create endpoint for service']
        : ['FailedToUpdateEndpoint', 'update endpoint'];
    const message = `Failed to ${what} ${namespace}/${name}: ${describeError(error)}`;
    const subject = current ?? { ...service, apiVersion: 'v1', kind: 'Endpoints' };
    this.deps.events.event(ENDPOINTS, subject, 'Warning', reason, message);
  }
}

const WORKERS = 5;
