import { formatNodeRequirement } from '../../../api/node-affinity';
import { compareQuantities, parseQuantity } from '../../../api/quantity';
import { keyOf } from '../../../api/types';
import {
  planVolumes,
  VOLUME_REASONS,
  type PodVolumes,
  type VolumeProblem,
} from '../volumes/pod-volumes';
import { COST, type FilterPlugin, type FilterTerm, type Refusal, type Remedy } from './plugin';

/** Keeps pods where their volumes are, or can be made; and waiting while there is nothing to mount. */
export const volumeBinding: FilterPlugin = {
  name: 'VolumeBinding',
  scope: 'static',
  wakeOn: [
    ...(['NodeLabelsChanged', 'ClaimChanged', 'VolumeChanged', 'StorageClassChanged'] as const),
    'StorageCapacityChanged',
  ],

  prepare({ volumes }) {
    if (volumes === undefined) return undefined;
    return volumes.problem === undefined ? placedBy(volumes) : heldBy(volumes.problem);
  },
};

/** Where the volumes are decides. */
const placedBy = (volumes: PodVolumes): FilterTerm => ({
  refuse({ node }) {
    const plan = planVolumes(volumes, node);
    return plan.kind === 'refused' ? REFUSALS[plan.reason] : undefined;
  },

  explain({ node }) {
    const plan = planVolumes(volumes, node);
    if (plan.kind === 'fits') return [];
    const detail =
      plan.reason === 'noRoom' ? roomOf(volumes, plan.claim) : detailOf(volumes, plan.claim);
    return [{ reason: VOLUME_REASONS[plan.reason], detail }];
  },

  remedies: () => [],
});

/** There is nothing to mount anywhere. */
const heldBy = ({ reason, claim, isMissing }: VolumeProblem): FilterTerm => {
  const rejection: Refusal = { reasons: [reason], isPodBound: false };
  const remedy: Remedy = {
    words: `create the PersistentVolumeClaim ${claim}`,
    cost: COST.request,
    target: 'pod',
    apply: ({ pod: { volumes: _missing, ...pod }, node }) => ({ pod, node }),
  };
  return {
    rejection,
    refuse: () => rejection,
    explain: () => [{ reason, detail: `claim ${claim}: ${reason}` }],
    remedies: () => (isMissing ? [remedy] : []),
  };
};

/** Where the claim's volume is, or why none is to be had. */
const detailOf = ({ bound, delayed }: PodVolumes, key: string): string => {
  const found = bound.find(({ claim }) => keyOf(claim) === key);
  if (found !== undefined) {
    const { volumeName = '' } = found.claim.spec ?? {};
    if (found.volume === undefined) return `claim ${key} is bound to ${volumeName}, which is gone`;
    const terms = found.volume.spec?.nodeAffinity?.required?.nodeSelectorTerms ?? [];
    const places = terms.map(({ matchExpressions = [] }) =>
      matchExpressions.map(formatNodeRequirement).join(', '),
    );
    return `volume ${volumeName} of claim ${key} can be reached where ${places.join(' or ')}`;
  }
  const waiting = delayed.find(({ claim }) => keyOf(claim) === key);
  if (waiting?.nodeName !== undefined)
    return `the volume of claim ${key} is being made on ${waiting.nodeName}`;
  return (
    `no free volume of class ${waiting?.storageClass.metadata.name ?? ''} fits claim ${key} here, ` +
    'and none can be made'
  );
};

/** How much room the driver says there is, wherever that is. */
const roomOf = ({ delayed }: PodVolumes, key: string): string => {
  const found = delayed.find(({ claim }) => keyOf(claim) === key);
  const { claim, storageClass, capacities = [] } = found ?? {};
  const wanted = claim?.spec?.resources?.requests?.['storage'] ?? '0';
  const sizes = capacities.flatMap(({ nodeTopology, maximumVolumeSize, capacity }) =>
    nodeTopology === undefined ? [] : (maximumVolumeSize ?? capacity ?? []),
  );
  const [largest] = sizes.sort((a, b) => compareQuantities(parseQuantity(b), parseQuantity(a)));
  const { provisioner = '', metadata: { name = '' } = {} } = storageClass ?? {};
  return (
    `claim ${key} asks for ${wanted}: ${provisioner} says of no room so large for class ${name} here` +
    (largest === undefined ? ', nor anywhere' : `, at most of ${largest} anywhere`)
  );
};

const REFUSALS: Readonly<Record<keyof typeof VOLUME_REASONS, Refusal>> = {
  conflict: { reasons: [VOLUME_REASONS.conflict], isPodBound: false },
  noRoom: { reasons: [VOLUME_REASONS.noRoom], isPodBound: false },
  noVolume: { reasons: [VOLUME_REASONS.noVolume], isPodBound: false },
  missing: { reasons: [VOLUME_REASONS.missing], isPodBound: false },
};
