import type { Pod, RuntimeClass, Service } from '../../api/types';
import type { Semaphore } from '../../lib/async/semaphore';
import type { Clock } from '../../lib/clock';
import type { Log } from '../../lib/log';
import type { Random } from '../../lib/random';
import type { Tracing } from '../../lib/tracing/tracing';
import type { ContainerRuntime } from '../../runtime/container-runtime';
import type { ImageService } from '../../runtime/image-service';
import type { PodNetwork } from '../../runtime/pod-network';
import type { CpuManager } from '../cpus/pod-cpus';
import type { CsiVolumes } from '../csi/csi-volumes';
import type { PodDeviceAccess } from '../devices/device-manager';
import type { ImagePuller } from '../images/image-puller';
import type { ProbeRunner } from '../probes/probe-runner';
import type { EventSink } from '../outbox/event-outbox';
import type { StatusOutbox } from '../outbox/status-outbox';
import type { AgentSettings } from '../settings';
import type { StorageKeeper } from '../storage/storage-keeper';
import type { VolumeManager } from '../volumes/volume-manager';
import type { ObjectSource } from '../pod-spec/environment';
import type { QosGroups } from './qos-groups';
import type { ExitBell } from './exit-bell';
import type { AllocationStore } from '../inventory/allocation-store';
import type { PodPaths } from '../inventory/pod-paths';
import type { PodLogs } from '../logs/pod-logs';
import type { ClusterNames } from './pod-dns';
import type { Refusal } from '../plan/admission';
import type { ResizeRefusal } from '../plan/resize';

/** What a pod needs to know of the node it is on. */
export interface NodeInfo {
  readonly name: string;
  /** One of each family at most, that it is known by first. */
  readonly ips: readonly string[];
  /** What pods may have. */
  readonly cpuMillis: number;
  readonly memoryBytes: number;
  /** All that there is. */
  readonly capacityBytes: number;
}

/** What the workers of all pods share. */
export interface PodDeps {
  readonly runtime: ContainerRuntime;
  readonly images: ImageService;
  readonly puller: ImagePuller;
  readonly network: {
    /** Undefined until the node knows its pod range. */
    readonly current: PodNetwork | undefined;
    /** @throws when `signal` aborts before. */
    whenOpen(signal: AbortSignal): Promise<PodNetwork>;
    /** Makes the host ports of all pods lead to them, now. @throws what stands in the way. */
    publishHostPorts(): Promise<void>;
    /** The network is to be looked after soon. */
    changed(): void;
  };
  readonly policies: {
    /** The pod may be attached then. @throws what stands in the way, or when `signal` aborts. */
    prepare(podUid: string, signal: AbortSignal): Promise<void>;
  };
  readonly volumes: VolumeManager;
  /** Volumes that drivers provide. */
  readonly csi: Pick<CsiVolumes, 'prepare' | 'release'>;
  readonly storage: StorageKeeper;
  readonly objects: ObjectSource;
  /** Containers are told of them by their environment. */
  readonly services: {
    list(): Iterable<Service>;
    /** Resolves when they are known, after `ms`, or when `signal` aborts. */
    whenKnown(ms: number, signal: AbortSignal): Promise<void>;
  };
  /** Undefined when there is no class of the name. */
  readonly runtimeClass: (name: string) => RuntimeClass | undefined;
  readonly probes: ProbeRunner;
  readonly statuses: StatusOutbox;
  readonly events: EventSink;
  readonly exits: ExitBell;
  readonly paths: PodPaths;
  readonly logs: PodLogs;
  readonly node: () => NodeInfo;
  readonly settings: AgentSettings;
  readonly podPidsLimit: number;
  readonly groups: Pick<QosGroups, 'update'>;
  readonly cpus: CpuManager;
  readonly devices: PodDeviceAccess;
  /** As far as the node has been told. */
  readonly clusterNames: () => ClusterNames;
  /** The node's own. */
  readonly resolvConfPath: string;
  /** Asked only when a pod says that it uses it. */
  readonly speaksSctp: () => boolean;
  /** Limits how many containers are created at once on the node. */
  readonly startSlots: Semaphore;
  /** Why this pod cannot run here, beside the pods that do; undefined when it can. */
  readonly admit: (pod: Pod) => Refusal | undefined;
  /** Why this pod cannot have what it asks for now; undefined when it can. */
  readonly refuseResize: (pod: Pod) => ResizeRefusal | undefined;
  /** Decides of all pods that wait to be resized, each in its turn. */
  readonly resizeInOrder: () => void;
  readonly allocations: AllocationStore;
  /** Keeps a status for the next start of the agent. */
  readonly noteStatus: (uid: string, status: Pod['status']) => void;
  /** Undefined: nothing is traced. */
  readonly tracing?: Tracing | undefined;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}
