import { notFound } from '../../../api/errors';
import { forbidden as forbiddenField, invalidError } from '../../../api/validation/field-error';
import type { AdmissionReader } from './admission-reader';
import { forbidden } from './forbidden';
import { checkNodeWrite } from './node-admission';
import {
  changesPodSecurity,
  checkNamespaceSecurity,
  checkPodSecurity,
} from './pod-security-admission';
import { admitPriority, checkDefaultPriority } from './priority-admission';
import { qosClassOf } from '../../../api/pods';
import type { ApiObject, PodSpec } from '../../../api/types';
import type { Authorizer } from '../auth/authorizer';
import { checkGrant } from '../auth/grants';
import { listAt, textAt, type MutableObject } from '../kinds/mutable';
import type { ServedKind } from '../kinds/served-kind';
import type { WriteGuard } from '../../store/store';
import { versionOf } from './item';
import type { WriteContext } from './write-context';
import { cloneJson } from '../../../api/json-value';

/** What the server adds to or refuses in a write, beyond what the object alone can tell. */
export class Admission {
  constructor(
    private readonly reader: AdmissionReader,
    private readonly authorizer: Authorizer,
    private readonly evictionSeconds: number,
  ) {}

  /**
   * What of a write depends on who writes: `old` is undefined for a create, whose object has the name
   * that it will have. @throws Forbidden
   */
  checkRights(
    kind: ServedKind,
    object: MutableObject,
    old: ApiObject | undefined,
    { permit, subresource }: WriteContext,
  ): void {
    const nodes = () => this.reader.list('nodes');
    checkNodeWrite(kind, object, old, permit.user, subresource, nodes);
    checkGrant(kind, object, old, permit.user, this.authorizer);
  }

  /**
   * Returns what must still be as admission saw it when the object is stored.
   * @param isAgain A write by an earlier answer was too late: caches have been behind.
   * @throws NotFound, Forbidden
   */
  async admitCreate(
    kind: ServedKind,
    object: MutableObject,
    { warnings, signal }: WriteContext,
    isAgain: boolean,
  ): Promise<WriteGuard | undefined> {
    const namespace = kind.resource.isNamespaced
      ? await this.openNamespace(kind, object, isAgain, signal)
      : undefined;
    if (isPod(kind)) await this.admitPod(kind, object, signal);
    checkDefaultPriority(kind, object, this.reader);
    checkNamespaceSecurity(kind, object, undefined, this.reader, warnings);
    if (namespace === undefined) return undefined;
    checkPodSecurity(kind, object, namespace, warnings);
    return guardOn(namespace);
  }

  /** @throws Forbidden */
  async admitUpdate(
    kind: ServedKind,
    object: MutableObject,
    old: ApiObject,
    context: WriteContext,
  ): Promise<void> {
    this.checkRights(kind, object, old, context);
    checkFinalizers(kind, object, old);
    checkDefaultPriority(kind, object, this.reader);
    // A second apply lists only the author's own tolerations; ours are added again, as upstream does.
    if (isPod(kind)) this.addDefaultTolerations((object.spec ??= {}));
    checkNamespaceSecurity(kind, object, old, this.reader, context.warnings);
    await this.checkPodUpdate(kind, object, old, context);
  }

  private async checkPodUpdate(
    kind: ServedKind,
    object: MutableObject,
    old: ApiObject,
    { subresource, warnings, signal }: WriteContext,
  ): Promise<void> {
    const { namespace: name = '' } = object.metadata;
    if (subresource !== '' || name === '' || !changesPodSecurity(object, old)) return;
    const namespace = await this.reader.find(NAMESPACE_STORE, '', name, signal);
    if (namespace !== undefined) checkPodSecurity(kind, object, namespace, warnings);
  }

  /** The object's namespace, which takes new objects. */
  private async openNamespace(
    kind: ServedKind,
    object: MutableObject,
    isAgain: boolean,
    signal: AbortSignal,
  ): Promise<ApiObject> {
    const name = object.metadata.namespace ?? '';
    const find = isAgain ? this.reader.findNewest : this.reader.find;
    const namespace = await find(NAMESPACE_STORE, '', name, signal);
    if (namespace === undefined) throw notFound('namespaces', '', name);
    if (namespace.metadata.deletionTimestamp === undefined) return namespace;
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
    await admitPriority(kind, pod, this.reader, signal);
    refuseRuntimeClass(kind, pod);
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
    if (added.length > 0) spec['tolerations'] = [...tolerations, ...cloneJson(added)];
  }

  /**
   * A pod without secrets to pull by has those of its account. The default account may not be there
   * yet in a new namespace; any other must be.
   */
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
    const account = await this.reader.find('serviceaccounts', namespace, name, signal);
    const secrets = listAt(account, 'imagePullSecrets');
    if (listAt(spec, 'imagePullSecrets').length === 0 && secrets.length > 0)
      spec['imagePullSecrets'] = cloneJson(secrets);
    if (account === undefined && name !== 'default')
      throw forbidden(
        kind,
        pod,
        `error looking up service account ${namespace}/${name}: serviceaccount "${name}" not found`,
      );
  }
}

/** Whoever empties a namespace that is deleted must see all that was ever made in it. */
const guardOn = (namespace: ApiObject): WriteGuard => ({
  key: { resource: NAMESPACE_STORE, namespace: '', name: namespace.metadata.name },
  version: versionOf(namespace),
});

const NAMESPACE_STORE = 'namespaces';

/** Whoever asks for a sandbox must not run without: there are no classes that could be found. */
const refuseRuntimeClass = (kind: ServedKind, pod: MutableObject): void => {
  const name = textAt(pod, 'spec', 'runtimeClassName');
  if (name !== '') throw forbidden(kind, pod, `pod rejected: RuntimeClass "${name}" not found`);
};

const isPod = ({ resource }: ServedKind): boolean =>
  resource.group === '' && resource.kind === 'Pod';

const checkFinalizers = ({ resource }: ServedKind, object: MutableObject, old: ApiObject): void => {
  if (old.metadata.deletionTimestamp === undefined) return;
  const before = new Set(old.metadata.finalizers ?? []);
  const added = (object.metadata.finalizers ?? []).filter((finalizer) => !before.has(finalizer));
  if (added.length === 0) return;
  const why =
    'no new finalizers can be added if the object is being deleted, found new finalizers ' +
    `[]string{${added.map((name) => JSON.stringify(name)).join(', ')}}`;
  throw invalidError(resource, object.metadata.name, [forbiddenField('metadata.finalizers', why)]);
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
