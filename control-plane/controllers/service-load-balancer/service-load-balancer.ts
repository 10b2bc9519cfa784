import { jsonEqual } from '../../../api/json-value';
import { ENDPOINT_SLICES, NODES, SERVICES } from '../../../api/resources';
import { serviceKeyOf } from '../../../api/slices-by-service';
import { keyOf, uidOf, type EndpointSlice, type Node, type Service } from '../../../api/types';
import type { Informer } from '../../../client/informer';
import { WorkQueue } from '../../../client/work-queue';
import { subject, Subscriptions, type Controller, type ControllerDeps } from '../controller';
import { KeyedIndex } from '../../../client/keyed-index';
import { LastWords } from '../last-words';
import { apparentOf } from '../outer-addresses';
import { isBalancedByNodes, planLoadBalancer } from './plan';

/**
 * Says of services of type LoadBalancer that name no class at which addresses of nodes they are reached;
 * the nodes lead what comes there by themselves.
 */
export class ServiceLoadBalancerController implements Controller {
  readonly name = 'service-load-balancer';
  private readonly queue: WorkQueue;
  private readonly services: Informer<Service>;
  private readonly nodes: Informer<Node>;
  private readonly slices: Informer<EndpointSlice>;
  private readonly slicesOf: KeyedIndex<EndpointSlice>;
  /** Why services get none. */
  private readonly conflicts = new LastWords();

  /** @param reservedPorts of the nodes, which no service may have */
  constructor(
    private readonly deps: ControllerDeps,
    private readonly reservedPorts: ReadonlySet<number>,
  ) {
    this.services = deps.informers.of(SERVICES);
    this.nodes = deps.informers.of(NODES);
    this.slices = deps.informers.of(ENDPOINT_SLICES);
    this.slicesOf = new KeyedIndex(this.slices, serviceKeyOf);
    this.queue = new WorkQueue(this.name, deps, {
      subjectOf: (key) => subject(SERVICES, this.services.get(key)),
    });
  }

  async run(signal: AbortSignal): Promise<void> {
    const { name } = this;
    using subscriptions = new Subscriptions();
    const enqueueAll = () => {
      for (const service of this.services.list())
        if (isBalancedByNodes(service)) this.queue.add(keyOf(service));
    };
    const enqueueServiceOf = (slice: EndpointSlice) => {
      const service = this.services.get(serviceKeyOf(slice) ?? '');
      const isLocal = service?.spec?.externalTrafficPolicy === 'Local';
      if (service !== undefined && isLocal) this.queue.add(keyOf(service));
    };
    subscriptions.add(
      this.services.subscribe({
        name,
        onAdd: (service) => {
          if (isBalancedByNodes(service)) this.queue.add(keyOf(service));
        },
        onUpdate: (service, previous) => {
          const isBalanced = isBalancedByNodes(service);
          if (!isBalanced && !isBalancedByNodes(previous)) return;
          // One that lets a port go makes room for others; what is written of its status concerns none.
          if (!jsonEqual(claimOf(service), claimOf(previous))) enqueueAll();
          else if (isBalanced) this.queue.add(keyOf(service));
        },
        onDelete: (service) => {
          this.conflicts.forget(uidOf(service));
          if (isBalancedByNodes(service)) enqueueAll();
        },
      }),
    );
    subscriptions.add(
      this.nodes.subscribe({
        name,
        onAdd: enqueueAll,
        onUpdate: (node, previous) => {
          if (!jsonEqual(apparentOf(node), apparentOf(previous))) enqueueAll();
        },
        onDelete: enqueueAll,
      }),
    );
    subscriptions.add(
      this.slices.subscribe({
        name,
        onAdd: enqueueServiceOf,
        onUpdate: enqueueServiceOf,
        onDelete: enqueueServiceOf,
      }),
    );
    const needed = [this.services, this.nodes, this.slices];
    await Promise.all(needed.map((informer) => informer.whenSynced()));
    await this.queue.run((key, work) => this.reconcile(key, work), WORKERS, signal);
  }

  private async reconcile(key: string, signal: AbortSignal): Promise<void> {
    const service = this.services.get(key);
    if (service === undefined || !isBalancedByNodes(service)) return;
    if (service.metadata.deletionTimestamp !== undefined) return;
    const all = [...this.services.list()];
    const slices = this.slicesOf.in(key);
    const nodes = [...this.nodes.list()];
    const plan = planLoadBalancer(service, all, nodes, slices, this.reservedPorts);
    this.tellConflict(service, plan.conflict);
    const ingress = plan.addresses.map((ip) => ({ ip, ipMode: 'VIP' }));
    const before = service.status?.loadBalancer?.ingress ?? [];
    if (jsonEqual(before, ingress)) return;
    const loadBalancer = ingress.length === 0 ? {} : { ingress };
    const changed = { ...service, status: { ...service.status, loadBalancer } };
    const written = await this.deps.client.update(
      SERVICES,
      changed,
      { subresource: 'status' },
      signal,
    );
    this.services.noteWritten(written);
    const told = plan.addresses.join(', ');
    const message = `LoadBalancer Ingress IP addresses updated: ${told}`;
    this.deps.events.event(SERVICES, service, 'Normal', 'UpdatedLoadBalancer', message);
  }

  /** Once for each reason. */
  private tellConflict(service: Service, conflict: string | undefined): void {
    if (!this.conflicts.areNew(uidOf(service), conflict)) return;
    const message = `Error syncing load balancer: ${conflict}`;
    this.deps.events.event(SERVICES, service, 'Warning', 'SyncLoadBalancerFailed', message);
  }
}

/** What of a service others may follow from. */
const claimOf = ({ spec, metadata: { uid, deletionTimestamp } }: Service) => {
  return { uid, spec, deletionTimestamp };
};

const WORKERS = 2;
