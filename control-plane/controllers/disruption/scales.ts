import { groupOf, isOfKind } from '../../../api/owners';
import {
  CUSTOM_RESOURCE_DEFINITIONS,
  DEPLOYMENTS,
  REPLICA_SETS,
  REPLICATION_CONTROLLERS,
  STATEFUL_SETS,
  type Resource,
} from '../../../api/resources';
import { hasReason } from '../../../api/errors';
import { controllerOf } from '../../../api/owners';
import { uidOf, type ApiObject, type OwnerReference, type Pod } from '../../../api/types';
import type { Informer } from '../../../client/informer';
import type { ServedResources } from '../../../client/served-resources';
import type { ControllerDeps } from '../controller';

/** How many pods the owners of some pods want. */
export interface ExpectedScale {
  readonly scale: number;
  /** Pods that nobody owns, who want nothing. */
  readonly unmanaged: readonly Pod[];
}

/** An owner, and how many pods it wants. */
interface Scale {
  readonly uid: string;
  readonly replicas: number;
}

/**
 * Asks the owners of pods how many they want: a Deployment for those of its ReplicaSets, any other
 * owner for its own, custom resources by the scale that their definition names.
 */
export class Scales {
  private readonly replicaSets;
  private readonly deployments;
  private readonly statefulSets;
  private readonly replicationControllers;
  private readonly definitions;

  constructor(
    private readonly deps: ControllerDeps,
    private readonly served: ServedResources,
  ) {
    this.replicaSets = deps.informers.of(REPLICA_SETS);
    this.deployments = deps.informers.of(DEPLOYMENTS);
    this.statefulSets = deps.informers.of(STATEFUL_SETS);
    this.replicationControllers = deps.informers.of(REPLICATION_CONTROLLERS);
    this.definitions = deps.informers.of(CUSTOM_RESOURCE_DEFINITIONS);
  }

  get informers(): readonly Pick<Informer<ApiObject>, 'whenSynced'>[] {
    const { replicaSets, replicationControllers, deployments, statefulSets, definitions } = this;
    return [replicaSets, replicationControllers, deployments, statefulSets, definitions];
  }

  /** Tells of namespaces in which an owner wants another number of pods; returns the undo. */
  follow(name: string, onChange: (namespace: string) => void): () => void {
    const onUpdate = (owner: ApiObject, previous: ApiObject) => {
      if (scaled(owner)?.replicas !== scaled(previous)?.replicas)
        onChange(owner.metadata.namespace ?? '');
    };
    const { replicaSets, replicationControllers, deployments, statefulSets } = this;
    const undo = [
      replicaSets.subscribe({ name, onUpdate }),
      replicationControllers.subscribe({ name, onUpdate }),
      deployments.subscribe({ name, onUpdate }),
      statefulSets.subscribe({ name, onUpdate }),
    ];
    return () => undo.forEach((each) => each());
  }

  /** @throws UnknownScaleError for a pod whose owner is not there, or says no scale; ApiError */
  async expected(pods: readonly Pod[], signal: AbortSignal): Promise<ExpectedScale> {
    const replicas = new Map<string, number>();
    const asked = new Set<string>();
    const unmanaged: Pod[] = [];
    for (const pod of pods) {
      const owner = controllerOf(pod);
      if (owner === undefined) unmanaged.push(pod);
      else if (!asked.has(owner.uid)) {
        const found = await this.scaleOf(owner, pod.metadata.namespace ?? '', signal);
        if (found === undefined)
          throw new UnknownScaleError(`found no controllers for pod "${pod.metadata.name}"`);
        asked.add(owner.uid);
        replicas.set(found.uid, found.replicas);
      }
    }
    return { scale: [...replicas.values()].reduce((sum, n) => sum + n, 0), unmanaged };
  }

  private async scaleOf(
    owner: OwnerReference,
    namespace: string,
    signal: AbortSignal,
  ): Promise<Scale | undefined> {
    if (isOfKind(owner, STATEFUL_SETS)) return scaled(find(this.statefulSets, namespace, owner));
    if (isOfKind(owner, REPLICATION_CONTROLLERS))
      return scaled(find(this.replicationControllers, namespace, owner));
    if (!isOfKind(owner, REPLICA_SETS)) return this.customScale(owner, namespace, signal);
    const set = find(this.replicaSets, namespace, owner);
    const above = set && controllerOf(set);
    return above !== undefined && isOfKind(above, DEPLOYMENTS)
      ? scaled(find(this.deployments, namespace, above))
      : scaled(set);
  }

  private async customScale(
    owner: OwnerReference,
    namespace: string,
    signal: AbortSignal,
  ): Promise<Scale | undefined> {
    const { apiVersion, kind, name, uid } = owner;
    const resource = this.served.resources().find((each) => isOfKind(owner, each));
    if (resource === undefined)
      throw new UnknownScaleError(`no matches for kind "${kind}" in version "${apiVersion}"`);
    const path = this.replicasPath(resource, apiVersion);
    if (path === undefined) {
      const { plural, group } = resource;
      const called = group === '' ? plural : `${plural}.${group}`;
      throw new UnknownScaleError(`${called} does not implement the scale subresource`);
    }
    try {
      const object = await this.deps.client.get(resource, { namespace, name }, signal);
      return uidOf(object) === uid ? { uid, replicas: numberAt(object, path) } : undefined;
    } catch (error) {
      if (hasReason(error, 'NotFound')) return undefined;
      throw error;
    }
  }

  /** Where objects of a kind say how many pods they want: `['spec', 'replicas']`. */
  private replicasPath({ plural, group }: Resource, apiVersion: string): string[] | undefined {
    const { versions = [] } = this.definitions.get(`${plural}.${group}`)?.spec ?? {};
    const named = versions.find(({ name }) => apiVersion === `${groupOf(apiVersion)}/${name}`);
    return named?.subresources?.scale?.specReplicasPath.split('.').filter((step) => step !== '');
  }
}

/** Nobody knows how many pods there should be, and to ask again does not help until something changes. */
export class UnknownScaleError extends Error {}

const find = <T extends ApiObject>(
  informer: Informer<T>,
  namespace: string,
  { name, uid }: OwnerReference,
): T | undefined => {
  const object = informer.get(`${namespace}/${name}`);
  return object?.metadata.uid === uid ? object : undefined;
};

const scaled = (
  object: (ApiObject & { readonly spec?: { readonly replicas?: number } }) | undefined,
): Scale | undefined => object && { uid: uidOf(object), replicas: object.spec?.replicas ?? 1 };

const numberAt = (object: unknown, path: readonly string[]): number => {
  const value = path.reduce<unknown>(
    (inner, step) =>
      typeof inner === 'object' && inner !== null
        ? (inner as Readonly<Record<string, unknown>>)[step]
        : undefined,
    object,
  );
  return typeof value === 'number' ? value : 0;
};
