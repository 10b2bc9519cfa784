import type { PersistentVolume } from '../../api/types';
import type { Volume } from './volume-content';

/** A volume of a pod that a driver provides: one behind a claim, or one that lives with the pod. */
export type CsiVolume =
  | { readonly name: string; readonly volume: PersistentVolume; readonly isReadOnly: boolean }
  | { readonly name: string; readonly inline: NonNullable<Volume['csi']> };
