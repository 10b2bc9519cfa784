import { hasReason } from '../../../api/errors';
import { jsonEqual } from '../../../api/json-value';
import { controllerOf, isControlledBy } from '../../../api/owners';
import type { PlannedPods } from '../../../api/planned-pods';
import { podIn } from '../../../api/pod-in';
import { isTerminal, isTerminating } from '../../../api/pods';
import {
  CRON_JOBS,
  DAEMON_SETS,
  DEPLOYMENTS,
  JOBS,
  PODS,
  REPLICA_SETS,
  REPLICATION_CONTROLLERS,
  STATEFUL_SETS,
  type Resource,
} from '../../../api/resources';
import type { ApiObject, Pod } from '../../../api/types';
import type { ApiClient, ListOptions, ListResult } from '../../../client/api-client';
import { stringifyJson } from '../../../lib/json';

/** What of an object's pods is there already. */
export interface PresentPods {
  /** The places, among the names of all, of those that are not. */
  readonly missing: readonly number[];
  /** Uids of what has made pods of another template, which are replaced. */
  readonly replaced: readonly string[];
  /** By which a Deployment's pods tell their template from others. */
  readonly hash?: string;
}

/** Lists what is in each namespace once, however many objects are compared with it. */
export const listingOnce = (client: Lists): Lists => {
  const known = new Map<string, Promise<ListResult<ApiObject>>>();
  return {
    get: (resource, name, signal) => client.get(resource, name, signal),
    list: <T extends ApiObject>(
      resource: Resource<T>,
      options: ListOptions = {},
      signal?: AbortSignal,
    ) => {
      const key = `${resource.plural} ${stringifyJson(options)}`;
      const found = known.get(key) ?? client.list(resource, options, signal);
      known.set(key, found);
      return found as Promise<ListResult<T>>;
    },
  };
};

type Lists = Pick<ApiClient, 'get' | 'list'>;

/** Compares an object as it is to be with what is there of that name. */
export const presentOf = async (
  object: ApiObject,
  all: PlannedPods,
  { client }: { readonly client: Lists },
  signal: AbortSignal,
): Promise<PresentPods> => {
  const everything = all.names.map((_, index) => index);
  const planned = object.kind === DEPLOYMENTS.kind ? { hash: PLANNED_HASH } : {};
  const live = await liveOf(client, object, signal);
  if (live === undefined) return { missing: everything, replaced: [], ...planned };
  // A pod that is there stays where it is.
  if (object.kind === PODS.kind) return { missing: [], replaced: [] };
  const { namespace } = all;
  const sets = await setsOf(client, live, namespace, signal);
  const replaced = [live, ...sets].map(({ metadata }) => metadata.uid ?? '');
  if (!hasSameTemplate(object, live)) return { missing: everything, replaced, ...planned };
  const { items } = await client.list(PODS, { namespace }, signal);
  const present = items.filter(
    (pod) =>
      replaced.includes(controllerOf(pod)?.uid ?? '') && !isTerminal(pod) && !isTerminating(pod),
  );
  const hash = present[0]?.metadata.labels?.[HASH_LABEL];
  return {
    missing: missingOf(all, present),
    replaced: [],
    ...(hash === undefined ? planned : { hash }),
  };
};

const missingOf = ({ names, nodes }: PlannedPods, present: readonly Pod[]): readonly number[] => {
  const places = names.map((_, index) => index);
  if (nodes !== undefined) {
    const taken = new Set(present.map(({ spec }) => spec.nodeName));
    return places.filter((index) => !taken.has(nodes[index]));
  }
  const known = new Set(present.map(({ metadata }) => metadata.name));
  const others = places.filter((index) => !known.has(names[index] ?? ''));
  // Of those that have no names of their own, any of those to be made stands for one that is there.
  const nameless = present.length - (places.length - others.length);
  return others.slice(Math.min(others.length, Math.max(0, nameless)));
};

const liveOf = async (
  client: Pick<ApiClient, 'get'>,
  { kind, metadata: { name, namespace = 'default' } }: ApiObject,
  signal: AbortSignal,
): Promise<ApiObject | undefined> => {
  const resource = MAKERS.find((each) => each.kind === kind);
  // A pod without a name of its own is a new one.
  if (resource === undefined || !name) return undefined;
  try {
    return await client.get(resource, { namespace, name }, signal);
  } catch (error) {
    if (hasReason(error, 'NotFound')) return undefined;
    throw error;
  }
};

const setsOf = async (
  client: Pick<ApiClient, 'list'>,
  live: ApiObject,
  namespace: string,
  signal: AbortSignal,
): Promise<readonly ApiObject[]> =>
  live.kind === DEPLOYMENTS.kind
    ? (await client.list(REPLICA_SETS, { namespace }, signal)).items.filter((set) =>
        isControlledBy(set, live),
      )
    : [];

const hasSameTemplate = (a: ApiObject, b: ApiObject): boolean => {
  const [x, y] = [podIn(a), podIn(b)];
  return (
    jsonEqual(x?.spec, y?.spec) &&
    jsonEqual(x?.labels, y?.labels) &&
    jsonEqual(x?.annotations, y?.annotations)
  );
};

const MAKERS: readonly Resource[] = [
  PODS,
  DEPLOYMENTS,
  STATEFUL_SETS,
  DAEMON_SETS,
  REPLICA_SETS,
  REPLICATION_CONTROLLERS,
  JOBS,
  CRON_JOBS,
];
const HASH_LABEL = 'pod-template-hash';
/** Of a template that no set has yet. */
const PLANNED_HASH = 'planned';
