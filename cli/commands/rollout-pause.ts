import { qualifiedResource } from '../../api/errors';
import { DEPLOYMENTS } from '../../api/resources';
import type { Deployment } from '../../api/types';
import { changeEach, type Change, type ChangeOptions } from '../changing';
import type { CliContext } from '../context';
import { rfc3339, systemClock } from '../../lib/clock';
import type { Selected } from '../selection';
import { UsageError } from '../usage-error';
import { deploymentOf, kindOf } from './rollout-targets';

/** Keeps changes of the template from being rolled out. */
export const rolloutPause = (
  context: CliContext,
  args: readonly string[],
  options: ChangeOptions,
): Promise<void> =>
  changeEach(context, args, options, (selected) => {
    const { spec } = deploymentOf(selected, 'no pauser has been implemented');
    if (spec.paused === true) throw already(selected, 'is already paused');
    return paused(true);
  });

/** Rolls out what was changed meanwhile. */
export const rolloutResume = (
  context: CliContext,
  args: readonly string[],
  options: ChangeOptions,
): Promise<void> =>
  changeEach(context, args, options, (selected) => {
    const { spec } = deploymentOf(selected, 'no resumer has been implemented');
    if (spec.paused !== true) throw already(selected, 'is not paused');
    return paused(false);
  });

/** Replaces all pods by new ones of the same template. */
export const rolloutRestart = (
  context: CliContext,
  args: readonly string[],
  options: ChangeOptions,
): Promise<void> =>
  changeEach(context, args, options, (selected) => {
    const { resource } = kindOf(selected, 'no restarter has been implemented');
    if (resource === DEPLOYMENTS && (selected.object as Deployment).spec.paused === true) {
      throw already(selected, "can't restart paused deployment (run rollout resume first)");
    }
    const annotations = { [RESTARTED_AT]: rfc3339(systemClock.now()) };
    const body = { spec: { template: { metadata: { annotations } } } };
    return { patch: { type: 'strategic', body }, told: 'restarted' };
  });

const paused = (isWanted: boolean): Change => ({
  patch: { type: 'merge', body: { spec: { paused: isWanted ? true : null } } },
  told: isWanted ? 'paused' : 'resumed',
});

const already = ({ info, object }: Selected, what: string): UsageError => {
  const { name } = (object as Deployment).metadata;
  return new UsageError(`${qualifiedResource(info.plural, info.group)} "${name}" ${what}`);
};

const RESTARTED_AT = 'kubectl.kubernetes.io/restartedAt';
