import {
  ROW,
  type NetworkRowResource,
  type Peer,
  type PolicyRowResource,
  type RowResource,
} from '../../api/assignment-rows';
import {
  keyOf,
  type ApiObject,
  type ConfigMap,
  type Node,
  type PersistentVolume,
  type PersistentVolumeClaim,
  type Pod,
  type RuntimeClass,
  type Secret,
  type VolumeAttachment,
} from '../../api/types';
import { heldReasonOf } from '../../api/volume-hold';
import { stringifyJson } from '../../lib/json';
import { formatTraceparent } from '../../lib/tracing/traceparent';
import type { Tracing } from '../../lib/tracing/tracing';
import type { Changes } from '../../proto/gen/dhow/agent/v1/agent';
import type { ObjectView } from './deps';
import type { CsiView } from './csi-view';
import type { NetworkRows } from './network-rows';
import type { NodeVolumes } from './node-volumes';
import type { PeerView } from './peer-view';
import type { PodIndex } from './pod-index';
import type { PolicyRows } from './policies/policy-rows';
import type { PodTokens } from './pod-tokens';
import { REFERENCED, referencesOf, type ReferencedResource } from './pod-references';
import { SentRows, type WantedRow } from './sent-rows';

export interface AssignmentsDeps {
  readonly nodeName: string;
  readonly podIndex: Pick<PodIndex, 'podsOn'>;
  readonly secrets: Pick<ObjectView<Secret>, 'get'>;
  readonly configMaps: Pick<ObjectView<ConfigMap>, 'get'>;
  readonly claims: Pick<ObjectView<PersistentVolumeClaim>, 'get'>;
  readonly tokens: Pick<PodTokens, 'tokens'>;
  readonly nodeVolumes: Pick<NodeVolumes, 'volumesOf'>;
  readonly csi: Pick<CsiView, 'drivers' | 'attachmentsOf' | 'secretKeysOf'>;
  readonly runtimeClasses: Pick<ObjectView<RuntimeClass>, 'get'>;
  readonly peers: Pick<PeerView, 'peer' | 'peersOf'>;
  readonly networkRows: Pick<NetworkRows, 'rows' | 'changesOf'>;
  readonly policyRows: Pick<PolicyRows, 'rows' | 'changesOf'>;
  /** The node itself; undefined while it is not known. */
  readonly node: () => Node | undefined;
  /** Default: nothing is traced. */
  readonly tracing?: Pick<Tracing, 'pods'>;
  readonly onUnsendable: (object: ApiObject, error: unknown) => void;
}

/**
 * What one agent should run and know, against what it was told. Only kinds that were marked are looked
 * at again, and of peers only those that were: in a large cluster almost every change is of no concern
 * to almost every node. Of rows that are the same for all nodes it remembers no more than the keys that
 * are to be told.
 */
export class Assignments {
  private readonly marked = new Set<RowResource>(Object.values(ROW));
  private readonly markedPeers = new Set<string>();
  /** Keys by resource; undefined before the first `take`: all. */
  private markedNetwork: Map<NetworkRowResource, Set<string>> | undefined;
  private markedPolicies: Map<PolicyRowResource, Set<string>> | undefined;
  private readonly sent: SentRows;

  constructor(private readonly deps: AssignmentsDeps) {
    this.sent = new SentRows((resource, key, error) => {
      const object = this.find(resource, key);
      if (object !== undefined) deps.onUnsendable(object, error);
    });
  }

  /** Something of this kind may have changed for the node. */
  mark(resource: Exclude<RowResource, typeof ROW.peers>): void {
    this.marked.add(resource);
    // Other pods use other objects, other claims other volumes, and those other secrets.
    if (resource === ROW.pods) for (const each of REFERENCED) this.marked.add(each);
    if (this.marked.has(ROW.claims)) this.marked.add(ROW.volumes);
    if (this.marked.has(ROW.volumes)) this.marked.add(ROW.secrets);
  }

  markPeer(nodeName: string): void {
    if (nodeName !== this.deps.nodeName) this.markedPeers.add(nodeName);
  }

  markNetwork(resource: NetworkRowResource, key: string): void {
    markKey(this.markedNetwork, resource, key);
  }

  markPolicy(resource: PolicyRowResource, key: string): void {
    markKey(this.markedPolicies, resource, key);
  }

  get isMarked(): boolean {
    return this.isUrgent || this.isNetworkMarked;
  }

  /** Something is marked that cannot wait for more of its kind. */
  get isUrgent(): boolean {
    return this.marked.size + this.markedPeers.size > 0;
  }

  get isNetworkMarked(): boolean {
    return this.markedNetwork?.size !== 0 || this.markedPolicies?.size !== 0;
  }

  /** What is to be told now, in the order in which it is to come: what pods use before the pods. */
  take(): Changes {
    const parts = [
      this.policies(),
      this.network(),
      ...ORDER.filter((resource) => this.marked.has(resource)).map((resource) =>
        this.sent.replace(resource, this.rowsOf(resource)),
      ),
      ...(this.marked.has(ROW.peers) ? [] : [...this.markedPeers].map((name) => this.peer(name))),
    ];
    this.marked.clear();
    this.markedPeers.clear();
    return {
      rows: parts.flatMap(({ rows }) => rows),
      removed: parts.flatMap(({ removed }) => removed),
    };
  }

  private network(): Changes {
    const { networkRows } = this.deps;
    const marked = this.markedNetwork;
    this.markedNetwork = new Map();
    return marked === undefined
      ? { rows: networkRows.rows(), removed: [] }
      : networkRows.changesOf(marked);
  }

  private policies(): Changes {
    const { policyRows, nodeName } = this.deps;
    const marked = this.markedPolicies;
    this.markedPolicies = new Map();
    return marked === undefined
      ? { rows: policyRows.rows(nodeName), removed: [] }
      : policyRows.changesOf(nodeName, marked);
  }

  private peer(nodeName: string): Changes {
    const peer = this.deps.peers.peer(nodeName);
    return this.sent.set(ROW.peers, nodeName, peer && peerRow(peer));
  }

  private rowsOf(resource: RowResource): readonly WantedRow[] {
    const { nodeName, podIndex, peers, node } = this.deps;
    switch (resource) {
      case ROW.pods:
        return podIndex.podsOn(nodeName).map((pod) => this.podRow(pod));
      case ROW.secrets:
      case ROW.configMaps:
      case ROW.claims:
      case ROW.runtimeClasses:
        return this.usedObjects(resource).map((object) => objectRow(keyOf(object), object));
      case ROW.volumes:
        return this.volumes().map(volumeRow);
      case ROW.csiDrivers:
        return this.deps.csi.drivers().map((object) => objectRow(keyOf(object), object));
      case ROW.attachments:
        return this.deps.csi
          .attachmentsOf(nodeName)
          .map((object) => attachmentRow(keyOf(object), object));
      case ROW.tokens:
        return this.deps.tokens.tokens().map((token) => plainRow(token.key, token));
      case ROW.nodes:
        return [node()].flatMap((own) => (own === undefined ? [] : nodeRow(own)));
      case ROW.peers:
        return peers.peersOf(nodeName).map(peerRow);
    }
  }

  private podRow(pod: Pod): WantedRow {
    const row = objectRow(uidOf(pod), pod);
    const { tracing } = this.deps;
    // The agent is to trace a start, and no pod that runs already.
    if (tracing === undefined || pod.status.phase !== 'Pending') return row;
    const context = tracing.pods.of(uidOf(pod));
    return context === undefined ? row : { ...row, traceparent: formatTraceparent(context) };
  }

  /** What does not exist is left out. */
  private usedObjects(resource: ReferencedResource): readonly ApiObject[] {
    const { nodeName, podIndex } = this.deps;
    const keys = new Set([
      ...podIndex.podsOn(nodeName).flatMap((pod) => referencesOf(pod)[resource]),
      ...(resource === ROW.secrets ? this.deps.csi.secretKeysOf(nodeName) : []),
    ]);
    return [...keys].flatMap((key) => this.find(resource, key) ?? []);
  }

  private volumes(): readonly PersistentVolume[] {
    return this.deps.nodeVolumes.volumesOf(this.deps.nodeName);
  }

  private find(resource: RowResource, key: string): ApiObject | undefined {
    const { nodeName, podIndex, secrets, configMaps, claims, runtimeClasses, node } = this.deps;
    switch (resource) {
      case ROW.pods:
        return podIndex.podsOn(nodeName).find((pod) => uidOf(pod) === key);
      case ROW.secrets:
        return secrets.get(key);
      case ROW.configMaps:
        return configMaps.get(key);
      case ROW.claims:
        return claims.get(key);
      case ROW.volumes:
        return this.volumes().find((volume) => uidOf(volume) === key);
      case ROW.csiDrivers:
        return this.deps.csi.drivers().find((driver) => keyOf(driver) === key);
      case ROW.attachments:
        return this.deps.csi.attachmentsOf(nodeName).find((each) => keyOf(each) === key);
      case ROW.runtimeClasses:
        return runtimeClasses.get(key);
      case ROW.nodes:
        return node();
      case ROW.tokens:
      case ROW.peers:
        return undefined;
    }
  }
}

/** Without any map all are marked already. */
const markKey = <R>(marked: Map<R, Set<string>> | undefined, resource: R, key: string): void => {
  const keys = marked?.get(resource);
  if (keys === undefined) marked?.set(resource, new Set([key]));
  else keys.add(key);
};

const ORDER = [
  ...[ROW.nodes, ROW.peers, ROW.volumes, ROW.tokens, ROW.csiDrivers, ROW.attachments],
  ...REFERENCED,
  ROW.pods,
] as const;

const uidOf = (object: ApiObject): string => object.metadata.uid ?? keyOf(object);

/** Field ownership can be larger than the object and no agent reads it. */
const objectRow = (key: string, object: ApiObject): WantedRow => ({
  key,
  version: object.metadata.resourceVersion,
  essence: () => {
    const metadata = { ...object.metadata, managedFields: undefined, resourceVersion: undefined };
    return stringifyJson({ ...object, metadata, status: gatesOf(object) });
  },
  json: () => {
    const metadata = { ...object.metadata, managedFields: undefined };
    const bytes = Buffer.from(stringifyJson({ ...object, metadata }));
    if (bytes.length > MAX_OBJECT_BYTES) throw new Error(`it takes ${bytes.length} bytes`);
    return bytes;
  },
});

/** What it is held for is no part of the version. */
const volumeRow = (volume: PersistentVolume): WantedRow => {
  const row = objectRow(uidOf(volume), volume);
  return heldReasonOf(volume) === undefined ? row : { ...row, version: undefined };
};

/** Its status is what the node waits for. */
const attachmentRow = (key: string, attachment: VolumeAttachment): WantedRow => ({
  ...objectRow(key, attachment),
  essence: () =>
    stringifyJson([attachment.metadata.deletionTimestamp, attachment.spec, attachment.status]),
});

/** A message carries one object at least; etcd takes 1.5 MB. */
const MAX_OBJECT_BYTES = 16 * 1024 * 1024;

/** An agent wrote the status itself: of it only what others decide is news, the readiness gates. */
const gatesOf = ({ spec, status }: Partial<Pod>): readonly string[] =>
  (spec?.readinessGates ?? []).map(({ conditionType }) => {
    const condition = status?.conditions?.find(({ type }) => type === conditionType);
    return `${conditionType}=${condition?.status ?? ''}`;
  });

const plainRow = (key: string, value: object): WantedRow => {
  const text = stringifyJson(value);
  return { key, version: undefined, essence: () => text, json: () => Buffer.from(text) };
};

const peerRow = (peer: Peer): WantedRow => plainRow(peer.nodeName, peer);

/** Of a Node, what decides whether a pod may be on it. */
const nodeRow = ({ metadata: { name, labels = {} }, spec: { taints = [] } }: Node): WantedRow =>
  plainRow(name, { metadata: { name, labels }, spec: { taints } });
