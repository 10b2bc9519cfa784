/** How long the runtime waits for what launcher, monitors and the kernel do. Milliseconds. */
export interface RuntimeLimits {
  /** One request to the launcher: a sandbox made, or unmounted. */
  readonly requestMs: number;
  readonly createMs: number;
  /** From the order to start until execve. */
  readonly startMs: number;
  /** Until a further process runs, or how late an answer may be that has a time limit of its own. */
  readonly execMs: number;
  /** From SIGKILL until the monitor has told of the end. */
  readonly endMs: number;
  /** A monitor's first answer to a runtime that has just been opened. */
  readonly adoptMs: number;
  /** A creation that takes longer lets the next begin beside it. */
  readonly holdMs: number;
}

/**
 * Generous where somebody else has to wait for the machine, since all of it is ended early by its
 * signal; short where the start of an agent waits.
 */
export const DEFAULT_LIMITS: RuntimeLimits = {
  requestMs: 30_000,
  createMs: 60_000,
  startMs: 60_000,
  execMs: 30_000,
  endMs: 10_000,
  adoptMs: 3_000,
  holdMs: 2_000,
};
