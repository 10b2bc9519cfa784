import type * as apps from 'kubernetes-types/apps/v1';
import type * as core from 'kubernetes-types/core/v1';
import { defaultPodSpec } from './pod';
import { defaultClaim } from './storage';

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

/** Changes the controller in place: what it does not say of labels is as its template has it. */
export const defaultReplicationController = (controller: core.ReplicationController): void => {
  const { spec } = controller;
  if (spec === undefined) return;
  spec.replicas ??= 1;
  const labels = spec.template?.metadata?.labels;
  if (labels !== undefined) {
    if (isEmpty(spec.selector)) spec.selector = { ...labels };
    const metadata = (controller.metadata ??= {});
    if (isEmpty(metadata.labels)) metadata.labels = { ...labels };
  }
  if (spec.template?.spec !== undefined) defaultPodSpec(spec.template.spec);
};

/** Changes the template in place. */
export const defaultStoredPodTemplate = ({ template }: core.PodTemplate): void => {
  if (template?.spec !== undefined) defaultPodSpec(template.spec);
};

const isEmpty = (labels: object | undefined): boolean => Object.keys(labels ?? {}).length === 0;

/** Changes the stateful set in place. */
export const defaultStatefulSet = ({ spec }: apps.StatefulSet): void => {
  if (spec === undefined) return;
  spec.podManagementPolicy ??= 'OrderedReady';
  spec.replicas ??= 1;
  spec.revisionHistoryLimit ??= 10;
  const strategy = (spec.updateStrategy ??= {});
  strategy.type ??= 'RollingUpdate';
  if (strategy.type === 'RollingUpdate') (strategy.rollingUpdate ??= {}).partition ??= 0;
  const retention = (spec.persistentVolumeClaimRetentionPolicy ??= {});
  retention.whenDeleted ??= 'Retain';
  retention.whenScaled ??= 'Retain';
  for (const claim of spec.volumeClaimTemplates ?? []) {
    claim.apiVersion ??= 'v1';
    claim.kind ??= 'PersistentVolumeClaim';
    defaultClaim(claim);
  }
  defaultTemplate(spec);
};

/** Changes the daemon set in place. */
export const defaultDaemonSet = ({ spec }: apps.DaemonSet): void => {
  if (spec === undefined) return;
  spec.revisionHistoryLimit ??= 10;
  const strategy = (spec.updateStrategy ??= {});
  strategy.type ??= 'RollingUpdate';
  if (strategy.type === 'RollingUpdate') {
    const update = (strategy.rollingUpdate ??= {});
    update.maxSurge ??= 0;
    update.maxUnavailable ??= 1;
  }
  defaultTemplate(spec);
};

/** A body may lack what its type promises. */
export const defaultTemplate = ({
  template,
}: {
  template?: apps.DeploymentSpec['template'];
}): void => {
  if (template?.spec !== undefined) defaultPodSpec(template.spec);
};
