import { isControlledBy } from '../../api/owners';
import { DEPLOYMENTS, REPLICA_SETS } from '../../api/resources';
import { formatLabelSelector } from '../../api/selectors';
import type { Deployment, ReplicaSet } from '../../api/types';
import type { CliContext } from '../context';
import { select, type Selected, type SelectOptions } from '../selection';
import { UsageError } from '../usage-error';

/** Annotation that numbers the sets of a deployment. */
export const REVISION = 'deployment.kubernetes.io/revision';

/** The deployments that a `rollout` is about. `what` is what other kinds lack. @throws UsageError */
export const rolloutTargets = async (
  context: CliContext,
  args: readonly string[],
  options: SelectOptions,
  what: string,
): Promise<readonly Deployment[]> => {
  if (args.length === 0 && options.filename === undefined) {
    throw new UsageError('required resource not specified: dhow rollout ... deploy/NAME');
  }
  const { found, failure } = await select(context, args, options);
  if (failure !== undefined) throw failure;
  return found.map((selected) => deploymentOf(selected, what));
};

/** @throws UsageError `no status viewer has been implemented for Service` */
export const deploymentOf = ({ info, object }: Selected, what: string): Deployment => {
  if (info.kind === DEPLOYMENTS.kind && info.group === DEPLOYMENTS.group) {
    return object as Deployment;
  }
  throw new UsageError(`${what} for ${info.kind}`);
};

/** The sets of a deployment that have a revision, the oldest first. */
export const revisionsOf = async (
  { client, signal }: CliContext,
  deployment: Deployment,
): Promise<readonly (readonly [number, ReplicaSet])[]> => {
  const { namespace = '' } = deployment.metadata;
  const labelSelector = formatLabelSelector(deployment.spec.selector);
  const { items } = await client.list(REPLICA_SETS, { namespace, labelSelector }, signal);
  return items
    .filter((set) => isControlledBy(set, deployment))
    .map((set) => [Number(set.metadata.annotations?.[REVISION] ?? 0), set] as const)
    .filter(([revision]) => revision > 0)
    .sort(([a], [b]) => a - b);
};
