import { addressesOf } from '../../api/service-endpoints';
import { isTerminating } from '../../api/pods';
import { nameOf, type Pod, uidOf } from '../../api/types';
import type { Log } from '../../lib/log';
import type { ReadySandbox } from '../containers/pod-sandbox';
import type { PodEnding, WaitingReason } from '../plan/status';
import { graceOf } from './worker-plan';

/** What is known of one pod, for all parts of its worker. */
export class PodRecord {
  readonly log: Log;
  sandbox: ReadySandbox | undefined;
  /** Why there is none, where that is for all containers to say. */
  sandboxProblem: WaitingReason | undefined;
  /** Why the agent has ended it. */
  ending: PodEnding | undefined;
  graceMaxMs = Infinity;
  /** The server no longer knows it. */
  isRemoved = false;
  /** Nothing of it is left but logs. */
  isTornDown = false;

  constructor(
    /** As wanted, with the status that was reported last. */
    public pod: Pod,
    log: Log,
  ) {
    this.log = log.child({ pod: `${nameOf(pod).namespace}/${nameOf(pod).name}` });
    const { phase, reason, message } = pod.status;
    // It was ended before this agent started: it stays ended.
    if (phase === 'Failed' && reason !== undefined)
      this.ending = { reason, message: message ?? '' };
  }

  get uid(): string {
    return uidOf(this.pod);
  }

  get isEnding(): boolean {
    return this.isRemoved || this.ending !== undefined || isTerminating(this.pod);
  }

  get graceMs(): number {
    return graceOf(this);
  }

  /** Those of its sandbox, or else the ones that were reported of it. */
  get podIps(): readonly string[] {
    return this.sandbox?.podIps ?? addressesOf(this.pod);
  }
}
