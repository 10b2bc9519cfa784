import type * as apps from 'kubernetes-types/apps/v1';
import { defaultPodSpec } from './pod';

type Spec<T> = Partial<T>;

/** Changes the deployment in place. */
export const defaultDeployment = (deployment: apps.Deployment): void => {
  const spec: Spec<apps.DeploymentSpec> = (deployment.spec ??= {} as apps.DeploymentSpec);
  spec.progressDeadlineSeconds ??= 600;
  spec.replicas ??= 1;
  spec.revisionHistoryLimit ??= 10;
  const strategy = (spec.strategy ??= {});
  strategy.type ??= 'RollingUpdate';
  if (strategy.type === 'RollingUpdate') {
    const update = (strategy.rollingUpdate ??= {});
    update.maxSurge ??= '25%';
    update.maxUnavailable ??= '25%';
  }
  if (spec.template?.spec !== undefined) defaultPodSpec(spec.template.spec);
};

/** Changes the replica set in place. */
export const defaultReplicaSet = (replicaSet: apps.ReplicaSet): void => {
  const spec: Spec<apps.ReplicaSetSpec> = (replicaSet.spec ??= {} as apps.ReplicaSetSpec);
  spec.replicas ??= 1;
  if (spec.template?.spec !== undefined) defaultPodSpec(spec.template.spec);
};
