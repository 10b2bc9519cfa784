import { createHash } from 'node:crypto';

import { networkMtuOf } from '../../api/network-mtu';
import type { ApiObject, ConfigMap, Node, Pod, Secret } from '../../api/types';
import { keyOf, nameKey, nameOf } from '../../api/types';
import type { AssignmentDelta, ObjectRef, Peer } from '../../proto/gen/dhow/agent/v1/agent';
import { stringifyJson } from '../../lib/json';

/** Everything one node should run and know, now. */
export interface NodeAssignments {
  readonly pods: readonly Pod[];
  readonly secrets: readonly Secret[];
  readonly configMaps: readonly ConfigMap[];
  readonly peers: readonly Peer[];
  /** The node itself, for admission there. */
  readonly node: Node;
}

export interface ObjectReferences {
  readonly secrets: readonly string[];
  readonly configMaps: readonly string[];
}

/** Names, in the pod's namespace, of the secrets and configmaps that its containers may read. */
export const referencesOf = ({ spec }: Pod): ObjectReferences => {
  const secrets = new Set<string>();
  const configMaps = new Set<string>();
  const add = (to: Set<string>, name: string | undefined) => {
    if (name !== undefined && name !== '') to.add(name);
  };
  for (const { name } of spec.imagePullSecrets ?? []) add(secrets, name);
  for (const container of [...(spec.initContainers ?? []), ...spec.containers]) {
    for (const { valueFrom } of container.env ?? []) {
      add(secrets, valueFrom?.secretKeyRef?.name);
      add(configMaps, valueFrom?.configMapKeyRef?.name);
    }
    for (const source of container.envFrom ?? []) {
      add(secrets, source.secretRef?.name);
      add(configMaps, source.configMapRef?.name);
    }
  }
  for (const volume of spec.volumes ?? []) {
    add(secrets, volume.secret?.secretName);
    add(configMaps, volume.configMap?.name);
    for (const source of volume.projected?.sources ?? []) {
      add(secrets, source.secret?.name);
      add(configMaps, source.configMap?.name);
    }
  }
  return { secrets: [...secrets], configMaps: [...configMaps] };
};

/** Collects what `pods` use. `find` looks an object up; what does not exist is left out. */
export const assignmentsOf = (
  pods: readonly Pod[],
  find: {
    readonly secret: (key: string) => Secret | undefined;
    readonly configMap: (key: string) => ConfigMap | undefined;
  },
  peers: readonly Peer[],
  node: Node,
): NodeAssignments => {
  const secrets = new Map<string, Secret>();
  const configMaps = new Map<string, ConfigMap>();
  for (const pod of pods) {
    const { namespace } = nameOf(pod);
    const references = referencesOf(pod);
    for (const name of references.secrets)
      collect(secrets, find.secret, nameKey({ namespace, name }));
    for (const name of references.configMaps)
      collect(configMaps, find.configMap, nameKey({ namespace, name }));
  }
  return {
    pods,
    secrets: [...secrets.values()],
    configMaps: [...configMaps.values()],
    peers,
    node,
  };
};

const collect = <T>(
  into: Map<string, T>,
  find: (key: string) => T | undefined,
  key: string,
): void => {
  if (into.has(key)) return;
  const object = find(key);
  if (object !== undefined) into.set(key, object);
};

/** The other nodes, as routes need them. */
export const peersOf = (nodes: readonly Node[]): Peer[] =>
  nodes.flatMap((node) => {
    const address = internalIpOf(node);
    const podCidr = node.spec.podCIDR;
    if (address === undefined || podCidr === undefined) return [];
    const { name: nodeName } = node.metadata;
    const mtu = networkMtuOf(node);
    return [{ nodeName, address, podCidr, unreachable: !isReady(node), mtu }];
  });

export const internalIpOf = ({ status }: Node): string | undefined =>
  status.addresses?.find(({ type }) => type === 'InternalIP')?.address;

export const isReady = ({ status }: Node): boolean =>
  status.conditions?.some(({ type, status: value }) => type === 'Ready' && value === 'True') ??
  false;

interface Sent {
  readonly ref: ObjectRef;
  readonly version: string;
  readonly digest: string;
}

/**
 * What one agent was told so far. `diff` compares with what it should know and returns the
 * difference, so nothing needs to be queued for a slow agent.
 */
export class SentAssignments {
  private readonly pods = new Map<string, Sent>();
  private readonly secrets = new Map<string, Sent>();
  private readonly configMaps = new Map<string, Sent>();
  private peers = '';
  private node = '';

  /** `onUnsendable` hears of each version of an object that cannot be sent; the others go. */
  constructor(
    private readonly onUnsendable: (object: ApiObject, error: unknown) => void = () => undefined,
  ) {}

  /** Undefined when nothing changed. */
  diff(wanted: NodeAssignments): AssignmentDelta | undefined {
    const { onUnsendable } = this;
    const uidOf = (pod: Pod) => pod.metadata.uid ?? keyOf(pod);
    const pods = diffObjects(this.pods, wanted.pods, uidOf, onUnsendable);
    const secrets = diffObjects(this.secrets, wanted.secrets, keyOf, onUnsendable);
    const configMaps = diffObjects(this.configMaps, wanted.configMaps, keyOf, onUnsendable);
    const peers = stringifyJson(wanted.peers);
    const peersChanged = peers !== this.peers;
    this.peers = peers;
    const node = stringifyJson(admissionFactsOf(wanted.node));
    const nodeChanged = node !== this.node;
    this.node = node;
    const changes = [pods, secrets, configMaps];
    if (
      !peersChanged &&
      !nodeChanged &&
      changes.every(({ changed, removed }) => changed.length + removed.length === 0)
    )
      return undefined;
    return {
      pods: pods.changed,
      removedPods: pods.removed,
      secrets: secrets.changed,
      removedSecrets: secrets.removed,
      configMaps: configMaps.changed,
      removedConfigMaps: configMaps.removed,
      peers: peersChanged ? [...wanted.peers] : [],
      peersChanged,
      node: Buffer.from(nodeChanged ? node : ''),
    };
  }
}

/** Of a Node, what decides whether a pod may be on it. */
const admissionFactsOf = ({ metadata: { name, labels = {} }, spec: { taints = [] } }: Node) => ({
  metadata: { name, labels },
  spec: { taints },
});

const diffObjects = <T extends ApiObject>(
  sent: Map<string, Sent>,
  wanted: readonly T[],
  keyFor: (object: T) => string,
  onUnsendable: (object: ApiObject, error: unknown) => void,
): { readonly changed: Buffer[]; readonly removed: ObjectRef[] } => {
  const changed: Buffer[] = [];
  const keys = new Set<string>();
  for (const object of wanted) {
    const key = keyFor(object);
    keys.add(key);
    const version = object.metadata.resourceVersion ?? '';
    const before = sent.get(key);
    if (before?.version === version) continue;
    try {
      const digest = digestOf(object);
      if (before?.digest !== digest) changed.push(encode(object));
      sent.set(key, { ref: refOf(object), version, digest });
    } catch (error) {
      // The agent keeps what it had of it, if anything.
      sent.set(key, { ref: refOf(object), digest: before?.digest ?? '', version });
      onUnsendable(object, error);
    }
  }
  const removed = [...sent].filter(([key]) => !keys.has(key));
  for (const [key] of removed) sent.delete(key);
  return { changed, removed: removed.map(([, { ref }]) => ref) };
};

const refOf = (object: ApiObject): ObjectRef => ({
  ...nameOf(object),
  uid: object.metadata.uid ?? '',
});

/** Field ownership can be larger than the object and no agent reads it. */
const encode = (object: ApiObject): Buffer => {
  const metadata = { ...object.metadata, managedFields: undefined };
  const bytes = Buffer.from(stringifyJson({ ...object, metadata }));
  if (bytes.length > MAX_OBJECT_BYTES) throw new Error(`it takes ${bytes.length} bytes`);
  return bytes;
};

/** A message carries one object at least; etcd takes 1.5 MB. */
const MAX_OBJECT_BYTES = 16 * 1024 * 1024;

/** An agent wrote the status itself: of it only what others decide is news, the readiness gates. */
const digestOf = (object: ApiObject): string => {
  const metadata = { ...object.metadata, managedFields: undefined, resourceVersion: undefined };
  const rest = { ...object, metadata, status: gatesOf(object) };
  return createHash('sha256').update(stringifyJson(rest)).digest('base64');
};

const gatesOf = ({ spec, status }: Partial<Pod>): readonly string[] =>
  (spec?.readinessGates ?? []).map(({ conditionType }) => {
    const condition = status?.conditions?.find(({ type }) => type === conditionType);
    return `${conditionType}=${condition?.status ?? ''}`;
  });
