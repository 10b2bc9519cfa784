import type { Deployment } from '../../api/types';

/** How far a rollout is, in kubectl's words. */
export type RolloutState =
  | { readonly is: 'going-on' | 'done'; readonly text: string }
  | { readonly is: 'failed'; readonly text: string };

/** Pure. Source: kubectl's DeploymentStatusViewer. */
export const rolloutState = ({ metadata, spec, status }: Deployment): RolloutState => {
  const { name, generation = 0 } = metadata;
  const { observedGeneration = 0, conditions = [] } = status;
  if (generation > observedGeneration) {
    return { is: 'going-on', text: 'Waiting for deployment spec update to be observed...' };
  }
  const progressing = conditions.find(({ type }) => type === 'Progressing');
  if (progressing?.reason === 'ProgressDeadlineExceeded') {
    return { is: 'failed', text: `deployment "${name}" exceeded its progress deadline` };
  }
  const { replicas = 0, updatedReplicas = 0, availableReplicas = 0 } = status;
  const wanted = spec.replicas ?? 1;
  const waiting = (what: string): RolloutState => ({
    is: 'going-on',
    text: `Waiting for deployment "${name}" rollout to finish: ${what}...`,
  });
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
