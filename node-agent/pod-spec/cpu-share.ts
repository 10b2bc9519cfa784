/** The processors of one container. */
export interface CpuShare {
  /** As the kernel lists them. */
  readonly cpus: string;
  /** Nobody else runs on them. */
  readonly isOwn: boolean;
}
