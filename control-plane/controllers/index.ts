import { PODS, SERVICES } from '../../api/resources';
import type { EventRecorder } from '../../client/events';
import type { ServedResources } from '../../client/served-resources';
import { keepRunning, type KeepRunningDeps } from '../../lib/async/keep-running';
import { TaskGroup } from '../../lib/async/task-group';
import { AttachDetachController } from './attach-detach/attach-detach';
import {
  CertificateCleaner,
  CertificateSigner,
  type RequestAuthority,
} from './certificate-requests';
import type { Controller, ControllerDeps } from './controller';
import { CronJobController } from './cron-job/cron-job';
import { CustomResourceDefinitionController } from './custom-resource-definitions';
import { DaemonSetController } from './daemon-set/daemon-set';
import { DeploymentController } from './deployment/deployment';
import { DisruptionController } from './disruption/disruption';
import { EndpointSliceController } from './endpoint-slice/endpoint-slice';
import { SelectedPods } from './endpoint-slice/selected-pods';
import { EndpointSliceMirroringController } from './endpoint-slice-mirroring/endpoint-slice-mirroring';
import { EndpointsController } from './endpoints/endpoints';
import { GarbageCollector } from './garbage-collector';
import { IngressStatusController } from './ingress-status/ingress-status';
import { JobController } from './job/job';
import { JobOrphans } from './job/orphans';
import { HorizontalPodAutoscalerController } from './horizontal-pod-autoscaler/horizontal-pod-autoscaler';
import { NamespaceController } from './namespace';
import { NamespaceDefaultsController } from './namespace-defaults';
import { NodeHealthController } from './node-lifecycle/node-health';
import { PodGcController } from './node-lifecycle/pod-gc';
import { TaintEvictionController } from './node-lifecycle/taint-eviction';
import { PodGroupController } from './pod-group/pod-group';
import { ReplicaSetController, ReplicationControllerController } from './replica-set';
import { ResourceQuotaController } from './resource-quota';
import { ServiceCidrController } from './service-cidr/service-cidr';
import { ServiceLoadBalancerController } from './service-load-balancer/service-load-balancer';
import { StatefulSetController } from './stateful-set/stateful-set';
import { VolumeBinderController } from './volumes/binder';
import { EphemeralVolumeController } from './volumes/ephemeral';
import { LocalPathController } from './volumes/local-path';

export interface ControllersDeps extends Omit<ControllerDeps, 'events'> {
  /** Makes the recorder of one controller: people look for the event sources that upstream has. */
  readonly eventsFor: (component: string) => EventRecorder;
}

export interface ControllersOptions {
  /** For garbage collection and namespace deletion. */
  readonly served: ServedResources;
  /** PEM; published to every namespace. */
  /** Of now: it is asked again. */
  readonly caCertificate: () => string;
  /** Signs the certificates that people ask for. Default: nobody does. */
  readonly authority?: RequestAuthority;
  readonly nodeGracePeriodMs: number;
  /** Of the nodes: no service of type LoadBalancer gets them. */
  readonly reservedPorts?: readonly number[];
  /** Of which the cluster's own ServiceCIDR is made. Default: there is none. */
  readonly serviceCidrs?: readonly string[];
}

/** Makes all controllers. Do so before the informers run. */
export const createControllers = (
  { eventsFor, ...shared }: ControllersDeps,
  options: ControllersOptions,
): readonly Controller[] => {
  const { served, caCertificate, authority, nodeGracePeriodMs } = options;
  const { reservedPorts = [], serviceCidrs = [] } = options;
  const as = (component: string): ControllerDeps => ({ ...shared, events: eventsFor(component) });
  const { informers } = shared;
  const selected = new SelectedPods(informers.of(SERVICES), informers.of(PODS));
  return [
    new ReplicaSetController(as('replicaset-controller')),
    new ReplicationControllerController(as('replication-controller')),
    new DeploymentController(as('deployment-controller')),
    new StatefulSetController(as('statefulset-controller')),
    new DaemonSetController(as('daemonset-controller')),
    // People look for its events under the name that upstream's has.
    new DisruptionController(as('controllermanager'), served),
    new JobController(as('job-controller')),
    new CronJobController(as('cronjob-controller')),
    new JobOrphans(as('job-controller')),
    new HorizontalPodAutoscalerController(as('horizontal-pod-autoscaler'), served),
    new NodeHealthController(as('node-controller'), { gracePeriodMs: nodeGracePeriodMs }),
    new TaintEvictionController(as('taint-eviction-controller')),
    new PodGcController(as('pod-garbage-collector')),
    new NamespaceController(as('namespace-controller'), served),
    new NamespaceDefaultsController(as('namespace-controller'), caCertificate),
    new EndpointSliceController(as('endpoint-slice-controller'), selected),
    new EndpointsController(as('endpoint-controller'), selected),
    new ServiceLoadBalancerController(as('service-controller'), new Set(reservedPorts)),
    new ServiceCidrController(as('service-cidr-controller'), serviceCidrs),
    new IngressStatusController(as('ingress-controller')),
    new EndpointSliceMirroringController(as('endpoint-slice-mirroring-controller')),
    new ResourceQuotaController(as('resourcequota-controller'), served),
    new VolumeBinderController(as('persistentvolume-controller')),
    new AttachDetachController(as('attachdetach-controller')),
    new LocalPathController(as('dhow.dev/local-path')),
    new EphemeralVolumeController(as('ephemeral_volume')),
    new PodGroupController(as('podgroup-controller')),
    new CustomResourceDefinitionController(as('customresourcedefinition-controller'), served),
    ...(authority === undefined
      ? []
      : [new CertificateSigner(as('certificate-controller'), authority)]),
    new CertificateCleaner(as('certificate-controller')),
    new GarbageCollector(as('garbage-collector-controller'), served),
  ];
};

/** Runs all until `signal` aborts; one that fails is begun again and disturbs no other. */
export const runControllers = async (
  controllers: readonly Controller[],
  deps: KeepRunningDeps,
  signal: AbortSignal,
): Promise<void> => {
  await using group = new TaskGroup(signal);
  for (const controller of controllers) {
    group.run((groupSignal) =>
      keepRunning(controller.name, (each) => controller.run(each), deps, groupSignal),
    );
  }
  await group.wait();
};
