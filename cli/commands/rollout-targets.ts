import type { Deployment } from '../../api/types';
import { DEPLOYMENTS } from '../../api/resources';
import type { CliContext } from '../context';
import { select, type Selected, type SelectOptions } from '../selection';
import { UsageError } from '../usage-error';
import { rolloutKindOf, type RolloutKind } from './rollout-kinds';

export interface RolloutTarget extends Selected {
  readonly kind: RolloutKind;
}

/** The workloads that a `rollout` is about. `what` is what other kinds lack. @throws UsageError */
export const rolloutTargets = async (
  context: CliContext,
  args: readonly string[],
  options: SelectOptions,
  what: string,
): Promise<readonly RolloutTarget[]> => {
  if (args.length === 0 && options.filename === undefined) {
    throw new UsageError('required resource not specified: dhow rollout ... deploy/NAME');
  }
  const { found, failure } = await select(context, args, options);
  if (failure !== undefined) throw failure;
  return found.map((selected) => ({ ...selected, kind: kindOf(selected, what) }));
};

/** @throws UsageError `no status viewer has been implemented for Service` */
export const kindOf = ({ info }: Selected, what: string): RolloutKind => {
  const kind = rolloutKindOf(info);
  if (kind === undefined) throw new UsageError(`${what} for ${info.kind}`);
  return kind;
};

/** @throws UsageError `no pauser has been implemented for DaemonSet` */
export const deploymentOf = ({ info, object }: Selected, what: string): Deployment => {
  if (info.kind === DEPLOYMENTS.kind && info.group === DEPLOYMENTS.group) {
    return object as Deployment;
  }
  throw new UsageError(`${what} for ${info.kind}`);
};
