import { SCHEDULING_GROUP } from '../../../api/decisions';
import { ApiError } from '../../../api/errors';
import type { PlannedPlacement } from '../../../api/placement-plans';
import { plannedPodsOf, plannedSpec, type PlannedPods } from '../../../api/planned-pods';
import { isPodGroup, type PodGroup } from '../../../api/pod-groups';
import { NODES, POD_GROUPS, PODS } from '../../../api/resources';
import type { ApiObject, Node, Pod } from '../../../api/types';
import type { ApiClient } from '../../../client/api-client';
import type { PlannedPod } from '../../../client/placements';
import { Permit } from '../auth/permit';
import { sharerOf } from '../auth/user';
import type { CreateOnlyResource } from '../discovery/discovery';
import { jsonResponse, type ApiRequest, type ApiResponse } from '../http/exchange';
import type { Pace } from '../http/heavy-lane';
import { applyDefaults, checkCreate, decodeObject } from '../objects/rules';
import { headOf, readQuestion } from '../rest/cluster-question';
import { writeContextOf } from '../rest/options';
import type { PlacementReviewDeps } from './placement-review';
import { nodeOf, planSpecIn } from './plan-question';
import { listingOnce, presentOf } from './present-pods';

export const PLACEMENT_PLANS: CreateOnlyResource = {
  group: SCHEDULING_GROUP,
  version: 'v1',
  kind: 'PlacementPlan',
  plural: 'placementplans',
};

export interface PlacementPlanDeps extends PlacementReviewDeps {
  /** The server's own: what is there already is counted, whoever asks. */
  readonly client: Pick<ApiClient, 'get' | 'list'>;
}

/**
 * POST placementplans: what would become of pods if these objects and nodes were there, or not? Each
 * template is admitted once, as the creation of its pods would be, as a dry run; nothing is stored. For
 * those who may create `placementplans`: the answer names pods and nodes of the whole cluster. Undefined
 * for other requests.
 */
export const servePlacementPlan = async (
  request: ApiRequest,
  own: PlacementPlanDeps,
): Promise<ApiResponse | undefined> => {
  const question = await readQuestion(request, PLACEMENT_PLANS, own.authorizer);
  if (question === undefined) return undefined;
  const deps = { ...own, client: listingOnce(own.client) };
  const spec = planSpecIn(question.body);
  using pace = deps.heavyLane.pace(request.signal, sharerOf(request.user));
  const { drain, without, objects, countsMore } = spec;
  const addNodes = spec.addNodes.map(nodeOf);
  const nodes = await nodesOf(deps.client, { addNodes, without }, request.signal);
  const wanted = await Promise.all(
    objects.map((object) => wantedOf(object, nodes, deps, { request, pace })),
  );
  const last = countsMore
    ? wanted.findLast(({ sample }) => sample !== undefined)?.sample
    : undefined;
  const status = await deps.placements.plan(
    {
      pods: wanted.flatMap(({ pods }) => pods),
      groups: wanted.flatMap(({ group }) => group ?? []),
      replacedOwners: new Set(wanted.flatMap(({ replaced }) => replaced)),
      ...{ drain, without, addNodes },
      ...(last === undefined ? {} : { more: last }),
    },
    request.signal,
  );
  const refused = wanted.flatMap((each) => each.refused);
  const plan = {
    ...headOf(PLACEMENT_PLANS),
    spec: { drain, without, addNodes: spec.addNodes, countsMore },
    status: { ...status, placements: [...status.placements, ...refused] },
  };
  return jsonResponse(plan, 201);
};

interface Wanted {
  readonly pods: readonly PlannedPod[];
  readonly refused: readonly PlannedPlacement[];
  /** Uids of what makes pods that these replace. */
  readonly replaced: readonly string[];
  /** One like the others. */
  readonly sample?: PlannedPod;
  /** It makes no pods: it is a PodGroup. */
  readonly group?: PodGroup;
}

interface Asking {
  readonly request: ApiRequest;
  readonly pace: Pace;
}

const wantedOf = async (
  object: ApiObject,
  nodes: readonly Node[],
  deps: PlacementPlanDeps,
  asking: Asking,
): Promise<Wanted> => {
  if (isPodGroup(object)) return { ...NOTHING, group: await plannedGroup(object, deps, asking) };
  const all = plannedPodsOf(object, nodes);
  if (all === undefined) return NOTHING;
  const { missing, replaced, hash } = await presentOf(object, all, deps, asking.request.signal);
  const owned = all.owner === undefined ? {} : { owner: all.owner };
  const named = missing.map((index) => ({ index, name: all.names[index] ?? '' }));
  try {
    const sample = await admitted(all, hash, deps, asking);
    const pods = named.map(({ index, name }) => ({
      ...owned,
      pod: podOf(sample, all, index, name),
    }));
    return { pods, refused: [], replaced, sample: { ...owned, pod: sample } };
  } catch (error) {
    if (!(error instanceof ApiError) || error.reason === 'ServiceUnavailable') throw error;
    const refused = named.map(({ name }) => ({
      ...{ pod: `${all.namespace}/${name}`, ...owned },
      ...({ cause: 'Planned', outcome: 'Refused', message: error.message } as const),
    }));
    return { pods: [], refused, replaced };
  }
};

/** The group as it would be stored. @throws BadRequest, Invalid */
const plannedGroup = async (
  object: ApiObject,
  { service, authorizer }: PlacementPlanDeps,
  { request, pace }: Asking,
): Promise<PodGroup> => {
  const kind = service.kinds.of(POD_GROUPS);
  const { namespace = 'default', name } = object.metadata;
  const asked = { verb: 'create', group: POD_GROUPS.group, resource: POD_GROUPS.plural };
  const permit = Permit.of(
    request.user,
    { ...asked, subresource: '', namespace, name },
    authorizer,
  );
  const context = { ...writeContextOf(request, permit), isDryRun: true, pace };
  const group = decodeObject(kind, object, context);
  group.metadata.namespace = namespace;
  permit.require('create', kind.resource, { namespace, name });
  applyDefaults(kind, group);
  await checkCreate(kind, group, context);
  return group;
};

/** A pod of the template as it would be stored. */
const admitted = async (
  { namespace, labels, annotations, spec, names }: PlannedPods,
  hash: string | undefined,
  { service, authorizer }: PlacementPlanDeps,
  { request, pace }: Asking,
): Promise<Pod> => {
  const asked = { verb: 'create', group: '', resource: PODS.plural, subresource: '' };
  const permit = Permit.of(request.user, { ...asked, namespace, name: '' }, authorizer);
  const context = { ...writeContextOf(request, permit), isDryRun: true, pace };
  const pods = service.kinds.of(PODS);
  const metadata = {
    generateName: `${names[0] ?? 'planned'}-`,
    ...{ namespace, annotations },
    labels: hash === undefined ? labels : { ...labels, [HASH_LABEL]: hash },
  };
  const draft = decodeObject(pods, { apiVersion: 'v1', kind: 'Pod', metadata, spec }, context);
  return (await service.writer.create(pods, namespace, draft, context)).object as Pod;
};

const podOf = (sample: Pod, all: PlannedPods, index: number, name: string): Pod => {
  const uid = `planned/${all.namespace}/${all.owner ?? 'Pod'}/${name}`;
  return {
    ...sample,
    metadata: { ...sample.metadata, name, uid },
    spec: all.nodes === undefined ? sample.spec : plannedSpec({ ...all, spec: sample.spec }, index),
  };
};

const nodesOf = async (
  client: PlacementPlanDeps['client'],
  {
    addNodes,
    without,
  }: { readonly addNodes: readonly Node[]; readonly without: readonly string[] },
  signal: AbortSignal,
): Promise<readonly Node[]> => {
  const gone = new Set([...without, ...addNodes.map(({ metadata }) => metadata.name)]);
  const { items } = await client.list(NODES, {}, signal);
  return [...items.filter(({ metadata }) => !gone.has(metadata.name)), ...addNodes];
};

const NOTHING: Wanted = { pods: [], refused: [], replaced: [] };
const HASH_LABEL = 'pod-template-hash';
