/** What is told of a volume; what nobody counts is absent. */
export interface VolumeFigures {
  readonly availableBytes?: number;
  readonly capacityBytes?: number;
  readonly usedBytes?: number;
  readonly inodesFree?: number;
  readonly inodes?: number;
  readonly inodesUsed?: number;
  /** As its driver finds it. */
  readonly condition?: { readonly abnormal: boolean; readonly message: string };
}
