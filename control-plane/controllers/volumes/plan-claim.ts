import { compareQuantities } from '../../../api/quantity';
import { PERSISTENT_VOLUMES } from '../../../api/resources';
import { keyOf, type PersistentVolume, type PersistentVolumeClaim } from '../../../api/types';
import {
  annotated,
  bestVolumeFor,
  BIND_COMPLETED,
  BOUND_BY_CONTROLLER,
  classNameOf,
  isAboutToFit,
  isBindCompleted,
  isBoundPair,
  isKeptFor,
  keptFor,
  mismatchOf,
  SELECTED_NODE,
  STORAGE_PROVISIONER,
  STORAGE_PROVISIONER_BETA,
  storageOf,
} from '../../../api/volumes';
import { planClaimProtection } from './plan-protection';
import {
  claimPhase,
  claimWrite,
  NOTHING,
  volumeWrite,
  type Step,
  type Told,
  type VolumeWorld,
} from './step';

/**
 * What to write next for a claim. Binding takes four writes, the volume's side first: from then on
 * nobody else gets the volume, however long the rest takes. Source: upstream's pv_controller.go,
 * syncUnboundClaim and syncBoundClaim.
 */
export const planClaim = (claim: PersistentVolumeClaim, world: VolumeWorld): Step =>
  planClaimProtection(claim, world) ??
  (isBindCompleted(claim) ? planBound(claim, world) : planUnbound(claim, world));

const planUnbound = (claim: PersistentVolumeClaim, world: VolumeWorld): Step => {
  const { volumeName = '' } = claim.spec ?? {};
  if (claim.metadata.deletionTimestamp !== undefined) return NOTHING;
  if (volumeName !== '') return planNamed(claim, volumeName, world);
  const waits = isWaitingForConsumer(claim, world);
  const volume = bestVolumeFor(claim, world.volumes(), { isReservedOnly: waits });
  if (volume !== undefined) return bind(volume, claim);
  if (waits) return pending(claim, consumerTold(claim, world));
  // Its turn comes again when that volume is available.
  if ([...world.volumes()].some((each) => isAboutToFit(each, claim))) return pending(claim);
  if (classNameOf(claim) !== '') return provision(claim, world);
  const message = 'no persistent volumes available for this claim and no storage class is set';
  return pending(claim, { type: 'Normal', reason: 'FailedBinding', message });
};

/** The user, or an earlier write of ours, has named the volume. */
const planNamed = (claim: PersistentVolumeClaim, name: string, world: VolumeWorld): Step => {
  const volume = world.volume(name);
  if (volume === undefined) return pending(claim);
  if (volume.spec?.claimRef === undefined) {
    const why = mismatchOf(volume, claim);
    if (why === undefined) return bind(volume, claim);
    const message = `Cannot bind to requested volume "${name}": ${why}`;
    return pending(claim, { type: 'Warning', reason: 'VolumeMismatch', message });
  }
  if (isKeptFor(volume, claim)) return bind(volume, claim);
  const message = `volume "${name}" already bound to a different claim.`;
  return pending(claim, { type: 'Warning', reason: 'FailedBinding', message });
};

/** It had a volume once: if that is not its own any more, no other may take its place. */
const planBound = (claim: PersistentVolumeClaim, world: VolumeWorld): Step => {
  const { volumeName = '' } = claim.spec ?? {};
  if (volumeName === '')
    return lost(
      claim,
      'ClaimLost',
      'Bound claim has lost reference to PersistentVolume. Data on the volume is lost!',
    );
  const volume = world.volume(volumeName);
  if (volume === undefined)
    return {
      ...lost(
        claim,
        'ClaimLost',
        'Bound claim has lost its PersistentVolume. Data on the volume is lost!',
      ),
      ifGone: { resource: PERSISTENT_VOLUMES, key: { namespace: '', name: volumeName } },
    };
  const { claimRef } = volume.spec ?? {};
  if (claimRef === undefined || isBoundPair(volume, claim)) return bind(volume, claim);
  return lost(
    claim,
    'ClaimMisbound',
    'Two claims are bound to the same volume, this one is bound incorrectly',
  );
};

/** The first of the four writes that is missing. */
const bind = (volume: PersistentVolume, claim: PersistentVolumeClaim): Step => {
  const { accessModes = [], capacity = {}, claimRef } = volume.spec ?? {};
  if (claimRef?.uid !== claim.metadata.uid) return volumeWrite(keptFor(volume, claim));
  if (volume.status?.phase !== 'Bound') {
    const { message: _why, reason: _reason, ...status } = volume.status ?? {};
    const object = { ...volume, status: { ...status, phase: 'Bound' } };
    return { kind: 'volume', object, isStatus: true };
  }
  if (claim.spec?.volumeName !== volume.metadata.name || !isBindCompleted(claim))
    return claimWrite(withVolume(claim, volume.metadata.name));
  // Kept while it grows: what holds the data says when it has.
  const isKept = claim.status?.phase === 'Bound' && claim.status.capacity !== undefined;
  const status = { phase: 'Bound', accessModes, ...(isKept ? {} : { capacity }) };
  return claimPhase(claim, status, isKept ? growthTold(volume, claim) : undefined);
};

/** Source: pkg/controller/volume/expand, syncHandler: whoever made the volume is to make it larger. */
const growthTold = (volume: PersistentVolume, claim: PersistentVolumeClaim): Told | undefined => {
  const asked = storageOf(claim.spec?.resources?.requests);
  const isDue =
    volume.spec?.csi !== undefined &&
    compareQuantities(asked, storageOf(claim.status?.capacity)) > 0 &&
    compareQuantities(asked, storageOf(volume.spec.capacity)) > 0;
  if (!isDue) return undefined;
  const message = 'waiting for an external controller to expand this PVC';
  return { type: 'Normal', reason: 'ExternalExpanding', message };
};

const withVolume = (claim: PersistentVolumeClaim, volumeName: string): PersistentVolumeClaim => {
  const isByUser = (claim.spec?.volumeName ?? '') !== '';
  const named = { ...claim, spec: { ...claim.spec, volumeName } };
  return annotated(named, {
    [BIND_COMPLETED]: 'yes',
    ...(isByUser ? {} : { [BOUND_BY_CONTROLLER]: 'yes' }),
  });
};

/** Is it for the scheduler to choose where it goes, and has it not chosen yet? */
const isWaitingForConsumer = (claim: PersistentVolumeClaim, world: VolumeWorld): boolean =>
  claim.metadata.annotations?.[SELECTED_NODE] === undefined &&
  world.storageClass(classNameOf(claim))?.volumeBindingMode === 'WaitForFirstConsumer';

const consumerTold = (claim: PersistentVolumeClaim, world: VolumeWorld): Told => {
  const pod = world.waitingPod(keyOf(claim));
  return pod === undefined
    ? {
        type: 'Normal',
        reason: 'WaitForFirstConsumer',
        message: 'waiting for first consumer to be created before binding',
      }
    : {
        type: 'Normal',
        reason: 'WaitForPodScheduled',
        message: `waiting for pod ${pod} to be scheduled`,
      };
};

/** Asks whoever makes volumes of the class for one, by annotations on the claim. */
const provision = (claim: PersistentVolumeClaim, world: VolumeWorld): Step => {
  const className = classNameOf(claim);
  const storageClass = world.storageClass(className);
  if (storageClass === undefined)
    return failed(claim, `storageclass.storage.k8s.io "${className}" not found`);
  const { provisioner } = storageClass;
  // Those of the project's own domain would be built in, and none is.
  if (provisioner.startsWith('kubernetes.io/'))
    return failed(claim, `no volume plugin matched name: ${provisioner}`);
  const asked = annotated(claim, {
    [STORAGE_PROVISIONER]: provisioner,
    [STORAGE_PROVISIONER_BETA]: provisioner,
  });
  const message =
    `Waiting for a volume to be created either by the external provisioner '${provisioner}' ` +
    'or manually by the system administrator. If volume creation is delayed, please verify that ' +
    'the provisioner is running and correctly registered.';
  const tell: Told = { type: 'Normal', reason: 'ExternalProvisioning', message };
  const { annotations = {} } = claim.metadata;
  const isAsked =
    annotations[STORAGE_PROVISIONER] === provisioner &&
    annotations[STORAGE_PROVISIONER_BETA] === provisioner;
  return isAsked ? pending(claim, tell) : claimWrite(asked);
};

const failed = (claim: PersistentVolumeClaim, message: string): Step =>
  pending(claim, { type: 'Warning', reason: 'ProvisioningFailed', message });

const pending = (claim: PersistentVolumeClaim, tell?: Told): Step =>
  claimPhase(claim, { phase: 'Pending' }, tell);

const lost = (claim: PersistentVolumeClaim, reason: string, message: string): Step => {
  // Said once, as the phase changes.
  const tell: Told = { type: 'Warning', reason, message };
  return claimPhase(claim, { phase: 'Lost' }, claim.status?.phase === 'Lost' ? undefined : tell);
};
