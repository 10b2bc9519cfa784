import {
  CSI_DRIVERS,
  CSI_NODES,
  CSI_STORAGE_CAPACITIES,
  NAMESPACES,
  NODES,
  PERSISTENT_VOLUME_CLAIMS,
  PERSISTENT_VOLUMES,
  POD_DISRUPTION_BUDGETS,
  POD_GROUPS,
  PODS,
  REPLICA_SETS,
  REPLICATION_CONTROLLERS,
  SERVICES,
  STATEFUL_SETS,
  STORAGE_CLASSES,
  VOLUME_ATTACHMENTS,
  type Resource,
} from '../../api/resources';
import {
  keyOf,
  nameKey,
  type ApiObject,
  type CSIDriver,
  type CSINode,
  type CSIStorageCapacity,
  type Namespace,
  type Node,
  type PersistentVolume,
  type PersistentVolumeClaim,
  type Pod,
  type PodDisruptionBudget,
  type ReplicaSet,
  type ReplicationController,
  type Service,
  type StatefulSet,
  type StorageClass,
  type VolumeAttachment,
} from '../../api/types';
import type { PodGroup } from '../../api/pod-groups';
import { claimKeysOf, claimOf } from '../../api/volumes';
import { Informer, type InformerDeps } from '../../client/informer';
import { onAbort } from '../../lib/async/on-abort';
import { CONSUMER, type ClusterEvents } from './cluster-events';
import type { VolumeBinder } from './volumes/volume-binder';

/** What placing is decided by, as informers keep it. */
export interface Views {
  readonly pods: Informer<Pod>;
  readonly nodes: Informer<Node>;
  readonly claims: Informer<PersistentVolumeClaim>;
  readonly volumes: Informer<PersistentVolume>;
  readonly classes: Informer<StorageClass>;
  readonly namespaces: Informer<Namespace>;
  readonly budgets: Informer<PodDisruptionBudget>;
  readonly groups: Informer<PodGroup>;
  /** What pods are selected by: default constraints of how they are spread need it. */
  readonly services: Informer<Service>;
  readonly replicationControllers: Informer<ReplicationController>;
  readonly replicaSets: Informer<ReplicaSet>;
  readonly statefulSets: Informer<StatefulSet>;
  readonly csiNodes: Informer<CSINode>;
  readonly csiDrivers: Informer<CSIDriver>;
  readonly capacities: Informer<CSIStorageCapacity>;
  readonly attachments: Informer<VolumeAttachment>;
}

/** Those given, which somebody runs, and the others of one's own, to be run. */
export const viewsOf = (
  given: Partial<Views>,
  deps: InformerDeps,
): { readonly views: Views; readonly own: readonly Pick<Informer<ApiObject>, 'run'>[] } => {
  const own: Pick<Informer<ApiObject>, 'run'>[] = [];
  const made = <T extends ApiObject>(resource: Resource<T>): Informer<T> => {
    const informer = new Informer(resource, deps);
    own.push(informer);
    return informer;
  };
  const views: Views = {
    pods: given.pods ?? made(PODS),
    nodes: given.nodes ?? made(NODES),
    claims: given.claims ?? made(PERSISTENT_VOLUME_CLAIMS),
    volumes: given.volumes ?? made(PERSISTENT_VOLUMES),
    classes: given.classes ?? made(STORAGE_CLASSES),
    namespaces: given.namespaces ?? made(NAMESPACES),
    budgets: given.budgets ?? made(POD_DISRUPTION_BUDGETS),
    groups: given.groups ?? made(POD_GROUPS),
    services: given.services ?? made(SERVICES),
    replicationControllers: given.replicationControllers ?? made(REPLICATION_CONTROLLERS),
    replicaSets: given.replicaSets ?? made(REPLICA_SETS),
    statefulSets: given.statefulSets ?? made(STATEFUL_SETS),
    csiNodes: given.csiNodes ?? made(CSI_NODES),
    csiDrivers: given.csiDrivers ?? made(CSI_DRIVERS),
    capacities: given.capacities ?? made(CSI_STORAGE_CAPACITIES),
    attachments: given.attachments ?? made(VOLUME_ATTACHMENTS),
  };
  return { views, own };
};

/** Tells both of every change, until the returned function is called. */
export const subscribe = (
  cluster: ClusterEvents,
  binder: Pick<VolumeBinder, 'changed'>,
  views: Views,
): (() => void) => {
  const { pods, nodes, claims, volumes, classes, namespaces, groups } = views;
  const name = CONSUMER;
  const claim = (each: PersistentVolumeClaim) => {
    cluster.claimChanged(each);
    binder.changed(keyOf(each));
  };
  const volume = (each: PersistentVolume) => {
    cluster.volumeChanged(each);
    const owner = claimOf(each);
    if (owner !== undefined) binder.changed(nameKey(owner));
  };
  const storageClass = () => cluster.storageClassChanged();
  const stops = [
    ...subscribeDrivers(cluster, views),
    claims.subscribe({ name, onAdd: claim, onUpdate: claim, onDelete: claim }),
    volumes.subscribe({ name, onAdd: volume, onUpdate: volume, onDelete: volume }),
    classes.subscribe({
      ...{ name, onAdd: storageClass, onUpdate: storageClass, onDelete: storageClass },
    }),
    groups.subscribe({
      name,
      onAdd: (each) => cluster.groupChanged(each),
      onUpdate: (each, previous) => cluster.groupChanged(each, previous),
      onDelete: (each) => cluster.groupChanged(each),
    }),
    namespaces.subscribe({
      name,
      onAdd: (each) => cluster.namespaceChanged(each),
      onUpdate: (each, previous) => cluster.namespaceChanged(each, previous),
    }),
    nodes.subscribe({
      name,
      onAdd: (node) => cluster.nodeAdded(node),
      onUpdate: (node, previous) => cluster.nodeChanged(node, previous),
      onDelete: (node) => cluster.nodeGone(node),
    }),
    pods.subscribe({
      name,
      onAdd: (pod) => cluster.podChanged(pod),
      onUpdate: (pod, previous) => cluster.podChanged(pod, previous),
      onDelete: (pod) => {
        cluster.podGone(pod);
        for (const key of claimKeysOf(pod)) binder.changed(key);
      },
    }),
  ];
  return () => stops.forEach((stop) => stop());
};

/** What drivers say of themselves. */
const subscribeDrivers = (
  cluster: ClusterEvents,
  { csiNodes, csiDrivers, capacities, attachments }: Views,
): readonly (() => void)[] => {
  const name = CONSUMER;
  const node = (each: CSINode) => cluster.csiNodeChanged(each);
  const driver = () => cluster.csiDriverChanged();
  return [
    csiNodes.subscribe({ name, onAdd: node, onUpdate: node, onDelete: node }),
    csiDrivers.subscribe({ name, onAdd: driver, onUpdate: driver, onDelete: driver }),
    capacities.subscribe({
      name,
      onAdd: (each) => cluster.capacityChanged(each),
      onUpdate: (each, previous) => cluster.capacityChanged(each, previous),
    }),
    attachments.subscribe({ name, onDelete: (each) => cluster.detached(each) }),
  ];
};

/** Placing before all lists are in would take full nodes for empty ones. */
export const synced = async (views: Views, signal: AbortSignal): Promise<void> => {
  const aborted = new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    else onAbort(signal, () => resolve());
  });
  const all = Object.values(views) as readonly Pick<Informer<ApiObject>, 'whenSynced'>[];
  await Promise.race([aborted, Promise.all(all.map((view) => view.whenSynced()))]);
};
