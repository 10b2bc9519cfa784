import { keyOf } from '../../../api/types';
import type { FilterPlugin } from './plugin';

/** Keeps a pod waiting whose claim is for one pod at a time, while another has it. */
export const volumeRestrictions: FilterPlugin = {
  name: 'VolumeRestrictions',
  scope: 'domain',
  wakeOn: ['PodRemoved', 'ClaimChanged'],

  basis: ({ volumes }) => (volumes?.taken === undefined ? '' : undefined),

  prepare({ volumes }) {
    const { taken } = volumes ?? {};
    if (taken === undefined) return undefined;
    const detail = `claim ${keyOf(taken)} is used by another pod`;
    return {
      refuse: () => REFUSAL,
      explain: () => [{ reason: REASON, detail }],
      remedies: () => [],
    };
  },
};

/** Upstream's words (pkg/scheduler/framework/plugins/volumerestrictions). */
const REASON =
  'node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode';
const REFUSAL = { reasons: [REASON], isPodBound: true } as const;
