import type { DaemonSet, Deployment, StatefulSet } from '../../api/types';

/** How far a rollout is, in kubectl's words. */
export type RolloutState =
  | { readonly is: 'going-on' | 'done'; readonly text: string }
  | { readonly is: 'failed'; readonly text: string };

/** Pure. Source: kubectl's DeploymentStatusViewer. */
export const deploymentState = ({ metadata, spec, status }: Deployment): RolloutState => {
  const { name, generation = 0 } = metadata;
  const { observedGeneration = 0, conditions = [] } = status;
  if (generation > observedGeneration) return unseen('deployment');
  const progressing = conditions.find(({ type }) => type === 'Progressing');
  if (progressing?.reason === 'ProgressDeadlineExceeded') {
    return { is: 'failed', text: `deployment "${name}" exceeded its progress deadline` };
  }
  const { replicas = 0, updatedReplicas = 0, availableReplicas = 0 } = status;
  const wanted = spec.replicas ?? 1;
  const waiting = (what: string) => waitingFor('deployment', name, what);
  if (updatedReplicas < wanted) {
    return waiting(`${updatedReplicas} out of ${wanted} new replicas have been updated`);
  }
  if (replicas > updatedReplicas) {
    return waiting(`${replicas - updatedReplicas} old replicas are pending termination`);
  }
  if (availableReplicas < updatedReplicas) {
    return waiting(`${availableReplicas} of ${updatedReplicas} updated replicas are available`);
  }
  return { is: 'done', text: `deployment "${name}" successfully rolled out` };
};

/** Pure. Source: kubectl's DaemonSetStatusViewer. */
export const daemonSetState = ({ metadata, status }: DaemonSet): RolloutState => {
  const { name, generation = 0 } = metadata;
  const { observedGeneration = 0, desiredNumberScheduled: wanted } = status;
  if (generation > observedGeneration) return unseen('daemon set');
  const { updatedNumberScheduled = 0, numberAvailable = 0 } = status;
  const waiting = (what: string) => waitingFor('daemon set', name, what);
  if (updatedNumberScheduled < wanted)
    return waiting(`${updatedNumberScheduled} out of ${wanted} new pods have been updated`);
  if (numberAvailable < wanted)
    return waiting(`${numberAvailable} of ${wanted} updated pods are available`);
  return { is: 'done', text: `daemon set "${name}" successfully rolled out` };
};

/** Pure. Source: kubectl's StatefulSetStatusViewer. */
export const statefulSetState = ({
  metadata,
  spec,
  status,
}: Partial<StatefulSet>): RolloutState => {
  const { generation = 0 } = metadata ?? {};
  const { observedGeneration = 0, readyReplicas = 0, updatedReplicas = 0 } = status ?? {};
  if (observedGeneration === 0 || generation > observedGeneration) return unseen('statefulset');
  const { replicas = 1, updateStrategy } = spec ?? {};
  const going = (text: string): RolloutState => ({ is: 'going-on', text });
  if (readyReplicas < replicas)
    return going(`Waiting for ${replicas - readyReplicas} pods to be ready...`);
  const { partition } = updateStrategy?.rollingUpdate ?? {};
  if (partition !== undefined) {
    const wanted = replicas - partition;
    return updatedReplicas < wanted
      ? going(
          `Waiting for partitioned roll out to finish: ${updatedReplicas} out of ${wanted} new pods have been updated...`,
        )
      : {
          is: 'done',
          text: `partitioned roll out complete: ${updatedReplicas} new pods have been updated...`,
        };
  }
  const { currentReplicas = 0, currentRevision = '', updateRevision = '' } = status ?? {};
  return updateRevision === currentRevision
    ? {
        is: 'done',
        text: `statefulset rolling update complete ${currentReplicas} pods at revision ${currentRevision}...`,
      }
    : going(
        `waiting for statefulset rolling update to complete ${updatedReplicas} pods at revision ${updateRevision}...`,
      );
};

const unseen = (called: string): RolloutState => ({
  is: 'going-on',
  text: `Waiting for ${called} spec update to be observed...`,
});

const waitingFor = (called: string, name: string, what: string): RolloutState => ({
  is: 'going-on',
  text: `Waiting for ${called} "${name}" rollout to finish: ${what}...`,
});
