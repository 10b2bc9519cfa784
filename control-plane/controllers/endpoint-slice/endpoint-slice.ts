import {
  LAST_CHANGE_TRIGGER_TIME,
  SLICE_CONTROLLER,
  SLICE_MANAGED_BY_LABEL,
} from '../../../api/endpoint-slices';
import { hasReason } from '../../../api/errors';
import { jsonEqual } from '../../../api/json-value';
import { isNodeReady } from '../../../api/nodes';
import { ENDPOINT_SLICES, NODES, PODS, SERVICES } from '../../../api/resources';
import {
  addressTypesOf,
  hasSelector,
  isPublishedAnyway,
  isTopologyAware,
} from '../../../api/service-endpoints';
import { serviceKeyOf } from '../../../api/slices-by-service';
import { keyOf, type EndpointSlice, type Node, type Pod, type Service } from '../../../api/types';
import type { Informer } from '../../../client/informer';
import { WorkQueue } from '../../../client/work-queue';
import { describeError } from '../../../lib/log';
import { subject, Subscriptions, type Controller, type ControllerDeps } from '../controller';
import { KeyedIndex } from '../../../client/keyed-index';
import { isNamespaceTerminating } from '../owned/pod-control';
import { carryOut } from './carry-out';
import { groupEndpoints, planSlices, type EndpointGroup } from './plan';
import type { SelectedPods } from './selected-pods';
import { TriggerTimes } from './trigger-times';
import { withZoneHints, zoneShares, type ZoneShares } from './zone-hints';

/**
 * Keeps, for each Service with a selector, the EndpointSlices that say by which pods it is served. Those
 * of a Service that is gone are the garbage collector's.
 */
export class EndpointSliceController implements Controller {
  readonly name = 'endpoint-slice';
  private readonly queue: WorkQueue;
  private readonly services: Informer<Service>;
  private readonly pods: Informer<Pod>;
  private readonly nodes: Informer<Node>;
  private readonly slices: Informer<EndpointSlice>;
  private readonly slicesOf: KeyedIndex<EndpointSlice>;
  private readonly triggerTimes = new TriggerTimes();
  private shares: ZoneShares;
  /** Services with endpoints that are hinted by the shares of zones. */
  private readonly aware = new Set<string>();

  constructor(
    private readonly deps: ControllerDeps,
    private readonly selected: SelectedPods,
  ) {
    this.services = deps.informers.of(SERVICES);
    this.pods = deps.informers.of(PODS);
    this.nodes = deps.informers.of(NODES);
    this.slices = deps.informers.of(ENDPOINT_SLICES);
    this.slicesOf = new KeyedIndex(this.slices, ownKeyOf);
    this.queue = new WorkQueue(this.name, deps, {
      subjectOf: (key) => subject(SERVICES, this.services.get(key)),
    });
  }

  async run(signal: AbortSignal): Promise<void> {
    const { name } = this;
    using subscriptions = new Subscriptions();
    const enqueue = (service: Service) => this.queue.add(keyOf(service));
    const enqueueService = (slice: EndpointSlice) => {
      const key = ownKeyOf(slice);
      if (key !== undefined) this.queue.add(key);
    };
    subscriptions.add(
      this.services.subscribe({
        name,
        onAdd: enqueue,
        onUpdate: enqueue,
        onDelete: (service) => {
          this.triggerTimes.forget(keyOf(service));
          this.aware.delete(keyOf(service));
        },
      }),
    );
    subscriptions.add(this.selected.onChange((key) => this.queue.add(key)));
    subscriptions.add(
      this.slices.subscribe({
        name,
        onAdd: enqueueService,
        onUpdate: (slice, previous) => {
          // Both when its label was changed.
          enqueueService(previous);
          enqueueService(slice);
        },
        onDelete: enqueueService,
      }),
    );
    const onNodes = () => this.lookAtZones();
    subscriptions.add(
      this.nodes.subscribe({
        ...{ name, onAdd: onNodes, onDelete: onNodes },
        onUpdate: (node, previous) => {
          if (!jsonEqual(zoneFactsOf(node), zoneFactsOf(previous))) onNodes();
        },
      }),
    );
    const needed = [this.services, this.pods, this.nodes, this.slices];
    await Promise.all(needed.map((informer) => informer.whenSynced()));
    this.lookAtZones();
    await this.queue.run((key, work) => this.reconcile(key, work), WORKERS, signal);
  }

  private async reconcile(key: string, signal: AbortSignal): Promise<void> {
    const service = this.services.get(key);
    if (service === undefined || !hasSelector(service)) return;
    const selected = this.selected.of(key);
    const pods = selected.filter((pod) => isPublishedAnyway(service) || !this.isOnUnknownNode(pod));
    // The node may be known a moment later, and its pods are told with it then.
    if (pods.length < selected.length) this.queue.addAfter(key, NODE_RETRY_MS);
    const slices = this.slicesOf
      .in(key)
      .filter(({ metadata }) => metadata.deletionTimestamp === undefined);
    const time = this.triggerTimes.look(key, service, selected);
    const found = groupEndpoints(service, pods, ({ spec }) => this.nodes.get(spec.nodeName ?? ''));
    const groups = this.hinted(service, found, slices);
    try {
      const { create, update, remove } = planSlices(service, groups, slices);
      const date = (slice: EndpointSlice) => dated(slice, time);
      const plan = { create: create.map(date), update: update.map(date), remove };
      await carryOut(plan, { client: this.deps.client, slices: this.slices }, signal);
    } catch (error) {
      if (isNamespaceTerminating(error)) return;
      if (!signal.aborted && !hasReason(error, 'Conflict', 'NotFound')) this.tell(service, error);
      throw error;
    }
  }

  /** Services whose hints go by the shares of zones are looked at again when these are others. */
  private lookAtZones(): void {
    if (!this.nodes.hasSynced || !this.services.hasSynced) return;
    const shares = zoneShares(this.nodes.list());
    if (jsonEqual([...(shares ?? [])], [...(this.shares ?? [])])) return;
    this.shares = shares;
    for (const service of this.services.list())
      if (isTopologyAware(service)) this.queue.add(keyOf(service));
  }

  private hinted(
    service: Service,
    groups: readonly EndpointGroup[],
    slices: readonly EndpointSlice[],
  ): readonly EndpointGroup[] {
    const key = keyOf(service);
    const say = (type: 'Normal' | 'Warning', reason: string, message: string) =>
      this.deps.events.event(SERVICES, service, type, reason, message);
    const types = addressTypesOf(service);
    if (!isTopologyAware(service)) {
      if (this.aware.delete(key))
        for (const type of types)
          say('Warning', DISABLED, `${WERE_DISABLED}, addressType: ${type}`);
      return groups;
    }
    const { groups: hinted, problems } = withZoneHints(types, groups, slices, this.shares);
    for (const problem of problems) say('Warning', DISABLED, problem);
    if (problems.length > 0) this.aware.delete(key);
    else if (!this.aware.has(key)) {
      this.aware.add(key);
      for (const type of types) say('Normal', ENABLED, `${WERE_ENABLED}, addressType: ${type}`);
    }
    return hinted;
  }

  private isOnUnknownNode({ spec: { nodeName = '' } }: Pod): boolean {
    return nodeName !== '' && this.nodes.get(nodeName) === undefined;
  }

  private tell(service: Service, error: unknown): void {
    const { namespace = '', name } = service.metadata;
    const message = `Error updating Endpoint Slices for Service ${namespace}/${name}: ${describeError(error)}`;
    this.deps.events.event(SERVICES, service, 'Warning', 'FailedToUpdateEndpointSlices', message);
  }
}

/** Of slices that this controller writes. */
const ownKeyOf = (slice: EndpointSlice) =>
  slice.metadata.labels?.[SLICE_MANAGED_BY_LABEL] === SLICE_CONTROLLER
    ? serviceKeyOf(slice)
    : undefined;

const dated = (slice: EndpointSlice, time: string | undefined): EndpointSlice => {
  const { [LAST_CHANGE_TRIGGER_TIME]: _before, ...others } = slice.metadata.annotations ?? {};
  const annotations = time === undefined ? others : { ...others, [LAST_CHANGE_TRIGGER_TIME]: time };
  return { ...slice, metadata: { ...slice.metadata, annotations } };
};

/** Of a node, what the shares of zones go by. */
const zoneFactsOf = (node: Node): readonly unknown[] => [
  ...[node.metadata.labels ?? {}, isNodeReady(node), node.status.allocatable?.['cpu'] ?? null],
];

const ENABLED = 'TopologyAwareHintsEnabled';
const DISABLED = 'TopologyAwareHintsDisabled';
const WERE_ENABLED = 'Topology Aware Hints has been enabled';
const WERE_DISABLED = 'Topology Aware Hints has been disabled';
const NODE_RETRY_MS = 1_000;
const WORKERS = 5;
