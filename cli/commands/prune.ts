import { hasReason } from '../../api/errors';
import type { ApiObject } from '../../api/types';
import type { CliContext } from '../context';
import { DRY_RUN_NOTES, type DryRun } from '../dry-run';
import { LAST_APPLIED } from '../last-applied';
import { UsageError } from '../usage-error';
import type { NamedResource } from '../well-known';
import type { Result } from './apply';
import { qualifiedKind } from './get';

export interface PruneOptions {
  readonly prune?: boolean;
  readonly all?: boolean;
  readonly selector?: string;
  readonly pruneAllowlist?: readonly string[];
}

/** @throws UsageError where it would take more than anybody said */
export const checkPrune = ({ prune, all, selector, pruneAllowlist = [] }: PruneOptions): void => {
  if (prune !== true) {
    if (all !== true && pruneAllowlist.length === 0) return;
    throw new UsageError('--all and --prune-allowlist only work with --prune');
  }
  if (all === true && selector !== undefined) {
    throw new UsageError('cannot set --all and --selector at the same time');
  }
  if (all !== true && selector === undefined) {
    throw new UsageError(
      'all resources selected for prune without explicitly passing --all. To prune all resources, pass the --all flag. If you did not mean to prune all resources, specify a label selector',
    );
  }
};

/**
 * Deletes what was applied once and is no more among `results`: of the kinds that are pruned, in the namespaces of
 * what was applied, with the labels asked for. What nobody applied stays. Source: kubectl apply --prune.
 */
export const prune = async (
  context: CliContext,
  results: readonly Result[],
  { selector, pruneAllowlist = DEFAULT_ALLOWLIST }: PruneOptions,
  dryRun: DryRun,
  onPruned: (text: string) => void,
): Promise<void> => {
  const kinds = await kindsOf(context, pruneAllowlist);
  const kept = new Set(results.map(({ object }) => object.metadata.uid));
  const namespaces = new Set(results.flatMap(({ object }) => object.metadata.namespace ?? []));
  const { client, signal } = context;
  for (const info of kinds) {
    for (const namespace of info.isNamespaced ? namespaces : [undefined]) {
      const { items } = await client.list<ApiObject>(
        info,
        {
          ...(namespace === undefined ? {} : { namespace }),
          ...(selector === undefined ? {} : { labelSelector: selector }),
        },
        signal,
      );
      for (const object of items.filter((each) => isDropped(each, kept))) {
        await remove(context, info, object, dryRun);
        const name = `${qualifiedKind(info)}/${object.metadata.name}`;
        onPruned(`${name} pruned${DRY_RUN_NOTES[dryRun]}\n`);
      }
    }
  }
};

const isDropped = ({ metadata }: ApiObject, kept: ReadonlySet<string | undefined>): boolean =>
  metadata.annotations?.[LAST_APPLIED] !== undefined &&
  metadata.deletionTimestamp === undefined &&
  !kept.has(metadata.uid);

const remove = async (
  { client, signal }: CliContext,
  info: NamedResource,
  { metadata: { namespace = '', name, uid } }: ApiObject,
  dryRun: DryRun,
): Promise<void> => {
  if (dryRun === 'client') return;
  try {
    await client.delete<ApiObject>(
      info,
      { namespace, name },
      {
        propagationPolicy: 'Background',
        // Not one that somebody made anew under this name meanwhile.
        ...(uid === undefined ? {} : { preconditions: { uid } }),
        ...(dryRun === 'server' ? { dryRun: ['All'] as const } : {}),
      },
      signal,
    );
  } catch (error) {
    if (!hasReason(error, 'NotFound') && !hasReason(error, 'Conflict')) throw error;
  }
};

/** @throws UsageError */
const kindsOf = (
  context: CliContext,
  allowlist: readonly string[],
): Promise<readonly NamedResource[]> =>
  Promise.all(
    allowlist.map(async (text) => {
      const [group = '', version = '', kind = '', ...rest] = text.split('/');
      if (kind === '' || version === '' || rest.length > 0) {
        throw new UsageError(
          `invalid GroupVersionKind format: ${text}, please follow <group/version/kind>`,
        );
      }
      const isCore = group === 'core' || group === '';
      return context.resolve(`${kind}${isCore ? '' : `.${version}.${group}`}`);
    }),
  );

/** Source: kubectl's prune.ParseResources. */
const DEFAULT_ALLOWLIST = [
  ...['ConfigMap', 'Endpoints', 'PersistentVolumeClaim', 'Pod', 'ReplicationController'],
  ...['Secret', 'Service', 'Namespace', 'PersistentVolume'],
]
  .map((kind) => `core/v1/${kind}`)
  .concat(
    ['Job', 'CronJob'].map((kind) => `batch/v1/${kind}`),
    'networking.k8s.io/v1/Ingress',
    ['DaemonSet', 'Deployment', 'ReplicaSet', 'StatefulSet'].map((kind) => `apps/v1/${kind}`),
  );
