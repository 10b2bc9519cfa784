import {
  MIRRORING_CONTROLLER,
  SERVICE_NAME_LABEL,
  SLICE_MANAGED_BY_LABEL,
} from '../../../api/endpoint-slices';
import { ENDPOINT_SLICES, ENDPOINTS, SERVICES } from '../../../api/resources';
import { keyOf, type Endpoints, type EndpointSlice, type Service } from '../../../api/types';
import type { Informer } from '../../../client/informer';
import { WorkQueue } from '../../../client/work-queue';
import { subject, Subscriptions, type Controller, type ControllerDeps } from '../controller';
import { carryOut } from '../endpoint-slice/carry-out';
import { KeyedIndex } from '../../../client/keyed-index';
import { isNamespaceTerminating } from '../owned/pod-control';
import { ADDRESSES_MAX, isMirrored, planMirror, type MirrorPlan } from './plan';

/**
 * Makes EndpointSlices of the Endpoints that people write for services without a selector: whoever
 * reads slices alone reaches those, too.
 */
export class EndpointSliceMirroringController implements Controller {
  readonly name = 'endpoint-slice-mirroring';
  private readonly queue: WorkQueue;
  private readonly services: Informer<Service>;
  private readonly endpoints: Informer<Endpoints>;
  private readonly slices: Informer<EndpointSlice>;
  private readonly slicesOf: KeyedIndex<EndpointSlice>;

  constructor(private readonly deps: ControllerDeps) {
    this.services = deps.informers.of(SERVICES);
    this.endpoints = deps.informers.of(ENDPOINTS);
    this.slices = deps.informers.of(ENDPOINT_SLICES);
    this.slicesOf = new KeyedIndex(this.slices, mirrorKeyOf);
    this.queue = new WorkQueue(this.name, deps, {
      subjectOf: (key) => subject(ENDPOINTS, this.endpoints.get(key)),
    });
  }

  async run(signal: AbortSignal): Promise<void> {
    const { name } = this;
    using subscriptions = new Subscriptions();
    const enqueue = (object: Service | Endpoints) => this.queue.add(keyOf(object));
    const enqueueMirrored = (slice: EndpointSlice) => {
      const key = mirrorKeyOf(slice);
      if (key !== undefined) this.queue.add(key);
    };
    const all = { onAdd: enqueue, onUpdate: enqueue, onDelete: enqueue };
    subscriptions.add(this.endpoints.subscribe({ name, ...all }));
    subscriptions.add(this.services.subscribe({ name, ...all }));
    subscriptions.add(
      this.slices.subscribe({
        name,
        onAdd: enqueueMirrored,
        onUpdate: enqueueMirrored,
        onDelete: enqueueMirrored,
      }),
    );
    await Promise.all(
      [this.services, this.endpoints, this.slices].map((informer) => informer.whenSynced()),
    );
    await this.queue.run((key, work) => this.reconcile(key, work), WORKERS, signal);
  }

  private async reconcile(key: string, signal: AbortSignal): Promise<void> {
    const endpoints = this.endpoints.get(key);
    const slices = this.slicesOf
      .in(key)
      .filter(({ metadata }) => metadata.deletionTimestamp === undefined);
    const written = { client: this.deps.client, slices: this.slices };
    if (!isMirrored(endpoints, this.services.get(key))) {
      await carryOut({ create: [], update: [], remove: slices }, written, signal);
      return;
    }
    const plan = planMirror(endpoints, slices);
    try {
      await carryOut(plan, written, signal);
    } catch (error) {
      if (isNamespaceTerminating(error)) return;
      throw error;
    }
    this.tellLeftOut(endpoints, plan);
  }

  private tellLeftOut(endpoints: Endpoints, { invalidCount, skippedCount }: MirrorPlan): void {
    const tell = (reason: string, message: string) =>
      this.deps.events.event(ENDPOINTS, endpoints, 'Warning', reason, message);
    if (invalidCount > 0)
      tell(
        'InvalidIPAddress',
        `Skipped ${invalidCount} invalid IP addresses when mirroring to EndpointSlices`,
      );
    if (skippedCount > 0)
      tell(
        'TooManyAddressesToMirror',
        `A max of ${ADDRESSES_MAX} addresses can be mirrored to EndpointSlices per Endpoints subset. ` +
          `${skippedCount + invalidCount} addresses were skipped`,
      );
  }
}

const mirrorKeyOf = ({ metadata: { namespace = '', labels = {} } }: EndpointSlice) =>
  labels[SLICE_MANAGED_BY_LABEL] === MIRRORING_CONTROLLER
    ? `${namespace}/${labels[SERVICE_NAME_LABEL] ?? ''}`
    : undefined;

const WORKERS = 5;
