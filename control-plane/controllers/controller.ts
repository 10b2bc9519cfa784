import type { ApiClient } from '../../client/api-client';
import type { EventRecorder } from '../../client/events';
import type { Informers } from '../../client/informers';
import type { Clock } from '../../lib/clock';
import type { Log } from '../../lib/log';
import type { Random } from '../../lib/random';

export interface ControllerDeps {
  readonly client: ApiClient;
  readonly informers: Informers;
  readonly events: EventRecorder;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

/** A loop that brings observed state towards desired state, safe to stop and start at any point. */
export interface Controller {
  readonly name: string;
  /** Works until `signal` aborts. The informers are running. */
  run(signal: AbortSignal): Promise<void>;
}
