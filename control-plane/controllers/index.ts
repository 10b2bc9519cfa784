import type { Resource } from '../../api/resources';
import { TaskGroup } from '../../lib/async/task-group';
import type { Controller, ControllerDeps } from './controller';
import { DeploymentController } from './deployment/deployment';
import { GarbageCollector } from './garbage-collector';
import { NamespaceController } from './namespace';
import { NamespaceDefaultsController } from './namespace-defaults';
import { NodeHealthController } from './node-lifecycle/node-health';
import { PodGcController } from './node-lifecycle/pod-gc';
import { TaintEvictionController } from './node-lifecycle/taint-eviction';
import { ReplicaSetController } from './replica-set';

export interface ControllersOptions {
  /** Every kind that is stored, for garbage collection and namespace deletion. */
  readonly resources: readonly Resource[];
  /** PEM; published to every namespace. */
  readonly caCertificate: string;
  readonly nodeGracePeriodMs: number;
}

/** Makes all controllers. Do so before the informers run. */
export const createControllers = (
  deps: ControllerDeps,
  { resources, caCertificate, nodeGracePeriodMs }: ControllersOptions,
): readonly Controller[] => [
  new ReplicaSetController(deps),
  new DeploymentController(deps),
  new NodeHealthController(deps, { gracePeriodMs: nodeGracePeriodMs }),
  new TaintEvictionController(deps),
  new PodGcController(deps),
  new NamespaceController(deps, resources),
  new NamespaceDefaultsController(deps, caCertificate),
  new GarbageCollector(deps, resources),
];

/** Runs all until `signal` aborts; one that fails ends all. */
export const runControllers = async (
  controllers: readonly Controller[],
  signal: AbortSignal,
): Promise<void> => {
  await using group = new TaskGroup(signal);
  for (const controller of controllers) {
    group.run((groupSignal) => controller.run(groupSignal));
  }
  await group.wait();
};
