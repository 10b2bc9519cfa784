import { createHash } from 'node:crypto';

import { tokenKey } from '../../api/assignment-rows';
import {
  uidOf,
  type CSIDriver,
  type PersistentVolume,
  type Pod,
  type VolumeAttachment,
} from '../../api/types';
import { attachmentNameOf, isBlock } from '../../api/volumes';
import { rfc3339 } from '../../lib/clock';
import { parseJson, stringifyJson } from '../../lib/json';
import {
  VolumeCapability_AccessMode_Mode as Mode,
  type VolumeCapability,
} from '../../proto/gen/csi/v1/node';
import type { ObjectSource } from '../pod-spec/environment';
import type { CsiVolume } from '../volumes/csi-volume';
import { NotYetError, type ContentSource, type Volume } from '../volumes/volume-content';
import { Capability } from './csi-driver';

export interface CsiObjects {
  csiDriver(name: string): CSIDriver | undefined;
  attachment(name: string): VolumeAttachment | undefined;
}

/** All that drivers are told by is known here: pure, from the objects that the node has. */
export interface RequestSource {
  readonly pod: Pod;
  readonly nodeName: string;
  readonly objects: ObjectSource;
  readonly csi: CsiObjects;
  readonly tokens: ContentSource['tokens'];
}

type PersistentSource = NonNullable<NonNullable<PersistentVolume['spec']>['csi']>;

export const sourceOf = (volume: CsiVolume): PersistentSource | NonNullable<Volume['csi']> =>
  'inline' in volume ? volume.inline : (volume.volume.spec?.csi as PersistentSource);

export const driverNameOf = (volume: CsiVolume): string => sourceOf(volume).driver;

/** Is it a block device? What lives with its pod never is. */
export const isDevice = (volume: CsiVolume): boolean =>
  'volume' in volume && isBlock(volume.volume);

/** The name of its folder: of the PersistentVolume, or within the pod. */
export const specNameOf = (volume: CsiVolume): string =>
  'inline' in volume ? volume.name : volume.volume.metadata.name;

/** Of a volume that lives with its pod, the handle is made up. Source: pkg/volume/csi, makeVolumeHandle */
export const handleOf = (pod: Pod, volume: CsiVolume): string =>
  'inline' in volume
    ? `csi-${sha256(`${uidOf(pod)}${volume.name}`)}`
    : (volume.volume.spec?.csi?.volumeHandle ?? '');

/** @throws Error when the driver does not do volumes of this life, in upstream's words */
export const checkMode = (volume: CsiVolume, driver: CSIDriver | undefined): void => {
  const name = driverNameOf(volume);
  const mode = 'inline' in volume ? 'Ephemeral' : 'Persistent';
  if (driver === undefined && mode === 'Persistent') return;
  if (driver === undefined)
    throw new Error(`volume mode "${mode}" not supported by driver ${name} (no CSIDriver object)`);
  const { volumeLifecycleModes: modes = ['Persistent'] } = driver.spec ?? {};
  if (!modes.includes(mode))
    throw new Error(
      `volume mode "${mode}" not supported by driver ${name} (only supports ${stringifyJson(modes)})`,
    );
};

/** What attaching has told, for the driver. @throws NotYetError until it is attached */
export const publishContextOf = (
  volume: CsiVolume,
  { csi, nodeName }: Pick<RequestSource, 'csi' | 'nodeName'>,
): Record<string, string> => {
  if ('inline' in volume) return {};
  const driver = driverNameOf(volume);
  if (csi.csiDriver(driver)?.spec?.attachRequired === false) return {};
  const handle = volume.volume.spec?.csi?.volumeHandle ?? '';
  const attachment = csi.attachment(attachmentNameOf(handle, driver, nodeName));
  if (attachment?.status?.attached !== true || attachment.metadata.deletionTimestamp !== undefined)
    throw new NotYetError(`volume ${handle} is not attached yet`);
  return { ...attachment.status.attachmentMetadata };
};

/** Source: pkg/volume/csi, getPodInfoAttrs and the tokens beside them. @throws NotYetError */
export const volumeContextOf = (
  volume: CsiVolume,
  { pod, csi, tokens }: Pick<RequestSource, 'pod' | 'csi' | 'tokens'>,
): { readonly context: Record<string, string>; readonly tokens: Record<string, string> } => {
  const { spec } = csi.csiDriver(driverNameOf(volume)) ?? {};
  const issued = tokensFor(pod, spec, tokens);
  return {
    context: {
      ...sourceOf(volume).volumeAttributes,
      ...(spec?.podInfoOnMount === true ? podInfo(pod, 'inline' in volume) : {}),
      ...(spec?.serviceAccountTokenInSecrets === true ? {} : issued),
    },
    tokens: spec?.serviceAccountTokenInSecrets === true ? issued : {},
  };
};

const podInfo = (pod: Pod, isEphemeral: boolean): Record<string, string> => ({
  'csi.storage.k8s.io/pod.name': pod.metadata.name,
  'csi.storage.k8s.io/pod.namespace': pod.metadata.namespace ?? '',
  'csi.storage.k8s.io/pod.uid': uidOf(pod),
  'csi.storage.k8s.io/serviceAccount.name': pod.spec.serviceAccountName ?? '',
  'csi.storage.k8s.io/ephemeral': String(isEphemeral),
});

const tokensFor = (
  pod: Pod,
  spec: CSIDriver['spec'] | undefined,
  tokens: ContentSource['tokens'],
): Record<string, string> => {
  const { tokenRequests = [] } = spec ?? {};
  if (tokenRequests.length === 0) return {};
  const issued = tokenRequests.map((order) => {
    const found = tokens(tokenKey(uidOf(pod), order));
    if (found === undefined) throw new NotYetError('its token has not come yet');
    if (found.token === undefined)
      throw new Error(`failed to fetch token: ${found.error ?? 'there is none'}`);
    const expirationTimestamp = expiryOf(found.token);
    return [order.audience, { token: found.token, expirationTimestamp }] as const;
  });
  return { 'csi.storage.k8s.io/serviceAccount.tokens': stringifyJson(Object.fromEntries(issued)) };
};

/** When a token that this cluster has issued runs out; `''` of one that does not say. */
const expiryOf = (token: string): string => {
  try {
    const [, payload = ''] = token.split('.');
    const { exp } = parseJson(Buffer.from(payload, 'base64url')) as { exp?: number };
    return exp === undefined ? '' : rfc3339(exp * 1000);
  } catch {
    return '';
  }
};

/** @throws Error naming the secret that is missing */
export const secretsFor = (
  step: SecretStep,
  volume: CsiVolume,
  { pod, objects }: Pick<RequestSource, 'pod' | 'objects'>,
): Record<string, string> => {
  const ref = secretRefOf(step, volume, pod);
  if (ref === undefined) return {};
  const { namespace, name } = ref;
  const secret = objects.secret(namespace, name);
  if (secret === undefined)
    throw new Error(
      `fetching ${step}SecretRef ${namespace}/${name} failed: secrets "${name}" not found`,
    );
  return Object.fromEntries(
    Object.entries(secret.data ?? {}).map(([key, value]) => [
      key,
      Buffer.from(value, 'base64').toString(),
    ]),
  );
};

type SecretStep = 'NodeStage' | 'NodePublish' | 'NodeExpand';

const secretRefOf = (step: SecretStep, volume: CsiVolume, pod: Pod) => {
  if ('inline' in volume) {
    const { name = '' } = volume.inline.nodePublishSecretRef ?? {};
    const namespace = pod.metadata.namespace ?? '';
    return step !== 'NodePublish' || name === '' ? undefined : { namespace, name };
  }
  const { nodeStageSecretRef, nodePublishSecretRef, nodeExpandSecretRef } =
    volume.volume.spec?.csi ?? {};
  const refs = {
    NodeStage: nodeStageSecretRef,
    NodePublish: nodePublishSecretRef,
    NodeExpand: nodeExpandSecretRef,
  };
  const { namespace = '', name = '' } = refs[step] ?? {};
  return name === '' ? undefined : { namespace, name };
};

/** How the driver is to show the volume. `groupId`: of drivers that give it to a group themselves. */
export const capabilityOf = (
  volume: CsiVolume,
  can: ReadonlySet<Capability>,
  groupId: number | undefined,
): VolumeCapability => {
  const spec = 'inline' in volume ? undefined : volume.volume.spec;
  const hasGroup = groupId !== undefined && can.has(Capability.VOLUME_MOUNT_GROUP);
  const mount = {
    fsType: sourceOf(volume).fsType ?? '',
    mountFlags: [...(spec?.mountOptions ?? [])],
    volumeMountGroup: hasGroup ? String(groupId) : '',
  };
  return {
    accessType: isDevice(volume) ? { $case: 'block', value: {} } : { $case: 'mount', value: mount },
    accessMode: {
      mode: modeOf(
        spec?.accessModes?.[0] ?? 'ReadWriteOnce',
        can.has(Capability.SINGLE_NODE_MULTI_WRITER),
      ),
    },
  };
};

/** Source: pkg/volume/csi, asCSIAccessModeV1 */
const modeOf = (mode: string, hasMultiWriter: boolean): Mode => {
  switch (mode) {
    case 'ReadOnlyMany':
      return Mode.MULTI_NODE_READER_ONLY;
    case 'ReadWriteMany':
      return Mode.MULTI_NODE_MULTI_WRITER;
    case 'ReadWriteOncePod':
      return hasMultiWriter ? Mode.SINGLE_NODE_SINGLE_WRITER : Mode.SINGLE_NODE_WRITER;
    default:
      return hasMultiWriter ? Mode.SINGLE_NODE_MULTI_WRITER : Mode.SINGLE_NODE_WRITER;
  }
};

/** Is the volume to be given to the pod's group by the agent? Source: pkg/volume/csi, supportsFSGroup */
export const givesToGroup = (volume: CsiVolume, driver: CSIDriver | undefined): boolean => {
  switch (driver?.spec?.fsGroupPolicy ?? 'ReadWriteOnceWithFSType') {
    case 'None':
      return false;
    case 'File':
      return true;
    default:
      return (
        (sourceOf(volume).fsType ?? '') !== '' &&
        ('inline' in volume || volume.volume.spec?.accessModes?.includes('ReadWriteOnce') === true)
      );
  }
};

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
