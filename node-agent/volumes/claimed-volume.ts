import {
  isBlock,
  isBoundPair,
  isForPod,
  isReachable,
  LOCAL_PATH,
  PROVISIONED_BY,
  VOLUME_NODE,
} from '../../api/volumes';
import type { PersistentVolume, PersistentVolumeClaim, Pod } from '../../api/types';
import { heldReasonOf } from '../../api/volume-hold';
import type { Volume } from './volume-content';

/** The claims of this node's pods, and the volumes behind them. */
export interface ClaimSource {
  claim(namespace: string, name: string): PersistentVolumeClaim | undefined;
  volume(name: string): PersistentVolume | undefined;
}

/** Of this node, what decides whether a volume can be reached from it. */
export interface ReachingNode {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
}

export interface ClaimContext {
  readonly claims: ClaimSource;
  readonly node: ReachingNode | undefined;
  /** Does the pod have the volume already? */
  readonly isUser: (volume: PersistentVolume) => boolean;
}

/**
 * Pure: the volume behind a claim of the pod. Both sides must name each other, or a pod might read
 * what is another claim's. @throws Error saying why it cannot be used here, or not yet
 */
export const claimedVolume = (
  pod: Pod,
  podVolume: Volume,
  claimName: string,
  { claims, node, isUser }: ClaimContext,
): PersistentVolume => {
  const claim = claims.claim(pod.metadata.namespace ?? '', claimName);
  if (claim === undefined) throw new Error(`persistentvolumeclaim "${claimName}" not found`);
  if (podVolume.ephemeral !== undefined && !isForPod(pod, claim))
    throw new Error(`PVC "${claimName}" was not created for pod "${pod.metadata.name}"`);
  const volume = claims.volume(claim.spec?.volumeName ?? '');
  if (volume === undefined || !isBoundPair(volume, claim))
    throw new Error(`PVC "${claimName}" is not bound`);
  // It stays for those that have it, and for nobody else.
  if (claim.metadata.deletionTimestamp !== undefined && !isUser(volume))
    throw new Error(`can't start pod because PVC "${claimName}" is being deleted`);
  const held = isUser(volume) ? undefined : heldReasonOf(volume);
  if (held !== undefined) throw new Error(`volume "${volume.metadata.name}" is held: ${held}`);
  checkUse(pod, podVolume.name, volume);
  checkKind(volume);
  checkPlace(volume, node);
  return volume;
};

/** As a device or as a folder? Source: pkg/kubelet/volumemanager, desired_state_of_world_populator.go */
const checkUse = ({ spec }: Pod, name: string, volume: PersistentVolume): void => {
  const { containers, initContainers = [], ephemeralContainers = [] } = spec;
  const all = [...containers, ...initContainers, ...ephemeralContainers];
  const isIn = (field: 'volumeMounts' | 'volumeDevices') =>
    all.some((container) => container[field]?.some((each) => each.name === name));
  const wrong = isBlock(volume) ? 'volumeMounts' : 'volumeDevices';
  if (!isIn(wrong)) return;
  const mode = isBlock(volume) ? 'Block' : 'Filesystem';
  throw new Error(`volume ${name} has volumeMode ${mode}, but is specified in ${wrong}`);
};

const checkKind = (volume: PersistentVolume): void => {
  const { spec, metadata } = volume;
  const { name } = metadata;
  const isDevice = spec?.csi !== undefined || (spec?.local !== undefined && !isFolderOf(volume));
  if (isBlock(volume) && !isDevice)
    throw new Error(
      `volume "${name}" has volumeMode Block, which only local volumes and those of CSI drivers can have`,
    );
  // Drivers and servers know what to do with them.
  const takesOptions = spec?.csi !== undefined || spec?.nfs !== undefined;
  if (!takesOptions && (spec?.mountOptions ?? []).length > 0)
    throw new Error(`volume "${name}" has mount options, which it cannot be mounted with`);
};

const checkPlace = (volume: PersistentVolume, node: ReachingNode | undefined): void => {
  const { name, annotations = {} } = volume.metadata;
  const place = annotations[VOLUME_NODE];
  // Labels may move from node to node, folders do not.
  if (isFolderOf(volume) && place !== node?.name)
    throw new Error(`volume "${name}" lies on node "${place ?? ''}"`);
  const { labels = {} } = node ?? {};
  if (!isReachable(volume, { metadata: { name: node?.name ?? '', labels } }))
    throw new Error(`volume "${name}" cannot be reached: no matching NodeSelectorTerms`);
};

/** Is it a folder that the agent itself makes and removes? */
export const isFolderOf = ({ metadata }: PersistentVolume): boolean =>
  metadata.annotations?.[PROVISIONED_BY] === LOCAL_PATH;
