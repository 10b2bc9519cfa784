/** Periods and limits of the agent, injectable so that tests need not wait. */
export interface AgentSettings {
  /** Delay before the second restart of a container, the first is at once; doubles with every one. */
  readonly restartBackoffInitialMs: number;
  readonly restartBackoffMaxMs: number;
  /** A container that ran this long starts again at once, as if it had never failed. */
  readonly restartBackoffResetMs: number;
  readonly imageBackoffInitialMs: number;
  readonly imageBackoffMaxMs: number;
  /** How often a pod looks again though nothing seems to have happened. */
  readonly resyncMs: number;
  /** Delay before a failed step (sandbox, volumes, create) is tried again. */
  readonly retryMs: number;
  /** How often volumes are measured against their size limits, and logs against theirs. */
  readonly housekeepingMs: number;
  /** How often routes and firewall rules are compared with what they should be. */
  readonly networkCheckMs: number;
  /** How often the node's interface is asked whether its link was lost: then they are compared at once. */
  readonly linkCheckMs: number;
  /** How often the kernel is asked whether somebody else has changed the rules of services. */
  readonly serviceCheckMs: number;
  readonly concurrentStarts: number;
  /** A start that takes longer lets the next begin beside it: it is stuck, or waits for a disk. */
  readonly startHoldMs: number;
  /** From the image to execve; then the start is given up and tried again. */
  readonly startLimitMs: number;
  /** How long a start waits, at most, to be told of services, when the server never has. */
  readonly servicesWaitMs: number;
  /** From SIGKILL to the end of a container, before it is killed again. */
  readonly killLimitMs: number;
  /** One making or removing of a pod's sandbox, its network or its volumes. */
  readonly stepLimitMs: number;
  /** How much later than its own limit a probe may end before it counts as failed. */
  readonly probeSlackMs: number;
  /** What the agent waits for its pods when it stops; they run on anyway. */
  readonly stopLimitMs: number;
}

export const DEFAULT_SETTINGS: AgentSettings = {
  restartBackoffInitialMs: 10_000,
  restartBackoffMaxMs: 300_000,
  restartBackoffResetMs: 600_000,
  imageBackoffInitialMs: 10_000,
  imageBackoffMaxMs: 300_000,
  resyncMs: 10_000,
  retryMs: 2_000,
  housekeepingMs: 10_000,
  networkCheckMs: 10_000,
  linkCheckMs: 1_000,
  serviceCheckMs: 1_000,
  concurrentStarts: 4,
  startHoldMs: 2_000,
  // As the kubelet's runtime-request-timeout.
  startLimitMs: 120_000,
  servicesWaitMs: 10_000,
  killLimitMs: 30_000,
  stepLimitMs: 120_000,
  probeSlackMs: 10_000,
  stopLimitMs: 10_000,
};
