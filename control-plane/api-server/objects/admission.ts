import { ApiError, notFound } from '../../../api/errors';
import { qosClassOf } from '../../../api/pods';
import type { ApiObject, PodSpec } from '../../../api/types';
import { listAt, textAt, type MutableObject } from '../kinds/mutable';
import { storeNameOf, type ServedKind } from '../kinds/served-kind';
import type { WriteContext } from './write-context';

/** Reads other objects that admission must look at. */
export interface AdmissionReader {
  /** Cached, or the newest state when the cache has none. */
  find(
    plural: string,
    namespace: string,
    name: string,
    signal: AbortSignal,
  ): Promise<ApiObject | undefined>;
}

/** What the server adds to or refuses in a write, beyond what the object alone can tell. */
export class Admission {
  constructor(
    private readonly reader: AdmissionReader,
    private readonly evictionSeconds: number,
  ) {}

  /** @throws NotFound, Forbidden */
  async admitCreate(
    kind: ServedKind,
    object: MutableObject,
    { signal }: WriteContext,
  ): Promise<void> {
    if (kind.resource.isNamespaced) await this.checkNamespace(kind, object, signal);
    if (isPod(kind)) await this.admitPod(kind, object, signal);
  }

  /** @throws Forbidden */
  async admitUpdate(kind: ServedKind, object: MutableObject, old: ApiObject): Promise<void> {
    checkFinalizers(object, old);
    // A second apply lists only the author's own tolerations; ours are added again, as upstream does.
    if (isPod(kind)) this.addDefaultTolerations((object.spec ??= {}));
  }

  private async checkNamespace(
    kind: ServedKind,
    object: MutableObject,
    signal: AbortSignal,
  ): Promise<void> {
    const name = object.metadata.namespace ?? '';
    const namespace = await this.reader.find('namespaces', '', name, signal);
    if (namespace === undefined) throw notFound('namespaces', '', name);
    if (namespace.metadata.deletionTimestamp === undefined) return;
    throw forbidden(
      kind,
      object,
      `unable to create new content in namespace ${name} because it is being terminated`,
      [
        {
          reason: 'NamespaceTerminating',
          message: `namespace ${name} is being terminated`,
          field: 'metadata.namespace',
        },
      ],
    );
  }

  private async admitPod(kind: ServedKind, pod: MutableObject, signal: AbortSignal): Promise<void> {
    const spec = (pod.spec ??= {});
    await this.admitServiceAccount(kind, pod, signal);
    await this.admitPriority(kind, pod, signal);
    // After defaulting: a limit without a request is a request.
    if (Array.isArray(spec['containers']))
      pod.status = { ...pod.status, qosClass: qosClassOf(spec as unknown as PodSpec) };
    this.addDefaultTolerations(spec);
  }

  private addDefaultTolerations(spec: Record<string, unknown>): void {
    const tolerations = listAt(spec, 'tolerations');
    const added = defaultTolerations(this.evictionSeconds).filter(
      ({ key }) => !isNoExecuteTolerated(tolerations, key),
    );
    if (added.length > 0) spec['tolerations'] = [...tolerations, ...structuredClone(added)];
  }

  /** The default account may not be there yet in a new namespace; any other must be. */
  private async admitServiceAccount(
    kind: ServedKind,
    pod: MutableObject,
    signal: AbortSignal,
  ): Promise<void> {
    const spec = (pod.spec ??= {});
    const given = textAt(spec, 'serviceAccountName') || textAt(spec, 'serviceAccount');
    const name = given === '' ? 'default' : given;
    spec['serviceAccountName'] = name;
    spec['serviceAccount'] = name;
    const namespace = pod.metadata.namespace ?? '';
    if (name === 'default') return;
    const account = await this.reader.find('serviceaccounts', namespace, name, signal);
    if (account === undefined)
      throw forbidden(
        kind,
        pod,
        `error looking up service account ${namespace}/${name}: serviceaccount "${name}" not found`,
      );
  }

  private async admitPriority(
    kind: ServedKind,
    pod: MutableObject,
    signal: AbortSignal,
  ): Promise<void> {
    const spec = (pod.spec ??= {});
    const name = textAt(spec, 'priorityClassName');
    const builtIn = SYSTEM_PRIORITIES.get(name);
    if (name === '') spec['priority'] ??= 0;
    else if (builtIn !== undefined) spec['priority'] = builtIn;
    else {
      const found = await this.reader.find('priorityclasses.scheduling.k8s.io', '', name, signal);
      if (found === undefined)
        throw forbidden(kind, pod, `no PriorityClass with name ${name} was found`);
      spec['priority'] = (found as unknown as { value?: number }).value ?? 0;
    }
    spec['preemptionPolicy'] ??= 'PreemptLowerPriority';
  }
}

export const forbidden = (
  kind: ServedKind,
  { metadata }: ApiObject,
  why: string,
  causes?: readonly { reason: string; message: string; field: string }[],
): ApiError =>
  new ApiError('Forbidden', `${storeNameOf(kind)} "${metadata.name}" is forbidden: ${why}`, {
    details: {
      name: metadata.name,
      ...(kind.resource.group === '' ? {} : { group: kind.resource.group }),
      kind: kind.resource.plural,
      ...(causes === undefined ? {} : { causes }),
    },
  });

const isPod = ({ resource }: ServedKind): boolean =>
  resource.group === '' && resource.kind === 'Pod';

const checkFinalizers = (object: MutableObject, old: ApiObject): void => {
  if (old.metadata.deletionTimestamp === undefined) return;
  const before = new Set(old.metadata.finalizers ?? []);
  const added = (object.metadata.finalizers ?? []).filter((finalizer) => !before.has(finalizer));
  if (added.length === 0) return;
  throw new ApiError(
    'Invalid',
    `${object.kind} "${object.metadata.name}" is invalid: metadata.finalizers: Forbidden: no new ` +
      'finalizers can be added if the object is being deleted, found new finalizers ' +
      `[]string{${added.map((name) => JSON.stringify(name)).join(', ')}}`,
    { details: { name: object.metadata.name, kind: object.kind } },
  );
};

const isNoExecuteTolerated = (tolerations: readonly unknown[], key: string): boolean =>
  tolerations.some((toleration) => {
    const [ownKey, effect] = [textAt(toleration, 'key'), textAt(toleration, 'effect')];
    return (
      (ownKey === key || (ownKey === '' && textAt(toleration, 'operator') === 'Exists')) &&
      (effect === 'NoExecute' || effect === '')
    );
  });

/** A pod stays this long on a node that has gone silent. */
const defaultTolerations = (tolerationSeconds: number) =>
  ['not-ready', 'unreachable'].map((condition) => ({
    effect: 'NoExecute',
    key: `node.kubernetes.io/${condition}`,
    operator: 'Exists',
    tolerationSeconds,
  }));

const SYSTEM_PRIORITIES: ReadonlyMap<string, number> = new Map([
  ['system-cluster-critical', 2_000_000_000],
  ['system-node-critical', 2_000_001_000],
]);
