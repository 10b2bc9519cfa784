import { jsonEqual } from '../../api/json-value';
import { DEPLOYMENTS } from '../../api/resources';
import type { Deployment, PodTemplate, ReplicaSet } from '../../api/types';
import { tell, tellingOf, type ChangeOptions } from '../changing';
import type { CliContext } from '../context';
import { UsageError } from '../usage-error';
import { revisionsOf, rolloutTargets } from './rollout-targets';

export interface RolloutUndoOptions extends ChangeOptions {
  readonly toRevision?: string;
}

/** Brings back the pod template of the revision before, or of a certain one. */
export const rolloutUndo = async (
  context: CliContext,
  args: readonly string[],
  options: RolloutUndoOptions,
): Promise<void> => {
  const telling = tellingOf(options);
  const { client, signal } = context;
  const what = 'no rollbacker has been implemented';
  for (const deployment of await rolloutTargets(context, args, options, what)) {
    const { namespace = '', name } = deployment.metadata;
    if (deployment.spec.paused === true) {
      throw new UsageError(
        `cannot rollback a paused deployment; resume it first with 'dhow rollout resume deployment/${name}' and try again`,
      );
    }
    const [revision, set] = await wantedRevision(context, deployment, options.toRevision);
    const template = withoutHash(set.spec.template);
    const outcome = { info: DEPLOYMENTS, object: deployment };
    if (jsonEqual(template, withoutHash(deployment.spec.template))) {
      const told = `skipped rollback (current template already matches revision ${revision})`;
      tell(context, telling, { ...outcome, told });
      continue;
    }
    const body = [{ op: 'replace', path: '/spec/template', value: template }];
    const write = { fieldManager: telling.fieldManager, dryRun: telling.dryRun === 'server' };
    const object =
      telling.dryRun === 'client'
        ? deployment
        : await client.patch(DEPLOYMENTS, { namespace, name }, 'json', body, write, signal);
    tell(context, telling, { ...outcome, object, told: 'rolled back' });
  }
};

const wantedRevision = async (
  context: CliContext,
  deployment: Deployment,
  text = '0',
): Promise<readonly [number, ReplicaSet]> => {
  if (!/^\d{1,9}$/.test(text)) throw new UsageError(`--to-revision: "${text}" is not a revision`);
  const revisions = await revisionsOf(context, deployment);
  const wanted = Number(text);
  const found =
    wanted === 0 ? revisions.at(-2) : revisions.find(([revision]) => revision === wanted);
  if (found !== undefined) return found;
  throw new UsageError(
    wanted === 0
      ? `no rollout history found for deployment "${deployment.metadata.name}"`
      : `unable to find specified revision ${wanted} in history`,
  );
};

/** The label is the controller's: each set has its own. */
const withoutHash = (template: PodTemplate): PodTemplate => {
  const { 'pod-template-hash': _hash, ...labels } = template?.metadata?.labels ?? {};
  return { ...template, metadata: { ...template?.metadata, labels } };
};
