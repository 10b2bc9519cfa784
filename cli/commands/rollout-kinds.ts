import { isControlledBy } from '../../api/owners';
import {
  CONTROLLER_REVISIONS,
  DAEMON_SETS,
  DEPLOYMENTS,
  REPLICA_SETS,
  STATEFUL_SETS,
  type Resource,
} from '../../api/resources';
import { formatLabelSelector } from '../../api/selectors';
import type { ApiObject, ControllerRevision, LabelSelector, PodTemplate } from '../../api/types';
import type { PatchType } from '../../client/api-client';
import { isJsonObject } from '../../lib/json';
import type { CliContext } from '../context';
import { UsageError } from '../usage-error';
import {
  daemonSetState,
  deploymentState,
  statefulSetState,
  type RolloutState,
} from './rollout-state';

/** A template that an object had, or has. */
export interface Revision {
  readonly number: number;
  /** What keeps it. */
  readonly object: ApiObject;
  readonly template: NonNullable<PodTemplate>;
}

/** What a rollout is for the objects of one kind. */
export interface RolloutKind {
  readonly resource: Resource;
  readonly stateOf: (object: ApiObject) => RolloutState;
  /** @throws UsageError when a rollout of the object cannot be followed */
  readonly checkFollowed: (object: ApiObject, revision: string | undefined) => void;
  readonly templateOf: (object: ApiObject) => NonNullable<PodTemplate>;
  /** The oldest first. */
  readonly revisionsOf: (context: CliContext, object: ApiObject) => Promise<readonly Revision[]>;
  /** What brings a revision back. @throws UsageError when that may not be done now */
  readonly undo: (
    object: ApiObject,
    revision: Revision,
  ) => { readonly type: PatchType; readonly body: unknown };
  /** There is none before the present one. */
  readonly noneBefore: (object: ApiObject) => string;
}

export const rolloutKindOf = (
  resource: Pick<Resource, 'group' | 'kind'>,
): RolloutKind | undefined =>
  ROLLOUT_KINDS.find((each) => {
    const { group, kind } = each.resource;
    return group === resource.group && kind === resource.kind;
  });

/** A kind of which this much is sure. */
interface Templated extends ApiObject {
  readonly spec?: { readonly selector?: LabelSelector; readonly template?: PodTemplate };
}

const define = <T extends Templated>(
  resource: Resource<T>,
  kind: {
    readonly stateOf: (object: T) => RolloutState;
    readonly checkFollowed: (object: T, revision: string | undefined) => void;
    readonly revisionsOf: (context: CliContext, object: T) => Promise<readonly Revision[]>;
    readonly undo: (object: T, revision: Revision) => ReturnType<RolloutKind['undo']>;
    readonly noneBefore: (object: T) => string;
  },
): RolloutKind => ({
  resource,
  stateOf: (object) => kind.stateOf(object as T),
  checkFollowed: (object, revision) => kind.checkFollowed(object as T, revision),
  templateOf: (object) => (object as T).spec?.template ?? {},
  revisionsOf: (context, object) => kind.revisionsOf(context, object as T),
  undo: (object, revision) => kind.undo(object as T, revision),
  noneBefore: (object) => kind.noneBefore(object as T),
});

/** Annotation that numbers the sets of a deployment. */
const REVISION = 'deployment.kubernetes.io/revision';

const DEPLOYMENT = define(DEPLOYMENTS, {
  stateOf: deploymentState,
  checkFollowed: ({ metadata }, wanted) => {
    const running = metadata.annotations?.[REVISION] ?? '0';
    if (wanted === undefined || Number(wanted) === 0 || Number(wanted) === Number(running)) return;
    throw new UsageError(
      `desired revision (${wanted}) is different from the running revision (${running})`,
    );
  },
  revisionsOf: async (context, deployment) => {
    const { namespace = '' } = deployment.metadata;
    const labelSelector = formatLabelSelector(deployment.spec.selector);
    const place = { namespace, labelSelector };
    const { items } = await context.client.list(REPLICA_SETS, place, context.signal);
    return inOrder(
      items
        .filter((set) => isControlledBy(set, deployment))
        .map((set) => ({
          number: Number(set.metadata.annotations?.[REVISION] ?? 0),
          object: set,
          template: set.spec.template ?? {},
        })),
    );
  },
  undo: ({ metadata, spec }, { template }) => {
    if (spec.paused === true) {
      throw new UsageError(
        `cannot rollback a paused deployment; resume it first with 'dhow rollout resume deployment/${metadata.name}' and try again`,
      );
    }
    const value = comparable(template);
    return { type: 'json', body: [{ op: 'replace', path: '/spec/template', value }] };
  },
  noneBefore: ({ metadata }) => `no rollout history found for deployment "${metadata.name}"`,
});

/** The label is the controller's: each set of a deployment has its own. */
export const comparable = (template: NonNullable<PodTemplate>): NonNullable<PodTemplate> => {
  const { 'pod-template-hash': _hash, ...labels } = template.metadata?.labels ?? {};
  return { ...template, metadata: { ...template.metadata, labels } };
};

interface Updated {
  readonly spec?: { readonly updateStrategy?: { readonly type?: string } };
}

const checkRolling = ({ spec }: Updated): void => {
  if (spec?.updateStrategy?.type === 'RollingUpdate') return;
  throw new UsageError('rollout status is only available for RollingUpdate strategy type');
};

/** What kinds have in common that keep their templates as ControllerRevisions. */
const KEPT = {
  checkFollowed: checkRolling,
  revisionsOf: async (context: CliContext, object: Templated) => {
    const { namespace = '' } = object.metadata;
    const labelSelector = formatLabelSelector(object.spec?.selector ?? {});
    const place = { namespace, labelSelector };
    const { items } = await context.client.list(CONTROLLER_REVISIONS, place, context.signal);
    return inOrder(
      items
        .filter((revision) => isControlledBy(revision, object))
        .map((revision) => ({
          number: Number(revision.revision),
          object: revision,
          template: templateIn(revision),
        })),
    );
  },
  undo: (_object: ApiObject, { object }: Revision) =>
    ({ type: 'strategic', body: (object as ControllerRevision).data }) as const,
  noneBefore: () => 'no last revision to roll back to',
};

const templateIn = ({ data }: ControllerRevision): NonNullable<PodTemplate> => {
  const spec = isJsonObject(data) ? data['spec'] : undefined;
  const patch = isJsonObject(spec) ? spec['template'] : undefined;
  if (!isJsonObject(patch)) return {};
  const { $patch: _patch, ...template } = patch;
  return template;
};

const inOrder = (revisions: readonly Revision[]): readonly Revision[] =>
  revisions.filter(({ number }) => number > 0).sort((a, b) => a.number - b.number);

const ROLLOUT_KINDS: readonly RolloutKind[] = [
  DEPLOYMENT,
  define(DAEMON_SETS, { ...KEPT, stateOf: daemonSetState }),
  define(STATEFUL_SETS, { ...KEPT, stateOf: statefulSetState }),
];
