import { keyOf } from '../../../api/types';
import type { FilterPlugin } from './plugin';

/** Keeps a pod waiting whose claim is for one pod at a time, while another has it. */
export const volumeRestrictions: FilterPlugin = {
  name: 'VolumeRestrictions',
  scope: 'domain',
  wakeOn: ['PodRemoved', 'ClaimChanged'],

  filter({ volumes }) {
    return volumes?.taken === undefined ? undefined : REFUSAL;
  },

  explain({ volumes }) {
    if (volumes?.taken === undefined) return [];
    return [{ reason: REASON, detail: `claim ${keyOf(volumes.taken)} is used by another pod` }];
  },

  remedies: () => [],
};

/** Upstream's words (pkg/scheduler/framework/plugins/volumerestrictions). */
const REASON =
  'node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode';
const REFUSAL = { reasons: [REASON], isPodBound: true } as const;
