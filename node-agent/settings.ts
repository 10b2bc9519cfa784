/** Periods and limits of the agent, injectable so that tests need not wait. */
export interface AgentSettings {
  /** First delay before a container is restarted; doubles with every restart. */
  readonly restartBackoffInitialMs: number;
  readonly restartBackoffMaxMs: number;
  /** A container that ran this long starts again from the first delay. */
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
  readonly concurrentStarts: number;
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
  concurrentStarts: 4,
};
